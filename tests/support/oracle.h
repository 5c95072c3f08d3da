/*
 * The oracle: what weir should have said, worked out a second time from the input topic itself.
 *
 * It shares nothing with weir but the generated protobuf of the wire, keeps every single duration,
 * and adds everything up from the start for every row. Slow and simple is the point. The rules it
 * applies are numbered where they are applied.
 */
#ifndef TESTS_SUPPORT_ORACLE_H
#define TESTS_SUPPORT_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NS_PER_MS INT64_C(1000000)
#define NEVER     INT64_MIN /* a clock that has not started */

enum { WINDOWS_MAX = 8, THRESHOLDS_MAX = 8, QUANTILES_MAX = 8, DIMENSIONS_MAX = 3 };
enum {
    TRACE_BYTES = 16,
    TEXT_MAX = 1024,  /* bytes that are read of what a failure says */
    MASKED_MAX = 120, /* and of it when it is masked */
    SLOWS_MAX = 3,    /* told of one row */
    FAILED_MAX = 4,
    KINDS_MAX = 8,
};

enum dimension { DIMENSION_SERVICE, DIMENSION_OPERATION, DIMENSION_KIND };

/* A view: the dimensions of a series, in order. */
struct view {
    enum dimension dimension[DIMENSIONS_MAX];
    size_t dimensions;
};

/* A rolling window (width, hop), or slices of history (hop = width). */
struct window {
    int64_t width_ns, hop_ns;
    bool rolling;
};

/* A rule made wrong on purpose, to see that the comparison notices. */
enum breakage {
    BREAK_NOTHING,
    BREAK_PANE_BOUNDARY, /* a span that ends at a pane's end belongs to that pane */
    BREAK_ON_TIME,       /* the arrival pane itself is late */
    BREAK_TOO_LATE,      /* allowed_lateness is one pane longer */
    BREAK_ARRIVAL,       /* a rolling row holds late spans one pane early */
    BREAK_MASK,          /* what failures say is not masked */
};

struct plan {
    int64_t pane_ns, lateness_ns, skew_ns, allowed_lateness_ns;
    struct view view[WINDOWS_MAX];
    size_t views;
    struct window window[WINDOWS_MAX];
    size_t windows;
    int64_t threshold_ns[THRESHOLDS_MAX];
    const char *threshold_text[THRESHOLDS_MAX]; /* as in the column's name */
    size_t thresholds;
    double quantile[QUANTILES_MAX];
    const char *quantile_text[QUANTILES_MAX]; /* "99.9" */
    size_t quantiles;
    double quantile_error; /* relative: half a bucket of the sketch */
    enum breakage breakage;
};

int64_t floor_div(int64_t a, int64_t b);
int64_t duration_ns(const char *text); /* "250ms", "5m"; dies of anything else */

/* Room for one more item in a growing array; dies when there is no memory. */
void *array_room(void *array, size_t count, size_t *capacity, size_t item_bytes);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- oracle_topic.c: topics ----------------------------------------------------------------- */

struct record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    const void *value; /* borrowed for the call */
    size_t value_bytes;
};

/* Hand every record of `topic` to `take`, each partition in order, and return at the ends. */
void topic_read(const char *brokers, const char *topic, bool committed_only,
    void (*take)(void *self, const struct record *record), void *self);
/* Create a topic that keeps records of any age and size. */
void topic_create(const char *brokers, const char *topic, int partitions);
void topic_grow(const char *brokers, const char *topic, int partitions);
void topic_delete(const char *brokers, const char *topic);
/* Write the records of [from_ms, to_ms) once more: those of partition p into p % partitions. */
void topic_copy(const char *brokers, const char *topic, const char *into, int partitions,
    int64_t from_ms, int64_t to_ms);
struct topic_writer *topic_writer_open(const char *brokers, const char *topic);
void topic_write(struct topic_writer *writer, int32_t partition, int64_t timestamp_ms,
    const void *value, size_t bytes);
void topic_writer_close(struct topic_writer *writer); /* waits until all is written */

/* --- oracle_book.c: what each series saw ------------------------------------------------------ */

/* One span in one series, or one that was too late for it. */
struct sighting {
    uint32_t series;
    bool too_late; /* then `pane` is its arrival pane, and the rest is empty */
    bool late, skewed, failed;
    int64_t pane;
    int64_t arrival; /* the pane in which it arrived if late, else `pane` */
    uint64_t duration_ns;
    uint8_t trace_id[TRACE_BYTES];
    uint32_t kind; /* where it failed: index of its kind in book->errors */
};

struct book {
    const struct plan *plan;
    struct sighting *sighting; /* sorted by series, then pane, once closed */
    size_t sightings, sightings_capacity;
    char **series; /* spellings */
    size_t serieses, series_capacity;
    uint32_t *slot; /* hash table of series + 1 */
    size_t slots;
    struct book *errors; /* only its table of names: error kinds, as type, tab, message */
    int64_t *clock_ns;   /* per partition: NEVER, or newest record timestamp - lateness */
    size_t clocks;
    int64_t last_pane; /* the last one that --until-end closes */
    uint64_t records, malformed, spans, dropped, late, too_late, skewed;
};

/* Read the input topic to its end and write down every sighting. */
void book_read(struct book *book, const struct plan *plan, const char *brokers, const char *topic);
void book_release(struct book *book);
/* The sightings of one series: [*from, *to). */
void book_series(const struct book *book, uint32_t series, size_t *from, size_t *to);
/* One more span for a series; book_read calls it. */
void book_note(struct book *book, const char *series, struct sighting sighting);
uint32_t book_find(struct book *book, const char *series, bool make); /* UINT32_MAX: none */

/* --- oracle_otlp.c: one message --------------------------------------------------------------- */

/* What a message says of one span; texts are borrowed for the call. */
struct seen_span {
    const char *service, *operation;
    uint32_t kind;
    bool failed;
    int64_t end_ns;
    uint64_t duration_ns;
    const uint8_t *trace_id;                /* [TRACE_BYTES] */
    const char *error_type, *error_message; /* where it failed, as sent; "" where it says nothing */
};

/*
 * Hand every span with good ids and times to `take`; the others are counted in `dropped`.
 *
 * returns  false: not OTLP protobuf, nothing was taken
 */
bool otlp_read(const void *message, size_t bytes, uint64_t *dropped,
    void (*take)(void *self, const struct seen_span *span), void *self);

/* --- oracle_mask.c: what failures say ---------------------------------------------------------- */

/* With its literals masked, and only cleaned; out [MASKED_MAX + 1]. */
void mask_message(const char *text, char *out);
void mask_type(const char *text, char *out);

/* --- oracle_expect.c: the rows that follow ------------------------------------------------------ */

enum row_status { ROW_PROVISIONAL, ROW_FINAL, ROW_REVISED };

struct trace_due {
    const uint8_t *id;
    uint64_t ns;
};

struct kind_due {
    const char *name; /* type, tab, message */
    uint64_t hash, count;
    const uint8_t *trace_id;
};

struct expected {
    const char *series;
    int64_t start_ns, end_ns;
    bool rolling;
    enum row_status status;
    uint64_t spans, errors, late, too_late, skewed;
    uint64_t sum_ns;
    uint64_t threshold[THRESHOLDS_MAX];
    const uint64_t *duration_ns; /* [spans], ascending */
    struct trace_due slow[SLOWS_MAX], failed[FAILED_MAX];
    size_t slows, faileds;
    struct trace_due typical; /* id NULL: no spans */
    struct kind_due kind[KINDS_MAX];
    size_t kinds;
    uint64_t errors_else;
};

/* Every row that must be there once all panes are closed, final and last revised. */
void expect_rows(
    const struct book *book, void (*take)(void *self, const struct expected *row), void *self);
/* The value of rank ceil(q * n); n > 0. */
uint64_t expect_quantile(const uint64_t *ascending, size_t n, double q);
void sort_durations(uint64_t *duration_ns, size_t n);

/* --- oracle_traces.c: their traces and error kinds ----------------------------------------------- */

/* Fill in what follows from the spans of a row, whose order is lost. */
void traces_expect(
    const struct book *book, const struct sighting **sighting, size_t n, struct expected *row);

/* Traces and error kinds in words: equal words, equal content. */
struct traces_text {
    char text[8192];
    size_t size;
};

void traces_print(const struct expected *row, struct traces_text *text);
/* Append one: a trace and its duration, or a kind, its trace and its count. */
void traces_say(struct traces_text *text, const char *what, const uint8_t *id, uint64_t number);

/* --- oracle_rows.c: the rows that weir wrote ---------------------------------------------------- */

/* Compare the rows topic with the book; prints differences in words. Returns whether all is equal. */
bool rows_compare(const struct book *book, const char *brokers, const char *topic);
/* Print all final and revised rows and all alerts in a canonical order, without wall-clock times. */
void rows_dump(const char *brokers, const char *topic);
/* Print what the last rows of the finest slices add up to, by kind of series. */
void rows_total(const char *brokers, const char *topic);

/* --- oracle_live.c: what a live run ends with ---------------------------------------------------- */

/*
 * Compare the last row of every pane with all spans that end in it. What was on time and what late
 * depends on the wall clock in a live run; what is there in the end does not.
 *
 * book      read with a lateness that nothing misses
 * until_ms  only panes that end by then; 0: all, and only what each series adds up to, for spans of
 *           the future, which are counted when they came
 * returns  whether all is equal
 */
bool live_compare(struct book *book, const char *brokers, const char *topic, int64_t until_ms);

/* --- oracle_shown.c: what Redis shows --------------------------------------------------------- */

/*
 * Compare what Redis shows with the rows topic: every newest rolling row and every slice of history.
 *
 * in       lines of `now<TAB>series<TAB>window<TAB>JSON` and
 *          `history<TAB>series<TAB>resolution end_ms<TAB>spans,errors,...`
 * returns  whether all is there and equal
 */
bool shown_compare(FILE *in, const char *brokers, const char *topic);

/* --- oracle_feed.c: the oracle's own test ------------------------------------------------------- */

/*
 * Write a small input, and the rows that a person worked out for it.
 *
 * input   NULL: the rows alone
 * tamper  which row is made wrong in one column; -1: none
 */
void feed_write(const char *brokers, const char *input, const char *rows, int tamper);

#endif
