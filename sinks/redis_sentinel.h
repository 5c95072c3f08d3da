/*
 * Asking a Sentinel which server is the primary now.
 *
 * source  redis.io, "Guidelines for Redis clients with support for Redis Sentinel"
 */
#ifndef SINKS_REDIS_SENTINEL_H
#define SINKS_REDIS_SENTINEL_H

#include "sinks/redis_link.h"

/*
 * Ask Sentinel `which` of the link's address, over a connection of its own.
 *
 * primary   out: where it is said to be, shown with the master's name
 * answered  out: whether the Sentinel answered at all
 * returns   ST_OK; ST_RETRY, it is away or knows no such master (yet); ST_FATAL, it wants a password,
 *           or is no Sentinel
 */
enum status redis_sentinel_ask(struct redis_link *link, size_t which, struct redis_peer *primary,
    bool *answered, struct error *err) MUST_USE;

#endif
