/*
 * count: how many spans there were, and how many of them came late or at odds with the clock.
 *
 * Spans that came too late for their pane are counted where they arrived, apart from the others:
 * a row says how complete it is.
 */
#include "operators/fields.h"
#include "operators/measure.h"

#define SECOND_NS 1e9

enum { COUNT_FIELDS = 4 };

struct count {
    uint64_t spans;
    uint64_t late;     /* of `spans` */
    uint64_t too_late; /* not in `spans` */
    uint64_t skewed;   /* of `spans` */
};
_Static_assert(sizeof(struct count) == COUNT_FIELDS * sizeof(uint64_t), "fields of CountState");

static size_t count_state_bytes(const struct measuring *m)
{
    (void)m;
    return sizeof(struct count);
}

static void count_fold(
    const struct measuring *m, void *restrict state, const struct span *span, struct pool *pool)
{
    (void)m, (void)pool;
    struct count *c = state;
    if (span->verdict == SPAN_TOO_LATE) {
        c->too_late++;
        return;
    }
    c->spans++;
    c->late += span->verdict == SPAN_LATE;
    c->skewed += span->skewed;
}

static void count_merge(
    const struct measuring *m, void *restrict state, const void *restrict other, struct pool *pool)
{
    (void)m, (void)pool;
    struct count *c = state;
    const struct count *o = other;
    c->spans += o->spans;
    c->late += o->late;
    c->too_late += o->too_late;
    c->skewed += o->skewed;
}

static bool count_subtract(
    const struct measuring *m, void *restrict state, const void *restrict part, struct pool *pool)
{
    (void)m, (void)pool;
    struct count *c = state;
    const struct count *p = part;
    c->spans -= p->spans;
    c->late -= p->late;
    c->too_late -= p->too_late;
    c->skewed -= p->skewed;
    return false;
}

static void count_encode(const struct measuring *m, const void *state, struct buffer *out)
{
    (void)m;
    fields_encode(state, COUNT_FIELDS, out);
}

static enum status count_merge_encoded(const struct measuring *m, void *state, struct bytes encoded,
    struct pool *pool, struct error *err)
{
    uint64_t value[COUNT_FIELDS];
    enum status status = fields_decode(encoded, "count", value, COUNT_FIELDS, err);
    if (status != ST_OK) return status;

    struct count other = {value[0], value[1], value[2], value[3]};
    if (other.late > other.spans || other.skewed > other.spans) {
        return error_set(err, ST_SKIP, 0,
            "count: the state has more late or skewed spans than spans. It was damaged or written "
            "by something else.");
    }
    count_merge(m, state, &other, pool);
    return ST_OK;
}

static void count_report(const struct measuring *m, const void *state, struct row *row)
{
    (void)m;
    const struct count *c = state;
    row_set_integer(row, COLUMN_SPANS, c->spans);
    row_set_integer(row, COLUMN_LATE, c->late);
    row_set_integer(row, COLUMN_TOO_LATE, c->too_late);
    row_set_integer(row, COLUMN_SKEWED, c->skewed);

    double seconds = (double)(row->end_ns - row->start_ns) / SECOND_NS;
    if (seconds > 0) row_set_number(row, COLUMN_RATE_PER_S, (double)c->spans / seconds);
    double known = (double)c->spans + (double)c->too_late;
    if (known > 0) row_set_number(row, COLUMN_CAPTURE_RATIO, (double)c->spans / known);
}

extern const struct measure measure_count;
const struct measure measure_count = {
    .name = "count",
    .wire_id = 16,
    .sees_too_late = true,
    .state_bytes = count_state_bytes,
    .fold = count_fold,
    .merge = count_merge,
    .subtract = count_subtract,
    .encode = count_encode,
    .merge_encoded = count_merge_encoded,
    .report = count_report,
};
