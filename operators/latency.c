/*
 * latency: how long spans took: sum, minimum, maximum, how many were no slower than each threshold,
 * and the sketch that quantiles are read from.
 *
 * Thresholds are counted apart from the sketch, because its buckets meet a threshold only within
 * their width and an objective is either met or not.
 */
#include "operators/measure.h"
#include "operators/sketch.h"
#include "schemas/wire.h"

#include <assert.h>
#include <math.h>

#define MS_NS 1e6

struct latency {
    struct sketch sketch;
    uint64_t sum_ns;      /* modulo 2^64: 584 years of span time in one window */
    uint64_t min_flipped; /* ~min: 0 while empty, and merged by the larger, as max is */
    uint64_t max_ns;
    uint64_t within[]; /* [m->thresholds]: spans no slower than threshold_ns[i] */
};
_Static_assert(sizeof(struct latency) % 8 == 0, "state is a multiple of 8 bytes");

enum { LATENCY_SUM = 1, LATENCY_MIN, LATENCY_MAX, LATENCY_WITHIN, LATENCY_SKETCH };

static size_t latency_state_bytes(const struct measuring *m)
{
    assert(m->thresholds <= THRESHOLDS_MAX);
    return sizeof(struct latency) + m->thresholds * sizeof(uint64_t);
}

static void latency_fold(
    const struct measuring *m, void *restrict state, const struct span *span, struct pool *pool)
{
    struct latency *l = state;
    uint64_t duration_ns = span->duration_ns;
    assert(duration_ns <= SPAN_DURATION_NS_MAX);

    l->sum_ns += duration_ns;
    if (~duration_ns > l->min_flipped) l->min_flipped = ~duration_ns;
    if (duration_ns > l->max_ns) l->max_ns = duration_ns;
    for (uint32_t i = 0; i < m->thresholds; i++)
        l->within[i] += duration_ns <= m->threshold_ns[i];
    sketch_add(&l->sketch, sketch_index(m->scale, duration_ns), 1, pool);
}

static void latency_refold_begin(const struct measuring *m, void *restrict state, struct pool *pool)
{
    (void)m, (void)pool;
    struct latency *l = state;
    l->min_flipped = 0;
    l->max_ns = 0;
}

static void latency_refold(
    const struct measuring *m, void *restrict state, const void *restrict slice, struct pool *pool)
{
    (void)m, (void)pool;
    struct latency *l = state;
    const struct latency *s = slice;
    if (s->min_flipped > l->min_flipped) l->min_flipped = s->min_flipped;
    if (s->max_ns > l->max_ns) l->max_ns = s->max_ns;
}

static void latency_merge(
    const struct measuring *m, void *restrict state, const void *restrict other, struct pool *pool)
{
    struct latency *l = state;
    const struct latency *o = other;
    latency_refold(m, state, other, pool);
    l->sum_ns += o->sum_ns;
    for (uint32_t i = 0; i < m->thresholds; i++)
        l->within[i] += o->within[i];
    sketch_merge(&l->sketch, &o->sketch, pool);
}

static bool latency_subtract(
    const struct measuring *m, void *restrict state, const void *restrict part, struct pool *pool)
{
    struct latency *l = state;
    const struct latency *p = part;
    l->sum_ns -= p->sum_ns;
    for (uint32_t i = 0; i < m->thresholds; i++)
        l->within[i] -= p->within[i];
    sketch_subtract(&l->sketch, &p->sketch, pool);
    return p->min_flipped == l->min_flipped || p->max_ns == l->max_ns;
}

static void latency_release(const struct measuring *m, void *state, struct pool *pool)
{
    (void)m;
    struct latency *l = state;
    sketch_release(&l->sketch, pool);
}

const struct sketch *latency_sketch(const void *state)
{
    const struct latency *l = state;
    return &l->sketch;
}

void latency_sketch_encode(const struct measuring *m, const void *state, struct buffer *out)
{
    const struct latency *l = state;
    sketch_encode(&l->sketch, m->scale, out);
}

static void latency_encode(const struct measuring *m, const void *state, struct buffer *out)
{
    const struct latency *l = state;
    if (sketch_count(&l->sketch) == 0) return;
    if (l->sum_ns != 0) wire_put_uint(out, LATENCY_SUM, l->sum_ns);
    if (~l->min_flipped != 0) wire_put_uint(out, LATENCY_MIN, ~l->min_flipped);
    if (l->max_ns != 0) wire_put_uint(out, LATENCY_MAX, l->max_ns);
    if (m->thresholds != 0) {
        size_t mark = wire_open(out, LATENCY_WITHIN);
        for (uint32_t i = 0; i < m->thresholds; i++)
            wire_put_varint(out, l->within[i]);
        wire_close(out, mark);
    }
    size_t mark = wire_open(out, LATENCY_SKETCH);
    sketch_encode(&l->sketch, m->scale, out);
    wire_close(out, mark);
}

/* What an encoded state says, before any of it is believed. */
struct latency_read {
    uint64_t sum_ns, min_ns, max_ns;
    uint64_t within[THRESHOLDS_MAX];
    uint32_t withins;
    struct bytes sketch;
};

/* Slower thresholds hold at least what faster ones do. */
static bool read_within(struct latency_read *read, struct bytes packed)
{
    struct wire wire = wire_of(packed);
    for (read->withins = 0; wire.at < wire.end; read->withins++) {
        if (read->withins == THRESHOLDS_MAX) return false;
        uint64_t *count = &read->within[read->withins];
        if (!wire_varint(&wire, count) || *count > MEASURE_COUNT_MAX) return false;
        if (read->withins > 0 && *count < count[-1]) return false;
    }
    return true;
}

static bool read_field(struct latency_read *read, const struct wire_field *field)
{
    bool number = field->number <= LATENCY_MAX;
    if (field->type != (number ? WIRE_VARINT : WIRE_BYTES)) return false;
    switch (field->number) {
    case LATENCY_SUM:
        read->sum_ns = field->value;
        return true;
    case LATENCY_MIN:
        read->min_ns = field->value;
        return true;
    case LATENCY_MAX:
        read->max_ns = field->value;
        return true;
    case LATENCY_WITHIN:
        return read_within(read, field->bytes);
    case LATENCY_SKETCH:
        read->sketch = field->bytes;
        return true;
    default:
        return false;
    }
}

static enum status read_fields(struct latency_read *read, struct bytes encoded, struct error *err)
{
    struct wire wire = wire_of(encoded);
    struct wire_field field = {0};
    int found;
    while ((found = wire_next(&wire, &field)) == 1) {
        if (!read_field(read, &field)) break;
    }
    if (found == 0) return ST_OK;
    return error_set(err, ST_SKIP, 0,
        "latency: the state is malformed near byte %zu of %zu. It was damaged or written by "
        "something else.",
        wire_offset(&wire), encoded.size);
}

static enum status read_check(
    const struct latency_read *read, const struct measuring *m, struct error *err)
{
    if (read->withins != m->thresholds) {
        return error_set(err, ST_SKIP, 0,
            "latency: the state counts %u thresholds, want %u as in the plan. It was written under "
            "another one.",
            read->withins, m->thresholds);
    }
    if (read->min_ns > read->max_ns || read->max_ns > SPAN_DURATION_NS_MAX) {
        return error_set(err, ST_SKIP, 0,
            "latency: the state has a minimum of %llu ns and a maximum of %llu ns, want 0 <= "
            "minimum <= maximum <= 24 h",
            (unsigned long long)read->min_ns, (unsigned long long)read->max_ns);
    }
    if (read->sketch.size == 0)
        return error_set(err, ST_SKIP, 0, "latency: the state has no sketch, want one");
    return ST_OK;
}

static enum status latency_merge_encoded(const struct measuring *m, void *state,
    struct bytes encoded, struct pool *pool, struct error *err)
{
    if (encoded.size == 0) return ST_OK;

    struct latency *l = state;
    struct latency_read read = {0};
    enum status status = read_fields(&read, encoded, err);
    if (status == ST_OK) status = read_check(&read, m, err);
    if (status == ST_OK)
        status = sketch_merge_encoded(&l->sketch, m->scale, read.sketch, pool, err);
    if (status != ST_OK) return status;

    l->sum_ns += read.sum_ns;
    if (~read.min_ns > l->min_flipped) l->min_flipped = ~read.min_ns;
    if (read.max_ns > l->max_ns) l->max_ns = read.max_ns;
    for (uint32_t i = 0; i < m->thresholds; i++)
        l->within[i] += read.within[i];
    return ST_OK;
}

/* source  Apdex Technical Specification 1.1: (satisfied + tolerating / 2) / all */
static void report_apdex(const struct measuring *m, const struct latency *l, struct row *row)
{
    if (m->apdex < 0) return;
    double satisfied = (double)l->within[m->apdex];
    double tolerating = (double)l->within[m->apdex_tolerating] - satisfied;
    row_set_number(
        row, COLUMN_APDEX, (satisfied + tolerating / 2) / (double)sketch_count(&l->sketch));
}

static void report_quantiles(const struct measuring *m, const struct latency *l, struct row *row)
{
    double min_ms = (double)~l->min_flipped / MS_NS, max_ms = (double)l->max_ns / MS_NS;
    double ms[QUANTILES_MAX];
    sketch_quantiles(&l->sketch, m->scale, m->quantile, m->quantiles, ms);
    for (uint32_t i = 0; i < m->quantiles; i++) {
        row_set_number(row, COLUMN_QUANTILE + (int)i, fmin(fmax(ms[i], min_ms), max_ms));
    }
    row_set_number(row, COLUMN_LATENCY_MIN_MS, min_ms);
    row_set_number(row, COLUMN_LATENCY_MAX_MS, max_ms);
}

static void latency_report(const struct measuring *m, const void *state, struct row *row)
{
    const struct latency *l = state;
    row->latency = &l->sketch;
    row_set_integer(row, COLUMN_LATENCY_SUM_NS, l->sum_ns);
    for (uint32_t i = 0; i < m->thresholds; i++)
        row_set_integer(row, COLUMN_THRESHOLD + (int)i, l->within[i]);

    uint64_t spans = sketch_count(&l->sketch);
    if (spans == 0) return;
    row_set_number(row, COLUMN_LATENCY_MEAN_MS, (double)l->sum_ns / (double)spans / MS_NS);
    report_quantiles(m, l, row);
    report_apdex(m, l, row);
}

extern const struct measure measure_latency;
const struct measure measure_latency = {
    .name = "latency",
    .wire_id = 18,
    .state_bytes = latency_state_bytes,
    .fold = latency_fold,
    .merge = latency_merge,
    .subtract = latency_subtract,
    .refold_begin = latency_refold_begin,
    .refold = latency_refold,
    .release = latency_release,
    .encode = latency_encode,
    .merge_encoded = latency_merge_encoded,
    .report = latency_report,
};
