/*
 * The thread of stage 2: run the state machines of the partitions that it owns, and commit what
 * they say together with how far they read.
 */
#include "engine/aggregate.h"
#include "engine/aggregate_metadata.h"
#include "engine/base/clock.h"
#include "engine/base/failpoint.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/fleet.h"
#include "engine/metrics.h"
#include "engine/snapshot.h"
#include "engine/trouble.h"
#include "engine/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    QUEUE_KBYTES = 65536,
    EPOCH_BYTES_MAX = 8 << 20, /* of rows: ends the epoch */
};

/* A partition of partials that this thread owns. */
struct shard {
    int32_t partition;
    struct aggregate *aggregate;
    struct records records; /* said since the last commit */
    int64_t position;       /* next partial to apply */
    int64_t
        silent_until;  /* partials before it were committed by an earlier owner: nothing is said */
    int64_t committed; /* as far as we know */
    int64_t committed_watermark_ns;
    bool committed_ended;
    bool changed;
    bool live; /* past what an earlier owner has said and counted */
    struct aggregate_metadata metadata;
    int64_t snapshot_due_ns;     /* by clock_ns */
    int64_t snapshot_partials;   /* the first partial that the newest snapshot does not hold */
    int64_t snapshot_first;      /* its first record in <name>.state */
    bool trim;                   /* a snapshot was committed: what only older ones need may go */
    struct partial_telling told; /* last, of its partition's panes; as committed */
    struct aggregate_counts said;
    struct metric *watermark, *series, *bytes, *lag, *snapshot;
};

struct aggregate_stage {
    struct worker *worker;
    uint32_t thread;
    struct kafka *kafka;
    struct shard *shard;
    size_t shards;
    const char *topic[1];
    struct fencing fencing;
};

static void shard_release(struct shard *shard)
{
    aggregate_free(shard->aggregate);
    records_release(&shard->records);
    metric_clear(shard->watermark);
    metric_clear(shard->series);
    metric_clear(shard->bytes);
    metric_clear(shard->lag);
    metric_clear(shard->snapshot);
}

static void shards_forget(struct aggregate_stage *s)
{
    for (size_t i = 0; i < s->shards; i++)
        shard_release(&s->shard[i]);
    s->shards = 0;
}

static struct shard *shard_of(struct aggregate_stage *s, int32_t partition)
{
    for (size_t i = 0; i < s->shards; i++) {
        if (s->shard[i].partition == partition) return &s->shard[i];
    }
    return NULL;
}

/* Snapshots of different partitions are spread over the interval. */
static int64_t snapshot_next(const struct aggregate_stage *s, const struct shard *shard, bool first)
{
    int64_t every_ns = s->worker->config->snapshot_ns;
    if (every_ns == 0) return INT64_MAX;
    int64_t share = every_ns / (int64_t)s->worker->plan->partitions * (shard->partition + 1);
    return clock_ns() + (first ? share : every_ns);
}

/* Without transactions there is no snapshot, and a broker that keeps little may have dropped partials. */
static enum status oldest_partial(
    struct aggregate_stage *s, int32_t partition, int64_t *oldest, struct error *err)
{
    struct worker *w = s->worker;
    int64_t *first = memory_zeroed(w->plan->partitions, sizeof(*first));
    enum status status = kafka_offsets_at(
        w->observer, w->partials, w->plan->partitions, NULL, KAFKA_AT_START, first, err);
    *oldest = first[partition];
    free(first);
    return status;
}

/* Whoever took a partition over from us trims it too: what is gone then is not missing. */
static enum status check_owner(
    struct aggregate_stage *s, const struct shard *shard, struct error *err)
{
    struct worker *w = s->worker;
    uint32_t count = w->plan->partitions;
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    enum status status =
        kafka_group_committed(w->observer, "aggregate", w->partials, count, committed, err);
    int64_t at = committed[shard->partition].offset;
    free(committed);
    if (status != ST_OK) return err->status = ST_RETRY;
    if (at == shard->committed || (at < 0 && shard->committed <= 0)) return ST_OK;
    return error_set(err, ST_ABORT, 0,
        "topic %s, partition %d: another worker went on from offset %" PRId64 " to %" PRId64,
        w->partials, shard->partition, shard->committed, at);
}

static void place_name(char where[TOPIC_BYTES + 16], const char *topic, int32_t partition)
{
    snprintf(where, TOPIC_BYTES + 16, "%s/%" PRId32, topic, partition);
}

static enum status load_snapshot(struct aggregate_stage *s, struct shard *shard, struct error *err)
{
    struct worker *w = s->worker;
    int64_t manifest = shard->metadata.manifest;
    enum status status = snapshot_read(shard->aggregate, w->observer, w->state, shard->partition,
        manifest, &shard->snapshot_partials, &shard->snapshot_first, err);
    if (status != ST_LOST) return status;
    struct error why = *err;
    status = check_owner(s, shard, err);
    if (status != ST_OK) return status;
    *err = why;
    return snapshot_missing(w->state, shard->partition, manifest, err);
}

static enum status metadata_refused(
    const char *topic, const struct kafka_assigned *from, struct error *err)
{
    char where[TOPIC_BYTES + 16];
    place_name(where, topic, from->partition);
    trouble_begin(TROUBLE_VERSION, where, "offset %" PRId64 ": " METADATA_NEWER, from->offset,
        from->metadata);
    return error_set(err, ST_FATAL, 0,
        "topic %s, partition %d, offset %" PRId64 ": " METADATA_NEWER, topic, from->partition,
        from->offset, from->metadata);
}

/*
 * Take a partition over: the state of its newest snapshot, then what was committed since is run
 * again in silence.
 */
static enum status shard_load(
    struct aggregate_stage *s, struct shard *shard, struct kafka_assigned *from, struct error *err)
{
    struct worker *w = s->worker;
    *shard = (struct shard){
        .partition = from->partition, .silent_until = from->offset, .committed = from->offset};
    shard->metadata = (struct aggregate_metadata){-1, WATERMARK_NONE, false};
    shard->committed_watermark_ns = WATERMARK_NONE;
    shard->told.closed_ns = WATERMARK_NONE;
    shard->watermark = metric_of(METRIC_GAUGE, "weir_watermark_seconds",
        "Event time up to which panes are closed.", "partition=\"%d\"", from->partition);
    shard->series = metric_of(
        METRIC_GAUGE, "weir_series", "Series known.", "partition=\"%d\"", from->partition);
    shard->bytes = metric_of(METRIC_GAUGE, "weir_aggregate_bytes", "Memory of the state.",
        "partition=\"%d\"", from->partition);
    shard->lag = metric_of(METRIC_GAUGE, "weir_partials_lag_records", "Partials not yet applied.",
        "partition=\"%d\"", from->partition);
    shard->snapshot = snapshot_bytes(from->partition);
    shard->aggregate = aggregate_new(w->plan, (uint32_t)from->partition);
    if (!aggregate_metadata_read(&shard->metadata, from->metadata) &&
        metadata_is_newer(from->metadata))
        return metadata_refused(w->partials, from, err);
    if (shard->metadata.manifest >= 0) {
        enum status status = load_snapshot(s, shard, err);
        if (status != ST_OK) return status;
        shard->trim = true;
    } else if (w->config->delivery == DELIVERY_AT_LEAST_ONCE) {
        enum status status = oldest_partial(s, from->partition, &shard->snapshot_partials, err);
        if (status != ST_OK) return status;
    }
    shard->position = shard->snapshot_partials;
    from->offset = shard->position;
    shard->records.silent = shard->position < shard->silent_until;
    shard->snapshot_due_ns = snapshot_next(s, shard, true);
    return ST_OK;
}

static enum status on_assigned(struct aggregate_stage *s, struct error *err)
{
    struct kafka_assigned *assigned;
    size_t count;
    shards_forget(s);
    enum status status = kafka_assigned(s->kafka, &assigned, &count, err);
    if (status != ST_OK) return status;
    s->shard = memory_resize(s->shard, count + 1, sizeof(*s->shard));
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        status = shard_load(s, &s->shard[s->shards++], &assigned[i], err);
    }
    if (status == ST_OK) status = kafka_start(s->kafka, err);
    if (status == ST_OK) {
        log_info("aggregate", "partitions assigned", "thread=%u partitions=%zu", s->thread, count);
    }
    return status;
}

/* Why a partial stops everything, and which one. */
static enum status refused(struct aggregate_stage *s, const struct kafka_record *record,
    const struct error *why, struct error *err)
{
    struct partial_header header;
    struct wire parts;
    struct error ignored;
    char where[TOPIC_BYTES + 16];
    place_name(where, s->worker->partials, record->partition);
    enum status opened = partial_open(record->value, &header, &parts, &ignored);
    bool other = opened == ST_OK && header.plan != s->worker->plan->fingerprint;
    if (opened == ST_FATAL || other) {
        trouble_begin(other ? TROUBLE_PLAN : TROUBLE_VERSION, where, "offset %" PRId64 ": %s",
            record->offset, why->text);
    }
    return error_set(
        err, ST_FATAL, why->code, "%s, offset %" PRId64 ": %s", where, record->offset, why->text);
}

/* What an earlier owner, or this one before a rebalance, has counted is not counted and said once more. */
static void shard_goes_live(struct shard *shard)
{
    if (shard->live) return;
    aggregate_counts(shard->aggregate, &shard->said);
    shard->live = true;
}

static enum status on_record(
    struct aggregate_stage *s, const struct kafka_record *record, struct error *err)
{
    struct shard *shard = shard_of(s, record->partition);
    if (shard == NULL || record->offset < shard->position) return ST_OK;
    shard->records.silent = record->offset < shard->silent_until;
    if (shard->records.silent) failpoint("aggregate", "re-run");
    if (!shard->records.silent) shard_goes_live(shard);

    enum status status = aggregate_apply(shard->aggregate, record->value, &shard->records, err);
    if (status == ST_SKIP) {
        log_error("aggregate", "partial damaged, what could be read of it was applied",
            "topic=%s partition=%d offset=%" PRId64 " error=%s", s->worker->partials,
            record->partition, record->offset, err->text);
        status = ST_OK;
    }
    if (status == ST_FATAL) {
        struct error why = *err;
        return refused(s, record, &why, err);
    }
    if (status != ST_OK) {
        struct error why = *err;
        return error_set(err, status, why.code, "topic %s, partition %d, offset %" PRId64 ": %s",
            s->worker->partials, record->partition, record->offset, why.text);
    }
    shard->position = record->offset + 1;
    shard->changed = shard->changed || !shard->records.silent;
    return status;
}

/*
 * Batch mode: the place behind the last transaction marker is committed too, so that everyone sees that
 * nothing is left to read.
 */
static void on_end(struct aggregate_stage *s, const struct kafka_record *end)
{
    struct shard *shard = shard_of(s, end->partition);
    if (!s->worker->batch.until_end || shard == NULL || end->offset <= shard->position) return;
    shard_goes_live(shard);
    shard->position = end->offset;
    shard->changed = true;
}

/* A batch that is missing means rows that would be wrong: refuse, and say how to go on. */
static enum status on_gone(
    struct aggregate_stage *s, const struct kafka_record *gone, struct error *err)
{
    struct worker *w = s->worker;
    char where[TOPIC_BYTES + 16];
    place_name(where, w->partials, gone->partition);
    const struct shard *shard = shard_of(s, gone->partition);
    if (shard == NULL) return ST_OK; /* not ours, or not any more */
    if (w->config->delivery == DELIVERY_EXACTLY_ONCE) {
        enum status ours = check_owner(s, shard, err);
        if (ours != ST_OK) return ours;
        trouble_begin(TROUBLE_PARTIALS_DELETED, where,
            "partials from offset %" PRId64 " on were deleted before they were aggregated",
            gone->offset);
        return error_set(err, ST_FATAL, 0,
            "topic %s, partition %d: partials from offset %" PRId64
            " on were deleted before they were "
            "aggregated. Restore the topic, or start anew under another `name`; it must have no "
            "time retention",
            w->partials, gone->partition, gone->offset);
    }
    int64_t first = 0;
    enum status status = oldest_partial(s, gone->partition, &first, err);
    if (status != ST_OK) return status;
    int64_t lost = first > gone->offset ? first - gone->offset : 0;
    metric_add(metric_of(METRIC_COUNTER, "weir_partials_lost_total",
                   "Partials deleted before they were aggregated.", NULL),
        (uint64_t)lost);
    trouble_happened(TROUBLE_PARTIALS_DELETED, where,
        "%" PRId64 " partials from offset %" PRId64
        " on were deleted before they were aggregated; going on without them",
        lost, gone->offset);
    kafka_rewind(s->kafka);
    return ST_OK;
}

static enum status send_records(
    struct aggregate_stage *s, const struct shard *shard, struct error *err)
{
    for (size_t i = 0; i < shard->records.count; i++) {
        struct bytes key, value;
        records_get(&shard->records, i, &key, &value);
        enum status status =
            kafka_send(s->kafka, s->worker->rows, shard->partition, key, value, NULL, err);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static enum status send_telling(struct aggregate_stage *s, const struct shard *shard,
    const struct partial_telling *telling, struct error *err)
{
    struct worker *w = s->worker;
    struct buffer partial = {0};
    struct partial_header header = {
        .plan = w->plan->fingerprint, .sent_ms = aggregate_sent_ms(shard->aggregate)};
    partial_put_header(&partial, &header);
    partial_put_telling(&partial, telling);
    enum status status = kafka_send(
        s->kafka, w->partials, FLEET_PARTITION, bytes_of(""), buffer_bytes(&partial), NULL, err);
    buffer_release(&partial);
    return status;
}

/*
 * What fires in this partition goes to the one that looks at all series, with how far its panes are
 * closed. Alerts that fill several records come before that.
 */
static enum status tell(struct aggregate_stage *s, struct shard *shard, struct error *err)
{
    struct partial_telling telling, part;
    struct bytes left = buffer_bytes(&shard->records.told), alerts;
    aggregate_telling(shard->aggregate, &telling);
    bool nothing_new = left.size == 0 && telling.closed_ns == shard->told.closed_ns &&
                       telling.ended == shard->told.ended;
    if (nothing_new) return ST_OK;
    part = (struct partial_telling){.partition = telling.partition, .closed_ns = WATERMARK_NONE};
    while (fleet_cut(&left, PARTIAL_BYTES_MAX, &alerts)) {
        part.alerts = alerts;
        enum status status = send_telling(s, shard, &part, err);
        if (status != ST_OK) return status;
    }
    telling.alerts = alerts;
    return send_telling(s, shard, &telling, err);
}

/* Write a snapshot when one is due; at_least_once has no use for it, its offsets are not exact. */
static enum status send_snapshot(
    struct aggregate_stage *s, struct shard *shard, int64_t *snapshot_first, struct error *err)
{
    bool wanted = s->worker->config->delivery == DELIVERY_EXACTLY_ONCE &&
                  clock_ns() >= shard->snapshot_due_ns && shard->position >= shard->silent_until;
    *snapshot_first = -1;
    if (!wanted) return ST_OK;
    return snapshot_write(shard->aggregate, s->worker->plan->fingerprint, s->kafka,
        s->worker->state, shard->partition, shard->position, &shard->metadata.manifest,
        snapshot_first, err);
}

static bool shard_dirty(const struct shard *shard)
{
    return shard->changed && shard->position >= shard->silent_until;
}

static enum status commit_shards(
    struct aggregate_stage *s, int64_t *snapshot_first, struct error *err)
{
    struct kafka_position *position = memory_zeroed(s->shards + 1, sizeof(*position));
    char(*text)[METADATA_BYTES_MAX] = memory_zeroed(s->shards + 1, sizeof(*text));
    size_t count = 0;
    enum status status = kafka_begin(s->kafka, err);
    for (size_t i = 0; i < s->shards && status == ST_OK; i++) {
        struct shard *shard = &s->shard[i];
        snapshot_first[i] = -1;
        if (!shard_dirty(shard)) continue;
        status = send_records(s, shard, err);
        if (status == ST_OK) status = tell(s, shard, err);
        if (status == ST_OK) status = send_snapshot(s, shard, &snapshot_first[i], err);
        shard->metadata.watermark_ns = aggregate_watermark(shard->aggregate);
        shard->metadata.ended = aggregate_ended(shard->aggregate);
        aggregate_metadata_write(&shard->metadata, text[count]);
        position[count] =
            (struct kafka_position){0, shard->partition, shard->position, text[count]};
        count++;
    }
    if (status == ST_OK) status = kafka_commit(s->kafka, position, count, err);
    free(position);
    free(text);
    return status;
}

static void say(const char *name, const char *help, uint64_t now, uint64_t *said)
{
    metric_add(metric_of(METRIC_COUNTER, name, help, NULL), now - *said); /* shown from 0 on */
    *said = now;
}

static void say_audit(
    const struct aggregate_stage *s, const struct shard *shard, uint64_t gap, uint64_t overlap)
{
    char where[TOPIC_BYTES + 16];
    place_name(where, s->worker->partials, shard->partition);
    if (gap != 0) {
        trouble_happened(TROUBLE_AUDIT_MISSING, where,
            "%" PRIu64 " source offsets are in no partial, before offset %" PRId64, gap,
            shard->position);
    }
    if (overlap != 0) {
        trouble_happened(TROUBLE_AUDIT_TWICE, where,
            "%" PRIu64 " source offsets are in two partials, before offset %" PRId64, overlap,
            shard->position);
    }
}

/* What is waited for is known best to the state: a partition may have gone while no worker ran. */
static void say_expected(const struct aggregate_stage *s, const struct shard *shard)
{
    struct worker *w = s->worker;
    for (uint32_t t = 0; t < w->config->topics.count; t++) {
        uint32_t has = aggregate_partitions(shard->aggregate, t);
        if (has > atomic_load(&w->source_expected[t])) atomic_store(&w->source_expected[t], has);
    }
}

static void say_counts(struct aggregate_stage *s, struct shard *shard)
{
    struct aggregate_counts now, *said = &shard->said;
    aggregate_counts(shard->aggregate, &now);
    say_audit(
        s, shard, now.gap_offsets - said->gap_offsets, now.overlap_offsets - said->overlap_offsets);
    say("weir_audit_missing_offsets_total", "Source offsets that no partial covers.",
        now.gap_offsets, &said->gap_offsets);
    say("weir_audit_repeated_offsets_total", "Source offsets that two partials cover.",
        now.overlap_offsets, &said->overlap_offsets);
    say("weir_partials_total", "Partials applied.", now.partials, &said->partials);
    say("weir_cells_total", "Deltas applied.", now.cells, &said->cells);
    say("weir_cells_repeated_total", "On-time deltas for a closed pane.", now.repeated,
        &said->repeated);
    say("weir_partials_malformed_total", "Partials of which a part was lost.", now.malformed,
        &said->malformed);
    say("weir_rows_final_total", "Final rows.", now.rows_final, &said->rows_final);
    say("weir_rows_revised_total", "Revised rows.", now.rows_revised, &said->rows_revised);
    say("weir_rows_provisional_total", "Provisional rows.", now.rows_provisional,
        &said->rows_provisional);
    say("weir_series_overflowed_total", "Deltas that went to an overflow series.", now.overflowed,
        &said->overflowed);
    say("weir_alerts_untold_total", "Alerts that were too many to be looked at together.",
        now.untold, &said->untold);
    say("weir_series_evicted_total", "Idle series forgotten.", now.evicted, &said->evicted);
    metric_set(shard->series, (double)now.series);
    metric_set(shard->bytes, (double)now.bytes);
    int64_t watermark_ns = aggregate_watermark(shard->aggregate);
    if (watermark_ns != WATERMARK_NONE) metric_set(shard->watermark, (double)watermark_ns / 1e9);
    int64_t end = kafka_end_seen(s->kafka, 0, shard->partition);
    metric_set(shard->lag, end > shard->position + 1 ? (double)(end - shard->position) : 0);
}

/* Delete what only snapshots before the previous one need: two are always whole. */
static void trim(struct aggregate_stage *s, struct shard *shard, int64_t new_first)
{
    struct error err;
    struct worker *w = s->worker;
    if (shard->trim) {
        enum status status = kafka_delete_before(
            w->observer, w->state, shard->partition, shard->snapshot_first, &err);
        failpoint("snapshot", "trimmed");
        if (status == ST_OK) {
            status = kafka_delete_before(
                w->observer, w->partials, shard->partition, shard->snapshot_partials, &err);
        }
        if (status != ST_OK) {
            log_warn("aggregate", "old partials not deleted, trying again at the next snapshot",
                "error=%s", err.text);
        }
    }
    shard->trim = true;
    shard->snapshot_first = new_first;
    shard->snapshot_partials = shard->position;
}

static enum status epoch_commit(struct aggregate_stage *s, struct error *err)
{
    bool any = false;
    for (size_t i = 0; i < s->shards; i++)
        any = any || shard_dirty(&s->shard[i]);
    if (!any) return ST_OK;

    int64_t begin_ns = clock_ns();
    int64_t *snapshot_first = memory_zeroed(s->shards, sizeof(*snapshot_first));
    enum status status = commit_shards(s, snapshot_first, err);
    if (status == ST_ABORT) {
        /* What was said stands: the state has moved on, so the same records go out again. */
        log_warn("aggregate", "transaction aborted, sending it again", "error=%s", err->text);
        status = kafka_abort(s->kafka, err);
        if (status == ST_OK) status = commit_shards(s, snapshot_first, err);
    }
    for (size_t i = 0; i < s->shards && status == ST_OK; i++) {
        struct shard *shard = &s->shard[i];
        if (!shard_dirty(shard)) continue;
        records_reset(&shard->records);
        aggregate_telling(shard->aggregate, &shard->told);
        shard->changed = false;
        shard->committed = shard->position;
        say_counts(s, shard);
        if (snapshot_first[i] < 0) continue;
        trim(s, shard, snapshot_first[i]);
        shard->snapshot_due_ns = snapshot_next(s, shard, false);
    }
    free(snapshot_first);
    if (status != ST_OK) return status;
    metric_observe(metric_of(METRIC_SUMMARY, "weir_epoch_commit_seconds",
                       "Time to commit an epoch.", "stage=\"aggregate\""),
        (double)(clock_ns() - begin_ns) / 1e9);
    return ST_OK;
}

static enum status on_event(struct aggregate_stage *s, enum kafka_event event,
    const struct kafka_record *record, struct error *err)
{
    enum status status = ST_OK;
    switch (event) {
    case KAFKA_NOTHING:
        break;
    case KAFKA_END:
        on_end(s, record);
        break;
    case KAFKA_RECORD:
        return on_record(s, record, err);
    case KAFKA_ASSIGNED:
        return on_assigned(s, err);
    case KAFKA_REVOKED:
        status = epoch_commit(s, err);
        if (status != ST_OK) break;
        kafka_let_go(s->kafka);
        shards_forget(s);
        break;
    case KAFKA_LOST:
        kafka_let_go(s->kafka);
        shards_forget(s);
        break;
    case KAFKA_GONE:
        return on_gone(s, record, err);
    case KAFKA_TROUBLE:
        stage_trouble("aggregate", err);
        break;
    }
    return status;
}

static size_t said_bytes(const struct aggregate_stage *s)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s->shards; i++)
        bytes += s->shard[i].records.bytes.size;
    return bytes;
}

static enum status epoch(struct aggregate_stage *s, struct error *err)
{
    int64_t deadline_ns = clock_ns() + s->worker->config->epoch_ns, now_ns;
    enum status status = ST_OK;
    while (status == ST_OK && (now_ns = clock_ns()) < deadline_ns && !worker_stopping(s->worker) &&
           said_bytes(s) < EPOCH_BYTES_MAX) {
        struct kafka_record record;
        int64_t left_ms = (deadline_ns - now_ns) / NS_PER_MS;
        enum kafka_event event =
            kafka_poll(s->kafka, left_ms > 50 ? 50 : (int)left_ms, &record, err);
        status = on_event(s, event, &record, err);
    }
    for (size_t i = 0; i < s->shards && status == ST_OK; i++)
        say_expected(s, &s->shard[i]);
    return status == ST_OK ? epoch_commit(s, err) : status;
}

static enum status stage_open(struct aggregate_stage *s, struct error *err)
{
    s->topic[0] = s->worker->partials;
    struct kafka_options options = {.config = s->worker->config,
        .instance = s->worker->instance,
        .stage = "aggregate",
        .thread = s->thread,
        .topic = s->topic,
        .topics = 1,
        .produces = true,
        .keeps_order = true,
        .queue_kbytes = QUEUE_KBYTES};
    return kafka_open(&s->kafka, &options, err);
}

void aggregate_stage(struct stage_thread *self)
{
    struct aggregate_stage s = {.worker = self->worker, .thread = self->thread};
    struct error err;
    while (!worker_stopping(s.worker)) {
        enum status status = s.kafka == NULL ? stage_open(&s, &err) : epoch(&s, &err);
        if (status == ST_OK) continue;
        shards_forget(&s);
        stage_recover(s.worker, &s.kafka, status, &s.fencing, "aggregate", &err);
    }
    if (s.kafka != NULL && epoch_commit(&s, &err) != ST_OK) {
        log_warn(
            "aggregate", "last epoch not committed, it will be done again", "error=%s", err.text);
    }
    kafka_close(s.kafka);
    shards_forget(&s);
    free(s.shard);
}
