#include "engine/plan.h"

#include "engine/base/duration.h"
#include "engine/base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of what the plan means: raised when the same lines come to mean other state or other rows. */
enum { PLAN_VERSION = 1 };

/* The index of an attribute key in the projection, put there if it is new; false: no room. */
static bool project(struct projection *projection, const char *key, uint32_t *index)
{
    for (*index = 0; *index < projection->count; (*index)++) {
        if (bytes_are(projection->key[*index], key)) return true;
    }
    if (projection->count == ATTRIBUTES_MAX) return false;
    projection->key[projection->count++] = bytes_of(key);
    return true;
}

static enum dimension_source source_of(const char *dimension)
{
    if (strcmp(dimension, "service") == 0) return DIMENSION_SERVICE;
    if (strcmp(dimension, "operation") == 0) return DIMENSION_OPERATION;
    if (strcmp(dimension, "kind") == 0) return DIMENSION_KIND;
    return DIMENSION_ATTRIBUTE;
}

static bool view_init(struct plan *plan, struct plan_view *out, const struct view *view)
{
    *out = (struct plan_view){.dimensions = (uint32_t)view->dimensions};
    for (size_t i = 0; i < view->dimensions; i++) {
        out->dimension[i].name = view->dimension[i];
        out->dimension[i].source = source_of(view->dimension[i]);
        if (out->dimension[i].source != DIMENSION_ATTRIBUTE) continue;
        if (!project(&plan->projection, view->dimension[i], &out->dimension[i].attribute))
            return false;
    }
    out->entry_only = out->dimensions == 1 && out->dimension[0].source == DIMENSION_SERVICE;
    return true;
}

static enum status views_init(struct plan *plan, const struct config *config, struct error *err)
{
    plan->projection = (struct projection){.count = 0};
    plan->views = (uint32_t)config->views;
    for (size_t i = 0; i < config->views; i++) {
        if (view_init(plan, &plan->view[i], &config->view[i])) continue;
        return config_error(config, "views", err,
            "more than %d different attribute keys in all views together; leave some out",
            ATTRIBUTES_MAX);
    }
    return ST_OK;
}

/* Kept ascending, each once; the config has seen to it that they fit. */
static void threshold_add(struct measuring *m, uint64_t ns)
{
    uint32_t at = 0;
    while (at < m->thresholds && m->threshold_ns[at] < ns)
        at++;
    if (at < m->thresholds && m->threshold_ns[at] == ns) return;
    for (uint32_t i = m->thresholds++; i > at; i--)
        m->threshold_ns[i] = m->threshold_ns[i - 1];
    m->threshold_ns[at] = ns;
}

static int threshold_find(const struct measuring *m, uint64_t ns)
{
    for (uint32_t i = 0; i < m->thresholds; i++) {
        if (m->threshold_ns[i] == ns) return (int)i;
    }
    return -1;
}

static void measuring_init(struct measuring *m, const struct config *config)
{
    *m = (struct measuring){.scale = (uint32_t)config->sketch_scale};
    uint64_t apdex_ns = (uint64_t)config->apdex_ns;
    for (size_t i = 0; i < config->thresholds.count; i++)
        threshold_add(m, (uint64_t)config->thresholds.ns[i]);
    if (apdex_ns > 0) {
        threshold_add(m, apdex_ns);
        threshold_add(m, 4 * apdex_ns);
    }
    m->apdex = apdex_ns > 0 ? threshold_find(m, apdex_ns) : -1;
    m->apdex_tolerating = apdex_ns > 0 ? threshold_find(m, 4 * apdex_ns) : -1;
    for (size_t i = 0; i < config->quantiles.count; i++)
        m->quantile[m->quantiles++] = config->quantiles.number[i];
}

static const struct {
    int column;
    const char *name;
} fixed_columns[] = {
    {COLUMN_SPANS, "spans"},
    {COLUMN_ERRORS, "errors"},
    {COLUMN_LATE, "late"},
    {COLUMN_TOO_LATE, "too_late"},
    {COLUMN_SKEWED, "skewed"},
    {COLUMN_LATENCY_SUM_NS, "latency_sum_ns"},
    {COLUMN_RATE_PER_S, "rate_per_s"},
    {COLUMN_ERROR_RATIO, "error_ratio"},
    {COLUMN_LATENCY_MEAN_MS, "latency_mean_ms"},
    {COLUMN_LATENCY_MIN_MS, "latency_min_ms"},
    {COLUMN_LATENCY_MAX_MS, "latency_max_ms"},
    {COLUMN_APDEX, "apdex"},
    {COLUMN_CAPTURE_RATIO, "capture_ratio"},
};

static void column_name(struct columns *columns, int column, const char *name)
{
    snprintf(columns->name[column], COLUMN_NAME_BYTES, "%s", name);
}

/* 10 digits, so that 0.29 is p29 and not p28.999999999999996. */
static enum status quantile_columns_init(
    struct plan *plan, const struct config *config, struct error *err)
{
    for (uint32_t i = 0; i < plan->measuring.quantiles; i++) {
        char *name = plan->columns.name[COLUMN_QUANTILE + i];
        snprintf(name, COLUMN_NAME_BYTES, "latency_p%.10g_ms", plan->measuring.quantile[i] * 100);
        if (i == 0 || strcmp(name, plan->columns.name[COLUMN_QUANTILE + i - 1]) != 0) continue;
        return config_error(config, "quantiles", err,
            "two are both called %s; give at most 8 digits after the point", name);
    }
    return ST_OK;
}

static enum status columns_init(struct plan *plan, const struct config *config, struct error *err)
{
    plan->columns = (struct columns){0};
    for (size_t i = 0; i < sizeof(fixed_columns) / sizeof(fixed_columns[0]); i++)
        column_name(&plan->columns, fixed_columns[i].column, fixed_columns[i].name);
    if (plan->measuring.apdex < 0) column_name(&plan->columns, COLUMN_APDEX, "");
    for (uint32_t i = 0; i < plan->measuring.thresholds; i++)
        snprintf(plan->columns.name[COLUMN_THRESHOLD + i], COLUMN_NAME_BYTES, "latency_le_%s",
            duration_print((int64_t)plan->measuring.threshold_ns[i]).text);
    return quantile_columns_init(plan, config, err);
}

static enum status operator_prepare(const struct operator_instance *instance,
    const struct operator_context *context, struct error *err)
{
    struct error why;
    enum status status = instance->operator_->prepare(instance->self, context, &why);
    if (status == ST_OK) return ST_OK;
    if (instance->written->origin != option_origin_default)
        return node_error(instance->written, NULL, err, "%s", why.text);
    return node_error(instance->written, NULL, err, "%s `%s: []` does without this default.",
        why.text, instance->operator_->name);
}

/* The dimensions of all views, each once; ends with NULL. */
static void dimensions_of(const struct plan *plan, const char **dimension)
{
    size_t count = 0;
    for (uint32_t v = 0; v < plan->views; v++) {
        for (uint32_t d = 0; d < plan->view[v].dimensions; d++) {
            const char *name = plan->view[v].dimension[d].name;
            size_t i = 0;
            while (i < count && strcmp(dimension[i], name) != 0)
                i++;
            if (i == count) dimension[count++] = name;
        }
    }
    dimension[count] = NULL;
}

static enum status operators_init(struct plan *plan, const struct config *config, struct error *err)
{
    int64_t windows[WINDOWS_MAX + 1] = {0}, slices[LEVELS_MAX + 1] = {0};
    const char *dimension[VIEWS_MAX * VIEW_DIMENSIONS_MAX + 1];
    for (uint32_t i = 0; i < plan->windows; i++)
        windows[i] = plan->window[i].width_ns;
    for (uint32_t k = 0, i = 0; k < plan->levels; k++) {
        if (plan->level[k].history) slices[i++] = plan->level[k].width_ns;
    }
    dimensions_of(plan, dimension);
    struct alert_names alerts = {.count = 0};
    struct operator_context context = {
        .alerts = &alerts,
        .columns = &plan->columns,
        .pane_ns = plan->pane_ns,
        .windows_ns = windows,
        .slices_ns = slices,
        .dimension = dimension,
        .score_ns = config->score_ns,
        .lateness_ns = config->lateness_ns,
        .series_idle_ns = config->limits.series_idle_ns,
        .sketch_scale = plan->measuring.scale,
        .thresholds = plan->measuring.thresholds,
        .threshold_ns = plan->measuring.threshold_ns,
        .zone = config->zone,
    };
    for (size_t i = 0; i < config->operator_count; i++) {
        enum status status = operator_prepare(&config->operators[i], &context, err);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static bool scores_anything(const struct config *config)
{
    for (size_t i = 0; i < config->operator_count; i++) {
        if (config->operators[i].operator_->observe != NULL) return true;
    }
    return false;
}

/* What is scored must also be shown: its slices are those of a `history`. */
static enum status score_init(struct plan *plan, const struct config *config, struct error *err)
{
    char widths[160] = "";
    size_t size = 0;
    plan->scored = scores_anything(config);
    if (!plan->scored) return ST_OK;
    for (int i = COLUMN_SCORE; i < COLUMN_COUNT; i++) {
        const char *suffix = strstr(plan->columns.name[i], "_level");
        if (suffix != NULL && suffix[strlen("_level")] == '\0')
            plan->score_column[plan->score_columns++] = i;
    }
    for (uint32_t k = 0; k < plan->levels; k++) {
        if (!plan->level[k].history) continue;
        plan->score_level = k;
        if (plan->level[k].width_ns == config->score_ns) return ST_OK;
        size += (size_t)snprintf(widths + size, sizeof(widths) - size, "%s%s",
            size == 0 ? "" : ", ", duration_print(plan->level[k].width_ns).text);
    }
    return config_error(config, "score_every", err,
        "%s is no resolution of `history`; there are %s. Name one of them, add it there, or score "
        "nothing: `anomaly: []`",
        duration_print(config->score_ns).text, widths);
}

enum status plan_init(struct plan *plan, const struct config *config, struct error *err)
{
    *plan = (struct plan){
        .pane_ns = config->pane_ns,
        .allowed_lateness_ns = config->allowed_lateness_ns,
        .partitions = (uint32_t)config->partitions,
        .config = config,
    };
    enum status status = views_init(plan, config, err);
    if (status == ST_OK) status = plan_levels_init(plan, config, err);
    if (status != ST_OK) return status;
    measuring_init(&plan->measuring, config);
    status = columns_init(plan, config, err);
    if (status == ST_OK) status = operators_init(plan, config, err);
    if (status == ST_OK) status = score_init(plan, config, err);
    if (status != ST_OK) return status;
    cell_layout_init(&plan->layout, &plan->measuring);

    struct buffer text = {0};
    plan_describe(plan, &text);
    plan->fingerprint = hash_stable(buffer_bytes(&text));
    buffer_release(&text);
    return ST_OK;
}

static void describe_views(const struct plan *plan, struct buffer *out)
{
    buffer_print(out, "views:");
    for (uint32_t v = 0; v < plan->views; v++) {
        const struct plan_view *view = &plan->view[v];
        for (uint32_t d = 0; d < view->dimensions; d++)
            buffer_print(out, "%s%s", d == 0 ? " [" : ", ", view->dimension[d].name);
        buffer_print(out, "]%s", view->entry_only ? " of entry spans" : "");
    }
    buffer_print(out, "\n");
}

/* Slices are state, so how a window is cut belongs to the plan, not only how wide it is. */
static void describe_windows(const struct plan *plan, struct buffer *out)
{
    buffer_print(out, "windows:");
    for (uint32_t i = 0; i < plan->windows; i++) {
        const struct plan_window *window = &plan->window[i];
        buffer_print(out, "%s %s = %u x %s", i == 0 ? "" : ",",
            duration_print(window->width_ns).text, window->slices,
            duration_print(plan->level[window->level].width_ns).text);
    }
    buffer_print(out, "\nhistory:");
    for (uint32_t i = 0; i < plan->levels; i++) {
        if (plan->level[i].history)
            buffer_print(out, " %s", duration_print(plan->level[i].width_ns).text);
    }
    buffer_print(out, "\n");
}

static void describe_measuring(const struct measuring *m, struct buffer *out)
{
    buffer_print(out, "sketch_scale: %u\nthresholds:", m->scale);
    for (uint32_t i = 0; i < m->thresholds; i++)
        buffer_print(out, " %s", duration_print((int64_t)m->threshold_ns[i]).text);
    buffer_print(out, "\n");
}

void plan_describe(const struct plan *plan, struct buffer *out)
{
    const struct config *config = plan->config;
    buffer_print(out, "version: %d\nhash: xxh3-64\nname: %s\ntopics:", PLAN_VERSION, config->name);
    for (size_t i = 0; i < config->topics.count; i++)
        buffer_print(out, " %s", config->topics.text[i]);
    buffer_print(out, "\nencoding: %s\npartitions: %u\n", config->encoding, plan->partitions);
    buffer_print(out, "pane: %s\n", duration_print(plan->pane_ns).text);
    buffer_print(out, "allowed_lateness: %s\n", duration_print(plan->allowed_lateness_ns).text);
    describe_views(plan, out);
    describe_windows(plan, out);
    describe_measuring(&plan->measuring, out);
}
