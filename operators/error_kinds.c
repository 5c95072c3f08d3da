/*
 * error_kinds: how failed spans failed: for each kind (exception type or code, masked message) how
 * many, and one trace.
 *
 *   1. Of more than KINDS_MAX kinds those are kept whose hashes are least; equal hashes are in order
 *      of the texts. What is among the least of all is among the least of any part it is in: so each
 *      kept kind is counted in full, whatever the order.
 *   2. Spans of other kinds are the rest of `errors`, and need no count of their own.
 *   3. A kind's trace is the one whose id has the least hash, then the least id.
 *
 * What one span says is told apart by schemas/mask.h; a failed span that says nothing is of a kind of
 * its own, with empty texts.
 */
#include "engine/base/hash.h"
#include "operators/measure.h"
#include "schemas/mask.h"
#include "schemas/wire.h"

enum { TRACE_BYTES = 16, KINDS_MAX = 16 };
enum { KIND = 1 };
enum { KIND_TYPE = 1, KIND_MESSAGE, KIND_COUNT_OF, KIND_TRACE_ID };

/* In the pool, in a list by rule 1. */
struct kind {
    struct kind *next;
    uint64_t hash;
    uint64_t count;
    uint8_t trace_id[TRACE_BYTES];
    uint8_t type_size, message_size; /* of `text`: type, then message */
    uint8_t text[];
};

struct error_kinds {
    struct kind *first;
    uint64_t
        last_hash; /* of KINDS_MAX kinds the greatest; flipped, so that 0 is: there are fewer */
};

/* A kind as it comes in. */
struct failure {
    uint64_t hash;
    struct bytes type, message;
    uint64_t count;
    const uint8_t *trace_id;
};

static struct bytes type_of(const struct kind *kind)
{
    return (struct bytes){kind->text, kind->type_size};
}

static struct bytes message_of(const struct kind *kind)
{
    return (struct bytes){kind->text + kind->type_size, kind->message_size};
}

static struct failure failure_of(const struct kind *kind)
{
    return (struct failure){.hash = kind->hash,
        .type = type_of(kind),
        .message = message_of(kind),
        .count = kind->count,
        .trace_id = kind->trace_id};
}

static size_t kind_bytes(size_t type_size, size_t message_size)
{
    return offsetof(struct kind, text) + type_size + message_size;
}

static void kind_give(struct kind *kind, struct pool *pool)
{
    pool_give(pool, kind, kind_bytes(kind->type_size, kind->message_size));
}

static int bytes_order(struct bytes a, struct bytes b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Rule 1: below 0 where the failure comes before the kind, 0 where it is of that kind. */
static int failure_order(const struct failure *failure, const struct kind *kind)
{
    if (failure->hash != kind->hash) return failure->hash < kind->hash ? -1 : 1;
    int order = bytes_order(failure->type, type_of(kind));
    return order != 0 ? order : bytes_order(failure->message, message_of(kind));
}

/* Rule 3. */
static bool is_better_trace(const uint8_t *id, const uint8_t *than)
{
    uint64_t left = hash_stable((struct bytes){id, TRACE_BYTES});
    uint64_t right = hash_stable((struct bytes){than, TRACE_BYTES});
    return left != right ? left < right : memcmp(id, than, TRACE_BYTES) < 0;
}

static struct kind *kind_new(const struct failure *failure, struct kind *next, struct pool *pool)
{
    struct kind *kind = pool_take(pool, kind_bytes(failure->type.size, failure->message.size));
    *kind = (struct kind){.next = next,
        .hash = failure->hash,
        .count = failure->count,
        .type_size = (uint8_t)failure->type.size,
        .message_size = (uint8_t)failure->message.size};
    memcpy(kind->trace_id, failure->trace_id, TRACE_BYTES);
    if (failure->type.size != 0) memcpy(kind->text, failure->type.data, failure->type.size);
    if (failure->message.size != 0)
        memcpy(kind->text + failure->type.size, failure->message.data, failure->message.size);
    return kind;
}

/* Drop the kind behind the first KINDS_MAX, if there is one. */
static void cut(struct error_kinds *kinds, struct pool *pool)
{
    struct kind *last = kinds->first;
    for (uint32_t i = 1; i < KINDS_MAX && last != NULL; i++)
        last = last->next;
    if (last == NULL) return;
    kinds->last_hash = ~last->hash;
    if (last->next != NULL) kind_give(last->next, pool);
    last->next = NULL;
}

static void add(struct error_kinds *kinds, const struct failure *failure, struct pool *pool)
{
    if (failure->hash > ~kinds->last_hash) return;
    struct kind **at = &kinds->first;
    uint32_t before = 0;
    int order = -1;
    for (; *at != NULL && (order = failure_order(failure, *at)) > 0; at = &(*at)->next)
        before++;
    if (before == KINDS_MAX) return;
    if (*at == NULL || order != 0) {
        *at = kind_new(failure, *at, pool);
        cut(kinds, pool);
        return;
    }
    (*at)->count += failure->count;
    if (is_better_trace(failure->trace_id, (*at)->trace_id))
        memcpy((*at)->trace_id, failure->trace_id, TRACE_BYTES);
}

static struct bytes error_kinds_outgrown(const void *state, const struct span *span)
{
    const struct kind *first = ((const struct error_kinds *)state)->first;
    if (span != NULL && !span->failed) return (struct bytes){0};
    return (struct bytes){(const uint8_t *)first, first == NULL ? 0 : sizeof(*first)};
}

static size_t error_kinds_state_bytes(const struct measuring *m)
{
    (void)m;
    return sizeof(struct error_kinds);
}

static void error_kinds_fold(
    const struct measuring *m, void *restrict state, const struct span *span, struct pool *pool)
{
    (void)m;
    if (!span->failed) return;
    struct failure failure = {.count = 1, .trace_id = span->trace_id};
    if (span->error != NULL) {
        failure.hash = span->error->hash;
        failure.type = span->error->type;
        failure.message = span->error->message;
    } else {
        failure.hash = span_error_hash(failure.type, failure.message);
    }
    add(state, &failure, pool);
}

static void error_kinds_merge(
    const struct measuring *m, void *restrict state, const void *restrict other, struct pool *pool)
{
    (void)m;
    const struct error_kinds *o = other;
    for (const struct kind *kind = o->first; kind != NULL; kind = kind->next) {
        struct failure failure = failure_of(kind);
        add(state, &failure, pool);
    }
}

/* Nothing that the part counted can be told from what was dropped, so its kinds are counted again. */
static bool error_kinds_subtract(
    const struct measuring *m, void *restrict state, const void *restrict part, struct pool *pool)
{
    (void)m, (void)state, (void)pool;
    return ((const struct error_kinds *)part)->first != NULL;
}

static void error_kinds_release(const struct measuring *m, void *state, struct pool *pool)
{
    (void)m;
    struct error_kinds *kinds = state;
    while (kinds->first != NULL) {
        struct kind *gone = kinds->first;
        kinds->first = gone->next;
        kind_give(gone, pool);
    }
    kinds->last_hash = 0;
}

static void error_kinds_refold_begin(
    const struct measuring *m, void *restrict state, struct pool *pool)
{
    error_kinds_release(m, state, pool);
}

static void error_kinds_encode(const struct measuring *m, const void *state, struct buffer *out)
{
    (void)m;
    const struct error_kinds *kinds = state;
    for (const struct kind *kind = kinds->first; kind != NULL; kind = kind->next) {
        size_t mark = wire_open(out, KIND);
        if (kind->type_size != 0) wire_put_bytes(out, KIND_TYPE, type_of(kind));
        if (kind->message_size != 0) wire_put_bytes(out, KIND_MESSAGE, message_of(kind));
        wire_put_uint(out, KIND_COUNT_OF, kind->count);
        wire_put_bytes(out, KIND_TRACE_ID, (struct bytes){kind->trace_id, TRACE_BYTES});
        wire_close(out, mark);
    }
}

static bool field_read(const struct wire_field *field, struct failure *failure)
{
    if (field->type != (field->number == KIND_COUNT_OF ? WIRE_VARINT : WIRE_BYTES)) return false;
    switch (field->number) {
    case KIND_TYPE:
        failure->type = field->bytes;
        return field->bytes.size <= MASK_BYTES_MAX;
    case KIND_MESSAGE:
        failure->message = field->bytes;
        return field->bytes.size <= MASK_BYTES_MAX;
    case KIND_COUNT_OF:
        failure->count = field->value;
        return field->value <= MEASURE_COUNT_MAX;
    case KIND_TRACE_ID:
        failure->trace_id = field->bytes.data;
        return field->bytes.size == TRACE_BYTES;
    }
    return false;
}

static bool kind_read(struct wire wire, struct failure *failure)
{
    struct wire_field field;
    int more;
    *failure = (struct failure){0};
    while ((more = wire_next(&wire, &field)) > 0) {
        if (!field_read(&field, failure)) return false;
    }
    failure->hash = span_error_hash(failure->type, failure->message);
    return more == 0 && failure->count > 0 && failure->trace_id != NULL;
}

/* Read all of it before any is believed. returns  how many; -1: malformed */
static int kinds_read(struct bytes encoded, struct failure failure[KINDS_MAX])
{
    struct wire wire = wire_of(encoded);
    struct wire_field field;
    int kinds = 0, more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number != KIND || field.type != WIRE_BYTES || kinds == KINDS_MAX) return -1;
        if (!kind_read(wire_inside(&wire, field.bytes), &failure[kinds++])) return -1;
    }
    return more == 0 ? kinds : -1;
}

static enum status error_kinds_merge_encoded(const struct measuring *m, void *state,
    struct bytes encoded, struct pool *pool, struct error *err)
{
    (void)m;
    struct failure failure[KINDS_MAX];
    int kinds = kinds_read(encoded, failure);
    if (kinds < 0) {
        return error_set(err, ST_SKIP, 0,
            "error_kinds: the state of %zu bytes is malformed, or holds more than %d kinds. It was "
            "damaged or written by something else.",
            encoded.size, KINDS_MAX);
    }
    for (int i = 0; i < kinds; i++)
        add(state, &failure[i], pool);
    return ST_OK;
}

/* Put a kind among the most frequent of a row, behind those that are no rarer. */
static void report(struct row *row, const struct kind *kind)
{
    uint32_t to = row->error_kinds;
    while (to > 0 && row->error_kind[to - 1].count < kind->count)
        to--;
    if (to == ERROR_KINDS_MAX) return;
    if (row->error_kinds < ERROR_KINDS_MAX) row->error_kinds++;
    for (uint32_t i = row->error_kinds - 1; i > to; i--)
        row->error_kind[i] = row->error_kind[i - 1];
    row->error_kind[to] = (struct error_kind){
        .type = type_of(kind), .message = message_of(kind), .count = kind->count};
    memcpy(row->error_kind[to].trace_id, kind->trace_id, TRACE_BYTES);
}

/* How many failed is the errors measure's, which reports before this one. */
static void error_kinds_report(const struct measuring *m, const void *state, struct row *row)
{
    (void)m;
    const struct error_kinds *kinds = state;
    uint64_t told = 0, errors = row->value[COLUMN_ERRORS].integer;
    row->error_kinds = 0;
    for (const struct kind *kind = kinds->first; kind != NULL; kind = kind->next)
        report(row, kind);
    for (uint32_t i = 0; i < row->error_kinds; i++)
        told += row->error_kind[i].count;
    row->errors_else = errors > told ? errors - told : 0;
}

extern const struct measure measure_error_kinds;
const struct measure measure_error_kinds = {
    .name = "error_kinds",
    .wire_id = 20,
    .state_bytes = error_kinds_state_bytes,
    .fold = error_kinds_fold,
    .merge = error_kinds_merge,
    .subtract = error_kinds_subtract,
    .refold_begin = error_kinds_refold_begin,
    .refold = error_kinds_merge,
    .release = error_kinds_release,
    .outgrown = error_kinds_outgrown,
    .encode = error_kinds_encode,
    .merge_encoded = error_kinds_merge_encoded,
    .report = error_kinds_report,
};
