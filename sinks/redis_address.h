/*
 * Where a Redis is and as whom to speak to it.
 *
 *     redis://[[user]:password@]host[:port][/db]
 *     rediss://                            the same over TLS
 *     unix://[[user]:password@]/path[?db=n]
 *     sentinel://[[user]:password@]host[:port][,host[:port]...]/master[?db=n][&sentinel_user=u][&sentinel_password=p]
 *     sentinels://                         the same over TLS, to Sentinels and servers alike
 *
 * A name, a password and a path are percent-decoded; an IPv6 host stands in brackets. With Sentinels,
 * user and password before @ are those of the servers that hold the data; what the Sentinels
 * themselves want is said behind the ?, because it is usually nothing.
 */
#ifndef SINKS_REDIS_ADDRESS_H
#define SINKS_REDIS_ADDRESS_H

#include "engine/base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    REDIS_HOST_BYTES = 256,
    REDIS_PATH_BYTES = 108, /* of sockaddr_un */
    REDIS_NAME_BYTES = 256,
    REDIS_SHOWN_BYTES = 2 * REDIS_NAME_BYTES + 64,
    REDIS_DATABASES_MAX = 1 << 20,
    REDIS_SENTINELS_MAX = 16,
};

/* One server to connect to. */
struct redis_peer {
    bool is_unix;
    bool is_tls;
    char host[REDIS_HOST_BYTES];
    char port[8];
    char path[REDIS_PATH_BYTES];
    char shown[REDIS_SHOWN_BYTES]; /* for error texts */
};

struct redis_login {
    char user[REDIS_NAME_BYTES]; /* "": the default user */
    char password[REDIS_NAME_BYTES];
    bool has_password;
};

struct redis_address {
    struct redis_peer peer; /* the server; empty where Sentinels are asked for it */
    struct redis_login login;
    int database;
    char master[REDIS_NAME_BYTES]; /* as Sentinels call it; "": no Sentinels */
    struct redis_peer sentinel[REDIS_SENTINELS_MAX];
    size_t sentinels;
    bool is_tls; /* wherever it leads */
    struct redis_login sentinel_login;
    char shown[REDIS_SHOWN_BYTES]; /* without passwords: for error texts */
};

/* returns  ST_OK; ST_FATAL, saying what is wrong with the URL but never what its password is */
enum status redis_address_parse(
    struct redis_address *address, const char *url, struct error *err) MUST_USE;

/* The peer at `host` and `port`, numbers or names; one that does not fit is cut, and not found. */
void redis_peer_set(struct redis_peer *peer, const char *host, const char *port);

#endif
