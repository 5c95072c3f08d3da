/*
 * The transport to Redis: bytes there and back, plain or over TLS, each with a deadline.
 *
 * Everything above it speaks RESP and does not know what carries it.
 */
#ifndef SINKS_REDIS_SOCKET_H
#define SINKS_REDIS_SOCKET_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "sinks/redis_address.h"
#include "sinks/redis_tls.h"
#include "sinks/store_trouble.h"

struct redis_socket {
    int fd;                     /* -1: closed */
    struct redis_tls *tls;      /* NULL: plain */
    bool heard;                 /* something, since it was opened */
    enum store_trouble trouble; /* of the last call that failed */
    char shown[REDIS_SHOWN_BYTES];
};

/* Deadlines are by clock_ns. What fails gives ST_RETRY and leaves the socket closed. */
enum status redis_socket_open(struct redis_socket *socket, const struct redis_peer *peer,
    const struct tls_files *tls, int64_t deadline_ns, struct error *err) MUST_USE;
/* Write everything, or fail. */
enum status redis_socket_write(struct redis_socket *socket, struct bytes bytes, int64_t deadline_ns,
    struct error *err) MUST_USE;
/* Read what there is, one byte at least; `*got` of `room`. */
enum status redis_socket_read(struct redis_socket *socket, void *into, size_t room, size_t *got,
    int64_t deadline_ns, struct error *err) MUST_USE;
void redis_socket_close(struct redis_socket *socket); /* closed already is fine */

#endif
