#include "engine/cmd/board.h"

#include "engine/base/clock.h"
#include "engine/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Rows of a series that has stopped stay for a while; they are not shown for that long. */
enum { STALE_WIDTHS = 2 };

static bool is_field(const struct read_item *item, const char *field)
{
    return bytes_are(item->field, field);
}

/* The width of the rolling window that a field names; 0: it names none. */
static int64_t rolling_ns(const struct board *board, const struct read_item *item)
{
    char text[DURATION_TEXT_BYTES];
    int64_t width_ns = 0;
    if (item->field.size == 0 || item->field.size >= sizeof(text)) return 0;
    memcpy(text, item->field.data, item->field.size);
    text[item->field.size] = '\0';
    if (!duration_parse(text, &width_ns) || width_ns == board->about.pane_ns) return 0;
    return width_ns;
}

static int64_t shortest_window(const struct board *board)
{
    int64_t shortest_ns = 0;
    for (size_t i = 0; i < board->now.count; i++) {
        int64_t width_ns = rolling_ns(board, &board->now.item[i]);
        if (width_ns == 0 || (shortest_ns != 0 && width_ns >= shortest_ns)) continue;
        shortest_ns = width_ns;
    }
    return shortest_ns != 0 ? shortest_ns : board->about.pane_ns;
}

static json_t *json_of(const struct read_item *item)
{
    return json_loadb((const char *)item->value.data, item->value.size, 0, NULL);
}

static double number_in(const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* `latency_p99_ms` is `p99`; false for what is no quantile. */
static bool quantile_name(const char *column, char *name)
{
    static const char begin[] = "latency_p", end[] = "_ms";
    size_t size = strlen(column);
    if (size <= strlen(begin) + strlen(end) || strncmp(column, begin, strlen(begin)) != 0)
        return false;
    if (strcmp(column + size - strlen(end), end) != 0) return false;
    size_t kept = size - strlen("latency_") - strlen(end);
    if (kept >= BOARD_NAME_BYTES) return false;
    memcpy(name, column + strlen("latency_"), kept);
    name[kept] = '\0';
    return true;
}

/* The last three quantiles of the plan: the high ones are what one looks for. */
static void find_quantiles(struct board *board, json_t *row)
{
    const char *column;
    json_t *value;
    char name[BOARD_NAME_BYTES];
    size_t found = 0;
    json_object_foreach(row, column, value)
    {
        if (!quantile_name(column, name)) continue;
        if (found == BOARD_QUANTILES) {
            memmove(board->quantile[0], board->quantile[1],
                (BOARD_QUANTILES - 1) * sizeof(board->quantile[0]));
            found--;
        }
        memcpy(board->quantile[found++], name, sizeof(name));
    }
}

static double quantile_in(const struct board *board, const json_t *row, size_t q)
{
    char column[BOARD_NAME_BYTES + 16];
    if (board->quantile[q][0] == '\0') return NAN;
    snprintf(column, sizeof(column), "latency_%s_ms", board->quantile[q]);
    return number_in(row, column);
}

/* The score farthest from zero: of `z`, and of those in the row. */
static double farthest_score(double z, json_t *row)
{
    const char *column;
    json_t *value;
    json_object_foreach(row, column, value)
    {
        size_t size = strlen(column);
        if (size < 2 || strcmp(column + size - 2, "_z") != 0 || !json_is_number(value)) continue;
        double score = json_number_value(value);
        if (isnan(z) || fabs(score) > fabs(z)) z = score;
    }
    return z;
}

static struct board_line *line_new(struct board *board)
{
    if (board->count == board->capacity) {
        board->capacity = board->capacity == 0 ? 64 : 2 * board->capacity;
        board->line = memory_resize(board->line, board->capacity, sizeof(*board->line));
    }
    return &board->line[board->count++];
}

static void add_line(struct board *board, const struct read_item *item, json_t *row)
{
    if (board->quantile[0][0] == '\0') find_quantiles(board, row);
    struct board_line *line = line_new(board);
    *line = (struct board_line){
        .series = item->name,
        .rate_per_s = number_in(row, "rate_per_s"),
        .error_ratio = number_in(row, "error_ratio"),
        .capture_ratio = number_in(row, "capture_ratio"),
        .z = NAN,
    };
    for (size_t q = 0; q < BOARD_QUANTILES; q++)
        line->quantile_ms[q] = quantile_in(board, row, q);
}

static int64_t end_ms_of(const json_t *row)
{
    return (int64_t)json_integer_value(json_object_get(row, "end_ms"));
}

static void find_newest(struct board *board)
{
    board->newest_ms = 0;
    for (size_t i = 0; i < board->now.count; i++) {
        if (!is_field(&board->now.item[i], board->window.text)) continue;
        json_t *row = json_of(&board->now.item[i]);
        int64_t end_ms = end_ms_of(row);
        if (end_ms > board->newest_ms) board->newest_ms = end_ms;
        json_decref(row);
    }
}

/* The rows `from` up to `to` are of one series: a line if one of them is shown, with its newest scores. */
static void add_series(struct board *board, size_t from, size_t to, int64_t width_ms)
{
    struct duration_text pane = duration_print(board->about.pane_ns);
    double z = NAN;
    size_t before = board->count;
    for (size_t i = from; i < to; i++) {
        const struct read_item *item = &board->now.item[i];
        bool shown = is_field(item, board->window.text);
        bool scored = is_field(item, pane.text) || is_field(item, "scores");
        if (!shown && !scored) continue;
        json_t *row = json_of(item);
        if (row == NULL) continue;
        bool stale = end_ms_of(row) + STALE_WIDTHS * width_ms < board->newest_ms;
        if (!stale && scored) z = farthest_score(z, row);
        if (!stale && shown) add_line(board, item, row);
        json_decref(row);
    }
    if (board->count > before) board->line[before].z = z;
}

static void add_lines(struct board *board, int64_t width_ms)
{
    for (size_t from = 0, to; from < board->now.count; from = to) {
        to = from + 1;
        while (to < board->now.count &&
               bytes_equal(board->now.item[to].name, board->now.item[from].name))
            to++;
        add_series(board, from, to, width_ms);
    }
}

static void count_alerts(struct board *board)
{
    for (size_t i = 0; i < board->alerts.count; i++) {
        json_t *alert = json_of(&board->alerts.item[i]);
        const char *series = json_string_value(json_object_get(alert, "series"));
        for (size_t l = 0; series != NULL && l < board->count; l++)
            board->line[l].alerts += bytes_are(board->line[l].series, series);
        json_decref(alert);
    }
}

/* What is absent comes last. */
static int larger_first(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
    return (a < b) - (a > b);
}

static int by_series(const struct board_line *x, const struct board_line *y)
{
    size_t size = x->series.size < y->series.size ? x->series.size : y->series.size;
    int order = memcmp(x->series.data, y->series.data, size);
    return order != 0 ? order
                      : (x->series.size > y->series.size) - (x->series.size < y->series.size);
}

static int by_rate(const void *a, const void *b)
{
    const struct board_line *x = a, *y = b;
    int order = larger_first(x->rate_per_s, y->rate_per_s);
    return order != 0 ? order : by_series(x, y);
}

static int by_z(const void *a, const void *b)
{
    const struct board_line *x = a, *y = b;
    int order = larger_first(fabs(x->z), fabs(y->z));
    return order != 0 ? order : by_rate(a, b);
}

static enum status read_all(struct board *board, struct redis_read *read, struct error *err)
{
    enum status status = redis_read_about(read, &board->about, err);
    if (status == ST_OK) status = redis_read_services(read, &board->services, err);
    if (status == ST_OK) status = redis_read_series(read, &board->services, &board->series, err);
    if (status == ST_OK) status = redis_read_now(read, &board->series, &board->now, err);
    if (status == ST_OK) status = redis_read_alerts(read, &board->alerts, err);
    return status;
}

/* The windows there are, for the one who asked for another. */
static enum status no_such_window(const struct board *board, struct error *err)
{
    char found[128] = "";
    size_t size = 0;
    for (size_t i = 0; i < board->now.count; i++) {
        int64_t width_ns = rolling_ns(board, &board->now.item[i]);
        struct duration_text text = duration_print(width_ns);
        if (width_ns == 0 || strstr(found, text.text) != NULL || size + 32 > sizeof(found))
            continue;
        size += (size_t)snprintf(
            found + size, sizeof(found) - size, "%s%s", size == 0 ? "" : ", ", text.text);
    }
    return error_set(err, ST_FATAL, 0, "there is no rolling window of %s here, but of: %s",
        board->window.text, size == 0 ? "none" : found);
}

enum status board_load(struct board *board, struct redis_read *read, int64_t window_ns,
    enum board_order order, struct error *err)
{
    board->count = 0;
    memset(board->quantile, 0, sizeof(board->quantile));
    enum status status = read_all(board, read, err);
    if (status != ST_OK) return status;

    int64_t width_ns = window_ns != 0 ? window_ns : shortest_window(board);
    board->window = duration_print(width_ns);
    find_newest(board);
    add_lines(board, width_ns / NS_PER_MS);
    if (board->count == 0 && window_ns != 0 && board->now.count != 0)
        return no_such_window(board, err);
    count_alerts(board);
    if (board->count != 0) {
        qsort(
            board->line, board->count, sizeof(*board->line), order == BOARD_BY_Z ? by_z : by_rate);
    }
    return ST_OK;
}

void board_release(struct board *board)
{
    read_list_release(&board->services);
    read_list_release(&board->series);
    read_list_release(&board->now);
    read_list_release(&board->alerts);
    free(board->line);
    *board = (struct board){0};
}
