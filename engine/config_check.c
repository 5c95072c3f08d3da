/* What no single value shows: ranges, names that others must be able to use, keys that need each other. */
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/quantity.h"
#include "engine/base/trace_link.h"
#include "engine/config.h"
#include "engine/metrics.h"
#include "engine/without.h"
#include "schemas/decoder.h"
#include "schemas/row.h"
#include "schemas/span.h"
#include "sinks/redis_address.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_NS (60 * NS_PER_S)
#define HOUR_NS   (60 * MINUTE_NS)
#define DAY_NS    (24 * HOUR_NS)
#define KIB       INT64_C(1024)

enum {
    NAME_BYTES_MAX = 200, /* a topic name has 249, and ours end in .partials */
    TOPIC_BYTES_MAX = 249,
    INSTANCE_BYTES_MAX = 100,
    PREFIX_BYTES_MAX = 64,
    BROKERS_BYTES_MAX = 8192,
};

static const struct {
    const char *key;
    int64_t least, most;
} ranges[] = {
    {"pane", 100 * NS_PER_MS, HOUR_NS},
    {"sketch_scale", 5, 7},
    {"partitions", 1, 1024},
    {"apdex", 0, 6 * HOUR_NS},
    {"score_every", 100 * NS_PER_MS, DAY_NS},
    {"lateness", 0, DAY_NS},
    {"skew", 0, HOUR_NS},
    {"allowed_lateness", 0, 7 * DAY_NS},
    {"max_ahead", NS_PER_MS, 30 * DAY_NS},
    {"epoch", 10 * NS_PER_MS, 5 * NS_PER_S},
    {"epoch_max", 10 * NS_PER_MS, 5 * NS_PER_S},
    {"snapshot", 0, HOUR_NS},
    {"provisional", 0, HOUR_NS},
    {"limits.series", 1, 100000000},
    {"limits.series_per_service", 1, 100000000},
    {"limits.series_idle", MINUTE_NS, 365 * DAY_NS},
    {"limits.message_bytes", KIB, KIB *KIB * 1000},
    {"limits.provisional_rows", 0, 10000000},
    {"limits.alerts", 1, 10000000},
    {"threads.combine", 1, 64},
    {"threads.aggregate", 1, 64},
    {"threads.sink", 1, 64},
    {"memory", 16 * KIB *KIB, KIB *KIB *KIB *KIB},
    {"redis.timeout", 10 * NS_PER_MS, MINUTE_NS},
    {"redis.rows_retention", MINUTE_NS, 365 * DAY_NS},
    {"notify.claim_after", NS_PER_S, HOUR_NS},
};

static const struct option *option_of(const char *key)
{
    const struct option *o = config_options;
    while (strcmp(o->key, key) != 0)
        o++;
    return o;
}

/* A value as its option would be written. */
static struct quantity_text written(enum option_type type, int64_t value)
{
    struct quantity_text out;
    if (type == OPTION_DURATION)
        snprintf(out.text, sizeof(out.text), "%s", duration_print(value).text);
    else if (type == OPTION_BYTES)
        out = quantity_print_bytes((double)value);
    else
        snprintf(out.text, sizeof(out.text), "%" PRId64, value);
    return out;
}

static enum status check_ranges(const struct config *config, struct error *err)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        const struct option *option = option_of(ranges[i].key);
        const void *field = (const char *)config + option->offset;
        int64_t value = *(const int64_t *)field; /* counts past the middle of 64 bits: negative */
        if (value >= ranges[i].least && value <= ranges[i].most) continue;
        return config_error(config, option->key, err, "%s is out of range; want %s to %s",
            value < 0 ? "the number" : written(option->type, value).text,
            written(option->type, ranges[i].least).text,
            written(option->type, ranges[i].most).text);
    }
    return ST_OK;
}

static bool is_kafka_name(const char *text, size_t most)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t size = strlen(text);
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) return false;
    return size <= most && strspn(text, allowed) == size;
}

static enum status check_names(const struct config *c, struct error *err)
{
    if (*c->name == '\0' || !is_kafka_name(c->name, NAME_BYTES_MAX))
        return config_error(c, "name", err,
            "\"%s\" cannot start a Kafka topic's name; write 1 to %d of A-Z a-z 0-9 . _ -",
            node_show(c->name).text, NAME_BYTES_MAX);
    if (!is_kafka_name(c->instance, INSTANCE_BYTES_MAX))
        return config_error(c, "instance", err,
            "\"%s\" cannot be used in Kafka's ids; write at most %d of A-Z a-z 0-9 . _ -",
            node_show(c->instance).text, INSTANCE_BYTES_MAX);
    const char *prefix = c->redis.prefix;
    if (*prefix == '\0' || strlen(prefix) > PREFIX_BYTES_MAX || strpbrk(prefix, " \t\n*?[]{}\\"))
        return config_error(c, "redis.prefix", err,
            "\"%s\" cannot start a key; write 1 to %d characters without spaces and * ? [ ] { }",
            node_show(prefix).text, PREFIX_BYTES_MAX);
    return ST_OK;
}

/* Reading what weir itself writes would feed it to itself. */
static bool is_internal_topic(const struct config *c, const char *topic)
{
    static const char *const ends[] = {".partials", ".rows", ".state", ".plan"};
    size_t size = strlen(c->name);
    if (strncmp(topic, c->name, size) != 0) return false;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t end = strlen(ends[i]);
        if (strncmp(topic + size, ends[i], end) != 0) continue;
        const char *generation = topic + size + end; /* "", or as in weir.rows-2 */
        if (*generation == '\0') return true;
        if (*generation++ != '-' || *generation == '\0') continue;
        if (generation[strspn(generation, "0123456789")] == '\0') return true;
    }
    return false;
}

static enum status check_topics(const struct config *c, struct error *err)
{
    if (c->topics.count == 0 || c->topics.count > TOPICS_MAX)
        return config_error(
            c, "topics", err, "%zu topics; want 1 to %d", c->topics.count, TOPICS_MAX);
    for (size_t i = 0; i < c->topics.count; i++) {
        const char *topic = c->topics.text[i];
        if (*topic == '\0' || !is_kafka_name(topic, TOPIC_BYTES_MAX))
            return config_error(c, "topics", err,
                "\"%s\" is not a topic's name (A-Z a-z 0-9 . _ -); a list is written [a, b]",
                node_show(topic).text);
        if (is_internal_topic(c, topic))
            return config_error(
                c, "topics", err, "%s is written by weir itself; name span topics", topic);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(c->topics.text[j], topic) == 0)
                return config_error(c, "topics", err, "%s is there twice; keep one", topic);
        }
    }
    return ST_OK;
}

static enum status check_dead_letter(const struct config *c, struct error *err)
{
    const char *topic = c->dead_letter;
    if (!is_kafka_name(topic, TOPIC_BYTES_MAX))
        return config_error(c, "dead_letter", err,
            "\"%s\" is not a topic's name (A-Z a-z 0-9 . _ -)", node_show(topic).text);
    bool read = is_internal_topic(c, topic);
    for (size_t i = 0; i < c->topics.count; i++)
        read = read || strcmp(c->topics.text[i], topic) == 0;
    if (!read) return ST_OK;
    return config_error(c, "dead_letter", err,
        "%s is read by weir itself, so it would be fed to itself; name another topic", topic);
}

static enum status check_without(const struct config *c, struct error *err)
{
    for (size_t i = 0; i < c->without.count; i++) {
        uint32_t topic, partition;
        if (without_read(&c->topics, c->without.text[i], &topic, &partition)) continue;
        return config_error(c, "without", err,
            "\"%s\" is not a partition of one of `topics`; write it as %s/3",
            node_show(c->without.text[i]).text, c->topics.text[0]);
    }
    return ST_OK;
}

static enum status check_brokers(const struct config *c, struct error *err)
{
    const char *at = c->brokers;
    bool bad = strlen(at) > BROKERS_BYTES_MAX;
    for (size_t size = 1; !bad; at += size + 1) {
        size = strcspn(at, ",");
        bad = size == 0 || strcspn(at, " \t\n\r") < size;
        if (at[size] == '\0') break;
    }
    if (!bad) return ST_OK;
    return config_error(c, "brokers", err,
        "\"%s\" is not a list of host:port; write them with commas and without spaces, or as a "
        "list",
        node_show(c->brokers).text);
}

static enum status check_encoding(const struct config *c, struct error *err)
{
    if (decoder_find(c->encoding) != NULL) return ST_OK;

    char known[200] = "";
    for (const struct decoder *const *d = decoders; *d != NULL; d++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof(known) - used, "%s%s", used == 0 ? "" : ", ", (*d)->name);
    }
    return config_error(c, "encoding", err, "\"%s\" is not known; known are: %s",
        node_show(c->encoding).text, known);
}

static enum status check_start(const struct config *c, struct error *err)
{
    int64_t back_ns;
    if (strcmp(c->start, "earliest") == 0 || strcmp(c->start, "latest") == 0) return ST_OK;
    if (duration_parse(c->start, &back_ns)) return ST_OK;
    return config_error(c, "start", err,
        "\"%s\" is not earliest, latest or a duration back, as in 1h", node_show(c->start).text);
}

/* Files that do nothing would make believe that the connection is encrypted. */
static enum status check_redis_files(const struct config *c, bool is_tls, struct error *err)
{
    static const char *const keys[] = {
        "redis.ca_file", "redis.certificate_file", "redis.key_file", NULL};
    const char *const files[] = {c->redis.ca_file, c->redis.certificate_file, c->redis.key_file};
    for (size_t i = 0; keys[i] != NULL && !is_tls; i++) {
        if (*files[i] == '\0') continue;
        return config_error(c, keys[i], err,
            "redis.url goes without TLS; begin it with rediss:// or sentinels://, or leave this "
            "out");
    }
    bool has_certificate = *c->redis.certificate_file != '\0', has_key = *c->redis.key_file != '\0';
    if (has_certificate == has_key) return ST_OK;
    return config_error(c, has_key ? "redis.key_file" : "redis.certificate_file", err,
        "needs %s with it", has_key ? "redis.certificate_file" : "redis.key_file");
}

/* The URL may hold a password: what parses it never repeats that. */
static enum status check_redis_url(const struct config *c, struct error *err)
{
    struct redis_address address;
    struct error why;
    if (redis_address_parse(&address, c->redis.url, &why) != ST_OK)
        return config_error(c, "redis.url", err, "%s", why.text);
    return check_redis_files(c, address.is_tls, err);
}

static enum status check_trace_link(const struct config *c, struct error *err)
{
    const char *why = "";
    if (trace_link_is_good(c->trace_link, &why)) return ST_OK;
    return config_error(c, "trace_link", err,
        "\"%s\" %s, as in http://jaeger:16686/trace/{trace_id}", node_show(c->trace_link).text,
        why);
}

static enum status check_address(
    const struct config *c, const char *key, const char *listen, struct error *err)
{
    struct error why;
    if (listen[0] == '\0') return ST_OK;
    if (http_check(listen, c->http.token, &why) == ST_OK) return ST_OK;
    bool token = strncmp(why.text, "http.token ", 11) == 0;
    return token ? config_error(c, "http.token", err, "%s", why.text + 11)
                 : config_error(c, key, err, "%s", why.text);
}

static enum status check_listen(const struct config *c, struct error *err)
{
    enum status status = check_address(c, "http.listen", c->http.listen, err);
    return status == ST_OK ? check_address(c, "notify.listen", c->notify.listen, err) : status;
}

static enum status check_multiple(
    const struct config *c, const char *key, const char *what, int64_t value_ns, struct error *err)
{
    if (value_ns % c->pane_ns == 0) return ST_OK;
    int64_t above = (value_ns / c->pane_ns + 1) * c->pane_ns;
    return config_error(c, key, err, "%s%s is not a whole number of panes (pane: %s); %s would be",
        what, duration_print(value_ns).text, duration_print(c->pane_ns).text,
        duration_print(above).text);
}

static enum status check_windows(const struct config *c, struct error *err)
{
    if (c->windows.count > WINDOWS_MAX)
        return config_error(
            c, "windows", err, "%zu windows, at most %d are taken", c->windows.count, WINDOWS_MAX);
    for (size_t i = 0; i < c->windows.count; i++) {
        int64_t width_ns = c->windows.ns[i];
        if (width_ns < c->pane_ns || width_ns > 30 * DAY_NS)
            return config_error(c, "windows", err, "%s is out of range; want a pane (%s) to 30d",
                duration_print(width_ns).text, duration_print(c->pane_ns).text);
        enum status status = check_multiple(c, "windows", "", width_ns, err);
        if (status != ST_OK) return status;
        if (i > 0 && width_ns <= c->windows.ns[i - 1])
            return config_error(c, "windows", err, "%s comes after %s; write each once, ascending",
                duration_print(width_ns).text, duration_print(c->windows.ns[i - 1]).text);
    }
    return ST_OK;
}

static enum status check_histories(const struct config *c, struct error *err)
{
    for (size_t i = 0; i < c->histories; i++) {
        const struct history *h = &c->history[i];
        if (h->resolution_ns < c->pane_ns || h->resolution_ns > DAY_NS)
            return config_error(c, "history", err,
                "resolution %s is out of range; want a pane (%s) to 1d",
                duration_print(h->resolution_ns).text, duration_print(c->pane_ns).text);
        enum status status = check_multiple(c, "history", "resolution ", h->resolution_ns, err);
        if (status != ST_OK) return status;
        if (h->retain_ns < h->resolution_ns || h->retain_ns > 365 * DAY_NS)
            return config_error(c, "history", err,
                "retain %s is out of range; want the resolution (%s) to 365d",
                duration_print(h->retain_ns).text, duration_print(h->resolution_ns).text);
    }
    return ST_OK;
}

static enum status check_time(const struct config *c, struct error *err)
{
    if (c->pane_ns % NS_PER_MS != 0)
        return config_error(c, "pane", err, "%s is not a whole number of milliseconds",
            duration_print(c->pane_ns).text);
    if (c->max_ahead_ns <= c->lateness_ns)
        return config_error(c, "max_ahead", err,
            "%s is not more than lateness (%s): reading would stand still; raise it",
            duration_print(c->max_ahead_ns).text, duration_print(c->lateness_ns).text);
    if (c->epoch_max_ns < c->epoch_ns)
        return config_error(c, "epoch_max", err, "%s is less than epoch (%s)",
            duration_print(c->epoch_max_ns).text, duration_print(c->epoch_ns).text);
    return check_multiple(c, "allowed_lateness", "", c->allowed_lateness_ns, err);
}

static enum status check_quantiles(const struct config *c, struct error *err)
{
    if (c->quantiles.count > QUANTILES_MAX)
        return config_error(c, "quantiles", err, "%zu quantiles, at most %d are taken",
            c->quantiles.count, QUANTILES_MAX);
    for (size_t i = 0; i < c->quantiles.count; i++) {
        double quantile = c->quantiles.number[i];
        if (!(quantile > 0 && quantile < 1))
            return config_error(c, "quantiles", err,
                "%g is out of range; want more than 0 and less than 1, as in 0.95", quantile);
        if (i > 0 && quantile <= c->quantiles.number[i - 1])
            return config_error(c, "quantiles", err,
                "%g comes after %g; write each once, ascending", quantile,
                c->quantiles.number[i - 1]);
    }
    return ST_OK;
}

static bool is_threshold(const struct config *c, int64_t ns)
{
    for (size_t i = 0; i < c->thresholds.count; i++) {
        if (c->thresholds.ns[i] == ns) return true;
    }
    return false;
}

static enum status check_thresholds(const struct config *c, struct error *err)
{
    size_t total = c->thresholds.count;
    if (c->apdex_ns > 0 && !is_threshold(c, c->apdex_ns)) total++;
    if (c->apdex_ns > 0 && !is_threshold(c, 4 * c->apdex_ns)) total++;
    if (total > THRESHOLDS_MAX)
        return config_error(c, "thresholds", err,
            "%zu thresholds (with T and 4T of apdex), at most %d are taken", total, THRESHOLDS_MAX);
    for (size_t i = 0; i < c->thresholds.count; i++) {
        int64_t ns = c->thresholds.ns[i];
        if (ns <= 0 || ns > SPAN_DURATION_NS_MAX)
            return config_error(c, "thresholds", err, "%s is out of range; want 1ns to 1d",
                duration_print(ns).text);
        if (i > 0 && ns <= c->thresholds.ns[i - 1])
            return config_error(c, "thresholds", err,
                "%s comes after %s; write each once, ascending", duration_print(ns).text,
                duration_print(c->thresholds.ns[i - 1]).text);
    }
    return ST_OK;
}

enum status config_check(const struct config *config, struct error *err)
{
    static enum status (*const checks[])(const struct config *, struct error *) = {
        check_ranges,
        check_names,
        check_topics,
        check_dead_letter,
        check_without,
        check_brokers,
        check_encoding,
        check_start,
        check_redis_url,
        check_trace_link,
        check_listen,
        check_time,
        check_windows,
        check_histories,
        check_quantiles,
        check_thresholds,
    };
    enum status status = ST_OK;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && status == ST_OK; i++)
        status = checks[i](config, err);
    return status;
}
