/*
 * A line on a terminal that says how far a command has come; nothing where there is no terminal.
 */
#ifndef ENGINE_PROGRESS_H
#define ENGINE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PROGRESS_BYTES = 120 };

struct progress {
    FILE *out;
    bool terminal;
    const char *doing; /* "replay"; the caller's */
    const char *what;  /* what is counted, in the plural: "spans" */
    int64_t started_ns;
    int64_t shown_ns;
};

/* doing, what  outlive the progress */
void progress_open(struct progress *progress, FILE *out, const char *doing, const char *what);

/*
 * Show the line again, at most five times a second.
 *
 * count  done so far
 * share  of the whole, 0..1; negative: nobody knows the whole
 */
void progress_show(struct progress *progress, uint64_t count, double share);

/* Wipe the line. */
void progress_close(struct progress *progress);

/* The line itself, without the terminal's control codes. `line` has PROGRESS_BYTES. */
void progress_line(
    char *line, const char *doing, const char *what, uint64_t count, double share, double seconds);

#endif
