/*
 * Saying again what a receiver forgets: Alertmanager resolves by itself what is not said again.
 *
 * One notifier at a time does it, by turns. While Redis is away there is nobody to say whose turn it is, so
 * each says what it knows.
 */
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/notify_line.h"

#include <stdlib.h>

enum { BATCH_MAX = 64, TRIES = 4 };

struct round {
    struct notify_line *line;
    bool redis; /* it answers */
    struct notice notice[BATCH_MAX];
    size_t told[BATCH_MAX]; /* index in the book */
    size_t count;
};

/* Whether it is to be said again, and as what. */
static bool is_due(
    const struct notify_line *line, const struct told *told, int64_t now_ms, enum notice_state *as)
{
    *as = told->state == BOOK_FIRING ? NOTICE_FIRING : NOTICE_RESOLVED;
    if (notify_queue_find(&line->queue, told->id) != NULL) return false; /* about to be told anew */
    if (told->state == BOOK_FIRING) return true;
    if (told->state != BOOK_RESOLVED && told->state != BOOK_GONE) return false;
    if (now_ms - told->told_ms > NOTIFIER_RESOLVED_NS / NS_PER_MS) return false;
    return !notify_book_labels_fire(&line->book, told->id, told->labels);
}

/* What was told too late is told again the other way round; the item says so until it is taken. */
static enum status check_firing(
    struct round *round, const struct notice *notice, const struct told *told, struct error *err)
{
    struct notify_line *line = round->line;
    struct alerts_telling telling = {
        .id = told->id, .at_ms = told->at_ms, .state = BOOK_FIRING, .json = told->json};
    bool newer = false;
    enum status status = redis_alerts_done(line->alerts, &telling, &newer, err);
    if (status != ST_OK || !newer) return status;
    struct notice again = {.state = NOTICE_RESOLVED,
        .since_ms = notice->since_ms,
        .again = true,
        .alert = json_copy(notice->alert)};
    memcpy(again.id, notice->id, sizeof(again.id));
    notice_set_at(&again, clock_wall_ns() / NS_PER_MS);
    struct notify_item *item =
        notify_queue_put(&line->queue, &again, BOOK_RESOLVED, told->at_ms, NULL, 0);
    if (item != NULL) item->correct = true;
    notice_release(&again);
    return ST_OK;
}

/* `count` of the round, from `first` on. returns  as notify_send; `*status` as check_firing */
static enum status send_some(
    struct round *round, size_t first, size_t count, enum status *status, struct error *err)
{
    const struct notice *notices[BATCH_MAX] = {NULL};
    struct error why;
    for (size_t i = 0; i < count; i++)
        notices[i] = &round->notice[first + i];
    enum status sent = notify_send(round->line, notices, count, &why);
    if (sent != ST_OK) return sent;
    metric_add(round->line->meter.resent, count);
    for (size_t i = first; i < first + count && round->redis && *status == ST_OK; i++) {
        const struct notice *notice = &round->notice[i];
        if (notice->state == NOTICE_FIRING)
            *status = check_firing(round, notice, &round->line->book.told[round->told[i]], err);
    }
    return ST_OK;
}

static enum status send_batch(struct round *round, struct error *err)
{
    enum status status = ST_OK;
    size_t count = round->count;
    enum status sent = send_some(round, 0, count, &status, err);
    /* Of several nobody knows which one was refused, and the others must not end with it. */
    bool apart = sent == ST_SKIP && count > 1;
    for (size_t i = 0; apart && i < count && sent != ST_RETRY && status == ST_OK; i++)
        sent = send_some(round, i, 1, &status, err);
    for (size_t i = 0; i < count; i++)
        notice_release(&round->notice[i]);
    round->count = 0;
    if (status != ST_OK) return status;
    return sent == ST_RETRY ? ST_SKIP : ST_OK; /* one that is refused is found when it is told */
}

/* returns  ST_SKIP where the place does not answer: the round is to be done again */
static enum status round_send(struct round *round, struct error *err)
{
    struct notify_line *line = round->line;
    int64_t now_ms = clock_wall_ns() / NS_PER_MS;
    enum status status = ST_OK;
    for (size_t i = 0; i < line->book.count && status == ST_OK; i++) {
        struct error unused;
        enum notice_state as;
        const struct told *told = &line->book.told[i];
        struct notice *notice = &round->notice[round->count];
        if (!is_due(line, told, now_ms, &as)) continue;
        if (notice_of_json(notice, told->json, as, &unused) != ST_OK) continue;
        notice->state = as;
        round->told[round->count++] = i;
        if (round->count == BATCH_MAX) status = send_batch(round, err);
    }
    return status == ST_OK && round->count > 0 ? send_batch(round, err) : status;
}

static enum status take_turn(struct notify_line *line, int64_t every_ns, struct error *err)
{
    if (line->resending || line->redis_away) return ST_OK;
    int64_t for_ms = every_ns / NS_PER_MS - every_ns / NS_PER_MS / 10;
    return redis_alerts_turn(line->alerts, for_ms, &line->resending, err);
}

enum status notify_resend(struct notify_line *line, struct error *err)
{
    int64_t now_ns = clock_ns();
    if (line->kind->resend_ns == NULL || line->looked_ns == 0) return ST_OK;
    if (now_ns < line->resend_ns || now_ns < line->not_before_ns) return ST_OK;
    int64_t every_ns = line->kind->resend_ns(line->receiver->self);
    enum status status = take_turn(line, every_ns, err);
    if (status != ST_OK) return status;
    line->resend_ns = now_ns + every_ns / TRIES;
    if (!line->resending && !line->redis_away) return ST_OK;
    struct round *round = memory_zeroed(1, sizeof(*round));
    *round = (struct round){.line = line, .redis = !line->redis_away};
    status = round_send(round, err);
    for (size_t i = 0; i < round->count; i++)
        notice_release(&round->notice[i]);
    free(round);
    line->resending = status == ST_SKIP;
    if (line->resending) line->resend_ns = line->not_before_ns;
    if (status == ST_OK) line->resend_ns = now_ns + every_ns;
    return status == ST_SKIP ? ST_OK : status;
}
