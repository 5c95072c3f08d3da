#include "engine/summary.h"

#include <math.h>
#include <stddef.h>

void summary_init(struct summary *summary)
{
    pthread_mutex_init(&summary->turning, NULL);
}

static size_t bucket_of(uint64_t value_ns)
{
    if (value_ns < SUMMARY_STEPS) return (size_t)value_ns;
    if (value_ns > SUMMARY_NS_MAX) value_ns = SUMMARY_NS_MAX;
    unsigned shift = 63U - (unsigned)__builtin_clzll(value_ns) - 4;
    return (shift + 1) * SUMMARY_STEPS + (size_t)(value_ns >> shift) % SUMMARY_STEPS;
}

/* The middle of a bucket, so that the error is half its width. */
static double bucket_middle_ns(size_t bucket)
{
    if (bucket < SUMMARY_STEPS) return (double)bucket;
    int shift = (int)(bucket / SUMMARY_STEPS) - 1;
    double first = (double)(SUMMARY_STEPS + bucket % SUMMARY_STEPS);
    return ldexp(first + 0.5, shift);
}

static int64_t slice_number(int64_t now_ns)
{
    return now_ns / SUMMARY_SLICE_NS + 1;
}

/* Empty `slice` for the minute `number`, unless another thread has just done so. */
static void slice_turn(struct summary *summary, struct summary_slice *slice, int64_t number)
{
    pthread_mutex_lock(&summary->turning);
    if (atomic_load(&slice->number) < number) {
        for (size_t i = 0; i < SUMMARY_BUCKETS; i++)
            atomic_store_explicit(&slice->bucket[i], 0, memory_order_relaxed);
        atomic_store(&slice->number, number);
    }
    pthread_mutex_unlock(&summary->turning);
}

void summary_observe(struct summary *summary, uint64_t value_ns, int64_t now_ns)
{
    int64_t number = slice_number(now_ns);
    struct summary_slice *slice = &summary->slice[number % SUMMARY_SLICES];
    if (atomic_load(&slice->number) < number) slice_turn(summary, slice, number);

    atomic_fetch_add_explicit(&slice->bucket[bucket_of(value_ns)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&summary->sum_ns, value_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&summary->count, 1, memory_order_relaxed);
}

/* Add up the slices that are not too old; returns how many values they hold. */
static uint64_t summary_collect(
    const struct summary *summary, int64_t now_ns, uint64_t total[SUMMARY_BUCKETS])
{
    uint64_t count = 0;
    int64_t oldest = slice_number(now_ns) - SUMMARY_SLICES + 1;
    for (size_t s = 0; s < SUMMARY_SLICES; s++) {
        const struct summary_slice *slice = &summary->slice[s];
        int64_t number = atomic_load(&slice->number);
        if (number < oldest || number == 0) continue;
        for (size_t i = 0; i < SUMMARY_BUCKETS; i++) {
            uint32_t seen = atomic_load_explicit(&slice->bucket[i], memory_order_relaxed);
            total[i] += seen;
            count += seen;
        }
    }
    return count;
}

double summary_quantile(const struct summary *summary, double quantile, int64_t now_ns)
{
    uint64_t total[SUMMARY_BUCKETS] = {0};
    uint64_t count = summary_collect(summary, now_ns, total);
    if (count == 0) return NAN;

    double rank = fmax(ceil(quantile * (double)count), 1.0); /* the value of this place, from 1 */
    uint64_t below = 0;
    size_t i = 0;
    while (i < SUMMARY_BUCKETS - 1 && (double)(below + total[i]) < rank) {
        below += total[i];
        i++;
    }
    return bucket_middle_ns(i) / (double)NS_PER_S;
}
