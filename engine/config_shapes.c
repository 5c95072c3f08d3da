#include "engine/config_shapes.h"

#include "engine/base/buffer.h"
#include "engine/base/duration.h"
#include "engine/kafka_setting.h"

#include <string.h>

enum status config_read_brokers(
    struct config *config, const struct node *node, struct pool *pool, struct error *err)
{
    struct texts brokers;
    enum status status = option_read_texts("brokers", node, &brokers, pool, err);
    if (status != ST_OK) return status;

    size_t bytes = 1, at = 0;
    for (size_t i = 0; i < brokers.count; i++)
        bytes += strlen(brokers.text[i]) + 1;
    if (bytes > NODE_INPUT_BYTES_MAX / 2)
        return node_error(node, "brokers", err, "too long a list; name a few brokers");
    char *joined = pool_take(pool, bytes);
    for (size_t i = 0; i < brokers.count; i++) {
        size_t size = strlen(brokers.text[i]);
        if (i > 0) joined[at++] = ',';
        memcpy(joined + at, brokers.text[i], size);
        at += size;
    }
    joined[at] = '\0';
    config->brokers = joined;
    return ST_OK;
}

static enum status want_list(
    const char *key, const struct node *node, size_t most, const char *example, struct error *err)
{
    if (node->kind != NODE_LIST)
        return node_error(node, key, err, "want a list, as in %s", example);
    if (node->count <= most) return ST_OK;
    return node_error(node, key, err, "%zu entries, at most %zu are taken", node->count, most);
}

static bool is_dimension(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || strchr(",;=%\"'[]{}", *c) != NULL) return false;
    }
    return *name != '\0';
}

static enum status read_dimension(struct view *view, const struct node *node, struct error *err)
{
    if (node->kind != NODE_TEXT || !is_dimension(node->text) ||
        strlen(node->text) > NODE_KEY_BYTES_MAX)
        return node_error(node, "views", err,
            "\"%s\" is not a dimension; write service, operation, kind or an attribute's key",
            node_show(node->text).text);
    for (size_t i = 0; i < view->dimensions; i++) {
        if (strcmp(view->dimension[i], node->text) == 0)
            return node_error(node, "views", err, "%s is in this view twice", node->text);
    }
    view->dimension[view->dimensions++] = node->text;
    return ST_OK;
}

static enum status read_view(struct view *view, const struct node *node, struct error *err)
{
    static const char example[] = "[service, operation, kind]";
    enum status status = want_list("views", node, VIEW_DIMENSIONS_MAX, example, err);
    if (status != ST_OK) return status;
    if (node->count == 0)
        return node_error(node, "views", err, "a view without a dimension; write %s", example);

    *view = (struct view){.dimensions = 0};
    for (const struct node *d = node->first; d != NULL && status == ST_OK; d = d->next)
        status = read_dimension(view, d, err);
    return status;
}

static bool views_equal(const struct view *a, const struct view *b)
{
    if (a->dimensions != b->dimensions) return false;
    for (size_t i = 0; i < a->dimensions; i++) {
        if (strcmp(a->dimension[i], b->dimension[i]) != 0) return false;
    }
    return true;
}

enum status config_read_views(struct config *config, const struct node *node, struct error *err)
{
    static const char example[] = "[[service], [service, operation]]";
    enum status status = want_list("views", node, VIEWS_MAX, example, err);
    if (status != ST_OK) return status;
    if (node->count == 0)
        return node_error(node, "views", err, "want at least one view, as in %s", example);

    config->views = 0;
    for (const struct node *v = node->first; v != NULL; v = v->next) {
        struct view *view = &config->view[config->views];
        status = read_view(view, v, err);
        if (status != ST_OK) return status;
        for (size_t i = 0; i < config->views; i++) {
            if (views_equal(&config->view[i], view))
                return node_error(v, "views", err, "this view is there twice; keep one");
        }
        config->views++;
    }
    return ST_OK;
}

/* One entry of `history:` as written; `resolution` may be the word `pane`. */
struct history_entry {
    const char *resolution;
    int64_t retain_ns;
    bool sketches;
};

static const struct option history_options[] = {
    OPTION(TEXT, history_entry, resolution, NULL, "width of a slice, or `pane`"),
    {.key = "retain",
        .type = OPTION_DURATION,
        .offset = offsetof(struct history_entry, retain_ns),
        .help = "how long slices stay in Redis"},
    OPTION(FLAG, history_entry, sketches, "false", "keep latency sketches"),
    {0},
};

static enum status read_history_entry(struct config *config, const struct node *node,
    struct history *out, struct pool *pool, struct error *err)
{
    struct history_entry entry = {0};
    enum status status = options_read(history_options, &entry, node, pool, err);
    if (status != ST_OK) return status;
    out->retain_ns = entry.retain_ns;
    out->sketches = entry.sketches;
    if (strcmp(entry.resolution, "pane") == 0) {
        out->resolution_ns = config->pane_ns;
        return ST_OK;
    }
    if (duration_parse(entry.resolution, &out->resolution_ns)) return ST_OK;
    return node_error(node, "history", err,
        "resolution: \"%s\" is not a duration, as in 1m, nor the word pane",
        node_show(entry.resolution).text);
}

static struct history *history_with(struct config *config, int64_t resolution_ns)
{
    for (size_t i = 0; i < config->histories; i++) {
        if (config->history[i].resolution_ns == resolution_ns) return &config->history[i];
    }
    return NULL;
}

enum status config_read_history(
    struct config *config, const struct node *node, struct pool *pool, struct error *err)
{
    enum status status = want_list(
        "history", node, HISTORIES_MAX, "[{resolution: 1m, retain: 24h, sketches: true}]", err);
    if (status != ST_OK) return status;

    config->histories = 0;
    for (const struct node *e = node->first; e != NULL; e = e->next) {
        struct history history;
        status = read_history_entry(config, e, &history, pool, err);
        if (status != ST_OK) return status;
        struct history *same = history_with(config, history.resolution_ns);
        if (same == NULL) {
            config->history[config->histories++] = history;
        } else if (e->origin == option_origin_default) {
            *same = history; /* a pane of 1m: the default is then one resolution, the longer kept */
        } else {
            return node_error(e, "history", err, "resolution %s is there twice; keep one",
                duration_print(history.resolution_ns).text);
        }
    }
    return ST_OK;
}

/* Settings of librdkafka that weir's guarantees rest on, or that weir has a key of its own for. */
static const struct {
    const char *key, *reason;
} kafka_refused[] = {
    {"bootstrap.servers", "use `brokers`"},
    {"metadata.broker.list", "use `brokers`"},
    {"client.id", "it is made of `instance`, and keeps partitions where their state is"},
    {"group.id", "groups are named after `name`"},
    {"group.instance.id", "static members would keep a dead worker's partitions; use `instance`"},
    {"transactional.id", "it is made of `name` and `instance`"},
    {"enable.auto.commit", "offsets are committed inside the transaction they belong to"},
    {"auto.commit.enable", "offsets are committed inside the transaction they belong to"},
    {"auto.commit.interval.ms", "offsets are committed inside the transaction they belong to"},
    {"enable.auto.offset.store", "offsets are committed inside the transaction they belong to"},
    {"offset.store.method", "offsets are committed inside the transaction they belong to"},
    {"isolation.level", "it follows from `delivery`"},
    {"auto.offset.reset", "a lost place must be an error, never a silent jump; use `start`"},
    {"enable.idempotence", "without it a retry could count twice"},
    {"enable.gapless.guarantee", "the order of batches is kept by transactions"},
    {"acks", "only `all` keeps what was committed"},
    {"request.required.acks", "only `all` keeps what was committed"},
    {"max.in.flight", "more would let batches overtake each other"},
    {"max.in.flight.requests.per.connection", "more would let batches overtake each other"},
    {"retries", "a batch that is given up would be lost"},
    {"message.send.max.retries", "a batch that is given up would be lost"},
    {"message.timeout.ms", "it is tied to the length of a transaction"},
    {"delivery.timeout.ms", "it is tied to the length of a transaction"},
    {"transaction.timeout.ms", "10 s is what a dead worker may hold others up for"},
    {"session.timeout.ms", "10 s is what a dead worker may hold others up for"},
    {"partition.assignment.strategy", "each stage needs its own, and cooperative-sticky aborts"},
    {"enable.partition.eof", "weir tells by it that it has caught up"},
    {"topic.metadata.refresh.interval.ms", "weir looks for new partitions every 10 s"},
    {"allow.auto.create.topics", "a misspelt topic would be made, and look like silence"},
    {"partitioner", "weir places each series itself, the same on every worker"},
    {"topic.blacklist", "a hidden topic would be lost in silence"},
    {"test.mock.num.brokers", "each client would get a broker of its own; use `weir demo`"},
};

/* Settings that may only have the value which they have anyway: others let anyone in between. */
static const struct {
    const char *key, *want;
} kafka_pinned[] = {
    {"enable.ssl.certificate.verification", "true"},
    {"ssl.endpoint.identification.algorithm", "https"},
};

static enum status check_mechanism(const char *value, struct error *err)
{
    static const char *const known[] = {
        "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i], value) == 0) return ST_OK;
    }
    return error_set(err, ST_FATAL, 0,
        "sasl.mechanism: \"%s\" is not known; known are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, "
        "GSSAPI, "
        "OAUTHBEARER",
        node_show(value).text);
}

enum status config_kafka_secure(const char *key, const char *value, struct error *err)
{
    if (strcmp(key, "sasl.mechanism") == 0 || strcmp(key, "sasl.mechanisms") == 0)
        return check_mechanism(value, err);
    for (size_t i = 0; i < sizeof(kafka_pinned) / sizeof(kafka_pinned[0]); i++) {
        if (strcmp(kafka_pinned[i].key, key) != 0 || strcmp(kafka_pinned[i].want, value) == 0)
            continue;
        return error_set(err, ST_FATAL, 0,
            "%s: only %s is taken: else whoever stands between weir and the brokers can read and "
            "change everything. Leave it out; set ssl.ca.location to the CA's file, and name "
            "brokers as their certificates do",
            key, kafka_pinned[i].want);
    }
    return ST_OK;
}

/* Why a setting is not the user's; NULL: it is. */
static const char *kafka_refusal_reason(const char *key)
{
    static const char prefix[] = "topic."; /* librdkafka takes settings of topics with it, too */
    const char *bare = strncmp(key, prefix, strlen(prefix)) == 0 ? key + strlen(prefix) : key;
    for (size_t i = 0; i < sizeof(kafka_refused) / sizeof(kafka_refused[0]); i++) {
        const char *refused = kafka_refused[i].key;
        if (strcmp(refused, key) == 0 || strcmp(refused, bare) == 0) return kafka_refused[i].reason;
    }
    return NULL;
}

static enum status try_kafka_setting(
    struct kafka_trial *trial, const struct node *entry, struct error *err)
{
    char why[KAFKA_SETTING_WHY_BYTES], nearest[KAFKA_SETTING_KEY_BYTES];
    enum kafka_verdict verdict = kafka_trial_set(trial, entry->key, entry->text, why);
    if (verdict == KAFKA_SETTING_TAKEN) return ST_OK;
    struct node_shown key = node_show(entry->key);
    if (verdict == KAFKA_SETTING_WRONG)
        return node_error(entry, "kafka", err, "%s: %s", key.text, why);
    if (kafka_setting_nearest(entry->key, nearest))
        return node_error_at_key(
            entry, err, "kafka: unknown key \"%s\"; did you mean \"%s\"?", key.text, nearest);
    return node_error_at_key(entry, err,
        "kafka: unknown key \"%s\"; librdkafka's CONFIGURATION.md lists those there are", key.text);
}

static enum status check_kafka_key(
    struct kafka_trial *trial, const struct node *entry, struct error *err)
{
    const char *reason = kafka_refusal_reason(entry->key);
    if (reason != NULL)
        return node_error_at_key(
            entry, err, "kafka: %s cannot be set here: %s", entry->key, reason);
    if (entry->kind != NODE_TEXT || node_is_null(entry))
        return node_error(
            entry, "kafka", err, "%s: want a single value", node_show(entry->key).text);
    struct error why;
    if (config_kafka_secure(entry->key, entry->text, &why) != ST_OK)
        return node_error(entry, "kafka", err, "%s", why.text);
    return try_kafka_setting(trial, entry, err);
}

/* A setting of the command line takes the place of the file's. */
static void kafka_put(struct config *config, const struct node *entry)
{
    size_t i = 0;
    while (i < config->kafka_settings && strcmp(config->kafka[i].key, entry->key) != 0)
        i++;
    if (i == config->kafka_settings) config->kafka_settings++;
    config->kafka[i] = (struct kafka_setting){entry->key, entry->text};
}

enum status config_read_kafka(struct config *config, const struct node *node,
    const struct node *more, struct pool *pool, struct error *err)
{
    if (node->kind != NODE_MAP)
        return node_error(node, "kafka", err,
            "want librdkafka keys with values, as in "
            "{security.protocol: sasl_ssl}");
    if (node->count + more->count > KAFKA_SETTINGS_MAX)
        return node_error(node, "kafka", err, "%zu keys, at most %d are taken",
            node->count + more->count, KAFKA_SETTINGS_MAX);

    config->kafka = pool_take(pool, (node->count + more->count + 1) * sizeof(*config->kafka));
    config->kafka_settings = 0;
    const struct node *const maps[] = {node, more};
    struct kafka_trial *trial = kafka_trial_new();
    enum status status = ST_OK;
    for (int i = 0; i < 2; i++) {
        for (const struct node *e = maps[i]->first; e != NULL && status == ST_OK; e = e->next) {
            status = check_kafka_key(trial, e, err);
            if (status == ST_OK) kafka_put(config, e);
        }
    }
    kafka_trial_free(trial);
    return status;
}

static enum status read_operator(struct operator_instance *instance,
    const struct window_operator *op, const struct node *node, struct pool *pool, struct error *err)
{
    if (node->kind != NODE_MAP)
        return node_error(
            node, op->name, err, "want keys with values, as in {column: error_ratio}");
    void *self = pool_take(pool, op->self_bytes);
    memset(self, 0, op->self_bytes);
    *instance = (struct operator_instance){.operator_ = op, .self = self, .written = node};
    return options_read(op->options, self, node, pool, err);
}

/* Its `name`, where operators of this kind have one. */
static const char *name_of(const struct operator_instance *instance)
{
    const struct option *o = instance->operator_->options;
    while (o->key != NULL && strcmp(o->key, "name") != 0)
        o++;
    if (o->key == NULL) return NULL;
    return *(const char *const *)((const char *)instance->self + o->offset);
}

/* What is said under a name must be of one. */
static enum status check_name(const struct config *config, struct error *err)
{
    const struct operator_instance *last = &config->operators[config->operator_count - 1];
    for (const struct operator_instance *o = config->operators; o != last; o++) {
        if (o->operator_ != last->operator_ || name_of(o) == NULL) continue;
        if (strcmp(name_of(o), name_of(last)) != 0) continue;
        return node_error(last->written, last->operator_->name, err,
            "two are called \"%s\"; give one of them another name", node_show(name_of(o)).text);
    }
    return ST_OK;
}

enum status config_read_operators(struct config *config, const struct window_operator *op,
    const struct node *node, struct pool *pool, struct error *err)
{
    size_t room = OPERATORS_MAX - config->operator_count;
    enum status status = want_list(op->name, node, room, "[{column: error_ratio}]", err);
    for (const struct node *e = node->first; e != NULL && status == ST_OK; e = e->next) {
        struct operator_instance *instance = &config->operators[config->operator_count++];
        status = read_operator(instance, op, e, pool, err);
        if (status == ST_OK) status = check_name(config, err);
    }
    return status;
}
