/*
 * Every measure obeys the laws in operators/measure.h, and so do cells of all of them.
 *
 * Spans are drawn and dealt from a seed, so a failure repeats. States are compared by what they
 * encode to, which must not depend on the way there.
 */
#include "engine/base/hash.h"
#include "measures.pb-c.h"
#include "operators/measure.h"
#include "operators/sketch.h"
#include "schemas/wire.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEEDS = 200, SPANS_OF_A_SEED_MAX = 400, PARTS = 5, TRACE_BYTES = 16 };

/* Of cell_refold_begin and cell_refold: all measures. */
#define ALL UINT32_MAX

static const struct measuring measuring = {
    .scale = 6,
    .thresholds = 3,
    .threshold_ns = {10000000, 50000000, 200000000},
    .quantiles = 3,
    .quantile = {0.5, 0.95, 0.99},
    .apdex = 1,
    .apdex_tolerating = 2,
};

static const struct measuring bare = {.scale = 5, .apdex = -1};

/* What every test needs: layout, pool, and the spans of a seed. */
struct bench {
    struct cell_layout layout;
    struct pool pool;
    struct random random;
    struct span span[SPANS_OF_A_SEED_MAX];
    uint32_t spans;
};

static void bench_open(struct bench *b, const struct measuring *m, uint64_t seed)
{
    memset(b, 0, sizeof(*b));
    cell_layout_init(&b->layout, m);
    b->random = random_from(seed);
    b->spans = (uint32_t)random_below(&b->random, SPANS_OF_A_SEED_MAX + 1);
    if (random_once_in(&b->random, 4)) b->spans %= 30; /* around where a sketch changes form */
    bool coarse = random_once_in(&b->random, 4); /* so that durations are equal now and then */
    for (uint32_t i = 0; i < b->spans; i++) {
        b->span[i] = random_span(&b->random);
        if (coarse) b->span[i].duration_ns -= b->span[i].duration_ns % 20000000;
        if (m->thresholds == 0 || !random_once_in(&b->random, 8)) continue;
        uint64_t threshold_ns = m->threshold_ns[random_below(&b->random, m->thresholds)];
        b->span[i].duration_ns = threshold_ns + random_coin(&b->random); /* at it, and just over */
    }
}

/* Everything was given back. */
static void bench_close(struct bench *b)
{
    assert_int_equal(b->pool.bytes, 0);
    pool_release(&b->pool);
}

static void *bench_cell(struct bench *b)
{
    return cell_new(&b->layout, &b->pool);
}

static void *bench_whole(struct bench *b)
{
    void *cell = bench_cell(b);
    for (uint32_t i = 0; i < b->spans; i++)
        cell_fold(&b->layout, cell, &b->span[i], &b->pool);
    return cell;
}

static void bench_deal(struct bench *b, void *part[PARTS])
{
    for (int i = 0; i < PARTS; i++)
        part[i] = bench_cell(b);
    for (uint32_t i = 0; i < b->spans; i++)
        cell_fold(&b->layout, part[random_below(&b->random, PARTS)], &b->span[i], &b->pool);
}

static void bench_free(struct bench *b, void *cell)
{
    cell_free(&b->layout, cell, &b->pool);
}

static void assert_cells_equal(const struct bench *b, const void *x, const void *y)
{
    struct buffer left = {0}, right = {0};
    cell_encode(&b->layout, x, &left);
    cell_encode(&b->layout, y, &right);
    assert_int_equal(left.size, right.size);
    if (left.size != 0) assert_memory_equal(left.data, right.data, left.size);
    buffer_release(&left);
    buffer_release(&right);
}

/* Merge an encoded cell, field by field as it stands in a partial. */
static void merge_encoded(struct bench *b, void *cell, struct bytes encoded)
{
    struct wire wire = wire_of(encoded);
    struct wire_field field;
    struct error err = {0};
    int found;
    while ((found = wire_next(&wire, &field)) == 1) {
        assert_int_equal(field.type, WIRE_BYTES);
        assert_int_equal(
            cell_merge_encoded(&b->layout, cell, field.number, field.bytes, &b->pool, &err), ST_OK);
    }
    assert_int_equal(found, 0);
}

static void run(void (*law)(struct bench *b))
{
    static struct bench b;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bench_open(&b, seed % 4 == 0 ? &bare : &measuring, seed);
        law(&b);
        bench_close(&b);
    }
}

/* Law 1. */

static void law_zero_is_empty(struct bench *b)
{
    void *empty = bench_cell(b), *whole = bench_whole(b), *sum = bench_cell(b);
    struct buffer out = {0};
    cell_encode(&b->layout, empty, &out);
    assert_int_equal(out.size, 0);
    cell_merge(&b->layout, sum, whole, &b->pool);
    assert_cells_equal(b, sum, whole);
    cell_merge(&b->layout, sum, empty, &b->pool);
    assert_cells_equal(b, sum, whole);
    cell_subtract(&b->layout, sum, empty, &b->pool);
    assert_cells_equal(b, sum, whole);
    buffer_release(&out);
    bench_free(b, empty);
    bench_free(b, whole);
    bench_free(b, sum);
}

static void zero_is_empty(void **unused)
{
    (void)unused;
    run(law_zero_is_empty);
}

/* Law 2. */

static void law_merge_in_any_order(struct bench *b)
{
    void *whole = bench_whole(b), *part[PARTS], *forth = bench_cell(b), *back = bench_cell(b);
    bench_deal(b, part);
    for (int i = 0; i < PARTS; i++) {
        cell_merge(&b->layout, forth, part[i], &b->pool);
        cell_merge(&b->layout, back, part[PARTS - 1 - i], &b->pool);
    }
    assert_cells_equal(b, forth, whole);
    assert_cells_equal(b, back, whole);
    for (int i = 0; i < PARTS; i++)
        bench_free(b, part[i]);
    bench_free(b, forth);
    bench_free(b, back);
    bench_free(b, whole);
}

static void merge_gives_the_whole_in_any_order(void **unused)
{
    (void)unused;
    run(law_merge_in_any_order);
}

static void law_merge_in_any_grouping(struct bench *b)
{
    void *whole = bench_whole(b), *part[PARTS];
    bench_deal(b, part);
    for (int left = PARTS; left > 1; left--) { /* two at random, until one is left */
        int to = (int)random_below(&b->random, (uint64_t)left - 1);
        cell_merge(&b->layout, part[to], part[left - 1], &b->pool);
        bench_free(b, part[left - 1]);
    }
    assert_cells_equal(b, part[0], whole);
    bench_free(b, part[0]);
    bench_free(b, whole);
}

static void merge_gives_the_whole_in_any_grouping(void **unused)
{
    (void)unused;
    run(law_merge_in_any_grouping);
}

/* Law 3: subtract, then what has no inverse is folded again from the parts that are left. */

static void law_subtract_undoes_merge(struct bench *b)
{
    void *part[PARTS], *sum = bench_cell(b);
    bench_deal(b, part);
    for (int i = 0; i < PARTS; i++)
        cell_merge(&b->layout, sum, part[i], &b->pool);
    for (int gone = 0; gone < PARTS; gone++) {
        void *left = bench_cell(b);
        cell_subtract(&b->layout, sum, part[gone], &b->pool);
        cell_refold_begin(&b->layout, sum, ALL, &b->pool);
        for (int i = gone + 1; i < PARTS; i++) {
            cell_refold(&b->layout, sum, ALL, part[i], &b->pool);
            cell_merge(&b->layout, left, part[i], &b->pool);
        }
        assert_cells_equal(b, sum, left);
        bench_free(b, left);
    }
    for (int i = 0; i < PARTS; i++)
        bench_free(b, part[i]);
    struct buffer out = {0};
    cell_encode(&b->layout, sum, &out);
    assert_int_equal(out.size, 0);
    buffer_release(&out);
    bench_free(b, sum);
}

static void subtract_undoes_merge_to_the_bit(void **unused)
{
    (void)unused;
    run(law_subtract_undoes_merge);
}

/* Only what subtract asks for is folded again, and nothing where it asks for nothing. */
static void law_subtract_says_what_is_left(struct bench *b)
{
    void *part[PARTS], *sum = bench_cell(b);
    bench_deal(b, part);
    for (int i = 0; i < PARTS; i++)
        cell_merge(&b->layout, sum, part[i], &b->pool);
    for (int gone = 0; gone < PARTS; gone++) {
        void *left = bench_cell(b);
        uint32_t again = cell_subtract(&b->layout, sum, part[gone], &b->pool);
        cell_refold_begin(&b->layout, sum, again, &b->pool);
        for (int i = gone + 1; i < PARTS; i++) {
            cell_refold(&b->layout, sum, again, part[i], &b->pool);
            cell_merge(&b->layout, left, part[i], &b->pool);
        }
        assert_cells_equal(b, sum, left);
        bench_free(b, left);
    }
    for (int i = 0; i < PARTS; i++)
        bench_free(b, part[i]);
    bench_free(b, sum);
}

static void subtract_says_what_must_be_folded_again(void **unused)
{
    (void)unused;
    run(law_subtract_says_what_is_left);
}

/* Few of many slices hold what is slowest or least: most may leave without a refold. */
static void a_slice_that_gave_nothing_leaves_nothing_to_refold(void **unused)
{
    (void)unused;
    enum { SLICES = 40 };
    static struct bench b;
    uint32_t asked = 0;
    bench_open(&b, &measuring, 1);
    void *sum = bench_cell(&b), *slice[SLICES];
    for (int i = 0; i < SLICES; i++) {
        struct span span = random_span(&b.random);
        span.verdict = SPAN_ON_TIME;
        span.failed = false;
        slice[i] = bench_cell(&b);
        cell_fold(&b.layout, slice[i], &span, &b.pool);
        cell_merge(&b.layout, sum, slice[i], &b.pool);
    }
    for (int i = 0; i < SLICES; i++) {
        asked += cell_subtract(&b.layout, sum, slice[i], &b.pool) != 0;
        cell_merge(&b.layout, sum, slice[i], &b.pool);
        bench_free(&b, slice[i]);
    }
    assert_in_range(asked, 3, 8); /* 3 slowest, 3 least, and the fastest */
    bench_free(&b, sum);
    bench_close(&b);
}

static void law_window_slides(struct bench *b)
{
    enum { SLICES = 6, WIDTH = 3 };
    void *slice[SLICES], *sum = bench_cell(b);
    for (int i = 0; i < SLICES; i++)
        slice[i] = bench_cell(b);
    for (uint32_t i = 0; i < b->spans; i++)
        cell_fold(&b->layout, slice[random_below(&b->random, SLICES)], &b->span[i], &b->pool);
    for (int newest = 0; newest < SLICES; newest++) {
        void *plain = bench_cell(b);
        int oldest = newest < WIDTH ? 0 : newest - WIDTH + 1;
        cell_merge(&b->layout, sum, slice[newest], &b->pool);
        if (newest >= WIDTH) cell_subtract(&b->layout, sum, slice[oldest - 1], &b->pool);
        cell_refold_begin(&b->layout, sum, ALL, &b->pool);
        for (int i = oldest; i <= newest; i++) {
            cell_refold(&b->layout, sum, ALL, slice[i], &b->pool);
            cell_merge(&b->layout, plain, slice[i], &b->pool);
        }
        assert_cells_equal(b, sum, plain);
        bench_free(b, plain);
    }
    for (int i = 0; i < SLICES; i++)
        bench_free(b, slice[i]);
    bench_free(b, sum);
}

static void a_sliding_sum_is_the_sum_of_its_slices(void **unused)
{
    (void)unused;
    run(law_window_slides);
}

/* Law 4. */

static void law_decode_undoes_encode(struct bench *b)
{
    void *whole = bench_whole(b), *again = bench_cell(b), *part[PARTS], *sum = bench_cell(b);
    struct buffer out = {0};
    cell_encode(&b->layout, whole, &out);
    merge_encoded(b, again, buffer_bytes(&out));
    assert_cells_equal(b, again, whole);

    bench_deal(b, part);
    for (int i = 0; i < PARTS; i++) {
        buffer_reset(&out);
        cell_encode(&b->layout, part[i], &out);
        merge_encoded(b, sum, buffer_bytes(&out));
        bench_free(b, part[i]);
    }
    assert_cells_equal(b, sum, whole);
    buffer_release(&out);
    bench_free(b, sum);
    bench_free(b, again);
    bench_free(b, whole);
}

static void decode_undoes_encode(void **unused)
{
    (void)unused;
    run(law_decode_undoes_encode);
}

static void law_encode_is_canonical(struct bench *b)
{
    void *whole = bench_whole(b), *other = bench_cell(b), *extra = bench_cell(b);
    for (uint32_t i = b->spans; i > 1; i--) { /* shuffled */
        uint32_t with = (uint32_t)random_below(&b->random, i);
        struct span span = b->span[i - 1];
        b->span[i - 1] = b->span[with];
        b->span[with] = span;
    }
    for (uint32_t i = 0; i < 300; i++) { /* widen it by what does not stay */
        struct span span = random_span(&b->random);
        cell_fold(&b->layout, extra, &span, &b->pool);
    }
    cell_merge(&b->layout, other, extra, &b->pool);
    for (uint32_t i = 0; i < b->spans; i++)
        cell_fold(&b->layout, other, &b->span[i], &b->pool);
    cell_subtract(&b->layout, other, extra, &b->pool);
    cell_refold_begin(&b->layout, other, ALL, &b->pool);
    cell_refold(&b->layout, other, ALL, whole, &b->pool);
    assert_cells_equal(b, other, whole);
    bench_free(b, other);
    bench_free(b, extra);
    bench_free(b, whole);
}

static void encode_is_canonical_whatever_the_history(void **unused)
{
    (void)unused;
    run(law_encode_is_canonical);
}

/* Refused content leaves a cell as it was: cut anywhere, or one byte changed. */
static void law_refusal_leaves_no_trace(struct bench *b)
{
    void *whole = bench_whole(b);
    for (uint32_t i = 0; i < b->layout.count; i++) {
        struct buffer out = {0};
        struct error err = {0};
        const void *state = (const char *)whole + b->layout.offset[i];
        measures[i]->encode(b->layout.m, state, &out);
        for (uint32_t k = 0; k < 40 && out.size > 0; k++) {
            void *cell = bench_cell(b);
            struct bytes damaged = buffer_bytes(&out);
            if (random_coin(&b->random))
                damaged.size = random_below(&b->random, out.size);
            else
                out.data[random_below(&b->random, out.size)] ^= (uint8_t)random_next(&b->random);
            enum status status =
                cell_merge_encoded(&b->layout, cell, measures[i]->wire_id, damaged, &b->pool, &err);
            struct buffer after = {0};
            cell_encode(&b->layout, cell, &after);
            assert_true(status == ST_OK || status == ST_SKIP);
            if (status == ST_SKIP) {
                assert_int_equal(after.size, 0);
                assert_true(err.text[0] != '\0');
            }
            buffer_release(&after);
            bench_free(b, cell);
        }
        buffer_release(&out);
    }
    bench_free(b, whole);
}

static void a_refusal_leaves_no_trace(void **unused)
{
    (void)unused;
    run(law_refusal_leaves_no_trace);
}

static enum status merge_into_empty(uint32_t wire_id, const char *bytes, size_t size)
{
    static struct bench b;
    bench_open(&b, &measuring, 1);
    void *cell = bench_cell(&b);
    struct error err = {0};
    enum status status = cell_merge_encoded(
        &b.layout, cell, wire_id, (struct bytes){(const uint8_t *)bytes, size}, &b.pool, &err);
    bench_free(&b, cell);
    bench_close(&b);
    return status;
}

static void content_that_cannot_be_is_refused(void **unused)
{
    (void)unused;
    /* count: fewer spans than late ones; a field that is not known; of another type; too many */
    assert_int_equal(merge_into_empty(16, "\x08\x01\x10\x02", 4), ST_SKIP);
    assert_int_equal(merge_into_empty(16, "\x08\x02\x10\x02", 4), ST_OK);
    assert_int_equal(merge_into_empty(16, "\x28\x01", 2), ST_SKIP);
    assert_int_equal(merge_into_empty(16, "\x0a\x01\x01", 3), ST_SKIP);
    assert_int_equal(merge_into_empty(16, "\x08\xff\xff\xff\xff\xff\xff\xff\x7f", 9), ST_SKIP);
    assert_int_equal(merge_into_empty(17, "\x08\x01", 2), ST_OK);
    assert_int_equal(merge_into_empty(17, "\x10\x01", 2), ST_SKIP);
    /* latency: right; minimum above maximum; two thresholds for three; falling ones; no sketch */
    assert_int_equal(merge_into_empty(18,
                         "\x08\x05\x10\x05\x18\x05\x22\x03\x01\x01\x01\x2a\x03\x00\x00\x02", 16),
        ST_OK);
    assert_int_equal(merge_into_empty(18,
                         "\x08\x05\x10\x06\x18\x05\x22\x03\x01\x01\x01\x2a\x03\x00\x00\x02", 16),
        ST_SKIP);
    assert_int_equal(
        merge_into_empty(18, "\x08\x05\x10\x05\x18\x05\x22\x02\x01\x01\x2a\x03\x00\x00\x02", 15),
        ST_SKIP);
    assert_int_equal(merge_into_empty(18,
                         "\x08\x05\x10\x05\x18\x05\x22\x03\x01\x00\x01\x2a\x03\x00\x00\x02", 16),
        ST_SKIP);
    assert_int_equal(
        merge_into_empty(18, "\x08\x05\x10\x05\x18\x05\x22\x03\x01\x01\x01", 11), ST_SKIP);
    /* a measure that a later version may have */
    assert_int_equal(merge_into_empty(21, "\x08\x01", 2), ST_FATAL);
}

/* Ids whose hashes ascend. */
#define ID_1 "\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ID_2 "\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static uint64_t trace_hash(const void *id)
{
    return hash_stable((struct bytes){id, TRACE_BYTES});
}

static void traces_that_cannot_be_are_refused(void **unused)
{
    (void)unused;
    assert_true(trace_hash(ID_1) < trace_hash(ID_2));
    /* right; cut; in no list; in an unknown list; without its time; a day and more */
    assert_int_equal(merge_into_empty(19, ID_1 "\x01\x05", 18), ST_OK);
    assert_int_equal(merge_into_empty(19, ID_1 "\x04\x05", 18), ST_OK);
    assert_int_equal(merge_into_empty(19, ID_1 "\x07\x05\x05", 19), ST_OK);
    assert_int_equal(merge_into_empty(19, ID_1, 15), ST_SKIP);
    assert_int_equal(merge_into_empty(19, ID_1 "\x00", 17), ST_SKIP);
    assert_int_equal(merge_into_empty(19, ID_1 "\x08\x05", 18), ST_SKIP);
    assert_int_equal(merge_into_empty(19, ID_1 "\x01", 17), ST_SKIP);
    assert_int_equal(merge_into_empty(19, ID_1 "\x05\x05", 18), ST_SKIP);
    assert_int_equal(merge_into_empty(19, ID_1 "\x01\xff\xff\xff\xff\xff\xff\x7f", 24), ST_SKIP);
    /* its failed span was slower than its slowest */
    assert_int_equal(merge_into_empty(19, ID_1 "\x05\x05\x06", 19), ST_SKIP);
    /* in order; in the other one; twice */
    assert_int_equal(merge_into_empty(19, ID_1 "\x01\x05" ID_2 "\x01\x05", 36), ST_OK);
    assert_int_equal(merge_into_empty(19, ID_2 "\x01\x05" ID_1 "\x01\x05", 36), ST_SKIP);
    assert_int_equal(merge_into_empty(19, ID_1 "\x01\x05" ID_1 "\x01\x05", 36), ST_SKIP);
}

/* One list longer than it may be; a full one of the same traces is taken. */
static void lists_that_are_too_long_are_refused(void **unused)
{
    (void)unused;
    enum { ENTRY = TRACE_BYTES + 2, LONGEST = 5 };
    static const struct {
        char list;
        int most;
    } cases[] = {{1, 3}, {2, 3}, {4, 4}};
    uint8_t id[LONGEST][TRACE_BYTES] = {{0}};
    for (int i = 0; i < LONGEST; i++) { /* by ascending hash */
        uint8_t next[TRACE_BYTES] = {(uint8_t)(i + 1)};
        int to = i;
        for (; to > 0 && trace_hash(id[to - 1]) > trace_hash(next); to--)
            memcpy(id[to], id[to - 1], TRACE_BYTES);
        memcpy(id[to], next, TRACE_BYTES);
    }
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        char encoded[LONGEST * ENTRY];
        for (int i = 0; i < LONGEST; i++) {
            memcpy(encoded + i * ENTRY, id[i], TRACE_BYTES);
            encoded[i * ENTRY + TRACE_BYTES] = cases[c].list;
            encoded[i * ENTRY + TRACE_BYTES + 1] = 5;
        }
        size_t full = (size_t)cases[c].most * ENTRY;
        assert_int_equal(merge_into_empty(19, encoded, full), ST_OK);
        assert_int_equal(merge_into_empty(19, encoded, full + ENTRY), ST_SKIP);
    }
}

/* A kind whose message has so many bytes. */
static enum status merge_kind_of(size_t message_bytes)
{
    static const uint8_t text[200];
    struct buffer out = {0};
    size_t mark = wire_open(&out, 1);
    wire_put_bytes(&out, 2, (struct bytes){text, message_bytes});
    wire_put_uint(&out, 3, 1);
    wire_put_bytes(&out, 4, (struct bytes){(const uint8_t *)ID_1, TRACE_BYTES});
    wire_close(&out, mark);
    enum status status = merge_into_empty(20, (const char *)out.data, out.size);
    buffer_release(&out);
    return status;
}

static void kinds_that_cannot_be_are_refused(void **unused)
{
    (void)unused;
    static const char good[] = "\x0a\x14\x18\x01\x22\x10" ID_1; /* a count, a trace */
    enum { KIND_BYTES = 22 };
    char many[17 * KIND_BYTES];
    assert_int_equal(merge_into_empty(20, good, KIND_BYTES), ST_OK);
    assert_int_equal(merge_into_empty(20, good, KIND_BYTES - 1), ST_SKIP);
    /* no count; none counted; no trace; a short one; an unknown field; not a kind */
    assert_int_equal(merge_into_empty(20, "\x0a\x12\x22\x10" ID_1, 20), ST_SKIP);
    assert_int_equal(merge_into_empty(20, "\x0a\x14\x18\x00\x22\x10" ID_1, 22), ST_SKIP);
    assert_int_equal(merge_into_empty(20, "\x0a\x02\x18\x01", 4), ST_SKIP);
    assert_int_equal(merge_into_empty(20, "\x0a\x13\x18\x01\x22\x0f" ID_1, 21), ST_SKIP);
    assert_int_equal(merge_into_empty(20, "\x0a\x16\x18\x01\x22\x10" ID_1 "\x28\x01", 24), ST_SKIP);
    assert_int_equal(merge_into_empty(20, "\x08\x01", 2), ST_SKIP);
    assert_int_equal(merge_kind_of(120), ST_OK);
    assert_int_equal(merge_kind_of(121), ST_SKIP);
    for (int i = 0; i < 17; i++)
        memcpy(many + i * KIND_BYTES, good, KIND_BYTES);
    assert_int_equal(merge_into_empty(20, many, 16 * KIND_BYTES), ST_OK);
    assert_int_equal(merge_into_empty(20, many, 17 * KIND_BYTES), ST_SKIP);
}

/* The numbers a report shows, against the spans themselves. */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

struct plain {
    uint64_t spans, errors, late, too_late, skewed, sum_ns, within[THRESHOLDS_MAX];
    uint64_t duration_ns[SPANS_OF_A_SEED_MAX];
};

static void plain_count(struct plain *plain, const struct bench *b)
{
    memset(plain, 0, sizeof(*plain));
    for (uint32_t i = 0; i < b->spans; i++) {
        const struct span *span = &b->span[i];
        if (span->verdict == SPAN_TOO_LATE) {
            plain->too_late++;
            continue;
        }
        plain->duration_ns[plain->spans++] = span->duration_ns;
        plain->sum_ns += span->duration_ns;
        if (span->failed) plain->errors++;
        if (span->skewed) plain->skewed++;
        if (span->verdict == SPAN_LATE) plain->late++;
        for (uint32_t t = 0; t < b->layout.m->thresholds; t++)
            if (span->duration_ns <= b->layout.m->threshold_ns[t]) plain->within[t]++;
    }
    qsort(plain->duration_ns, plain->spans, sizeof(uint64_t), by_value);
}

static void check_ratios(const struct plain *plain, const struct row *row)
{
    double spans = (double)plain->spans;
    assert_true(row_number(row, COLUMN_RATE_PER_S) == spans / 10);
    assert_int_equal(row_has(row, COLUMN_CAPTURE_RATIO), plain->spans + plain->too_late > 0);
    if (row_has(row, COLUMN_CAPTURE_RATIO))
        assert_true(
            row_number(row, COLUMN_CAPTURE_RATIO) == spans / (spans + (double)plain->too_late));
    assert_int_equal(row_has(row, COLUMN_ERROR_RATIO), plain->spans > 0);
    if (plain->spans > 0)
        assert_true(row_number(row, COLUMN_ERROR_RATIO) == (double)plain->errors / spans);
}

static void check_latency(
    const struct measuring *m, const struct plain *plain, const struct row *row)
{
    const uint64_t n = plain->spans;
    assert_int_equal(row_has(row, COLUMN_LATENCY_MEAN_MS), n > 0);
    assert_int_equal(row_has(row, COLUMN_LATENCY_MIN_MS), n > 0);
    assert_int_equal(row_has(row, COLUMN_LATENCY_MAX_MS), n > 0);
    assert_int_equal(row_has(row, COLUMN_QUANTILE), n > 0 && m->quantiles > 0);
    assert_int_equal(row_has(row, COLUMN_APDEX), n > 0 && m->apdex >= 0);
    if (n == 0) return;

    double mean_ms = (double)plain->sum_ns / 1e6 / (double)n;
    assert_true(fabs(row_number(row, COLUMN_LATENCY_MEAN_MS) - mean_ms) <= mean_ms * 1e-12);
    assert_true(row_number(row, COLUMN_LATENCY_MIN_MS) == (double)plain->duration_ns[0] / 1e6);
    assert_true(row_number(row, COLUMN_LATENCY_MAX_MS) == (double)plain->duration_ns[n - 1] / 1e6);
    for (uint32_t i = 0; i < m->quantiles; i++) {
        uint64_t rank = (uint64_t)ceil(m->quantile[i] * (double)n);
        double exact_ms = (double)plain->duration_ns[rank - 1] / 1e6;
        double got_ms = row_number(row, COLUMN_QUANTILE + (int)i);
        assert_true(fabs(got_ms - exact_ms) <= exact_ms * 0.0055);
    }
    if (m->apdex < 0) return;
    double half = (double)(plain->within[m->apdex_tolerating] - plain->within[m->apdex]) / 2;
    assert_true(
        row_number(row, COLUMN_APDEX) == ((double)plain->within[m->apdex] + half) / (double)n);
}

/* What a trace did here, from all its spans. */
struct trace_plain {
    const uint8_t *id;
    uint64_t ns, failed_ns;
    bool failed;
};

struct traces_plain {
    struct trace_plain trace[SPANS_OF_A_SEED_MAX];
    uint32_t count;
};

static void traces_count(struct traces_plain *traces, const struct bench *b)
{
    traces->count = 0;
    for (uint32_t i = 0; i < b->spans; i++) {
        const struct span *span = &b->span[i];
        uint32_t t = 0;
        if (span->verdict == SPAN_TOO_LATE) continue;
        while (t < traces->count && memcmp(traces->trace[t].id, span->trace_id, TRACE_BYTES) != 0)
            t++;
        struct trace_plain *trace = &traces->trace[t];
        if (t == traces->count) {
            traces->count++;
            *trace = (struct trace_plain){.id = span->trace_id};
        }
        if (span->duration_ns > trace->ns) trace->ns = span->duration_ns;
        if (!span->failed) continue;
        trace->failed = true;
        if (span->duration_ns > trace->failed_ns) trace->failed_ns = span->duration_ns;
    }
}

static int by_hash(const void *a, const void *b)
{
    const struct trace_plain *x = a, *y = b;
    uint64_t left = trace_hash(x->id), right = trace_hash(y->id);
    if (left != right) return left < right ? -1 : 1;
    return memcmp(x->id, y->id, TRACE_BYTES);
}

static int by_duration(const void *a, const void *b)
{
    const struct trace_plain *x = a, *y = b;
    if (x->ns != y->ns) return x->ns > y->ns ? -1 : 1;
    return memcmp(x->id, y->id, TRACE_BYTES);
}

static void check_exemplar(
    const struct row *row, uint32_t at, enum exemplar_kind kind, const uint8_t *id, uint64_t ns)
{
    assert_true(at < row->exemplars);
    assert_int_equal(row->exemplar[at].kind, kind);
    assert_memory_equal(row->exemplar[at].trace_id, id, TRACE_BYTES);
    assert_int_equal(row->exemplar[at].duration_ns, ns);
}

static uint32_t distance(uint32_t scale, uint64_t ns, uint64_t median_ns)
{
    uint32_t index = sketch_index(scale, ns), median = sketch_index(scale, median_ns);
    return index > median ? index - median : median - index;
}

static void check_exemplars(const struct bench *b, const struct plain *plain, const struct row *row)
{
    static struct traces_plain traces;
    uint32_t told = 0, typical = 0, failed = 0;
    traces_count(&traces, b);
    qsort(traces.trace, traces.count, sizeof(traces.trace[0]), by_duration);
    for (; told < 3 && told < traces.count; told++)
        check_exemplar(row, told, EXEMPLAR_SLOW, traces.trace[told].id, traces.trace[told].ns);
    qsort(traces.trace, traces.count, sizeof(traces.trace[0]), by_hash);
    for (uint32_t t = 0; t < traces.count && failed < 4; t++) {
        if (!traces.trace[t].failed) continue;
        check_exemplar(row, told++, EXEMPLAR_ERROR, traces.trace[t].id, traces.trace[t].failed_ns);
        failed++;
    }
    if (traces.count == 0) {
        assert_int_equal(row->exemplars, 0);
        return;
    }
    uint64_t median_ns = plain->duration_ns[(plain->spans + 1) / 2 - 1];
    for (uint32_t t = 1; t < traces.count && t < 3; t++) {
        uint32_t away = distance(b->layout.m->scale, traces.trace[t].ns, median_ns);
        if (away < distance(b->layout.m->scale, traces.trace[typical].ns, median_ns)) typical = t;
    }
    check_exemplar(
        row, told++, EXEMPLAR_TYPICAL, traces.trace[typical].id, traces.trace[typical].ns);
    assert_int_equal(row->exemplars, told);
}

struct kind_plain {
    uint64_t hash, count;
    struct bytes type, message;
    const uint8_t *trace_id;
};

static int by_kind_hash(const void *a, const void *b)
{
    const struct kind_plain *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static int by_frequency(const void *a, const void *b)
{
    const struct kind_plain *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return by_kind_hash(a, b);
}

/* All kinds that are kept, the most frequent first. */
static uint32_t kinds_count(const struct bench *b, struct kind_plain kind[SPANS_OF_A_SEED_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < b->spans; i++) {
        const struct span *span = &b->span[i];
        static const struct span_error nothing;
        const struct span_error *error = span->error == NULL ? &nothing : span->error;
        if (span->verdict == SPAN_TOO_LATE || !span->failed) continue;
        uint64_t hash = span_error_hash(error->type, error->message);
        uint32_t k = 0;
        while (k < count && kind[k].hash != hash)
            k++;
        if (k == count)
            kind[count++] =
                (struct kind_plain){hash, 0, error->type, error->message, span->trace_id};
        kind[k].count++;
        if (trace_hash(span->trace_id) < trace_hash(kind[k].trace_id))
            kind[k].trace_id = span->trace_id;
    }
    qsort(kind, count, sizeof(kind[0]), by_kind_hash);
    if (count > 16) count = 16;
    qsort(kind, count, sizeof(kind[0]), by_frequency);
    return count;
}

static void check_error_kinds(
    const struct bench *b, const struct plain *plain, const struct row *row)
{
    static struct kind_plain kind[SPANS_OF_A_SEED_MAX];
    uint32_t count = kinds_count(b, kind);
    uint64_t told = 0;
    assert_int_equal(row->error_kinds, count < 8 ? count : 8);
    for (uint32_t k = 0; k < row->error_kinds; k++) {
        assert_true(bytes_equal(row->error_kind[k].type, kind[k].type));
        assert_true(bytes_equal(row->error_kind[k].message, kind[k].message));
        assert_int_equal(row->error_kind[k].count, kind[k].count);
        assert_memory_equal(row->error_kind[k].trace_id, kind[k].trace_id, TRACE_BYTES);
        told += kind[k].count;
    }
    assert_int_equal(row->errors_else, plain->errors - told);
}

static void law_report(struct bench *b)
{
    static struct plain plain;
    plain_count(&plain, b);
    void *whole = bench_whole(b);
    struct row row = {.start_ns = 0, .end_ns = 10 * INT64_C(1000000000)};
    cell_report(&b->layout, whole, &row);
    assert_int_equal(row.value[COLUMN_SPANS].integer, plain.spans);
    assert_int_equal(row.value[COLUMN_ERRORS].integer, plain.errors);
    assert_int_equal(row.value[COLUMN_LATE].integer, plain.late);
    assert_int_equal(row.value[COLUMN_TOO_LATE].integer, plain.too_late);
    assert_int_equal(row.value[COLUMN_SKEWED].integer, plain.skewed);
    assert_int_equal(row.value[COLUMN_LATENCY_SUM_NS].integer, plain.sum_ns);
    for (uint32_t i = 0; i < b->layout.m->thresholds; i++)
        assert_int_equal(row.value[COLUMN_THRESHOLD + i].integer, plain.within[i]);
    assert_false(row_has(&row, COLUMN_THRESHOLD + (int)b->layout.m->thresholds));
    check_ratios(&plain, &row);
    check_latency(b->layout.m, &plain, &row);
    check_exemplars(b, &plain, &row);
    check_error_kinds(b, &plain, &row);
    bench_free(b, whole);
}

static void a_report_says_what_the_spans_were(void **unused)
{
    (void)unused;
    run(law_report);
}

/*
 * Of the failed traces of two series together, the four whose hashes are least: those that failed in
 * both are in both lists, so what fails along one path is recognised by what it shares.
 */
static void series_that_fail_in_the_same_traces_keep_the_same_ones(void **unused)
{
    (void)unused;
    enum { FAILED = 200, MOST = 4 };
    static struct bench b;
    static uint8_t id[FAILED][TRACE_BYTES];
    struct row row[2] = {{.end_ns = 1}, {.end_ns = 1}};
    uint32_t shared = 0;
    bench_open(&b, &measuring, 1);
    void *cell[2] = {bench_cell(&b), bench_cell(&b)};
    for (int i = 0; i < FAILED; i++) { /* one in four fails in one of them only */
        struct span span = {.trace_id = id[i], .failed = true, .duration_ns = (uint64_t)i};
        memcpy(id[i], &(uint64_t){random_next(&b.random)}, sizeof(uint64_t));
        for (int c = 0; c < 2; c++) {
            if (i % 4 != 0 || i / 4 % 2 == c) cell_fold(&b.layout, cell[c], &span, &b.pool);
        }
    }
    for (int c = 0; c < 2; c++)
        cell_report(&b.layout, cell[c], &row[c]);
    for (int i = 0; i < FAILED; i++) {
        int less = 0, in[2] = {0};
        for (int o = 0; o < FAILED; o++)
            less += trace_hash(id[o]) < trace_hash(id[i]);
        for (int c = 0; c < 2; c++) {
            for (uint32_t e = 0; e < row[c].exemplars; e++)
                in[c] += row[c].exemplar[e].kind == EXEMPLAR_ERROR &&
                         memcmp(row[c].exemplar[e].trace_id, id[i], TRACE_BYTES) == 0;
        }
        if (less < MOST && i % 4 != 0) assert_true(in[0] == 1 && in[1] == 1);
        shared += in[0] == 1 && in[1] == 1;
    }
    assert_in_range(shared, 2, MOST);
    bench_free(&b, cell[0]);
    bench_free(&b, cell[1]);
    bench_close(&b);
}

/* The bytes are what schemas/measures.proto describes. */

/* The traces in order of their hashes, with the lists they must be in. */
static void check_traces(const struct bench *b, struct bytes content)
{
    static struct traces_plain traces;
    struct wire wire = wire_of(content);
    traces_count(&traces, b);
    qsort(traces.trace, traces.count, sizeof(traces.trace[0]), by_hash);
    for (uint32_t t = 0, failed = 0; t < traces.count; t++) {
        const struct trace_plain *trace = &traces.trace[t];
        uint64_t slower = 0, lists = 0, value;
        for (uint32_t o = 0; o < traces.count; o++)
            slower += by_duration(&traces.trace[o], trace) < 0;
        if (slower < 3) lists |= 1;
        if (t < 3) lists |= 2;
        if (trace->failed && failed++ < 4) lists |= 4;
        if (lists == 0) continue;
        assert_true(wire.end - wire.at >= TRACE_BYTES);
        assert_memory_equal(wire.at, trace->id, TRACE_BYTES);
        wire.at += TRACE_BYTES;
        assert_true(wire_varint(&wire, &value) && value == lists);
        if ((lists & 3) != 0) assert_true(wire_varint(&wire, &value) && value == trace->ns);
        if ((lists & 4) != 0) assert_true(wire_varint(&wire, &value) && value == trace->failed_ns);
    }
    assert_ptr_equal(wire.at, wire.end);
}

static void check_kinds(const struct bench *b, struct bytes content)
{
    static struct kind_plain kind[SPANS_OF_A_SEED_MAX];
    uint32_t count = kinds_count(b, kind);
    Weir__ErrorKindsState *kinds =
        weir__error_kinds_state__unpack(NULL, content.size, content.data);
    assert_non_null(kinds);
    assert_int_equal(kinds->n_kind, count);
    qsort(kind, count, sizeof(kind[0]), by_kind_hash);
    for (uint32_t k = 0; k < count; k++) {
        const Weir__ErrorKindsState__Kind *got = kinds->kind[k];
        assert_true(bytes_equal((struct bytes){got->type.data, got->type.len}, kind[k].type));
        assert_true(
            bytes_equal((struct bytes){got->message.data, got->message.len}, kind[k].message));
        assert_int_equal(got->count, kind[k].count);
        assert_int_equal(got->trace_id.len, TRACE_BYTES);
        assert_memory_equal(got->trace_id.data, kind[k].trace_id, TRACE_BYTES);
    }
    weir__error_kinds_state__free_unpacked(kinds, NULL);
}

static void check_message(const struct bench *b, uint32_t wire_id, struct bytes content)
{
    static struct plain plain;
    plain_count(&plain, b);
    if (wire_id == 16) {
        Weir__CountState *count = weir__count_state__unpack(NULL, content.size, content.data);
        assert_non_null(count);
        assert_int_equal(count->spans, plain.spans);
        assert_int_equal(count->late, plain.late);
        assert_int_equal(count->too_late, plain.too_late);
        assert_int_equal(count->skewed, plain.skewed);
        weir__count_state__free_unpacked(count, NULL);
    } else if (wire_id == 17) {
        Weir__ErrorsState *errors = weir__errors_state__unpack(NULL, content.size, content.data);
        assert_non_null(errors);
        assert_int_equal(errors->errors, plain.errors);
        weir__errors_state__free_unpacked(errors, NULL);
    } else if (wire_id == 19) {
        check_traces(b, content);
    } else if (wire_id == 20) {
        check_kinds(b, content);
    } else {
        assert_int_equal(wire_id, 18);
        Weir__LatencyState *latency = weir__latency_state__unpack(NULL, content.size, content.data);
        assert_non_null(latency);
        assert_int_equal(latency->sum_ns, plain.sum_ns);
        assert_int_equal(latency->min_ns, plain.duration_ns[0]);
        assert_int_equal(latency->max_ns, plain.duration_ns[plain.spans - 1]);
        assert_int_equal(latency->n_threshold, b->layout.m->thresholds);
        for (uint32_t i = 0; i < b->layout.m->thresholds; i++)
            assert_int_equal(latency->threshold[i], plain.within[i]);
        assert_true(latency->sketch.len > 0);
        weir__latency_state__free_unpacked(latency, NULL);
    }
}

static void law_proto(struct bench *b)
{
    void *whole = bench_whole(b);
    struct buffer out = {0};
    cell_encode(&b->layout, whole, &out);
    struct wire wire = wire_of(buffer_bytes(&out));
    struct wire_field field;
    int found;
    while ((found = wire_next(&wire, &field)) == 1)
        check_message(b, field.number, field.bytes);
    assert_int_equal(found, 0);
    buffer_release(&out);
    bench_free(b, whole);
}

static void bytes_are_what_the_proto_says(void **unused)
{
    (void)unused;
    run(law_proto);
}

static void law_cell_sketch(struct bench *b)
{
    static struct plain plain;
    plain_count(&plain, b);
    void *whole = bench_whole(b);
    struct buffer out = {0}, wanted = {0};
    struct sketch sketch = {0};
    cell_sketch(&b->layout, whole, &out);
    for (uint64_t i = 0; i < plain.spans; i++)
        sketch_add(&sketch, sketch_index(b->layout.m->scale, plain.duration_ns[i]), 1, &b->pool);
    sketch_encode(&sketch, b->layout.m->scale, &wanted);
    assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&wanted)));
    assert_int_equal(out.size == 0, plain.spans == 0);
    sketch_release(&sketch, &b->pool);
    buffer_release(&out);
    buffer_release(&wanted);
    bench_free(b, whole);
}

static void a_row_can_carry_the_sketch(void **unused)
{
    (void)unused;
    run(law_cell_sketch);
}

static void the_table_is_in_order(void **unused)
{
    (void)unused;
    struct cell_layout layout;
    cell_layout_init(&layout, &measuring);
    assert_string_equal(measures[0]->name, "count");
    for (uint32_t i = 0; i < layout.count; i++) {
        assert_int_equal(measures[i]->wire_id, 16 + i);
        assert_int_equal(measures[i]->state_bytes(&measuring) % 8, 0);
        assert_int_equal(layout.offset[i] % 8, 0);
    }
    assert_null(measures[layout.count]);
    cell_free(&layout, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_empty),
        cmocka_unit_test(merge_gives_the_whole_in_any_order),
        cmocka_unit_test(merge_gives_the_whole_in_any_grouping),
        cmocka_unit_test(subtract_undoes_merge_to_the_bit),
        cmocka_unit_test(subtract_says_what_must_be_folded_again),
        cmocka_unit_test(a_slice_that_gave_nothing_leaves_nothing_to_refold),
        cmocka_unit_test(a_sliding_sum_is_the_sum_of_its_slices),
        cmocka_unit_test(decode_undoes_encode),
        cmocka_unit_test(encode_is_canonical_whatever_the_history),
        cmocka_unit_test(a_refusal_leaves_no_trace),
        cmocka_unit_test(content_that_cannot_be_is_refused),
        cmocka_unit_test(traces_that_cannot_be_are_refused),
        cmocka_unit_test(lists_that_are_too_long_are_refused),
        cmocka_unit_test(kinds_that_cannot_be_are_refused),
        cmocka_unit_test(a_report_says_what_the_spans_were),
        cmocka_unit_test(series_that_fail_in_the_same_traces_keep_the_same_ones),
        cmocka_unit_test(bytes_are_what_the_proto_says),
        cmocka_unit_test(a_row_can_carry_the_sketch),
        cmocka_unit_test(the_table_is_in_order),
    };
    return cmocka_run_group_tests_name("measure laws", tests, NULL, NULL);
}
