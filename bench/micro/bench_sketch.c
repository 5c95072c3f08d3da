/* What a sketch costs: adding to one and to many, merging, encoding, reading quantiles. */
#include "engine/base/memory.h"
#include "operators/sketch.h"
#include "tests/support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    SCALE = 6,
    VALUES = 1 << 16, /* drawn ahead, so that drawing is not measured */
    MANY = 100000,
    ROUNDS = 7,
};

struct bench {
    uint64_t duration_ns[VALUES];
    struct pool pool;
    struct sketch hot;
    struct sketch *many; /* [MANY] */
    struct buffer out;
    struct random random;
    double sum; /* of results, so that none is left out */
};

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void add_hot(struct bench *b, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        sketch_add(&b->hot, sketch_index(SCALE, b->duration_ns[i % VALUES]), 1, &b->pool);
}

static void map_only(struct bench *b, uint32_t times)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < times; i++)
        sum += sketch_index(SCALE, b->duration_ns[i % VALUES]);
    b->sum += (double)sum;
}

static void add_many(struct bench *b, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        struct sketch *sketch = &b->many[random_below(&b->random, MANY)];
        sketch_add(sketch, sketch_index(SCALE, b->duration_ns[i % VALUES]), 1, &b->pool);
    }
}

static void fill(struct bench *b, struct sketch *sketch, uint32_t values)
{
    for (uint32_t i = 0; i < values; i++)
        sketch_add(sketch, sketch_index(SCALE, b->duration_ns[random_below(&b->random, VALUES)]), 1,
            &b->pool);
}

static void merge(struct bench *b, uint32_t times, uint32_t values)
{
    struct sketch part = {0}, whole = {0};
    fill(b, &part, values);
    fill(b, &whole, 100000);
    for (uint32_t i = 0; i < times; i++)
        sketch_merge(&whole, &part, &b->pool);
    sketch_release(&part, &b->pool);
    sketch_release(&whole, &b->pool);
}

static void merge_10(struct bench *b, uint32_t times)
{
    merge(b, times, 10);
}

static void merge_1000(struct bench *b, uint32_t times)
{
    merge(b, times, 1000);
}

static void encode(struct bench *b, uint32_t times, uint32_t values)
{
    struct sketch sketch = {0};
    fill(b, &sketch, values);
    for (uint32_t i = 0; i < times; i++) {
        buffer_reset(&b->out);
        sketch_encode(&sketch, SCALE, &b->out);
    }
    sketch_release(&sketch, &b->pool);
}

static void encode_10(struct bench *b, uint32_t times)
{
    encode(b, times, 10);
}

static void encode_1000(struct bench *b, uint32_t times)
{
    encode(b, times, 1000);
}

static void quantiles_1000(struct bench *b, uint32_t times)
{
    static const double quantile[] = {0.5, 0.9, 0.95, 0.99};
    struct sketch sketch = {0};
    double ms[4];
    fill(b, &sketch, 1000);
    for (uint32_t i = 0; i < times; i++) {
        sketch_quantiles(&sketch, SCALE, quantile, 4, ms);
        b->sum += ms[3];
    }
    sketch_release(&sketch, &b->pool);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(
    struct bench *b, const char *what, void (*work)(struct bench *, uint32_t), uint32_t times)
{
    double ns[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double begin = cpu_ns();
        work(b, times);
        ns[round] = (cpu_ns() - begin) / times;
    }
    qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
    printf("%-44s %9.1f %9.1f\n", what, ns[0], ns[ROUNDS / 2]);
}

int main(void)
{
    struct bench *b = memory_zeroed(1, sizeof(*b));
    b->random = random_from(1);
    b->many = memory_zeroed(MANY, sizeof(*b->many));
    for (uint32_t i = 0; i < VALUES; i++)
        b->duration_ns[i] = random_lognormal_ns(&b->random, 40e6, 0.8);

    printf("scale %d, lognormal durations; ns of CPU        min    median\n", SCALE);
    measure(b, "index of a duration", map_only, 4000000);
    measure(b, "add to one sketch", add_hot, 4000000);
    measure(b, "add to 100k sketches, up to 70 values each", add_many, 1000000);
    measure(b, "merge a sketch of 10 values", merge_10, 100000);
    measure(b, "merge a sketch of 1000 values", merge_1000, 20000);
    measure(b, "encode a sketch of 10 values", encode_10, 100000);
    measure(b, "encode a sketch of 1000 values", encode_1000, 20000);
    measure(b, "4 quantiles of 1000 values", quantiles_1000, 20000);
    printf("100k sketches of 70 values take %.0f bytes each\n",
        ((double)b->pool.held + (double)MANY * sizeof(*b->many)) / MANY);

    pool_release(&b->pool);
    buffer_release(&b->out);
    free(b->many);
    bool done = b->sum > 0;
    free(b);
    return done ? 0 : 1;
}
