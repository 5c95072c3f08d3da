#include "sinks/redis_link.h"

#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "sinks/redis_refusal.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_BYTES = 64 << 10 };

enum status redis_link_init(struct redis_link *link, const char *url, const struct tls_files *tls,
    int64_t timeout_ns, struct error *err)
{
    *link = (struct redis_link){.timeout_ns = timeout_ns, .socket = {.fd = -1}};
    if (tls != NULL) link->tls = *tls;
    enum status status = redis_address_parse(&link->address, url, err);
    if (status != ST_OK) return status;
    if (link->address.is_tls) return redis_tls_check(&link->tls, err);
    if (!tls_files_given(&link->tls)) return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "redis: %s goes without TLS, so files for TLS would do nothing: write rediss:// or "
        "sentinels://, or leave them out",
        link->address.shown);
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
    if (status != ST_OK) {
        link->trouble = link->socket.trouble;
        redis_link_close(link);
    }
    return status;
}

static void too_slow(struct redis_link *link, struct error *err)
{
    error_set(err, ST_RETRY, 0,
        "redis: no answer from %s within %s: look at its SLOWLOG and at its machine; where answers "
        "often take that long, raise redis.timeout",
        link->peer.shown, duration_print(link->timeout_ns).text);
}

/* One reply of whatever kind; the caller's. */
static enum status next_reply(struct redis_link *link, redisReply **reply, struct error *err)
{
    int64_t deadline_ns = clock_ns() + link->timeout_ns;
    link->trouble = STORE_AWAY;
    for (;;) {
        void *got = NULL;
        if (redisReaderGetReply(link->reader, &got) != REDIS_OK) {
            error_set(err, ST_RETRY, 0, "redis: %s does not speak the Redis protocol: %s",
                link->peer.shown, link->reader->errstr);
            break;
        }
        if (got != NULL) {
            *reply = got;
            return ST_OK;
        }
        char bytes[READ_BYTES];
        size_t size = 0;
        if (redis_socket_read(&link->socket, bytes, sizeof(bytes), &size, deadline_ns, err) !=
            ST_OK) {
            link->trouble = link->socket.trouble;
            if (link->trouble == STORE_SLOW) too_slow(link, err);
            break;
        }
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
    status = redis_refusal(link, doing, got->str, err);
    freeReplyObject(got);
    /* After a fail-over the name or the Sentinels lead elsewhere: connect anew. */
    if (link->trouble == STORE_READ_ONLY) redis_link_close(link);
    return status;
}

static enum status log_in(
    struct redis_link *link, const struct redis_login *login, struct error *err)
{
    if (!login->has_password) return ST_OK;
    redis_link_text(link, "AUTH");
    if (login->user[0] != '\0') redis_link_text(link, login->user);
    redis_link_text(link, login->password);
    redis_link_end(link);
    redisReply *reply = NULL;
    enum status status = redis_link_send(link, err);
    if (status == ST_OK) status = redis_link_reply(link, "let us log in", &reply, err);
    if (status == ST_OK) freeReplyObject(reply);
    return status;
}

enum status redis_link_open(struct redis_link *link, const struct redis_peer *peer,
    const struct redis_login *login, struct error *err)
{
    int64_t deadline_ns = clock_ns() + link->timeout_ns;
    redis_link_close(link);
    link->peer = *peer;
    link->user = login->user[0] == '\0' ? "default" : login->user;
    enum status status = redis_socket_open(&link->socket, peer, &link->tls, deadline_ns, err);
    if (status != ST_OK) {
        link->trouble = link->socket.trouble;
        return status;
    }
    link->reader = redisReaderCreate();
    if (link->reader == NULL) {
        redis_socket_close(&link->socket);
        return error_set(err, ST_RETRY, 0, "redis: out of memory");
    }
    status = log_in(link, login, err);
    if (status != ST_OK) redis_link_close(link);
    return status;
}
