/*
 * The sketch: indexes are those of exact arithmetic, quantiles keep their bound, the form in memory
 * does not show, and what is malformed is refused.
 */
#include "operators/sketch.h"
#include "schemas/wire.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * Exact arithmetic, which shares nothing with the mapping: a duration v is above boundary i, that is
 * v > 10^9 * 2^(i/n) for n = 2^scale, exactly if v^n > 10^(9n) * 2^i.
 */
__extension__ typedef unsigned __int128 u128;

enum { LIMBS = 192 };

struct big {
    uint64_t limb[LIMBS]; /* the lowest first */
    unsigned used;
};

static void big_times(struct big *big, uint64_t factor)
{
    u128 carry = 0;
    for (unsigned i = 0; i < big->used; i++) {
        carry += (u128)big->limb[i] * factor;
        big->limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry == 0) return;
    assert_true(big->used < LIMBS);
    big->limb[big->used++] = (uint64_t)carry;
}

static struct big big_power(uint64_t base, unsigned exponent)
{
    struct big big = {.limb = {1}, .used = 1};
    while (exponent-- > 0)
        big_times(&big, base);
    return big;
}

static void big_shift(struct big *big, unsigned bits)
{
    for (; bits >= 32; bits -= 32)
        big_times(big, UINT64_C(1) << 32);
    big_times(big, UINT64_C(1) << bits);
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->used != b->used) return a->used < b->used ? -1 : 1;
    for (unsigned i = a->used; i-- > 0;) {
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
    }
    return 0;
}

static bool is_above(uint64_t ns, int32_t i, uint32_t scale)
{
    struct big left = big_power(ns, 1U << scale);
    struct big right = big_power(1000000000, 1U << scale);
    big_shift(i < 0 ? &left : &right, (unsigned)abs(i));
    return big_compare(&left, &right) > 0;
}

/* The largest integer that is not above boundary i. The estimate is only where the search begins. */
static uint64_t boundary_floor(int32_t i, uint32_t scale)
{
    uint64_t ns = (uint64_t)(1e9L * exp2l((long double)i / (1 << scale)));
    while (is_above(ns, i, scale))
        ns--;
    while (!is_above(ns + 1, i, scale))
        ns++;
    return ns;
}

static int32_t index_of(uint32_t scale, uint64_t ns)
{
    return (int32_t)sketch_index(scale, ns) - sketch_bias(scale);
}

enum { BOUNDARIES_MAX = 8192 };

/* floors[k] is the integer below boundary lowest + k; the last is beyond the longest duration. */
struct exact {
    uint32_t scale;
    int32_t lowest;
    uint32_t count;
    uint64_t floors[BOUNDARIES_MAX];
};

static void exact_fill(struct exact *exact, uint32_t scale)
{
    exact->scale = scale;
    exact->lowest = -(30 << scale);
    exact->count = 0;
    do {
        assert_true(exact->count < BOUNDARIES_MAX);
        exact->floors[exact->count] = boundary_floor(exact->lowest + (int32_t)exact->count, scale);
    } while (exact->floors[exact->count++] < (uint64_t)SPAN_DURATION_NS_MAX);
}

/* The last boundary that ns is above. */
static int32_t exact_index(const struct exact *exact, uint64_t ns)
{
    uint32_t low = 0, high = exact->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (exact->floors[middle] < ns)
            low = middle;
        else
            high = middle;
    }
    return exact->lowest + (int32_t)low;
}

static void check_near(const struct exact *exact, uint64_t ns)
{
    for (uint64_t v = ns < 3 ? 1 : ns - 2; v <= ns + 2; v++) {
        if (v > (uint64_t)SPAN_DURATION_NS_MAX) return;
        assert_int_equal(index_of(exact->scale, v), exact_index(exact, v));
    }
}

/*
 * Both ends of every bucket are mapped to it, and so is what lies between, for the mapping can only
 * step at a boundary, at an octave or at a slot of the octave, and those are all tried too.
 */
static void check_scale(uint32_t scale)
{
    static struct exact exact;
    exact_fill(&exact, scale);
    for (uint32_t k = 0; k < exact.count; k++)
        check_near(&exact, exact.floors[k]);

    const uint64_t slots = UINT64_C(2) << scale;
    for (unsigned octave = 0; octave < 47; octave++) {
        for (uint64_t slot = 0; slot < slots; slot++)
            check_near(&exact, (slots + slot) << octave >> (scale + 1));
    }
    struct random random = random_from(scale);
    for (int i = 0; i < 300000; i++)
        check_near(&exact, random_octave_ns(&random));
    check_near(&exact, (uint64_t)SPAN_DURATION_NS_MAX);
}

static void indexes_are_exact_at_scale_5(void **unused)
{
    (void)unused;
    check_scale(5);
}

static void indexes_are_exact_at_scale_6(void **unused)
{
    (void)unused;
    check_scale(6);
}

static void indexes_are_exact_at_scale_7(void **unused)
{
    (void)unused;
    check_scale(7);
}

static void a_second_ends_bucket_minus_one(void **unused)
{
    (void)unused;
    for (uint32_t scale = SKETCH_SCALE_MIN; scale <= SKETCH_SCALE_MAX; scale++) {
        assert_int_equal(index_of(scale, 1000000000), -1);
        assert_int_equal(index_of(scale, 1000000001), 0);
        assert_int_equal(index_of(scale, 2000000000), (1 << scale) - 1);
        assert_int_equal(index_of(scale, 500000000), -(1 << scale) - 1);
        assert_int_equal(sketch_index(scale, 0), SKETCH_ZERO);
        assert_true(sketch_index(scale, 1) > SKETCH_ZERO);
    }
}

static void shifting_an_index_right_is_downscaling(void **unused)
{
    (void)unused;
    struct random random = random_from(4);
    for (int i = 0; i < 100000; i++) {
        uint64_t ns = random_octave_ns(&random);
        assert_int_equal(sketch_index(7, ns) >> 1, sketch_index(6, ns));
        assert_int_equal(sketch_index(6, ns) >> 1, sketch_index(5, ns));
    }
}

/* Quantiles against sorted values. */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum { DISTRIBUTIONS = 6 };

static uint64_t draw(struct random *random, int distribution)
{
    switch (distribution) {
    case 0:
        return random_lognormal_ns(random, 40e6, 0.3);
    case 1:
        return random_lognormal_ns(random, 3e6, 1.2);
    case 2:
        return random_below(random, 100000000);
    case 3:
        return random_octave_ns(random);
    case 4: /* two humps, and zeros */
        if (random_once_in(random, 10)) return 0;
        return random_lognormal_ns(random, random_coin(random) ? 1e6 : 900e6, 0.2);
    default: /* few different values */
        return UINT64_C(1) << random_below(random, 40);
    }
}

static double bound_of(uint32_t scale)
{
    double base = exp2(1.0 / (1 << scale));
    return (base - 1) / (base + 1) * (1 + 1e-9);
}

static void check_quantiles(uint32_t scale, int distribution, uint32_t count)
{
    static const double quantile[] = {0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};
    enum { QUANTILES = sizeof(quantile) / sizeof(quantile[0]) };
    uint64_t *value = malloc(count * sizeof(*value));
    assert_non_null(value);
    struct random random = random_from(count + (uint64_t)distribution);
    struct sketch sketch = {0};
    struct pool pool = {0};
    for (uint32_t i = 0; i < count; i++) {
        value[i] = draw(&random, distribution);
        sketch_add(&sketch, sketch_index(scale, value[i]), 1, &pool);
    }
    qsort(value, count, sizeof(*value), by_value);

    double ms[QUANTILES];
    sketch_quantiles(&sketch, scale, quantile, QUANTILES, ms);
    for (uint32_t i = 0; i < QUANTILES; i++) {
        uint64_t rank = (uint64_t)ceil(quantile[i] * count);
        double exact_ms = (double)value[rank == 0 ? 0 : rank - 1] / 1e6;
        assert_true(fabs(ms[i] - exact_ms) <= exact_ms * bound_of(scale));
    }
    sketch_release(&sketch, &pool);
    assert_int_equal(pool.bytes, 0);
    pool_release(&pool);
    free(value);
}

static void quantiles_keep_their_bound(void **unused)
{
    (void)unused;
    static const uint32_t counts[] = {1, 2, 3, 10, 23, 24, 25, 26, 50, 100, 1000, 10000, 100000};
    for (uint32_t scale = SKETCH_SCALE_MIN; scale <= SKETCH_SCALE_MAX; scale++) {
        for (int distribution = 0; distribution < DISTRIBUTIONS; distribution++) {
            for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
                check_quantiles(scale, distribution, counts[i]);
        }
    }
    assert_true(bound_of(6) < 0.0055);
}

static void quantiles_need_not_ascend(void **unused)
{
    (void)unused;
    static const double mixed[] = {0.99, 0.5, 1, 0, 0.5};
    struct sketch sketch = {0};
    struct pool pool = {0};
    struct random random = random_from(5);
    for (int i = 0; i < 500; i++)
        sketch_add(&sketch, sketch_index(6, random_lognormal_ns(&random, 1e7, 1)), 1, &pool);
    double ms[5], alone;
    sketch_quantiles(&sketch, 6, mixed, 5, ms);
    for (int i = 0; i < 5; i++) {
        sketch_quantiles(&sketch, 6, &mixed[i], 1, &alone);
        assert_true(ms[i] == alone);
    }
    assert_true(ms[0] > ms[1] && ms[2] >= ms[0] && ms[3] < ms[1] && ms[4] == ms[1]);
    pool_release(&pool);
}

static void an_empty_sketch_has_no_quantile(void **unused)
{
    (void)unused;
    struct sketch sketch = {0};
    double q = 0.5, ms = 0;
    sketch_quantiles(&sketch, 6, &q, 1, &ms);
    assert_true(isnan(ms));
    struct error err;
    ms = 0;
    assert_int_equal(sketch_encoded_quantiles((struct bytes){0}, 6, &q, 1, &ms, &err), ST_OK);
    assert_true(isnan(ms));
}

/* Forms in memory: raw, then counters of 1, 2, 4 and 8 bytes, and back. */

static void check_encoded(const struct sketch *sketch, const void *wanted, size_t size)
{
    struct buffer out = {0};
    sketch_encode(sketch, 6, &out);
    assert_int_equal(out.size, size);
    if (size != 0) assert_memory_equal(out.data, wanted, size);
    buffer_release(&out);
}

static void counters_widen_as_they_must(void **unused)
{
    (void)unused;
    static const struct {
        uint64_t total;
        uint8_t width;
    } steps[] = {
        {1, 0},
        {24, 0},
        {25, 1},
        {UINT8_MAX, 1},
        {UINT8_MAX + 1, 2},
        {UINT16_MAX, 2},
        {UINT16_MAX + 1, 4},
        {UINT32_MAX, 4},
        {UINT64_C(1) << 32, 8},
        {UINT64_C(1) << 40, 8},
    };
    struct sketch sketch = {0};
    struct pool pool = {0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        sketch_add(&sketch, 2000, steps[i].total - sketch.count, &pool);
        assert_int_equal(sketch_count(&sketch), steps[i].total);
        assert_int_equal(sketch.width, steps[i].width);

        struct buffer wanted = {0};
        wire_put_varint(&wanted, 0);
        wire_put_varint(&wanted, 95); /* zigzag of 2000 - 2048 */
        wire_put_varint(&wanted, steps[i].total << 1);
        check_encoded(&sketch, wanted.data, wanted.size);
        buffer_release(&wanted);
    }
    sketch_release(&sketch, &pool);
    assert_int_equal(pool.bytes, 0);
    pool_release(&pool);
}

/* Add by add, with the values so far counted beside in the simplest way there is. */
static void check_growth(uint64_t seed)
{
    static uint64_t plain[1 << 13];
    memset(plain, 0, sizeof(plain));
    struct random random = random_from(seed);
    struct sketch sketch = {0};
    struct pool pool = {0};
    for (int i = 0; i < 400; i++) {
        uint32_t index = sketch_index(6, draw(&random, (int)(seed % DISTRIBUTIONS)));
        uint64_t times = random_next(&random) >> (24 + random_below(&random, 40));
        sketch_add(&sketch, index, times, &pool);
        plain[index] += times;
    }
    struct buffer wanted = {0};
    struct buffer got = {0};
    wire_put_varint(&wanted, plain[0]);
    uint32_t next = 0;
    for (uint32_t index = 1; index < 1 << 13; index++) {
        if (plain[index] == 0) continue;
        int64_t otel = (int64_t)index - 2048;
        if (next == 0)
            wire_put_varint(&wanted, (uint64_t)(otel < 0 ? -2 * otel - 1 : 2 * otel));
        else if (index > next)
            wire_put_varint(&wanted, ((uint64_t)index - next - 1) * 2 + 1);
        wire_put_varint(&wanted, plain[index] * 2);
        next = index + 1;
    }
    sketch_encode(&sketch, 6, &got);
    assert_int_equal(got.size, wanted.size);
    assert_memory_equal(got.data, wanted.data, wanted.size);
    buffer_release(&wanted);
    buffer_release(&got);
    sketch_release(&sketch, &pool);
    assert_int_equal(pool.bytes, 0);
    pool_release(&pool);
}

static void growth_keeps_every_value(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 300; seed++)
        check_growth(seed);
}

/* Sums over values kept one by one, against those over buckets, in every form and at every index. */
static void check_sums(uint64_t seed, uint32_t values)
{
    struct random random = random_from(seed);
    struct sketch sketch = {0};
    struct pool pool = {0};
    uint32_t index[1000], origin = (uint32_t)random_below(&random, 4096);
    sketch_sum sum = 0, square = 0, cube = 0;
    uint64_t count = 0;
    for (uint32_t i = 0; i < values; i++) {
        index[i] = sketch_index(6, draw(&random, (int)(seed % DISTRIBUTIONS)));
        sketch_add(&sketch, index[i], 1, &pool);
        if (index[i] == SKETCH_ZERO) continue;
        sketch_sum away = (sketch_sum)index[i] - origin;
        count++;
        sum += away;
        square += away * away;
        cube += away * away * away;
    }
    struct sketch_moments m = sketch_moments(&sketch, origin);
    assert_int_equal(m.count, count);
    assert_true(m.sum == sum && m.square == square && m.cube == cube);
    for (uint32_t at = 0; at < 4096; at += at % 7 + 1) {
        uint64_t above = 0;
        for (uint32_t i = 0; i < values; i++)
            above += index[i] > at;
        assert_int_equal(sketch_above(&sketch, at), above);
    }
    sketch_release(&sketch, &pool);
    pool_release(&pool);
}

static void sums_are_those_of_the_values(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {0, 1, 5, 24, 25, 26, 300, 1000};
    for (uint64_t seed = 1; seed <= 30; seed++) {
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
            check_sums(seed, values[i]);
    }
}

/* The most that a sketch may hold, in the highest bucket: where 64 bits would not do. */
static void sums_do_not_overflow(void **unused)
{
    (void)unused;
    struct sketch sketch = {0};
    struct pool pool = {0};
    uint32_t high = sketch_index(7, SPAN_DURATION_NS_MAX);
    sketch_add(&sketch, high, SKETCH_COUNT_MAX, &pool);
    struct sketch_moments m = sketch_moments(&sketch, 0);
    assert_true(m.square == (sketch_sum)SKETCH_COUNT_MAX * high * high);
    assert_true(m.cube == (sketch_sum)SKETCH_COUNT_MAX * high * high * high);
    assert_true(sketch_above(&sketch, high - 1) == SKETCH_COUNT_MAX);
    assert_int_equal(sketch_above(&sketch, high), 0);
    sketch_release(&sketch, &pool);

    /* The most that is summed in 64 bits, as far apart as can be; and one more, which is not. */
    uint32_t low = sketch_index(7, 1);
    for (uint64_t more = 0; more <= 1; more++) {
        uint64_t many = (UINT64_C(1) << 26) - 2 + more;
        sketch_add(&sketch, low, 1, &pool);
        sketch_add(&sketch, high, many, &pool);
        m = sketch_moments(&sketch, low);
        sketch_sum away = (sketch_sum)high - low;
        assert_true(m.sum == many * away && m.square == many * away * away);
        assert_true(m.cube == many * away * away * away);
        sketch_release(&sketch, &pool);
    }
    sketch_add(&sketch, SKETCH_ZERO, 100, &pool);
    assert_int_equal(sketch_moments(&sketch, 0).count, 0);
    assert_int_equal(sketch_above(&sketch, 0), 0);
    pool_release(&pool);
}

static void zeros_alone_take_no_counters(void **unused)
{
    (void)unused;
    struct sketch sketch = {0};
    struct pool pool = {0};
    sketch_add(&sketch, SKETCH_ZERO, 1000, &pool);
    assert_int_equal(pool.bytes, 0);
    check_encoded(&sketch, "\xe8\x07", 2);
    double q = 1, ms = -1;
    sketch_quantiles(&sketch, 6, &q, 1, &ms);
    assert_true(ms == 0);

    sketch_add(&sketch, 2048, 1, &pool);
    check_encoded(&sketch, "\xe8\x07\x00\x02", 4);
    sketch_release(&sketch, &pool);
    pool_release(&pool);
}

static void few_values_left_are_a_list_again(void **unused)
{
    (void)unused;
    struct sketch whole = {0}, part = {0};
    struct pool pool = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        sketch_add(&whole, 1900 + i % 200, 1, &pool);
        if (i >= 10) sketch_add(&part, 1900 + i % 200, 1, &pool);
    }
    sketch_subtract(&whole, &part, &pool);
    assert_int_equal(whole.width, 0);
    assert_int_equal(sketch_count(&whole), 10);
    sketch_release(&part, &pool);
    assert_int_equal(pool.bytes, 0);
    pool_release(&pool);
}

static void typical_sketches_are_small(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t values, bytes;
    } wanted[] = {{1, 6}, {20, 46}, {200, 230}, {10000, 500}};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct sketch sketch = {0};
        struct pool pool = {0};
        struct buffer out = {0};
        struct random random = random_from(9);
        for (uint32_t k = 0; k < wanted[i].values; k++)
            sketch_add(&sketch, sketch_index(6, random_lognormal_ns(&random, 4e7, 0.8)), 1, &pool);
        sketch_encode(&sketch, 6, &out);
        assert_in_range(out.size, 1, wanted[i].bytes);
        buffer_release(&out);
        pool_release(&pool);
    }
}

/* Refusals. */

static void check_refused(struct bytes encoded, uint64_t held)
{
    struct sketch sketch = {0};
    struct pool pool = {0};
    struct error err = {0};
    sketch_add(&sketch, 2048, held, &pool);
    assert_int_equal(sketch_merge_encoded(&sketch, 6, encoded, &pool, &err), ST_SKIP);
    assert_non_null(strstr(err.text, "latency sketch"));
    assert_int_equal(sketch_count(&sketch), held);
    pool_release(&pool);
}

static void what_is_malformed_is_refused(void **unused)
{
    (void)unused;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\x00", 1},                     /* empty, yet there */
        {"\x80", 1},                     /* zeros cut short */
        {"\x00\x00", 2},                 /* no bucket after the first index */
        {"\x00\x80", 2},                 /* first index cut short */
        {"\x00\x00\x00", 3},             /* an empty bucket outside a gap */
        {"\x00\x00\x03\x02", 4},         /* begins with a gap */
        {"\x00\x00\x02\x03", 4},         /* ends in a gap */
        {"\x00\x00\x02\x03\x03\x02", 6}, /* a gap after a gap */
        {"\x00\x00\x02\x80", 4},         /* token cut short */
        {"\x00\xff\x7f\x02", 4},         /* index -8192: shorter than 1 ns */
        {"\x00\xfe\x7f\x02", 4},         /* index 8191: longer than 24 h */
        {"\x00\x00\x02\xb1\x10\x02", 6}, /* a gap of 1049 buckets, then one beyond 24 h */
        {"\x00\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", 14}, /* the longest gap */
        {"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", 12},         /* the lowest index */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},                 /* 2^64 - 1 zeros */
        {"\x00\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},         /* 2^63 - 1 values */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct bytes encoded = {(const uint8_t *)bad[i].bytes, bad[i].size};
        check_refused(encoded, 0);
        check_refused(encoded, 100);
    }
}

static void the_lowest_and_highest_buckets_are_taken(void **unused)
{
    (void)unused;
    for (uint32_t scale = SKETCH_SCALE_MIN; scale <= SKETCH_SCALE_MAX; scale++) {
        struct sketch sketch = {0}, again = {0};
        struct pool pool = {0};
        struct error err;
        struct buffer out = {0}, back = {0};
        sketch_add(&sketch, sketch_index(scale, 1), 100, &pool);
        sketch_add(&sketch, sketch_index(scale, SPAN_DURATION_NS_MAX), 1, &pool);
        sketch_encode(&sketch, scale, &out);
        assert_int_equal(
            sketch_merge_encoded(&again, scale, buffer_bytes(&out), &pool, &err), ST_OK);
        sketch_encode(&again, scale, &back);
        assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&back)));
        buffer_release(&out);
        buffer_release(&back);
        pool_release(&pool);
    }
}

static void too_many_values_are_refused(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    wire_put_varint(&out, 0);
    wire_put_varint(&out, 0);
    wire_put_varint(&out, SKETCH_COUNT_MAX << 1);

    struct sketch sketch = {0};
    struct pool pool = {0};
    struct error err;
    assert_int_equal(sketch_merge_encoded(&sketch, 6, buffer_bytes(&out), &pool, &err), ST_OK);
    assert_int_equal(sketch_merge_encoded(&sketch, 6, buffer_bytes(&out), &pool, &err), ST_SKIP);
    assert_int_equal(sketch_count(&sketch), SKETCH_COUNT_MAX);
    check_refused(buffer_bytes(&out), 1);
    buffer_release(&out);
    pool_release(&pool);
}

static void stored_sketches_answer_by_themselves(void **unused)
{
    (void)unused;
    static const double quantile[] = {0.5, 0.99};
    struct sketch sketch = {0};
    struct pool pool = {0};
    struct buffer out = {0};
    struct error err;
    for (uint64_t ms = 1; ms <= 1000; ms++)
        sketch_add(&sketch, sketch_index(6, ms * 1000000), 1, &pool);
    sketch_encode(&sketch, 6, &out);
    double got[2];
    assert_int_equal(
        sketch_encoded_quantiles(buffer_bytes(&out), 6, quantile, 2, got, &err), ST_OK);
    assert_true(fabs(got[0] - 500) <= 500 * bound_of(6));
    assert_true(fabs(got[1] - 990) <= 990 * bound_of(6));
    out.size--;
    out.data[out.size - 1] |= 0x80;
    assert_int_equal(
        sketch_encoded_quantiles(buffer_bytes(&out), 6, quantile, 2, got, &err), ST_SKIP);
    buffer_release(&out);
    pool_release(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indexes_are_exact_at_scale_5),
        cmocka_unit_test(indexes_are_exact_at_scale_6),
        cmocka_unit_test(indexes_are_exact_at_scale_7),
        cmocka_unit_test(a_second_ends_bucket_minus_one),
        cmocka_unit_test(shifting_an_index_right_is_downscaling),
        cmocka_unit_test(quantiles_keep_their_bound),
        cmocka_unit_test(quantiles_need_not_ascend),
        cmocka_unit_test(an_empty_sketch_has_no_quantile),
        cmocka_unit_test(counters_widen_as_they_must),
        cmocka_unit_test(growth_keeps_every_value),
        cmocka_unit_test(sums_are_those_of_the_values),
        cmocka_unit_test(sums_do_not_overflow),
        cmocka_unit_test(zeros_alone_take_no_counters),
        cmocka_unit_test(few_values_left_are_a_list_again),
        cmocka_unit_test(typical_sketches_are_small),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(the_lowest_and_highest_buckets_are_taken),
        cmocka_unit_test(too_many_values_are_refused),
        cmocka_unit_test(stored_sketches_answer_by_themselves),
    };
    return cmocka_run_group_tests_name("sketch", tests, NULL, NULL);
}
