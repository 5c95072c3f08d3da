/*
 * Spans counted as good or bad over windows from minutes to a month, in constant time and memory.
 *
 * Time is cut into buckets of five widths, and the newest buckets of each width are kept in a ring.
 * A window is the newest buckets of one ring, and its sum is kept as they come and go: what enters
 * is added, what leaves is taken away. Counts are integers, so a sum is exact however old it is.
 *
 * A window moves by whole buckets, so it reaches back up to one bucket less far than its name says:
 *
 *   5m   10 x 30s     4m30s to 5m         1d        12 x 2h   22h to 1d
 *   30m  12 x 2m30s   27m30s to 30m       3d        36 x 2h   2d22h to 3d
 *   1h   24 x 2m30s   57m30s to 1h        28d       56 x 12h  27d12h to 28d
 *   2h   12 x 10m     1h50m to 2h         30d       60 x 12h  29d12h to 30d
 *   6h   36 x 10m     5h50m to 6h         a month   from its first moment on, in its time zone
 *
 * A count falls into a bucket by the last moment of its pane. So with panes wider than a bucket a
 * window holds the panes that end in it, and always the newest.
 */
#ifndef OPERATORS_BURN_RING_H
#define OPERATORS_BURN_RING_H

#include <stddef.h>
#include <stdint.h>

enum burn_window {
    BURN_5M,
    BURN_30M,
    BURN_1H,
    BURN_2H,
    BURN_6H,
    BURN_1D,
    BURN_3D,
    BURN_BUDGET, /* 28d, 30d or the month */
    BURN_WINDOWS,
};
extern const char *const burn_window_name[BURN_BUDGET]; /* "5m", "30m", ... */

struct tally {
    uint64_t all, bad; /* spans */
};

/* What the budget is counted over, as `budget` in all functions below; it must not change. */
enum burn_budget { BUDGET_28D, BUDGET_30D, BUDGET_MONTH };

/* A moment of event time. */
struct burn_moment {
    int64_t ns;    /* since the Unix epoch, not before it */
    int64_t month; /* grows by one a month: calendar_month(); read for BUDGET_MONTH only */
};

/* Plain bytes; zeroed, it has counted nothing. */
struct burn_ring {
    int64_t newest_ns;
    int64_t month; /* the one that is counted; 0 unless BUDGET_MONTH */
    struct tally window[BURN_WINDOWS];
    struct tally bucket[]; /* of all rings, the finest first */
};

size_t burn_ring_bytes(enum burn_budget budget);

/* Let time go by; a moment that is not newer changes nothing. The cost is bounded whatever the gap. */
void burn_ring_advance(struct burn_ring *ring, enum burn_budget budget, struct burn_moment to);

/* Count what ended at a moment: the newest there is, or a past one, which then counts where it falls. */
void burn_ring_add(
    struct burn_ring *ring, enum burn_budget budget, struct burn_moment at, struct tally more);

#endif
