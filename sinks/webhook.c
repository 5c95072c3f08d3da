/*
 * Any HTTP server that takes JSON: `webhook: https://host/path`, one request for each notice.
 *
 * Each request carries `Idempotency-Key: <alert id>-<state>`, the same whenever it is sent again, so that
 * the receiver can leave out what it has. What comes a second time with another state between, as the last
 * word that puts things right, is no repeat: its key ends in `-again`. With a secret it carries `Weir-Timestamp`, Unix seconds, and
 * `Weir-Signature: v1=<HMAC-SHA256 of "<timestamp>.<body>" in hex>`.
 */
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "sinks/http_post.h"
#include "sinks/secret_file.h"
#include "sinks/signature.h"
#include "sinks/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct webhook {
    struct notifier_keys keys;
    const char *url;
    const char *secret, *secret_file;
    const char *template;
    const char *content_type;
    struct http_settings http;
};

static const struct option webhook_options[] = {
    {.key = "webhook",
        .type = OPTION_TEXT,
        .offset = offsetof(struct webhook, url),
        .help = "URL that each notice is posted to"},
    NOTIFIER_OPTIONS(webhook),
    OPTION(TEXT, webhook, secret, "", "what requests are signed with"),
    OPTION(TEXT, webhook, secret_file, "", "file that holds the secret"),
    OPTION(TEXT, webhook, template, "",
        "the body, with places as {{labels.service}}; empty: all there is"),
    OPTION(TEXT, webhook, content_type, "application/json", "of the body"),
    HTTP_OPTIONS(webhook),
    {0},
};

struct line {
    const struct webhook *self;
    struct http_post *post;
};

/* Names and values of strangers must not make a body that cannot be read. */
static enum status check_json(const struct webhook *w, struct error *err)
{
    static const char strange[] =
        "{\"id\":\"f00d\",\"rule\":\"a \\\"rule\\\"\\n\",\"series\":\"service=a\",\"value\":0.5,"
        "\"since_ms\":1,\"at_ms\":2}";
    struct notice notice;
    json_error_t where;
    if (*w->template == '\0' || strstr(w->content_type, "json") == NULL) return ST_OK;
    enum status status = notice_of_json(&notice, bytes_of(strange), NOTICE_FIRING, err);
    if (status != ST_OK) return status;
    struct buffer body = {0};
    json_t *view = template_view(&notice);
    template_render(w->template, view, TEMPLATE_JSON, &body);
    json_t *read = json_loadb((const char *)body.data, body.size, 0, &where);
    if (read == NULL) {
        status = error_set(err, ST_FATAL, 0,
            "filled in it is not JSON: line %d, column %d: %.100s. Texts stand between quotes, "
            "\"{{rule}}\"; numbers and lists do not: {{json value}}",
            where.line, where.column, where.text);
    }
    json_decref(read);
    json_decref(view);
    notice_release(&notice);
    buffer_release(&body);
    return status;
}

static enum status webhook_check(const void *self, const char **key, struct error *err)
{
    const struct webhook *w = self;
    *key = "webhook";
    enum status status = http_url_check(w->url, err);
    if (status != ST_OK) return status;
    *key = "secret";
    if (*w->secret != '\0' && *w->secret_file != '\0')
        return error_set(err, ST_FATAL, 0, "give one of secret and secret_file");
    if (strlen(w->secret) >= SECRET_BYTES)
        return error_set(err, ST_FATAL, 0, "it is longer than %d bytes", SECRET_BYTES - 1);
    *key = "content_type";
    if (*w->content_type == '\0' || strpbrk(w->content_type, "\r\n") != NULL)
        return error_set(err, ST_FATAL, 0, "want a media type, as in application/json");
    *key = "template";
    status = template_check(w->template, err);
    if (status == ST_OK) status = check_json(w, err);
    return status == ST_OK ? http_settings_check(&w->http, key, err) : status;
}

static size_t webhook_places(const void *self)
{
    (void)self;
    return 1;
}

static void webhook_place(const void *self, size_t i, char name[NOTIFIER_PLACE_BYTES])
{
    (void)self, (void)i;
    name[0] = '\0';
}

static int64_t webhook_patience_ns(const void *self)
{
    return ((const struct webhook *)self)->http.timeout_ns;
}

static enum status webhook_open(
    void **line, const void *self, size_t place, bool (*stopping)(void), struct error *err)
{
    struct line *opened = memory_zeroed(1, sizeof(*opened));
    (void)place;
    opened->self = self;
    enum status status = http_post_open(&opened->post, &opened->self->http, stopping, err);
    if (status != ST_OK) {
        free(opened);
        return status;
    }
    *line = opened;
    return ST_OK;
}

static void webhook_close(void *line)
{
    struct line *l = line;
    if (l == NULL) return;
    http_post_close(l->post);
    free(l);
}

static int append(const char *text, size_t bytes, void *out)
{
    buffer_append(out, text, bytes);
    return 0;
}

static void body_write(const struct webhook *w, const struct notice *notice, struct buffer *body)
{
    json_t *view = template_view(notice);
    bool json = strstr(w->content_type, "json") != NULL;
    if (*w->template == '\0')
        json_dump_callback(view, append, body, JSON_COMPACT);
    else
        template_render(w->template, view, json ? TEMPLATE_JSON : TEMPLATE_TEXT, body);
    json_decref(view);
}

/* A header of our own; the buffer lives as long as the request. */
static const char *header(struct buffer *line, const char *name, const char *value)
{
    buffer_reset(line);
    buffer_print(line, "%s: %s", name, value);
    buffer_append(line, "", 1);
    return (const char *)line->data;
}

static enum status secret_read(
    const struct webhook *w, char secret[SECRET_BYTES], struct error *err)
{
    if (*w->secret_file != '\0') return secret_file_read(w->secret_file, secret, err);
    snprintf(secret, SECRET_BYTES, "%s", w->secret);
    return ST_OK;
}

enum { HEADER_TYPE, HEADER_KEY, HEADER_TIMESTAMP, HEADER_SIGNATURE, HEADERS };

static void headers_write(const struct webhook *w, const struct notice *notice, const char *secret,
    struct bytes body, struct buffer line[HEADERS], const char *headers[HEADERS + 1])
{
    char key[NOTICE_ID_BYTES + 16], timestamp[24], signature[SIGNATURE_BYTES], signed_by[80];
    size_t count = 0;
    snprintf(key, sizeof(key), "%s-%s%s", notice->id, notice_state_name[notice->state],
        notice->again ? "-again" : "");
    headers[count++] = header(&line[HEADER_TYPE], "Content-Type", w->content_type);
    headers[count++] = header(&line[HEADER_KEY], "Idempotency-Key", key);
    if (*secret != '\0') {
        snprintf(timestamp, sizeof(timestamp), "%lld", (long long)(clock_wall_ns() / NS_PER_S));
        signature_of(bytes_of(secret), timestamp, body, signature);
        snprintf(signed_by, sizeof(signed_by), "v1=%s", signature);
        headers[count++] = header(&line[HEADER_TIMESTAMP], "Weir-Timestamp", timestamp);
        headers[count++] = header(&line[HEADER_SIGNATURE], "Weir-Signature", signed_by);
    }
    headers[count] = NULL;
}

static enum status webhook_send(void *line, const struct notice *const *notices, size_t count,
    struct notify_failure *failure, struct error *err)
{
    struct line *l = line;
    struct buffer body = {0}, lines[HEADERS] = {{0}};
    char secret[SECRET_BYTES];
    const char *headers[HEADERS + 1];
    (void)count; /* one: batch_max */
    *failure = (struct notify_failure){.reason = NOTIFY_SECRET};
    enum status status = secret_read(l->self, secret, err);
    if (status != ST_OK) return status;
    body_write(l->self, notices[0], &body);
    headers_write(l->self, notices[0], secret, buffer_bytes(&body), lines, headers);
    status = http_post_send(l->post, l->self->url, buffer_bytes(&body), headers, failure, err);
    for (size_t i = 0; i < HEADERS; i++)
        buffer_release(&lines[i]);
    buffer_release(&body);
    return status;
}

const struct notifier notifier_webhook = {
    .name = "webhook",
    .help = "an HTTP server that takes JSON",
    .options = webhook_options,
    .self_bytes = sizeof(struct webhook),
    .batch_max = 1,
    .check = webhook_check,
    .places = webhook_places,
    .place = webhook_place,
    .patience_ns = webhook_patience_ns,
    .open = webhook_open,
    .send = webhook_send,
    .close = webhook_close,
};
