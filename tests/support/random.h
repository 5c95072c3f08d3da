/* Random numbers and spans from a seed: the same seed, the same spans, on every machine. */
#ifndef TESTS_SUPPORT_RANDOM_H
#define TESTS_SUPPORT_RANDOM_H

#include "schemas/span.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct random {
    uint64_t state;
};

static inline struct random random_from(uint64_t seed)
{
    return (struct random){.state = seed};
}

/* source  S. Vigna, splitmix64.c, 2015 (public domain) */
static inline uint64_t random_next(struct random *random)
{
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline bool random_coin(struct random *random)
{
    return random_next(random) & 1;
}

/* 0 .. limit - 1; the bias of the remainder does not matter to a test. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_next(random) % limit;
}

/* True once in `times`. */
static inline bool random_once_in(struct random *random, uint64_t times)
{
    return random_below(random, times) == 0;
}

/* 0 < number <= 1 */
static inline double random_unit(struct random *random)
{
    return (double)((random_next(random) >> 11) + 1) * 0x1p-53;
}

/* source  Box and Muller, A note on the generation of random normal deviates, 1958 */
static inline double random_normal(struct random *random)
{
    double radius = sqrt(-2 * log(random_unit(random)));
    return radius * cos(2 * 3.14159265358979323846 * random_unit(random));
}

/* Durations as services have them: most near `median_ns`, some far slower. */
static inline uint64_t random_lognormal_ns(struct random *random, double median_ns, double sigma)
{
    double ns = median_ns * exp(sigma * random_normal(random));
    return ns >= (double)SPAN_DURATION_NS_MAX ? (uint64_t)SPAN_DURATION_NS_MAX : (uint64_t)ns;
}

/* Of any size: every octave is as likely as every other. */
static inline uint64_t random_octave_ns(struct random *random)
{
    uint64_t ns = random_next(random) >> (17 + random_below(random, 47));
    return ns > (uint64_t)SPAN_DURATION_NS_MAX ? (uint64_t)SPAN_DURATION_NS_MAX : ns;
}

/* One of so many trace ids that some come again, and others do not. */
static inline const uint8_t *random_trace_id(struct random *random)
{
    enum { TRACES = 200 };
    static uint8_t id[TRACES][16];
    for (uint64_t i = 0; id[0][0] == 0 && i < TRACES; i++) {
        struct random of_id = random_from(i + 1);
        for (size_t b = 16; b > 0; b--)
            id[TRACES - 1 - i][b - 1] = (uint8_t)(1 + random_below(&of_id, 255));
    }
    return id[random_below(random, TRACES)];
}

/* Why a span failed: one of more kinds than are kept, a few of them often; NULL now and then. */
static inline const struct span_error *random_error(struct random *random)
{
    enum { KINDS = 30 };
    static struct span_error error[KINDS];
    static char text[KINDS][2][24];
    for (int i = 0; error[0].type.data == NULL && i < KINDS; i++) {
        struct span_error *made = &error[KINDS - 1 - i];
        snprintf(text[i][0], sizeof(text[i][0]), "type %d", i % 5);
        snprintf(text[i][1], sizeof(text[i][1]), "message %d", i / 5);
        *made = (struct span_error){
            .type = bytes_of(text[i][0]), .message = bytes_of(i % 7 == 6 ? "" : text[i][1])};
        made->hash = span_error_hash(made->type, made->message);
    }
    uint64_t kinds = random_coin(random) ? KINDS : 4;
    return random_once_in(random, 20) ? NULL : &error[random_below(random, kinds)];
}

/* A span as operators see it: usual durations and the ends of the range, any kind and verdict. */
static inline struct span random_span(struct random *random)
{
    uint64_t duration_ns = random_lognormal_ns(random, 40e6, 0.8);
    if (random_once_in(random, 16)) duration_ns = random_octave_ns(random);
    if (random_once_in(random, 64)) duration_ns = 0;
    if (random_once_in(random, 256)) duration_ns = (uint64_t)SPAN_DURATION_NS_MAX;

    struct span span = {
        .trace_id = random_trace_id(random),
        .start_ns = INT64_C(1700000000000000000) + (int64_t)random_below(random, 1000000000),
        .duration_ns = duration_ns,
        .kind = (uint8_t)random_below(random, KIND_COUNT),
        .failed = random_once_in(random, 10),
        .skewed = random_once_in(random, 20),
        .verdict = SPAN_ON_TIME,
    };
    span.end_ns = span.start_ns + (int64_t)duration_ns;
    if (span.failed) span.error = random_error(random);
    if (random_once_in(random, 10)) span.verdict = SPAN_LATE;
    if (random_once_in(random, 10)) span.verdict = SPAN_TOO_LATE;
    return span;
}

#endif
