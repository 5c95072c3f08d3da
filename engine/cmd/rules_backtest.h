/* The table of `weir rules backtest`. */
#ifndef ENGINE_CMD_RULES_BACKTEST_H
#define ENGINE_CMD_RULES_BACKTEST_H

#include "engine/episodes.h"

/* Append the table of all pairs, and how many there are of each kind. */
void rules_backtest_print(
    const struct episode_pair *pair, size_t count, size_t width, struct buffer *out);

#endif
