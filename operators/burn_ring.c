#include "operators/burn_ring.h"

#include <stdbool.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS   (60 * MINUTE_NS)

enum { RINGS = 5, RING_WINDOWS_MAX = 2, RING_BUDGET = RINGS - 1 };

/* Each width is a multiple of the one before it: where a bucket goes on, all wider ones do. */
static const struct ring_shape {
    int64_t width_ns;
    uint32_t first;   /* its place among all buckets */
    uint32_t buckets; /* of the widest window */
    struct {
        enum burn_window window;
        uint32_t buckets; /* 0: no such window */
    } holds[RING_WINDOWS_MAX];
} rings[RINGS] = {
    {30 * SECOND_NS, 0, 10, {{BURN_5M, 10}}},
    {150 * SECOND_NS, 10, 24, {{BURN_30M, 12}, {BURN_1H, 24}}},
    {10 * MINUTE_NS, 34, 36, {{BURN_2H, 12}, {BURN_6H, 36}}},
    {2 * HOUR_NS, 70, 36, {{BURN_1D, 12}, {BURN_3D, 36}}},
    {12 * HOUR_NS, 106, 60, {{BURN_BUDGET, 60}}},
};

const char *const burn_window_name[BURN_BUDGET] = {"5m", "30m", "1h", "2h", "6h", "1d", "3d"};

/* A ring under a budget: that of the budget has 56 or 60 buckets, or none. */
static struct ring_shape ring_of(int r, enum burn_budget budget)
{
    struct ring_shape shape = rings[r];
    if (r == RING_BUDGET && budget == BUDGET_28D) shape.buckets = shape.holds[0].buckets = 56;
    return shape;
}

static int rings_under(enum burn_budget budget)
{
    return budget == BUDGET_MONTH ? RING_BUDGET : RINGS;
}

size_t burn_ring_bytes(enum burn_budget budget)
{
    struct ring_shape last = ring_of(rings_under(budget) - 1, budget);
    return sizeof(struct burn_ring) + (last.first + last.buckets) * sizeof(struct tally);
}

static void tally_add(struct tally *to, struct tally more)
{
    to->all += more.all;
    to->bad += more.bad;
}

static void tally_subtract(struct tally *from, struct tally part)
{
    from->all -= part.all;
    from->bad -= part.bad;
}

static struct tally *bucket_at(
    struct burn_ring *ring, const struct ring_shape *shape, int64_t index)
{
    return &ring->bucket[shape->first + (uint32_t)(index % shape->buckets)];
}

static void ring_clear(struct burn_ring *ring, const struct ring_shape *shape)
{
    memset(&ring->bucket[shape->first], 0, shape->buckets * sizeof(struct tally));
    for (int h = 0; h < RING_WINDOWS_MAX && shape->holds[h].buckets != 0; h++)
        ring->window[shape->holds[h].window] = (struct tally){0};
}

/* Begin bucket `index`: the windows let go of what is now too old, and the bucket takes its place. */
static void ring_begin(struct burn_ring *ring, const struct ring_shape *shape, int64_t index)
{
    for (int h = 0; h < RING_WINDOWS_MAX && shape->holds[h].buckets != 0; h++) {
        int64_t gone = index + shape->buckets - shape->holds[h].buckets;
        tally_subtract(&ring->window[shape->holds[h].window], *bucket_at(ring, shape, gone));
    }
    *bucket_at(ring, shape, index) = (struct tally){0};
}

static void ring_advance(
    struct burn_ring *ring, const struct ring_shape *shape, int64_t from, int64_t to)
{
    if (to - from >= shape->buckets) {
        ring_clear(ring, shape);
        return;
    }
    while (from < to)
        ring_begin(ring, shape, ++from);
}

void burn_ring_advance(struct burn_ring *ring, enum burn_budget budget, struct burn_moment to)
{
    if (to.ns <= ring->newest_ns) return;
    if (budget == BUDGET_MONTH && to.month > ring->month) {
        ring->month = to.month;
        ring->window[BURN_BUDGET] = (struct tally){0};
    }
    for (int r = 0; r < rings_under(budget); r++) {
        struct ring_shape shape = ring_of(r, budget);
        int64_t from = ring->newest_ns / shape.width_ns, index = to.ns / shape.width_ns;
        if (from == index) break;
        ring_advance(ring, &shape, from, index);
    }
    ring->newest_ns = to.ns;
}

/* Into the bucket of the moment and the windows that reach back to it. */
static void ring_add(
    struct burn_ring *ring, const struct ring_shape *shape, int64_t at_ns, struct tally more)
{
    int64_t index = at_ns / shape->width_ns;
    int64_t age = ring->newest_ns / shape->width_ns - index;
    if (age >= shape->buckets) return;
    tally_add(bucket_at(ring, shape, index), more);
    for (int h = 0; h < RING_WINDOWS_MAX && shape->holds[h].buckets != 0; h++) {
        if (age < shape->holds[h].buckets) tally_add(&ring->window[shape->holds[h].window], more);
    }
}

void burn_ring_add(
    struct burn_ring *ring, enum burn_budget budget, struct burn_moment at, struct tally more)
{
    bool newest = at.ns >= ring->newest_ns;
    burn_ring_advance(ring, budget, at);
    for (int r = 0; r < rings_under(budget); r++) {
        struct ring_shape shape = ring_of(r, budget);
        ring_add(ring, &shape, at.ns, more);
    }
    /* A zone's clock may go back over the turn of a month; what is new belongs to the new one. */
    if (budget == BUDGET_MONTH && (newest || at.month == ring->month))
        tally_add(&ring->window[BURN_BUDGET], more);
}
