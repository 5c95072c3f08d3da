/* errors: how many spans failed, by their status code. */
#include "operators/fields.h"
#include "operators/measure.h"

struct errors {
    uint64_t failed;
};

static size_t errors_state_bytes(const struct measuring *m)
{
    (void)m;
    return sizeof(struct errors);
}

static void errors_fold(
    const struct measuring *m, void *restrict state, const struct span *span, struct pool *pool)
{
    (void)m, (void)pool;
    struct errors *e = state;
    e->failed += span->failed;
}

static void errors_merge(
    const struct measuring *m, void *restrict state, const void *restrict other, struct pool *pool)
{
    (void)m, (void)pool;
    struct errors *e = state;
    e->failed += ((const struct errors *)other)->failed;
}

static bool errors_subtract(
    const struct measuring *m, void *restrict state, const void *restrict part, struct pool *pool)
{
    (void)m, (void)pool;
    struct errors *e = state;
    e->failed -= ((const struct errors *)part)->failed;
    return false;
}

static void errors_encode(const struct measuring *m, const void *state, struct buffer *out)
{
    (void)m;
    fields_encode(state, 1, out);
}

static enum status errors_merge_encoded(const struct measuring *m, void *state,
    struct bytes encoded, struct pool *pool, struct error *err)
{
    struct errors other;
    enum status status = fields_decode(encoded, "errors", &other.failed, 1, err);
    if (status == ST_OK) errors_merge(m, state, &other, pool);
    return status;
}

/* The number of spans is the count measure's, which reports before this one. */
static void errors_report(const struct measuring *m, const void *state, struct row *row)
{
    (void)m;
    const struct errors *e = state;
    row_set_integer(row, COLUMN_ERRORS, e->failed);
    if (!row_has(row, COLUMN_SPANS) || row->value[COLUMN_SPANS].integer == 0) return;
    row_set_number(row, COLUMN_ERROR_RATIO, (double)e->failed / row_number(row, COLUMN_SPANS));
}

extern const struct measure measure_errors;
const struct measure measure_errors = {
    .name = "errors",
    .wire_id = 17,
    .state_bytes = errors_state_bytes,
    .fold = errors_fold,
    .merge = errors_merge,
    .subtract = errors_subtract,
    .encode = errors_encode,
    .merge_encoded = errors_merge_encoded,
    .report = errors_report,
};
