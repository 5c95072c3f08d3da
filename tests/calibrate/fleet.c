#include "tests/calibrate/fleet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void must(enum status status, const struct error *err)
{
    if (status == ST_OK) return;
    fprintf(stderr, "weir_calibrate: %s\n", err->text);
    exit(2);
}

void columns_name(struct columns *columns)
{
    static const struct {
        int column;
        const char *name;
    } names[] = {{COLUMN_SPANS, "spans"}, {COLUMN_ERRORS, "errors"},
        {COLUMN_ERROR_RATIO, "error_ratio"}, {COLUMN_RATE_PER_S, "rate_per_s"},
        {COLUMN_LATENCY_SUM_NS, "latency_sum_ns"}, {COLUMN_LATENCY_MEAN_MS, "latency_mean_ms"},
        {COLUMN_QUANTILE, "latency_p99_ms"}};
    *columns = (struct columns){0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        snprintf(columns->name[names[i].column], COLUMN_NAME_BYTES, "%s", names[i].name);
}

static int column_of(const struct fleet *fleet, const char *of, const char *part)
{
    char name[2 * COLUMN_NAME_BYTES];
    snprintf(name, sizeof(name), "%s_%s", of, part);
    return columns_find(&fleet->columns, bytes_of(name));
}

static void entry_open(struct fleet *fleet, struct entry *entry, const char *config)
{
    struct error err;
    struct node *map = NULL;
    struct operator_context context = {
        .columns = &fleet->columns,
        .pane_ns = WINDOW_NS / 6,
        .score_ns = WINDOW_NS,
        .sketch_scale = SKETCH_SCALE,
    };
    entry->self = calloc(1, fleet->op->self_bytes);
    must(node_read(bytes_of(config), "calibrate", false, &fleet->pool, &map, &err), &err);
    must(options_read(fleet->op->options, entry->self, map, &fleet->pool, &err), &err);
    must(fleet->op->prepare(entry->self, &context, &err), &err);
    entry->state_bytes = fleet->op->state_bytes(entry->self);
    entry->states = calloc(fleet->series, entry->state_bytes);
    entry->surprise = calloc(fleet->series, sizeof(double));
    entry->of = *(const char **)entry->self; /* its first option */
    entry->z = column_of(fleet, entry->of, "z");
    entry->p = column_of(fleet, entry->of, "p");
    entry->sustained = column_of(fleet, entry->of, "sustained");
    entry->level = column_of(fleet, entry->of, "level");
    entry->direction = column_of(fleet, entry->of, "direction");
}

void fleet_open(struct fleet *fleet, const char *const *config, uint32_t series)
{
    *fleet = (struct fleet){.series = series, .judged = true};
    columns_name(&fleet->columns);
    for (size_t i = 0; window_operators[i] != NULL; i++)
        if (strcmp(window_operators[i]->name, "anomaly") == 0) fleet->op = window_operators[i];
    fleet->scratch = calloc(series, sizeof(double));
    for (; config[fleet->entries] != NULL; fleet->entries++)
        entry_open(fleet, &fleet->entry[fleet->entries], config[fleet->entries]);
}

void fleet_close(struct fleet *fleet)
{
    for (int i = 0; i < fleet->entries; i++) {
        free(fleet->entry[i].self);
        free(fleet->entry[i].states);
        free(fleet->entry[i].surprise);
    }
    free(fleet->scratch);
    pool_release(&fleet->pool);
    pool_release(&fleet->sketch_pool);
}

static void *state_of(const struct entry *entry, uint32_t series)
{
    return entry->states + (size_t)series * entry->state_bytes;
}

static struct row row_of(uint32_t window)
{
    return (struct row){
        .series = bytes_of("service=calibrate"),
        .start_ns = window * WINDOW_NS,
        .end_ns = (window + 1) * WINDOW_NS,
        .status = ROW_FINAL,
        .scored = true,
    };
}

/* A series without spans is observed while one of its entries is awake. */
static bool is_observed(const struct fleet *fleet, const struct row *row, uint32_t series)
{
    if (!row_has(row, COLUMN_SPANS) || row->value[COLUMN_SPANS].integer > 0) return true;
    for (int i = 0; i < fleet->entries; i++) {
        const struct entry *entry = &fleet->entry[i];
        if (fleet->op->awake(entry->self, state_of(entry, series))) return true;
    }
    return false;
}

static void observe(struct fleet *fleet, uint32_t series, draw_window draw, void *context)
{
    struct row row = row_of(fleet->window);
    struct sketch sketch = {0};
    draw(context, series, fleet->window, &row, &sketch, &fleet->sketch_pool);
    if (sketch_count(&sketch) > 0) row.latency = &sketch;
    bool observed = is_observed(fleet, &row, series);
    for (int i = 0; i < fleet->entries; i++) {
        struct entry *entry = &fleet->entry[i];
        void *state = state_of(entry, series);
        if (observed) fleet->op->observe(entry->self, state, &row);
        entry->surprise[series] = observed ? fleet->op->surprise(entry->self, state) : NAN;
    }
    sketch_release(&sketch, &fleet->sketch_pool);
}

static void judge(struct fleet *fleet, int at)
{
    struct entry *entry = &fleet->entry[at];
    struct discovery d = discovery_of(entry->surprise, fleet->series, fleet->scratch);
    fleet->discovery[at] = d;
    for (uint32_t series = 0; fleet->judged && series < fleet->series; series++) {
        double p = entry->surprise[series];
        enum score_level level = p <= d.page     ? SCORE_PAGE
                                 : p <= d.notice ? SCORE_NOTICE
                                                 : SCORE_NONE;
        if (!isnan(p)) fleet->op->judge(entry->self, state_of(entry, series), level);
    }
}

/* What `step` adds does not depend on the columns that were observed, so those are not kept. */
static struct said said_of(struct fleet *fleet, const struct entry *entry, uint32_t series)
{
    struct row row = row_of(fleet->window);
    fleet->op->step(entry->self, state_of(entry, series), &row);
    struct said said = {.is_scored = row_has(&row, entry->z)};
    if (row_has(&row, entry->level)) said.level = (int)row_number(&row, entry->level);
    if (!said.is_scored) return said;
    said.z = row_number(&row, entry->z);
    said.p = row_number(&row, entry->p);
    said.sustained = row_number(&row, entry->sustained);
    said.direction = (int)row_number(&row, entry->direction);
    return said;
}

void fleet_run(
    struct fleet *fleet, uint32_t windows, draw_window draw, hear hear_said, void *context)
{
    for (uint32_t i = 0; i < windows; i++, fleet->window++) {
        for (uint32_t series = 0; series < fleet->series; series++)
            observe(fleet, series, draw, context);
        for (int at = 0; at < fleet->entries; at++) {
            judge(fleet, at);
            for (uint32_t series = 0; series < fleet->series; series++)
                hear_said(
                    context, at, series, fleet->window, said_of(fleet, &fleet->entry[at], series));
        }
    }
}

void episodes_add(struct episodes *episodes, uint32_t window)
{
    uint64_t at = (uint64_t)window + 1;
    if (episodes->last_window == 0 || at - episodes->last_window > EPISODE_GAP) episodes->count++;
    episodes->last_window = at;
}
