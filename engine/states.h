/*
 * The states of a series' operators, side by side in one piece: those of the operators that are
 * concerned with it, in order of the config.
 */
#ifndef ENGINE_STATES_H
#define ENGINE_STATES_H

#include "engine/config.h"

/* Which operators are concerned with a series: bit i is config->operators[i]. */
uint64_t states_concerned(const struct config *config, struct bytes series);
size_t states_bytes(const struct config *config, uint64_t concerned);

/*
 * One after the other:
 *
 *     struct states_walk walk = states_begin(config, concerned, states);
 *     while (states_next(&walk)) walk.operator_->step(walk.self, walk.state, ...);
 */
struct states_walk {
    const struct config *config;
    uint64_t left; /* bits of those not yet come to */
    unsigned char *next;
    size_t index; /* in config->operators, of the one come to */
    const struct window_operator *operator_;
    const void *self;
    void *state;
};

struct states_walk states_begin(const struct config *config, uint64_t concerned, void *states);
bool states_next(struct states_walk *walk);

/* Whether an operator waits for what silence will bring. */
bool states_awake(const struct config *config, uint64_t concerned, void *states);

#endif
