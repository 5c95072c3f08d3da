/*
 * The thread of stage 1: read spans, combine them, send the deltas and the offsets as one epoch.
 */
#include "engine/base/clock.h"
#include "engine/base/failpoint.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/combine.h"
#include "engine/combine_counts.h"
#include "engine/dead_letter.h"
#include "engine/settings.h"
#include "engine/sources.h"
#include "engine/trouble.h"
#include "engine/without.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    QUEUE_KBYTES = 131072, /* fetched ahead: more than a second of what a thread can fold */
    STRETCH_PERCENT = 30,  /* of spans: with more deltas than this the epoch is stretched */
};

struct combine_stage {
    struct worker *worker;
    uint32_t thread;
    struct kafka *kafka;
    struct combine *combine;
    struct sources sources;
    const struct live *live; /* whose settings this thread has put into the log; NULL: none yet */
    struct source_clock *clocks; /* copies, side by side for the flush */
    int64_t epoch_ns;            /* now; stretches */
    struct combine_counts said;  /* already in the metrics */
    struct fencing fencing;
    struct dead_letters letters;
};

static void say_set_aside(const struct combine_stage *s, const struct source *source,
    const struct kafka_record *record, const struct error *why)
{
    static struct log_gate gate;
    const char *topic = s->worker->config->topics.text[source->clock.topic];
    int64_t byte;
    const char *reason = refusal_name[combine_refusal(s->combine, &byte)];
    metric_add(metric_of(METRIC_COUNTER, "weir_messages_set_aside_total",
                   "Messages that were not taken.", "topic=\"%s\",reason=\"%s\"", topic, reason),
        1);
    if (!log_every(&gate, NS_PER_S)) return;
    log_warn("combine", "message set aside, going on with the next",
        "topic=%s partition=%d offset=%" PRId64 " reason=%s error=%s", topic, record->partition,
        record->offset, reason, why->text);
}

static void set_aside(struct combine_stage *s, const struct source *source,
    const struct kafka_record *record, const struct error *why)
{
    struct kafka_header header[DEAD_LETTER_HEADERS_MAX];
    struct dead_letter letter = {.error = why->text,
        .topic = s->worker->config->topics.text[source->clock.topic],
        .record = record,
        .header = header};
    letter.reason = combine_refusal(s->combine, &letter.byte);
    letter.headers = kafka_headers(s->kafka, header, DEAD_LETTER_HEADERS_MAX);
    dead_letters_add(&s->letters, &letter);
    say_set_aside(s, source, record, why);
}

/* Producers' clocks are only as good as their hosts; the broker's move the watermark evenly. */
static void say_create_time(const struct combine_stage *s, const struct kafka_record *record)
{
    static struct log_gate gate;
    if (record->log_append_time || s->worker->config->time != TIME_LIVE) return;
    if (!log_every(&gate, INT64_MAX)) return;
    log_info("combine",
        "records carry their producers' timestamps; message.timestamp.type=LogAppendTime is safer",
        "topic=%s", s->worker->config->topics.text[record->topic]);
}

static bool is_over(const struct combine_stage *s)
{
    return worker_stopping(s->worker) || atomic_load(&s->worker->read_all);
}

static enum status epoch_commit(struct combine_stage *s, struct error *err);

/* Fold one record; ends the epoch first where the table is full. */
static enum status on_record(
    struct combine_stage *s, const struct kafka_record *record, struct error *err)
{
    struct source *source = sources_find(&s->sources, record->topic, record->partition);
    if (source == NULL || record->offset < source->clock.position || source->clock.ended)
        return ST_OK;
    if (record->offset >= source->end) {
        source->clock.position = source->end;
        source_end_check(source, s->kafka);
        return ST_OK;
    }
    failpoint("combine", "record");
    say_create_time(s, record);
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
    if (status == ST_SKIP) set_aside(s, source, record, &why);
    source->clock.position = record->offset + 1;
    source->idle_at = -1;
    source->changed = true;
    source_end_check(source, s->kafka);
    return dead_letters_full(&s->letters) ? epoch_commit(s, err) : ST_OK;
}

static void on_end(struct combine_stage *s, const struct kafka_record *end)
{
    struct source *source = sources_find(&s->sources, end->topic, end->partition);
    if (source == NULL || end->offset < source->clock.position) return;
    source->changed = source->changed || end->offset != source->clock.position;
    source->clock.position = end->offset; /* past transaction markers */
    source->idle_at = end->offset;
    source_end_check(source, s->kafka);
}

/* Say and count what retention took, or that the topic is another one now. */
static void say_gone(const struct source *source, const char *topic, int64_t first)
{
    char where[TOPIC_BYTES + 16];
    int64_t lost = first - source->clock.position;
    snprintf(where, sizeof(where), "%s/%" PRIu32, topic, source->clock.partition);
    metric_add(metric_of(METRIC_COUNTER, "weir_records_lost_total",
                   "Records deleted by retention before they were read.", NULL),
        lost > 0 ? (uint64_t)lost : 0);
    if (lost > 0) {
        trouble_happened(TROUBLE_SPANS_DELETED, where,
            "records %" PRId64 " to %" PRId64 " were deleted before they were read: %" PRId64
            " lost",
            source->clock.position, first - 1, lost);
    } else {
        trouble_happened(TROUBLE_SPANS_DELETED, where,
            "offset %" PRId64 " is beyond the log's end: it was made anew or cut off; going on at "
            "%" PRId64 ", and what it held behind what was read is lost",
            source->clock.position, first);
    }
}

/* Retention took what was next: say how much, go on with the oldest there is. */
static enum status on_gone(
    struct combine_stage *s, const struct kafka_record *gone, struct error *err)
{
    struct worker *w = s->worker;
    struct source *source = sources_find(&s->sources, gone->topic, gone->partition);
    if (source == NULL) return ST_OK;
    uint32_t count = s->sources.topic[gone->topic].partitions;
    int64_t *first = memory_zeroed(count, sizeof(*first));
    bool *wanted = memory_zeroed(count, sizeof(*wanted)); /* others may not be there any more */
    const char *topic = w->config->topics.text[gone->topic];
    wanted[gone->partition] = true;
    enum status status =
        kafka_offsets_at(w->observer, topic, count, wanted, KAFKA_AT_START, first, err);
    if (status == ST_OK) {
        say_gone(source, topic, first[gone->partition]);
        source->clock.position = first[gone->partition];
        source->changed = true;
        status = epoch_commit(s, err);
        kafka_rewind(s->kafka);
    }
    free(wanted);
    free(first);
    return status;
}

/*
 * For partitions that `without` says are gone, everybody says that they have ended, so that no pane waits
 * for them. They cover no offsets, so the audit has nothing to say. One that is there speaks for itself.
 */
static size_t clocks_of_the_gone(struct combine_stage *s, size_t count)
{
    const struct config *config = s->worker->config;
    s->clocks = memory_resize(s->clocks, count + config->without.count + 1, sizeof(*s->clocks));
    for (size_t i = 0; i < config->without.count; i++) {
        struct source_clock *clock = &s->clocks[count];
        *clock = (struct source_clock){
            .watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE, .ended = true};
        bool read = without_read(
            &config->topics, config->without.text[i], &clock->topic, &clock->partition);
        if (read && clock->partition >= s->sources.topic[clock->topic].partitions) count++;
    }
    return count;
}

/*
 * Settings come before the first partial of each thread, so that aggregate never has to go by its own
 * worker's. When they change, one thread says so even if it has nothing else to say.
 */
static bool settings_due(const struct combine_stage *s)
{
    if (s->live == atomic_load(&s->worker->live)) return false;
    return s->sources.count != 0 || s->live != NULL;
}

static enum status send_settings(
    struct combine_stage *s, const struct live *live, struct error *err)
{
    struct worker *w = s->worker;
    struct buffer record = {0};
    enum status status = ST_OK;
    settings_record(w->plan, buffer_bytes(&live->settings), clock_wall_ns() / NS_PER_MS, &record);
    for (uint32_t p = 0; p < w->plan->partitions && status == ST_OK; p++) {
        status = kafka_send(
            s->kafka, w->partials, (int32_t)p, (struct bytes){0}, buffer_bytes(&record), NULL, err);
    }
    buffer_release(&record);
    return status;
}

static enum status send_partials(struct combine_stage *s, struct error *err)
{
    struct worker *w = s->worker;
    size_t clocks = clocks_of_the_gone(s, s->sources.count);
    struct combine_flush flush = {.topic = s->sources.topic,
        .topics = w->config->topics.count,
        .clock = s->clocks,
        .clocks = clocks,
        .sent_ms = clock_wall_ns() / NS_PER_MS};
    uint32_t partition;
    struct bytes value;
    for (size_t i = 0; i < s->sources.count; i++)
        s->clocks[i] = s->sources.source[i].clock;
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
    struct kafka_position *position = memory_zeroed(s->sources.count + 1, sizeof(*position));
    char(*text)[METADATA_BYTES_MAX] = memory_zeroed(s->sources.count + 1, sizeof(*text));
    size_t count = 0;
    for (size_t i = 0; i < s->sources.count; i++) {
        const struct source *source = &s->sources.source[i];
        const struct source_clock *clock = &source->clock;
        if (!source->changed) continue;
        source_clock_write(clock, source->partitions_first, text[count]);
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

static enum status epoch_commit(struct combine_stage *s, struct error *err)
{
    bool settle = settings_due(s);
    if (!sources_changed(&s->sources) && !settle) return ST_OK;
    int64_t begin_ns = clock_ns();
    const struct live *live = atomic_load(&s->worker->live);
    enum status status = kafka_begin(s->kafka, err);
    if (status == ST_OK) dead_letters_send(&s->letters, s->kafka);
    if (status == ST_OK && settle) status = send_settings(s, live, err);
    if (status == ST_OK) status = send_partials(s, err);
    if (status == ST_OK) status = send_offsets(s, err);
    if (status != ST_OK) return status;
    if (settle) combine_limit(s->combine, live->plan);
    if (settle) s->live = live;
    for (size_t i = 0; i < s->sources.count; i++) {
        s->sources.source[i].clock.committed = s->sources.source[i].clock.position;
        s->sources.source[i].changed = false;
    }
    metric_observe(metric_of(METRIC_SUMMARY, "weir_epoch_commit_seconds",
                       "Time to commit an epoch.", "stage=\"combine\""),
        (double)(clock_ns() - begin_ns) / 1e9);
    dead_letters_committed(&s->letters);
    epoch_stretch(s);
    combine_counts_say(s->combine, &s->said, s->thread, s->worker->config->lateness_ns);
    sources_say(&s->sources, s->kafka);
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
        return sources_assign(&s->sources, s->kafka, err);
    case KAFKA_REVOKED:
        status = epoch_commit(s, err);
        if (status == ST_OK) kafka_let_go(s->kafka);
        if (status == ST_OK) sources_forget(&s->sources);
        break;
    case KAFKA_LOST:
        kafka_let_go(s->kafka);
        sources_forget(&s->sources);
        combine_reset(s->combine);
        dead_letters_dropped(&s->letters, NULL, NULL);
        break;
    case KAFKA_GONE:
        return on_gone(s, record, err);
    case KAFKA_TROUBLE:
        stage_trouble("combine", err);
        break;
    }
    return status;
}

static enum status epoch(struct combine_stage *s, struct error *err)
{
    int64_t deadline_ns = clock_ns() + s->epoch_ns, now_ns;
    enum status status = ST_OK;
    while (status == ST_OK && (now_ns = clock_ns()) < deadline_ns && !is_over(s)) {
        struct kafka_record record;
        int64_t left_ms = (deadline_ns - now_ns) / NS_PER_MS;
        enum kafka_event event =
            kafka_poll(s->kafka, left_ms > 50 ? 50 : (int)left_ms, &record, err);
        status = on_event(s, event, &record, err);
        sources_hold_ahead(&s->sources, s->kafka);
    }
    if (status != ST_OK) return status;
    sources_ask_idle(&s->sources);
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
        .queue_kbytes = QUEUE_KBYTES,
        .aside = config->dead_letter};
    return kafka_open(&s->kafka, &options, err);
}

static void stage_run(struct combine_stage *s)
{
    while (!is_over(s)) {
        struct error err;
        enum status status = s->kafka == NULL ? stage_open(s, &err) : epoch(s, &err);
        if (status == ST_OK) continue;
        combine_reset(s->combine);
        sources_forget(&s->sources);
        if (dead_letters_dropped(&s->letters, s->kafka, &err)) {
            kafka_close(s->kafka);
            s->kafka = NULL;
            continue;
        }
        stage_recover(s->worker, &s->kafka, status, &s->fencing, "combine", &err);
    }
    struct error err;
    if (s->kafka != NULL && epoch_commit(s, &err) != ST_OK) {
        log_warn(
            "combine", "last epoch not committed, it will be read again", "error=%s", err.text);
        struct error ignored;
        enum status status = kafka_abort(s->kafka, &ignored);
        if (status != ST_OK && status != ST_ABORT) {
            log_warn("combine", "last epoch not aborted, its transaction times out", "error=%s",
                ignored.text);
        }
    }
}

void combine_stage(struct stage_thread *self)
{
    struct worker *w = self->worker;
    struct combine_stage s = {.worker = w, .thread = self->thread, .epoch_ns = w->config->epoch_ns};
    struct error err;
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
        error_set(&err, ST_FATAL, errno,
            "the system gives no random numbers, without which names could be chosen to collide: "
            "allow getrandom()");
        worker_fail(w, &err);
        return;
    }
    s.combine =
        combine_new(w->plan, w->decoder, w->config->memory / w->config->threads.combine, seed);
    sources_init(&s.sources, w);
    dead_letters_open(&s.letters, w->config->dead_letter);
    stage_run(&s);
    kafka_close(s.kafka);
    sources_release(&s.sources);
    dead_letters_release(&s.letters);
    combine_free(s.combine);
    free(s.clocks);
}
