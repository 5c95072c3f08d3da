#include "sinks/redis_address.h"

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

enum { REDIS_PORT = 6379, REDIS_SENTINEL_PORT = 26379 };

static enum status refused(struct error *err, const char *why)
{
    return error_set(err, ST_FATAL, 0,
        "redis: the URL is not one: %s. Write redis://[[user]:password@]host[:port][/db], "
        "unix:///path[?db=n] or sentinel://[[user]:password@]host[:port],.../master[?db=n] (rediss "
        "and sentinels: over TLS), with %%XX for special characters in a password.",
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
    struct redis_login *login = &address->login;
    struct bytes password = both;
    struct bytes user = cut(&password, ':', false);
    if (!decode(user, login->user, sizeof(login->user))) return "its user cannot be read";
    if (!decode(password, login->password, sizeof(login->password)))
        return "its password cannot be read";
    login->has_password = true;
    return NULL;
}

static const char *database_parse(struct redis_address *address, struct bytes text)
{
    long number = 0;
    if (!number_parse(text, REDIS_DATABASES_MAX, &number)) return "its database is not a number";
    address->database = (int)number;
    return NULL;
}

/* The next of several parts, and the rest. */
static struct bytes next_part(struct bytes *rest, char separator)
{
    struct bytes part = cut(rest, separator, false);
    if (part.data != NULL) return part;
    part = *rest;
    *rest = (struct bytes){0};
    return part;
}

/* `host[:port]`, either of which may be left out. */
static const char *peer_parse(struct redis_peer *peer, struct bytes authority, long usual_port)
{
    char name[REDIS_HOST_BYTES], digits[8];
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

    long number = usual_port;
    if (port.data != NULL && (!number_parse(port, 65535, &number) || number == 0))
        return "its port is not a number from 1 to 65535";
    snprintf(digits, sizeof(digits), "%ld", number);
    if (host.size == 0) host = bytes_of("127.0.0.1");
    if (!decode(host, name, sizeof(name))) return "its host cannot be read";
    redis_peer_set(peer, name, digits);
    return NULL;
}

static const char *host_parse(struct redis_address *address, struct bytes rest)
{
    struct bytes authority = next_part(&rest, '/');
    const char *why = peer_parse(&address->peer, authority, REDIS_PORT);
    if (why != NULL) return why;
    return rest.size != 0 ? database_parse(address, rest) : NULL;
}

static const char *path_parse(struct redis_address *address, struct bytes rest)
{
    struct redis_peer *peer = &address->peer;
    struct bytes path = next_part(&rest, '?');
    peer->is_unix = true;
    if (path.size == 0 || path.data[0] != '/') return "unix:// needs an absolute path";
    if (!decode(path, peer->path, sizeof(peer->path)))
        return "its path is longer than a socket's path may be, or misspelt";
    if (rest.data == NULL) return NULL;
    if (rest.size < 3 || memcmp(rest.data, "db=", 3) != 0) return "after ? it knows db=n only";
    return database_parse(address, (struct bytes){rest.data + 3, rest.size - 3});
}

static const char *sentinel_option_parse(struct redis_address *address, struct bytes option)
{
    struct redis_login *login = &address->sentinel_login;
    struct bytes value = option;
    struct bytes name = cut(&value, '=', false);
    if (bytes_are(name, "db")) return database_parse(address, value);
    if (bytes_are(name, "sentinel_user")) {
        if (decode(value, login->user, sizeof(login->user))) return NULL;
        return "its sentinel_user cannot be read";
    }
    if (bytes_are(name, "sentinel_password")) {
        login->has_password = true;
        if (decode(value, login->password, sizeof(login->password))) return NULL;
        return "its sentinel_password cannot be read";
    }
    return "after ? it knows db=n, sentinel_user=u and sentinel_password=p only, with & between";
}

/* `host[:port],host[:port].../master`; the options are read already. */
static const char *sentinels_parse(struct redis_address *address, struct bytes rest)
{
    struct bytes hosts = next_part(&rest, '/');
    if (rest.size == 0) return "the master's name, as the Sentinels have it, is missing at its end";
    if (memchr(rest.data, '/', rest.size) != NULL ||
        !decode(rest, address->master, sizeof(address->master)))
        return "its master's name cannot be read";
    while (hosts.data != NULL) {
        struct bytes host = next_part(&hosts, ',');
        if (address->sentinels == REDIS_SENTINELS_MAX) return "it has more than 16 Sentinels";
        if (host.size == 0 && (address->sentinels != 0 || hosts.data != NULL))
            return "between its commas a Sentinel is missing";
        const char *why =
            peer_parse(&address->sentinel[address->sentinels++], host, REDIS_SENTINEL_PORT);
        if (why != NULL) return why;
    }
    if (address->sentinel_login.user[0] != '\0' && !address->sentinel_login.has_password)
        return "a sentinel_user needs a sentinel_password";
    return NULL;
}

static const char *options_parse(struct redis_address *address, struct bytes options)
{
    const char *why = NULL;
    while (options.data != NULL && why == NULL)
        why = sentinel_option_parse(address, next_part(&options, '&'));
    return why;
}

void redis_peer_set(struct redis_peer *peer, const char *host, const char *port)
{
    bool is_v6 = strchr(host, ':') != NULL;
    *peer = (struct redis_peer){0};
    snprintf(peer->host, sizeof(peer->host), "%s", host);
    snprintf(peer->port, sizeof(peer->port), "%s", port);
    snprintf(peer->shown, sizeof(peer->shown), "%s%s%s:%s", is_v6 ? "[" : "", peer->host,
        is_v6 ? "]" : "", peer->port);
}

/* What is too long is cut. */
static void show_as(char *shown, size_t room, const struct buffer *text)
{
    size_t size = text->size < room ? text->size : room - 1;
    memcpy(shown, text->data, size);
    shown[size] = '\0';
}

static void show(struct redis_address *address)
{
    struct buffer out = {0};
    struct redis_peer *peer = &address->peer;
    bool has_sentinels = address->sentinels != 0;
    buffer_print(&out, "%s%s://%s%s",
        peer->is_unix   ? "unix"
        : has_sentinels ? "sentinel"
                        : "redis",
        address->is_tls ? "s" : "", address->login.user, address->login.user[0] == '\0' ? "" : "@");
    for (size_t i = 0; i < address->sentinels; i++)
        buffer_print(&out, "%s%s", i == 0 ? "" : ",", address->sentinel[i].shown);
    if (has_sentinels)
        buffer_print(&out, "/%s", address->master);
    else
        buffer_print(&out, "%s", peer->is_unix ? peer->path : peer->shown);
    if (address->database != 0)
        buffer_print(
            &out, "%s%d", has_sentinels || peer->is_unix ? "?db=" : "/", address->database);
    show_as(address->shown, sizeof(address->shown), &out);
    if (!has_sentinels) show_as(peer->shown, sizeof(peer->shown), &out);
    buffer_release(&out);
}

static const struct scheme {
    const char *name;
    const char *(*parse)(struct redis_address *address, struct bytes rest);
    bool is_tls;
    bool has_options; /* for what stands behind a `?` whatever the parts before it look like */
} schemes[] = {
    {"redis://", host_parse, false, false},
    {"rediss://", host_parse, true, false},
    {"unix://", path_parse, false, false},
    {"sentinel://", sentinels_parse, false, true},
    {"sentinels://", sentinels_parse, true, true},
};

static const struct scheme *scheme_of(const char *url)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(url, schemes[i].name, strlen(schemes[i].name)) == 0) return &schemes[i];
    }
    return NULL;
}

enum status redis_address_parse(struct redis_address *address, const char *url, struct error *err)
{
    const struct scheme *scheme = scheme_of(url);
    const char *why = NULL;
    *address = (struct redis_address){0};
    if (scheme == NULL)
        return refused(err, "it begins with neither redis:// nor unix:// nor sentinel://");

    struct bytes rest = bytes_of(url + strlen(scheme->name));
    if (scheme->has_options) {
        struct bytes before = next_part(&rest, '?');
        why = options_parse(address, rest);
        rest = before;
    }
    struct bytes credentials = cut(&rest, '@', true);
    if (credentials.data != NULL && why == NULL) why = credentials_parse(address, credentials);
    if (why == NULL) why = scheme->parse(address, rest);
    if (why != NULL) return refused(err, why);
    address->is_tls = address->peer.is_tls = scheme->is_tls;
    for (size_t i = 0; i < address->sentinels; i++)
        address->sentinel[i].is_tls = scheme->is_tls;
    show(address);
    return ST_OK;
}
