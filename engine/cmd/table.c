/* Every command there is, in the order of `weir --help`. Adding one is its file and its line. */
#include "engine/cmd/cmd.h"

#include <stddef.h>

extern const struct command command_run, command_demo, command_generate, command_replay;
extern const struct command command_top, command_query, command_rules, command_check;
extern const struct command command_plan, command_notify;

const struct command *const commands[] = {
    &command_run,
    &command_demo,
    &command_generate,
    &command_replay,
    &command_top,
    &command_query,
    &command_rules,
    &command_check,
    &command_plan,
    &command_notify,
    NULL,
};
