/*
 * Alerts as stretches of event time, from firing to resolved: those that were raised, and those that
 * a backtest raises, side by side.
 */
#ifndef ENGINE_EPISODES_H
#define ENGINE_EPISODES_H

#include "engine/base/pool.h"
#include "schemas/row.h"

#define EPISODE_OPEN \
    INT64_C(-1) /* fired before it was looked at; or not resolved when that ended */

enum episode_side { EPISODE_RAN, EPISODE_TESTED };

struct episode {
    enum episode_side side;
    struct bytes rule, series, severity; /* the episodes' own */
    int64_t fired_ns, resolved_ns;       /* event time, or EPISODE_OPEN */
};

/* A zeroed list is empty. */
struct episodes {
    struct episode *episode;
    size_t count, capacity;
    struct pool texts;
};

/* An alert has turned: one begins or ends. An end without a begin is one that fired before. */
void episodes_turn(struct episodes *e, enum episode_side side, const struct alert *alert);
void episodes_release(struct episodes *e);

/* What fired in both, or in one. */
struct episode_pair {
    const struct episode *ran, *tested; /* NULL: not there */
};

/*
 * Episodes that have to do with from_ns..to_ns, by rule and series, each beside the one of the other
 * side that it overlaps, in order of time.
 *
 * pairs    the caller's to free; borrows from `e`, whose order changes
 */
size_t episodes_pair(
    struct episodes *e, int64_t from_ns, int64_t to_ns, struct episode_pair **pairs);

#endif
