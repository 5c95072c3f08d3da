/* What the files of struct redis_alerts share; nobody else includes it. */
#ifndef SINKS_REDIS_ALERTS_LINK_H
#define SINKS_REDIS_ALERTS_LINK_H

#include "sinks/redis_alerts.h"
#include "sinks/redis_key.h"
#include "sinks/redis_link.h"

struct redis_alerts {
    struct redis_link link;
    char *prefix, *place, *notifier;
    int64_t stale_ms;
    uint64_t joined; /* the connection on which the group was last joined; 0: none */
    char claimed[ALERTS_ENTRY_BYTES]; /* where taking over goes on; "": at the beginning */
    struct buffer key;
};

/* Be connected before the words of a command are written: closing a link forgets them. */
enum status alerts_command(
    struct redis_alerts *alerts, const char *command, struct error *err) MUST_USE;
/* A key of the prefix as the next word; the same with the place behind it. */
void alerts_put_key(struct redis_alerts *alerts, const char *kind);
void alerts_put_own_key(struct redis_alerts *alerts, const char *kind);
/* Send the command that was written, and wait for what it gives: `reply` is the caller's. */
enum status alerts_ask(
    struct redis_alerts *alerts, const char *doing, redisReply **reply, struct error *err) MUST_USE;
/* The same where all that counts is that it was done. */
enum status alerts_tell(struct redis_alerts *alerts, const char *doing, struct error *err) MUST_USE;

static inline struct bytes reply_text(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING) return (struct bytes){0};
    return (struct bytes){(const uint8_t *)reply->str, reply->len};
}

#endif
