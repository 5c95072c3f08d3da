/* A subcommand run within the test, and what it said. */
#ifndef TESTS_SUPPORT_RUN_COMMAND_H
#define TESTS_SUPPORT_RUN_COMMAND_H

#include "engine/cmd/cmd.h"

struct said {
    int exit_code;
    char out[1 << 18];
    char complaint[4096];
};

/* Run a command with NULL-terminated words; what it said is good until the next one. */
const struct said *run_command(const struct command *command, const char *const *words);

#endif
