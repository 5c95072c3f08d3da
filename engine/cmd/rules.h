/* What the parts of `weir rules` share. */
#ifndef ENGINE_CMD_RULES_H
#define ENGINE_CMD_RULES_H

#include "engine/base/option.h"
#include "engine/cmd/cmd.h"

struct rules_command {
    struct texts set;
    const char *config, *at, *series, *rule, *redis, *prefix, *from, *to;
    int64_t before_ns;
};

extern const struct command command_rules;

/* Run every test of a file, printing how each ended. returns  an exit code */
int rules_test(const char *path);

/* Say of every rule of a config why it does or does not fire for a series. returns  an exit code */
int rules_eval(const struct rules_command *options);

/* Say what a config's operators would have made of the rows topic, beside what was said. returns  an exit code */
int rules_backtest(const struct rules_command *options);

#endif
