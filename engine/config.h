/*
 * The configuration of one worker: what the YAML file says, checked, with defaults filled in.
 */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/node.h"
#include "engine/base/option.h"
#include "operators/operator.h"
#include "sinks/notifier.h"

#include <stdbool.h>
#include <stdio.h>

enum {
    VIEWS_MAX = 8,
    VIEW_DIMENSIONS_MAX = 8,
    WINDOWS_MAX = 8,
    HISTORIES_MAX = 4,
    OPERATORS_MAX = 64,
    TOPICS_MAX = 64,
    KAFKA_SETTINGS_MAX = 128,
    RECEIVERS_MAX = 16,
    MATCHES_MAX = 16,       /* labels that a receiver asks for */
    NOTIFY_PLACES_MAX = 24, /* of all receivers: a thread and a connection each */
    RECEIVER_PLACE_BYTES = NOTIFIER_NAME_BYTES + NOTIFIER_PLACE_BYTES,
};

enum delivery { DELIVERY_EXACTLY_ONCE, DELIVERY_AT_LEAST_ONCE };
enum time_mode { TIME_LIVE, TIME_RECORDS };

/* `views:` one list of dimensions each; "service", "operation", "kind" or any attribute key. */
struct view {
    const char *dimension[VIEW_DIMENSIONS_MAX];
    size_t dimensions;
};

/* `history:` closed slices kept in Redis. */
struct history {
    int64_t resolution_ns; /* a multiple of the pane */
    int64_t retain_ns;
    bool
        sketches; /* keep the latency sketch of each slice, so that any range has a right percentile */
};

/* One configured window operator: an entry of `zscore:` or `rules:`. */
struct operator_instance {
    const struct window_operator *operator_;
    void *self;
    const struct node *written; /* where, for errors */
};

/* A label that an alert must have for a receiver, and what its value may be. */
struct label_match {
    const char *label;
    struct texts patterns; /* as operators/glob.h has them; one must fit */
};

/* One entry of `notify.receivers`. */
struct receiver {
    const struct notifier *kind;
    void *self; /* begins with struct notifier_keys */
    struct label_match match[MATCHES_MAX];
    size_t matches;
    const struct node *written; /* where, for errors */
};

/* `kafka:` passed through to librdkafka. */
struct kafka_setting {
    const char *key, *value;
};

struct config {
    const char *path;            /* of the file, or NULL: from the command line */
    const char *const *settings; /* that went before it; the caller's, for reading it again */

    const char *name;     /* prefix of groups, internal topics and transactional ids */
    const char *instance; /* this worker's name; "" = random */
    const char *brokers;
    struct texts topics;
    struct texts without;    /* "topic/3": gone for good */
    const char *encoding;    /* a decoder's name */
    int delivery;            /* enum delivery */
    const char *dead_letter; /* topic for messages that cannot be read; "": none */
    const char *start;       /* first start: "earliest", "latest" or how far back: "1h" */

    int time; /* enum time_mode */
    int64_t pane_ns;
    struct durations windows; /* rolling windows */
    uint64_t sketch_scale;
    uint64_t partitions; /* of partials, rows and state; pinned by the plan */
    struct numbers quantiles;
    struct durations thresholds;
    int64_t apdex_ns; /* 0: none */

    int64_t
        score_ns; /* width of the slices that anomalies are scored on: a resolution of `history` */
    const char *time_zone;
    struct zone *zone; /* that one, loaded; the config's own */

    const char *trace_link; /* as engine/base/trace_link.h has it; "": none */

    int64_t lateness_ns;
    int64_t skew_ns;
    int64_t allowed_lateness_ns;
    int64_t max_ahead_ns;

    int64_t epoch_ns;       /* usual length of a transaction */
    int64_t epoch_max_ns;   /* stretched to, while deltas hardly shrink the stream */
    int64_t snapshot_ns;    /* 0: no snapshots */
    int64_t provisional_ns; /* least time between provisional rows of a series; 0: none */

    struct {
        uint64_t series; /* in all */
        uint64_t series_per_service;
        int64_t series_idle_ns; /* a series without spans is forgotten after this much event time */
        uint64_t message_bytes; /* larger messages are set aside */
        uint64_t provisional_rows; /* a second, per process */
        uint64_t alerts;           /* entries kept in <prefix>:alerts */
    } limits;

    struct {
        uint64_t combine, aggregate, sink;
    } threads;
    uint64_t memory; /* bytes for open panes of all combine threads */

    struct {
        const char *url;    /* as sinks/redis_address.h has it */
        const char *prefix; /* of every key */
        int64_t timeout_ns;
        int64_t rows_retention_ns;                         /* of the rows topic */
        const char *ca_file, *certificate_file, *key_file; /* of rediss, sentinels; "": none */
    } redis;

    struct {
        const char *listen; /* "127.0.0.1:9464"; "" = no HTTP */
        const char *token;  /* what clients must show; "" = none, on loopback only */
    } http;

    struct {
        const char *listen; /* as http.listen, of `weir notify` */
        int64_t
            claim_after_ns; /* what a notifier holds without a word is another's after so long */
    } notify;

    struct {
        int level;  /* enum log_level */
        int format; /* enum log_format */
    } log;

    struct view view[VIEWS_MAX];
    size_t views;
    struct history history[HISTORIES_MAX];
    size_t histories;
    struct kafka_setting *kafka;
    size_t kafka_settings;
    struct operator_instance
        operators[OPERATORS_MAX]; /* in order of the file, zscore before rules */
    size_t operator_count;
    struct receiver receiver[RECEIVERS_MAX];
    size_t receivers;

    struct config_memory *memory_owner; /* everything above that is borrowed */
};

/*
 * Read and check a config.
 *
 * path      a YAML file; NULL for the built-in defaults
 * settings  `key=value` pairs from the command line that go before the file's, NULL-terminated, or NULL;
 *           they outlive the config
 * returns   ST_OK; ST_FATAL, `err` saying file:line:column, key, what is wrong and what would be right
 */
enum status config_load(struct config *config, const char *path, const char *const *settings,
    struct error *err) MUST_USE;
/* The same for a text in memory; `origin` names it in errors, as a path would. */
enum status config_load_bytes(struct config *config, const char *origin, struct bytes text,
    const char *const *settings, struct error *err) MUST_USE;
void config_release(struct config *config);
/* Append a file's text. returns  ST_OK, also for one byte more than is taken; ST_FATAL: it cannot be read */
enum status config_read_file(const char *path, struct buffer *out, struct error *err) MUST_USE;
/*
 * `base` but for the keys that `text` gives.
 *
 * base     outlives the config, which borrows what is not in `text`
 * origin   names the text in errors
 * returns  as config_load
 */
enum status config_load_over(struct config *config, const struct config *base, const char *origin,
    struct bytes text, struct error *err) MUST_USE;
/* Append a key's value as YAML in one line, its default where it was not given. */
void config_write_value(const struct config *config, const char *key, struct buffer *out);
/* Whether a key has the same value in both, however it was written. */
bool config_same(const struct config *a, const struct config *b, const struct option *option);
/* Call `visit` for every key there is, those of operators last. */
void config_keys(const struct config *config,
    void (*visit)(const struct option *option, void *opaque), void *opaque);

/* ST_FATAL, the text starting with where the value of `key` was written: "weir.yaml:12:3: key: ". */
enum status config_error(const struct config *config, const char *key, struct error *err,
    const char *format, ...) PRINTF_LIKE(4, 5);
/* Whether `key` was written, in the file or on the command line, and is not the built-in default. */
bool config_given(const struct config *config, const char *key);
/* ST_FATAL if this setting of librdkafka leaves a broker unverified, or names no SASL mechanism. */
enum status config_kafka_secure(const char *key, const char *value, struct error *err) MUST_USE;
/* Everything that can be judged key by key or between keys, without a plan. */
enum status config_check(const struct config *config, struct error *err) MUST_USE;

extern const struct option config_options[];
void config_print_options(FILE *out); /* for --help: key, default, help */

#endif
