/* weir query errors, weir query traces: how spans failed, and which traces are worth looking at. */
#include "engine/base/duration.h"
#include "engine/cmd/newest.h"
#include "engine/cmd/query.h"
#include "sinks/row_json.h"

#include <stdio.h>

/* One row of one series, and how its parts become lines of a table. */
struct line {
    const struct read_about *about;
    const struct read_item *item;
    struct sheet *sheet;
};

/* What is asked: its columns behind those that say which row, and the cells of a row. */
struct traces_question {
    const char *title[5]; /* ends with NULL */
    const char *numbers;  /* the title of the column that holds them */
    void (*lines)(const struct line *line, const json_t *row);
};

static int64_t width_ns(const struct read_item *item)
{
    char text[DURATION_TEXT_BYTES];
    int64_t width = 0;
    if (item->field.size >= sizeof(text)) return 0;
    snprintf(text, sizeof(text), "%.*s", (int)item->field.size, (const char *)item->field.data);
    return duration_parse(text, &width) ? width : 0;
}

/* The row of the widest window from `from` up to `to`, which are of one series. */
static const struct read_item *widest(const struct read_list *list, size_t from, size_t to)
{
    const struct read_item *best = &list->item[from];
    for (size_t i = from + 1; i < to; i++) {
        if (width_ns(&list->item[i]) > width_ns(best)) best = &list->item[i];
    }
    return best;
}

static const char *text_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

/* 32 digits and no more: then it may stand in a link. */
static bool trace_id_read(const char *text, uint8_t id[TRACE_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * TRACE_ID_BYTES || strspn(text, digits) != 2 * TRACE_ID_BYTES)
        return false;
    for (size_t i = 0; i < TRACE_ID_BYTES; i++) {
        long high = strchr(digits, text[2 * i]) - digits;
        long low = strchr(digits, text[2 * i + 1]) - digits;
        id[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void trace_cell(const struct line *line, const json_t *object)
{
    uint8_t id[TRACE_ID_BYTES];
    struct buffer link = {0};
    const char *text = text_in(object, "trace_id");
    if (trace_id_read(text, id)) trace_link_append(line->about->trace_link, id, &link);
    sheet_cell(line->sheet, link.size != 0 ? buffer_bytes(&link) : bytes_of(text));
    buffer_release(&link);
}

static void row_cells(const struct line *line)
{
    sheet_cell(line->sheet, line->item->name);
    sheet_cell(line->sheet, line->item->field);
}

static void error_lines(const struct line *line, const json_t *row)
{
    const json_t *kinds = json_object_get(row, "error_kinds");
    json_int_t others = json_integer_value(json_object_get(row, "errors_else"));
    for (size_t i = 0; i < json_array_size(kinds); i++) {
        const json_t *kind = json_array_get(kinds, i);
        row_cells(line);
        sheet_print_cell(
            line->sheet, "%lld", (long long)json_integer_value(json_object_get(kind, "count")));
        sheet_cell(line->sheet, bytes_of(text_in(kind, "type")));
        sheet_cell(line->sheet, bytes_of(text_in(kind, "message")));
        trace_cell(line, kind);
    }
    if (others == 0) return;
    row_cells(line);
    sheet_print_cell(line->sheet, "%lld", (long long)others);
    sheet_cell(line->sheet, (struct bytes){0});
    sheet_cell(line->sheet, bytes_of("of other kinds"));
    sheet_cell(line->sheet, (struct bytes){0});
}

static void trace_lines(const struct line *line, const json_t *row)
{
    const json_t *exemplars = json_object_get(row, "exemplars");
    for (size_t i = 0; i < json_array_size(exemplars); i++) {
        const json_t *exemplar = json_array_get(exemplars, i);
        row_cells(line);
        sheet_print_cell(
            line->sheet, "%.6g", json_number_value(json_object_get(exemplar, "duration_ms")));
        sheet_cell(line->sheet, bytes_of(text_in(exemplar, "kind")));
        trace_cell(line, exemplar);
    }
}

static const struct traces_question errors_question = {
    .title = {"count", "type", "message", "trace"}, .numbers = "count", .lines = error_lines};
static const struct traces_question traces_question = {
    .title = {"ms", "kind", "trace"}, .numbers = "ms", .lines = trace_lines};

static void print_table(const struct traces_question *question, const struct read_about *about,
    const struct read_list *rows)
{
    struct sheet sheet = {0};
    sheet_column(&sheet, "series", SHEET_LEFT, false);
    sheet_column(&sheet, "window", SHEET_LEFT, false);
    for (const char *const *title = question->title; *title != NULL; title++) {
        bool number = strcmp(*title, question->numbers) == 0;
        sheet_column(&sheet, *title, number ? SHEET_RIGHT : SHEET_LEFT, false);
    }
    for (size_t from = 0, to; from < rows->count; from = to) {
        to = newest_end(rows, from);
        struct line line = {.about = about, .item = widest(rows, from, to), .sheet = &sheet};
        json_t *row = query_json(line.item);
        question->lines(&line, row);
        json_decref(row);
    }
    query_print_sheet(&sheet);
    sheet_release(&sheet);
}

static void print_json(const struct read_list *rows)
{
    struct buffer out = {0};
    for (size_t from = 0, to; from < rows->count; from = to) {
        to = newest_end(rows, from);
        const struct read_item *item = widest(rows, from, to);
        query_next_element(&out);
        buffer_print(&out, "{\"series\":");
        row_json_text(item->name, &out);
        buffer_print(&out, ",\"window\":");
        row_json_text(item->field, &out);
        buffer_print(&out, ",\"row\":");
        query_append_stored(item, &out);
        buffer_print(&out, "}");
    }
    query_print_array(&out);
}

static enum status ask(
    struct query *query, const struct traces_question *question, struct error *err)
{
    struct read_list series = {0}, rows = {0};
    struct read_about about = {0};
    enum status status = redis_read_about(query->read, &about, err);
    if (status == ST_OK) status = query_find_series(query, &series, err);
    if (status == ST_OK) status = redis_read_now(query->read, &series, &rows, err);
    if (status == ST_OK && query->json)
        print_json(&rows);
    else if (status == ST_OK)
        print_table(question, &about, &rows);
    read_list_release(&series);
    read_list_release(&rows);
    return status;
}

enum status query_errors(struct query *query, struct error *err)
{
    return ask(query, &errors_question, err);
}

enum status query_traces(struct query *query, struct error *err)
{
    return ask(query, &traces_question, err);
}
