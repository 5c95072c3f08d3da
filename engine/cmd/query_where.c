/* weir query CONDITION: the series whose newest rows meet it, with what the condition reads. */
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/cmd/newest.h"
#include "engine/cmd/query.h"
#include "operators/expression.h"
#include "schemas/series_name.h"
#include "sinks/row_json.h"

#include <math.h>
#include <stdlib.h>

enum {
    SERIES_AT_ONCE = 500, /* whose rows are held in memory */
    DIMENSIONS_KNOWN_MAX = 64,
    WIDTHS_KNOWN_MAX = NEWEST_ROWS_MAX,
};

/* What may be named: learned from what is there. */
struct learned {
    struct columns columns;
    int measured, scored; /* columns of either kind */
    int64_t window_ns[WIDTHS_KNOWN_MAX + 1];
    size_t windows;
    const char *dimension[DIMENSIONS_KNOWN_MAX + 1];
    size_t dimensions;
    int64_t pane_ns;
    struct pool text;
};

struct where {
    struct query *query;
    struct learned learned;
    struct terms terms;
    struct expression condition;
    int64_t now_ms; /* end of the newest pane of all series */
    struct sheet sheet;
    struct buffer out;
};

static void learn_dimension(struct learned *l, struct bytes encoded)
{
    for (size_t i = 0; i < l->dimensions; i++) {
        if (series_name_is(encoded, bytes_of(l->dimension[i]))) return;
    }
    if (l->dimensions == DIMENSIONS_KNOWN_MAX || encoded.size > COLUMN_NAME_BYTES * 8) return;
    struct buffer plain = {0};
    series_name_decode(encoded, &plain);
    char *text = pool_take(&l->text, plain.size + 1);
    memcpy(text, plain.data, plain.size);
    text[plain.size] = '\0';
    l->dimension[l->dimensions++] = text;
    buffer_release(&plain);
}

static void learn_series(struct learned *l, const struct read_list *series)
{
    for (size_t i = 0; i < series->count; i++) {
        struct bytes rest = series->item[i].name, dimension, value;
        while (series_name_next(&rest, &dimension, &value))
            learn_dimension(l, dimension);
    }
}

static bool begins(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

/* Every window has these; what else there is are scores, of slices. */
static bool is_measured(const char *name)
{
    static const char *const names[] = {"spans", "errors", "late", "too_late", "skewed",
        "latency_sum_ms", "rate_per_s", "error_ratio", "latency_mean_ms", "latency_min_ms",
        "latency_max_ms", "apdex", "capture_ratio"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) return true;
    }
    size_t size = strlen(name);
    bool quantile = begins(name, "latency_p") && size > 3 && strcmp(name + size - 3, "_ms") == 0;
    return quantile || begins(name, "latency_le_");
}

static void learn_column(struct learned *l, const char *name)
{
    static const char *const others[] = {"start_ms", "end_ms", "transfer_ms", "analysis_ms"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(others[i], name) == 0) return;
    }
    if (strlen(name) >= COLUMN_NAME_BYTES || columns_find(&l->columns, bytes_of(name)) >= 0) return;
    bool measured = is_measured(name) && l->measured < COLUMN_SCORE;
    int column = measured ? l->measured++ : COLUMN_SCORE + l->scored;
    if (column == COLUMN_COUNT) return;
    l->scored += !measured;
    memcpy(l->columns.name[column], name, strlen(name) + 1);
}

static void learn_width(struct learned *l, int64_t width_ns)
{
    for (size_t i = 0; i < l->windows; i++) {
        if (l->window_ns[i] == width_ns) return;
    }
    if (width_ns != l->pane_ns && l->windows < WIDTHS_KNOWN_MAX)
        l->window_ns[l->windows++] = width_ns;
}

static void learn_rows(struct learned *l, const struct newest *newest)
{
    for (size_t i = 0; i < newest->count; i++) {
        const char *name;
        json_t *value;
        if (newest->row[i].is_window) learn_width(l, newest->row[i].width_ns);
        json_object_foreach(newest->row[i].row, name, value)
        {
            if (json_is_number(value) || json_is_null(value)) learn_column(l, name);
        }
    }
}

/* Read the rows of series `from` up to `to`, and call `visit` for each. */
static enum status visit_rows(struct where *w, const struct read_list *series, size_t from,
    size_t to, void (*visit)(struct where *w, const struct newest *newest), struct error *err)
{
    struct read_list some = {.item = series->item + from, .count = to - from}, rows = {0};
    enum status status = redis_read_now(w->query->read, &some, &rows, err);
    for (size_t at = 0, end; status == ST_OK && at < rows.count; at = end) {
        struct newest newest;
        end = newest_end(&rows, at);
        newest_read(&newest, &rows, at, end);
        visit(w, &newest);
        newest_release(&newest);
    }
    read_list_release(&rows);
    return status;
}

static enum status visit_all(struct where *w, const struct read_list *series,
    void (*visit)(struct where *w, const struct newest *newest), struct error *err)
{
    enum status status = ST_OK;
    for (size_t from = 0; from < series->count && status == ST_OK; from += SERIES_AT_ONCE) {
        size_t to = from + SERIES_AT_ONCE < series->count ? from + SERIES_AT_ONCE : series->count;
        status = visit_rows(w, series, from, to, visit, err);
    }
    return status;
}

static void learn(struct where *w, const struct newest *newest)
{
    learn_rows(&w->learned, newest);
}

static enum status read_condition(struct where *w, struct error *err)
{
    const struct vocabulary v = {.columns = &w->learned.columns,
        .pane_ns = w->learned.pane_ns,
        .windows_ns = w->learned.window_ns,
        .dimension = w->learned.dimension};
    terms_init(&w->terms, &v);
    return expression_read(&w->condition, bytes_of(w->query->subject), &v, &w->terms, err);
}

/* Some rows tell what columns there are; only if a name is not among them all are asked. */
static enum status understand(struct where *w, const struct read_list *series, struct error *err)
{
    size_t some = series->count < SERIES_AT_ONCE ? series->count : SERIES_AT_ONCE;
    learn_series(&w->learned, series);
    enum status status = visit_rows(w, series, 0, some, learn, err);
    if (status != ST_OK) return status;
    if (read_condition(w, err) == ST_OK) return ST_OK;
    status = visit_all(w, series, learn, err);
    if (status != ST_OK) return status;
    status = read_condition(w, err);
    w->query->misused = status != ST_OK;
    return status;
}

/* Those that the condition leaves a chance by their names. */
static void keep_possible(const struct where *w, struct read_list *series)
{
    double unknown[TERMS_MAX];
    size_t kept = 0;
    for (size_t t = 0; t < TERMS_MAX; t++)
        unknown[t] = NAN;
    for (size_t i = 0; i < series->count; i++) {
        struct bytes name = series->item[i].name;
        if (expression_evaluate(&w->condition, unknown, name, NULL) == TRUTH_NO) continue;
        series->item[kept++] = series->item[i];
    }
    series->count = kept;
}

static void put_json(struct where *w, struct bytes series, const double *value)
{
    query_next_element(&w->out);
    buffer_print(&w->out, "{\"series\":");
    row_json_text(series, &w->out);
    buffer_print(&w->out, ",\"values\":{");
    for (uint32_t t = 0; t < w->terms.count; t++) {
        json_put_name(w->terms.term[t].text, &w->out);
        json_put_number(value[t], &w->out);
    }
    buffer_print(&w->out, "}}");
}

static void put_line(struct where *w, struct bytes series, const double *value)
{
    struct buffer text = {0};
    sheet_cell(&w->sheet, series);
    for (uint32_t t = 0; t < w->terms.count; t++) {
        buffer_reset(&text);
        if (w->terms.term[t].kind == TERM_ABSENT)
            buffer_print(&text, "%s", value[t] != 0 ? "yes" : "no");
        else
            value_show(value[t], w->terms.term[t].unit, &text);
        sheet_cell(&w->sheet, buffer_bytes(&text));
    }
    buffer_release(&text);
}

static void judge(struct where *w, const struct newest *newest)
{
    double value[TERMS_MAX];
    newest_values(newest, &w->terms, &w->learned.columns, w->now_ms, value);
    if (expression_evaluate(&w->condition, value, newest->series, NULL) != TRUTH_YES) return;
    if (w->query->json)
        put_json(w, newest->series, value);
    else
        put_line(w, newest->series, value);
}

/* The titles are the terms, as written. */
static char *titles_open(struct where *w)
{
    char *titles = memory_zeroed(1, EXPRESSION_BYTES_MAX + TERMS_MAX + 1), *at = titles;
    sheet_column(&w->sheet, "series", SHEET_LEFT, false);
    for (uint32_t t = 0; t < w->terms.count && w->sheet.columns < SHEET_COLUMNS_MAX; t++) {
        struct bytes text = w->terms.term[t].text;
        memcpy(at, text.data, text.size);
        sheet_column(&w->sheet, at, SHEET_RIGHT, false);
        at += text.size + 1;
    }
    return titles;
}

static enum status show(struct where *w, struct read_list *series, struct error *err)
{
    char *titles = titles_open(w);
    keep_possible(w, series);
    enum status status = visit_all(w, series, judge, err);
    if (status != ST_OK)
        buffer_release(&w->out);
    else if (w->query->json)
        query_print_array(&w->out);
    else
        query_print_sheet(&w->sheet);
    sheet_release(&w->sheet);
    free(titles);
    return status;
}

static enum status read_all_series(struct where *w, struct read_list *series, struct error *err)
{
    struct read_about about;
    struct read_list services = {0};
    enum status status = redis_read_about(w->query->read, &about, err);
    if (status == ST_OK && about.pane_ns == 0)
        status = error_set(err, ST_FATAL, 0, "nothing was written under this prefix yet");
    if (status == ST_OK) status = redis_read_services(w->query->read, &services, err);
    if (status == ST_OK) status = redis_read_series(w->query->read, &services, series, err);
    if (status == ST_OK) w->learned.pane_ns = about.pane_ns;
    for (size_t i = 0; status == ST_OK && i < series->count; i++) {
        if (series->item[i].at_ms > w->now_ms) w->now_ms = series->item[i].at_ms;
    }
    read_list_release(&services);
    return status;
}

enum status query_where(struct query *query, struct error *err)
{
    struct where *w = memory_zeroed(1, sizeof(*w));
    struct read_list series = {0};
    w->query = query;
    enum status status = read_all_series(w, &series, err);
    if (status == ST_OK) status = understand(w, &series, err);
    if (status == ST_OK) status = show(w, &series, err);
    read_list_release(&series);
    pool_release(&w->learned.text);
    free(w);
    return status;
}
