/* weir query alerts, weir query transitions: what fires, and what fired and was resolved. */
#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "engine/cmd/query.h"

#include <math.h>
#include <stdlib.h>

enum { TRANSITIONS_SHOWN = 1000 };

/* A member as text, whether it is stored as text or as a number. */
static void alert_number_cell(struct sheet *sheet, const json_t *value)
{
    double number =
        json_is_string(value) ? strtod(json_string_value(value), NULL) : json_number_value(value);
    bool absent = value == NULL || json_is_null(value) ||
                  (json_is_string(value) && json_string_length(value) == 0);
    if (absent) {
        sheet_number(sheet, 0, NAN);
    } else {
        sheet_print_cell(sheet, "%.4g", number);
    }
}

static void alert_time_cell(struct sheet *sheet, const json_t *value)
{
    int64_t ms = json_is_string(value) ? strtoll(json_string_value(value), NULL, 10)
                                       : json_integer_value(value);
    sheet_cell(sheet, bytes_of(instant_print(ms * NS_PER_MS).text));
}

/* A list, stored as one or as its text. returns  to be released; NULL: there is none */
static json_t *list_of(json_t *value)
{
    if (json_is_string(value))
        return json_loadb(json_string_value(value), json_string_length(value), 0, NULL);
    return json_incref(value);
}

/* How many fire with the series that is named. */
static void alert_others_cell(struct sheet *sheet, json_t *value)
{
    json_t *list = list_of(value);
    size_t members = json_array_size(list);
    if (members > 1)
        sheet_print_cell(sheet, "%zu", members - 1);
    else
        sheet_cell(sheet, bytes_of(""));
    json_decref(list);
}

static void alert_trace_cell(struct sheet *sheet, json_t *value)
{
    json_t *list = list_of(value);
    const char *id = json_string_value(json_object_get(json_array_get(list, 0), "trace_id"));
    sheet_cell(sheet, bytes_of(id == NULL ? "" : id));
    json_decref(list);
}

struct alert_column {
    const char *title, *member;
    enum { TEXT, NUMBER, TIME, OTHERS, TRACE } kind;
};

static const struct alert_column firing[] = {{"rule", "rule", TEXT}, {"severity", "severity", TEXT},
    {"series", "series", TEXT}, {"with", "members", OTHERS}, {"condition", "condition", TEXT},
    {"value", "value", NUMBER}, {"since", "since_ms", TIME}, {"trace", "exemplars", TRACE},
    {NULL, NULL, TEXT}};

static const struct alert_column fired[] = {{"at", "at_ms", TIME}, {"state", "state", TEXT},
    {"rule", "rule", TEXT}, {"severity", "severity", TEXT}, {"series", "series", TEXT},
    {"with", "members", OTHERS}, {"condition", "condition", TEXT}, {"value", "value", NUMBER},
    {"trace", "exemplars", TRACE}, {NULL, NULL, TEXT}};

static void alert_row(struct sheet *sheet, const struct alert_column *column, const json_t *alert)
{
    for (; column->title != NULL; column++) {
        json_t *value = json_object_get(alert, column->member);
        const char *text = json_string_value(value);
        if (column->kind == TEXT) sheet_cell(sheet, bytes_of(text == NULL ? "" : text));
        if (column->kind == NUMBER) alert_number_cell(sheet, value);
        if (column->kind == TIME) alert_time_cell(sheet, value);
        if (column->kind == OTHERS) alert_others_cell(sheet, value);
        if (column->kind == TRACE) alert_trace_cell(sheet, value);
    }
}

static void print_alerts(const struct alert_column *columns, const struct read_list *list)
{
    struct sheet sheet = {0};
    for (const struct alert_column *c = columns; c->title != NULL; c++) {
        bool is_number = c->kind == NUMBER || c->kind == OTHERS;
        sheet_column(&sheet, c->title, is_number ? SHEET_RIGHT : SHEET_LEFT, false);
    }
    for (size_t i = 0; i < list->count; i++) {
        json_t *alert = query_json(&list->item[i]);
        alert_row(&sheet, columns, alert);
        json_decref(alert);
    }
    query_print_sheet(&sheet);
    sheet_release(&sheet);
}

static void show(
    const struct query *query, const struct alert_column *columns, const struct read_list *list)
{
    struct buffer out = {0};
    if (!query->json) {
        print_alerts(columns, list);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        query_next_element(&out);
        query_append_stored(&list->item[i], &out);
    }
    query_print_array(&out);
}

enum status query_alerts(struct query *query, struct error *err)
{
    struct read_list list = {0};
    enum status status = redis_read_alerts(query->read, &list, err);
    if (status == ST_OK) show(query, firing, &list);
    read_list_release(&list);
    return status;
}

static int by_time(const void *left, const void *right)
{
    const struct read_item *a = left, *b = right;
    if (a->at_ms != b->at_ms) return a->at_ms < b->at_ms ? -1 : 1;
    size_t shorter = a->name.size < b->name.size ? a->name.size : b->name.size;
    int order = shorter == 0 ? 0 : memcmp(a->name.data, b->name.data, shorter);
    return order != 0 ? order : (int)a->field.size - (int)b->field.size; /* firing, then resolved */
}

/* Those of the range, by event time: the stream has them partition by partition. */
static void select_range(const struct query *query, struct read_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        int64_t at_ms = list->item[i].at_ms;
        if (at_ms >= query->from_ms && at_ms <= query->to_ms) list->item[kept++] = list->item[i];
    }
    list->count = kept;
    if (kept != 0) qsort(list->item, kept, sizeof(*list->item), by_time);
}

enum status query_transitions(struct query *query, struct error *err)
{
    struct read_list list = {0};
    enum status status = redis_read_transitions(query->read, TRANSITIONS_SHOWN, &list, err);
    if (status == ST_OK) {
        select_range(query, &list);
        show(query, fired, &list);
    }
    read_list_release(&list);
    return status;
}
