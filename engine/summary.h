/*
 * How long things took lately: count and sum since the start, quantiles of the last minutes.
 *
 * Values fall into buckets that halve each octave four times over, 16 to an octave, so a quantile
 * is within 1/32 (3.2 %) of a value that was seen; from 16 ns to 4.8 hours, longer counts as that.
 * Buckets are kept by the minute and the oldest minute is emptied for the next one.
 */
#ifndef ENGINE_SUMMARY_H
#define ENGINE_SUMMARY_H

#include "engine/base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define SUMMARY_SLICE_NS (60 * NS_PER_S)
#define SUMMARY_NS_MAX   ((UINT64_C(1) << 44) - 1)

enum {
    SUMMARY_SLICES = 5,
    SUMMARY_STEPS = 16, /* buckets in an octave */
    SUMMARY_BUCKETS = (44 - 4 + 1) * SUMMARY_STEPS,
};

struct summary_slice {
    _Atomic int64_t number; /* which minute it holds, counted from 1; 0 is none */
    _Atomic uint32_t bucket[SUMMARY_BUCKETS];
};

struct summary {
    _Atomic uint64_t count;
    _Atomic uint64_t sum_ns;
    pthread_mutex_t turning; /* one thread empties a slice */
    struct summary_slice slice[SUMMARY_SLICES];
};

void summary_init(struct summary *summary); /* of zeroed memory */

/*
 * now_ns   of clock_ns
 * threads  any; takes a lock once a minute
 */
void summary_observe(struct summary *summary, uint64_t value_ns, int64_t now_ns);

/* In seconds; NaN when nothing was seen in the last minutes. */
double summary_quantile(const struct summary *summary, double quantile, int64_t now_ns);

#endif
