/* Finding the server, and whether what answers is one that weir can use. */
#include "sinks/redis_info.h"
#include "sinks/redis_link.h"
#include "sinks/redis_sentinel.h"

#include <stdio.h>

static enum status look_at(const struct redis_link *link, const char *info, struct error *err)
{
    struct bytes mode = redis_info_value(info, "redis_mode");
    struct bytes version = redis_info_value(info, "redis_version");
    if (bytes_are(mode, "cluster")) {
        return error_set(err, ST_FATAL, 0,
            "redis: %s is a Redis Cluster. A batch is applied to many keys at once, which a "
            "Cluster cannot do: give weir a single server, or one with Sentinels.",
            link->peer.shown);
    }
    if (bytes_are(mode, "sentinel")) {
        return error_set(err, ST_FATAL, 0,
            "redis: %s is a Sentinel, which holds no data: write sentinel://host:26379/master, "
            "with the name that it "
            "has for its primary.",
            link->peer.shown);
    }
    int major = 0, minor = 0;
    if (version.data == NULL || sscanf((const char *)version.data, "%d.%d", &major, &minor) != 2)
        return ST_OK;
    if (major > 6 || (major == 6 && minor >= 2)) return ST_OK;
    return error_set(err, ST_FATAL, 0, "redis: %s is version %d.%d, weir needs 6.2 or newer",
        link->peer.shown, major, minor);
}

/* INFO first: a Sentinel knows no SELECT. */
static void greet(struct redis_link *link)
{
    redis_link_text(link, "INFO");
    redis_link_text(link, "server");
    redis_link_end(link);
    redis_link_text(link, "SELECT");
    redis_link_number(link, link->address.database);
    redis_link_end(link);
    if (link->address.sentinels == 0) return;
    redis_link_text(link, "ROLE");
    redis_link_end(link);
}

/* What a Sentinel says may be old: only the server itself knows what it is. */
static enum status check_role(struct redis_link *link, struct error *err)
{
    redisReply *reply = NULL;
    if (link->address.sentinels == 0) return ST_OK;
    enum status status = redis_link_reply(link, "say what it is (ROLE)", &reply, err);
    if (status != ST_OK) return status;
    bool primary = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                   reply->element[0]->type == REDIS_REPLY_STRING &&
                   strcmp(reply->element[0]->str, "master") == 0;
    freeReplyObject(reply);
    if (primary) return ST_OK;
    link->trouble = STORE_FAIL_OVER;
    return error_set(err, ST_RETRY, 0,
        "redis: %s is a replica by now: a fail-over is under way, or its Sentinels cannot reach it",
        link->peer.shown);
}

static enum status handshake(struct redis_link *link, struct error *err)
{
    redisReply *reply = NULL;
    greet(link);
    enum status status = redis_link_send(link, err);
    if (status == ST_OK) status = redis_link_reply(link, "say what it is (INFO)", &reply, err);
    if (status != ST_OK) return status;
    if (reply->type == REDIS_REPLY_STRING) status = look_at(link, reply->str, err);
    freeReplyObject(reply);
    if (status == ST_OK) status = redis_link_reply(link, "choose the database", &reply, err);
    if (status != ST_OK) return status;
    freeReplyObject(reply);
    return check_role(link, err);
}

static enum status connect_to(
    struct redis_link *link, const struct redis_peer *peer, struct error *err)
{
    enum status status = redis_link_open(link, peer, &link->address.login, err);
    if (status != ST_OK) return status;
    link->connections++;
    status = handshake(link, err);
    if (status != ST_OK) redis_link_close(link);
    return status;
}

static bool is_same(const struct redis_peer *a, const struct redis_peer *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

/*
 * Ask one Sentinel after the other, because one that was cut off may know an old primary only. What
 * an answer led to says more than that another Sentinel is away, and is what is told in the end.
 */
static enum status connect_by_sentinels(struct redis_link *link, struct error *err)
{
    const struct redis_address *address = &link->address;
    struct redis_peer primary = {0}, tried = {0};
    enum store_trouble trouble = STORE_AWAY;
    bool told = false;
    for (size_t i = 0; i < address->sentinels; i++) {
        size_t which = (link->sentinel + i) % address->sentinels;
        struct error why;
        bool answered;
        enum status status = redis_sentinel_ask(link, which, &primary, &answered, &why);
        if (status == ST_OK) {
            if (is_same(&primary, &tried)) continue;
            tried = primary;
            status = connect_to(link, &primary, &why);
            if (status == ST_OK) link->sentinel = which;
            if (status == ST_OK) return ST_OK;
        }
        if (told && (!answered || status <= err->status)) continue;
        *err = why;
        told = answered;
        trouble = link->trouble;
    }
    link->trouble = trouble;
    if (told) return err->status;
    char last[sizeof(err->text)];
    snprintf(last, sizeof(last), "%s", err->text);
    return error_set(err, ST_RETRY, 0,
        "redis: none of the %zu Sentinels of %s answers. The last: %s", address->sentinels,
        address->master, last);
}

enum status redis_link_connect(struct redis_link *link, struct error *err)
{
    if (link->reader != NULL) return ST_OK;
    if (link->address.sentinels != 0) return connect_by_sentinels(link, err);
    return connect_to(link, &link->address.peer, err);
}
