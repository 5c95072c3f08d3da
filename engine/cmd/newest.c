#include "engine/cmd/newest.h"

#include "engine/base/clock.h"
#include "engine/base/duration.h"

#include <math.h>
#include <stdio.h>

size_t newest_end(const struct read_list *list, size_t from)
{
    size_t to = from + 1;
    while (to < list->count && bytes_equal(list->item[to].name, list->item[from].name))
        to++;
    return to;
}

static void add_row(struct newest *newest, const struct read_item *item)
{
    char field[DURATION_TEXT_BYTES];
    int64_t named_ns = 0;
    snprintf(field, sizeof(field), "%.*s", (int)item->field.size, (const char *)item->field.data);
    if (newest->count == NEWEST_ROWS_MAX || strcmp(field, "open") == 0) return;
    json_t *row = json_loadb((const char *)item->value.data, item->value.size, 0, NULL);
    int64_t start_ms = json_integer_value(json_object_get(row, "start_ms"));
    int64_t end_ms = json_integer_value(json_object_get(row, "end_ms"));
    size_t at = newest->count++;
    newest->row[at].is_window = duration_parse(field, &named_ns);
    newest->row[at].width_ns = (end_ms - start_ms) * NS_PER_MS;
    newest->row[at].end_ms = end_ms;
    newest->row[at].row = row;
}

void newest_read(struct newest *newest, const struct read_list *list, size_t from, size_t to)
{
    *newest = (struct newest){.series = list->item[from].name, .seen_ms = list->item[from].at_ms};
    for (size_t i = from; i < to; i++)
        add_row(newest, &list->item[i]);
}

void newest_release(struct newest *newest)
{
    for (size_t i = 0; i < newest->count; i++)
        json_decref(newest->row[i].row);
    newest->count = 0;
}

double newest_member(const json_t *row, const char *column)
{
    const json_t *value = json_object_get(row, column);
    if (json_is_number(value)) return json_number_value(value);
    bool sum = strcmp(column, "latency_sum_ns") == 0; /* in milliseconds here */
    value = sum ? json_object_get(row, "latency_sum_ms") : NULL;
    return json_is_number(value) ? json_number_value(value) * 1e6 : NAN;
}

static double level_most(
    const json_t *row, const struct terms *terms, const struct columns *columns)
{
    double most = NAN;
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if ((terms->levels[c / 64] >> c % 64 & 1) == 0) continue;
        most = fmax(most, newest_member(row, columns->name[c]));
    }
    return most;
}

static double value_of(const struct newest *newest, const struct terms *terms,
    const struct term *term, const struct columns *columns, int64_t now_ms)
{
    double value = NAN;
    int64_t newest_ms = INT64_MIN;
    for (size_t i = 0; i < newest->count; i++) {
        int64_t width_ns = newest->row[i].width_ns, end_ms = newest->row[i].end_ms;
        bool is_of = newest->row[i].is_window && term->window_ns == width_ns;
        if (term->window_ns != 0 && !is_of) continue;
        if (end_ms + 2 * width_ns / NS_PER_MS <= now_ms || end_ms <= newest_ms) continue;
        const json_t *row = newest->row[i].row;
        double found = term->kind == TERM_ANOMALY ? level_most(row, terms, columns)
                                                  : newest_member(row, columns->name[term->column]);
        if (isnan(found)) continue;
        value = found;
        newest_ms = end_ms;
    }
    return value;
}

void newest_values(const struct newest *newest, const struct terms *terms,
    const struct columns *columns, int64_t now_ms, double value[TERMS_MAX])
{
    for (uint32_t t = 0; t < terms->count; t++) {
        const struct term *term = &terms->term[t];
        if (term->kind == TERM_ABSENT)
            value[t] = now_ms - newest->seen_ms >= term->window_ns / NS_PER_MS;
        else
            value[t] = value_of(newest, terms, term, columns, now_ms);
    }
}
