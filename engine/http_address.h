/* Where HTTP is served, and by what token: read from their texts, and whether they go together. */
#ifndef ENGINE_HTTP_ADDRESS_H
#define ENGINE_HTTP_ADDRESS_H

#include "engine/base/error.h"

#include <netinet/in.h>
#include <stdbool.h>

enum { HTTP_TOKEN_BYTES_LEAST = 16, HTTP_TOKEN_BYTES_MAX = 256 };

struct http_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t bytes;
};

/*
 * listen   "127.0.0.1:9464", "[::1]:9464", "localhost:9464", "0.0.0.0:9464"
 * token    what a client must show, or "": none; needed where other machines can reach `listen`
 * returns  ST_OK, or ST_FATAL naming what is wrong; never the token
 */
enum status http_address_parse(const char *listen, const char *token, struct http_address *address,
    struct error *err) MUST_USE;

/* Does an Authorization header, or NULL, show `token`? The time taken says nothing of the token. */
bool http_token_shown(const char *token, const char *authorization);

#endif
