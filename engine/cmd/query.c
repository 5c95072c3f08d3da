/* weir query: what is in Redis, as a table for people or as JSON. */
#include "engine/cmd/query.h"

#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/instant.h"
#include "engine/cmd/arguments.h"
#include "engine/cmd/cmd.h"
#include "engine/cmd/newest.h"
#include "engine/cmd/sheet.h"
#include "schemas/series_name.h"
#include "sinks/row_json.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define TIMEOUT_NS (10 * NS_PER_S)

#define QUERY_FILE(named, field)                                                      \
    {                                                                                 \
        .key = (named), .type = OPTION_TEXT, .offset = offsetof(struct query, field), \
        .fallback = "", .help = "a PEM file"                                          \
    }
static const struct option query_options[] = {
    OPTION(TEXT, query, redis, "redis://127.0.0.1:6379", "a URL, as in redis://127.0.0.1:6379"),
    QUERY_FILE("ca-file", tls.ca),
    QUERY_FILE("certificate-file", tls.certificate),
    QUERY_FILE("key-file", tls.key),
    OPTION(TEXT, query, prefix, "weir", "of the keys, as in `weir`"),
    OPTION(TEXT, query, from, "-1h", "a time, as in -1h or 2024-05-01T12:00:00Z"),
    OPTION(TEXT, query, to, "now", "a time, as in now or 2024-05-01T13:00:00Z"),
    OPTION(DURATION, query, resolution, "0", "a duration, as in 10s"),
    OPTION(TEXT, query, quantile, "0.5,0.95,0.99", "from 0 to 1, as in 0.99"),
    OPTION(FLAG, query, json, "false", "true or false"),
    {0},
};

static const char query_help[] =
    "Usage: weir query services                 services, by their newest pane\n"
    "       weir query series [SERVICE]         series, of one service or of all\n"
    "       weir query now SERIES|SERVICE       newest rows, one column a window\n"
    "       weir query history SERIES|SERVICE   closed slices of a range\n"
    "       weir query range SERIES|SERVICE     any quantile of a range, from stored sketches\n"
    "       weir query errors SERIES|SERVICE    how spans failed, in the widest window\n"
    "       weir query traces SERIES|SERVICE    slow, failed and typical traces of it\n"
    "       weir query alerts                   what fires now\n"
    "       weir query transitions              what fired and was resolved in a range\n"
    "       weir query CONDITION                series whose newest rows meet it, with its values\n"
    "\n"
    "A series is spelled as `weir query series` prints it; a service stands for its series\n"
    "service=NAME, and for all its series with `now`, `series`, `errors` and `traces`.\n"
    "\n"
    "A condition is written as in rules: service=check* and p99[5m] > 500ms. config/RULES.md says\n"
    "what it may hold.\n"
    "\n"
    "  --from TIME        RFC 3339, Unix seconds or milliseconds, or so long ago: -1h30m [-1h]\n"
    "  --to TIME          likewise [now]\n"
    "  --resolution TIME  of the slices [the finest that is kept]\n"
    "  --quantile Q,...   0 to 1 [0.5,0.95,0.99]\n"
    "  --json             JSON instead of a table\n"
    "  --redis URL        redis://[[user]:password@]host[:port][/db], unix:///path[?db=n] or\n"
    "                     sentinel://host[:port],.../master; rediss and sentinels: over TLS\n"
    "                     [redis://127.0.0.1:6379]\n"
    "  --ca-file FILE     who may sign Redis' certificate [whom the system trusts]\n"
    "  --certificate-file FILE, --key-file FILE\n"
    "                     our own certificate, where Redis asks for one [none]\n"
    "  --prefix TEXT      of the keys [weir]\n"
    "\n"
    "Example: the 99.9th percentile of checkout's latency over the last half hour:\n"
    "  weir query range checkout --from -30m --quantile 0.999\n"
    "Example: what is slow right now, and how slow:\n"
    "  weir query 'service=check* and p99[5m] > 500ms'\n"
    "Exit codes: 0 done, 1 Redis failed, 2 wrong usage.\n";

extern const struct command command_query;

/* Names and when they were last seen: services or series. */
static void print_index(const struct query *query, const struct read_list *list, const char *title)
{
    struct buffer out = {0};
    for (size_t i = 0; i < list->count && query->json; i++) {
        query_next_element(&out);
        buffer_print(&out, "{\"%s\":", title);
        row_json_text(list->item[i].name, &out);
        buffer_print(&out, ",\"last_ms\":%lld}", (long long)list->item[i].at_ms);
    }
    if (query->json) {
        query_print_array(&out);
        return;
    }
    struct sheet sheet = {0};
    sheet_column(&sheet, title, SHEET_LEFT, false);
    sheet_column(&sheet, "last pane", SHEET_LEFT, false);
    for (size_t i = 0; i < list->count; i++) {
        sheet_cell(&sheet, list->item[i].name);
        sheet_cell(&sheet, bytes_of(instant_print(list->item[i].at_ms * NS_PER_MS).text));
    }
    query_print_sheet(&sheet);
    sheet_release(&sheet);
}

static bool is_series(const char *subject)
{
    return strchr(subject, '=') != NULL;
}

/* The services that `query` is about: the one named, or all. */
static enum status find_services(
    const struct query *query, struct read_list *services, struct error *err)
{
    if (query->subject == NULL) return redis_read_services(query->read, services, err);
    struct buffer name = {0};
    series_name_encode(&name, bytes_of(query->subject));
    struct read_item item = {.name = buffer_bytes(&name)};
    read_list_append(services, &item);
    buffer_release(&name);
    return ST_OK;
}

enum status query_find_series(
    const struct query *query, struct read_list *series, struct error *err)
{
    if (query->subject != NULL && is_series(query->subject)) {
        struct read_item item = {.name = bytes_of(query->subject)};
        read_list_append(series, &item);
        return ST_OK;
    }
    struct read_list services = {0};
    enum status status = find_services(query, &services, err);
    if (status == ST_OK) status = redis_read_series(query->read, &services, series, err);
    read_list_release(&services);
    return status;
}

static enum status query_services(struct query *query, struct error *err)
{
    struct read_list list = {0};
    enum status status = redis_read_services(query->read, &list, err);
    if (status == ST_OK) print_index(query, &list, "service");
    read_list_release(&list);
    return status;
}

static enum status query_series(struct query *query, struct error *err)
{
    struct read_list list = {0};
    enum status status = query_find_series(query, &list, err);
    if (status == ST_OK) print_index(query, &list, "series");
    read_list_release(&list);
    return status;
}

/* A value of a row as text. */
static void value_cell(struct sheet *sheet, const char *name, const json_t *value)
{
    bool is_time = strcmp(name, "start_ms") == 0 || strcmp(name, "end_ms") == 0;
    if (json_is_string(value))
        sheet_cell(sheet, bytes_of(json_string_value(value)));
    else if (json_is_integer(value) && is_time)
        sheet_cell(sheet, bytes_of(instant_print(json_integer_value(value) * NS_PER_MS).text));
    else if (json_is_integer(value))
        sheet_print_cell(sheet, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        sheet_print_cell(sheet, "%.6g", json_real_value(value));
    else
        sheet_cell(sheet, (struct bytes){0});
}

enum { WINDOWS_SHOWN = 16 };

/* The rows `from` up to `to` are of one series: one line a column of theirs, one column a window. */
static void print_now(const struct read_list *list, size_t from, size_t to)
{
    json_t *row[WINDOWS_SHOWN];
    char title[WINDOWS_SHOWN][DURATION_TEXT_BYTES];
    struct sheet sheet = {0};
    json_t *names = json_object();
    size_t rows = to - from < WINDOWS_SHOWN ? to - from : WINDOWS_SHOWN;
    sheet_column(&sheet, "", SHEET_LEFT, false);
    for (size_t r = 0; r < rows; r++) {
        const struct bytes field = list->item[from + r].field;
        snprintf(title[r], sizeof(title[r]), "%.*s", (int)field.size, (const char *)field.data);
        sheet_column(&sheet, title[r], SHEET_RIGHT, false);
        row[r] = query_json(&list->item[from + r]);
        json_object_update_missing(names, row[r]);
    }
    const char *name;
    json_t *value;
    json_object_foreach(names, name, value)
    {
        if (json_is_array(value)) continue; /* shown by `errors` and `traces` */
        sheet_cell(&sheet, bytes_of(name));
        for (size_t r = 0; r < rows; r++)
            value_cell(&sheet, name, json_object_get(row[r], name));
    }
    struct buffer shown = {0};
    sheet_escape(list->item[from].name, &shown);
    printf("%.*s\n", (int)shown.size, (const char *)shown.data);
    query_print_sheet(&sheet);
    buffer_release(&shown);
    for (size_t r = 0; r < rows; r++)
        json_decref(row[r]);
    json_decref(names);
    sheet_release(&sheet);
}

static void now_object(const struct read_list *list, size_t from, size_t to, struct buffer *out)
{
    query_next_element(out);
    buffer_print(out, "{\"series\":");
    row_json_text(list->item[from].name, out);
    buffer_print(out, ",\"rows\":{");
    for (size_t i = from; i < to; i++) {
        if (i != from) buffer_print(out, ",");
        row_json_text(list->item[i].field, out);
        buffer_print(out, ":");
        query_append_stored(&list->item[i], out);
    }
    buffer_print(out, "}}");
}

static void print_rows(const struct query *query, const struct read_list *list)
{
    struct buffer out = {0};
    for (size_t from = 0, to; from < list->count; from = to) {
        to = newest_end(list, from);
        if (query->json) {
            now_object(list, from, to, &out);
            continue;
        }
        if (from != 0) putchar('\n');
        print_now(list, from, to);
    }
    if (query->json)
        query_print_array(&out);
    else if (list->count == 0)
        printf("no rows of %s: see `weir query services`\n", query->subject);
}

static enum status query_now(struct query *query, struct error *err)
{
    struct read_list series = {0}, rows = {0};
    enum status status = query_find_series(query, &series, err);
    if (status == ST_OK) status = redis_read_now(query->read, &series, &rows, err);
    if (status == ST_OK) print_rows(query, &rows);
    read_list_release(&series);
    read_list_release(&rows);
    return status;
}

enum subject { SUBJECT_NONE, SUBJECT_MAY, SUBJECT_MUST };

static const struct question_kind {
    const char *name;
    enum subject subject;
    enum status (*ask)(struct query *query, struct error *err);
} kinds[] = {
    {"services", SUBJECT_NONE, query_services},
    {"series", SUBJECT_MAY, query_series},
    {"now", SUBJECT_MUST, query_now},
    {"history", SUBJECT_MUST, query_history},
    {"range", SUBJECT_MUST, query_range},
    {"errors", SUBJECT_MUST, query_errors},
    {"traces", SUBJECT_MUST, query_traces},
    {"alerts", SUBJECT_NONE, query_alerts},
    {"transitions", SUBJECT_NONE, query_transitions},
};

static const struct question_kind where = {"condition", SUBJECT_NONE, query_where};

/* More than a word: it can only be a condition. */
static bool is_condition(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")] != '\0';
}

static const struct question_kind *kind_find(const char *name)
{
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        if (strcmp(kinds[k].name, name) == 0) return &kinds[k];
    }
    return NULL;
}

static enum status check_times(struct query *query, struct error *err)
{
    int64_t now_ns = clock_wall_ns(), from_ns = 0, to_ns = 0;
    static const char how[] = "write -1h, now, 2024-05-01T12:00:00Z or Unix seconds";
    if (!instant_parse(query->from, now_ns, &from_ns))
        return error_set(err, ST_FATAL, 0, "--from %.60s is no time: %s", query->from, how);
    if (!instant_parse(query->to, now_ns, &to_ns))
        return error_set(err, ST_FATAL, 0, "--to %.60s is no time: %s", query->to, how);
    if (from_ns >= to_ns) return error_set(err, ST_FATAL, 0, "--from is not before --to");
    query->from_ms = (from_ns + NS_PER_MS - 1) / NS_PER_MS;
    query->to_ms = to_ns / NS_PER_MS;
    return ST_OK;
}

/* `0.5,0.99`, to be shown in the order asked for. */
static enum status check_quantiles(struct query *query, struct error *err)
{
    const char *at = query->quantile;
    for (bool more = true; more;) {
        char *end;
        double number = strtod(at, &end);
        more = *end == ',';
        if (end == at || (!more && *end != '\0') || !(number >= 0 && number <= 1)) {
            return error_set(err, ST_FATAL, 0,
                "--quantile %.60s: write numbers from 0 to 1, as in 0.5,0.99", query->quantile);
        }
        if (query->numbers == QUERY_QUANTILES_MAX)
            return error_set(err, ST_FATAL, 0, "--quantile takes at most %d", QUERY_QUANTILES_MAX);
        query->number[query->numbers++] = number;
        at = end + 1;
    }
    return ST_OK;
}

/* What was asked for, checked; NULL: `err` says what is wrong with it. */
static const struct question_kind *check(
    struct query *query, const struct arguments *arguments, struct error *err)
{
    static const char all[] =
        "services, series, now, history, range, errors, traces, alerts, transitions or a condition";
    const struct question_kind *kind = NULL;
    if (arguments->count == 0) {
        error_set(err, ST_FATAL, 0, "say what: %s", all);
        return NULL;
    }
    kind = is_condition(arguments->rest[0]) ? &where : kind_find(arguments->rest[0]);
    size_t most = kind != NULL && kind->subject != SUBJECT_NONE ? 2 : 1;
    if (kind == NULL) {
        error_set(
            err, ST_FATAL, 0, "there is no `%.40s` to ask for, but %s", arguments->rest[0], all);
    } else if (arguments->count > most) {
        error_set(err, ST_FATAL, 0, "`%.60s` is one word too many", arguments->rest[most]);
        kind = NULL;
    } else if (kind->subject == SUBJECT_MUST && arguments->count < 2) {
        error_set(err, ST_FATAL, 0, "`%s` of which series or service?", kind->name);
        kind = NULL;
    } else if (check_times(query, err) != ST_OK || check_quantiles(query, err) != ST_OK) {
        kind = NULL;
    }
    query->subject = arguments->count > 1 ? arguments->rest[1] : NULL;
    if (kind == &where) query->subject = arguments->rest[0];
    return kind;
}

static enum status query_ask(
    struct query *query, const struct question_kind *kind, struct error *err)
{
    if (query->subject != NULL && is_series(query->subject))
        buffer_print(&query->series, "%s", query->subject);
    else if (query->subject != NULL)
        series_name_append(&query->series, bytes_of("service"), bytes_of(query->subject), true);

    enum status status =
        redis_read_open(&query->read, query->redis, &query->tls, query->prefix, TIMEOUT_NS, err);
    if (status == ST_OK) status = kind->ask(query, err);
    redis_read_close(query->read);
    buffer_release(&query->series);
    return status;
}

static int query_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct query query = {0};
    struct error err;
    int exit_code = EXIT_DONE;
    const struct question_kind *kind = NULL;
    if (arguments_read(&arguments, query_options, &query, argc, argv, &err) == ST_OK)
        kind = check(&query, &arguments, &err);
    if (kind == NULL)
        exit_code = command_misused(&command_query, "%s", err.text);
    else if (query_ask(&query, kind, &err) != ST_OK)
        exit_code = command_failed(&command_query, &err, query.misused ? EXIT_USAGE : EXIT_FAILED);
    arguments_release(&arguments);
    return exit_code;
}

const struct command command_query = {
    .name = "query",
    .summary = "ask Redis for services, newest rows, history, quantiles of any range",
    .help = query_help,
    .run = query_run,
};
