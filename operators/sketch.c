#include "operators/sketch.h"

#include "schemas/span.h"
#include "schemas/wire.h"

#include <assert.h>
#include <float.h>
#include <math.h>

/*
 * Mapping.
 *
 * Boundaries lie at 10^9 * 2^(j / 2^scale) ns. In every octave they fall on the same mantissas, so
 * 2^scale of them, as 64-bit fractions of the octave, serve all: the octave is the position of the
 * highest bit, the next scale + 1 bits choose a slot too narrow for two boundaries, and one compare
 * says on which side of the slot's boundary the duration is.
 */
enum {
    BOUNDS_MAX = 1 << SKETCH_SCALE_MAX,
    SLOTS_MAX = 2 << SKETCH_SCALE_MAX,
    SECOND_OCTAVE = 29, /* 2^29 < 10^9 < 2^30 */
};

struct map {
    uint64_t bound[BOUNDS_MAX + 1]; /* ascending, rounded down, then one that nothing passes */
    uint8_t below[SLOTS_MAX];       /* boundaries below the start of the slot */
    int32_t origin;                 /* index of what lies below all boundaries of octave 0 */
};

static struct map maps[SKETCH_SCALE_MAX - SKETCH_SCALE_MIN + 1];

/*
 * Durations have at most 47 bits of the 64, so a boundary is right unless it errs by the other 17;
 * the only ones that are integers, the seconds, are exact. tests/unit/test_sketch.c proves it.
 */
_Static_assert(LDBL_MANT_DIG >= 64, "boundaries are computed to 64 bits");

/* Boundaries above 10^9 ns up to the end of its octave come last, the others wrap around. */
static void map_bounds(struct map *map, uint32_t scale)
{
    const uint32_t bounds = UINT32_C(1) << scale;
    uint32_t wrapped = 0, straight = bounds;
    uint64_t sorted[2 * BOUNDS_MAX];
    for (uint32_t j = 0; j < bounds; j++) {
        long double at = ldexpl(1e9L, -SECOND_OCTAVE) * exp2l((long double)j / bounds);
        if (at < 2)
            sorted[straight++] = (uint64_t)ldexpl(at, 63);
        else
            sorted[wrapped++] = (uint64_t)ldexpl(at, 62);
    }
    memcpy(map->bound, sorted, wrapped * sizeof(sorted[0]));
    memcpy(map->bound + wrapped, sorted + bounds, (bounds - wrapped) * sizeof(sorted[0]));
    map->bound[bounds] = UINT64_MAX;
    map->origin = sketch_bias(scale) - (SECOND_OCTAVE << scale) - (int32_t)wrapped - 1;
}

static void map_slots(struct map *map, uint32_t scale)
{
    uint8_t below = 0;
    for (uint32_t slot = 0; slot < UINT32_C(2) << scale; slot++) {
        uint64_t start = UINT64_C(1) << 63 | (uint64_t)slot << (62 - scale);
        while (map->bound[below] < start)
            below++;
        map->below[slot] = below;
    }
}

/* Before main, so that any thread may read them. */
__attribute__((constructor)) static void maps_fill(void)
{
    for (uint32_t scale = SKETCH_SCALE_MIN; scale <= SKETCH_SCALE_MAX; scale++) {
        map_bounds(&maps[scale - SKETCH_SCALE_MIN], scale);
        map_slots(&maps[scale - SKETCH_SCALE_MIN], scale);
    }
}

uint32_t sketch_index(uint32_t scale, uint64_t duration_ns)
{
    assert(scale >= SKETCH_SCALE_MIN);
    assert(scale <= SKETCH_SCALE_MAX);
    if (duration_ns == 0) return SKETCH_ZERO;

    const struct map *map = &maps[scale - SKETCH_SCALE_MIN];
    uint32_t shift = (uint32_t)__builtin_clzll(duration_ns);
    uint64_t fraction = duration_ns << shift;
    uint32_t slot = (uint32_t)(fraction >> (62 - scale)) & ((UINT32_C(2) << scale) - 1);
    uint32_t below = map->below[slot];
    below += map->bound[below] < fraction;
    return (uint32_t)((int32_t)((63 - shift) << scale) + map->origin + (int32_t)below);
}

/* Counters. */

static uint64_t width_max(uint32_t width)
{
    return width == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width)) - 1;
}

static uint32_t width_for(uint64_t most)
{
    uint32_t width = 1;
    while (most > width_max(width))
        width *= 2;
    return width;
}

static uint64_t bucket_get(const struct sketch *sketch, uint32_t at)
{
    switch (sketch->width) {
    case 1:
        return sketch->dense.bucket.u8[at];
    case 2:
        return sketch->dense.bucket.u16[at];
    case 4:
        return sketch->dense.bucket.u32[at];
    default:
        return sketch->dense.bucket.u64[at];
    }
}

static void bucket_set(struct sketch *sketch, uint32_t at, uint64_t count)
{
    switch (sketch->width) {
    case 1:
        sketch->dense.bucket.u8[at] = (uint8_t)count;
        break;
    case 2:
        sketch->dense.bucket.u16[at] = (uint16_t)count;
        break;
    case 4:
        sketch->dense.bucket.u32[at] = (uint32_t)count;
        break;
    default:
        sketch->dense.bucket.u64[at] = count;
    }
}

/* The first counter from `at` on that is not zero, or `room`. Pool pieces are whole words. */
static uint32_t bucket_next(const struct sketch *sketch, uint32_t at)
{
    const uint8_t *bytes = sketch->dense.bucket.u8;
    size_t size = (size_t)sketch->room * sketch->width;
    size_t byte = (size_t)at * sketch->width;
    uint64_t mask = UINT64_MAX << (8 * (byte % 8));
    for (byte -= byte % 8; byte < size; byte += 8) {
        uint64_t word;
        memcpy(&word, bytes + byte, sizeof(word)); /* little endian: the lowest byte comes first */
        word &= mask;
        if (word != 0) {
            byte += (size_t)__builtin_ctzll(word) / 8;
            return (uint32_t)(byte >> __builtin_ctz(sketch->width));
        }
        mask = UINT64_MAX;
    }
    return sketch->room;
}

/* The last counter that is not zero; there is one. */
static uint32_t bucket_last(const struct sketch *sketch)
{
    uint32_t at = sketch->room - 1U;
    while (at > 0 && bucket_get(sketch, at) == 0)
        at--;
    return at;
}

/* Give the dense range counters for low..high too, `width` wide, and what is already there. */
static void sketch_lay(
    struct sketch *sketch, uint32_t low, uint32_t high, uint32_t width, struct pool *pool)
{
    const struct sketch old = *sketch;
    bool down = old.room != 0 && low < old.first;
    if (old.room != 0) {
        uint32_t last = (uint32_t)old.first + old.room - 1;
        if (old.first < low) low = old.first;
        if (last > high) high = last;
    }
    size_t bytes = pool_round((high - low + 1) * width);
    uint32_t room = (uint32_t)(bytes / width);
    uint32_t spare = room - (high - low + 1);
    if (!down) spare = old.room == 0 ? spare / 2 : 0; /* what is spare goes where growth went */
    if (spare > low - 1) spare = low - 1;

    sketch->width = (uint8_t)width;
    sketch->first = (uint16_t)(low - spare);
    sketch->room = (uint16_t)room;
    sketch->dense.bucket.any = pool_take(pool, bytes);
    memset(sketch->dense.bucket.any, 0, bytes);
    if (old.room == 0) return;

    uint32_t shift = (uint32_t)old.first - sketch->first;
    for (uint32_t at = bucket_next(&old, 0); at < old.room; at = bucket_next(&old, at + 1))
        bucket_set(sketch, at + shift, bucket_get(&old, at));
    pool_give(pool, old.dense.bucket.any, (size_t)old.room * old.width);
}

/* Make room for counters of low..high in a sketch that is dense. */
static void sketch_reach(struct sketch *sketch, uint32_t low, uint32_t high, struct pool *pool)
{
    bool inside = low >= sketch->first && high < (uint32_t)sketch->first + sketch->room;
    if (!inside) sketch_lay(sketch, low, high, sketch->width, pool);
}

/* Count `times` more in a counter that is there. */
static void dense_raise(struct sketch *sketch, uint32_t index, uint64_t times, struct pool *pool)
{
    uint64_t count = bucket_get(sketch, index - sketch->first) + times;
    if (count > width_max(sketch->width)) sketch_lay(sketch, index, index, width_for(count), pool);
    bucket_set(sketch, index - sketch->first, count);
}

static void dense_add(struct sketch *sketch, uint32_t index, uint64_t times, struct pool *pool)
{
    sketch->count += times;
    if (index == SKETCH_ZERO) {
        sketch->dense.zeros += times;
        return;
    }
    sketch_reach(sketch, index, index, pool);
    dense_raise(sketch, index, times, pool);
}

/* From a list of values to counters. */
static void sketch_spread(struct sketch *sketch, struct pool *pool)
{
    const struct sketch old = *sketch;
    uint32_t low = UINT32_MAX, high = 0;
    for (uint32_t i = 0; i < old.count; i++) {
        if (old.raw[i] == SKETCH_ZERO) continue;
        if (old.raw[i] < low) low = old.raw[i];
        if (old.raw[i] > high) high = old.raw[i];
    }
    *sketch = (struct sketch){.width = 1};
    if (low <= high) sketch_lay(sketch, low, high, 1, pool);
    for (uint32_t i = 0; i < old.count; i++)
        dense_add(sketch, old.raw[i], 1, pool);
}

void sketch_add(struct sketch *sketch, uint32_t index, uint64_t times, struct pool *pool)
{
    if (times == 0) return;
    if (sketch->width == 0) {
        if (times <= SKETCH_RAW_MAX - sketch->count) {
            while (times-- > 0)
                sketch->raw[sketch->count++] = (uint16_t)index;
            return;
        }
        sketch_spread(sketch, pool);
    }
    dense_add(sketch, index, times, pool);
}

static void merge_dense(struct sketch *sketch, const struct sketch *other, struct pool *pool)
{
    uint32_t at = bucket_next(other, 0);
    if (at < other->room) /* reach for all of it at once: one growth at most */
        sketch_reach(sketch, other->first + at, other->first + bucket_last(other), pool);
    for (; at < other->room; at = bucket_next(other, at + 1))
        dense_raise(sketch, other->first + at, bucket_get(other, at), pool);
    sketch->dense.zeros += other->dense.zeros;
    sketch->count += other->count;
}

/* A dense sketch of so few values that they fit in the list. */
static void merge_few(struct sketch *sketch, const struct sketch *other, struct pool *pool)
{
    sketch_add(sketch, SKETCH_ZERO, other->dense.zeros, pool);
    for (uint32_t at = bucket_next(other, 0); at < other->room; at = bucket_next(other, at + 1))
        sketch_add(sketch, other->first + at, bucket_get(other, at), pool);
}

void sketch_merge(struct sketch *sketch, const struct sketch *other, struct pool *pool)
{
    if (other->width == 0) {
        for (uint32_t i = 0; i < other->count; i++)
            sketch_add(sketch, other->raw[i], 1, pool);
        return;
    }
    if (sketch->width == 0 && other->count <= SKETCH_RAW_MAX - sketch->count) {
        merge_few(sketch, other, pool);
        return;
    }
    if (sketch->width == 0) sketch_spread(sketch, pool);
    merge_dense(sketch, other, pool);
}

static void raw_take(struct sketch *sketch, uint32_t index, uint64_t times)
{
    for (uint32_t i = (uint32_t)sketch->count; i-- > 0 && times > 0;) {
        if (sketch->raw[i] != index) continue;
        sketch->raw[i] = sketch->raw[--sketch->count];
        times--;
    }
    assert(times == 0);
}

static void sketch_take(struct sketch *sketch, uint32_t index, uint64_t times)
{
    assert(sketch->count >= times);
    if (sketch->width == 0) {
        raw_take(sketch, index, times);
    } else if (index == SKETCH_ZERO) {
        assert(sketch->dense.zeros >= times);
        sketch->dense.zeros -= times;
        sketch->count -= times;
    } else if (times > 0) {
        assert(index >= sketch->first);
        assert(index < (uint32_t)sketch->first + sketch->room);
        uint32_t at = index - sketch->first;
        assert(bucket_get(sketch, at) >= times);
        bucket_set(sketch, at, bucket_get(sketch, at) - times);
        sketch->count -= times;
    }
}

/* Few values left become a list again; half of the list, so that one more value does not undo it. */
static void sketch_shrink(struct sketch *sketch, struct pool *pool)
{
    if (sketch->width == 0 || sketch->count > SKETCH_RAW_MAX / 2) return;

    struct sketch old = *sketch;
    *sketch = (struct sketch){0};
    sketch_merge(sketch, &old, pool);
    sketch_release(&old, pool);
}

void sketch_subtract(struct sketch *sketch, const struct sketch *part, struct pool *pool)
{
    if (part->width == 0) {
        for (uint32_t i = 0; i < part->count; i++)
            sketch_take(sketch, part->raw[i], 1);
    } else {
        sketch_take(sketch, SKETCH_ZERO, part->dense.zeros);
        for (uint32_t at = bucket_next(part, 0); at < part->room; at = bucket_next(part, at + 1))
            sketch_take(sketch, part->first + at, bucket_get(part, at));
    }
    sketch_shrink(sketch, pool);
}

void sketch_release(struct sketch *sketch, struct pool *pool)
{
    if (sketch->width != 0 && sketch->room != 0)
        pool_give(pool, sketch->dense.bucket.any, (size_t)sketch->room * sketch->width);
    *sketch = (struct sketch){0};
}

/* A walk over what is not empty, ascending, whatever the form. */
struct walk {
    const struct sketch *sketch;
    uint32_t at;                     /* next in `sorted`, or next counter + 1; 0: zeros */
    uint16_t sorted[SKETCH_RAW_MAX]; /* of a list */
};

static void walk_begin(struct walk *walk, const struct sketch *sketch)
{
    walk->sketch = sketch;
    walk->at = 0;
    if (sketch->width != 0) return;
    for (uint32_t i = 0; i < sketch->count; i++) {
        uint32_t to = i;
        for (; to > 0 && walk->sorted[to - 1] > sketch->raw[i]; to--)
            walk->sorted[to] = walk->sorted[to - 1];
        walk->sorted[to] = sketch->raw[i];
    }
}

static bool walk_raw(struct walk *walk, uint32_t *index, uint64_t *count)
{
    if (walk->at == walk->sketch->count) return false;
    *index = walk->sorted[walk->at];
    *count = 0;
    for (; walk->at < walk->sketch->count && walk->sorted[walk->at] == *index; walk->at++)
        (*count)++;
    return true;
}

static bool walk_next(struct walk *walk, uint32_t *index, uint64_t *count)
{
    const struct sketch *sketch = walk->sketch;
    if (sketch->width == 0) return walk_raw(walk, index, count);
    if (walk->at == 0) {
        walk->at = 1;
        *index = SKETCH_ZERO;
        *count = sketch->dense.zeros;
        if (*count != 0) return true;
    }
    uint32_t at = bucket_next(sketch, walk->at - 1);
    if (at == sketch->room) return false;
    *index = sketch->first + at;
    *count = bucket_get(sketch, at);
    walk->at = at + 2;
    return true;
}

uint64_t sketch_above(const struct sketch *sketch, uint32_t index)
{
    uint64_t above = 0;
    if (sketch->width == 0) {
        for (uint32_t i = 0; i < sketch->count; i++)
            above += sketch->raw[i] > index;
        return above;
    }
    uint32_t from = index < sketch->first ? 0 : index - sketch->first + 1;
    if (sketch->width == 1) {
        for (uint32_t at = from; at < sketch->room; at++)
            above += sketch->dense.bucket.u8[at];
        return above;
    }
    for (uint32_t at = from; at < sketch->room; at++)
        above += bucket_get(sketch, at);
    return above;
}

/* Sums over counters and powers of their place, counted from the first. */
struct sums {
    sketch_sum count, first, square, cube;
};

/* Sums of counters, and of those times binomial coefficients of their place. */
struct steps {
    uint64_t count, a, b, c;
};

/*
 * Without a product: going down, a counter is added once to `a` for every place it is above the
 * first, that to `b`, and that to `c`. One loop a width, as short as can be.
 */
#define STEPS_DOWN(type)                                                         \
    static struct steps steps_down_##type(const type##_t *bucket, uint32_t room) \
    {                                                                            \
        struct steps s = {0};                                                    \
        for (uint32_t at = room; at-- > 1;) {                                    \
            s.count += bucket[at];                                               \
            s.a += s.count;                                                      \
            s.b += s.a;                                                          \
            s.c += s.b;                                                          \
        }                                                                        \
        s.count += bucket[0];                                                    \
        return s;                                                                \
    }
STEPS_DOWN(uint8)
STEPS_DOWN(uint16)
STEPS_DOWN(uint32)

static struct sums sums_of_small(const struct sketch *sketch)
{
    struct steps s = sketch->width == 1 ? steps_down_uint8(sketch->dense.bucket.u8, sketch->room)
                     : sketch->width == 2
                         ? steps_down_uint16(sketch->dense.bucket.u16, sketch->room)
                         : steps_down_uint32(sketch->dense.bucket.u32, sketch->room);
    /* a = sum of i, b of i(i+1)/2, c of i(i+1)(i+2)/6 */
    struct sums sums = {.count = s.count, .first = s.a};
    sums.square = 2 * (sketch_sum)s.b - s.a;
    sums.cube = 6 * (sketch_sum)s.c - 3 * sums.square - 2 * (sketch_sum)s.a;
    return sums;
}

static struct sums sums_of_any(const struct sketch *sketch)
{
    struct sums s = {0};
    for (uint32_t at = bucket_next(sketch, 0); at < sketch->room;
         at = bucket_next(sketch, at + 1)) {
        sketch_sum part = bucket_get(sketch, at);
        s.count += part;
        s.first += part *= at;
        s.square += part *= at;
        s.cube += part *= at;
    }
    return s;
}

static struct sketch_moments moments_of_raw(const struct sketch *sketch, uint32_t origin)
{
    struct sketch_moments m = {0};
    int64_t sum = 0, square = 0, cube = 0;
    for (uint32_t i = 0; i < sketch->count; i++) {
        if (sketch->raw[i] == SKETCH_ZERO) continue;
        int64_t away = (int64_t)sketch->raw[i] - origin;
        m.count++;
        sum += away;
        square += away * away;
        cube += away * away * away;
    }
    m.sum = sum;
    m.square = square;
    m.cube = cube;
    return m;
}

/* From the first counter to the origin: (i + d)^2 = i^2 + 2di + d^2, and so on. */
static struct sketch_moments moments_shifted(const struct sums *s, sketch_sum d)
{
    return (struct sketch_moments){
        .count = (uint64_t)s->count,
        .sum = s->first + d * s->count,
        .square = s->square + 2 * d * s->first + d * d * s->count,
        .cube = s->cube + 3 * d * s->square + 3 * d * d * s->first + d * d * d * s->count,
    };
}

struct sketch_moments sketch_moments(const struct sketch *sketch, uint32_t origin)
{
    if (sketch->width == 0) return moments_of_raw(sketch, origin);
    if (sketch->room == 0) return (struct sketch_moments){0};
    /* 2^13 places make coefficients below 2^37; and so few values have no counter of 64 bits */
    bool small = sketch->count < (UINT64_C(1) << 26) && sketch->width < 8;
    struct sums sums = small ? sums_of_small(sketch) : sums_of_any(sketch);
    return moments_shifted(&sums, (sketch_sum)sketch->first - origin);
}

void sketch_encode(const struct sketch *sketch, uint32_t scale, struct buffer *out)
{
    struct walk walk;
    uint32_t index = 0, next = 0;
    uint64_t count = 0;
    walk_begin(&walk, sketch);
    if (!walk_next(&walk, &index, &count)) return;

    wire_put_varint(out, index == SKETCH_ZERO ? count : 0);
    if (index == SKETCH_ZERO && !walk_next(&walk, &index, &count)) return;
    int64_t first = (int64_t)index - sketch_bias(scale);
    wire_put_varint(out, (uint64_t)first << 1 ^ (uint64_t)(first >> 63));
    wire_put_varint(out, count << 1);
    next = index + 1;
    while (walk_next(&walk, &index, &count)) {
        if (index > next) wire_put_varint(out, (uint64_t)(index - next - 1) << 1 | 1);
        wire_put_varint(out, count << 1);
        next = index + 1;
    }
}

/* Reading the wire form, bucket by bucket. */
struct reader {
    struct wire wire;
    int64_t bias, lowest, highest; /* lowest and highest: indexes that a duration can have */
    int64_t next;                  /* index of the next bucket; -1: not known yet */
    bool begun;
    const char *wrong;
};

static struct reader reader_of(struct bytes encoded, uint32_t scale)
{
    return (struct reader){
        .wire = wire_of(encoded),
        .bias = sketch_bias(scale),
        .lowest = sketch_index(scale, 1),
        .highest = sketch_index(scale, SPAN_DURATION_NS_MAX),
        .next = -1,
    };
}

static int reader_fail(struct reader *reader, const char *wrong)
{
    reader->wrong = wrong;
    return -1;
}

static int reader_zeros(struct reader *reader, uint64_t *count)
{
    reader->begun = true;
    if (!wire_varint(&reader->wire, count)) return reader_fail(reader, "a number is cut short");
    if (*count == 0 && reader->wire.at == reader->wire.end)
        return reader_fail(reader, "it says that it is empty, and then it should not be there");
    return *count != 0;
}

/* Skip a gap, if there is one. */
static int reader_gap(struct reader *reader, uint64_t *token)
{
    if (!wire_varint(&reader->wire, token)) return reader_fail(reader, "a number is cut short");
    if ((*token & 1) == 0) return 1;
    if ((*token >> 1) >= (uint64_t)reader->highest)
        return reader_fail(reader, "a gap leads beyond the longest duration");
    reader->next += (int64_t)(*token >> 1) + 1;
    if (!wire_varint(&reader->wire, token)) return reader_fail(reader, "it ends in a gap");
    return (*token & 1) == 0 ? 1 : reader_fail(reader, "a gap follows a gap");
}

static int reader_first(struct reader *reader, uint64_t *token)
{
    if (!wire_varint(&reader->wire, token)) return reader_fail(reader, "a number is cut short");
    int64_t first = wire_zigzag(*token);
    if (first < reader->lowest - reader->bias || first > reader->highest - reader->bias)
        return reader_fail(reader, "its first bucket is one that no duration has");
    reader->next = first + reader->bias;
    if (!wire_varint(&reader->wire, token)) return reader_fail(reader, "it ends before a bucket");
    return (*token & 1) == 0 ? 1 : reader_fail(reader, "it begins with a gap");
}

/* returns  1 a bucket that is not empty; 0 the end; -1 malformed, `wrong` says how */
static int reader_next(struct reader *reader, uint32_t *index, uint64_t *count)
{
    if (reader->wire.at == reader->wire.end) return 0;
    if (!reader->begun) {
        *index = SKETCH_ZERO;
        int found = reader_zeros(reader, count);
        if (found != 0) return found;
    }
    uint64_t token = 0;
    int found = reader->next == -1 ? reader_first(reader, &token) : reader_gap(reader, &token);
    if (found != 1) return found;
    if (token == 0) return reader_fail(reader, "an empty bucket stands outside a gap");
    if (reader->next > reader->highest)
        return reader_fail(reader, "a bucket lies beyond the longest duration");
    *index = (uint32_t)reader->next++;
    *count = token >> 1;
    return 1;
}

/* Read it all without taking anything, so that what is refused leaves no trace. */
static enum status sketch_check(
    const struct sketch *sketch, uint32_t scale, struct bytes encoded, struct error *err)
{
    struct reader reader = reader_of(encoded, scale);
    uint64_t room = SKETCH_COUNT_MAX > sketch->count ? SKETCH_COUNT_MAX - sketch->count : 0;
    uint32_t index;
    uint64_t count;
    int found;
    while ((found = reader_next(&reader, &index, &count)) == 1) {
        if (count > room) {
            found = reader_fail(&reader, "it counts more values than a sketch may hold");
            break;
        }
        room -= count;
    }
    if (found == 0) return ST_OK;
    return error_set(err, ST_SKIP, 0,
        "latency sketch of %zu bytes is malformed before byte %zu: %s. It was damaged or written "
        "by something else.",
        encoded.size, wire_offset(&reader.wire), reader.wrong);
}

enum status sketch_merge_encoded(struct sketch *sketch, uint32_t scale, struct bytes encoded,
    struct pool *pool, struct error *err)
{
    enum status status = sketch_check(sketch, scale, encoded, err);
    if (status != ST_OK) return status;

    struct reader reader = reader_of(encoded, scale);
    uint32_t index;
    uint64_t count;
    while (reader_next(&reader, &index, &count) == 1)
        sketch_add(sketch, index, count, pool);
    return ST_OK;
}

/* 2 * low * high / (low + high) is as far from low as from high, each in its own proportion. */
static double bucket_ms(uint32_t scale, uint32_t index)
{
    if (index == SKETCH_ZERO) return 0;
    double buckets = (double)(UINT32_C(1) << scale);
    double base = exp2(1 / buckets);
    double low_ms = 1e3 * exp2(((double)index - sketch_bias(scale)) / buckets);
    return low_ms * (2 * base / (1 + base));
}

static uint64_t rank_of(double quantile, uint64_t count)
{
    double rank = ceil(quantile * (double)count);
    if (!(rank >= 1)) return 1;
    return rank >= (double)count ? count : (uint64_t)rank;
}

uint32_t sketch_quantile_index(const struct sketch *sketch, double quantile)
{
    struct walk walk;
    uint32_t index = SKETCH_ZERO;
    uint64_t count, rank = rank_of(quantile, sketch->count);
    walk_begin(&walk, sketch);
    for (uint64_t upto = 0; upto < rank && walk_next(&walk, &index, &count);)
        upto += count;
    return index;
}

void sketch_quantiles(const struct sketch *sketch, uint32_t scale, const double *quantile,
    uint32_t quantiles, double *ms)
{
    struct walk walk;
    uint32_t index = SKETCH_ZERO;
    uint64_t count = 0, before = 0, upto = 0; /* values below the bucket `index`, and with it */
    walk_begin(&walk, sketch);
    for (uint32_t i = 0; i < quantiles; i++) {
        ms[i] = NAN;
        if (sketch->count == 0) continue;
        uint64_t rank = rank_of(quantile[i], sketch->count);
        if (rank <= before) {
            walk_begin(&walk, sketch);
            upto = 0;
        }
        while (upto < rank && walk_next(&walk, &index, &count)) {
            before = upto;
            upto += count;
        }
        ms[i] = bucket_ms(scale, index);
    }
}

enum status sketch_encoded_quantiles(struct bytes encoded, uint32_t scale, const double *quantile,
    uint32_t quantiles, double *ms, struct error *err)
{
    struct sketch sketch = {0};
    struct pool pool = {0};
    enum status status = sketch_merge_encoded(&sketch, scale, encoded, &pool, err);
    if (status == ST_OK) sketch_quantiles(&sketch, scale, quantile, quantiles, ms);
    pool_release(&pool);
    return status;
}
