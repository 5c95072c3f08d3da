/* weir rules backtest: what other rules would have made of the rows that there are. */
#ifndef ENGINE_CMD_RULES_BACKTEST_H
#define ENGINE_CMD_RULES_BACKTEST_H

#include "engine/cmd/cmd.h"
#include "engine/episodes.h"

extern const struct command command_rules_backtest;

/* Append the table of all pairs, and how many there are of each kind. */
void rules_backtest_print(
    const struct episode_pair *pair, size_t count, size_t width, struct buffer *out);

#endif
