/*
 * The thread of stage 1: read spans, combine them, send the deltas and the offsets as one epoch.
 */
#include "engine/aggregate_metadata.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/combine.h"
#include "engine/metrics.h"
#include "engine/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    QUEUE_KBYTES = 131072, /* fetched ahead: more than a second of what a thread can fold */
    IDLE_ASK_MS = 1000,
    AHEAD_ASK_MS = 200,
    STRETCH_PERCENT = 30, /* of spans: with more deltas than this the epoch is stretched */
};

/* A source partition that this thread owns. */
struct source {
    struct source_clock clock;
    int64_t idle_at; /* position at which its end was reached; -1: not idle */
    int64_t end;     /* batch mode: where it ends; INT64_MAX: never */
    bool paused;
    bool changed; /* since the last commit */
    struct metric *lag_records, *lag_seconds, *watermark;
};

struct combine_stage {
    struct worker *worker;
    uint32_t thread;
    struct kafka *kafka;
    struct combine *combine;
    struct source *source;
    size_t sources;
    struct source_clock *clocks; /* copies, side by side for the flush */
    struct partial_topic *topics;
    int64_t epoch_ns;           /* now; stretches */
    int64_t idle_asked_ns;      /* when the ends of idle partitions were asked last */
    int64_t ahead_asked_ns;     /* when aggregate's watermark was asked last */
    int64_t published_ns;       /* aggregate's watermark as last heard */
    struct combine_counts said; /* already in the metrics */
    struct fencing fencing;
};

static struct source *source_of(struct combine_stage *s, uint32_t topic, int32_t partition)
{
    for (size_t i = 0; i < s->sources; i++) {
        struct source_clock *clock = &s->source[i].clock;
        if (clock->topic == topic && clock->partition == (uint32_t)partition) return &s->source[i];
    }
    return NULL;
}

static void sources_forget(struct combine_stage *s)
{
    for (size_t i = 0; i < s->sources; i++) {
        metric_clear(s->source[i].lag_records);
        metric_clear(s->source[i].lag_seconds);
        metric_clear(s->source[i].watermark);
    }
    s->sources = 0;
}

/* Aggregate's watermark as it has committed it: the least of all partitions; WATERMARK_NONE until all have one. */
static int64_t published_watermark(struct combine_stage *s, struct error *err)
{
    uint32_t count = s->worker->plan->partitions;
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    int64_t least = INT64_MAX;
    enum status status = kafka_group_committed(
        s->worker->observer, "aggregate", s->worker->partials, count, committed, err);
    for (uint32_t p = 0; p < count; p++) {
        struct aggregate_metadata metadata;
        bool known = status == ST_OK && aggregate_metadata_read(&metadata, committed[p].metadata);
        int64_t watermark_ns = known ? metadata.watermark_ns : WATERMARK_NONE;
        if (watermark_ns < least) least = watermark_ns;
    }
    free(committed);
    return least;
}

/* How many partitions of a topic somebody of this group has known: those were there at the first start. */
static enum status partitions_known(
    struct combine_stage *s, uint32_t topic, uint32_t *known, struct error *err)
{
    struct worker *w = s->worker;
    uint32_t count = w->source_partitions[topic];
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    enum status status = kafka_group_committed(
        w->observer, "combine", w->config->topics.text[topic], count, committed, err);
    *known = 0;
    for (uint32_t p = 0; p < count && status == ST_OK; p++) {
        struct source_clock clock;
        uint32_t partitions;
        if (!source_clock_read(&clock, &partitions, bytes_of(committed[p].metadata))) continue;
        if (partitions > *known) *known = partitions;
    }
    free(committed);
    return status;
}

static int64_t start_time_ms(const struct worker *w)
{
    if (w->batch.from_ms != KAFKA_AT_START) return w->batch.from_ms;
    if (w->batch.until_end || strcmp(w->config->start, "earliest") == 0) return KAFKA_AT_START;
    if (strcmp(w->config->start, "latest") == 0) return KAFKA_AT_END;
    int64_t back_ns = 0;
    if (!duration_parse(w->config->start, &back_ns)) return KAFKA_AT_START;
    return (clock_wall_ns() - back_ns) / NS_PER_MS;
}

/* Where to begin a partition for which nothing is committed. */
static enum status source_first(struct combine_stage *s, struct source *source, struct error *err)
{
    struct worker *w = s->worker;
    uint32_t topic = source->clock.topic, partition = source->clock.partition, known;
    const char *name = w->config->topics.text[topic];
    uint32_t count = w->source_partitions[topic];
    int64_t *offset = memory_zeroed(count, sizeof(*offset));
    bool *wanted = memory_zeroed(count, sizeof(*wanted));
    enum status status = partitions_known(s, topic, &known, err);
    bool added_later = status == ST_OK && known != 0 && partition >= known;
    wanted[partition] = true;
    if (status == ST_OK) {
        int64_t when = added_later ? KAFKA_AT_START : start_time_ms(w);
        status = kafka_offsets_at(w->observer, name, count, wanted, when, offset, err);
    }
    source->clock.position = source->clock.committed = offset[partition];
    if (added_later) source->clock.watermark_ns = published_watermark(s, err);
    free(offset);
    free(wanted);
    return status;
}

static enum status partitions_refresh(struct combine_stage *s, uint32_t topic, struct error *err)
{
    struct worker *w = s->worker;
    uint32_t count = 0;
    enum status status = kafka_partitions(w->observer, w->config->topics.text[topic], &count, err);
    if (status == ST_OK && count > s->topics[topic].partitions) s->topics[topic].partitions = count;
    return status;
}

static enum status source_init(
    struct combine_stage *s, struct source *source, struct kafka_assigned *from, struct error *err)
{
    struct worker *w = s->worker;
    const char *topic = w->config->topics.text[from->topic];
    uint32_t partitions;
    *source = (struct source){.idle_at = -1, .end = INT64_MAX, .changed = true};
    source->clock = (struct source_clock){.watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE};
    if (from->metadata[0] != '\0') {
        source_clock_read(&source->clock, &partitions, bytes_of(from->metadata));
    }
    source->clock.topic = from->topic;
    source->clock.partition = (uint32_t)from->partition;
    source->clock.ended = false;
    source->clock.position = source->clock.committed = from->offset;
    enum status status = from->offset < 0 ? source_first(s, source, err) : ST_OK;
    from->offset = source->clock.position;
    if (w->batch.until_end && source->clock.partition < w->source_partitions[from->topic]) {
        source->end = w->source_end[from->topic][source->clock.partition];
    }
    source->lag_records = metric_of(METRIC_GAUGE, "weir_source_lag_records",
        "Records not yet read.", "topic=\"%s\",partition=\"%d\"", topic, from->partition);
    source->lag_seconds = metric_of(METRIC_GAUGE, "weir_source_lag_seconds",
        "Age of the newest record read while there are more.", "topic=\"%s\",partition=\"%d\"",
        topic, from->partition);
    source->watermark = metric_of(METRIC_GAUGE, "weir_source_watermark_seconds",
        "The partition's clock: newest record timestamp - lateness.",
        "topic=\"%s\",partition=\"%d\"", topic, from->partition);
    return status;
}

static void source_end_check(struct combine_stage *s, struct source *source)
{
    if (source->clock.ended || source->clock.position < source->end) return;
    source->clock.ended = true;
    source->changed = true;
    source->paused = kafka_pause(s->kafka, source->clock.topic, (int32_t)source->clock.partition);
}

static enum status on_assigned(struct combine_stage *s, struct error *err)
{
    struct kafka_assigned *assigned;
    size_t count;
    enum status status = kafka_assigned(s->kafka, &assigned, &count, err);
    sources_forget(s);
    for (uint32_t t = 0; t < s->worker->config->topics.count && status == ST_OK; t++) {
        status = partitions_refresh(s, t, err);
    }
    if (status != ST_OK) return status;
    s->source = memory_resize(s->source, count + 1, sizeof(*s->source));
    s->clocks = memory_resize(s->clocks, count + 1, sizeof(*s->clocks));
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        status = source_init(s, &s->source[i], &assigned[i], err);
    }
    if (status == ST_OK) status = kafka_start(s->kafka, err);
    if (status != ST_OK) return status;
    s->sources = count;
    for (size_t i = 0; i < count; i++)
        source_end_check(s, &s->source[i]);
    log_info("combine", "partitions assigned", "thread=%u partitions=%zu", s->thread, count);
    return ST_OK;
}

static void say_set_aside(const struct combine_stage *s, const struct source *source,
    const struct kafka_record *record, const struct error *why)
{
    static struct log_gate gate;
    metric_add(
        metric_of(METRIC_COUNTER, "weir_messages_set_aside_total", "Messages that were not taken.",
            "topic=\"%s\"", s->worker->config->topics.text[source->clock.topic]),
        1);
    if (!log_every(&gate, NS_PER_S)) return;
    log_warn("combine", "message set aside, going on with the next",
        "topic=%s partition=%d offset=%" PRId64 " reason=%s",
        s->worker->config->topics.text[source->clock.topic], record->partition, record->offset,
        why->text);
}

static enum status epoch_commit(struct combine_stage *s, struct error *err);

/* Fold one record; ends the epoch first where the table is full. */
static enum status on_record(
    struct combine_stage *s, const struct kafka_record *record, struct error *err)
{
    struct source *source = source_of(s, record->topic, record->partition);
    if (source == NULL || record->offset < source->clock.position || source->clock.ended)
        return ST_OK;
    if (record->offset >= source->end) {
        source->clock.position = source->end;
        source_end_check(s, source);
        return ST_OK;
    }
    struct combine_record in = {.value = record->value,
        .timestamp_ms = record->timestamp_ms,
        .now_ns = s->worker->config->time == TIME_LIVE ? clock_wall_ns() : 0};
    struct error why;
    enum status status = combine_record(s->combine, &source->clock, &in, &why);
    if (status == ST_RETRY) {
        status = epoch_commit(s, err);
        if (status != ST_OK) return status;
        status = combine_record(s->combine, &source->clock, &in, &why);
    }
    if (status == ST_SKIP) say_set_aside(s, source, record, &why);
    source->clock.position = record->offset + 1;
    source->idle_at = -1;
    source->changed = true;
    source_end_check(s, source);
    return ST_OK;
}

static void on_end(struct combine_stage *s, const struct kafka_record *end)
{
    struct source *source = source_of(s, end->topic, end->partition);
    if (source == NULL || end->offset < source->clock.position) return;
    source->changed = source->changed || end->offset != source->clock.position;
    source->clock.position = end->offset; /* past transaction markers */
    source->idle_at = end->offset;
    source_end_check(s, source);
}

/* Retention took what was next: say how much, go on with the oldest there is. */
static enum status on_gone(
    struct combine_stage *s, const struct kafka_record *gone, struct error *err)
{
    struct worker *w = s->worker;
    struct source *source = source_of(s, gone->topic, gone->partition);
    if (source == NULL) return ST_OK;
    uint32_t count = s->topics[gone->topic].partitions;
    int64_t *first = memory_zeroed(count, sizeof(*first));
    const char *topic = w->config->topics.text[gone->topic];
    enum status status =
        kafka_offsets_at(w->observer, topic, count, NULL, KAFKA_AT_START, first, err);
    if (status == ST_OK) {
        int64_t lost = first[gone->partition] - source->clock.position;
        log_error("combine",
            "records were deleted by retention before they were read: raise the topic's retention "
            "or add workers",
            "topic=%s partition=%d from=%" PRId64 " lost=%" PRId64, topic, gone->partition,
            source->clock.position, lost);
        metric_add(metric_of(METRIC_COUNTER, "weir_records_lost_total",
                       "Records deleted by retention before they were read.", NULL),
            lost > 0 ? (uint64_t)lost : 0);
        source->clock.position = first[gone->partition];
        source->changed = true;
        status = epoch_commit(s, err);
        kafka_rewind(s->kafka);
    }
    free(first);
    return status;
}

/* In live time a partition without new records lets its clock follow the wall clock, once Kafka confirms its end. */
static void ask_idle(struct combine_stage *s)
{
    struct worker *w = s->worker;
    int64_t now_ns = clock_ns();
    if (w->config->time != TIME_LIVE || now_ns - s->idle_asked_ns < IDLE_ASK_MS * NS_PER_MS) return;
    s->idle_asked_ns = now_ns;
    for (uint32_t t = 0; t < w->config->topics.count; t++) {
        uint32_t count = s->topics[t].partitions;
        bool *wanted = memory_zeroed(count, sizeof(*wanted));
        int64_t *end = memory_zeroed(count, sizeof(*end));
        bool any = false;
        for (size_t i = 0; i < s->sources; i++) {
            const struct source *source = &s->source[i];
            if (source->clock.topic != t || source->idle_at != source->clock.position) continue;
            wanted[source->clock.partition] = any = true;
        }
        struct error err;
        int64_t asked_ns = clock_wall_ns();
        const char *topic = w->config->topics.text[t];
        enum status status =
            any ? kafka_offsets_at(w->observer, topic, count, wanted, KAFKA_AT_END, end, &err)
                : ST_RETRY;
        for (size_t i = 0; i < s->sources && status == ST_OK; i++) {
            struct source *source = &s->source[i];
            if (source->clock.topic != t || !wanted[source->clock.partition]) continue;
            if (end[source->clock.partition] != source->idle_at) continue;
            int64_t before_ns = source->clock.watermark_ns;
            source_clock_raise(&source->clock, asked_ns - w->config->lateness_ns);
            source->changed = source->changed || source->clock.watermark_ns != before_ns;
        }
        free(wanted);
        free(end);
    }
}

/*
 * A partition whose clock is more than max_ahead past what aggregate has closed waits: open panes
 * stay bounded. Until aggregate has a watermark, the least of our own clocks stands in for it.
 */
static void hold_ahead(struct combine_stage *s)
{
    int64_t now_ns = clock_ns();
    if (now_ns - s->ahead_asked_ns < AHEAD_ASK_MS * NS_PER_MS) return;
    int64_t base = s->published_ns, max_ahead = s->worker->config->max_ahead_ns;
    bool ask = false;
    for (size_t i = 0; i < s->sources; i++) {
        const struct source_clock *clock = &s->source[i].clock;
        if (clock->watermark_ns == WATERMARK_NONE || clock->ended) continue;
        ask = ask || base == WATERMARK_NONE || s->source[i].paused ||
              clock->watermark_ns - base > max_ahead / 2;
    }
    if (!ask) return;
    struct error err;
    s->ahead_asked_ns = now_ns;
    s->published_ns = base = published_watermark(s, &err);
    for (size_t i = 0; base == WATERMARK_NONE && i < s->sources; i++) {
        int64_t own = s->source[i].clock.watermark_ns;
        if (own != WATERMARK_NONE && (base == WATERMARK_NONE || own < base)) base = own;
    }
    for (size_t i = 0; i < s->sources; i++) {
        struct source *source = &s->source[i];
        if (source->clock.ended || source->clock.watermark_ns == WATERMARK_NONE) continue;
        bool ahead = source->clock.watermark_ns - base > max_ahead;
        int32_t partition = (int32_t)source->clock.partition;
        if (ahead && !source->paused)
            source->paused = kafka_pause(s->kafka, source->clock.topic, partition);
        if (!ahead && source->paused)
            source->paused = !kafka_resume(s->kafka, source->clock.topic, partition);
    }
}

static bool anything_changed(const struct combine_stage *s)
{
    for (size_t i = 0; i < s->sources; i++) {
        if (s->source[i].changed) return true;
    }
    return false;
}

static enum status send_partials(struct combine_stage *s, struct error *err)
{
    struct worker *w = s->worker;
    struct combine_flush flush = {.topic = s->topics,
        .topics = w->config->topics.count,
        .clock = s->clocks,
        .clocks = s->sources,
        .sent_ms = clock_wall_ns() / NS_PER_MS};
    uint32_t partition;
    struct bytes value;
    for (size_t i = 0; i < s->sources; i++)
        s->clocks[i] = s->source[i].clock;
    combine_flush(s->combine, &flush);
    while (combine_next(s->combine, &flush, &partition, &value)) {
        enum status status = kafka_send(
            s->kafka, w->partials, (int32_t)partition, (struct bytes){0}, value, NULL, err);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static enum status send_offsets(struct combine_stage *s, struct error *err)
{
    struct kafka_position *position = memory_zeroed(s->sources + 1, sizeof(*position));
    char(*text)[METADATA_BYTES_MAX] = memory_zeroed(s->sources + 1, sizeof(*text));
    size_t count = 0;
    for (size_t i = 0; i < s->sources; i++) {
        const struct source_clock *clock = &s->source[i].clock;
        if (!s->source[i].changed) continue;
        source_clock_write(clock, s->topics[clock->topic].partitions, text[count]);
        position[count] = (struct kafka_position){
            clock->topic, (int32_t)clock->partition, clock->position, text[count]};
        count++;
    }
    enum status status = kafka_commit(s->kafka, position, count, err);
    free(position);
    free(text);
    return status;
}

/* Stretch the epoch while deltas hardly shrink the stream; each one then holds more spans. */
static void epoch_stretch(struct combine_stage *s)
{
    const struct config *config = s->worker->config;
    uint64_t spans = combine_epoch_spans(s->combine);
    bool wasteful = combine_cells(s->combine) * 100 > spans * STRETCH_PERCENT;
    if (spans == 0 || !wasteful) {
        s->epoch_ns = config->epoch_ns;
    } else if (s->epoch_ns * 2 <= config->epoch_max_ns) {
        s->epoch_ns *= 2;
    }
}

static void count(
    const char *name, const char *help, const char *reason, uint64_t now, uint64_t *said)
{
    if (now == *said) return;
    struct metric *metric = reason == NULL
                                ? metric_of(METRIC_COUNTER, name, help, NULL)
                                : metric_of(METRIC_COUNTER, name, help, "reason=\"%s\"", reason);
    metric_add(metric, now - *said);
    *said = now;
}

/* The least lateness, in seconds, that would have held 99 % of the spans seen. */
static double lateness_needed(const struct combine_counts *counts)
{
    uint64_t all = 0, held = 0;
    for (int s = 0; s <= BEHIND_SECONDS; s++)
        all += counts->behind[s];
    for (int s = 0; s <= BEHIND_SECONDS; s++) {
        held += counts->behind[s];
        if (held * 100 >= all * 99) return s + 1.0;
    }
    return BEHIND_SECONDS;
}

static void say_counts(struct combine_stage *s)
{
    static const char spans_help[] = "Spans decoded.";
    static const char not_in[] = "Spans that are in no final row, by reason.";
    const struct combine_counts *now = combine_counts(s->combine);
    struct combine_counts *said = &s->said;
    count("weir_messages_total", "Messages read.", NULL, now->messages, &said->messages);
    count("weir_bytes_total", "Bytes of messages read.", NULL, now->bytes, &said->bytes);
    count("weir_spans_total", spans_help, NULL, now->spans, &said->spans);
    count(
        "weir_spans_late_total", "Spans that revised a closed pane.", NULL, now->late, &said->late);
    count("weir_spans_skewed_total", "Spans that ended after their record's timestamp + skew.",
        NULL, now->skewed, &said->skewed);
    count("weir_records_ahead_total", "Records with a timestamp ahead of the wall clock.", NULL,
        now->ahead, &said->ahead);
    count("weir_spans_dropped_total", not_in, "too_late", now->too_late, &said->too_late);
    count("weir_spans_dropped_total", not_in, "trace_id", now->dropped[DROP_TRACE_ID],
        &said->dropped[DROP_TRACE_ID]);
    count("weir_spans_dropped_total", not_in, "span_id", now->dropped[DROP_SPAN_ID],
        &said->dropped[DROP_SPAN_ID]);
    count("weir_spans_dropped_total", not_in, "time", now->dropped[DROP_TIME],
        &said->dropped[DROP_TIME]);
    metric_set(
        metric_of(METRIC_GAUGE, "weir_lateness_needed_seconds",
            "The `lateness` that would have held 99 % of the spans.", "thread=\"%u\"", s->thread),
        lateness_needed(now));
    for (size_t i = 0; i < s->sources; i++) {
        const struct source *source = &s->source[i];
        const struct source_clock *clock = &source->clock;
        int64_t end = kafka_end_seen(s->kafka, clock->topic, (int32_t)clock->partition);
        int64_t lag =
            end > clock->position && source->idle_at != clock->position ? end - clock->position : 0;
        metric_set(source->lag_records, (double)lag);
        if (clock->watermark_ns == WATERMARK_NONE) continue;
        metric_set(source->watermark, (double)clock->watermark_ns / 1e9);
        int64_t newest_ns = clock->watermark_ns + s->worker->config->lateness_ns;
        double behind = (double)(clock_wall_ns() - newest_ns) / 1e9;
        metric_set(source->lag_seconds, lag == 0 || behind < 0 ? 0 : behind);
    }
}

static enum status epoch_commit(struct combine_stage *s, struct error *err)
{
    if (!anything_changed(s)) return ST_OK;
    int64_t begin_ns = clock_ns();
    enum status status = kafka_begin(s->kafka, err);
    if (status == ST_OK) status = send_partials(s, err);
    if (status == ST_OK) status = send_offsets(s, err);
    if (status != ST_OK) return status;
    for (size_t i = 0; i < s->sources; i++) {
        s->source[i].clock.committed = s->source[i].clock.position;
        s->source[i].changed = false;
    }
    metric_observe(metric_of(METRIC_SUMMARY, "weir_epoch_commit_seconds",
                       "Time to commit an epoch.", "stage=\"combine\""),
        (double)(clock_ns() - begin_ns) / 1e9);
    epoch_stretch(s);
    say_counts(s);
    combine_reset(s->combine);
    return ST_OK;
}

static enum status on_event(struct combine_stage *s, enum kafka_event event,
    const struct kafka_record *record, struct error *err)
{
    enum status status = ST_OK;
    switch (event) {
    case KAFKA_NOTHING:
        break;
    case KAFKA_RECORD:
        return on_record(s, record, err);
    case KAFKA_END:
        on_end(s, record);
        break;
    case KAFKA_ASSIGNED:
        return on_assigned(s, err);
    case KAFKA_REVOKED:
        status = epoch_commit(s, err);
        if (status == ST_OK) kafka_let_go(s->kafka);
        if (status == ST_OK) sources_forget(s);
        break;
    case KAFKA_LOST:
        kafka_let_go(s->kafka);
        sources_forget(s);
        combine_reset(s->combine);
        break;
    case KAFKA_GONE:
        return on_gone(s, record, err);
    case KAFKA_TROUBLE:
        log_warn("combine", "trouble, trying again", "error=%s", err->text);
        break;
    }
    return status;
}

static enum status epoch(struct combine_stage *s, struct error *err)
{
    int64_t deadline_ns = clock_ns() + s->epoch_ns, now_ns;
    enum status status = ST_OK;
    while (status == ST_OK && (now_ns = clock_ns()) < deadline_ns && !worker_stopping(s->worker)) {
        struct kafka_record record;
        int64_t left_ms = (deadline_ns - now_ns) / NS_PER_MS;
        enum kafka_event event =
            kafka_poll(s->kafka, left_ms > 50 ? 50 : (int)left_ms, &record, err);
        status = on_event(s, event, &record, err);
        hold_ahead(s);
    }
    if (status != ST_OK) return status;
    ask_idle(s);
    return epoch_commit(s, err);
}

static enum status stage_open(struct combine_stage *s, struct error *err)
{
    const struct config *config = s->worker->config;
    struct kafka_options options = {.config = config,
        .instance = s->worker->instance,
        .stage = "combine",
        .thread = s->thread,
        .topic = config->topics.text,
        .topics = config->topics.count,
        .produces = true,
        .queue_kbytes = QUEUE_KBYTES};
    return kafka_open(&s->kafka, &options, err);
}

static void stage_run(struct combine_stage *s)
{
    while (!worker_stopping(s->worker)) {
        struct error err;
        enum status status = s->kafka == NULL ? stage_open(s, &err) : epoch(s, &err);
        if (status == ST_OK) continue;
        combine_reset(s->combine);
        sources_forget(s);
        stage_recover(s->worker, &s->kafka, status, &s->fencing, "combine", &err);
    }
    struct error err;
    if (s->kafka != NULL && epoch_commit(s, &err) != ST_OK) {
        log_warn(
            "combine", "last epoch not committed, it will be read again", "error=%s", err.text);
        struct error ignored;
        if (kafka_abort(s->kafka, &ignored) != ST_OK) {
            log_warn("combine", "last epoch not aborted, its transaction times out", "error=%s",
                ignored.text);
        }
    }
}

void combine_stage(struct stage_thread *self)
{
    struct worker *w = self->worker;
    struct combine_stage s = {.worker = w,
        .thread = self->thread,
        .epoch_ns = w->config->epoch_ns,
        .published_ns = WATERMARK_NONE};
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) seed = (uint64_t)clock_wall_ns();
    s.combine =
        combine_new(w->plan, w->decoder, w->config->memory / w->config->threads.combine, seed);
    s.topics = memory_zeroed(w->config->topics.count, sizeof(*s.topics));
    for (uint32_t t = 0; t < w->config->topics.count; t++) {
        s.topics[t] =
            (struct partial_topic){bytes_of(w->config->topics.text[t]), w->source_partitions[t]};
    }
    stage_run(&s);
    kafka_close(s.kafka);
    sources_forget(&s);
    combine_free(s.combine);
    free(s.source);
    free(s.clocks);
    free(s.topics);
}
