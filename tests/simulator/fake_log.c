/* What the stage logs: nobody reads it but the judge, who must not find the audit speak up for nothing. */
#include "engine/base/log.h"
#include "tests/simulator/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void log_open(enum log_level least, enum log_format format)
{
    (void)least;
    (void)format;
}

void log_line(enum log_level level, const char *part, const char *message, const char *fields, ...)
{
    if (strncmp(message, "audit:", 6) == 0) judge_audit_said();
    if (!world.options.verbose) return;
    va_list args;
    va_start(args, fields);
    fprintf(stderr, "%.3f %s %d %s: %s ", (double)world.now_ns / 1e9,
        world.running == NULL ? "-" : world.running->worker.instance, level, part, message);
    if (fields != NULL) vfprintf(stderr, fields, args);
    fputc('\n', stderr);
    va_end(args);
}

bool log_every(struct log_gate *gate, int64_t interval_ns)
{
    (void)gate;
    (void)interval_ns;
    return world.options.verbose;
}
