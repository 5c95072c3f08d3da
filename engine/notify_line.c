#include "engine/notify_line.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/stop.h"

#include <stdlib.h>

enum {
    BLOCK_MS = 1000, /* how long one reading waits for an entry */
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    PAUSE_MS = 100,
};

enum status notify_line_open(struct notify_line *line, struct notify *notify,
    const struct receiver *receiver, size_t place, struct error *err)
{
    const struct config *config = notify->config;
    line->notify = notify;
    line->receiver = receiver;
    line->kind = receiver->kind;
    receiver_place(receiver, place, line->place);
    /* Whoever is telling something is not to be taken for dead. */
    line->stale_ns = config->notify.claim_after_ns + line->kind->patience_ns(receiver->self);
    line->look_every_ns = config->notify.claim_after_ns / 4;
    notify_meter_open(&line->meter, line->place);
    ready_set(line->meter.ready, NULL);
    struct redis_alerts_config alerts = {.url = config->redis.url,
        .tls = {config->redis.ca_file, config->redis.certificate_file, config->redis.key_file},
        .prefix = config->redis.prefix,
        .timeout_ns = config->redis.timeout_ns,
        .place = line->place,
        .notifier = notify->notifier,
        .stale_ns = line->stale_ns};
    enum status status = redis_alerts_open(&line->alerts, &alerts, err);
    if (status != ST_OK) return status;
    return line->kind->open(&line->sender, receiver->self, place, notify->is_stopping, err);
}

void notify_line_release(struct notify_line *line)
{
    ready_drop(line->meter.ready);
    if (line->sender != NULL) line->kind->close(line->sender);
    redis_alerts_close(line->alerts);
    alerts_entries_release(&line->entries);
    alerts_look_release(&line->look);
    notify_queue_release(&line->queue);
    notify_book_release(&line->book);
    buffer_release(&line->json);
}

static bool is_stopping(const struct notify_line *line)
{
    return atomic_load(&line->notify->stopping) || stop_asked();
}

/* An end that the book is too young to know of: the place may have been told that it fires. */
static bool is_before_book(const struct notify_line *line, const struct alerts_entry *entry)
{
    int64_t recent_ms = clock_wall_ns() / NS_PER_MS - NOTIFY_REFILLED_MS;
    return entry->refilled && entry->notice.state == NOTICE_RESOLVED &&
           line->book.since_ms > entry->notice.at_ms && entry->notice.at_ms > recent_ms;
}

/* Appended again after a loss of Redis, it is the past, but for the end of what was told to fire. */
static bool is_past(const struct notify_line *line, const struct alerts_entry *entry)
{
    if (!entry->refilled) return false;
    if (entry->notice.state == NOTICE_FIRING) return true; /* looking finds it if it still fires */
    const struct told *told = notify_book_find(&line->book, entry->notice.id);
    bool known = told != NULL && told->state != BOOK_UNTOLD;
    return !known && !is_before_book(line, entry);
}

/* Why an entry needs nothing done, or NOTIFY_OMISSIONS. */
static enum notify_omission omission_of(
    const struct notify_line *line, const struct alerts_entry *entry)
{
    if (!entry->readable) return NOTIFY_MALFORMED;
    if (is_past(line, entry)) return NOTIFY_PAST;
    bool fires = entry->notice.state == NOTICE_FIRING;
    if (fires && !receiver_wants(line->receiver, &entry->notice)) return NOTIFY_UNWANTED;
    return NOTIFY_OMISSIONS;
}

enum status notify_take(struct notify_line *line, struct error *err)
{
    const char *over[ALERTS_READ_MAX];
    size_t count = 0;
    for (size_t i = 0; i < line->entries.count; i++) {
        struct alerts_entry *entry = &line->entries.item[i];
        enum notify_omission why = omission_of(line, entry);
        if (why != NOTIFY_OMISSIONS) {
            metric_add(line->meter.omitted[why], 1);
            over[count++] = entry->id;
            continue;
        }
        enum book_state wanted = entry->notice.state == NOTICE_FIRING ? BOOK_FIRING : BOOK_RESOLVED;
        struct notify_item *item = notify_queue_put(
            &line->queue, &entry->notice, wanted, entry->notice.at_ms, entry->id, entry->at_ms);
        if (item != NULL) item->always = entry->refilled && wanted == BOOK_RESOLVED;
    }
    return redis_alerts_acknowledge(line->alerts, over, count, err);
}

/* What this notifier had read before it was cut off or started again, and that is not in hand. */
static enum status take_own(struct notify_line *line, struct error *err)
{
    char after[ALERTS_ENTRY_BYTES] = "0";
    enum status status = ST_OK;
    while (status == ST_OK && !notify_queue_full(&line->queue)) {
        size_t room = NOTIFY_QUEUE_MAX - line->queue.count;
        status = redis_alerts_own(line->alerts, after, room, &line->entries, err);
        if (status != ST_OK || line->entries.count == 0) break;
        snprintf(after, sizeof(after), "%s", line->entries.item[line->entries.count - 1].id);
        status = notify_take(line, err);
    }
    return status;
}

/* Nothing is sent to the place before it may be tried. */
static int64_t sooner(const struct notify_line *line, int64_t until_ns, int64_t due_ns)
{
    if (due_ns < line->not_before_ns) due_ns = line->not_before_ns;
    return due_ns < until_ns ? due_ns : until_ns;
}

/* How long reading may wait: until something else is due; 0: not at all. */
static int64_t patience_ms(const struct notify_line *line)
{
    int64_t until_ns = line->look_ns;
    const struct notify_item *next = notify_queue_next(&line->queue);
    if (next != NULL) until_ns = sooner(line, until_ns, next->next_ns);
    if (line->kind->resend_ns != NULL) until_ns = sooner(line, until_ns, line->resend_ns);
    int64_t ms = (until_ns - clock_ns()) / NS_PER_MS;
    int64_t most = line->notify->config->redis.timeout_ns / NS_PER_MS / 2;
    if (most > BLOCK_MS) most = BLOCK_MS;
    return ms < 0 ? 0 : ms > most ? most : ms;
}

static enum status read_new(struct notify_line *line, struct error *err)
{
    size_t room = NOTIFY_QUEUE_MAX - line->queue.count;
    int64_t wait_ms = patience_ms(line);
    if (room == 0) {
        clock_sleep((wait_ms < PAUSE_MS ? wait_ms : PAUSE_MS) * NS_PER_MS);
        return ST_OK;
    }
    enum status status = redis_alerts_read(line->alerts, room, wait_ms, &line->entries, err);
    return status == ST_OK ? notify_take(line, err) : status;
}

static enum status round_once(struct notify_line *line, struct error *err)
{
    bool anew = false;
    enum status status = redis_alerts_join(line->alerts, &anew, err);
    if (anew) line->look_ns = 0;
    if (status == ST_OK) status = notify_look(line, err);
    if (status == ST_OK && anew) status = take_own(line, err);
    if (status == ST_OK) status = notify_settle(line, err);
    if (status == ST_OK) status = notify_deliver(line, err);
    if (status == ST_OK) status = notify_resend(line, err);
    if (status == ST_OK) status = read_new(line, err);
    if (status == ST_OK) metric_set(line->meter.waiting, (double)line->queue.count);
    return status;
}

static void redis_back(struct notify_line *line)
{
    if (!line->redis_away) return;
    line->redis_away = false;
    log_info("notify", "Redis does its part again", "receiver=%s", line->place);
    if (atomic_fetch_sub(&line->notify->away, 1) == 1) ready_set("redis", NULL);
}

static void redis_gone(struct notify_line *line, const struct error *why)
{
    metric_add(metric_of(METRIC_COUNTER, "weir_redis_troubles_total",
                   "Attempts that Redis did not take, by reason.", "reason=\"%s\"",
                   store_trouble_name(redis_alerts_trouble(line->alerts))),
        1);
    if (!line->redis_away) {
        line->redis_backoff_ms = BACKOFF_FIRST_MS;
        atomic_fetch_add(&line->notify->away, 1);
        log_warn("notify",
            "Redis does not do its part, trying again; nothing new is told meanwhile",
            "receiver=%s reason=%s error=%s", line->place,
            store_trouble_name(redis_alerts_trouble(line->alerts)), why->text);
    }
    line->redis_away = true;
    ready_set("redis", why->text);
    line->redis_retry_ns = clock_ns() + line->redis_backoff_ms * NS_PER_MS;
    if (line->redis_backoff_ms < BACKOFF_MAX_MS) line->redis_backoff_ms *= 2;
}

/* What fires goes on firing for the receiver, though nobody can say that it does. */
static void pause_away(struct notify_line *line)
{
    struct error unused;
    while (clock_ns() < line->redis_retry_ns && !is_stopping(line)) {
        if (notify_resend(line, &unused) != ST_OK) break;
        clock_sleep(PAUSE_MS * NS_PER_MS);
    }
}

static void fail(struct notify_line *line, const struct error *err)
{
    log_error(
        "notify", "this notifier cannot go on", "receiver=%s error=%s", line->place, err->text);
    if (!atomic_exchange(&line->notify->failed, true)) line->notify->failure = *err;
    atomic_store(&line->notify->stopping, true);
}

/* Entries that are not told stay with Redis: whoever has this name next, or another, takes them over. */
static void leave(struct notify_line *line)
{
    struct error err;
    uint64_t pending;
    bool left = notify_settle(line, &err) == ST_OK &&
                redis_alerts_tidy(line->alerts, true, &pending, &err) == ST_OK;
    if (!left) log_debug("notify", "left without a word to Redis", "receiver=%s", line->place);
}

void *notify_line_main(void *self)
{
    struct notify_line *line = self;
    struct error err;
    while (!is_stopping(line)) {
        enum status status = round_once(line, &err);
        if (status == ST_OK) redis_back(line);
        if (status == ST_OK) continue;
        if (status == ST_FATAL) {
            fail(line, &err);
            break;
        }
        if (status == ST_LOST) {
            log_warn("notify", "the group of notifiers is not there any more; it is made again",
                "receiver=%s error=%s", line->place, err.text);
            continue;
        }
        redis_gone(line, &err);
        pause_away(line);
    }
    if (!line->redis_away) leave(line);
    return NULL;
}
