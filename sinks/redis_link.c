#include "sinks/redis_link.h"

#include "engine/base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_BYTES = 64 << 10 };

enum status redis_link_init(
    struct redis_link *link, const char *url, int64_t timeout_ns, struct error *err)
{
    *link = (struct redis_link){.timeout_ns = timeout_ns, .socket = {-1}};
    return redis_address_parse(&link->address, url, err);
}

static void forget_words(struct redis_link *link)
{
    buffer_reset(&link->word);
    link->words = 0;
}

void redis_link_close(struct redis_link *link)
{
    redis_socket_close(&link->socket);
    if (link->reader != NULL) redisReaderFree(link->reader);
    link->reader = NULL;
    buffer_reset(&link->out);
    forget_words(link);
}

void redis_link_release(struct redis_link *link)
{
    redis_link_close(link);
    buffer_release(&link->word);
    buffer_release(&link->out);
}

/* `*3\r\n` and `$5\r\n`: a count and its kind. */
static void put_count(struct buffer *out, char kind, size_t count)
{
    char line[24];
    int size = snprintf(line, sizeof(line), "%c%zu\r\n", kind, count);
    buffer_append(out, line, (size_t)size);
}

void redis_link_bytes(struct redis_link *link, struct bytes word)
{
    put_count(&link->word, '$', word.size);
    buffer_append(&link->word, word.data, word.size);
    buffer_append(&link->word, "\r\n", 2);
    link->words++;
}

void redis_link_text(struct redis_link *link, const char *word)
{
    redis_link_bytes(link, bytes_of(word));
}

void redis_link_number(struct redis_link *link, int64_t word)
{
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%lld", (long long)word);
    redis_link_bytes(link, (struct bytes){(const uint8_t *)digits, (size_t)size});
}

void redis_link_end(struct redis_link *link)
{
    put_count(&link->out, '*', link->words);
    buffer_append(&link->out, link->word.data, link->word.size);
    forget_words(link);
}

enum status redis_link_send(struct redis_link *link, struct error *err)
{
    int64_t deadline_ns = clock_ns() + link->timeout_ns;
    enum status status =
        redis_socket_write(&link->socket, buffer_bytes(&link->out), deadline_ns, err);
    buffer_reset(&link->out);
    if (status != ST_OK) redis_link_close(link);
    return status;
}

/* What an error reply asks for. The longest code is `MASTERDOWN`. */
static const struct error_kind {
    const char *code;
    enum status status;
    const char *advice;
} error_kinds[] = {
    {"READONLY", ST_RETRY, "It is a read-only replica: give the URL of the primary."},
    {"OOM", ST_RETRY,
        "It is full: raise its maxmemory, or keep less (history, limits.series). Keep "
        "maxmemory-policy noeviction."},
    {"LOADING", ST_RETRY, "It is loading its data and will be ready soon."},
    {"BUSY", ST_RETRY, "Someone's script blocks it: see SLOWLOG, or end that with SCRIPT KILL."},
    {"MASTERDOWN", ST_RETRY, "It is a replica without its primary: give the primary's URL."},
    {"NOREPLICAS", ST_RETRY, "It wants more replicas than are connected: min-replicas-to-write."},
    {"MISCONF", ST_RETRY, "It cannot save to disk: look at its log and its disk."},
    {"TRYAGAIN", ST_RETRY, "Trying again will do."},
    {"NOAUTH", ST_FATAL, "It wants a password: write redis://:password@host or user:password@."},
    {"WRONGPASS", ST_FATAL, "User or password is wrong, or the user is disabled."},
    {"NOPERM", ST_FATAL, "Give the user that permission: sinks/REDIS.md has the ACL line."},
    {"WRONGTYPE", ST_FATAL, "Something else uses keys of this prefix: choose another prefix."},
    {"MOVED", ST_FATAL, "It is a Redis Cluster: weir needs a single server or its Sentinel pair."},
    {"CROSSSLOT", ST_FATAL,
        "It is a Redis Cluster: weir needs a single server or its Sentinel pair."},
    {"CLUSTERDOWN", ST_FATAL,
        "It is a Redis Cluster: weir needs a single server or its Sentinel pair."},
    {"DENIED", ST_FATAL, "It is in protected mode: set a password, or bind it to loopback."},
    {"ERR max number of clients", ST_RETRY, "Raise its maxclients."},
    {"ERR AUTH", ST_FATAL, "It has no password set: leave the password out of the URL."},
    {"ERR Client sent AUTH", ST_FATAL, "It has no password set: leave the password out."},
    {"ERR DB index", ST_FATAL, "It has fewer databases than that: see its `databases` setting."},
};

/* A script's error before Redis 7 is wrapped: `ERR Error running script ...: -OOM ...`. */
static const char *unwrapped(const char *text)
{
    static const char wrapper[] = "ERR Error running script";
    if (strncmp(text, wrapper, strlen(wrapper)) != 0) return text;
    const char *inner = strstr(text, ": -");
    return inner == NULL ? text : inner + 3;
}

static bool is_code(const char *text, const char *code)
{
    size_t size = strlen(code);
    return strncmp(text, code, size) == 0 && (text[size] == ' ' || text[size] == '\0');
}

static enum status refusal(
    const struct redis_link *link, const char *doing, const char *reply, struct error *err)
{
    const char *text = unwrapped(reply);
    const char *user = link->address.user[0] == '\0' ? "default" : link->address.user;
    for (size_t i = 0; i < sizeof(error_kinds) / sizeof(error_kinds[0]); i++) {
        const struct error_kind *kind = &error_kinds[i];
        if (!is_code(text, kind->code)) continue;
        return error_set(err, kind->status, 0, "redis: %s (user %s) will not %s: %.160s. %s",
            link->address.shown, user, doing, text, kind->advice);
    }
    return error_set(err, ST_FATAL, 0, "redis: %s (user %s) will not %s: %.200s",
        link->address.shown, user, doing, text);
}

/* One reply of whatever kind; the caller's. */
static enum status next_reply(struct redis_link *link, redisReply **reply, struct error *err)
{
    int64_t deadline_ns = clock_ns() + link->timeout_ns;
    for (;;) {
        void *got = NULL;
        if (redisReaderGetReply(link->reader, &got) != REDIS_OK) {
            error_set(err, ST_RETRY, 0, "redis: %s does not speak the Redis protocol: %s",
                link->address.shown, link->reader->errstr);
            break;
        }
        if (got != NULL) {
            *reply = got;
            return ST_OK;
        }
        char bytes[READ_BYTES];
        size_t size = 0;
        if (redis_socket_read(&link->socket, bytes, sizeof(bytes), &size, deadline_ns, err) !=
            ST_OK)
            break;
        redisReaderFeed(link->reader, bytes, size);
    }
    redis_link_close(link);
    return err->status;
}

enum status redis_link_reply(
    struct redis_link *link, const char *doing, redisReply **reply, struct error *err)
{
    *reply = NULL;
    if (link->reader == NULL) return error_set(err, ST_RETRY, 0, "redis: the connection was lost");
    redisReply *got = NULL;
    enum status status = next_reply(link, &got, err);
    if (status != ST_OK) return status;
    if (got->type != REDIS_REPLY_ERROR) {
        *reply = got;
        return ST_OK;
    }
    status = refusal(link, doing, got->str, err);
    freeReplyObject(got);
    return status;
}

/* The value of `name` in what INFO says: borrowed from `info`, data NULL when it is not there. */
static struct bytes info_value(const char *info, const char *name)
{
    const char *at = strstr(info, name);
    if (at == NULL) return (struct bytes){0};
    at += strlen(name);
    return (struct bytes){(const uint8_t *)at, strcspn(at, "\r\n")};
}

static enum status look_at(const struct redis_link *link, const char *info, struct error *err)
{
    struct bytes mode = info_value(info, "redis_mode:");
    struct bytes version = info_value(info, "redis_version:");
    if (bytes_are(mode, "cluster")) {
        return error_set(err, ST_FATAL, 0,
            "redis: %s is a Redis Cluster. A batch is applied to many keys at once, which a "
            "Cluster cannot do: give weir a single server, with or without replicas.",
            link->address.shown);
    }
    if (bytes_are(mode, "sentinel")) {
        return error_set(err, ST_FATAL, 0,
            "redis: %s is a Sentinel, which holds no data: give the URL of its primary.",
            link->address.shown);
    }
    int major = 0, minor = 0;
    if (version.data == NULL || sscanf((const char *)version.data, "%d.%d", &major, &minor) != 2)
        return ST_OK;
    if (major > 6 || (major == 6 && minor >= 2)) return ST_OK;
    return error_set(err, ST_FATAL, 0, "redis: %s is version %d.%d, weir needs 6.2 or newer",
        link->address.shown, major, minor);
}

static void greet(struct redis_link *link)
{
    const struct redis_address *address = &link->address;
    if (address->has_password) {
        redis_link_text(link, "AUTH");
        if (address->user[0] != '\0') redis_link_text(link, address->user);
        redis_link_text(link, address->password);
        redis_link_end(link);
    }
    redis_link_text(link, "SELECT");
    redis_link_number(link, address->database);
    redis_link_end(link);
    redis_link_text(link, "INFO");
    redis_link_text(link, "server");
    redis_link_end(link);
}

static enum status greeting_done(struct redis_link *link, const char *doing, struct error *err)
{
    redisReply *reply = NULL;
    enum status status = redis_link_reply(link, doing, &reply, err);
    if (status == ST_OK) freeReplyObject(reply);
    return status;
}

static enum status handshake(struct redis_link *link, struct error *err)
{
    greet(link);
    enum status status = redis_link_send(link, err);
    if (status == ST_OK && link->address.has_password)
        status = greeting_done(link, "let us log in", err);
    if (status == ST_OK) status = greeting_done(link, "choose the database", err);
    if (status != ST_OK) return status;

    redisReply *reply = NULL;
    status = redis_link_reply(link, "say what it is (INFO)", &reply, err);
    if (status != ST_OK) return status;
    if (reply->type == REDIS_REPLY_STRING) status = look_at(link, reply->str, err);
    freeReplyObject(reply);
    return status;
}

enum status redis_link_connect(struct redis_link *link, struct error *err)
{
    if (link->reader != NULL) return ST_OK;

    int64_t deadline_ns = clock_ns() + link->timeout_ns;
    enum status status = redis_socket_open(&link->socket, &link->address, deadline_ns, err);
    if (status != ST_OK) return status;
    link->reader = redisReaderCreate();
    if (link->reader == NULL) {
        redis_socket_close(&link->socket);
        return error_set(err, ST_RETRY, 0, "redis: out of memory");
    }
    link->connections++;
    buffer_reset(&link->out);
    status = handshake(link, err);
    if (status != ST_OK) redis_link_close(link);
    return status;
}
