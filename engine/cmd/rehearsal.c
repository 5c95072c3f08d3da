#include "engine/cmd/rehearsal.h"

#include "engine/aggregate.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/combine.h"
#include "engine/fleet.h"
#include "schemas/decoder.h"

#include <stdlib.h>

enum { SEED = 1 };

struct said {
    int64_t at_ns;
    size_t order;
    uint8_t *record;
    size_t bytes;
};

struct rehearsal {
    const struct plan *plan;
    struct combine *combine;
    struct aggregate **aggregate; /* one a partition */
    struct source_clock clock;
    struct buffer message;
    struct records records;
    int64_t pane_start_ns;
    uint64_t spans; /* so far, and what ids are made of */
    uint64_t pane_spans;
    struct said *said;
    size_t saids, saids_max;
};

struct rehearsal *rehearsal_new(const struct plan *plan, int64_t start_ns)
{
    struct rehearsal *r = memory_zeroed(1, sizeof(*r));
    r->plan = plan;
    r->pane_start_ns = start_ns;
    r->clock = (struct source_clock){.watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE};
    r->combine = combine_new(plan, decoder_find("otlp_proto"), plan->config->memory, SEED);
    r->aggregate = memory_zeroed(plan->partitions, sizeof(*r->aggregate));
    for (uint32_t p = 0; p < plan->partitions; p++)
        r->aggregate[p] = aggregate_new(plan, p);
    return r;
}

void rehearsal_free(struct rehearsal *r)
{
    if (r == NULL) return;
    for (uint32_t p = 0; p < r->plan->partitions; p++)
        aggregate_free(r->aggregate[p]);
    for (size_t i = 0; i < r->saids; i++)
        free(r->said[i].record);
    combine_free(r->combine);
    buffer_release(&r->message);
    records_release(&r->records);
    free(r->aggregate);
    free(r->said);
    free(r);
}

static void put_span(struct rehearsal *r, const struct rehearsal_spans *spans, uint64_t k)
{
    uint64_t id = ++r->spans;
    int64_t end_ns = r->pane_start_ns +
                     (int64_t)((double)r->plan->pane_ns * ((double)k + 0.5) / (double)spans->count);
    struct otlp_span span = {.name = bytes_of(spans->operation),
        .kind = spans->kind,
        .start_ns = end_ns - spans->duration_ns,
        .end_ns = end_ns,
        .failed = k < spans->failed,
        .attribute = spans->attribute,
        .attributes = spans->attributes};
    memcpy(span.trace_id, &id, sizeof(id));
    memcpy(span.span_id, &id, sizeof(id));
    otlp_write_span(&r->message, &span);
}

enum status rehearsal_put(
    struct rehearsal *r, const struct rehearsal_spans *spans, struct error *err)
{
    struct otlp_resource marks;
    if (spans->count > REHEARSAL_SPANS_MAX - r->spans)
        return error_set(
            err, ST_FATAL, 0, "more than %d spans in all; write fewer", REHEARSAL_SPANS_MAX);
    if (spans->count > REHEARSAL_PANE_SPANS_MAX - r->pane_spans)
        return error_set(err, ST_FATAL, 0, "more than %d spans in one pane; write fewer",
            REHEARSAL_PANE_SPANS_MAX);
    r->pane_spans += spans->count;
    otlp_resource_open(&r->message, bytes_of(spans->service), NULL, 0, &marks);
    for (uint64_t k = 0; k < spans->count; k++)
        put_span(r, spans, k);
    otlp_resource_close(&r->message, &marks);
    return ST_OK;
}

static void keep_alerts(struct rehearsal *r)
{
    for (size_t i = 0; i < r->records.count; i++) {
        struct bytes key, value;
        struct output out;
        struct error unused;
        records_get(&r->records, i, &key, &value);
        if (output_decode(value, &out, &unused) != ST_OK || !out.is_alert) continue;
        if (r->saids == r->saids_max) {
            r->saids_max = r->saids_max == 0 ? 64 : 2 * r->saids_max;
            r->said = memory_resize(r->said, r->saids_max, sizeof(*r->said));
        }
        r->said[r->saids] = (struct said){.at_ns = out.alert.at_ns,
            .order = r->saids,
            .record = (uint8_t *)memory_text((const char *)value.data, value.size),
            .bytes = value.size};
        r->saids++;
    }
    records_reset(&r->records);
}

/* What fires in a partition goes to the one that looks at all series, as engine/aggregate_stage.c sends it. */
static enum status tell(struct rehearsal *r, uint32_t partition, int64_t now_ns, struct error *err)
{
    struct buffer partial = {0};
    struct partial_telling telling;
    const struct partial_header header = {
        .plan = r->plan->fingerprint, .sent_ms = now_ns / NS_PER_MS};
    aggregate_telling(r->aggregate[partition], &telling);
    telling.alerts = buffer_bytes(&r->records.told);
    partial_put_header(&partial, &header);
    partial_put_telling(&partial, &telling);
    buffer_reset(&r->records.told);
    enum status status =
        aggregate_apply(r->aggregate[FLEET_PARTITION], buffer_bytes(&partial), &r->records, err);
    buffer_release(&partial);
    return status;
}

/* End the epoch: partials go to their partitions, and what follows from them is kept. */
static enum status flush(struct rehearsal *r, int64_t now_ns, struct error *err)
{
    const struct partial_topic topic = {bytes_of(r->plan->config->topics.text[0]), 1};
    struct combine_flush walk = {.topic = &topic,
        .topics = 1,
        .clock = &r->clock,
        .clocks = 1,
        .sent_ms = now_ns / NS_PER_MS};
    uint32_t partition;
    struct bytes partial;
    enum status status = ST_OK;
    combine_flush(r->combine, &walk);
    while (status == ST_OK && combine_next(r->combine, &walk, &partition, &partial)) {
        status = aggregate_apply(r->aggregate[partition], partial, &r->records, err);
        if (status == ST_OK) status = tell(r, partition, now_ns, err);
    }
    combine_reset(r->combine);
    r->clock.committed = r->clock.position;
    keep_alerts(r);
    return status;
}

/* Send what is in the message at `now_ns`. */
static enum status send(struct rehearsal *r, int64_t now_ns, struct error *err)
{
    const struct combine_record record = {
        .value = buffer_bytes(&r->message), .timestamp_ms = now_ns / NS_PER_MS};
    enum status status = combine_record(r->combine, &r->clock, &record, err);
    buffer_reset(&r->message);
    r->pane_spans = 0;
    if (status == ST_RETRY)
        return error_set(err, ST_FATAL, 0, "the spans of one pane do not fit into `memory`");
    if (status != ST_OK) return status;
    r->clock.position++;
    return flush(r, now_ns, err);
}

enum status rehearsal_pane(struct rehearsal *r, struct error *err)
{
    r->pane_start_ns += r->plan->pane_ns;
    return send(r, r->pane_start_ns, err);
}

static int by_time(const void *left, const void *right)
{
    const struct said *a = left, *b = right;
    if (a->at_ns != b->at_ns) return a->at_ns < b->at_ns ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Aggregate spreads many closings over several partials, so it is asked again until it is there. */
enum status rehearsal_end(struct rehearsal *r, struct error *err)
{
    int64_t end_ns = r->pane_start_ns;
    int64_t now_ns = end_ns + r->plan->config->lateness_ns + NS_PER_MS - 1; /* whole ms are sent */
    enum status status = send(r, now_ns, err);
    for (uint32_t p = 0; p < r->plan->partitions; p++) {
        while (status == ST_OK && aggregate_watermark(r->aggregate[p]) < end_ns)
            status = flush(r, now_ns, err);
    }
    if (r->saids != 0) qsort(r->said, r->saids, sizeof(*r->said), by_time);
    return status;
}

size_t rehearsal_alerts(const struct rehearsal *r)
{
    return r->saids;
}

void rehearsal_alert(const struct rehearsal *r, size_t i, struct alert *alert)
{
    struct output out;
    struct error unused;
    const struct bytes record = {r->said[i].record, r->said[i].bytes};
    *alert = (struct alert){0};
    if (output_decode(record, &out, &unused) == ST_OK) *alert = out.alert;
}
