#include "sinks/redis_address.h"

#include "engine/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

static enum status refused(struct error *err, const char *why)
{
    return error_set(err, ST_FATAL, 0,
        "redis: the URL is not one: %s. Write redis://[[user]:password@]host[:port][/db] or "
        "unix:///path[?db=n], with %%XX for special characters in a password.",
        why);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Percent-decode `text` into `to`; false when it does not fit, is misspelt or holds a NUL. */
static bool decode(struct bytes text, char *to, size_t room)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        int c = text.data[i];
        if (c == '%') {
            if (text.size - i < 3) return false;
            int high = hex_digit((char)text.data[i + 1]);
            int low = hex_digit((char)text.data[i + 2]);
            if (high < 0 || low < 0) return false;
            c = high << 4 | low;
            i += 2;
        }
        if (c == '\0' || size + 1 >= room) return false;
        to[size++] = (char)c;
    }
    to[size] = '\0';
    return true;
}

/* Cut `rest` at `at`, the first or the last of its kind: what stood before it, or data NULL. */
static struct bytes cut(struct bytes *rest, char at, bool last)
{
    const uint8_t *found = NULL;
    if (rest->size != 0)
        found = last ? memrchr(rest->data, at, rest->size) : memchr(rest->data, at, rest->size);
    if (found == NULL) return (struct bytes){0};
    struct bytes before = {rest->data, (size_t)(found - rest->data)};
    *rest = (struct bytes){found + 1, rest->size - before.size - 1};
    return before;
}

static bool number_parse(struct bytes text, long max, long *number)
{
    if (text.size == 0 || text.size > 7) return false;
    long value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        value = 10 * value + (text.data[i] - '0');
    }
    if (value > max) return false;
    *number = value;
    return true;
}

/* `[user]:password`; a lone word is a password too, as redis-cli has it for `redis://word@`. */
static const char *credentials_parse(struct redis_address *address, struct bytes both)
{
    struct bytes password = both;
    struct bytes user = cut(&password, ':', false);
    if (!decode(user, address->user, sizeof(address->user))) return "its user cannot be read";
    if (!decode(password, address->password, sizeof(address->password)))
        return "its password cannot be read";
    address->has_password = true;
    return NULL;
}

static const char *database_parse(struct redis_address *address, struct bytes text)
{
    long number = 0;
    if (!number_parse(text, REDIS_DATABASES_MAX, &number)) return "its database is not a number";
    address->database = (int)number;
    return NULL;
}

static const char *host_parse(struct redis_address *address, struct bytes rest)
{
    struct bytes all = rest;
    struct bytes authority = cut(&rest, '/', false);
    bool has_database = authority.data != NULL && rest.size != 0;
    if (authority.data == NULL) authority = all;

    struct bytes host = authority, port = {0};
    if (authority.size > 0 && authority.data[0] == '[') {
        struct bytes after = {authority.data + 1, authority.size - 1};
        host = cut(&after, ']', false);
        if (host.data == NULL) return "its [ is never closed";
        if (after.size > 0 && after.data[0] != ':') return "a : must stand between host and port";
        if (after.size > 0) port = (struct bytes){after.data + 1, after.size - 1};
    } else {
        struct bytes after = authority;
        struct bytes before = cut(&after, ':', false);
        if (before.data != NULL) {
            host = before;
            port = after;
        }
    }

    long number = 6379;
    if (port.data != NULL && (!number_parse(port, 65535, &number) || number == 0))
        return "its port is not a number from 1 to 65535";
    snprintf(address->port, sizeof(address->port), "%ld", number);
    if (host.size == 0) host = bytes_of("127.0.0.1");
    if (!decode(host, address->host, sizeof(address->host))) return "its host cannot be read";
    return has_database ? database_parse(address, rest) : NULL;
}

static const char *path_parse(struct redis_address *address, struct bytes rest)
{
    struct bytes all = rest;
    struct bytes path = cut(&rest, '?', false);
    if (path.data == NULL) path = all;
    if (path.size == 0 || path.data[0] != '/') return "unix:// needs an absolute path";
    if (!decode(path, address->path, sizeof(address->path)))
        return "its path is longer than a socket's path may be, or misspelt";
    if (path.size == all.size) return NULL;
    if (rest.size < 3 || memcmp(rest.data, "db=", 3) != 0) return "after ? it knows db=n only";
    return database_parse(address, (struct bytes){rest.data + 3, rest.size - 3});
}

static void show(struct redis_address *address)
{
    char database[16] = "";
    const char *at = address->user[0] == '\0' ? "" : "@";
    if (address->database != 0) {
        snprintf(
            database, sizeof(database), address->is_unix ? "?db=%d" : "/%d", address->database);
    }
    if (address->is_unix) {
        snprintf(address->shown, sizeof(address->shown), "unix://%s%s%s%s", address->user, at,
            address->path, database);
        return;
    }
    bool is_v6 = strchr(address->host, ':') != NULL;
    snprintf(address->shown, sizeof(address->shown), "redis://%s%s%s%s%s:%s%s", address->user, at,
        is_v6 ? "[" : "", address->host, is_v6 ? "]" : "", address->port, database);
}

enum status redis_address_parse(struct redis_address *address, const char *url, struct error *err)
{
    static const char redis_scheme[] = "redis://", unix_scheme[] = "unix://";
    *address = (struct redis_address){0};
    struct bytes rest = bytes_of(url);
    if (strncmp(url, redis_scheme, strlen(redis_scheme)) == 0) {
        rest = bytes_of(url + strlen(redis_scheme));
    } else if (strncmp(url, unix_scheme, strlen(unix_scheme)) == 0) {
        rest = bytes_of(url + strlen(unix_scheme));
        address->is_unix = true;
    } else if (strncmp(url, "rediss://", strlen("rediss://")) == 0) {
        return refused(err, "rediss:// asks for TLS, which this build does not speak");
    } else {
        return refused(err, "it begins neither with redis:// nor with unix://");
    }

    struct bytes credentials = cut(&rest, '@', true);
    const char *why = NULL;
    if (credentials.data != NULL) why = credentials_parse(address, credentials);
    if (why == NULL) why = address->is_unix ? path_parse(address, rest) : host_parse(address, rest);
    if (why != NULL) return refused(err, why);
    show(address);
    return ST_OK;
}
