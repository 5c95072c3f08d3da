/* Telling what is due: which notices, what comes of it, and noting that. */
#include "engine/base/clock.h"
#include "engine/base/failpoint.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/notify_line.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    BATCH_MAX = 64,
    BACKOFF_FIRST_MS = 500,
    BACKOFF_MAX_MS = 30000,
};

/* Doubled with each failure, and a quarter more or less, so that notifiers do not come all at once. */
static int64_t backoff_ns(unsigned failures)
{
    int64_t ms = BACKOFF_FIRST_MS;
    for (unsigned f = 1; f < failures && ms < BACKOFF_MAX_MS; f++)
        ms *= 2;
    if (ms > BACKOFF_MAX_MS) ms = BACKOFF_MAX_MS;
    int64_t quarter = ms / 4;
    uint64_t drawn = hash_mix((uint64_t)clock_ns(), (uint64_t)(uintptr_t)&ms);
    return (ms - quarter + (int64_t)(drawn % (uint64_t)(2 * quarter))) * NS_PER_MS;
}

static struct alerts_telling telling_of(struct notify_line *line, const struct notify_item *item)
{
    buffer_reset(&line->json);
    notice_write(&item->notice, &line->json);
    return (struct alerts_telling){.id = item->notice.id,
        .at_ms = item->at_ms,
        .state = item->wanted,
        .always = item->always,
        .again = item->notice.again,
        .json = buffer_bytes(&line->json)};
}

enum status notify_finish(struct notify_line *line, struct notify_item *item, struct error *err)
{
    const char *ids[NOTIFY_ENTRIES_MAX];
    for (size_t e = 0; e < item->entries; e++)
        ids[e] = item->entry[e];
    enum status status = redis_alerts_acknowledge(line->alerts, ids, item->entries, err);
    if (status == ST_OK) notify_queue_drop(&line->queue, item);
    return status;
}

/* It was told to fire when it did not any more: the place's last word must be the right one. */
static void correct(struct notify_item *item)
{
    item->told = false;
    item->correct = true;
    item->wanted = BOOK_RESOLVED;
    item->notice.state = NOTICE_RESOLVED;
    item->notice.again = true;
    notice_set_at(&item->notice, clock_wall_ns() / NS_PER_MS);
    item->attempts = 0;
    item->next_ns = 0;
}

static enum status settle_one(struct notify_line *line, struct notify_item *item, struct error *err)
{
    struct alerts_telling telling = telling_of(line, item);
    bool newer = false;
    enum status status = redis_alerts_done(line->alerts, &telling, &newer, err);
    if (status != ST_OK) return status;
    failpoint("notify", "noted");
    if (newer && item->wanted == BOOK_FIRING) {
        correct(item);
        return ST_OK;
    }
    if (!newer) {
        notify_book_note(&line->book, &telling, item->labels, clock_wall_ns() / NS_PER_MS);
    }
    return notify_finish(line, item, err);
}

enum status notify_settle(struct notify_line *line, struct error *err)
{
    enum status status = ST_OK;
    for (size_t i = line->queue.count; i > 0 && status == ST_OK; i--) {
        struct notify_item *item = line->queue.item[i - 1];
        if (item->told) status = settle_one(line, item, err);
    }
    return status;
}

static enum status omit(
    struct notify_line *line, struct notify_item *item, enum notify_omission why, struct error *err)
{
    metric_add(line->meter.omitted[why], 1);
    return notify_finish(line, item, err);
}

/* A firing alert is tried while it fires. */
static bool is_too_old(const struct notify_line *line, const struct notify_item *item)
{
    const struct notifier_keys *keys = line->receiver->self;
    int64_t age_ns = clock_ns() - item->queued_ns;
    if (item->appended_ms != 0) age_ns = clock_wall_ns() - item->appended_ms * NS_PER_MS;
    return item->wanted != BOOK_FIRING && age_ns > keys->give_up_ns;
}

static void give_up(struct notify_line *line, struct notify_item *item)
{
    metric_add(line->meter.too_old, 1);
    log_error("notify", "given up: the receiver did not take it for as long as give_up says",
        "receiver=%s alert=%s state=%s rule=%s", line->place, item->notice.id,
        notice_state_name[item->notice.state], notice_text(&item->notice, "rule"));
    item->told = true;
}

/* It was told the end, and that is not so: what comes now is no repeat, nor is its end. */
static void mark_again(const struct notify_line *line, struct notify_item *item)
{
    const struct told *told = notify_book_find(&line->book, item->notice.id);
    if (told == NULL) return;
    bool back = told->state == BOOK_GONE && item->wanted == BOOK_FIRING;
    if (told->again || back) item->notice.again = true;
}

/* Ask the book whether this is to be told now. */
static enum status judge(
    struct notify_line *line, struct notify_item *item, bool *tell, struct error *err)
{
    enum alerts_verdict verdict;
    mark_again(line, item);
    struct alerts_telling telling = telling_of(line, item);
    *tell = item->correct;
    if (item->correct) return ST_OK;
    enum status status = redis_alerts_begin(line->alerts, &telling, &verdict, err);
    if (status != ST_OK) return status;
    if (verdict == ALERTS_KNOWN) return omit(line, item, NOTIFY_TOLD, err);
    if (verdict == ALERTS_OVER || verdict == ALERTS_NEVER)
        return omit(line, item, NOTIFY_OVER, err);
    item->next_ns = clock_ns() + line->look_every_ns;
    if (verdict == ALERTS_BUSY) return ST_OK;
    failpoint("notify", "begun");
    telling.state = item->wanted == BOOK_FIRING ? BOOK_SENDING : BOOK_RESOLVING;
    notify_book_note(&line->book, &telling, item->labels, clock_wall_ns() / NS_PER_MS);
    bool shared = line->kind->resend_ns != NULL && item->wanted != BOOK_FIRING &&
                  notify_book_labels_fire(&line->book, item->notice.id, item->labels);
    if (shared) metric_add(line->meter.omitted[NOTIFY_SHARED], 1);
    item->told = shared;
    *tell = !shared;
    return ST_OK;
}

/* What is told in one go; each of them is out of the order until `come_of`. */
struct batch {
    struct notify_item *item[BATCH_MAX];
    const struct notice *notice[BATCH_MAX];
    size_t count, max;
};

static enum status gather(struct notify_line *line, struct batch *batch, struct error *err)
{
    struct notify_item *item;
    enum status status = ST_OK;
    int64_t now_ns = clock_ns();
    while (status == ST_OK && batch->count < batch->max) {
        item = notify_queue_next(&line->queue);
        if (item == NULL || item->next_ns > now_ns) break;
        if (item->alone && batch->count > 0) break;
        bool tell = false;
        if (is_too_old(line, item))
            give_up(line, item);
        else
            status = judge(line, item, &tell, err);
        if (!tell) continue;
        item->next_ns = INT64_MAX;
        batch->notice[batch->count] = &item->notice;
        batch->item[batch->count++] = item;
        if (item->alone) break;
    }
    return status;
}

static void taken(struct notify_line *line, struct notify_item *item)
{
    const struct notify_meter *m = &line->meter;
    int64_t now_ms = clock_wall_ns() / NS_PER_MS;
    metric_add(m->sent[item->notice.state], 1);
    if (item->notice.at_ms != 0)
        metric_observe(m->delay_event, (double)(now_ms - item->notice.at_ms) / 1e3);
    if (item->appended_ms != 0)
        metric_observe(m->delay_entry, (double)(now_ms - item->appended_ms) / 1e3);
    item->told = true;
}

/* Of several nobody knows which one it was. */
static void refused(
    struct notify_line *line, struct notify_item *item, size_t count, const struct error *why)
{
    if (count > 1) {
        item->alone = true;
        item->next_ns = 0;
        return;
    }
    metric_add(line->meter.refused, 1);
    log_error("notify", "the receiver refuses this alert, it is not sent again",
        "receiver=%s alert=%s state=%s rule=%s error=%s", line->place, item->notice.id,
        notice_state_name[item->notice.state], notice_text(&item->notice, "rule"), why->text);
    if (item->wanted == BOOK_FIRING) item->wanted = BOOK_REFUSED;
    item->told = true;
}

static void come_of(
    struct notify_line *line, struct batch *batch, enum status status, const struct error *why)
{
    int64_t now_ns = clock_ns();
    for (size_t i = 0; i < batch->count; i++) {
        struct notify_item *item = batch->item[i];
        if (status == ST_OK) {
            taken(line, item);
        } else if (status == ST_SKIP) {
            refused(line, item, batch->count, why);
        } else {
            item->attempts++;
            item->next_ns = now_ns + backoff_ns(item->attempts);
        }
    }
}

/* Said when it begins and when it is over, however many notices wait; each refusal says itself. */
static void say(struct notify_line *line, enum status status, enum notify_reason reason,
    const struct error *why)
{
    ready_set(line->meter.ready, status == ST_OK ? NULL : why->text);
    if (status == ST_RETRY && !line->says_failing) {
        log_warn("notify", "the receiver does not take alerts, trying again; they wait in Redis",
            "receiver=%s reason=%s error=%s", line->place, notify_reason_name(reason), why->text);
    }
    if (status != ST_RETRY && line->says_failing)
        log_info("notify", "the receiver answers again", "receiver=%s", line->place);
    line->says_failing = status == ST_RETRY;
}

enum status notify_send(
    struct notify_line *line, const struct notice *const *notices, size_t count, struct error *err)
{
    struct notify_failure failure = {.wait_ns = 0};
    enum status status = line->kind->send(line->sender, notices, count, &failure, err);
    failpoint("notify", "sent");
    if (status != ST_OK) metric_add(line->meter.failed[failure.reason], 1);
    say(line, status, failure.reason, err);
    line->failures = status == ST_RETRY ? line->failures + 1 : 0;
    line->not_before_ns = 0;
    if (status != ST_RETRY) return status;
    int64_t wait_ns = backoff_ns(line->failures);
    line->not_before_ns = clock_ns() + (failure.wait_ns > wait_ns ? failure.wait_ns : wait_ns);
    return status;
}

static void count_retries(const struct notify_line *line, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->item[i]->attempts > 0) metric_add(line->meter.retries, 1);
    }
}

enum status notify_deliver(struct notify_line *line, struct error *err)
{
    struct batch batch = {
        .max = line->kind->batch_max < BATCH_MAX ? line->kind->batch_max : BATCH_MAX};
    struct error why = {.text = ""};
    if (clock_ns() < line->not_before_ns) return ST_OK;
    enum status status = gather(line, &batch, err);
    if (batch.count != 0 && status == ST_OK) {
        count_retries(line, &batch);
        come_of(line, &batch, notify_send(line, batch.notice, batch.count, &why), &why);
    } else {
        come_of(line, &batch, ST_RETRY, err); /* nothing was sent: Redis went away meanwhile */
    }
    return status == ST_OK ? notify_settle(line, err) : status;
}
