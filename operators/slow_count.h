/*
 * How many spans took longer than nearly all of their own series did over the long run: a count like
 * that of errors, exact at any traffic, where a percentile of few spans is noise.
 *
 * The threshold is the edge of a bucket of the sketch near the 95th percentile. It stays where it is
 * so that counts compare, and is set anew once a day if latency has moved on, or at once when the
 * share of slow spans has left half to twice what it began with.
 *
 * source  the percentile is tracked by stochastic approximation: Robbins and Monro, 1951
 */
#ifndef OPERATORS_SLOW_COUNT_H
#define OPERATORS_SLOW_COUNT_H

#include "operators/rate.h"
#include "operators/sketch.h"

#define SLOW_SHARE 0.05

/* Plain bytes; zeroed: nothing learned. */
struct slow_count {
    struct rate rate;
    double percentile;  /* as an index of the sketch, with fractions */
    float spans;        /* decayed: what the percentile is known from */
    uint16_t threshold; /* slow is an index above; 0: not known yet */
    uint16_t windows;   /* since it was set, or since the beginning */
};

static inline bool slow_count_is_known(const struct slow_count *s)
{
    return s->threshold != 0;
}

/* Spans of the window over the threshold; 0 before it is known. */
uint64_t slow_count_of(const struct slow_count *s, const struct sketch *sketch);

/*
 * Learn from a window that was scored before.
 *
 * slow             of its spans, slow_count_of it
 * mean, deviation  of the indexes of single spans, over the long run
 * a_day            windows that lie in one
 */
void slow_count_learn(struct slow_count *s, const struct sketch *sketch, uint64_t slow, double mean,
    double deviation, uint32_t a_day);

#endif
