/* A child process that does not outlive us. */
#ifndef ENGINE_CHILD_H
#define ENGINE_CHILD_H

#include "engine/base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Start a program.
 *
 * argv      argv[0] is looked up in PATH; ends with NULL
 * log_path  where its output goes; NULL: where ours goes
 */
enum status child_start(
    pid_t *child, const char *const *argv, const char *log_path, struct error *err) MUST_USE;

bool child_running(pid_t child); /* false once it has ended; then it is reaped */
int child_wait(pid_t child);     /* until it ends; its exit code, or 128 + signal */
void child_stop(
    pid_t child, int64_t patience_ns); /* SIGTERM, and SIGKILL when patience is over; 0 is fine */

#endif
