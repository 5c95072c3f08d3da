/*
 * Alertmanager, API v2: `alertmanager: [http://am1:9093, http://am2:9093]`, each of which gets every alert.
 *
 * Alertmanager forgets what it is not told again, and tells alerts apart by their labels. So a firing
 * alert says until when it holds unless it is said again; a resolved one when it ended. `startsAt` is
 * the event time at which it fired; a resolved one repeats its end there, as Alertmanager keeps the
 * earliest.
 *
 * source  prometheus/alertmanager, api/v2/openapi.yaml; Prometheus, "Alertmanager clients"
 */
#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "engine/base/memory.h"
#include "sinks/http_post.h"
#include "sinks/template.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_MAX = 64,
    HOLDS_RESENDS = 4, /* a firing alert that is not said again holds for so many intervals */
    TOLD_MAX = 5,      /* traces, errors and members that are told */
    URL_BYTES_MAX = 2048,
};

struct alertmanager {
    struct notifier_keys keys;
    struct texts urls;
    int64_t resend_ns;
    const char *generator_url;
    struct http_settings http;
};

static const struct option alertmanager_options[] = {
    {.key = "alertmanager",
        .type = OPTION_TEXTS,
        .offset = offsetof(struct alertmanager, urls),
        .help = "URLs of Alertmanagers, each of which gets every alert, as in http://am:9093"},
    NOTIFIER_OPTIONS(alertmanager),
    {.key = "resend",
        .type = OPTION_DURATION,
        .offset = offsetof(struct alertmanager, resend_ns),
        .fallback = "1m",
        .help = "how often a firing alert is said again"},
    OPTION(TEXT, alertmanager, generator_url, "",
        "template of the link that an alert has, as in "
        "https://grafana/d/x?service={{labels.service}}"),
    HTTP_OPTIONS(alertmanager),
    {0},
};

struct line {
    const struct alertmanager *self;
    struct http_post *post;
    char url[URL_BYTES_MAX + 32];
};

static enum status check_urls(const struct texts *urls, struct error *err)
{
    if (urls->count == 0 || urls->count > NOTIFIER_PLACES_MAX) {
        return error_set(
            err, ST_FATAL, 0, "%zu Alertmanagers; want 1 to %d", urls->count, NOTIFIER_PLACES_MAX);
    }
    for (size_t i = 0; i < urls->count; i++) {
        enum status status = http_url_check(urls->text[i], err);
        if (status != ST_OK) return status;
        if (strlen(urls->text[i]) > URL_BYTES_MAX || strpbrk(urls->text[i], "?#") != NULL)
            return error_set(err, ST_FATAL, 0, "want an Alertmanager's URL without ? and #");
        for (size_t j = 0; j < i; j++) {
            if (strcmp(urls->text[i], urls->text[j]) == 0)
                return error_set(err, ST_FATAL, 0, "an Alertmanager is there twice; keep one");
        }
    }
    return ST_OK;
}

/* Alertmanager refuses every alert whose link is none. */
static enum status check_link(const char *template, struct error *err)
{
    struct buffer url = {0};
    enum status status = template_check(template, err);
    if (status != ST_OK || *template == '\0') return status;
    json_t *nothing = json_object();
    template_render(template, nothing, TEMPLATE_URL, &url);
    buffer_append(&url, "", 1);
    status = http_url_check((const char *)url.data, err);
    json_decref(nothing);
    buffer_release(&url);
    return status;
}

static enum status alertmanager_check(const void *self, const char **key, struct error *err)
{
    const struct alertmanager *a = self;
    *key = "alertmanager";
    enum status status = check_urls(&a->urls, err);
    if (status != ST_OK) return status;
    *key = "resend";
    if (a->resend_ns < NS_PER_S || a->resend_ns > 3600 * NS_PER_S)
        return error_set(err, ST_FATAL, 0, "it is out of range; want 1s to 1h");
    *key = "generator_url";
    status = check_link(a->generator_url, err);
    return status == ST_OK ? http_settings_check(&a->http, key, err) : status;
}

static size_t alertmanager_places(const void *self)
{
    return ((const struct alertmanager *)self)->urls.count;
}

/* Several behind one server are told apart by their paths. */
static bool has_neighbour(const struct texts *urls, size_t i, const char *shown)
{
    char other[NOTIFIER_PLACE_BYTES];
    for (size_t j = 0; j < urls->count; j++) {
        http_url_show(urls->text[j], other);
        if (j != i && strcmp(other, shown) == 0) return true;
    }
    return false;
}

/* A path may be a secret, so it is in the name only where it takes one. */
static void alertmanager_place(const void *self, size_t i, char name[NOTIFIER_PLACE_BYTES])
{
    const struct texts *urls = &((const struct alertmanager *)self)->urls;
    const char *url = urls->text[i];
    http_url_show(url, name);
    if (!has_neighbour(urls, i, name)) return;
    const char *host = strstr(url, "://");
    const char *path = host == NULL ? NULL : strchr(host + 3, '/');
    size_t used = strlen(name), left = NOTIFIER_PLACE_BYTES - used;
    if (path != NULL && path[1] != '\0') snprintf(name + used, left, "%s", path);
}

static int64_t alertmanager_patience_ns(const void *self)
{
    return ((const struct alertmanager *)self)->http.timeout_ns;
}

static int64_t alertmanager_resend_ns(const void *self)
{
    return ((const struct alertmanager *)self)->resend_ns;
}

static enum status alertmanager_open(
    void **line, const void *self, size_t place, bool (*stopping)(void), struct error *err)
{
    const struct alertmanager *a = self;
    struct line *opened = memory_zeroed(1, sizeof(*opened));
    const char *url = a->urls.text[place];
    size_t size = strlen(url);
    opened->self = a;
    while (size > 0 && url[size - 1] == '/')
        size--;
    snprintf(opened->url, sizeof(opened->url), "%.*s/api/v2/alerts", (int)size, url);
    enum status status = http_post_open(&opened->post, &a->http, stopping, err);
    if (status != ST_OK) {
        free(opened);
        return status;
    }
    *line = opened;
    return ST_OK;
}

static void alertmanager_close(void *line)
{
    struct line *l = line;
    if (l == NULL) return;
    http_post_close(l->post);
    free(l);
}

/* Alertmanager's names are of A-Z a-z 0-9 _ and begin with no digit. */
static void name_of(const char *name, char made[256])
{
    size_t size = 0;
    if (isdigit((unsigned char)*name)) made[size++] = '_';
    for (; *name != '\0' && size < 255; name++)
        made[size++] = isalnum((unsigned char)*name) && (unsigned char)*name < 0x80 ? *name : '_';
    made[size] = '\0';
}

static json_t *labels_of(const struct notice *notice)
{
    json_t *labels = json_object(), *value;
    const char *name;
    json_object_foreach(json_object_get(notice->alert, "labels"), name, value)
    {
        char made[256];
        name_of(name, made);
        if (json_string_length(value) != 0 && json_object_get(labels, made) == NULL)
            json_object_set(labels, made, value);
    }
    return labels;
}

static const char *text_in(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text == NULL ? "" : text;
}

static void put_trace(const json_t *exemplar, struct buffer *out)
{
    const char *link = text_in(exemplar, "link");
    buffer_print(out, "%s", text_in(exemplar, "kind"));
    const json_t *duration = json_object_get(exemplar, "duration_ms");
    if (json_is_number(duration)) buffer_print(out, " %.4g ms", json_number_value(duration));
    buffer_print(out, " %s", *link == '\0' ? text_in(exemplar, "trace_id") : link);
}

static void put_error(const json_t *kind, struct buffer *out)
{
    buffer_print(out, "%lld x %s: %s",
        (long long)json_integer_value(json_object_get(kind, "count")), text_in(kind, "type"),
        text_in(kind, "message"));
}

static void put_member(const json_t *member, struct buffer *out)
{
    buffer_print(out, "%s %s", text_in(member, "series"), text_in(member, "signal"));
    const json_t *z = json_object_get(member, "z");
    if (json_is_number(z)) buffer_print(out, " z %.3g", json_number_value(z));
}

/* Annotations are texts, so lists become some lines; what the rule itself says goes first. */
static void annotate(json_t *annotations, const struct notice *notice, const char *list,
    const char *name, void (*put)(const json_t *, struct buffer *))
{
    const json_t *members = json_object_get(notice->alert, list);
    struct buffer text = {0};
    size_t count = json_array_size(members), told = count < TOLD_MAX ? count : TOLD_MAX;
    for (size_t i = 0; i < told; i++) {
        if (i > 0) buffer_append(&text, "\n", 1);
        put(json_array_get(members, i), &text);
    }
    if (count > told) buffer_print(&text, "\nand %zu more", count - told);
    if (text.size != 0 && json_object_get(annotations, name) == NULL)
        json_object_set_new(annotations, name, json_stringn((const char *)text.data, text.size));
    buffer_release(&text);
}

static json_t *annotations_of(const struct notice *notice)
{
    json_t *annotations = json_object(), *value;
    const char *name;
    json_object_foreach(json_object_get(notice->alert, "annotations"), name, value)
    {
        char made[256];
        name_of(name, made);
        json_object_set(annotations, made, value);
    }
    annotate(annotations, notice, "exemplars", "traces", put_trace);
    annotate(annotations, notice, "errors", "errors", put_error);
    annotate(annotations, notice, "members", "members", put_member);
    return annotations;
}

static void put_instant(json_t *alert, const char *name, int64_t ns)
{
    json_object_set_new(alert, name, json_string(instant_print(ns).text));
}

static json_t *alert_of(const struct alertmanager *a, const struct notice *notice, int64_t now_ns)
{
    json_t *alert = json_object();
    int64_t at_ns = notice->at_ms == 0 ? now_ns : notice->at_ms * NS_PER_MS;
    if (at_ns > now_ns) at_ns = now_ns; /* an end ahead is none yet, one before its start refused */
    bool fires = notice->state == NOTICE_FIRING;
    json_object_set_new(alert, "labels", labels_of(notice));
    json_object_set_new(alert, "annotations", annotations_of(notice));
    put_instant(alert, "startsAt", at_ns);
    put_instant(alert, "endsAt", fires ? now_ns + HOLDS_RESENDS * a->resend_ns : at_ns);
    if (*a->generator_url == '\0') return alert;
    struct buffer url = {0};
    json_t *view = template_view(notice);
    template_render(a->generator_url, view, TEMPLATE_URL, &url);
    json_object_set_new(alert, "generatorURL", json_stringn((const char *)url.data, url.size));
    json_decref(view);
    buffer_release(&url);
    return alert;
}

static enum status alertmanager_send(void *line, const struct notice *const *notices, size_t count,
    struct notify_failure *failure, struct error *err)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct line *l = line;
    int64_t now_ns = clock_wall_ns();
    json_t *alerts = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(alerts, alert_of(l->self, notices[i], now_ns));
    char *body = json_dumps(alerts, JSON_COMPACT);
    json_decref(alerts);
    if (body == NULL) {
        *failure = (struct notify_failure){.reason = NOTIFY_CUT};
        return error_set(err, ST_RETRY, 0, "alertmanager: no memory for %zu alerts", count);
    }
    enum status status = http_post_send(l->post, l->url, bytes_of(body), headers, failure, err);
    free(body);
    return status;
}

const struct notifier notifier_alertmanager = {
    .name = "alertmanager",
    .help = "Alertmanagers, by their API v2",
    .options = alertmanager_options,
    .self_bytes = sizeof(struct alertmanager),
    .batch_max = BATCH_MAX,
    .check = alertmanager_check,
    .places = alertmanager_places,
    .place = alertmanager_place,
    .patience_ns = alertmanager_patience_ns,
    .resend_ns = alertmanager_resend_ns,
    .open = alertmanager_open,
    .send = alertmanager_send,
    .close = alertmanager_close,
};
