/*
 * exemplar: traces worth looking at. Of the traces that have a span here, three lists:
 *
 *   slow     those whose slowest span is slowest
 *   typical  those whose ids have the least hashes, of all
 *   failed   those whose ids have the least hashes, of the ones with a failed span
 *
 *   1. A trace counts once, by its slowest span; in `failed` by its slowest failed span.
 *   2. Equal durations and equal hashes are in order of the trace id. So each list is a function of
 *      the set of spans: whatever is among the first of all is among the first of any part it is in.
 *   3. The hash has no seed and is the same everywhere, so series that fail in the same traces keep
 *      the same ones. Take the four failed traces of two series together whose hashes are least:
 *      those of them that failed in both are in both lists. So the share that two lists have in
 *      common estimates the share that the series have, and what fails along one call path is known
 *      by it.
 *
 * source  Cohen and Kaplan, Summarizing data using bottom-k sketches, 2007
 */
#include "engine/base/hash.h"
#include "operators/measure.h"
#include "operators/sketch.h"
#include "schemas/wire.h"

#include <assert.h>

enum { TRACE_BYTES = 16 };
enum list { SLOW, TYPICAL, FAILED, LISTS };
static const uint8_t list_max[LISTS] = {3, 3, 4};

struct trace {
    uint8_t id[TRACE_BYTES];
    uint64_t ns;
};

/* A zeroed one is empty. What most spans are told by stands here; the traces are in the pool. */
struct exemplars {
    struct trace *trace;   /* list after list, as `rooms` says; NULL at level 0 */
    struct trace only;     /* level 0: the one trace, for all lists that hold one */
    uint64_t slow_ns;      /* a full `slow` takes nothing faster */
    uint64_t typical_hash; /* a full `typical` takes no greater hash; flipped, so that 0 is none */
    uint8_t count[LISTS];
    uint8_t level; /* index in `rooms` */
    uint8_t unused[4];
};
_Static_assert(sizeof(struct exemplars) % 8 == 0, "state is a multiple of 8 bytes");

/* Most cells of a stage 1 epoch hold one span, and few a failed one. Level 1 has room for all of level 0. */
static const uint8_t rooms[][LISTS] = {{1, 1, 1}, {2, 2, 1}, {3, 3, 2}, {3, 3, 4}};

static uint64_t hash_of(const uint8_t *id)
{
    return hash_stable((struct bytes){id, TRACE_BYTES});
}

static size_t pool_bytes(unsigned level)
{
    const uint8_t *room = rooms[level];
    size_t traces = level == 0 ? 0 : (size_t)room[SLOW] + room[TYPICAL] + room[FAILED];
    return traces * sizeof(struct trace);
}

static struct trace *list_of(struct exemplars *e, enum list list)
{
    const uint8_t *room = rooms[e->level];
    if (e->level == 0) return &e->only;
    return e->trace + (list == SLOW         ? 0
                          : list == TYPICAL ? room[SLOW]
                                            : room[SLOW] + room[TYPICAL]);
}

static const struct trace *list_in(const struct exemplars *e, enum list list)
{
    return list_of((struct exemplars *)e, list);
}

/* Whether `a` comes before `b` in a list (rules 1 and 2). */
static bool is_before(enum list list, const struct trace *a, const struct trace *b)
{
    if (list == SLOW) {
        if (a->ns != b->ns) return a->ns > b->ns;
    } else {
        uint64_t left = hash_of(a->id), right = hash_of(b->id);
        if (left != right) return left < right;
    }
    return memcmp(a->id, b->id, TRACE_BYTES) < 0;
}

static void grow(struct exemplars *e, unsigned level, struct pool *pool)
{
    struct exemplars wider = *e;
    wider.level = (uint8_t)level;
    wider.trace = pool_take(pool, pool_bytes(level));
    for (enum list list = SLOW; list < LISTS; list++)
        memcpy(list_of(&wider, list), list_of(e, list), e->count[list] * sizeof(*e->trace));
    pool_give(pool, e->trace, pool_bytes(e->level));
    *e = wider;
}

/* Room for one more in a list that is not full. */
static void make_room(struct exemplars *e, enum list list, struct pool *pool)
{
    unsigned level = e->level;
    while (rooms[level][list] == e->count[list])
        level++;
    if (level != e->level) grow(e, level, pool);
}

static bool is_trace(const struct trace *a, const struct trace *b)
{
    return memcmp(a->id, b->id, TRACE_BYTES) == 0;
}

static bool is_empty(const struct exemplars *e)
{
    return e->count[SLOW] + e->count[TYPICAL] + e->count[FAILED] == 0;
}

/* Level 0 has one trace for all lists: what is another in any way needs lists of their own. */
static void leave_level_0(struct exemplars *e, const struct trace *trace, struct pool *pool)
{
    bool same = is_trace(&e->only, trace) && e->only.ns == trace->ns;
    if (e->level == 0 && !same && !is_empty(e)) grow(e, 1, pool);
}

/* The place of a trace in a list, or where one that is not there would be put in; list_max: nowhere. */
static uint32_t place_of(const struct exemplars *e, enum list list, const struct trace *trace)
{
    const struct trace *at = list_in(e, list);
    uint32_t count = e->count[list];
    for (uint32_t i = 0; i < count; i++) {
        if (is_trace(&at[i], trace)) return i;
    }
    if (count < list_max[list]) return count;
    return is_before(list, trace, &at[count - 1]) ? count - 1 : count;
}

static void note_limits(struct exemplars *e)
{
    if (e->count[SLOW] == list_max[SLOW]) e->slow_ns = list_in(e, SLOW)[list_max[SLOW] - 1].ns;
    if (e->count[TYPICAL] == list_max[TYPICAL])
        e->typical_hash = ~hash_of(list_in(e, TYPICAL)[list_max[TYPICAL] - 1].id);
}

static void put(struct exemplars *e, enum list list, const struct trace *trace, struct pool *pool)
{
    if (list == SLOW && trace->ns < e->slow_ns) return;
    if (list == TYPICAL && hash_of(trace->id) > ~e->typical_hash) return;
    uint32_t i = place_of(e, list, trace);
    if (i == list_max[list]) return;
    if (i < e->count[list]) {
        const struct trace *there = &list_in(e, list)[i];
        if (is_trace(there, trace) && there->ns >= trace->ns) return;
    }
    leave_level_0(e, trace, pool);
    if (i == e->count[list]) {
        make_room(e, list, pool);
        e->count[list]++;
    }
    struct trace *at = list_of(e, list);
    for (; i > 0 && is_before(list, trace, &at[i - 1]); i--)
        at[i] = at[i - 1];
    at[i] = *trace;
    note_limits(e);
}

static size_t exemplar_state_bytes(const struct measuring *m)
{
    (void)m;
    return sizeof(struct exemplars);
}

static void exemplar_fold(
    const struct measuring *m, void *restrict state, const struct span *span, struct pool *pool)
{
    (void)m;
    struct exemplars *e = state;
    bool slow = span->duration_ns >= e->slow_ns;
    bool typical = hash_of(span->trace_id) <= ~e->typical_hash;
    if (!slow && !typical && !span->failed) return;

    struct trace trace = {.ns = span->duration_ns};
    memcpy(trace.id, span->trace_id, TRACE_BYTES);
    if (slow) put(e, SLOW, &trace, pool);
    if (typical) put(e, TYPICAL, &trace, pool);
    if (span->failed) put(e, FAILED, &trace, pool);
}

static void exemplar_merge(
    const struct measuring *m, void *restrict state, const void *restrict other, struct pool *pool)
{
    (void)m;
    struct exemplars *e = state;
    const struct exemplars *o = other;
    for (enum list list = SLOW; list < LISTS; list++) {
        const struct trace *trace = list_in(o, list);
        for (uint32_t i = 0; i < o->count[list]; i++)
            put(e, list, &trace[i], pool);
    }
}

static bool holds(const struct exemplars *e, enum list list, const struct trace *trace)
{
    const struct trace *at = list_in(e, list);
    for (uint32_t i = 0; i < e->count[list]; i++) {
        if (at[i].ns == trace->ns && is_trace(&at[i], trace)) return true;
    }
    return false;
}

/* What the part has that we do not hold, did not come in because of others that are still here. */
static bool exemplar_subtract(
    const struct measuring *m, void *restrict state, const void *restrict part, struct pool *pool)
{
    (void)m, (void)pool;
    const struct exemplars *e = state, *p = part;
    for (enum list list = SLOW; list < LISTS; list++) {
        const struct trace *trace = list_in(p, list);
        for (uint32_t i = 0; i < p->count[list]; i++) {
            if (holds(e, list, &trace[i])) return true;
        }
    }
    return false;
}

/* Full lists are not looked at for a span that is not among the slowest; the few of `typical` wait. */
static struct bytes exemplar_outgrown(const void *state, const struct span *span)
{
    const struct exemplars *e = state;
    if (span != NULL && span->duration_ns < e->slow_ns && !span->failed) return (struct bytes){0};
    return (struct bytes){(const uint8_t *)e->trace, pool_bytes(e->level)};
}

static void exemplar_release(const struct measuring *m, void *state, struct pool *pool)
{
    (void)m;
    struct exemplars *e = state;
    pool_give(pool, e->trace, pool_bytes(e->level));
    *e = (struct exemplars){0};
}

/* One trace as it is written, with all lists that it is in. */
struct told {
    uint64_t hash;
    const uint8_t *id;
    uint64_t ns, failed_ns;
    unsigned lists; /* a bit each */
};

enum { TOLD_MAX = 10, LIST_BITS = (1 << LISTS) - 1 };

static bool is_told_before(const struct told *a, const struct told *b)
{
    if (a->hash != b->hash) return a->hash < b->hash;
    return memcmp(a->id, b->id, TRACE_BYTES) < 0;
}

static void tell(struct told *told, uint32_t *count, enum list list, const struct trace *trace)
{
    uint32_t i = 0;
    while (i < *count && memcmp(told[i].id, trace->id, TRACE_BYTES) != 0)
        i++;
    if (i == *count) told[(*count)++] = (struct told){.hash = hash_of(trace->id), .id = trace->id};
    told[i].lists |= 1U << list;
    *(list == FAILED ? &told[i].failed_ns : &told[i].ns) = trace->ns;
}

static uint32_t told_of(const struct exemplars *e, struct told told[TOLD_MAX])
{
    uint32_t count = 0;
    for (enum list list = SLOW; list < LISTS; list++) {
        for (uint32_t i = 0; i < e->count[list]; i++)
            tell(told, &count, list, &list_in(e, list)[i]);
    }
    for (uint32_t i = 1; i < count; i++) {
        struct told one = told[i];
        uint32_t to = i;
        for (; to > 0 && is_told_before(&one, &told[to - 1]); to--)
            told[to] = told[to - 1];
        told[to] = one;
    }
    return count;
}

static void exemplar_encode(const struct measuring *m, const void *state, struct buffer *out)
{
    (void)m;
    struct told told[TOLD_MAX];
    uint32_t count = told_of(state, told);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append(out, told[i].id, TRACE_BYTES);
        wire_put_varint(out, told[i].lists);
        if (told[i].lists & (1U << SLOW | 1U << TYPICAL)) wire_put_varint(out, told[i].ns);
        if (told[i].lists & 1U << FAILED) wire_put_varint(out, told[i].failed_ns);
    }
}

static bool ns_read(struct wire *wire, uint64_t *ns)
{
    return wire_varint(wire, ns) && *ns <= SPAN_DURATION_NS_MAX;
}

static bool told_read(struct wire *wire, struct told *told)
{
    uint64_t lists;
    if (wire->end - wire->at < TRACE_BYTES) return false;
    *told = (struct told){.id = wire->at, .hash = hash_of(wire->at)};
    wire->at += TRACE_BYTES;
    if (!wire_varint(wire, &lists) || lists == 0 || lists > LIST_BITS) return false;
    told->lists = (unsigned)lists;
    bool any = (lists & (1U << SLOW | 1U << TYPICAL)) != 0, failed = (lists & 1U << FAILED) != 0;
    if (any && !ns_read(wire, &told->ns)) return false;
    if (failed && !ns_read(wire, &told->failed_ns)) return false;
    return !any || told->failed_ns <= told->ns;
}

/* Read all of it before any is believed. returns  how many; -1: not what we would have written */
static int told_decode(struct bytes encoded, struct told told[TOLD_MAX])
{
    struct wire wire = wire_of(encoded);
    uint8_t count[LISTS] = {0};
    int traces = 0;
    for (; wire.at < wire.end; traces++) {
        if (traces == TOLD_MAX || !told_read(&wire, &told[traces])) return -1;
        if (traces > 0 && !is_told_before(&told[traces - 1], &told[traces])) return -1;
        for (enum list list = SLOW; list < LISTS; list++) {
            count[list] = (uint8_t)(count[list] + (told[traces].lists >> list & 1));
            if (count[list] > list_max[list]) return -1;
        }
    }
    return traces;
}

static enum status exemplar_merge_encoded(const struct measuring *m, void *state,
    struct bytes encoded, struct pool *pool, struct error *err)
{
    (void)m;
    struct told told[TOLD_MAX];
    int traces = told_decode(encoded, told);
    if (traces < 0) {
        return error_set(err, ST_SKIP, 0,
            "exemplar: the traces in a state of %zu bytes are malformed. They were damaged or "
            "written by something else.",
            encoded.size);
    }
    for (int i = 0; i < traces; i++) {
        for (enum list list = SLOW; list < LISTS; list++) {
            struct trace trace = {.ns = list == FAILED ? told[i].failed_ns : told[i].ns};
            memcpy(trace.id, told[i].id, TRACE_BYTES);
            if (told[i].lists >> list & 1) put(state, list, &trace, pool);
        }
    }
    return ST_OK;
}

static void exemplar_refold_begin(
    const struct measuring *m, void *restrict state, struct pool *pool)
{
    exemplar_release(m, state, pool);
}

static void report(struct row *row, enum exemplar_kind kind, const struct trace *trace)
{
    struct exemplar *to = &row->exemplar[row->exemplars++];
    *to = (struct exemplar){.kind = (uint8_t)kind, .duration_ns = trace->ns};
    memcpy(to->trace_id, trace->id, TRACE_BYTES);
}

/* Of those in `typical` the one whose bucket of the sketch is nearest to the median's. */
static const struct trace *most_typical(
    const struct measuring *m, const struct exemplars *e, const struct sketch *latency)
{
    const struct trace *at = list_in(e, TYPICAL), *best = at;
    uint32_t least = UINT32_MAX;
    if (latency == NULL || sketch_count(latency) == 0) return best;
    uint32_t median = sketch_quantile_index(latency, 0.5);
    for (uint32_t i = 0; i < e->count[TYPICAL]; i++) {
        uint32_t index = sketch_index(m->scale, at[i].ns);
        uint32_t away = index < median ? median - index : index - median;
        if (away >= least) continue;
        least = away;
        best = &at[i];
    }
    return best;
}

static void exemplar_report(const struct measuring *m, const void *state, struct row *row)
{
    static_assert(3 + 4 + 1 <= EXEMPLARS_MAX, "all that is told has room in a row");
    const struct exemplars *e = state;
    row->exemplars = 0;
    for (uint32_t i = 0; i < e->count[SLOW]; i++)
        report(row, EXEMPLAR_SLOW, &list_in(e, SLOW)[i]);
    for (uint32_t i = 0; i < e->count[FAILED]; i++)
        report(row, EXEMPLAR_ERROR, &list_in(e, FAILED)[i]);
    if (e->count[TYPICAL] != 0) report(row, EXEMPLAR_TYPICAL, most_typical(m, e, row->latency));
}

extern const struct measure measure_exemplar;
const struct measure measure_exemplar = {
    .name = "exemplar",
    .wire_id = 19,
    .state_bytes = exemplar_state_bytes,
    .fold = exemplar_fold,
    .merge = exemplar_merge,
    .subtract = exemplar_subtract,
    .refold_begin = exemplar_refold_begin,
    .refold = exemplar_merge,
    .release = exemplar_release,
    .outgrown = exemplar_outgrown,
    .encode = exemplar_encode,
    .merge_encoded = exemplar_merge_encoded,
    .report = exemplar_report,
};
