/* Looking at Redis: what got lost on the way is found here, whatever lost it. */
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/notify_line.h"

#include <inttypes.h>
#include <stdlib.h>

enum { HELD_MAX = 500 }; /* entries in one command */

static const char since_field[] = "since"; /* of the book; no alert has such an id */

static int64_t now_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

/*
 * When the book was begun: by whoever looks first. One that Redis lost and this notifier remembers is put
 * back, and is as old as anything: it knows what was told.
 */
static enum status take_since(struct notify_line *line, struct error *err)
{
    char text[24];
    const struct read_list *book = &line->look.book;
    for (size_t i = 0; i < book->count; i++) {
        if (!bytes_are(book->item[i].name, since_field)) continue;
        snprintf(text, sizeof(text), "%.*s", (int)book->item[i].value.size,
            (const char *)book->item[i].value.data);
        line->book.since_ms = strtoll(text, NULL, 10);
        return ST_OK;
    }
    line->book.since_ms = line->book.since_ms == 0 ? now_ms() : BOOK_OF_OLD;
    snprintf(text, sizeof(text), "%" PRId64, line->book.since_ms);
    return redis_alerts_restore(line->alerts, since_field, bytes_of(text), err);
}

static enum status put_back(struct notify_line *line, struct told *told, struct error *err)
{
    buffer_reset(&line->json);
    buffer_print(&line->json, "%" PRId64 ":%s:%" PRId64 ":%s:", told->at_ms,
        book_state_name[told->state], told->told_ms, line->notify->notifier);
    buffer_append(&line->json, told->json.data, told->json.size);
    enum status status =
        redis_alerts_restore(line->alerts, told->id, buffer_bytes(&line->json), err);
    if (status == ST_OK) told->is_kept = true;
    return status;
}

/* The book in Redis as it should be: what was lost put back, what is past dropped. */
static enum status mend_book(struct notify_line *line, struct error *err)
{
    enum status status = ST_OK;
    size_t count = 0;
    for (size_t i = 0; i < line->book.count && status == ST_OK; i++) {
        struct told *told = &line->book.told[i];
        if (told->state == BOOK_UNTOLD) continue;
        if (!told->is_kept && ++count != 0)
            status = put_back(line, told, err);
        else if (told_is_past(told, now_ms()))
            status = redis_alerts_forget(line->alerts, told->id, err);
    }
    if (count != 0)
        log_warn("notify", "Redis lost what was told; it is noted again", "receiver=%s alerts=%zu",
            line->place, count);
    return status;
}

/* Firing ones that were over before the place could be told, and that it was not told. */
static enum status weed(struct notify_line *line, struct error *err)
{
    enum status status = ST_OK;
    for (size_t i = line->queue.count; i > 0 && status == ST_OK && line->is_settled; i--) {
        struct notify_item *item = line->queue.item[i - 1];
        const struct told *told = notify_book_find(&line->book, item->notice.id);
        bool fires = told != NULL &&
                     (told->fires || told->state == BOOK_SENDING || told->state == BOOK_FIRING);
        if (fires || item->told || item->correct || item->wanted != BOOK_FIRING ||
            item->queued_ns >= line->looked_ns)
            continue;
        metric_add(line->meter.omitted[NOTIFY_OVER], 1);
        status = notify_finish(line, item, err);
    }
    return status;
}

/* What the place should be told of an alert that is odd, see notify_book.c. */
static enum book_state wanted_of(const struct told *told)
{
    return told->fires ? BOOK_FIRING : BOOK_GONE;
}

static void mend_one(struct notify_line *line, struct told *told)
{
    struct notice notice;
    struct error unused;
    enum book_state wanted = wanted_of(told);
    if (notice_of_json(&notice, told->json, NOTICE_FIRING, &unused) != ST_OK) {
        metric_add(line->meter.omitted[NOTIFY_MALFORMED], 1);
        told->passed_over = true;
        return;
    }
    int64_t at_ms = told->state == BOOK_UNTOLD ? notice.at_ms : told->at_ms;
    if (told->state == BOOK_UNTOLD && !receiver_wants(line->receiver, &notice)) {
        told->passed_over = true;
    } else if (wanted == BOOK_GONE) {
        notice.state = NOTICE_RESOLVED;
        notice_set_at(&notice, now_ms());
    } else {
        notice.state = NOTICE_FIRING;
    }
    if (!told->passed_over) notify_queue_put(&line->queue, &notice, wanted, at_ms, NULL, 0);
    notice_release(&notice);
}

/* Whether somebody is at it: what is under way is his, until he must be taken for dead. */
static bool is_attended(const struct notify_line *line, const struct told *told)
{
    bool under_way = told->state == BOOK_SENDING || told->state == BOOK_RESOLVING;
    return under_way && now_ms() - told->told_ms < line->stale_ns / NS_PER_MS;
}

/* What has been odd for two looks, as one may have come between a transition and its telling. */
static void mend(struct notify_line *line)
{
    int64_t between_ns = line->look_every_ns / 10 * 9;
    for (size_t i = 0; i < line->book.count && line->is_settled; i++) {
        struct told *told = &line->book.told[i];
        bool lasts = told->odd_ns != 0 && line->looked_ns - told->odd_ns >= between_ns;
        if (!lasts || told->passed_over || is_attended(line, told)) continue;
        if (notify_queue_full(&line->queue)) return;
        if (notify_queue_find(&line->queue, told->id) == NULL) mend_one(line, told);
    }
}

/* So that no other notifier takes them for a dead one's. */
static enum status hold(struct notify_line *line, struct error *err)
{
    const char *ids[HELD_MAX];
    size_t count = 0;
    enum status status = ST_OK;
    for (size_t i = 0; i < line->queue.count && status == ST_OK; i++) {
        const struct notify_item *item = line->queue.item[i];
        if (count + item->entries > HELD_MAX) {
            status = redis_alerts_hold(line->alerts, ids, count, err);
            count = 0;
        }
        for (size_t e = 0; e < item->entries; e++)
            ids[count++] = item->entry[e];
    }
    return status == ST_OK ? redis_alerts_hold(line->alerts, ids, count, err) : status;
}

static enum status claim(struct notify_line *line, struct error *err)
{
    enum status status = ST_OK;
    bool more = true;
    while (status == ST_OK && more && !notify_queue_full(&line->queue)) {
        size_t room = NOTIFY_QUEUE_MAX - line->queue.count;
        status = redis_alerts_claim(line->alerts, room, &line->entries, &more, err);
        if (status != ST_OK || line->entries.count == 0) continue;
        log_info("notify", "taken over from a notifier that does not answer",
            "receiver=%s entries=%zu", line->place, line->entries.count);
        status = notify_take(line, err);
    }
    return status;
}

static void show(struct notify_line *line, uint64_t pending)
{
    size_t firing = 0;
    for (size_t i = 0; i < line->book.count; i++)
        firing += line->book.told[i].state == BOOK_FIRING;
    metric_set(line->meter.firing, (double)firing);
    metric_set(line->meter.waiting, (double)line->queue.count);
    metric_set(line->meter.pending, (double)pending);
}

static void take(struct notify_line *line, int64_t begun_ns)
{
    static struct log_gate gate;
    notify_book_look(&line->book, &line->look, now_ms(), begun_ns);
    line->is_settled = notify_settled(&line->settled, &line->look.applied) && !line->look.cut;
    line->looked_ns = begun_ns;
    if (line->look.cut && log_every(&gate, 600 * NS_PER_S))
        log_error("notify",
            "more alerts fire than a notifier can keep in mind: those beyond are told once, as "
            "they "
            "come. Look at the rules",
            "receiver=%s limit=%d", line->place, ALERTS_LOOK_MAX);
}

enum status notify_look(struct notify_line *line, struct error *err)
{
    int64_t begun_ns = clock_ns();
    uint64_t pending = 0;
    if (begun_ns < line->look_ns) return ST_OK;
    enum status status = redis_alerts_look(line->alerts, &line->look, err);
    if (status != ST_OK) return status;
    take(line, begun_ns);
    status = take_since(line, err);
    if (status == ST_OK) status = mend_book(line, err);
    if (status == ST_OK) status = weed(line, err);
    if (status == ST_OK) mend(line);
    if (status == ST_OK) status = hold(line, err);
    if (status == ST_OK) status = claim(line, err);
    if (status == ST_OK) status = redis_alerts_tidy(line->alerts, false, &pending, err);
    if (status != ST_OK) return status;
    show(line, pending);
    line->look_ns = begun_ns + line->look_every_ns;
    return ST_OK;
}
