/*
 * The log: one line an event, logfmt or JSON, on standard error.
 *
 *     log_warn("kafka", "broker unreachable, trying again", "broker=%s", name);
 *
 * Secrets never come here. Text from spans is escaped.
 */
#ifndef ENGINE_BASE_LOG_H
#define ENGINE_BASE_LOG_H

#include "engine/base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Before any thread starts; the default is LOG_INFO as logfmt. */
void log_open(enum log_level least, enum log_format format);

/*
 * part     the part that speaks, a noun: "combine"
 * message  what happened, for a person; a full phrase without a full stop
 * fields   printf format of `key=value` pairs separated by one space, or NULL; a value that holds
 *          spaces comes last and runs to the end of the line: "error=%s"
 * threads  any
 */
void log_line(enum log_level level, const char *part, const char *message, const char *fields, ...)
    PRINTF_LIKE(4, 5);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
