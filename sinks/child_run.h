/*
 * Running a program to its end, which comes in time: what it is given, what it says and how long it takes
 * are bounded, and nothing that it started outlives it.
 */
#ifndef SINKS_CHILD_RUN_H
#define SINKS_CHILD_RUN_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { CHILD_SAID_BYTES = 201 }; /* of its output, the beginning, with a NUL */

enum child_end {
    CHILD_NOT_STARTED, /* `code` is an errno */
    CHILD_EXITED,      /* `code` is its exit code */
    CHILD_KILLED,      /* `code` is the signal, not one of ours */
    CHILD_TIMED_OUT,   /* it was killed, and its process group with it */
};

struct child_run {
    const char *const *argv;        /* argv[0] is looked up in PATH; no shell; ends with NULL */
    const char *const *environment; /* NAME=VALUE, all of it; ends with NULL */
    struct bytes in;                /* on its standard input; it need not read it */
    int64_t timeout_ns;
    bool (*stopping)(void); /* true: it has CHILD_STOP_MS left. NULL: never */
};

struct child_result {
    enum child_end end;
    int code;
    char said
        [CHILD_SAID_BYTES]; /* standard output and error, in one line without control characters */
};

enum { CHILD_STOP_MS = 2000 };

/*
 * Run it and wait. Returns when it has ended; its process group is ended with it.
 *
 * threads  any; where the caller's SIGCHLD is ignored, how it ended is not known: exit code 127
 */
void child_run(const struct child_run *run, struct child_result *result);

#endif
