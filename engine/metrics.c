/*
 * The registry is a list for printing and a hash table for finding, both under one lock. Metrics
 * are never taken out, so a pointer to one is good for ever and bumping it needs no lock.
 */
#include "engine/metrics.h"

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/base/text.h"
#include "engine/process.h"
#include "engine/summary.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 2 * METRICS_MAX, /* a power of two */
};

struct metric {
    enum metric_type type;
    const char *name, *help;
    const char *labels; /* without braces; "" is none */
    uint32_t of_name;   /* how many have this name; kept by the first of them */
    _Atomic uint64_t count;
    _Atomic double value;
    _Atomic bool shown; /* a gauge is, once set */
    struct summary *summary;
};

static struct {
    pthread_mutex_t lock;
    struct metric *metric[METRICS_MAX];
    size_t count;
    struct metric *slot[SLOTS];
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Stand in for metrics that found no room: bumped like others, never shown. */
static struct summary spare_summary = {.turning = PTHREAD_MUTEX_INITIALIZER};
static struct metric spares[] = {
    [METRIC_COUNTER] = {.type = METRIC_COUNTER},
    [METRIC_GAUGE] = {.type = METRIC_GAUGE},
    [METRIC_SUMMARY] = {.type = METRIC_SUMMARY, .summary = &spare_summary},
};
static _Atomic uint64_t refused;
static struct log_gate refused_gate;

static bool is_same(const struct metric *metric, const char *name, const char *labels)
{
    return strcmp(metric->name, name) == 0 && strcmp(metric->labels, labels) == 0;
}

/* The slot that holds the metric, or the free one where it belongs. At most half are taken. */
static struct metric **registry_slot(const char *name, const char *labels)
{
    uint64_t hash = hash_mix(hash_stable(bytes_of(labels)), hash_stable(bytes_of(name)));
    struct metric **slot = &registry.slot[hash % SLOTS];
    while (*slot != NULL && !is_same(*slot, name, labels)) {
        slot = slot + 1 == registry.slot + SLOTS ? registry.slot : slot + 1;
    }
    return slot;
}

static struct metric *metric_new(
    enum metric_type type, const char *name, const char *help, const char *labels)
{
    struct metric *metric = memory_zeroed(1, sizeof(*metric));
    metric->type = type;
    metric->name = name;
    metric->help = help;
    metric->labels = memory_text(labels, strlen(labels));
    if (type == METRIC_SUMMARY) {
        metric->summary = memory_zeroed(1, sizeof(*metric->summary));
        summary_init(metric->summary);
    }
    return metric;
}

/* The first metric of this name, or the place for it if there is none. */
static size_t registry_first(const char *name)
{
    size_t i = 0;
    while (i < registry.count && strcmp(registry.metric[i]->name, name) != 0)
        i++;
    return i;
}

static struct metric *registry_make(
    enum metric_type type, const char *name, const char *help, const char *labels)
{
    if (registry.count == METRICS_MAX) return NULL;
    size_t first = registry_first(name);
    bool known = first < registry.count;
    if (known && registry.metric[first]->of_name == METRICS_OF_NAME_MAX) return NULL;
    struct metric *metric = metric_new(type, name, help, labels);
    registry.metric[registry.count++] = metric;
    registry.metric[first]->of_name++;
    return metric;
}

static struct metric *registry_find_or_make(
    enum metric_type type, const char *name, const char *help, const char *labels)
{
    pthread_mutex_lock(&registry.lock);
    struct metric **slot = registry_slot(name, labels);
    if (*slot == NULL) *slot = registry_make(type, name, help, labels);
    struct metric *metric = *slot;
    pthread_mutex_unlock(&registry.lock);
    return metric;
}

static struct metric *metric_refuse(enum metric_type type, const char *name, const char *why)
{
    atomic_fetch_add(&refused, 1);
    if (log_every(&refused_gate, INT64_MAX))
        log_warn("metrics", "a metric is not shown, nor will be others like it",
            "name=%s reason=%s", name, why);
    return &spares[type];
}

struct metric *metric_of(
    enum metric_type type, const char *name, const char *help, const char *labels, ...)
{
    char text[METRIC_LABELS_BYTES_MAX] = "";
    if (labels != NULL) {
        va_list args;
        va_start(args, labels);
        int wanted = vsnprintf(text, sizeof(text), labels, args);
        va_end(args);
        if (wanted < 0 || (size_t)wanted >= sizeof(text))
            return metric_refuse(type, name, "its labels are too long");
    }
    struct metric *metric = registry_find_or_make(type, name, help, text);
    if (metric == NULL) return metric_refuse(type, name, "there are too many metrics");
    assert(metric->type == type);
    return metric;
}

/* One character as the text format writes it between quotes. */
static struct bytes label_escape(struct bytes character)
{
    static const char replacement[] = "\xef\xbf\xbd";
    if (character.size == 0) return bytes_of(replacement);
    if (bytes_are(character, "\"")) return bytes_of("\\\"");
    if (bytes_are(character, "\\")) return bytes_of("\\\\");
    if (bytes_are(character, "\n")) return bytes_of("\\n");
    return text_steering(character) < 0 ? character : bytes_of(replacement);
}

struct metric_label metric_label(const char *value)
{
    struct metric_label label;
    size_t size = 0;
    struct bytes rest = bytes_of(value);
    while (rest.size > 0) {
        size_t bytes = text_character(rest);
        struct bytes shown = label_escape((struct bytes){rest.data, bytes});
        if (size + shown.size >= sizeof(label.text)) break;
        memcpy(label.text + size, shown.data, shown.size);
        size += shown.size;
        if (bytes == 0) bytes = 1;
        rest = (struct bytes){rest.data + bytes, rest.size - bytes};
    }
    label.text[size] = '\0';
    return label;
}

void metric_add(struct metric *metric, uint64_t by)
{
    assert(metric->type == METRIC_COUNTER);
    atomic_fetch_add_explicit(&metric->count, by, memory_order_relaxed);
}

void metric_set(struct metric *metric, double value)
{
    assert(metric->type == METRIC_GAUGE);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
    atomic_store_explicit(&metric->shown, true, memory_order_release);
}

void metric_clear(struct metric *metric)
{
    assert(metric->type == METRIC_GAUGE);
    atomic_store_explicit(&metric->shown, false, memory_order_relaxed);
}

void metric_observe(struct metric *metric, double seconds)
{
    assert(metric->type == METRIC_SUMMARY);
    double ns = seconds * (double)NS_PER_S;
    uint64_t value_ns = ns > 0 ? (uint64_t)fmin(ns, (double)SUMMARY_NS_MAX) : 0;
    summary_observe(metric->summary, value_ns, clock_ns());
}

double metric_value(const struct metric *metric)
{
    assert(metric->type != METRIC_SUMMARY);
    if (metric->type == METRIC_GAUGE) return atomic_load(&metric->value);
    return (double)atomic_load(&metric->count);
}

/* The shortest text that reads back as the same number. */
static void number_print(struct buffer *out, double number)
{
    if (isnan(number)) {
        buffer_print(out, "NaN");
    } else if (isinf(number)) {
        buffer_print(out, number > 0 ? "+Inf" : "-Inf");
    } else {
        char text[32];
        int digits = 15;
        do {
            snprintf(text, sizeof(text), "%.*g", digits, number);
        } while (strtod(text, NULL) != number && digits++ < 17);
        buffer_print(out, "%s", text);
    }
}

/* Name and labels, `more` being one label besides or "". */
static void series_print(
    struct buffer *out, const struct metric *metric, const char *suffix, const char *more)
{
    bool both = metric->labels[0] != '\0' && more[0] != '\0';
    buffer_print(out, "%s%s", metric->name, suffix);
    if (metric->labels[0] != '\0' || more[0] != '\0')
        buffer_print(out, "{%s%s%s}", metric->labels, both ? "," : "", more);
    buffer_print(out, " ");
}

static void summary_print(struct buffer *out, const struct metric *metric)
{
    int64_t now_ns = clock_ns();
    const struct summary *summary = metric->summary;
    series_print(out, metric, "", "quantile=\"0.5\"");
    number_print(out, summary_quantile(summary, 0.5, now_ns));
    buffer_print(out, "\n");
    series_print(out, metric, "", "quantile=\"0.99\"");
    number_print(out, summary_quantile(summary, 0.99, now_ns));
    buffer_print(out, "\n");
    series_print(out, metric, "_sum", "");
    number_print(out, (double)atomic_load(&summary->sum_ns) / (double)NS_PER_S);
    buffer_print(out, "\n");
    series_print(out, metric, "_count", "");
    buffer_print(out, "%" PRIu64 "\n", atomic_load(&summary->count));
}

static bool is_shown(const struct metric *metric)
{
    return metric->type != METRIC_GAUGE ||
           atomic_load_explicit(&metric->shown, memory_order_acquire);
}

static void metric_print(struct buffer *out, const struct metric *metric)
{
    if (metric->type == METRIC_SUMMARY) {
        summary_print(out, metric);
        return;
    }
    series_print(out, metric, "", "");
    if (metric->type == METRIC_GAUGE) {
        number_print(out, atomic_load(&metric->value));
    } else {
        buffer_print(out, "%" PRIu64, atomic_load(&metric->count));
    }
    buffer_print(out, "\n");
}

static void header_print(struct buffer *out, const struct metric *metric)
{
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_SUMMARY] = "summary"};
    buffer_print(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
        types[metric->type]);
}

static int by_name_and_labels(const void *a, const void *b)
{
    const struct metric *left = *(struct metric *const *)a;
    const struct metric *right = *(struct metric *const *)b;
    int names = strcmp(left->name, right->name);
    return names != 0 ? names : strcmp(left->labels, right->labels);
}

/* What is there however many metrics there are. */
static void own_print(struct buffer *out)
{
    buffer_print(out,
        "# HELP weir_build_info Always 1; the version is a label.\n"
        "# TYPE weir_build_info gauge\n"
        "weir_build_info{version=\"%s\"} 1\n"
        "# HELP weir_metrics_refused_total Lookups of metrics that are not shown: too many, or "
        "labels too long.\n"
        "# TYPE weir_metrics_refused_total counter\n"
        "weir_metrics_refused_total %" PRIu64 "\n",
        WEIR_VERSION, atomic_load(&refused));
}

void metrics_print(struct buffer *out)
{
    process_print(out);
    own_print(out);

    pthread_mutex_lock(&registry.lock);
    size_t count = registry.count;
    struct metric **sorted = memory_zeroed(count, sizeof(struct metric *));
    memcpy(sorted, registry.metric, count * sizeof(struct metric *));
    pthread_mutex_unlock(&registry.lock);

    qsort(sorted, count, sizeof(struct metric *), by_name_and_labels);
    const char *name = "";
    for (size_t i = 0; i < count; i++) {
        if (!is_shown(sorted[i])) continue;
        if (strcmp(sorted[i]->name, name) != 0) header_print(out, sorted[i]);
        name = sorted[i]->name;
        metric_print(out, sorted[i]);
    }
    free(sorted);
}
