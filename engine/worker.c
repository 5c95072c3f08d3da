#include "engine/worker.h"

#include "engine/aggregate_metadata.h"
#include "engine/base/clock.h"
#include "engine/base/failpoint.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/cost.h"
#include "engine/kafka_setting.h"
#include "engine/metrics.h"
#include "engine/plan_log.h"
#include "engine/stop.h"
#include "engine/trouble.h"
#include "engine/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum {
    RETRY_MS = 500,
    DRAIN_ASK_MS = 200,
    LEAVE_S = 4, /* from being asked to stop */
    SAY_S = 10,
    THREADS_MAX = 3 * 64 + 1,
    DEAD_LETTER_PARTITIONS = 1,
};

/* What `weir check` says, in one line: whoever reads the log need not ask. */
static void say_cost(const struct plan *plan)
{
    struct cost cost = cost_of(plan);
    double series = (double)plan->config->limits.series;
    log_info("worker", "what the config costs, about",
        "redis_bytes_per_series=%.0f redis_bytes_at_limit=%.0f state_bytes_per_series=%.0f "
        "partials_bytes_per_second_per_series=%.0f",
        cost.redis_bytes_per_series, cost.redis_bytes_per_series * series + cost.redis_bytes_fixed,
        cost.state_bytes_per_series, cost.partial_bytes_s_most);
}

/* A name that another worker has too would fence both, so one that is not random will not do. */
static enum status instance_name(struct worker *w, struct error *err)
{
    unsigned char random[6] = {0};
    if (w->config->instance[0] != '\0') {
        snprintf(w->instance, sizeof(w->instance), "%s", w->config->instance);
        return ST_OK;
    }
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return error_set(err, ST_FATAL, errno,
            "the system gives no random numbers, which name this worker: set `instance` to a name "
            "of its own, or allow getrandom()");
    }
    snprintf(w->instance, sizeof(w->instance), "%02x%02x%02x%02x%02x%02x", random[0], random[1],
        random[2], random[3], random[4], random[5]);
    return ST_OK;
}

/* Retry what a broker does not answer, saying so, until it does or the worker is stopped. */
static enum status insist(struct worker *w, enum status status, struct error *err)
{
    if (status != ST_RETRY) return status;
    static struct log_gate gate;
    bool told = trouble_is(TROUBLE_BROKER) || trouble_is(TROUBLE_TOPIC);
    if (!told && log_every(&gate, SAY_S * NS_PER_S))
        log_warn("kafka", "not answered as it should be, trying again", "error=%s", err->text);
    ready_set("kafka", err->text);
    worker_pause(w, RETRY_MS * NS_PER_MS);
    if (stop_asked()) atomic_store(&w->stopping, true);
    return worker_stopping(w) ? ST_FATAL : ST_RETRY;
}

static enum status source_topic_open(struct worker *w, size_t t, struct error *err)
{
    const char *topic = w->config->topics.text[t];
    uint32_t *count = &w->source_partitions[t];
    enum status status = kafka_partitions(w->observer, topic, count, err);
    if (status == ST_OK && *count != 0) trouble_end(TROUBLE_TOPIC, topic);
    if (status == ST_OK) atomic_store(&w->source_expected[t], *count);
    if (status == ST_OK && *count == 0) {
        trouble_begin(TROUBLE_TOPIC, topic, "there is no such topic; waiting for it");
        return error_set(err, ST_RETRY, 0,
            "kafka: there is no topic %s; make it, or correct `topics` (waiting for it)", topic);
    }
    if (status != ST_OK || !w->batch.until_end) return status;
    free(w->source_end[t]);
    w->source_end[t] = memory_zeroed(*count, sizeof(int64_t));
    return kafka_offsets_at(
        w->observer, topic, *count, NULL, w->batch.to_ms, w->source_end[t], err);
}

static enum status own_topic_open(struct worker *w, char name[TOPIC_BYTES], const char *suffix,
    const char *retention, struct error *err)
{
    plan_log_topic(name, TOPIC_BYTES, w->config->name, suffix, w->generation);
    /* Small segments, because what is trimmed leaves the disk by whole segments. */
    const struct kafka_setting settings[] = {{"cleanup.policy", "delete"},
        {"retention.ms", retention}, {"max.message.bytes", KAFKA_OWN_MESSAGE_BYTES},
        {"segment.bytes", "67108864"}, {NULL, NULL}};
    enum status status;
    do {
        status = kafka_topic_ensure(w->observer, name, w->plan->partitions, settings, err);
    } while ((status = insist(w, status, err)) == ST_RETRY);
    return status;
}

/* Its partitions and settings are the operator's; made only if it is not there, with Kafka's defaults. */
static enum status dead_letter_open(struct worker *w, struct error *err)
{
    const struct kafka_setting defaults[] = {{NULL, NULL}};
    const char *topic = w->config->dead_letter;
    enum status status = ST_OK;
    if (*topic == '\0') return ST_OK;
    do {
        uint32_t there = 0;
        status = kafka_partitions(w->observer, topic, &there, err);
        if (status == ST_OK && there == 0) {
            status = kafka_topic_ensure(w->observer, topic, DEAD_LETTER_PARTITIONS, defaults, err);
        }
    } while ((status = insist(w, status, err)) == ST_RETRY);
    return status;
}

/* Brokers without transactions cannot switch plans, so there is one for ever. */
static enum status plan_share(struct worker *w, struct error *err)
{
    struct plan_log log = {0};
    enum status status;
    if (w->config->delivery != DELIVERY_EXACTLY_ONCE) return ST_OK;
    do {
        plan_log_release(&log);
        status = plan_log_share(&log, w->observer, w->plan, err);
    } while ((status = insist(w, status, err)) == ST_RETRY);
    w->generation = log.generation;
    plan_log_release(&log);
    return status;
}

static enum status topics_open(struct worker *w, struct error *err)
{
    char retention[32];
    enum status status = ST_OK;
    w->source_partitions = memory_zeroed(w->config->topics.count, sizeof(*w->source_partitions));
    w->source_end = memory_zeroed(w->config->topics.count, sizeof(*w->source_end));
    w->source_expected = memory_zeroed(w->config->topics.count, sizeof(*w->source_expected));
    for (size_t t = 0; t < w->config->topics.count && status == ST_OK; t++) {
        do {
            status = source_topic_open(w, t, err);
        } while ((status = insist(w, status, err)) == ST_RETRY);
    }
    snprintf(retention, sizeof(retention), "%lld",
        (long long)(w->config->redis.rows_retention_ns / NS_PER_MS));
    if (status == ST_OK) status = plan_share(w, err);
    if (status == ST_OK) status = own_topic_open(w, w->partials, "partials", "-1", err);
    if (status == ST_OK) status = own_topic_open(w, w->rows, "rows", retention, err);
    if (status == ST_OK) status = own_topic_open(w, w->state, "state", "-1", err);
    if (status == ST_OK) status = dead_letter_open(w, err);
    if (status == ST_OK) ready_set("kafka", NULL);
    return status;
}

/* Whether a stage's group has committed what `is_done` asks of every partition. */
static bool combine_done(struct worker *w, struct error *err)
{
    for (size_t t = 0; t < w->config->topics.count; t++) {
        uint32_t count = w->source_partitions[t];
        struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
        bool done = kafka_group_committed(w->observer, "combine", w->config->topics.text[t], count,
                        committed, err) == ST_OK;
        for (uint32_t p = 0; p < count && done; p++) {
            struct source_clock clock = {0};
            uint32_t partitions;
            done = source_clock_read(&clock, &partitions, bytes_of(committed[p].metadata)) &&
                   clock.ended && committed[p].offset >= w->source_end[t][p];
        }
        free(committed);
        if (!done) return false;
    }
    return true;
}

/* Aggregate has read every partial there is, and closed every pane. */
static bool aggregate_done(struct worker *w, struct error *err)
{
    uint32_t count = w->plan->partitions;
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    int64_t *end = memory_zeroed(count, sizeof(*end));
    bool done =
        kafka_offsets_at(w->observer, w->partials, count, NULL, KAFKA_AT_END, end, err) == ST_OK &&
        kafka_group_committed(w->observer, "aggregate", w->partials, count, committed, err) ==
            ST_OK;
    for (uint32_t p = 0; p < count && done; p++) {
        struct aggregate_metadata metadata;
        done = aggregate_metadata_read(&metadata, committed[p].metadata) && metadata.ended &&
               committed[p].offset >= end[p];
    }
    free(committed);
    free(end);
    return done;
}

static bool sink_done(struct worker *w, struct error *err)
{
    uint32_t count = w->plan->partitions;
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    int64_t *end = memory_zeroed(count, sizeof(*end));
    bool done =
        kafka_offsets_at(w->observer, w->rows, count, NULL, KAFKA_AT_END, end, err) == ST_OK &&
        kafka_group_committed(w->observer, "sink", w->rows, count, committed, err) == ST_OK;
    for (uint32_t p = 0; p < count && done; p++) {
        int64_t at = committed[p].offset < 0 ? 0 : committed[p].offset;
        done = at >= end[p];
    }
    free(committed);
    free(end);
    return done;
}

/*
 * Combine leaves first: it may have sent partials since aggregate was asked, and what is left behind
 * when a batch ends must be nothing.
 */
static bool batch_done(struct worker *w)
{
    struct error err;
    bool left = atomic_load(&w->combining) == 0; /* before anything is asked */
    if (atomic_load(&w->sinks_drained) < w->config->threads.sink) return false;
    if (!combine_done(w, &err) || !aggregate_done(w, &err) || !sink_done(w, &err)) return false;
    atomic_store(&w->read_all, true);
    return left;
}

static void *combine_main(void *self)
{
    struct worker *w = ((struct stage_thread *)self)->worker;
    combine_stage(self);
    atomic_fetch_sub(&w->combining, 1);
    return NULL;
}

static void *aggregate_main(void *self)
{
    aggregate_stage(self);
    return NULL;
}

static void *sink_main(void *self)
{
    sink_stage(self);
    return NULL;
}

struct threads {
    pthread_t thread[THREADS_MAX];
    struct stage_thread self[THREADS_MAX];
    size_t count;
};

static enum status threads_start(struct threads *threads, struct worker *w, uint64_t count,
    void *(*run)(void *), struct error *err)
{
    for (uint32_t i = 0; i < count && threads->count < THREADS_MAX; i++) {
        struct stage_thread *self = &threads->self[threads->count];
        *self = (struct stage_thread){w, i};
        int code = pthread_create(&threads->thread[threads->count], NULL, run, self);
        if (code != 0)
            return error_set(err, ST_FATAL, code, "cannot start a thread: %s", strerror(code));
        threads->count++;
    }
    return ST_OK;
}

/*
 * Wait for all threads, but not for ever: what a broker does not answer now is done again from the
 * last committed offset, as after a crash, so leaving without it loses nothing.
 */
static void threads_join(const struct threads *threads, const struct worker *w)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LEAVE_S;
    for (size_t i = 0; i < threads->count; i++) {
        if (pthread_timedjoin_np(threads->thread[i], NULL, &until) == 0) continue;
        log_warn("worker",
            "leaving without an answer from Kafka; what is not committed is done again",
            "instance=%s", w->instance);
        _Exit(atomic_load(&w->failed) ? EXIT_FAILURE : EXIT_SUCCESS);
    }
}

/* The stages look at the newest between epochs; an invalid file changes nothing. */
static void reload(struct worker *w)
{
    struct error err;
    struct live *live = atomic_load(&w->live);
    if (live_reload(&live, w->plan, live, &err) != ST_OK) {
        log_error("reload", "nothing was changed", "error=%s", err.text);
        return;
    }
    log_level_set((enum log_level)live->plan->config->log.level);
    atomic_store(&w->live, live);
    log_info("reload", "config read again", "file=%s", w->config->path);
}

/* Watch over the stages: a signal, a failure, or the end of the batch. */
static void watch(struct worker *w)
{
    int64_t asked_ns = clock_ns();
    while (!worker_stopping(w)) {
        clock_sleep(20 * NS_PER_MS);
        if (stop_asked()) atomic_store(&w->stopping, true);
        if (reload_asked()) reload(w);
        if (!w->batch.until_end || clock_ns() - asked_ns < DRAIN_ASK_MS * NS_PER_MS) continue;
        if (batch_done(w)) atomic_store(&w->stopping, true);
        asked_ns = clock_ns();
    }
}

static enum status stages_run(struct worker *w, struct error *err)
{
    struct threads *threads = memory_zeroed(1, sizeof(*threads));
    const struct config *config = w->config;
    atomic_store(&w->combining, (unsigned)config->threads.combine);
    enum status status = threads_start(threads, w, config->threads.combine, combine_main, err);
    if (status == ST_OK) {
        status = threads_start(threads, w, config->threads.aggregate, aggregate_main, err);
    }
    if (status == ST_OK) status = threads_start(threads, w, config->threads.sink, sink_main, err);
    if (status == ST_OK) {
        int code = pthread_create(&threads->thread[threads->count], NULL, watch_main, w);
        if (code == 0) threads->count++;
        if (code != 0)
            status = error_set(err, ST_FATAL, code, "cannot start a thread: %s", strerror(code));
    }
    if (status == ST_OK) {
        log_info("worker", "running", "name=%s instance=%s plan=%016llx", config->name, w->instance,
            (unsigned long long)w->plan->fingerprint);
        watch(w);
    }
    atomic_store(&w->stopping, true);
    threads_join(threads, w);
    free(threads);
    return status;
}

static void worker_release(struct worker *w)
{
    for (size_t t = 0; w->source_end != NULL && t < w->config->topics.count; t++) {
        free(w->source_end[t]);
    }
    free(w->source_end);
    free(w->source_partitions);
    free(w->source_expected);
    kafka_observer_close(w->observer);
    live_free(atomic_load(&w->live));
}

enum status worker_run(const struct config *config, const struct batch *batch, struct error *err)
{
    struct plan *plan = memory_zeroed(1, sizeof(*plan));
    struct worker w = {.config = config, .plan = plan, .batch = *batch};
    enum status status = plan_init(plan, config, err);
    w.decoder = decoder_find(config->encoding);
    if (status == ST_OK) status = instance_name(&w, err);
    trouble_open();
    ready_set("kafka", "no broker has answered yet");
    if (status == ST_OK) atomic_store(&w.live, live_new(plan));
    /* Without a file there is nothing to read again, and a terminal that is closed ends us. */
    if (status == ST_OK && config->path != NULL) reload_on_signal();
    if (status == ST_OK) say_cost(plan);
    if (status == ST_OK) status = kafka_observer_open(&w.observer, config, w.instance, err);
    if (status == ST_OK) status = topics_open(&w, err);
    if (status == ST_OK) status = stages_run(&w, err);
    if (status != ST_OK && stop_asked()) status = ST_OK; /* stopped while waiting for a broker */
    if (status != ST_OK) worker_fail(&w, err);
    if (status == ST_OK && atomic_load(&w.failed)) {
        *err = w.failure;
        status = ST_FATAL;
    }
    worker_release(&w);
    free(plan);
    return status;
}
