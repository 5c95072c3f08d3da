/*
 * Where a Redis is and as whom to speak to it.
 *
 *     redis://[[user]:password@]host[:port][/db]
 *     unix://[[user]:password@]/path[?db=n]
 *
 * A user, a password and a path are percent-decoded; an IPv6 host stands in brackets.
 */
#ifndef SINKS_REDIS_ADDRESS_H
#define SINKS_REDIS_ADDRESS_H

#include "engine/base/error.h"

#include <stdbool.h>

enum {
    REDIS_HOST_BYTES = 256,
    REDIS_PATH_BYTES = 108, /* of sockaddr_un */
    REDIS_NAME_BYTES = 256,
    REDIS_DATABASES_MAX = 1 << 20,
};

struct redis_address {
    bool is_unix;
    char host[REDIS_HOST_BYTES];
    char port[8];
    char path[REDIS_PATH_BYTES];
    char user[REDIS_NAME_BYTES]; /* "": the default user */
    char password[REDIS_NAME_BYTES];
    bool has_password;
    int database;
    char shown[2 * REDIS_NAME_BYTES + 64]; /* without the password: for error texts */
};

/* returns  ST_OK; ST_FATAL, saying what is wrong with the URL but never what its password is */
enum status redis_address_parse(
    struct redis_address *address, const char *url, struct error *err) MUST_USE;

#endif
