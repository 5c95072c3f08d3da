/*
 * The latency sketch: the base-2 exponential histogram of OpenTelemetry, exactly.
 *
 * At scale s a bucket ends where the next power of base = 2^(2^-s) begins: bucket i holds
 * (base^i, base^(i+1)] seconds, so a value read back from the middle of its bucket is off by at most
 * (base - 1) / (base + 1): 1.09 %, 0.55 %, 0.28 % at scale 5, 6, 7. Buckets are integers, so sketches
 * merge in any order to the same content, and subtracting undoes merging.
 *
 * An index is an OpenTelemetry index plus a bias, so that it is never negative; the bias is a
 * multiple of 2^s, so that shifting an index right is downscaling it. Index 0 is the zero bucket.
 *
 * source  opentelemetry-specification, metrics/data-model.md, "ExponentialHistogram"
 */
#ifndef OPERATORS_SKETCH_H
#define OPERATORS_SKETCH_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"

enum {
    SKETCH_SCALE_MIN = 5,
    SKETCH_SCALE_MAX = 7,
    SKETCH_RAW_MAX = 24, /* values kept as they are, before there are buckets */
    SKETCH_ZERO = 0,     /* the index of 0 ns */
};

/* Values that an encoded sketch may hold: 2^16 of them merge before 64 bits overflow. */
#define SKETCH_COUNT_MAX (UINT64_C(1) << 48)

/*
 * A zeroed sketch is empty. Few values are a list of indexes inside the struct; more are a dense
 * range of counters in the caller's pool, as narrow as the largest of them allows.
 */
struct sketch {
    uint64_t count; /* values in all, zeros too */
    uint8_t width;  /* bytes of a counter: 1, 2, 4, 8; 0: values are in `raw` */
    uint16_t first; /* index of the first counter */
    uint16_t room;  /* counters */
    union {
        uint16_t raw[SKETCH_RAW_MAX]; /* [count], in order of arrival */
        struct {
            uint64_t zeros;
            union {
                void *any;
                uint8_t *u8;
                uint16_t *u16;
                uint32_t *u32;
                uint64_t *u64;
            } bucket; /* [room], owned by the pool */
        } dense;
    };
};
_Static_assert(sizeof(struct sketch) <= 64, "a sketch of few values is one cache line");

/* What is added to an OpenTelemetry index: 2048 at scale 6. */
static inline int32_t sketch_bias(uint32_t scale)
{
    return INT32_C(32) << scale;
}

/* The index of a duration: right for every integer up to SPAN_DURATION_NS_MAX. */
uint32_t sketch_index(uint32_t scale, uint64_t duration_ns);

void sketch_add(struct sketch *sketch, uint32_t index, uint64_t times, struct pool *pool);
void sketch_merge(struct sketch *sketch, const struct sketch *other, struct pool *pool);
/* The inverse of merge: `part` was merged into `sketch` before. */
void sketch_subtract(struct sketch *sketch, const struct sketch *part, struct pool *pool);
void sketch_release(struct sketch *sketch, struct pool *pool); /* leaves it empty */

static inline uint64_t sketch_count(const struct sketch *sketch)
{
    return sketch->count;
}

/* How many values lie in buckets above `index`. */
uint64_t sketch_above(const struct sketch *sketch, uint32_t index);

__extension__ typedef __int128 sketch_sum;

/*
 * Sums over the indexes of all values but zeros, exact whatever the sketch holds. An index is the
 * logarithm of a duration, so the mean and the spread of log-latency follow from them.
 */
struct sketch_moments {
    uint64_t count;          /* values that are not 0 */
    sketch_sum sum;          /* of index - origin */
    sketch_sum square, cube; /* of its powers */
};
struct sketch_moments sketch_moments(const struct sketch *sketch, uint32_t origin);

/*
 * Append the wire form, nothing for an empty sketch:
 *
 *   varint  values of 0 ns; all there is when there are no others
 *   varint  zigzag OpenTelemetry index of the first bucket that is not empty
 *   varint  tokens: even t, the next bucket holds t >> 1 values; odd t, (t >> 1) + 1 empty buckets
 *
 * Canonical: equal content gives equal bytes, whatever the form in memory and the way there.
 */
void sketch_encode(const struct sketch *sketch, uint32_t scale, struct buffer *out);

/*
 * Merge a wire form into `sketch`; into an empty one this decodes it.
 *
 * returns  ST_OK; ST_SKIP, `sketch` as it was: malformed, an index no duration has, too many values
 */
enum status sketch_merge_encoded(struct sketch *sketch, uint32_t scale, struct bytes encoded,
    struct pool *pool, struct error *err);

/* The index of the bucket that holds the value of rank ceil(q * count); the sketch is not empty. */
uint32_t sketch_quantile_index(const struct sketch *sketch, double quantile);

/*
 * The values at some ranks, in milliseconds: for q the value of rank ceil(q * count), at least 1, as
 * the point of its bucket that is least wrong relative to either end.
 *
 * quantile  0..1, best ascending
 * ms        [quantiles]; NaN when the sketch is empty
 */
void sketch_quantiles(const struct sketch *sketch, uint32_t scale, const double *quantile,
    uint32_t quantiles, double *ms);

/* The same of one sketch in wire form, for readers of stored ones; `encoded` may be empty. */
enum status sketch_encoded_quantiles(struct bytes encoded, uint32_t scale, const double *quantile,
    uint32_t quantiles, double *ms, struct error *err);

#endif
