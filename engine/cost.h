/*
 * What a plan will cost: estimates from its numbers and from what was measured, for `weir check`.
 *
 * Estimates are for series that have spans in every slice: the dearest kind.
 */
#ifndef ENGINE_COST_H
#define ENGINE_COST_H

#include "engine/plan.h"

struct cost {
    double redis_bytes_per_series;
    double redis_bytes_fixed;      /* alerts and the like */
    double state_bytes_per_series; /* of aggregate: closed slices, rolling sums, operators */
    double open_bytes_per_series;  /* of aggregate: panes still open, at most */
    int64_t open_panes;            /* of a series, at most */
    double partial_bytes_s_least;  /* per series and combine thread */
    double partial_bytes_s_most;
    int64_t final_least_ns, final_most_ns; /* from a span's end to its pane's final row */
    int64_t provisional_ns;                /* likewise to a provisional row; 0: none */
};

struct cost cost_of(const struct plan *plan);

#endif
