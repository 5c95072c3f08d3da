#include "sinks/redis_sentinel.h"

#include <stdio.h>

static enum status put_question(
    struct redis_link *asker, const char *master, redisReply **reply, struct error *err)
{
    redis_link_text(asker, "SENTINEL");
    redis_link_text(asker, "GET-MASTER-ADDR-BY-NAME");
    redis_link_text(asker, master);
    redis_link_end(asker);
    enum status status = redis_link_send(asker, err);
    return status != ST_OK ? status : redis_link_reply(asker, "name the primary", reply, err);
}

static bool is_address(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           reply->element[0]->type == REDIS_REPLY_STRING &&
           reply->element[1]->type == REDIS_REPLY_STRING;
}

static void take_address(
    const redisReply *reply, const struct redis_address *address, struct redis_peer *primary)
{
    redis_peer_set(primary, reply->element[0]->str, reply->element[1]->str);
    primary->is_tls = address->is_tls;
    char at[REDIS_HOST_BYTES + 16];
    snprintf(at, sizeof(at), "%.*s", (int)sizeof(at) - 1, primary->shown);
    snprintf(primary->shown, sizeof(primary->shown), "%s (primary of %s)", at, address->master);
}

enum status redis_sentinel_ask(struct redis_link *link, size_t which, struct redis_peer *primary,
    bool *answered, struct error *err)
{
    const struct redis_address *address = &link->address;
    struct redis_link asker = {.timeout_ns = link->timeout_ns,
        .is_sentinel = true,
        .tls = link->tls,
        .socket = {.fd = -1}};
    redisReply *reply = NULL;
    enum status status =
        redis_link_open(&asker, &address->sentinel[which], &address->sentinel_login, err);
    *answered = asker.reader != NULL || status == ST_FATAL;
    if (status == ST_OK) status = put_question(&asker, address->master, &reply, err);
    if (status == ST_OK && is_address(reply)) {
        take_address(reply, address, primary);
    } else if (status == ST_OK) {
        asker.trouble = STORE_FAIL_OVER;
        status = error_set(err, ST_RETRY, 0,
            "redis: the Sentinel %s knows no master called %s: is that the name in its `sentinel "
            "monitor` line?",
            asker.peer.shown, address->master);
    }
    if (reply != NULL) freeReplyObject(reply);
    link->trouble = asker.trouble;
    redis_link_release(&asker);
    return status;
}
