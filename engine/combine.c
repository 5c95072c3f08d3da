#include "engine/combine.h"

#include "engine/base/memory.h"
#include "engine/panes.h"

#include <stdlib.h>

struct combine {
    const struct plan *plan;
    const struct decoder *decoder;
    uint64_t message_bytes_max;
    struct spans spans; /* scratch, emptied per record */
    struct panes *panes;
    struct partial_total *total; /* panes in which records arrived, oldest first seen first */
    size_t totals, totals_max;
    int64_t record_ms; /* newest record timestamp of the epoch */
    uint64_t epoch_spans;
    struct combine_counts counts;
    struct buffer out;
};

struct combine *combine_new(
    const struct plan *plan, const struct decoder *decoder, uint64_t memory, uint64_t seed)
{
    struct combine *c = memory_zeroed(1, sizeof(*c));
    c->plan = plan;
    c->decoder = decoder;
    c->spans.wanted = &plan->projection;
    combine_limit(c, plan);
    c->panes = panes_new(plan, memory, seed);
    return c;
}

void combine_limit(struct combine *c, const struct plan *plan)
{
    c->message_bytes_max = plan->config->limits.message_bytes;
}

void combine_free(struct combine *c)
{
    if (c == NULL) return;
    panes_free(c->panes);
    spans_release(&c->spans);
    buffer_release(&c->out);
    free(c->total);
    free(c);
}

void combine_reset(struct combine *c)
{
    panes_reset(c->panes);
    c->totals = 0;
    c->record_ms = 0;
    c->epoch_spans = 0;
}

size_t combine_cells(const struct combine *c)
{
    return panes_count(c->panes);
}

uint64_t combine_epoch_spans(const struct combine *c)
{
    return c->epoch_spans;
}

const struct combine_counts *combine_counts(const struct combine *c)
{
    return &c->counts;
}

/* A record without a timestamp counts as sent when its newest span ended. */
static int64_t record_time(
    struct combine *c, const struct combine_record *record, const struct source_clock *clock)
{
    if (record->timestamp_ms >= 0) {
        int64_t most = TIME_NS_MAX / 1000000;
        return (record->timestamp_ms < most ? record->timestamp_ms : most) * 1000000;
    }
    int64_t newest = clock->watermark_ns == WATERMARK_NONE ? 0 : clock->watermark_ns;
    for (uint32_t i = 0; i < c->spans.count; i++) {
        if (c->spans.span[i].end_ns > newest) newest = c->spans.span[i].end_ns;
    }
    return newest < TIME_NS_MAX ? newest : TIME_NS_MAX;
}

/* How far the span lags behind the newest record, for the advice on `lateness`. */
static void count_behind(struct combine *c, const struct source_clock *clock, int64_t end_ns)
{
    int64_t newest = clock->watermark_ns + c->plan->config->lateness_ns;
    int64_t seconds = newest > end_ns ? (newest - end_ns) / 1000000000 : 0;
    c->counts.behind[seconds < BEHIND_SECONDS ? seconds : BEHIND_SECONDS]++;
}

/* The one place where lateness is decided. */
static void judge(
    struct combine *c, const struct source_clock *clock, int64_t record_ns, struct span *span)
{
    const struct plan *plan = c->plan;
    int64_t end_ns = span->end_ns;
    if (end_ns > record_ns + plan->config->skew_ns) {
        end_ns = record_ns;
        span->skewed = true;
        c->counts.skewed++;
    }
    span->pane = floor_div(end_ns, plan->pane_ns);
    if (clock->watermark_ns == WATERMARK_NONE) return;

    int64_t arrival = floor_div(clock->watermark_ns, plan->pane_ns);
    count_behind(c, clock, end_ns);
    if (span->pane >= arrival) return;
    int64_t closed_ns = (span->pane + 1) * plan->pane_ns;
    if (clock->watermark_ns - plan->allowed_lateness_ns < closed_ns) {
        span->verdict = SPAN_LATE;
        span->late_by = (uint64_t)(arrival - span->pane);
        c->counts.late++;
    } else {
        span->verdict = SPAN_TOO_LATE;
        span->pane = arrival;
        c->counts.too_late++;
    }
}

/* The newest pane that must be closed for these spans to be seen: the arrival pane of late ones. */
static void clock_reach(struct source_clock *clock, const struct spans *spans)
{
    for (uint32_t i = 0; i < spans->count; i++) {
        int64_t pane = spans->span[i].pane + (int64_t)spans->span[i].late_by;
        if (pane > clock->newest_pane) clock->newest_pane = pane;
    }
}

/* Of the pane in which the record arrived; NULL: it would be one too many for this epoch. */
static struct partial_total *total_at(
    struct combine *c, const struct source_clock *clock, int64_t record_ns)
{
    int64_t pane = floor_div(record_ns, c->plan->pane_ns);
    if (clock->watermark_ns != WATERMARK_NONE) {
        int64_t arrival = floor_div(clock->watermark_ns, c->plan->pane_ns);
        if (pane < arrival) pane = arrival;
    }
    for (size_t i = c->totals; i > 0; i--) {
        if (c->total[i - 1].pane == pane) return &c->total[i - 1];
    }
    if (c->totals == COMBINE_TOTALS_MAX) return NULL;
    if (c->totals == c->totals_max) {
        c->totals_max = c->totals_max == 0 ? 64 : c->totals_max * 2;
        c->total = memory_resize(c->total, c->totals_max, sizeof(*c->total));
    }
    c->total[c->totals] = (struct partial_total){.pane = pane};
    return &c->total[c->totals++];
}

static void count_record(
    struct combine *c, struct partial_total *total, bool malformed, size_t bytes)
{
    uint64_t dropped = 0;
    for (int reason = 0; reason < DROP_COUNT; reason++) {
        c->counts.dropped[reason] += c->spans.dropped[reason];
        dropped += c->spans.dropped[reason];
    }
    total->messages++;
    total->malformed += malformed;
    total->spans += c->spans.count + dropped;
    total->dropped += dropped;
    c->counts.messages++;
    c->counts.malformed += malformed;
    c->counts.bytes += bytes;
    c->counts.spans += c->spans.count;
    c->epoch_spans += c->spans.count;
}

static enum status record_decode(
    struct combine *c, const struct combine_record *record, struct error *err)
{
    spans_reset(&c->spans);
    uint64_t most = c->message_bytes_max;
    if (record->value.size > most) {
        c->spans.refusal = REFUSED_BYTES;
        return error_set(err, ST_SKIP, 0, "message of %zu bytes, limits.message_bytes is %llu",
            record->value.size, (unsigned long long)most);
    }
    enum status status = c->decoder->decode(record->value, &c->spans, err);
    if (status == ST_OK) return ST_OK;
    enum refusal refusal = c->spans.refusal;
    int64_t refused_at = c->spans.refused_at;
    spans_reset(&c->spans);
    c->spans.refusal = refusal;
    c->spans.refused_at = refused_at;
    return status;
}

enum status combine_record(struct combine *c, struct source_clock *clock,
    const struct combine_record *record, struct error *err)
{
    enum status status = record_decode(c, record, err);
    if (!panes_room(c->panes, c->spans.count)) {
        return error_set(err, ST_RETRY, 0, "combine: the pane table is full");
    }
    int64_t record_ns = record_time(c, record, clock);
    int64_t cap_ns = record->now_ns == 0 ? INT64_MAX : record->now_ns + c->plan->config->skew_ns;
    bool ahead = record_ns > cap_ns;
    if (ahead) record_ns = cap_ns;
    struct partial_total *total = total_at(c, clock, record_ns);
    if (total == NULL) {
        return error_set(err, ST_RETRY, 0, "combine: records of too many panes");
    }
    c->counts.ahead += ahead;
    for (uint32_t i = 0; i < c->spans.count; i++)
        judge(c, clock, record_ns, &c->spans.span[i]);
    count_record(c, total, status != ST_OK, record->value.size);
    clock_reach(clock, &c->spans);
    panes_fold(c->panes, &c->spans);

    bool timed = record->timestamp_ms >= 0 || c->spans.count != 0;
    if (timed && !ahead) source_clock_raise(clock, record_ns - c->plan->config->lateness_ns);
    if (record_ns / 1000000 > c->record_ms) c->record_ms = record_ns / 1000000;
    return status;
}

enum refusal combine_refusal(const struct combine *c, int64_t *byte)
{
    *byte = c->spans.refused_at;
    return c->spans.refusal;
}

void combine_flush(struct combine *c, struct combine_flush *flush)
{
    panes_sort(c->panes);
    flush->partition = 0;
    flush->cell = 0;
}

/* Cells of the walk's partition until it has no more (true) or the fragment is full (false). */
static bool flush_cells(struct combine *c, struct combine_flush *flush)
{
    for (; flush->cell < panes_count(c->panes); flush->cell++) {
        struct partial_cell cell;
        const void *state;
        if (panes_cell(c->panes, flush->cell, &cell, &state) != flush->partition) return true;
        if (c->out.size >= PARTIAL_BYTES_MAX) return false;
        size_t mark = partial_open_cell(&c->out, &cell);
        cell_encode(&c->plan->layout, state, &c->out);
        wire_close(&c->out, mark);
    }
    return true;
}

static void flush_clocks(struct combine *c, const struct combine_flush *flush)
{
    for (size_t i = 0; i < flush->topics; i++)
        partial_put_topic(&c->out, &flush->topic[i]);
    for (size_t i = 0; i < flush->clocks; i++) {
        const struct source_clock *clock = &flush->clock[i];
        struct partial_clock put = {.topic = clock->topic,
            .partition = clock->partition,
            .watermark_ns = clock->watermark_ns,
            .newest_pane = clock->newest_pane,
            .from = clock->committed,
            .to = clock->position,
            .ended = clock->ended};
        partial_put_clock(&c->out, &put);
    }
    for (size_t i = 0; i < c->totals; i++)
        partial_put_total(&c->out, &c->total[i]);
}

bool combine_next(
    struct combine *c, struct combine_flush *flush, uint32_t *partition, struct bytes *value)
{
    if (flush->partition == c->plan->partitions) return false;

    struct partial_header header = {
        .plan = c->plan->fingerprint, .sent_ms = flush->sent_ms, .record_ms = c->record_ms};
    buffer_reset(&c->out);
    partial_put_header(&c->out, &header);
    bool last = flush_cells(c, flush);
    if (last) {
        wire_put_uint(&c->out, 5, 1);
        flush_clocks(c, flush);
    }
    *partition = flush->partition;
    *value = buffer_bytes(&c->out);
    if (last) flush->partition++;
    return true;
}
