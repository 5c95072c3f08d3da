/*
 * The thread of stage 3: apply rows and alerts to the store in log order.
 *
 * The store says where it is; the group's committed offset only says what had been applied once.
 */
#include "engine/base/clock.h"
#include "engine/base/failpoint.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/evictions.h"
#include "engine/metrics.h"
#include "engine/trouble.h"
#include "engine/worker.h"
#include "sinks/store.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    QUEUE_KBYTES = 65536,
    COMMIT_MS = 500,
    LINGER_MS = 20, /* how long a batch may wait for more */
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    VERIFY_MS = 1000, /* how often the store is asked whether it still holds what it did */
};

#define SAY_AGAIN_NS (600 * NS_PER_S) /* a state that lasts */
#define SAY_PLACE_NS (10 * NS_PER_S)

/* A partition of rows that this thread owns, and the batch being gathered for it. */
struct feed {
    int32_t partition;
    int64_t position;     /* next offset to read */
    int64_t committed;    /* position the group has committed */
    int64_t applied;      /* what the store holds; -1: none */
    int64_t refill_until; /* records before it had been applied once */
    int64_t last;         /* of the batch */
    struct buffer bytes;  /* the batch's record values, side by side */
    size_t end[STORE_BATCH_MAX];
    int64_t offset[STORE_BATCH_MAX];
    size_t count;
    bool paused;
    bool from_start; /* what is read next is the start of its log */
    bool skipped;    /* rows before those that are read now are not in the store */
    bool at_end;     /* the partition has nothing more for now */
    bool refilling;  /* the store may say so, by us or a former owner, until it is told otherwise */
};

struct sink_stage {
    struct worker *worker;
    uint32_t thread;
    struct kafka *kafka;
    void *store;
    bool store_open;
    const struct live *live; /* that the store was opened under */
    struct feed *feed;
    size_t feeds;
    struct output *output; /* scratch of one batch */
    int64_t retry_ns;      /* no attempt before, by clock_ns; 0: the store answers */
    int64_t backoff_ms;
    int64_t commit_ns; /* when offsets are committed next */
    int64_t verify_ns; /* when the store is asked next */
    bool away;         /* counted in the worker's sinks_away */
    bool drained;      /* counted in the worker's sinks_drained */
    int64_t looked_ns; /* wall clock: when the look began that found so */
    const char *topic[1];
    struct fencing fencing;
    bool store_failed;          /* of the newest ST_RETRY: the store, not Kafka */
    enum store_trouble trouble; /* said last, while retry_ns is not 0 */
    struct evictions evictions;
    bool lacks_rows; /* that the store threw away, which is said */
    struct metric *latency, *transfer, *analysis, *rows, *evicted;
};

static void say_drained(struct sink_stage *s, bool drained)
{
    if (drained == s->drained) return;
    s->drained = drained;
    atomic_fetch_add(&s->worker->sinks_drained, drained ? 1U : UINT_MAX);
}

/* Of those that come next nothing is known. */
static void feeds_forget(struct sink_stage *s)
{
    for (size_t i = 0; i < s->feeds; i++)
        buffer_release(&s->feed[i].bytes);
    s->feeds = 0;
    say_drained(s, false);
}

static struct feed *feed_of(struct sink_stage *s, int32_t partition)
{
    for (size_t i = 0; i < s->feeds; i++) {
        if (s->feed[i].partition == partition) return &s->feed[i];
    }
    return NULL;
}

static enum status store_open(struct sink_stage *s, struct error *err)
{
    if (s->store_open) return ST_OK;
    s->live = atomic_load(&s->worker->live);
    const struct config *config = s->live->plan->config;
    struct store_history history[HISTORIES_MAX];
    for (size_t i = 0; i < config->histories; i++) {
        history[i] = (struct store_history){config->history[i].resolution_ns,
            config->history[i].retain_ns, config->history[i].sketches};
    }
    struct store_config store = {.url = config->redis.url,
        .tls = {config->redis.ca_file, config->redis.certificate_file, config->redis.key_file},
        .prefix = config->redis.prefix,
        .trace_link = config->trace_link,
        .timeout_ns = config->redis.timeout_ns,
        .plan = s->worker->plan->fingerprint,
        .pane_ns = config->pane_ns,
        .sketch_scale = (uint32_t)config->sketch_scale,
        .history = history,
        .histories = config->histories,
        .alerts_max = config->limits.alerts};
    enum status status = store_redis.open(&s->store, &store, err);
    s->store_open = status == ST_OK;
    return status;
}

/* Another limits.alerts: opened anew, the store goes on where it is. */
static enum status store_settle(struct sink_stage *s, struct error *err)
{
    if (!s->store_open || s->live == atomic_load(&s->worker->live)) return ST_OK;
    store_redis.close(s->store);
    s->store_open = false;
    return store_open(s, err);
}

/*
 * The store is away: said once for each kind of trouble, tried again ever more seldom, nothing lost.
 */
static void store_away(struct sink_stage *s, const struct error *why)
{
    enum store_trouble trouble = s->store_open ? store_redis.trouble(s->store) : STORE_REFUSED;
    metric_add(metric_of(METRIC_COUNTER, "weir_redis_troubles_total",
                   "Attempts that Redis did not take, by reason.", "reason=\"%s\"",
                   store_trouble_name(trouble)),
        1);
    ready_set("redis", why->text);
    if (!s->away) atomic_fetch_add(&s->worker->sinks_away, 1);
    s->away = true;
    if (s->retry_ns == 0) s->backoff_ms = BACKOFF_FIRST_MS;
    if (s->retry_ns == 0 || trouble != s->trouble) {
        log_warn("sink", "the store does not take rows, trying again; they wait in Kafka",
            "reason=%s error=%s", store_trouble_name(trouble), why->text);
    }
    s->trouble = trouble;
    s->retry_ns = clock_ns() + s->backoff_ms * NS_PER_MS;
    s->backoff_ms = s->backoff_ms * 2 < BACKOFF_MAX_MS ? s->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void store_back(struct sink_stage *s)
{
    if (s->retry_ns != 0) log_info("sink", "the store takes rows again", NULL);
    if (s->away) atomic_fetch_sub(&s->worker->sinks_away, 1);
    s->away = false;
    if (atomic_load(&s->worker->sinks_away) == 0) ready_set("redis", NULL);
    s->retry_ns = 0;
}

/* Ask the store where it is with `feed`, and whether it threw rows away since it was asked last. */
static enum status store_place(
    struct sink_stage *s, const struct feed *feed, struct store_place *place, struct error *err)
{
    enum status status = store_redis.place(s->store, feed->partition, place, err);
    s->store_failed = status == ST_RETRY;
    if (status != ST_OK) return status;
    uint64_t evicted = evictions_look(&s->evictions, place, clock_ns());
    if (s->thread == 0 && evicted != 0) /* one server, looked at by every thread */
        metric_add(s->evicted, evicted);
    return ST_OK;
}

/*
 * Where to read a partition from: behind what the store holds, or from the log's start where it
 * holds nothing, less than the log still has, or more than the log ever had.
 */
static enum status feed_place(
    struct sink_stage *s, struct feed *feed, int64_t first, int64_t end, struct error *err)
{
    struct store_place place;
    enum status status = store_place(s, feed, &place, err);
    if (status != ST_OK) return status;
    feed->applied = place.applied;
    feed->refilling = true;
    if (feed->applied >= end) {
        log_warn("sink", "the store is ahead of the log, which was made anew: refilling",
            "partition=%d applied=%" PRId64 " end=%" PRId64, feed->partition, feed->applied, end);
        status = store_redis.forget(s->store, feed->partition, err);
        s->store_failed = status == ST_RETRY;
        if (status != ST_OK) return status;
        feed->applied = -1;
    }
    if (feed->applied < 0 && feed->committed > first &&
        evictions_going_on(&s->evictions, &place, clock_ns())) {
        static struct log_gate gate;
        if (log_every(&gate, SAY_PLACE_NS)) {
            log_warn("sink",
                "the store threw its place away: going on with new rows, the others follow",
                "partition=%d from=%" PRId64, feed->partition, feed->committed);
        }
        feed->position = feed->refill_until = feed->committed;
        feed->skipped = true;
        return ST_OK;
    }
    feed->from_start = feed->applied < 0;
    feed->position = feed->applied + 1;
    if (feed->position < first) {
        if (feed->applied >= 0 || feed->committed > first) {
            char where[TOPIC_BYTES + 16];
            snprintf(where, sizeof(where), "%s/%" PRId32, s->worker->rows, feed->partition);
            trouble_happened(TROUBLE_ROWS_DELETED, where,
                "rows %" PRId64 " to %" PRId64 " were deleted before the store had them: %" PRId64
                " lost",
                feed->position, first - 1, first - feed->position);
            metric_add(metric_of(METRIC_COUNTER, "weir_rows_lost_total",
                           "Rows deleted by retention before the store had them.", NULL),
                (uint64_t)(first - feed->position));
        }
        feed->position = first;
    }
    feed->refill_until = feed->committed;
    if (feed->position < feed->refill_until) {
        log_info("sink", "refilling the store", "partition=%d from=%" PRId64 " to=%" PRId64,
            feed->partition, feed->position, feed->refill_until);
    }
    return ST_OK;
}

static enum status feeds_place(
    struct sink_stage *s, struct kafka_assigned *assigned, size_t count, struct error *err)
{
    struct worker *w = s->worker;
    uint32_t partitions = w->plan->partitions;
    int64_t *first = memory_zeroed(partitions, sizeof(*first));
    int64_t *end = memory_zeroed(partitions, sizeof(*end));
    enum status status =
        kafka_offsets_at(w->observer, w->rows, partitions, NULL, KAFKA_AT_START, first, err);
    if (status == ST_OK) {
        status = kafka_offsets_at(w->observer, w->rows, partitions, NULL, KAFKA_AT_END, end, err);
    }
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        struct feed *feed = &s->feed[s->feeds++];
        int32_t p = assigned[i].partition;
        *feed = (struct feed){.partition = p, .committed = assigned[i].offset};
        status = feed_place(s, feed, first[p], end[p], err);
        assigned[i].offset = feed->position;
    }
    free(first);
    free(end);
    return status;
}

static enum status on_assigned(struct sink_stage *s, struct error *err)
{
    struct kafka_assigned *assigned;
    size_t count;
    feeds_forget(s);
    enum status status = store_open(s, err);
    if (status == ST_OK) status = kafka_assigned(s->kafka, &assigned, &count, err);
    if (status != ST_OK) return status;
    s->feed = memory_resize(s->feed, count + 1, sizeof(*s->feed));
    status = feeds_place(s, assigned, count, err);
    if (status == ST_OK) status = kafka_start(s->kafka, err);
    if (status == ST_OK) {
        store_back(s);
        log_info("sink", "partitions assigned", "thread=%u partitions=%zu", s->thread, count);
    }
    return status;
}

/* The pipeline's own delays, of what has just become visible. */
static void say_delays(struct sink_stage *s, size_t count, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &s->output[i].row;
        if (s->output[i].is_alert || row->status == ROW_REVISED || row->sent_ms == 0) continue;
        metric_observe(s->analysis, (double)(now_ms - row->sent_ms) / 1e3);
        if (row->record_ms == 0) continue;
        metric_observe(s->transfer, (double)(row->sent_ms - row->record_ms) / 1e3);
    }
}

/* Only a row of a newer weir is not passed over. */
static enum status row_refused(
    const struct sink_stage *s, int32_t partition, int64_t offset, struct error *err)
{
    struct error why = *err;
    char where[TOPIC_BYTES + 16];
    snprintf(where, sizeof(where), "%s/%" PRId32, s->worker->rows, partition);
    trouble_begin(TROUBLE_VERSION, where, "offset %" PRId64 ": %s", offset, why.text);
    return error_set(err, why.status, why.code, "topic %s, partition %d, offset %" PRId64 ": %s",
        s->worker->rows, partition, offset, why.text);
}

/* Decode the gathered records; a damaged one is counted and left out, provisional ones of a refill too. */
static enum status batch_decode(
    struct sink_stage *s, const struct feed *feed, bool refill, size_t *count, struct error *err)
{
    *count = 0;
    for (size_t i = 0, at = 0; i < feed->count; at = feed->end[i++]) {
        struct bytes record = {feed->bytes.data + at, feed->end[i] - at};
        struct output *output = &s->output[*count];
        enum status status = output_decode(record, output, err);
        if (status > ST_SKIP) return row_refused(s, feed->partition, feed->offset[i], err);
        if (status == ST_SKIP) {
            metric_add(metric_of(METRIC_COUNTER, "weir_rows_malformed_total",
                           "Records of the rows topic that could not be read.", NULL),
                1);
            continue;
        }
        bool stale = refill && !output->is_alert && output->row.status == ROW_PROVISIONAL;
        if (!stale) (*count)++;
    }
    return ST_OK;
}

static void feed_empty(struct feed *feed)
{
    buffer_reset(&feed->bytes);
    feed->count = 0;
}

static enum status feed_apply(struct sink_stage *s, struct feed *feed, struct error *err)
{
    size_t count;
    bool refill = feed->last < feed->refill_until;
    enum status status = batch_decode(s, feed, refill, &count, err);
    if (status != ST_OK) return status;
    int64_t begin_ns = clock_ns(), applied = -1;
    struct store_batch batch = {.output = s->output,
        .count = count,
        .refill = refill,
        .whole = feed->refilling && !refill,
        .from_start = feed->from_start,
        .prev = feed->applied,
        .last = feed->last,
        .now_ms = clock_wall_ns() / NS_PER_MS};
    failpoint("sink", "decoded");
    status = store_redis.apply(s->store, feed->partition, &batch, &applied, err);
    s->store_failed = status == ST_RETRY;
    failpoint("sink", "applied");
    static struct log_gate gate;
    if (status == ST_LOST && log_every(&gate, NS_PER_S)) {
        log_warn("sink", "the store lost its place, going back to it",
            "partition=%d expected=%" PRId64 " applied=%" PRId64, feed->partition, feed->applied,
            applied);
    }
    if (status != ST_OK) return status;
    metric_observe(s->latency, (double)(clock_ns() - begin_ns) / 1e9);
    metric_add(s->rows, count);
    if (!refill) say_delays(s, count, batch.now_ms);
    feed->applied = feed->last;
    feed->from_start = false;
    feed->refilling = feed->refilling && refill;
    feed_empty(feed);
    store_back(s);
    return ST_OK;
}

/* Apply what is gathered. ST_RETRY leaves it gathered, for the next attempt. */
static enum status feeds_apply(struct sink_stage *s, struct error *err)
{
    if (s->retry_ns != 0 && clock_ns() < s->retry_ns) return ST_OK;
    for (size_t i = 0; i < s->feeds; i++) {
        if (s->feed[i].count == 0) continue;
        enum status status = feed_apply(s, &s->feed[i], err);
        if (status == ST_RETRY) {
            store_away(s, err);
            return ST_OK;
        }
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static enum status on_record(
    struct sink_stage *s, const struct kafka_record *record, struct error *err)
{
    struct feed *feed = feed_of(s, record->partition);
    if (feed == NULL || record->offset < feed->position) return ST_OK;
    bool crosses =
        feed->count != 0 && feed->last < feed->refill_until && record->offset >= feed->refill_until;
    if (feed->count == STORE_BATCH_MAX || crosses) {
        enum status status = feeds_apply(s, err);
        if (status != ST_OK) return status;
        if (feed->count != 0) { /* the store is away: read this record again when it is back */
            kafka_rewind(s->kafka);
            return ST_OK;
        }
    }
    buffer_append(&feed->bytes, record->value.data, record->value.size);
    feed->offset[feed->count] = record->offset;
    feed->end[feed->count++] = feed->bytes.size;
    feed->last = record->offset;
    feed->position = record->offset + 1;
    feed->at_end = false;
    return feed->count == STORE_BATCH_MAX ? feeds_apply(s, err) : ST_OK;
}

static enum status commit(struct sink_stage *s, struct error *err)
{
    struct kafka_position *position = memory_zeroed(s->feeds + 1, sizeof(*position));
    size_t count = 0;
    for (size_t i = 0; i < s->feeds; i++) {
        struct feed *feed = &s->feed[i];
        if (feed->count != 0 || feed->position <= feed->committed) continue;
        position[count++] = (struct kafka_position){0, feed->partition, feed->position, ""};
    }
    enum status status = count == 0 ? ST_OK : kafka_commit(s->kafka, position, count, err);
    for (size_t i = 0; i < s->feeds && status == ST_OK; i++) {
        struct feed *feed = &s->feed[i];
        if (feed->count == 0 && feed->position > feed->committed) feed->committed = feed->position;
    }
    free(position);
    s->commit_ns = clock_ns() + COMMIT_MS * NS_PER_MS;
    /* The store knows its place, so a commit that failed in a rebalance is only a pity. */
    if (status != ST_OK)
        log_debug("sink", "offsets not committed, next time", "error=%s", err->text);
    return ST_OK;
}

static enum status on_revoked(struct sink_stage *s, struct error *err)
{
    enum status status = feeds_apply(s, err);
    if (status != ST_OK) return status;
    status = commit(s, err);
    kafka_let_go(s->kafka);
    feeds_forget(s);
    return status;
}

static enum status on_event(struct sink_stage *s, enum kafka_event event,
    const struct kafka_record *record, struct error *err)
{
    struct feed *feed;
    switch (event) {
    case KAFKA_NOTHING:
        break;
    case KAFKA_RECORD:
        return on_record(s, record, err);
    case KAFKA_END:
        feed = feed_of(s, record->partition);
        if (feed != NULL && record->offset >= feed->position) {
            feed->position = record->offset;
            feed->at_end = true;
        }
        break;
    case KAFKA_ASSIGNED:
        return on_assigned(s, err);
    case KAFKA_REVOKED:
        return on_revoked(s, err);
    case KAFKA_LOST:
        kafka_let_go(s->kafka);
        feeds_forget(s);
        break;
    case KAFKA_GONE:
        kafka_rewind(s->kafka);
        break; /* the place is asked again, and what is lost counted */
    case KAFKA_TROUBLE:
        stage_trouble("sink", err);
        break;
    }
    return ST_OK;
}

/* While the store is away nothing is fetched; the group is still attended to. */
static void feeds_hold(struct sink_stage *s)
{
    bool hold = s->retry_ns != 0;
    for (size_t i = 0; i < s->feeds; i++) {
        struct feed *feed = &s->feed[i];
        if (hold && !feed->paused) feed->paused = kafka_pause(s->kafka, 0, feed->partition);
        if (!hold && feed->paused) feed->paused = !kafka_resume(s->kafka, 0, feed->partition);
    }
}

static void say_lacking(struct sink_stage *s, const struct store_place *place)
{
    static struct log_gate gate;
    char why[300];
    s->lacks_rows = true;
    snprintf(why, sizeof(why),
        "redis: it threw %" PRIu64 " keys away for lack of memory (maxmemory %" PRIu64
        ", maxmemory-policy %s): rows are missing. Give it more memory and set maxmemory-policy "
        "noeviction; then they are written again.",
        place->evicted, place->memory_max, place->policy);
    ready_set("evictions", why);
    if (log_every(&gate, SAY_AGAIN_NS))
        log_error("sink", "the store does not keep what it is given", "error=%s", why);
}

/*
 * What the store threw away is written again, but only once that makes sense (engine/evictions.h): the
 * places are forgotten, so that everything is read from the log's start.
 */
static enum status make_good(
    struct sink_stage *s, const struct store_place *worst, struct error *err)
{
    if (worst->evicted == 0) {
        if (s->lacks_rows) ready_set("evictions", NULL);
        s->lacks_rows = false;
        return ST_OK;
    }
    say_lacking(s, worst);
    if (!evictions_refill(&s->evictions, worst, clock_ns())) return ST_OK;
    for (size_t i = 0; i < s->feeds; i++) {
        enum status status = store_redis.forget(s->store, s->feed[i].partition, err);
        s->store_failed = status == ST_RETRY;
        if (status != ST_OK) return status;
    }
    return error_set(err, ST_LOST, 0,
        "the store threw %" PRIu64 " keys away: all rows are written again", worst->evicted);
}

static bool has_gathered(const struct sink_stage *s)
{
    for (size_t i = 0; i < s->feeds; i++) {
        if (s->feed[i].count != 0) return true;
    }
    return false;
}

/* A refill may end where the log does, and no record comes that would say so. */
static enum status say_whole(struct sink_stage *s, struct feed *feed, struct error *err)
{
    if (!feed->refilling || !feed->at_end || feed->count != 0) return ST_OK;
    enum status status = store_redis.refilled(s->store, feed->partition, err);
    s->store_failed = status == ST_RETRY;
    if (status == ST_OK) feed->refilling = false;
    return status;
}

/*
 * Ask the store whether it still holds what it did, so that one that was emptied is refilled also
 * when no row comes; that all is there is what batch mode waits for. While rows are waiting it is for
 * them to find out whether it takes rows: one that is full still answers questions.
 */
static enum status verify(struct sink_stage *s, struct error *err)
{
    int64_t now_ns = clock_ns();
    bool waits = s->retry_ns != 0 && (now_ns < s->retry_ns || has_gathered(s));
    if (waits || now_ns < s->verify_ns) return ST_OK;
    struct store_place worst = {.evicted = 0};
    bool drained = true;
    int64_t look_ns = clock_wall_ns();
    s->verify_ns = clock_ns() + VERIFY_MS * NS_PER_MS;
    for (size_t i = 0; i < s->feeds; i++) {
        struct feed *feed = &s->feed[i];
        struct store_place place;
        enum status status = store_place(s, feed, &place, err);
        if (status == ST_OK) status = say_whole(s, feed, err);
        if (status == ST_RETRY) {
            store_away(s, err);
            say_drained(s, false);
            return ST_OK;
        }
        if (status == ST_OK && place.applied != feed->applied) {
            status = error_set(err, ST_LOST, 0,
                "the store holds partition %d up to %" PRId64 " instead of %" PRId64,
                feed->partition, place.applied, feed->applied);
        }
        if (status != ST_OK) return status;
        if (feed->skipped && place.applied < 0)
            place.evicted = place.evicted_ever == 0 ? 1 : place.evicted_ever;
        if (place.evicted > worst.evicted) worst = place;
        drained = drained && feed->at_end && feed->count == 0;
    }
    if (s->retry_ns != 0) store_back(s);
    s->looked_ns = look_ns;
    say_drained(s, drained && worst.evicted == 0);
    return make_good(s, &worst, err);
}

/* What a batch ends with: whatever the store loses after that look is for the next to fill. */
static void say_complete(const struct sink_stage *s)
{
    for (size_t i = 0; i < s->feeds && s->drained && s->worker->batch.until_end; i++) {
        log_info("sink", "all that was read is in the store",
            "partition=%d applied=%" PRId64 " looked_ms=%" PRId64, s->feed[i].partition,
            s->feed[i].applied, s->looked_ns / NS_PER_MS);
    }
}

static enum status round_once(struct sink_stage *s, struct error *err)
{
    int64_t until_ns = clock_ns() + LINGER_MS * NS_PER_MS;
    enum status status = ST_OK;
    s->store_failed = false;
    while (status == ST_OK && clock_ns() < until_ns && !worker_stopping(s->worker)) {
        struct kafka_record record;
        enum kafka_event event = kafka_poll(s->kafka, LINGER_MS, &record, err);
        status = on_event(s, event, &record, err);
        if (s->retry_ns != 0)
            feeds_hold(s); /* at once: a full batch has no room for another record */
    }
    if (status == ST_OK) status = store_settle(s, err);
    if (status == ST_OK) status = feeds_apply(s, err);
    if (status == ST_OK) status = verify(s, err);
    if (status != ST_OK) return status;
    feeds_hold(s);
    return clock_ns() >= s->commit_ns ? commit(s, err) : ST_OK;
}

static enum status stage_open(struct sink_stage *s, struct error *err)
{
    s->topic[0] = s->worker->rows;
    struct kafka_options options = {.config = s->worker->config,
        .instance = s->worker->instance,
        .stage = "sink",
        .thread = s->thread,
        .topic = s->topic,
        .topics = 1,
        .keeps_order = true,
        .queue_kbytes = QUEUE_KBYTES};
    return kafka_open(&s->kafka, &options, err);
}

static void metrics_open(struct sink_stage *s)
{
    s->latency =
        metric_of(METRIC_SUMMARY, "weir_redis_seconds", "Time to apply a batch of rows.", NULL);
    s->transfer = metric_of(METRIC_SUMMARY, "weir_transfer_seconds",
        "From a span's record timestamp to combine's sending of its delta.", NULL);
    s->analysis = metric_of(METRIC_SUMMARY, "weir_analysis_seconds",
        "From combine's sending to the row in the store.", NULL);
    s->rows = metric_of(
        METRIC_COUNTER, "weir_rows_applied_total", "Rows and alerts applied to the store.", NULL);
    s->evicted = metric_of(METRIC_COUNTER, "weir_redis_evicted_keys_total",
        "Keys that Redis threw away for lack of memory while we looked.", NULL);
}

void sink_stage(struct stage_thread *self)
{
    struct sink_stage s = {.worker = self->worker, .thread = self->thread};
    struct error err;
    s.output = memory_zeroed(STORE_BATCH_MAX, sizeof(*s.output));
    metrics_open(&s);
    while (!worker_stopping(s.worker)) {
        enum status status = s.kafka == NULL ? stage_open(&s, &err) : round_once(&s, &err);
        if (status == ST_OK) continue;
        if (status == ST_LOST && s.kafka != NULL) {
            /* A store that loses its place again and again still gets on by what it took. */
            struct error unused;
            if (commit(&s, &unused) != ST_OK) log_debug("sink", "offsets not committed", NULL);
        }
        feeds_forget(&s);
        if (status == ST_RETRY && s.store_failed) { /* said once; the group waits with us */
            store_away(&s, &err);
            worker_pause(s.worker, s.backoff_ms * NS_PER_MS);
            if (s.kafka != NULL) kafka_rewind(s.kafka);
            continue;
        }
        if (status == ST_LOST && s.kafka != NULL)
            status = ST_ABORT; /* the store's place, not Kafka's */
        stage_recover(s.worker, &s.kafka, status, &s.fencing, "sink", &err);
    }
    say_complete(&s);
    if (s.kafka != NULL && feeds_apply(&s, &err) == ST_OK && commit(&s, &err) != ST_OK) {
        log_debug("sink", "offsets not committed at the end", NULL);
    }
    kafka_close(s.kafka);
    feeds_forget(&s);
    if (s.store_open) store_redis.close(s.store);
    free(s.output);
    free(s.feed);
}
