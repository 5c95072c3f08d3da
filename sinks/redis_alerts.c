#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "sinks/redis_alerts_link.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FIELDS_MAX = 32, /* of an entry that are looked at */
    AWAY_S = 3600,   /* a notifier that has held nothing for so long is gone for good */
};

enum status redis_alerts_open(
    struct redis_alerts **alerts, const struct redis_alerts_config *config, struct error *err)
{
    struct redis_alerts *a = memory_zeroed(1, sizeof(*a));
    a->prefix = memory_text(config->prefix, strlen(config->prefix));
    a->place = memory_text(config->place, strlen(config->place));
    a->notifier = memory_text(config->notifier, strlen(config->notifier));
    a->stale_ms = config->stale_ns / NS_PER_MS;
    enum status status =
        redis_link_init(&a->link, config->url, &config->tls, config->timeout_ns, err);
    if (status != ST_OK) {
        redis_alerts_close(a);
        return status;
    }
    *alerts = a;
    return ST_OK;
}

void redis_alerts_close(struct redis_alerts *a)
{
    if (a == NULL) return;
    redis_link_release(&a->link);
    buffer_release(&a->key);
    free(a->prefix);
    free(a->place);
    free(a->notifier);
    free(a);
}

enum store_trouble redis_alerts_trouble(const struct redis_alerts *a)
{
    return a->link.trouble;
}

const char *redis_alerts_address(const struct redis_alerts *a)
{
    return a->link.address.shown;
}

void alerts_put_key(struct redis_alerts *a, const char *kind)
{
    redis_link_bytes(&a->link, redis_key(&a->key, a->prefix, kind, (struct bytes){0}));
}

void alerts_put_own_key(struct redis_alerts *a, const char *kind)
{
    redis_link_bytes(&a->link, redis_key(&a->key, a->prefix, kind, bytes_of(a->place)));
}

enum status alerts_ask(
    struct redis_alerts *a, const char *doing, redisReply **reply, struct error *err)
{
    redis_link_end(&a->link);
    enum status status = redis_link_send(&a->link, err);
    if (status == ST_OK) status = redis_link_reply(&a->link, doing, reply, err);
    if (status == ST_LOST) a->joined = 0;
    return status;
}

enum status alerts_tell(struct redis_alerts *a, const char *doing, struct error *err)
{
    redisReply *reply = NULL;
    enum status status = alerts_ask(a, doing, &reply, err);
    if (status == ST_OK) freeReplyObject(reply);
    return status;
}

enum status alerts_command(struct redis_alerts *a, const char *command, struct error *err)
{
    enum status status = redis_link_connect(&a->link, err);
    if (status == ST_OK) redis_link_text(&a->link, command);
    return status;
}

enum status redis_alerts_join(struct redis_alerts *a, bool *anew, struct error *err)
{
    enum status status = redis_link_connect(&a->link, err);
    *anew = a->joined != a->link.connections;
    if (status != ST_OK || !*anew) return status;
    redis_link_text(&a->link, "XGROUP");
    redis_link_text(&a->link, "CREATE");
    alerts_put_key(a, "alerts");
    redis_link_text(&a->link, a->place);
    redis_link_text(&a->link, "0");
    redis_link_text(&a->link, "MKSTREAM");
    status = alerts_tell(a, "make a consumer group of the alerts", err);
    if (status == ST_SKIP) status = ST_OK;
    if (status == ST_OK) a->joined = a->link.connections;
    return status;
}

static void take_fields(const redisReply *reply, struct alerts_entry *entry)
{
    struct notice_field field[FIELDS_MAX];
    struct error unused;
    size_t count = 0;
    for (size_t f = 0; f + 1 < reply->elements && count < FIELDS_MAX; f += 2) {
        struct bytes name = reply_text(reply->element[f]),
                     value = reply_text(reply->element[f + 1]);
        if (bytes_are(name, "refilled")) entry->refilled = bytes_are(value, "1");
        field[count++] = (struct notice_field){name, value};
    }
    entry->readable = notice_of_fields(&entry->notice, field, count, &unused) == ST_OK;
}

/* `[id, fields]`; the fields of one that the stream has dropped are nil. */
static void take_entry(const redisReply *reply, struct alerts_entries *entries)
{
    bool whole = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                 reply->element[0]->type == REDIS_REPLY_STRING;
    if (!whole || entries->count == ALERTS_READ_MAX) return;
    struct alerts_entry *entry = &entries->item[entries->count++];
    *entry = (struct alerts_entry){.readable = false};
    snprintf(entry->id, sizeof(entry->id), "%s", reply->element[0]->str);
    entry->at_ms = strtoll(entry->id, NULL, 10);
    if (entry->at_ms > INT64_MAX / NS_PER_MS) entry->at_ms = 0; /* not of a clock */
    if (reply->element[1]->type == REDIS_REPLY_ARRAY) take_fields(reply->element[1], entry);
}

static void take_entries(const redisReply *reply, struct alerts_entries *entries)
{
    for (size_t e = 0; reply->type == REDIS_REPLY_ARRAY && e < reply->elements; e++)
        take_entry(reply->element[e], entries);
}

/* `[[stream, entries]]`, or nil. */
static void take_stream(const redisReply *reply, struct alerts_entries *entries)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1) return;
    const redisReply *stream = reply->element[0];
    if (stream->type == REDIS_REPLY_ARRAY && stream->elements == 2)
        take_entries(stream->element[1], entries);
}

static int64_t at_most(size_t most)
{
    return most < ALERTS_READ_MAX ? (int64_t)most : ALERTS_READ_MAX;
}

/* XREADGROUP from `after`; `block_ms` 0: without waiting. */
static enum status read_group(struct redis_alerts *a, const char *after, size_t most,
    int64_t block_ms, struct alerts_entries *entries, struct error *err)
{
    redisReply *reply = NULL;
    alerts_entries_release(entries);
    enum status status = alerts_command(a, "XREADGROUP", err);
    if (status != ST_OK) return status;
    redis_link_text(&a->link, "GROUP");
    redis_link_text(&a->link, a->place);
    redis_link_text(&a->link, a->notifier);
    redis_link_text(&a->link, "COUNT");
    redis_link_number(&a->link, at_most(most));
    if (block_ms > 0) {
        redis_link_text(&a->link, "BLOCK");
        redis_link_number(&a->link, block_ms);
    }
    redis_link_text(&a->link, "STREAMS");
    alerts_put_key(a, "alerts");
    redis_link_text(&a->link, after);
    status = alerts_ask(a, "read alerts", &reply, err);
    if (status != ST_OK) return status;
    take_stream(reply, entries);
    freeReplyObject(reply);
    return ST_OK;
}

enum status redis_alerts_read(struct redis_alerts *a, size_t most, int64_t block_ms,
    struct alerts_entries *entries, struct error *err)
{
    return read_group(a, ">", most, block_ms, entries, err);
}

enum status redis_alerts_own(struct redis_alerts *a, const char *after, size_t most,
    struct alerts_entries *entries, struct error *err)
{
    return read_group(a, after, most, 0, entries, err);
}

enum status redis_alerts_claim(struct redis_alerts *a, size_t most, struct alerts_entries *entries,
    bool *more, struct error *err)
{
    redisReply *reply = NULL;
    alerts_entries_release(entries);
    enum status status = alerts_command(a, "XAUTOCLAIM", err);
    if (status != ST_OK) return status;
    alerts_put_key(a, "alerts");
    redis_link_text(&a->link, a->place);
    redis_link_text(&a->link, a->notifier);
    redis_link_number(&a->link, a->stale_ms);
    redis_link_text(&a->link, a->claimed[0] == '\0' ? "0" : a->claimed);
    redis_link_text(&a->link, "COUNT");
    redis_link_number(&a->link, at_most(most));
    status = alerts_ask(a, "take over entries that nobody attends to", &reply, err);
    if (status != ST_OK) return status;
    struct bytes next = {0};
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2) {
        next = reply_text(reply->element[0]);
        take_entries(reply->element[1], entries);
    }
    *more = next.size != 0 && next.size < sizeof(a->claimed) && !bytes_are(next, "0-0");
    snprintf(a->claimed, sizeof(a->claimed), "%.*s", *more ? (int)next.size : 0,
        *more ? (const char *)next.data : "");
    freeReplyObject(reply);
    return ST_OK;
}

enum status redis_alerts_hold(
    struct redis_alerts *a, const char *const *ids, size_t count, struct error *err)
{
    if (count == 0) return ST_OK;
    enum status status = alerts_command(a, "XCLAIM", err);
    if (status != ST_OK) return status;
    alerts_put_key(a, "alerts");
    redis_link_text(&a->link, a->place);
    redis_link_text(&a->link, a->notifier);
    redis_link_number(&a->link, 0);
    for (size_t i = 0; i < count; i++)
        redis_link_text(&a->link, ids[i]);
    redis_link_text(&a->link, "JUSTID");
    return alerts_tell(a, "hold on to entries", err);
}

enum status redis_alerts_acknowledge(
    struct redis_alerts *a, const char *const *ids, size_t count, struct error *err)
{
    if (count == 0) return ST_OK;
    enum status status = alerts_command(a, "XACK", err);
    if (status != ST_OK) return status;
    alerts_put_key(a, "alerts");
    redis_link_text(&a->link, a->place);
    for (size_t i = 0; i < count; i++)
        redis_link_text(&a->link, ids[i]);
    return alerts_tell(a, "acknowledge entries", err);
}

/* The words that both scripts begin with. */
static enum status begin_script(struct redis_alerts *a, const char *script,
    const struct alerts_telling *telling, struct error *err)
{
    enum status status = alerts_command(a, "EVAL", err);
    if (status != ST_OK) return status;
    redis_link_text(&a->link, script);
    redis_link_number(&a->link, REDIS_BOOK_KEYS);
    alerts_put_own_key(a, "notify");
    alerts_put_key(a, "alerts:active");
    redis_link_text(&a->link, telling->id);
    redis_link_number(&a->link, telling->at_ms);
    redis_link_text(&a->link, book_state_name[telling->state]);
    redis_link_text(&a->link, a->notifier);
    return ST_OK;
}

enum status redis_alerts_begin(struct redis_alerts *a, const struct alerts_telling *telling,
    enum alerts_verdict *verdict, struct error *err)
{
    static const char *const names[] = {[ALERTS_GO] = "go",
        [ALERTS_KNOWN] = "known",
        [ALERTS_OVER] = "over",
        [ALERTS_NEVER] = "never",
        [ALERTS_BUSY] = "busy"};
    redisReply *reply = NULL;
    enum status status = begin_script(a, redis_book_begin, telling, err);
    if (status != ST_OK) return status;
    redis_link_number(&a->link, a->stale_ms);
    redis_link_number(&a->link, telling->always);
    redis_link_bytes(&a->link, telling->json);
    status = alerts_ask(a, "note what is told", &reply, err);
    if (status != ST_OK) return status;
    *verdict = ALERTS_BUSY;
    for (int v = ALERTS_GO; v <= ALERTS_BUSY; v++) {
        if (bytes_are(reply_text(reply), names[v])) *verdict = (enum alerts_verdict)v;
    }
    freeReplyObject(reply);
    return ST_OK;
}

enum status redis_alerts_done(
    struct redis_alerts *a, const struct alerts_telling *telling, bool *newer, struct error *err)
{
    redisReply *reply = NULL;
    enum status status = begin_script(a, redis_book_done, telling, err);
    if (status != ST_OK) return status;
    redis_link_bytes(&a->link, telling->json);
    status = alerts_ask(a, "note what was told", &reply, err);
    if (status != ST_OK) return status;
    *newer = !bytes_are(reply_text(reply), "ok");
    freeReplyObject(reply);
    return ST_OK;
}

static enum status drop_consumer(struct redis_alerts *a, const char *name, struct error *err)
{
    enum status status = alerts_command(a, "XGROUP", err);
    if (status != ST_OK) return status;
    redis_link_text(&a->link, "DELCONSUMER");
    alerts_put_key(a, "alerts");
    redis_link_text(&a->link, a->place);
    redis_link_text(&a->link, name);
    return alerts_tell(a, "take a notifier out of the group", err);
}

/* The number behind `name` in `[name, value, ...]`; -1: it is not there. */
static int64_t number_in(const redisReply *reply, const char *name)
{
    for (size_t e = 0; e + 1 < reply->elements; e += 2) {
        if (bytes_are(reply_text(reply->element[e]), name) &&
            reply->element[e + 1]->type == REDIS_REPLY_INTEGER)
            return reply->element[e + 1]->integer;
    }
    return -1;
}

static enum status tidy_one(struct redis_alerts *a, const redisReply *consumer, bool leaving,
    uint64_t *pending, struct error *err)
{
    if (consumer->type != REDIS_REPLY_ARRAY || consumer->elements < 2) return ST_OK;
    int64_t held = number_in(consumer, "pending");
    const redisReply *name = consumer->element[1];
    if (held > 0) *pending += (uint64_t)held;
    if (held != 0 || name->type != REDIS_REPLY_STRING) return ST_OK;
    bool own = strcmp(name->str, a->notifier) == 0;
    bool away = number_in(consumer, "idle") > AWAY_S * INT64_C(1000);
    return (own ? leaving : away) ? drop_consumer(a, name->str, err) : ST_OK;
}

enum status redis_alerts_tidy(
    struct redis_alerts *a, bool leaving, uint64_t *pending, struct error *err)
{
    redisReply *reply = NULL;
    enum status status = alerts_command(a, "XINFO", err);
    if (status != ST_OK) return status;
    redis_link_text(&a->link, "CONSUMERS");
    alerts_put_key(a, "alerts");
    redis_link_text(&a->link, a->place);
    status = alerts_ask(a, "say who is in the group", &reply, err);
    if (status != ST_OK) return status;
    *pending = 0;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements && status == ST_OK;
         i++)
        status = tidy_one(a, reply->element[i], leaving, pending, err);
    freeReplyObject(reply);
    return status;
}
