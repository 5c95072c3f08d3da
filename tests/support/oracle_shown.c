/* What Redis shows, held against the rows topic that it is a view of. */
#include "oracle.h"
#include "oracle_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

enum { SHOWN_MAX = 20, KEY_BYTES = 16384 };

/* The row that Redis should show under a key: `now SERIES WINDOW` or `history SERIES RES END`. */
struct due {
    const Weir__Row *row;
    bool seen;
};

struct shown {
    struct book keys; /* only its table of names */
    struct due *due;  /* due[i] is that of key i */
    size_t dues, capacity;
    int64_t pane_ms;
    uint64_t equal, differ, missing, unknown;
};

/* --- what is due ----------------------------------------------------------------------------- */

static void now_key(char *out, const char *series, int64_t width_ms)
{
    snprintf(out, KEY_BYTES, "now %s %" PRId64, series, width_ms);
}

static void history_key(char *out, const char *series, int64_t width_ms, int64_t end_ms)
{
    snprintf(out, KEY_BYTES, "history %s %" PRId64 " %" PRId64, series, width_ms, end_ms);
}

/* A later row of the same window counts, and a revised one before a final one. */
static bool is_newer(const Weir__Row *row, const Weir__Row *than)
{
    if (row->end_ns != than->end_ns) return row->end_ns > than->end_ns;
    return row->status > than->status;
}

static void due_note(struct shown *shown, const char *key, const Weir__Row *row)
{
    uint32_t at = book_find(&shown->keys, key, true);
    if (at == shown->dues) {
        shown->due = array_room(shown->due, at, &shown->capacity, sizeof(*shown->due));
        shown->due[shown->dues++] = (struct due){.row = row};
    } else if (is_newer(row, shown->due[at].row)) {
        shown->due[at].row = row;
    }
}

static int64_t width_ms_of(const Weir__Row *row)
{
    return (row->end_ns - row->start_ns) / NS_PER_MS;
}

/* Panes are the finest slices. */
static void pane_take(void *self, const Weir__Row *row)
{
    struct shown *shown = self;
    if (!row->rolling && width_ms_of(row) < shown->pane_ms) shown->pane_ms = width_ms_of(row);
}

/* Newest rows are those of rolling windows and of panes; slices are history. */
static void due_take(void *self, const Weir__Row *row)
{
    char key[KEY_BYTES];
    struct shown *shown = self;
    int64_t width_ms = width_ms_of(row);
    if (row->rolling || width_ms == shown->pane_ms) {
        now_key(key, row->series, width_ms);
        due_note(shown, key, row);
    }
    if (!row->rolling) {
        history_key(key, row->series, width_ms, row->end_ns / NS_PER_MS);
        due_note(shown, key, row);
    }
}

/* --- what is shown --------------------------------------------------------------------------- */

static void differ(struct shown *shown, const char *key, const char *column, const char *value)
{
    if (shown->differ++ < SHOWN_MAX)
        printf("Redis differs: %s: %s: shown as %.200s\n", key, column, value);
}

static bool is_column_shown(const Weir__RowColumn *column, const json_t *object)
{
    if (strcmp(column->name, "latency_sum_ns") == 0) {
        double sum_ms = json_number_value(json_object_get(object, "latency_sum_ms"));
        return (uint64_t)(sum_ms * 1e6 + 0.5) == column->integer;
    }
    const json_t *value = json_object_get(object, column->name);
    if (column->value_case == WEIR__ROW_COLUMN__VALUE_INTEGER)
        return json_is_integer(value) && (uint64_t)json_integer_value(value) == column->integer;
    double number = json_number_value(value);
    return json_is_number(value) && !(number < column->number) && !(number > column->number);
}

static bool json_id_read(const json_t *object, uint8_t *id)
{
    const char *text = json_string_value(json_object_get(object, "trace_id"));
    if (text == NULL || strlen(text) != 2 * TRACE_BYTES) return false;
    for (size_t i = 0; i < TRACE_BYTES; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) return false;
        id[i] = (uint8_t)byte;
    }
    return true;
}

static const char *json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "?" : text;
}

static bool json_traces_print(const json_t *object, struct traces_text *text)
{
    const json_t *exemplars = json_object_get(object, "exemplars");
    const json_t *kinds = json_object_get(object, "error_kinds");
    json_int_t others = json_integer_value(json_object_get(object, "errors_else"));
    uint8_t id[TRACE_BYTES] = {0};
    *text = (struct traces_text){.size = 0};
    for (size_t i = 0; i < json_array_size(exemplars); i++) {
        const json_t *e = json_array_get(exemplars, i);
        double ms = json_number_value(json_object_get(e, "duration_ms"));
        if (!json_id_read(e, id)) return false;
        traces_say(text, json_text(e, "kind"), id, (uint64_t)(ms * 1e6 + 0.5));
    }
    for (size_t i = 0; i < json_array_size(kinds); i++) {
        const json_t *kind = json_array_get(kinds, i);
        char name[2 * MASKED_MAX + 2];
        snprintf(name, sizeof(name), "%s\t%s", json_text(kind, "type"), json_text(kind, "message"));
        if (!json_id_read(kind, id)) return false;
        traces_say(text, name, id, (uint64_t)json_integer_value(json_object_get(kind, "count")));
    }
    memset(id, 0, sizeof(id));
    if (others != 0) traces_say(text, "else", id, (uint64_t)others);
    return true;
}

/* The first of each kind of exemplar has a member of its own. */
static bool are_firsts_shown(const Weir__Row *row, const json_t *object)
{
    static const char *const names[] = {"trace_id_slow", "trace_id_error", "trace_id_typical"};
    for (int kind = 0; kind < 3; kind++) {
        char id[2 * TRACE_BYTES + 1] = "";
        for (size_t i = row->n_exemplar; i > 0; i--) {
            const Weir__Exemplar *e = row->exemplar[i - 1];
            if ((int)e->kind != kind) continue;
            for (size_t b = 0; b < e->trace_id.len && b < TRACE_BYTES; b++)
                snprintf(id + 2 * b, 3, "%02x", e->trace_id.data[b]);
        }
        const char *shown = json_string_value(json_object_get(object, names[kind]));
        if (strcmp(shown == NULL ? "" : shown, id) != 0) return false;
    }
    return true;
}

static bool are_traces_shown(const Weir__Row *row, const json_t *object)
{
    struct traces_text due, shown;
    row_traces_print(row, &due);
    return json_traces_print(object, &shown) && strcmp(due.text, shown.text) == 0 &&
           are_firsts_shown(row, object);
}

static const char *wrong_in_json(const Weir__Row *row, const json_t *object)
{
    if (json_integer_value(json_object_get(object, "end_ms")) != row->end_ns / NS_PER_MS)
        return "end_ms";
    if (json_integer_value(json_object_get(object, "start_ms")) != row->start_ns / NS_PER_MS)
        return "start_ms";
    for (size_t i = 0; i < row->n_column; i++) {
        if (!is_column_shown(row->column[i], object)) return row->column[i]->name;
    }
    return are_traces_shown(row, object) ? NULL : "traces";
}

static void check_json(struct shown *shown, const char *key, struct due *due, const char *value)
{
    json_error_t why;
    json_t *object = json_loads(value, 0, &why);
    const char *wrong = object == NULL ? why.text : wrong_in_json(due->row, object);
    if (wrong != NULL) differ(shown, key, wrong, value);
    shown->equal += wrong == NULL;
    json_decref(object);
}

/*
 * The newest slice that was scored. What came late for it since is in its newest row, which has no scores: then that
 * there is such a slice is all that can be said.
 */
static void check_scores(struct shown *shown, const char *series, const char *value)
{
    char key[KEY_BYTES];
    json_t *object = json_loads(value, 0, NULL);
    int64_t start_ms = json_integer_value(json_object_get(object, "start_ms"));
    int64_t end_ms = json_integer_value(json_object_get(object, "end_ms"));
    history_key(key, series, end_ms - start_ms, end_ms);
    json_decref(object);
    uint32_t at = book_find(&shown->keys, key, false);
    if (at == UINT32_MAX)
        differ(shown, key, "scores", value);
    else if (shown->due[at].row->status == WEIR__ROW_STATUS__REVISED)
        shown->equal++;
    else
        check_json(shown, key, &shown->due[at], value);
}

/* The first two numbers of a history row are exact. */
static void check_history(struct shown *shown, const char *key, struct due *due, const char *value)
{
    const Weir__RowColumn *spans = row_column(due->row, "spans");
    const Weir__RowColumn *errors = row_column(due->row, "errors");
    char *end;
    bool equal = spans != NULL && errors != NULL && strtoull(value, &end, 10) == spans->integer &&
                 *end == ',' && strtoull(end + 1, NULL, 10) == errors->integer;
    if (!equal) differ(shown, key, "spans or errors", value);
    shown->equal += equal;
}

static void check_line(
    struct shown *shown, const char *kind, const char *series, char *field, const char *value)
{
    char key[KEY_BYTES];
    char *end_ms = strchr(field, ' ');
    bool is_history = strcmp(kind, "history") == 0;
    if (is_history) {
        if (end_ms == NULL) die("a history line without an end: %s", field);
        *end_ms++ = '\0';
        history_key(key, series, duration_ns(field) / NS_PER_MS, strtoll(end_ms, NULL, 10));
    } else {
        if (strcmp(field, "open") == 0) return; /* a pane that is not closed */
        if (strcmp(field, "scores") == 0) {
            check_scores(shown, series, value);
            return;
        }
        now_key(key, series, duration_ns(field) / NS_PER_MS);
    }
    uint32_t at = book_find(&shown->keys, key, false);
    if (at == UINT32_MAX) {
        if (shown->unknown++ < SHOWN_MAX) printf("Redis alone has: %s\n", key);
        return;
    }
    shown->due[at].seen = true;
    if (is_history) {
        check_history(shown, key, &shown->due[at], value);
    } else {
        check_json(shown, key, &shown->due[at], value);
    }
}

static void lines_read(struct shown *shown, FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while ((size = getline(&line, &room, in)) > 0) {
        char *rest = line;
        if (line[size - 1] == '\n') line[size - 1] = '\0';
        const char *kind = strsep(&rest, "\t"), *series = strsep(&rest, "\t");
        char *field = strsep(&rest, "\t");
        if (rest == NULL) die("not four fields: %s", line);
        check_line(shown, kind, series, field, rest);
    }
    free(line);
}

/* A newest row is gone three widths and a minute after it was sent, as sinks/REDIS.md says. */
static bool is_over(const char *key, const Weir__Row *row)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return strncmp(key, "now ", 4) == 0 &&
           row->sent_ms + 3 * width_ms_of(row) + 60000 <= now.tv_sec * 1000 + 1000;
}

bool shown_compare(FILE *in, const char *brokers, const char *topic)
{
    struct shown shown = {.pane_ms = INT64_MAX};
    struct rows *rows = rows_open(brokers, topic);
    rows_each(rows, pane_take, &shown);
    rows_each(rows, due_take, &shown);
    lines_read(&shown, in);
    for (size_t i = 0; i < shown.dues; i++) {
        if (shown.due[i].seen || is_over(shown.keys.series[i], shown.due[i].row)) continue;
        if (shown.missing++ < SHOWN_MAX) printf("Redis lacks: %s\n", shown.keys.series[i]);
    }
    printf("redis: %" PRIu64 " rows equal, %" PRIu64 " differ, %" PRIu64 " missing, %" PRIu64
           " unexpected\n",
        shown.equal, shown.differ, shown.missing, shown.unknown);
    bool equal = shown.equal > 0 && shown.differ + shown.missing + shown.unknown == 0;
    free(shown.due);
    book_release(&shown.keys);
    rows_close(rows);
    return equal;
}
