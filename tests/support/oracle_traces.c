/*
 * The traces and the error kinds of a row, from all of its spans.
 *
 * Rule 12: slow are the three traces with the slowest spans; failed the four, of those with a failed
 * span, whose ids have the least XXH3-64; of the three least of all, typical is the one whose slowest
 * span is nearest to the median, counted in buckets of the sketch. Equal ones are in order of the id.
 * Rule 13: of error kinds the sixteen are kept whose XXH3-64 is least, and the eight most frequent of
 * these are told; a kind's trace is the one with the least XXH3-64. All other errors are `else`.
 */
#include "oracle.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SCALE = 6, KINDS_KEPT = 16, TYPICALS = 3 };

/* One trace in one row. */
struct trace {
    const uint8_t *id;
    uint64_t hash, ns, failed_ns;
    bool failed;
};

static int order_of(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static uint64_t hash_of(const uint8_t *id)
{
    return XXH3_64bits(id, TRACE_BYTES);
}

static int by_id(const void *left, const void *right)
{
    const struct sighting *const *a = left, *const *b = right;
    return memcmp((*a)->trace_id, (*b)->trace_id, TRACE_BYTES);
}

static int by_duration(const void *left, const void *right)
{
    const struct trace *a = left, *b = right;
    return a->ns != b->ns ? -order_of(a->ns, b->ns) : memcmp(a->id, b->id, TRACE_BYTES);
}

static int by_hash(const void *left, const void *right)
{
    const struct trace *a = left, *b = right;
    int order = order_of(a->hash, b->hash);
    return order != 0 ? order : memcmp(a->id, b->id, TRACE_BYTES);
}

/* Sightings in order of their traces become traces. */
static size_t traces_of(const struct sighting **sighting, size_t n, struct trace *trace)
{
    size_t traces = 0;
    qsort(sighting, n, sizeof(*sighting), by_id);
    for (size_t i = 0; i < n; i++) {
        const struct sighting *s = sighting[i];
        bool same = traces > 0 && memcmp(trace[traces - 1].id, s->trace_id, TRACE_BYTES) == 0;
        if (!same)
            trace[traces++] = (struct trace){.id = s->trace_id, .hash = hash_of(s->trace_id)};
        struct trace *t = &trace[traces - 1];
        if (s->duration_ns > t->ns) t->ns = s->duration_ns;
        t->failed = t->failed || s->failed;
        if (s->failed && s->duration_ns > t->failed_ns) t->failed_ns = s->duration_ns;
    }
    return traces;
}

/* The bucket of a duration: (2^(i/64), 2^((i+1)/64)] s is 2048 + i, and 0 ns is 0. */
static int64_t bucket_of(uint64_t ns)
{
    if (ns == 0) return 0;
    long double exponent = log2l((long double)ns / 1e9L) * (1 << SCALE);
    return (INT64_C(32) << SCALE) + (int64_t)ceill(exponent) - 1;
}

static struct trace_due due_of(const struct trace *trace, bool failed)
{
    return (struct trace_due){trace->id, failed ? trace->failed_ns : trace->ns};
}

static void exemplars_expect(struct expected *row, struct trace *trace, size_t traces)
{
    int64_t median = bucket_of(expect_quantile(row->duration_ns, row->spans, 0.5)),
            least = INT64_MAX;
    qsort(trace, traces, sizeof(*trace), by_duration);
    for (; row->slows < SLOWS_MAX && row->slows < traces; row->slows++)
        row->slow[row->slows] = due_of(&trace[row->slows], false);
    qsort(trace, traces, sizeof(*trace), by_hash);
    for (size_t i = 0; i < traces && row->faileds < FAILED_MAX; i++) {
        if (trace[i].failed) row->failed[row->faileds++] = due_of(&trace[i], true);
    }
    for (size_t i = 0; i < traces && i < TYPICALS; i++) {
        int64_t away = llabs(bucket_of(trace[i].ns) - median);
        if (away < least) row->typical = due_of(&trace[i], false);
        if (away < least) least = away;
    }
}

static int by_kind(const void *left, const void *right)
{
    const struct sighting *const *a = left, *const *b = right;
    return order_of((*a)->kind, (*b)->kind);
}

static int by_kind_hash(const void *left, const void *right)
{
    const struct kind_due *a = left, *b = right;
    int order = order_of(a->hash, b->hash);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static int by_frequency(const void *left, const void *right)
{
    const struct kind_due *a = left, *b = right;
    return a->count != b->count ? -order_of(a->count, b->count) : by_kind_hash(left, right);
}

/* The name has a tab where the hash has a zero byte. */
static uint64_t kind_hash(const char *name)
{
    char text[2 * MASKED_MAX + 2];
    size_t bytes = strlen(name);
    memcpy(text, name, bytes);
    text[strcspn(name, "\t")] = '\0';
    return XXH3_64bits(text, bytes);
}

static bool is_before(const uint8_t *id, const uint8_t *than)
{
    int order = order_of(hash_of(id), hash_of(than));
    return order != 0 ? order < 0 : memcmp(id, than, TRACE_BYTES) < 0;
}

static size_t kinds_of(
    const struct book *book, const struct sighting **sighting, size_t n, struct kind_due *kind)
{
    size_t kinds = 0;
    qsort(sighting, n, sizeof(*sighting), by_kind);
    for (size_t i = 0; i < n; i++) {
        const struct sighting *s = sighting[i];
        if (i == 0 || sighting[i - 1]->kind != s->kind) {
            const char *name = book->errors->series[s->kind];
            kind[kinds++] =
                (struct kind_due){.name = name, .hash = kind_hash(name), .trace_id = s->trace_id};
        }
        struct kind_due *k = &kind[kinds - 1];
        k->count++;
        if (is_before(s->trace_id, k->trace_id)) k->trace_id = s->trace_id;
    }
    return kinds;
}

static void errors_expect(struct expected *row, struct kind_due *kind, size_t kinds)
{
    row->errors_else = row->errors;
    qsort(kind, kinds, sizeof(*kind), by_kind_hash);
    if (kinds > KINDS_KEPT) kinds = KINDS_KEPT;
    qsort(kind, kinds, sizeof(*kind), by_frequency);
    for (; row->kinds < KINDS_MAX && row->kinds < kinds; row->kinds++) {
        row->kind[row->kinds] = kind[row->kinds];
        row->errors_else -= kind[row->kinds].count;
    }
}

void traces_expect(
    const struct book *book, const struct sighting **sighting, size_t n, struct expected *row)
{
    if (n == 0) return;
    struct trace *trace = calloc(n, sizeof(*trace));
    struct kind_due *kind = calloc(n, sizeof(*kind));
    if (trace == NULL || kind == NULL) die("no memory for %zu traces", n);
    exemplars_expect(row, trace, traces_of(sighting, n, trace));

    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (sighting[i]->failed) sighting[failed++] = sighting[i];
    }
    if (failed > 0) errors_expect(row, kind, kinds_of(book, sighting, failed, kind));
    free(trace);
    free(kind);
}

/* --- in words -------------------------------------------------------------------------------- */

void traces_say(struct traces_text *text, const char *what, const uint8_t *id, uint64_t ns)
{
    size_t room = sizeof(text->text) - text->size;
    int bytes = snprintf(text->text + text->size, room, " %s ", what);
    for (size_t i = 0; i < TRACE_BYTES && (size_t)bytes < room; i++)
        bytes += snprintf(text->text + text->size + bytes, room - (size_t)bytes, "%02x", id[i]);
    if ((size_t)bytes < room)
        bytes +=
            snprintf(text->text + text->size + bytes, room - (size_t)bytes, " %" PRIu64 ";", ns);
    if ((size_t)bytes >= room) die("no room for traces in words");
    text->size += (size_t)bytes;
}

void traces_print(const struct expected *row, struct traces_text *text)
{
    *text = (struct traces_text){.size = 0};
    for (size_t i = 0; i < row->slows; i++)
        traces_say(text, "slow", row->slow[i].id, row->slow[i].ns);
    for (size_t i = 0; i < row->faileds; i++)
        traces_say(text, "error", row->failed[i].id, row->failed[i].ns);
    if (row->typical.id != NULL) traces_say(text, "typical", row->typical.id, row->typical.ns);
    for (size_t i = 0; i < row->kinds; i++)
        traces_say(text, row->kind[i].name, row->kind[i].trace_id, row->kind[i].count);
    if (row->errors_else != 0) {
        static const uint8_t none[TRACE_BYTES];
        traces_say(text, "else", none, row->errors_else);
    }
}
