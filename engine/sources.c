#include "engine/sources.h"

#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/trouble.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void sources_init(struct sources *s, struct worker *worker)
{
    const struct texts *topics = &worker->config->topics;
    *s = (struct sources){.worker = worker, .published_ns = WATERMARK_NONE};
    s->topic = memory_zeroed(topics->count, sizeof(*s->topic));
    for (uint32_t t = 0; t < topics->count; t++) {
        s->topic[t] =
            (struct partial_topic){bytes_of(topics->text[t]), worker->source_partitions[t]};
    }
}

void sources_release(struct sources *s)
{
    sources_forget(s);
    free(s->source);
    free(s->topic);
}

struct source *sources_find(struct sources *s, uint32_t topic, int32_t partition)
{
    for (size_t i = 0; i < s->count; i++) {
        struct source_clock *clock = &s->source[i].clock;
        if (clock->topic == topic && clock->partition == (uint32_t)partition) return &s->source[i];
    }
    return NULL;
}

void sources_forget(struct sources *s)
{
    for (size_t i = 0; i < s->count; i++) {
        metric_clear(s->source[i].lag_records);
        metric_clear(s->source[i].lag_seconds);
        metric_clear(s->source[i].watermark);
        metric_clear(s->source[i].ahead);
    }
    s->count = 0;
}

/*
 * How many partitions a topic had when this group began to read it; 0: it begins now. Every commit says
 * it again, so it does not depend on who has committed since the topic grew.
 */
static enum status partitions_known(
    struct sources *s, uint32_t topic, uint32_t *known, struct error *err)
{
    struct worker *w = s->worker;
    uint32_t count = s->topic[topic].partitions;
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    enum status status = kafka_group_committed(
        w->observer, "combine", w->config->topics.text[topic], count, committed, err);
    *known = 0;
    for (uint32_t p = 0; p < count && status == ST_OK; p++) {
        struct source_clock clock;
        uint32_t partitions;
        if (!source_clock_read(&clock, &partitions, bytes_of(committed[p].metadata))) continue;
        if (*known == 0 || partitions < *known) *known = partitions;
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
static enum status source_first(struct sources *s, struct source *source, struct error *err)
{
    struct worker *w = s->worker;
    uint32_t topic = source->clock.topic, partition = source->clock.partition, known;
    const char *name = w->config->topics.text[topic];
    uint32_t count = s->topic[topic].partitions;
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
    source->partitions_first = known == 0 ? count : known;
    if (added_later) {
        source->clock.watermark_ns = sources_published_watermark(s);
        log_info("combine", "a partition was added, reading it from its beginning",
            "topic=%s partition=%" PRIu32 " offset=%" PRId64, name, partition, offset[partition]);
    }
    free(offset);
    free(wanted);
    return status;
}

static enum status partitions_refresh(struct sources *s, uint32_t topic, struct error *err)
{
    struct worker *w = s->worker;
    uint32_t count = 0;
    enum status status = kafka_partitions(w->observer, w->config->topics.text[topic], &count, err);
    if (status == ST_OK && count > s->topic[topic].partitions) s->topic[topic].partitions = count;
    return status;
}

/* What is committed was written by a newer weir, or under another plan: say so, and do not go on from it. */
static enum status committed_check(const struct worker *w, const struct kafka_assigned *from,
    const struct source_clock *clock, bool is_read, struct error *err)
{
    char where[TOPIC_BYTES + 16];
    const char *topic = w->config->topics.text[from->topic];
    unsigned long long theirs = clock->plan, ours = w->plan->fingerprint;
    snprintf(where, sizeof(where), "%s/%" PRId32, topic, from->partition);
    if (!is_read && metadata_is_newer(from->metadata)) {
        trouble_begin(TROUBLE_VERSION, where, "offset %" PRId64 ": " METADATA_NEWER, from->offset,
            from->metadata);
        return error_set(err, ST_FATAL, 0,
            "topic %s, partition %d, offset %" PRId64 ": " METADATA_NEWER, topic, from->partition,
            from->offset, from->metadata);
    }
    if (clock->plan == 0 || clock->plan == w->plan->fingerprint) return ST_OK;
    trouble_begin(TROUBLE_PLAN, where,
        "it was read last under plan %016llx, this worker runs plan %016llx", theirs, ours);
    return error_set(err, ST_FATAL, 0,
        "kafka: topic %s, partition %d was read last under plan %016llx, this worker runs plan "
        "%016llx: the name was switched while this worker started. Start it again with the "
        "config of that plan",
        topic, from->partition, theirs, ours);
}

static enum status source_init(
    struct sources *s, struct source *source, struct kafka_assigned *from, struct error *err)
{
    struct worker *w = s->worker;
    const char *topic = w->config->topics.text[from->topic];
    uint32_t partitions = s->topic[from->topic].partitions;
    if ((uint32_t)from->partition >= s->topic[from->topic].partitions) {
        return error_set(err, ST_RETRY, 0,
            "kafka: topic %s, partition %d is newer than what is known of it", topic,
            from->partition);
    }
    *source = (struct source){.idle_at = -1, .end = INT64_MAX, .changed = true};
    source->clock = (struct source_clock){.watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE};
    bool is_read = source_clock_read(&source->clock, &partitions, bytes_of(from->metadata));
    enum status status = committed_check(w, from, &source->clock, is_read, err);
    if (status != ST_OK) return status;
    source->partitions_first = partitions;
    source->clock.plan = w->plan->fingerprint;
    source->clock.topic = from->topic;
    source->clock.partition = (uint32_t)from->partition;
    source->clock.ended = false;
    source->clock.position = source->clock.committed = from->offset;
    if (from->offset < 0) status = source_first(s, source, err);
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
    source->ahead = metric_of(METRIC_GAUGE, "weir_source_ahead_seconds",
        "How far the partition's clock is past what aggregate has closed.",
        "topic=\"%s\",partition=\"%d\"", topic, from->partition);
    return status;
}

void source_end_check(struct source *source, struct kafka *kafka)
{
    if (source->clock.ended || source->clock.position < source->end) return;
    source->clock.ended = true;
    source->changed = true;
    source->paused = kafka_pause(kafka, source->clock.topic, (int32_t)source->clock.partition);
}

enum status sources_assign(struct sources *s, struct kafka *kafka, struct error *err)
{
    struct kafka_assigned *assigned;
    size_t count;
    enum status status = kafka_assigned(kafka, &assigned, &count, err);
    sources_forget(s);
    for (uint32_t t = 0; t < s->worker->config->topics.count && status == ST_OK; t++) {
        status = partitions_refresh(s, t, err);
    }
    if (status != ST_OK) return status;
    s->source = memory_resize(s->source, count + 1, sizeof(*s->source));
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        status = source_init(s, &s->source[i], &assigned[i], err);
    }
    if (status == ST_OK) status = kafka_start(kafka, err);
    if (status != ST_OK) return status;
    s->count = count;
    for (size_t i = 0; i < count; i++)
        source_end_check(&s->source[i], kafka);
    log_info("combine", "partitions assigned", "partitions=%zu", count);
    return ST_OK;
}

bool sources_changed(const struct sources *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->source[i].changed) return true;
    }
    return false;
}
