/*
 * What the caller must do next, and why.
 *
 * A status names the caller's next move, not the cause: causes are many, moves are six. They are
 * ordered, so the worse of two is the larger.
 */
#ifndef ENGINE_BASE_ERROR_H
#define ENGINE_BASE_ERROR_H

enum status {
    ST_OK = 0, /* go on */
    ST_SKIP,   /* this record is bad: count it, set it aside, take the next one */
    ST_RETRY,  /* not done, or not known to be: make the same call again, twice counts once */
    ST_ABORT,  /* drop uncommitted work, rewind to the last committed offset */
    ST_LOST,   /* this place in the log is not ours: let go, ask where to resume */
    ST_FATAL,  /* bad config, corrupt data or a bug: leave the process */
};

struct error {
    enum status status;
    int code; /* errno, librdkafka or Redis code. For the log; never branched on. */
    char
        text[400]; /* finished sentences: which part, which record, what was expected, what to do */
};

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/*
 * Fill in `err` and give back `status`, so that failing is one line:
 *
 *     return error_set(err, ST_SKIP, 0, "otlp: trace_id is %zu bytes, want 16", id.size);
 *
 * err      never NULL; a function that returns ST_OK leaves it as it found it
 * threads  any; `err` belongs to the caller
 */
enum status error_set(struct error *err, enum status status, int code, const char *format, ...)
    PRINTF_LIKE(4, 5);

#endif
