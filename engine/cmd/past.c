#include "engine/cmd/past.h"

#include "engine/base/clock.h"
#include "operators/sketch.h"
#include "schemas/series_name.h"
#include "sinks/row_compact.h"

#include <math.h>

static int64_t newest_of(const struct read_list *list)
{
    int64_t newest_ms = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->item[i].at_ms > newest_ms) newest_ms = list->item[i].at_ms;
    }
    return newest_ms;
}

/* When event time is, and when the series was seen last. */
static enum status read_times(struct past *past, struct redis_read *read, struct error *err)
{
    struct read_list services = {0}, one = {0}, all = {0};
    struct read_item item = {.name = series_name_service(past->series)};
    enum status status = redis_read_services(read, &services, err);
    read_list_append(&one, &item);
    if (status == ST_OK) status = redis_read_series(read, &one, &all, err);
    if (status == ST_OK) past->now_ms = newest_of(&services);
    for (size_t i = 0; status == ST_OK && i < all.count; i++) {
        if (bytes_equal(all.item[i].name, past->series)) past->seen_ms = all.item[i].at_ms;
    }
    read_list_release(&services);
    read_list_release(&one);
    read_list_release(&all);
    return status;
}

static enum status read_newest(struct past *past, struct redis_read *read, struct error *err)
{
    struct read_list one = {0};
    struct read_item item = {.name = past->series, .at_ms = past->seen_ms};
    read_list_append(&one, &item);
    enum status status = redis_read_now(read, &one, &past->now_rows, err);
    if (status == ST_OK && past->now_rows.count != 0)
        newest_read(&past->newest, &past->now_rows, 0, past->now_rows.count);
    read_list_release(&one);
    return status;
}

static enum status read_history(
    struct past *past, struct redis_read *read, int64_t from_ms, int64_t to_ms, struct error *err)
{
    enum status status = ST_OK;
    for (size_t h = 0; h < past->about.histories && status == ST_OK; h++) {
        const struct read_range range = {.series = past->series,
            .resolution_ns = past->about.history[h].resolution_ns,
            .from_ms = from_ms,
            .to_ms = to_ms};
        status = redis_read_history(read, &range, &past->rows[h], err);
        if (status == ST_OK && past->about.history[h].sketches)
            status = redis_read_sketches(read, &range, &past->sketches[h], err);
    }
    return status;
}

enum status past_read(struct past *past, struct redis_read *read, const struct plan *plan,
    struct bytes series, int64_t at_ms, int64_t back_ms, struct error *err)
{
    past->plan = plan;
    past->series = series;
    enum status status = redis_read_about(read, &past->about, err);
    if (status == ST_OK && past->about.version == 0)
        return error_set(err, ST_FATAL, 0, "nothing was written under this prefix yet");
    if (status == ST_OK) status = read_times(past, read, err);
    if (status == ST_OK) status = read_newest(past, read, err);
    if (status != ST_OK) return status;
    if (at_ms == 0) at_ms = past->now_ms;
    return read_history(past, read, at_ms - back_ms, at_ms, err);
}

void past_release(struct past *past)
{
    newest_release(&past->newest);
    read_list_release(&past->now_rows);
    for (size_t h = 0; h < READ_HISTORIES_MAX; h++) {
        read_list_release(&past->rows[h]);
        read_list_release(&past->sketches[h]);
    }
}

/* A window that is asked for. */
struct span_of_time {
    int64_t width_ms, hop_ms, at_ms;
};

static int64_t round_down(int64_t ms, int64_t step_ms)
{
    return ms - ms % step_ms;
}

static double newest_value(
    const struct past *past, const char *column, const struct span_of_time *window)
{
    for (size_t i = 0; i < past->newest.count; i++) {
        int64_t end_ms = past->newest.row[i].end_ms;
        if (!past->newest.row[i].is_window) continue;
        if (past->newest.row[i].width_ns / NS_PER_MS != window->width_ms) continue;
        if (end_ms != round_down(window->at_ms, window->hop_ms)) continue;
        return newest_member(past->newest.row[i].row, column);
    }
    return NAN;
}

/* What the slices of a window come to. */
struct sum {
    double spans, errors, sum_ms, min_ms, max_ms;
    struct row_compact last;
    size_t slices;
};

static void sum_add(struct sum *sum, const struct row_compact *row)
{
    sum->spans += (double)row->spans;
    sum->errors += (double)row->errors;
    if (row->spans != 0) sum->sum_ms += (double)row->spans * row->mean_ms;
    sum->min_ms = fmin(sum->min_ms, row->min_ms);
    sum->max_ms = fmax(sum->max_ms, row->max_ms);
    sum->last = *row;
    sum->slices++;
}

static bool is_within(const struct read_item *item, int64_t from_ms, int64_t to_ms)
{
    return item->at_ms > from_ms && item->at_ms <= to_ms;
}

static struct sum sum_rows(const struct read_list *rows, int64_t from_ms, int64_t to_ms)
{
    struct sum sum = {.min_ms = NAN, .max_ms = NAN};
    for (size_t i = 0; i < rows->count; i++) {
        struct row_compact row;
        if (!is_within(&rows->item[i], from_ms, to_ms)) continue;
        if (row_compact_parse(rows->item[i].value, &row)) sum_add(&sum, &row);
    }
    return sum;
}

static double merged_quantile(
    const struct past *past, size_t h, double quantile, int64_t from_ms, int64_t to_ms)
{
    struct sketch sketch = {0};
    struct pool pool = {0};
    struct error unused;
    double ms = NAN;
    uint32_t scale = past->about.sketch_scale;
    const struct read_list *list = &past->sketches[h];
    for (size_t i = 0; i < list->count; i++) {
        if (!is_within(&list->item[i], from_ms, to_ms)) continue;
        (void)sketch_merge_encoded(&sketch, scale, list->item[i].value, &pool, &unused);
    }
    if (sketch_count(&sketch) != 0) sketch_quantiles(&sketch, scale, &quantile, 1, &ms);
    pool_release(&pool);
    return ms;
}

static bool is_quantile(int column)
{
    return column >= COLUMN_QUANTILE && column < COLUMN_QUANTILE + QUANTILES_MAX;
}

static double quantile_of(const struct past *past, size_t h, int column, const struct sum *sum,
    int64_t from_ms, int64_t to_ms)
{
    int q = column - COLUMN_QUANTILE;
    int64_t slice_ms = past->about.history[h].resolution_ns / NS_PER_MS;
    if (sum->spans == 0) return NAN;
    if (to_ms - from_ms == slice_ms && q < COMPACT_QUANTILES) return sum->last.quantile_ms[q];
    return merged_quantile(past, h, past->plan->measuring.quantile[q], from_ms, to_ms);
}

static double column_of(
    const struct past *past, size_t h, int column, int64_t from_ms, int64_t to_ms)
{
    struct sum sum = sum_rows(&past->rows[h], from_ms, to_ms);
    if (is_quantile(column)) return quantile_of(past, h, column, &sum, from_ms, to_ms);
    switch (column) {
    case COLUMN_SPANS:
        return sum.spans;
    case COLUMN_ERRORS:
        return sum.errors;
    case COLUMN_RATE_PER_S:
        return sum.spans * 1000 / (double)(to_ms - from_ms);
    case COLUMN_ERROR_RATIO:
        return sum.spans == 0 ? NAN : sum.errors / sum.spans;
    case COLUMN_LATENCY_MEAN_MS:
        return sum.spans == 0 ? NAN : sum.sum_ms / sum.spans;
    case COLUMN_LATENCY_MIN_MS:
        return sum.min_ms;
    case COLUMN_LATENCY_MAX_MS:
        return sum.max_ms;
    default:
        return NAN;
    }
}

/* Whether slices of a history add up to the window, in full and with what the column needs. */
static bool adds_up(
    const struct past *past, size_t h, int column, const struct span_of_time *window)
{
    int64_t slice_ms = past->about.history[h].resolution_ns / NS_PER_MS;
    int64_t kept_ms = past->now_ms - past->about.history[h].retain_ns / NS_PER_MS;
    if (slice_ms > window->width_ms || window->width_ms % slice_ms != 0) return false;
    if (window->at_ms - window->width_ms - slice_ms < kept_ms) return false;
    bool alone = slice_ms == window->width_ms && column - COLUMN_QUANTILE < COMPACT_QUANTILES;
    return !is_quantile(column) || alone || past->about.history[h].sketches;
}

/* From the finest slices that end where the window does; else from the finest, which end a little before. */
static double history_value(const struct past *past, int column, const struct span_of_time *window)
{
    size_t best = READ_HISTORIES_MAX;
    for (size_t h = 0; h < past->about.histories; h++) {
        int64_t slice_ms = past->about.history[h].resolution_ns / NS_PER_MS;
        if (!adds_up(past, h, column, window)) continue;
        if (best == READ_HISTORIES_MAX) best = h;
        if (window->hop_ms % slice_ms != 0) continue;
        best = h;
        break;
    }
    if (best == READ_HISTORIES_MAX) return NAN;
    int64_t slice_ms = past->about.history[best].resolution_ns / NS_PER_MS;
    bool fits = window->hop_ms % slice_ms == 0;
    int64_t end_ms = round_down(window->at_ms, fits ? window->hop_ms : slice_ms);
    return column_of(past, best, column, end_ms - window->width_ms, end_ms);
}

static int64_t hop_ms(const struct plan *plan, const struct term *term)
{
    for (uint32_t w = 0; term->rolling && w < plan->windows; w++) {
        if (plan->window[w].width_ns == term->window_ns)
            return plan->level[plan->window[w].level].width_ns / NS_PER_MS;
    }
    return term->window_ns / NS_PER_MS;
}

int64_t past_seen_ms(const struct past *past, int64_t at_ms)
{
    int64_t seen_ms = past->seen_ms <= at_ms ? past->seen_ms : 0;
    for (size_t h = 0; h < past->about.histories; h++) {
        const struct read_list *rows = &past->rows[h];
        for (size_t i = 0; i < rows->count; i++) {
            int64_t end_ms = rows->item[i].at_ms;
            if (end_ms <= at_ms && end_ms > seen_ms) seen_ms = end_ms;
        }
    }
    return seen_ms;
}

static double term_at(
    const struct past *past, const struct terms *terms, const struct term *term, int64_t at_ms)
{
    if (term->kind == TERM_ABSENT)
        return at_ms - past_seen_ms(past, at_ms) >= term->window_ns / NS_PER_MS;
    if (term->kind == TERM_ANOMALY || term->column >= COLUMN_SCORE) {
        struct terms one = {.term = {*term}, .count = 1};
        double value[TERMS_MAX];
        memcpy(one.levels, terms->levels, sizeof(one.levels));
        newest_values(&past->newest, &one, &past->plan->columns, at_ms, value);
        return at_ms == past->now_ms ? value[0] : NAN;
    }
    const struct span_of_time window = {.width_ms = term->window_ns / NS_PER_MS,
        .hop_ms = hop_ms(past->plan, term),
        .at_ms = at_ms};
    double value = newest_value(past, past->plan->columns.name[term->column], &window);
    return isnan(value) ? history_value(past, term->column, &window) : value;
}

void past_values(
    const struct past *past, const struct terms *terms, int64_t at_ms, double value[TERMS_MAX])
{
    for (uint32_t t = 0; t < terms->count; t++)
        value[t] = term_at(past, terms, &terms->term[t], at_ms);
}
