/*
 * One connection to a Redis: commands out, replies back, in order.
 *
 *     redis_link_text(link, "HGET");
 *     redis_link_bytes(link, key);
 *     redis_link_bytes(link, field);
 *     redis_link_end(link);
 *     status = redis_link_send(link, &err);
 *     status = redis_link_reply(link, "read the row", &reply, &err);
 *
 * Words are counted bytes, never text that is put together, so no name can become syntax.
 * A link connects when it must and closes itself when it can no longer know which reply is whose.
 *
 * threads  one at a time
 * source   redis.io, "Redis serialization protocol specification", RESP2
 */
#ifndef SINKS_REDIS_LINK_H
#define SINKS_REDIS_LINK_H

#include "engine/base/buffer.h"
#include "engine/base/error.h"
#include "sinks/redis_address.h"
#include "sinks/redis_socket.h"
#include "sinks/store_trouble.h"

#include <hiredis/hiredis.h>

struct redis_link {
    struct redis_address address;
    struct tls_files tls;       /* the caller's */
    int64_t timeout_ns;         /* of connecting, and of one reply */
    struct redis_peer peer;     /* connected to, or tried last */
    const char *user;           /* there */
    bool is_sentinel;           /* so errors mean other things */
    size_t sentinel;            /* asked first: the one that knew last time */
    enum store_trouble trouble; /* of the last call that failed */
    struct redis_socket socket;
    redisReader *reader; /* of the open connection; NULL: none */
    struct buffer word;  /* of the command being written */
    size_t words;
    struct buffer out;    /* commands not yet sent */
    uint64_t connections; /* made so far: a caller sees that it is on a new one */
};

/*
 * Reads the URL and the files of TLS; does not connect.
 *
 * tls      borrowed as long as the link lives, its texts too; NULL: none
 * returns  ST_OK; ST_FATAL, the URL is none, a file cannot be used, or files without TLS
 */
enum status redis_link_init(struct redis_link *link, const char *url, const struct tls_files *tls,
    int64_t timeout_ns, struct error *err) MUST_USE;
void redis_link_release(struct redis_link *link);

/*
 * Be connected: find the primary and connect if need be, log in, choose the database, look at what
 * answers. Defined in sinks/redis_connect.c.
 *
 * returns  ST_OK; ST_RETRY, away or not ready; ST_FATAL, not for us: login, Cluster, too old
 */
enum status redis_link_connect(struct redis_link *link, struct error *err) MUST_USE;

/* Connect to `peer`, both the caller's until closed, and log in there: the bare connection. */
enum status redis_link_open(struct redis_link *link, const struct redis_peer *peer,
    const struct redis_login *login, struct error *err) MUST_USE;

/* Append a word to the command being written; end the command. */
void redis_link_bytes(struct redis_link *link, struct bytes word);
void redis_link_text(struct redis_link *link, const char *word);
void redis_link_number(struct redis_link *link, int64_t word);
void redis_link_end(struct redis_link *link);

/* Send the commands that were ended. returns  ST_OK; ST_RETRY, the link is closed */
enum status redis_link_send(struct redis_link *link, struct error *err) MUST_USE;

/*
 * The next reply; an error reply becomes its status.
 *
 * doing    what was asked, for the text: "read the rows"
 * reply    the caller's, freed by freeReplyObject; NULL on any status but ST_OK
 * returns  ST_OK; ST_RETRY, no answer, or the server cannot now; ST_LOST, a consumer group is not
 *          there; ST_SKIP, one that was to be made is; ST_FATAL, it will never
 */
enum status redis_link_reply(
    struct redis_link *link, const char *doing, redisReply **reply, struct error *err) MUST_USE;

void redis_link_close(struct redis_link *link);

#endif
