/* Looking at what fires and at what was told, page by page; and whose turn it is. */
#include "sinks/redis_alerts_link.h"

#include <stdio.h>

enum {
    PAGE_FIELDS = 500,
    BOOK_DAYS = 30, /* a book that nobody looks at any more is dropped */
};

void alerts_look_release(struct alerts_look *look)
{
    read_list_release(&look->active);
    read_list_release(&look->book);
    read_list_release(&look->applied);
}

static void take_hash(const redisReply *page, struct read_list *list)
{
    for (size_t e = 0; page->type == REDIS_REPLY_ARRAY && e + 1 < page->elements; e += 2) {
        struct read_item item = {
            .name = reply_text(page->element[e]), .value = reply_text(page->element[e + 1])};
        read_list_append(list, &item);
    }
}

/* One page of a hash; `cursor` moves on, "0": that was the last. */
static enum status scan_page(struct redis_alerts *a, bool own, const char *kind, char cursor[32],
    struct read_list *list, struct error *err)
{
    redisReply *reply = NULL;
    enum status status = alerts_command(a, "HSCAN", err);
    if (status != ST_OK) return status;
    if (own)
        alerts_put_own_key(a, kind);
    else
        alerts_put_key(a, kind);
    redis_link_text(&a->link, cursor);
    redis_link_text(&a->link, "COUNT");
    redis_link_number(&a->link, PAGE_FIELDS);
    status = alerts_ask(a, "say what fires and what was told", &reply, err);
    if (status != ST_OK) return status;
    snprintf(cursor, 32, "0");
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
        struct bytes next = reply_text(reply->element[0]);
        snprintf(cursor, 32, "%.*s", (int)next.size, (const char *)next.data);
        take_hash(reply->element[1], list);
    }
    freeReplyObject(reply);
    return ST_OK;
}

static enum status scan(struct redis_alerts *a, bool own, const char *kind, struct read_list *list,
    bool *cut, struct error *err)
{
    char cursor[32] = "0";
    enum status status;
    read_list_reset(list);
    do {
        status = scan_page(a, own, kind, cursor, list, err);
    } while (status == ST_OK && strcmp(cursor, "0") != 0 && list->count <= ALERTS_LOOK_MAX);
    if (status == ST_OK && list->count > ALERTS_LOOK_MAX) *cut = true;
    return status;
}

enum status redis_alerts_look(struct redis_alerts *a, struct alerts_look *look, struct error *err)
{
    look->cut = false;
    enum status status = scan(a, false, "applied", &look->applied, &look->cut, err);
    if (status == ST_OK) status = scan(a, false, "alerts:active", &look->active, &look->cut, err);
    if (status == ST_OK) status = scan(a, true, "notify", &look->book, &look->cut, err);
    if (status == ST_OK) status = alerts_command(a, "PEXPIRE", err);
    if (status != ST_OK) return status;
    alerts_put_own_key(a, "notify");
    redis_link_number(&a->link, BOOK_DAYS * INT64_C(86400000));
    return alerts_tell(a, "keep what was told", err);
}

enum status redis_alerts_restore(
    struct redis_alerts *a, const char *id, struct bytes value, struct error *err)
{
    enum status status = alerts_command(a, "HSETNX", err);
    if (status != ST_OK) return status;
    alerts_put_own_key(a, "notify");
    redis_link_text(&a->link, id);
    redis_link_bytes(&a->link, value);
    return alerts_tell(a, "note again what was told", err);
}

enum status redis_alerts_forget(struct redis_alerts *a, const char *id, struct error *err)
{
    enum status status = alerts_command(a, "HDEL", err);
    if (status != ST_OK) return status;
    alerts_put_own_key(a, "notify");
    redis_link_text(&a->link, id);
    return alerts_tell(a, "forget what is over", err);
}

enum status redis_alerts_turn(struct redis_alerts *a, int64_t for_ms, bool *ours, struct error *err)
{
    redisReply *reply = NULL;
    enum status status = alerts_command(a, "SET", err);
    if (status != ST_OK) return status;
    alerts_put_own_key(a, "notify:turn");
    redis_link_text(&a->link, a->notifier);
    redis_link_text(&a->link, "NX");
    redis_link_text(&a->link, "PX");
    redis_link_number(&a->link, for_ms);
    status = alerts_ask(a, "say whose turn it is", &reply, err);
    if (status != ST_OK) return status;
    *ours = reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    return ST_OK;
}
