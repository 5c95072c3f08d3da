/*
 * TLS between bytes and bytes: what is to be sent goes in plain and comes out encrypted, what was
 * received the other way round. It touches no socket, so deadlines are sinks/redis_socket.c's.
 *
 * TLS 1.2 at least. The server's certificate and its name or address are verified always.
 *
 * threads  one per `struct redis_tls`
 */
#ifndef SINKS_REDIS_TLS_H
#define SINKS_REDIS_TLS_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "sinks/tls_files.h"

#include <stdbool.h>

struct redis_tls;

enum tls_step {
    TLS_DONE,
    TLS_WANTS_MORE, /* bytes from the other side */
    TLS_CLOSED,     /* by the other side, in order */
    TLS_FAILED,     /* redis_tls_failure says why */
};

/* Whether the files can be used. returns  ST_OK; ST_FATAL, naming the file and what is wrong */
enum status redis_tls_check(const struct tls_files *files, struct error *err) MUST_USE;

/*
 * Begin one connection to `host`, a name or an address, which the server must prove to be.
 *
 * returns  ST_OK; ST_RETRY, the files cannot be used now: they may be about to be replaced
 */
enum status redis_tls_new(struct redis_tls **tls, const struct tls_files *files, const char *host,
    struct error *err) MUST_USE;
void redis_tls_free(struct redis_tls *tls); /* NULL is fine */

enum tls_step redis_tls_greet(struct redis_tls *tls);
enum tls_step redis_tls_encrypt(struct redis_tls *tls, struct bytes plain);
/* At least one byte into `into`, or TLS_WANTS_MORE. */
enum tls_step redis_tls_decrypt(struct redis_tls *tls, void *into, size_t room, size_t *got);

/* What is to be sent now, good until the next call; then say that it is. */
struct bytes redis_tls_outgoing(struct redis_tls *tls);
void redis_tls_sent(struct redis_tls *tls);
void redis_tls_received(struct redis_tls *tls, const void *data, size_t size);

/*
 * Why it failed, and what to do: a certificate that expired, is for another name or not trusted, a
 * server without TLS, or one that wants a certificate of ours.
 *
 * shown    the server, for the text
 * returns  ST_RETRY: certificates are renewed, and whoever does so need not restart us
 */
enum status redis_tls_failure(const struct redis_tls *tls, const char *shown, struct error *err);

#endif
