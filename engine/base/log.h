/*
 * The log: one line an event, logfmt or JSON, on standard error.
 *
 *     log_warn("kafka", "broker unreachable, trying again", "broker=%s", name);
 *
 *     ts=2026-01-02T03:04:05.678Z level=warn part=kafka msg="broker unreachable, ..." broker=k1:9092
 *
 * A line is one write of less than 4 KiB, so lines of threads and processes that share a pipe do
 * not mix. Secrets never come here. Text from spans is escaped.
 */
#ifndef ENGINE_BASE_LOG_H
#define ENGINE_BASE_LOG_H

#include "engine/base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    LOG_LINE_BYTES_MAX = 4096, /* PIPE_BUF; longer values are cut and end in `...` */
    LOG_FIELDS_MAX = 16,       /* what is beyond is part of the last one's value */
};

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Before any thread starts; the default is LOG_INFO as logfmt. */
void log_open(enum log_level least, enum log_format format);
void log_level_set(enum log_level least); /* threads: any, at any time */

/*
 * part     the part that speaks, a noun: "combine"
 * message  what happened, for a person; a full phrase without a full stop
 * fields   printf format of `key=value` pairs separated by one space, or NULL; a value that holds
 *          spaces comes last and runs to the end of the line: "error=%s". Keys stand in the format,
 *          so no value can add a field. In JSON a value is a number if its format is one: "lag=%d"
 * threads  any; errno stays as it was
 */
void log_line(enum log_level level, const char *part, const char *message, const char *fields, ...)
    PRINTF_LIKE(4, 5);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* Keeps a state that lasts from being said more than once in a while. Zeroed, it is open. */
struct log_gate {
    _Atomic int64_t next_ns; /* by clock_ns */
};

/*
 * True for the first caller, then once `interval_ns` has passed since that:
 *
 *     static struct log_gate gate;
 *     if (log_every(&gate, 10 * NS_PER_S)) log_warn("redis", "no answer, trying again", NULL);
 *
 * threads  any; of several at once one gets true
 */
bool log_every(struct log_gate *gate, int64_t interval_ns);

#endif
