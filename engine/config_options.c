/* Every key of the config, its default and what it means. Adding one is its field and its line. */
#include "engine/config.h"

#include <stdio.h>

static const char *const delivery_names[] = {"exactly_once", "at_least_once", NULL};
static const char *const time_names[] = {"live", "records", NULL};
static const char *const level_names[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_names[] = {"logfmt", "json", NULL};

/* A key that is not its field's name, and a choice. */
#define KEY(name, kind, field, usual, text)                                             \
    {                                                                                   \
        .key = (name), .type = OPTION_##kind, .offset = offsetof(struct config, field), \
        .fallback = (usual), .help = (text)                                             \
    }
#define CHOICE(name, field, names, usual, text)                                         \
    {                                                                                   \
        .key = (name), .type = OPTION_CHOICE, .offset = offsetof(struct config, field), \
        .fallback = (usual), .choices = (names), .help = (text)                         \
    }
#define SHAPE(name, usual, text)                                                \
    {                                                                           \
        .key = (name), .type = OPTION_NODE, .fallback = (usual), .help = (text) \
    }

const struct option config_options[] = {
    KEY("name", TEXT, name, "weir", "prefix of consumer groups, internal topics, transactions"),
    KEY("instance", TEXT, instance, "", "this worker's name; empty: a random one"),
    SHAPE("brokers", "localhost:9092", "Kafka brokers, host:port; a list, or separated by commas"),
    KEY("topics", TEXTS, topics, "[otlp_spans]", "topics that hold spans"),
    KEY("without", TEXTS, without, "[]",
        "input partitions that are gone for good, as topic/3: no pane waits for them"),
    KEY("encoding", TEXT, encoding, "otlp_proto", "format of the span messages"),
    CHOICE("delivery", delivery, delivery_names, "exactly_once",
        "exactly_once | at_least_once (brokers without transactions)"),
    KEY("dead_letter", TEXT, dead_letter, "",
        "topic for messages that cannot be read; empty: they are only counted"),
    KEY("start", TEXT, start, "1h", "first start: earliest, latest, or how far back"),

    CHOICE("time", time, time_names, "live",
        "live: idle partitions follow the wall clock | records: only records move time"),
    KEY("pane", DURATION, pane_ns, "10s", "width of the smallest slice of event time"),
    KEY("windows", DURATIONS, windows, "[1m, 5m, 1h]", "widths of the rolling windows"),
    SHAPE("views", "[[service], [service, operation, kind]]",
        "what to group by: service, operation, kind or any attribute key"),
    KEY("sketch_scale", COUNT, sketch_scale, "6",
        "precision of latency quantiles: 5 (1.1 %), 6 (0.55 %), 7 (0.27 %)"),
    KEY("partitions", COUNT, partitions, "8",
        "partitions of the internal topics; fixed by the plan"),
    KEY("quantiles", NUMBERS, quantiles, "[0.5, 0.95, 0.99]", "latency quantiles in the rows"),
    KEY("thresholds", DURATIONS, thresholds, "[100ms, 250ms, 500ms, 1s]",
        "latencies under which spans are counted exactly"),
    KEY("apdex", DURATION, apdex_ns, "0s", "Apdex target T; also counts T and 4T; 0s: none"),

    KEY("score_every", DURATION, score_ns, "1m",
        "width of the windows that anomalies are scored on: a resolution of `history`"),

    KEY("time_zone", TEXT, time_zone, "UTC",
        "whose hours people live by: what is usual depends on the hour and on the weekday"),

    KEY("trace_link", TEXT, trace_link, "",
        "where a trace can be looked at: a URL with {trace_id} in it; empty: no links"),

    KEY("lateness", DURATION, lateness_ns, "30s", "how long a pane waits for spans"),
    KEY("skew", DURATION, skew_ns, "5s", "how far a span may end after its record's timestamp"),
    KEY("allowed_lateness", DURATION, allowed_lateness_ns, "5m",
        "how long a closed pane is still revised"),
    KEY("max_ahead", DURATION, max_ahead_ns, "5m",
        "how far one partition may run ahead of the slowest in event time"),

    KEY("epoch", DURATION, epoch_ns, "500ms", "usual length of a transaction"),
    KEY("epoch_max", DURATION, epoch_max_ns, "5s", "length it may stretch to under many series"),
    KEY("snapshot", DURATION, snapshot_ns, "60s", "between snapshots of the state; 0s: none"),
    KEY("provisional", DURATION, provisional_ns, "2s",
        "between rows of a pane still open; 0s: none"),

    KEY("limits.series", COUNT, limits.series, "100000", "series in all"),
    KEY("limits.series_per_service", COUNT, limits.series_per_service, "10000",
        "series of one service"),
    KEY("limits.series_idle", DURATION, limits.series_idle_ns, "24h",
        "a series without spans is forgotten after this"),
    KEY("limits.message_bytes", BYTES, limits.message_bytes, "64MiB",
        "larger messages are set aside"),
    KEY("limits.provisional_rows", COUNT, limits.provisional_rows, "5000",
        "provisional rows a second, of all workers together"),
    KEY("limits.alerts", COUNT, limits.alerts, "10000", "alert transitions kept in Redis"),

    KEY("threads.combine", COUNT, threads.combine, "1", "threads that decode and fold spans"),
    KEY("threads.aggregate", COUNT, threads.aggregate, "1", "threads that merge and close panes"),
    KEY("threads.sink", COUNT, threads.sink, "1", "threads that write to Redis"),
    KEY("memory", BYTES, memory, "128MiB", "for open panes of all combine threads"),

    KEY("redis.url", TEXT, redis.url, "redis://127.0.0.1:6379",
        "redis://[user:password@]host:port[/db], unix:///path or "
        "sentinel://host:port,.../master; rediss and sentinels: over TLS"),
    KEY("redis.ca_file", TEXT, redis.ca_file, "",
        "who may sign Redis' certificate, PEM; empty: whom the system trusts"),
    KEY("redis.certificate_file", TEXT, redis.certificate_file, "",
        "our own certificate, PEM, where Redis asks for one"),
    KEY("redis.key_file", TEXT, redis.key_file, "", "its key, PEM, without a passphrase"),
    KEY("redis.prefix", TEXT, redis.prefix, "weir", "first part of every key"),
    KEY("redis.timeout", DURATION, redis.timeout_ns, "2s", "of one command"),
    KEY("redis.rows_retention", DURATION, redis.rows_retention_ns, "24h",
        "of the rows topic, from which Redis is refilled"),
    SHAPE("history",
        "[{resolution: pane, retain: 1h, sketches: false}, "
        "{resolution: 1m, retain: 24h, sketches: true}]",
        "closed slices kept in Redis; resolution `pane` is the pane's width"),

    KEY("http.listen", TEXT, http.listen, "127.0.0.1:9464",
        "address of /metrics, /healthz, /readyz; empty: none"),
    KEY("http.token", TEXT, http.token, "",
        "what clients must show; needed where other machines reach http.listen"),
    CHOICE("log.level", log.level, level_names, "info", "debug | info | warn | error"),
    CHOICE("log.format", log.format, format_names, "logfmt", "logfmt | json"),

    KEY("notify.listen", TEXT, notify.listen, "127.0.0.1:9465",
        "of `weir notify`: address of /metrics, /healthz, /readyz; empty: none"),
    KEY("notify.claim_after", DURATION, notify.claim_after_ns, "1m",
        "what a notifier that died was about to tell is told by another after this"),
    SHAPE("notify.receivers", "[]", "whom `weir notify` tells of alerts"),

    SHAPE("kafka", "{}", "further librdkafka settings, passed through"),
    {0},
};

static void print_options(FILE *out, const struct option *options, const char *indent)
{
    for (const struct option *o = options; o->key != NULL; o++) {
        if (o->is_old) continue;
        const char *usual = o->fallback == NULL ? "(required)" : o->fallback;
        int width = 28 - (int)strlen(indent);
        fprintf(out, "%s%-*s %s\n", indent, width, o->key, o->help);
        fprintf(out, "%s%-*s default: %s\n", indent, width, "", *usual == '\0' ? "\"\"" : usual);
    }
}

void config_print_options(FILE *out)
{
    print_options(out, config_options, "  ");
    for (const struct window_operator *const *op = window_operators; *op != NULL; op++) {
        fprintf(out, "  %-26s %s; a list of:\n", (*op)->name, (*op)->help);
        print_options(out, (*op)->options, "    ");
    }
    for (const struct notifier *const *n = notifiers; *n != NULL; n++) {
        fprintf(out, "  %-26s %s; a receiver of notify.receivers has:\n", (*n)->name, (*n)->help);
        print_options(out, (*n)->options, "    ");
    }
}
