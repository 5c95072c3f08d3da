/*
 * A subcommand of `weir`: one file each in engine/cmd/, one line each in engine/cmd/table.c.
 */
#ifndef ENGINE_CMD_CMD_H
#define ENGINE_CMD_CMD_H

#include "engine/base/error.h"

#include <stdbool.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 }; /* 2: wrong usage or wrong config */

struct command {
    const char *name;
    const char *summary;               /* one line for `weir --help` */
    const char *help;                  /* all of `weir NAME --help`: usage, options, an example */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit code */
};

extern const struct command *const commands[]; /* ends with NULL */

/*
 * All of `weir`: find the command that argv[1] names in `table` and run it, or answer --help and
 * --version. A command that succeeds but whose standard output cannot be written has failed.
 *
 * returns  the exit code
 */
int command_main(const struct command *const *table, int argc, char **argv);

/* Print `weir NAME: <what was wrong>` and how to get help on standard error; returns EXIT_USAGE. */
int command_misused(const struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* Print `weir NAME: <err->text>` on standard error; returns `exit_code`. */
int command_failed(const struct command *command, const struct error *err, int exit_code);

#endif
