/*
 * Reading back what the store wrote: the reader's answers, `weir query` and `weir top` as a person
 * or a script calls them.
 */
#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "engine/cmd/sheet.h"
#include "operators/sketch.h"
#include "sinks/redis_alerts.h"
#include "sinks/redis_read.h"
#include "sinks/row_compact.h"
#include "sinks/store.h"
#include "tests/support/random.h"
#include "tests/support/redis_server.h"
#include "tests/support/run_command.h"
#include "tests/support/sample_output.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

extern const struct command command_query, command_top;

#define NOON   INT64_C(1714564800000) /* ms; a bucket of either resolution begins here */
#define SERIES "service=checkout;operation=POST%20%2Fcart;kind=SERVER"

enum { SLICES = 150, SPANS_PER_SLICE = 40 };

static struct redis_server server;
static uint64_t durations[SLICES * SPANS_PER_SLICE]; /* ns, of all slices, in their order */

static const struct store_history histories[] = {
    {60 * NS_PER_S, 24 * 3600 * NS_PER_S, true},
    {10 * NS_PER_S, 3600 * NS_PER_S, false},
};

static void *open_store(void)
{
    struct store_config config = {.url = server.unix_url,
        .prefix = "weir",
        .trace_link = "http://jaeger/trace/{trace_id}",
        .timeout_ns = 5 * NS_PER_S,
        .plan = 0xabc,
        .pane_ns = 10 * NS_PER_S,
        .sketch_scale = 6,
        .history = histories,
        .histories = 2,
        .alerts_max = 1000};
    struct error err;
    void *self = NULL;
    assert_int_equal(store_redis.open(&self, &config, &err), ST_OK);
    return self;
}

static void apply(void *self, const struct output *output, size_t count, int64_t *applied)
{
    struct store_batch batch = {.output = output,
        .count = count,
        .prev = *applied,
        .last = *applied + (int64_t)count,
        .now_ms = clock_wall_ns() / NS_PER_MS};
    struct error err;
    assert_int_equal(store_redis.apply(self, 0, &batch, applied, &err), ST_OK);
}

/* 150 slices of a minute, each with the sketch of its spans; the slice 100 is missing. */
static void fill_slices(void *self, int64_t *applied)
{
    struct random random = random_from(42);
    struct pool pool = {0};
    struct buffer encoded = {0};
    for (int i = 0; i < SLICES; i++) {
        struct sketch sketch = {0};
        for (int s = 0; s < SPANS_PER_SLICE; s++) {
            uint64_t ns = 1000 + random_next(&random) % (UINT64_C(1) << (20 + i % 14));
            durations[i * SPANS_PER_SLICE + s] = ns;
            sketch_add(&sketch, sketch_index(6, ns), 1, &pool);
        }
        buffer_reset(&encoded);
        sketch_encode(&sketch, 6, &encoded);
        sketch_release(&sketch, &pool);
        struct output row = sample_row(SERIES, NOON + 60000 * i, 60000, SPANS_PER_SLICE);
        row.row.sketch = buffer_bytes(&encoded);
        if (i != 100) apply(self, &row, 1, applied);
    }
    buffer_release(&encoded);
    pool_release(&pool);
}

/* Of the widest window of SERIES: four traces, and error kinds with what would steer a terminal. */
static void fill_traces(struct row *row)
{
    row->exemplars = 3;
    for (uint8_t i = 0; i < 3; i++)
        row->exemplar[i] =
            (struct exemplar){.kind = i, .trace_id = {(uint8_t)(i + 1)}, .duration_ns = 1234567};
    row->error_kinds = 2;
    row->error_kind[0] = (struct error_kind){.type = bytes_of("TimeoutError"),
        .message = bytes_of("no answer within <num> ms"),
        .count = 31,
        .trace_id = {0xaa}};
    row->error_kind[1] = (struct error_kind){.type = bytes_of("500"),
        .message = bytes_of("red \x1b[31m"),
        .count = 5,
        .trace_id = {0xbb}};
    row->errors_else = 7;
}

static void fill_newest(void *self, int64_t *applied)
{
    int64_t end_ms = NOON + 60000 * SLICES;
    struct output outputs[] = {
        sample_row(SERIES, end_ms - 60000, 60000, 600),
        sample_row(SERIES, end_ms - 300000, 300000, 3000),
        sample_row(SERIES, end_ms - 10000, 10000, 100),
        sample_row("service=checkout", end_ms - 60000, 60000, 6000),
        sample_row("service=mail%1B%5B2J;operation=a%0Ab;kind=CLIENT", end_ms - 60000, 60000, 60),
        sample_row("service=gone", end_ms - 600000, 60000, 60),
        sample_row("service=checkout", NOON, 60000, 6000),
        sample_row("service=checkout", NOON, 10000, 1000),
        sample_alert("f00d", SERIES, ALERT_FIRING),
        sample_alert("beef", SERIES, ALERT_FIRING),
        sample_alert("beef", SERIES, ALERT_RESOLVED),
    };
    sample_number(&outputs[6], "latency_z", 1.5);
    sample_number(&outputs[6], "latency_expected", 20);
    sample_number(&outputs[6], "latency_low", 16);
    sample_number(&outputs[6], "latency_high", 25);
    sample_number(&outputs[6], "latency_level", 0);
    sample_number(&outputs[6], "latency_windows_needed", 60);
    static const int rolling[] = {0, 1, 3, 4, 5};
    for (size_t i = 0; i < sizeof(rolling) / sizeof(rolling[0]); i++)
        outputs[rolling[i]].row.rolling = true;
    sample_number(&outputs[2], "latency_p99_ms_z", -2);
    sample_number(&outputs[2], "rate_per_s_z", 7.25);
    outputs[6].row.sketch = bytes_of("\x01");
    fill_traces(&outputs[1].row);
    outputs[8].alert.rule = bytes_of("slow \x1b[31m");
    apply(self, outputs, sizeof(outputs) / sizeof(outputs[0]), applied);
}

/* What a notifier leaves, for the examples of the documentation. */
static void note_telling(void)
{
    struct redis_alerts_config config = {.url = server.unix_url,
        .prefix = "weir",
        .timeout_ns = 5 * NS_PER_S,
        .place = "oncall",
        .notifier = "n1",
        .stale_ns = NS_PER_S};
    struct redis_alerts *alerts = NULL;
    struct error err;
    bool anew;
    assert_int_equal(redis_alerts_open(&alerts, &config, &err), ST_OK);
    assert_int_equal(redis_alerts_join(alerts, &anew, &err), ST_OK);
    assert_int_equal(redis_alerts_restore(alerts, "since", bytes_of("1"), &err), ST_OK);
    redis_alerts_close(alerts);
}

static int start(void **unused)
{
    (void)unused;
    int64_t applied = -1;
    redis_server_start(&server, NULL);
    void *self = open_store();
    fill_slices(self, &applied);
    fill_newest(self, &applied);
    store_redis.close(self);
    note_telling();
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    redis_server_stop(&server);
    return 0;
}

#define QUERY(...) \
    run_command(   \
        &command_query, (const char *const[]){"--redis", server.unix_url, __VA_ARGS__, NULL})
#define TOP(...) \
    run_command(&command_top, (const char *const[]){"--redis", server.unix_url, __VA_ARGS__, NULL})

static json_t *json_said(const struct said *said)
{
    assert_int_equal(said->exit_code, EXIT_DONE);
    json_t *json = json_loads(said->out, 0, NULL);
    assert_non_null(json);
    return json;
}

static void services_are_listed_newest_first(void **unused)
{
    (void)unused;
    json_t *all = json_said(QUERY("services", "--json"));
    assert_int_equal(json_array_size(all), 3);
    json_t *last = json_array_get(all, 2);
    assert_string_equal(json_string_value(json_object_get(last, "service")), "gone");
    assert_int_equal(
        json_integer_value(json_object_get(last, "last_ms")), NOON + 60000 * SLICES - 540000);
    json_decref(all);
    const struct said *said = QUERY("services");
    assert_non_null(strstr(said->out, "checkout"));
    assert_non_null(strstr(said->out, "2024-05-01T14:30:00Z"));
}

static void series_are_listed_of_one_service_or_all(void **unused)
{
    (void)unused;
    json_t *all = json_said(QUERY("series", "checkout", "--json"));
    assert_int_equal(json_array_size(all), 2);
    json_decref(all);
    all = json_said(QUERY("series", "--json"));
    assert_int_equal(json_array_size(all), 4);
    json_decref(all);
    all = json_said(QUERY("series", "nobody", "--json"));
    assert_int_equal(json_array_size(all), 0);
    json_decref(all);
}

static void the_newest_rows_come_as_they_are_stored(void **unused)
{
    (void)unused;
    json_t *all = json_said(QUERY("now", SERIES, "--json"));
    json_t *rows = json_object_get(json_array_get(all, 0), "rows");
    assert_int_equal(json_object_size(rows), 3);
    json_t *row = json_object_get(rows, "1m");
    assert_int_equal(json_integer_value(json_object_get(row, "spans")), 600);
    assert_true(json_number_value(json_object_get(row, "latency_p99_ms")) == 90);
    json_decref(all);
    all = json_said(QUERY("now", "checkout", "--json"));
    assert_int_equal(json_array_size(all), 2);
    json_decref(all);
    const struct said *said = QUERY("now", SERIES);
    assert_non_null(strstr(said->out, SERIES));
    assert_non_null(strstr(said->out, "latency_p99_ms_z"));
}

static void errors_and_traces_are_those_of_the_widest_window_with_links(void **unused)
{
    (void)unused;
#define ZEROS "000000000000000000000000000000"
    const struct said *said = QUERY("errors", SERIES);
    assert_int_equal(said->exit_code, EXIT_DONE);
    assert_non_null(strstr(said->out, "31  TimeoutError  no answer within <num> ms  "
                                      "http://jaeger/trace/aa" ZEROS "\n"));
    assert_non_null(strstr(said->out, "of other kinds"));
    assert_null(strchr(said->out, '\x1b'));
    assert_non_null(strstr(said->out, "5m"));

    said = QUERY("traces", "checkout");
    assert_non_null(strstr(said->out, "1.23457  slow     http://jaeger/trace/01" ZEROS "\n"));
    assert_non_null(strstr(said->out, "1.23457  error    http://jaeger/trace/02" ZEROS "\n"));
    assert_non_null(strstr(said->out, "1.23457  typical  http://jaeger/trace/03" ZEROS "\n"));

    json_t *all = json_said(QUERY("errors", SERIES, "--json"));
    const json_t *row = json_array_get(all, 0);
    assert_string_equal(json_string_value(json_object_get(row, "window")), "5m");
    row = json_object_get(row, "row");
    assert_int_equal(json_integer_value(json_object_get(row, "errors_else")), 7);
    assert_int_equal(json_array_size(json_object_get(row, "exemplars")), 3);
    json_decref(all);

    said = QUERY("now", SERIES);
    assert_non_null(strstr(said->out, "trace_id_slow"));
    assert_null(strstr(said->out, "exemplars"));
}

static void history_is_what_the_range_holds_whole(void **unused)
{
    (void)unused;
    json_t *all = json_said(QUERY("history", SERIES, "--from", "2024-05-01T12:00:30Z", "--to",
        "2024-05-01T14:30:00Z", "--resolution", "1m", "--json"));
    assert_int_equal(json_array_size(all), SLICES - 2);
    json_t *first = json_array_get(all, 0);
    assert_int_equal(json_integer_value(json_object_get(first, "end_ms")), NOON + 120000);
    assert_int_equal(json_integer_value(json_object_get(first, "spans")), SPANS_PER_SLICE);
    assert_true(json_number_value(json_object_get(first, "latency_p95_ms")) == 55);
    assert_true(json_is_null(json_object_get(first, "z")));
    json_decref(all);

    const struct said *said =
        QUERY("history", SERIES, "--from", "1714573790", "--to", "1714573800");
    assert_int_equal(said->exit_code, EXIT_DONE);
    assert_non_null(strstr(said->out, "2024-05-01T14:30:00Z    100      10"));
    assert_non_null(strstr(said->out, "7.25"));
}

static void a_resolution_that_is_not_kept_names_those_that_are(void **unused)
{
    (void)unused;
    const struct said *said = QUERY("history", SERIES, "--resolution", "5m");
    assert_int_equal(said->exit_code, EXIT_FAILED);
    assert_non_null(strstr(said->complaint, "5m"));
    assert_non_null(strstr(said->complaint, "10s, 1m"));
}

static int smaller_first(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The value of rank ceil(q * count) among the durations of slices `from` up to `to`. */
static double exact_ms(int from, int to, double quantile)
{
    static uint64_t sorted[SLICES * SPANS_PER_SLICE];
    size_t count = 0;
    for (int i = from; i < to; i++) {
        if (i == 100) continue;
        for (int s = 0; s < SPANS_PER_SLICE; s++)
            sorted[count++] = durations[i * SPANS_PER_SLICE + s];
    }
    qsort(sorted, count, sizeof(sorted[0]), smaller_first);
    size_t rank = (size_t)ceil(quantile * (double)count);
    return (double)sorted[rank == 0 ? 0 : rank - 1] / 1e6;
}

static void a_range_has_the_quantiles_of_its_spans(void **unused)
{
    (void)unused;
    struct random random = random_from(9);
    for (int i = 0; i < 20; i++) {
        int from = (int)(random_next(&random) % (SLICES - 1));
        int to = from + 1 + (int)(random_next(&random) % (uint64_t)(SLICES - from));
        if (to > SLICES) to = SLICES;
        if (from == 100 && to == 101) continue;
        char from_text[32], to_text[32];
        snprintf(from_text, sizeof(from_text), "%lld", (long long)NOON + 60000 * from);
        snprintf(to_text, sizeof(to_text), "%lld", (long long)NOON + 60000 * to);
        json_t *range = json_said(QUERY("range", SERIES, "--from", from_text, "--to", to_text,
            "--quantile", "0.5,0.99,1,0", "--json"));
        json_t *quantiles = json_object_get(range, "quantiles");
        assert_int_equal(json_array_size(quantiles), 4);
        for (size_t q = 0; q < 4; q++) {
            json_t *one = json_array_get(quantiles, q);
            double wanted = exact_ms(from, to, json_number_value(json_object_get(one, "quantile")));
            double got = json_number_value(json_object_get(one, "ms"));
            assert_true(fabs(got - wanted) <= 0.0055 * wanted);
        }
        int missing = from <= 100 && to > 100;
        assert_int_equal(json_integer_value(json_object_get(range, "slices")), to - from - missing);
        assert_int_equal(json_integer_value(json_object_get(range, "slices_in_range")), to - from);
        json_decref(range);
    }
}

static void a_range_says_which_slices_it_covers(void **unused)
{
    (void)unused;
    const struct said *said = QUERY("range", SERIES, "--from", "2024-05-01T13:35:30Z", "--to",
        "2024-05-01T13:45:00Z", "--quantile", "0.5");
    assert_int_equal(said->exit_code, EXIT_DONE);
    assert_non_null(strstr(said->out, "320 spans in 8 of 9 slices of 1m"));
    assert_non_null(strstr(said->out, "2024-05-01T13:36:00Z to 2024-05-01T13:40:00Z"));
    assert_non_null(strstr(said->out, "2024-05-01T13:41:00Z to 2024-05-01T13:45:00Z"));

    json_t *range = json_said(QUERY("range", "service=nobody", "--from", "2024-05-01T13:35:30Z",
        "--to", "2024-05-01T13:45:00Z", "--json"));
    assert_int_equal(json_integer_value(json_object_get(range, "slices")), 0);
    json_t *first = json_array_get(json_object_get(range, "quantiles"), 0);
    assert_true(json_is_null(json_object_get(first, "ms")));
    json_decref(range);
}

static void a_range_too_long_is_refused_with_a_way_out(void **unused)
{
    (void)unused;
    const struct said *said = QUERY(
        "history", SERIES, "--from", "1970-01-02", "--to", "2024-05-01", "--resolution", "10s");
    assert_int_equal(said->exit_code, EXIT_FAILED);
    assert_non_null(strstr(said->complaint, "coarser resolution"));
}

static void alerts_that_fire_are_listed(void **unused)
{
    (void)unused;
    json_t *all = json_said(QUERY("alerts", "--json"));
    assert_int_equal(json_array_size(all), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(all, 0), "id")), "f00d");
    json_decref(all);
    const struct said *said = QUERY("alerts");
    assert_non_null(strstr(said->out, "slow \\x1b[31m"));
    assert_null(strchr(said->out, '\x1b'));
}

static void what_fired_is_listed_with_its_state(void **unused)
{
    (void)unused;
    json_t *all = json_said(QUERY("transitions", "--from", "2024-05-01", "--json"));
    assert_int_equal(json_array_size(all), 3);
    const json_t *first = json_array_get(all, 0);
    assert_string_equal(json_string_value(json_object_get(first, "id")), "beef");
    assert_string_equal(json_string_value(json_object_get(first, "state")), "firing");
    const json_t *last = json_array_get(all, 1);
    assert_string_equal(json_string_value(json_object_get(last, "id")), "beef");
    assert_string_equal(json_string_value(json_object_get(last, "state")), "resolved");
    const json_t *other = json_array_get(all, 2);
    assert_string_equal(json_string_value(json_object_get(other, "id")), "f00d");
    json_decref(all);
    json_t *none = json_said(QUERY("transitions", "--json")); /* the last hour */
    assert_int_equal(json_array_size(none), 0);
    json_decref(none);
    const struct said *said = QUERY("transitions", "--from", "2024-05-01");
    assert_non_null(strstr(said->out, "slow \\x1b[31m"));
    assert_non_null(strstr(said->out, "firing"));
    assert_null(strchr(said->out, '\x1b'));
}

static void conditions_find_the_series_that_meet_them(void **unused)
{
    (void)unused;
    static const struct {
        const char *condition, *found[3];
    } cases[] = {
        {"service=check* and p99[1m]>50ms", {SERIES, "service=checkout"}},
        {"spans[5m] >= 3000", {SERIES}},
        {"p99 > 1ms", {SERIES}}, /* the pane; that of service=checkout is long past */
        {"latency_p99_ms_z < 0", {SERIES}},
        {"operation=* and not service=check*",
            {"service=mail%1B%5B2J;operation=a%0Ab;kind=CLIENT"}},
        {"absent[5m]", {"service=gone"}},
        {"kind!=SERVER and spans[1m] > 5k", {"service=checkout"}},
        {"p99[1m] > 1h", {NULL}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *all = json_said(QUERY(cases[i].condition, "--json"));
        size_t wanted = 0;
        while (wanted < 3 && cases[i].found[wanted] != NULL)
            wanted++;
        if (json_array_size(all) != wanted)
            fail_msg("%s: %zu", cases[i].condition, json_array_size(all));
        for (size_t s = 0; s < wanted; s++) {
            bool found = false;
            for (size_t a = 0; a < wanted; a++) {
                const json_t *series = json_object_get(json_array_get(all, a), "series");
                found = found || strcmp(json_string_value(series), cases[i].found[s]) == 0;
            }
            if (!found) fail_msg("%s: %s", cases[i].condition, cases[i].found[s]);
        }
        json_decref(all);
    }
}

static void conditions_show_what_they_read(void **unused)
{
    (void)unused;
    json_t *all = json_said(QUERY("spans[5m] >= 3000 and p99[5m] > 1ms", "--json"));
    const json_t *values = json_object_get(json_array_get(all, 0), "values");
    assert_true(json_number_value(json_object_get(values, "p99[5m]")) == 90);
    assert_true(json_number_value(json_object_get(values, "spans[5m]")) == 3000);
    json_decref(all);
    const struct said *said = QUERY("spans[5m] >= 3000 and p99[5m] > 1ms and not absent[1h]");
    assert_int_equal(said->exit_code, EXIT_DONE);
    assert_non_null(strstr(said->out, "spans[5m]  p99[5m]  absent[1h]"));
    assert_non_null(strstr(said->out, SERIES "       3000     90ms          no"));
    said = QUERY("operation=* and not service=check*");
    assert_null(strchr(said->out, '\x1b'));
}

/* Wherever a row among the newest has them. */
static void scores_are_read_from_any_row(void **unused)
{
    (void)unused;
    char line[512];
    int64_t end_ms = NOON + 60000 * SLICES;
    snprintf(line, sizeof(line),
        "HSET weir:now:%s scored {\"start_ms\":%lld,\"end_ms\":%lld,\"spans\":1,"
        "\"errors_level\":1,\"latency_level\":2}",
        SERIES, (long long)end_ms - 60000, (long long)end_ms);
    freeReplyObject(redis_server_do(&server, line));
    static const char *const met[] = {"anomaly(any) >= page", "anomaly(latency) = page",
        "anomaly(errors) = notice and spans[1m] = 600"};
    for (size_t i = 0; i < sizeof(met) / sizeof(met[0]); i++) {
        json_t *all = json_said(QUERY(met[i], "--json"));
        assert_int_equal(json_array_size(all), 1);
        json_decref(all);
    }
    json_t *none = json_said(QUERY("anomaly(errors) >= page", "--json"));
    assert_int_equal(json_array_size(none), 0);
    json_decref(none);
    freeReplyObject(redis_server_do(&server, "HDEL weir:now:" SERIES " scored"));
}

static void a_condition_that_cannot_be_read_names_the_column(void **unused)
{
    (void)unused;
    static const struct {
        const char *condition, *hint;
    } cases[] = {
        {"p99[1m] > 50ms and p89 > 1s", "column 20: \"p89\" is no column; the nearest are p99"},
        {"servic=x", "column 1: \"servic\" is no column; the nearest is service"},
        {"p99[2m] > 1s", "column 5: there is no window of 2m; there are 10s, 1m, 5m"},
        {"spans > 1 and", "column 14: want a column, not the end"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct said *said = QUERY(cases[i].condition);
        assert_int_equal(said->exit_code, EXIT_USAGE);
        if (strstr(said->complaint, cases[i].hint) == NULL) fail_msg("%s", said->complaint);
    }
}

static void wrong_usage_says_what_would_be_right(void **unused)
{
    (void)unused;
    static const struct {
        const char *words[5], *hint;
    } cases[] = {
        {{NULL}, "services, series, now, history, range, errors, traces, alerts, transitions or a "
                 "condition"},
        {{"serices"},
            "services, series, now, history, range, errors, traces, alerts, transitions or a "
            "condition"},
        {{"now"}, "of which series"},
        {{"services", "x"}, "one word too many"},
        {{"history", "a", "--from", "yesterday"}, "--from"},
        {{"history", "a", "--from", "now", NULL}, "not before"},
        {{"range", "a", "--quantile", "99"}, "from 0 to 1"},
        {{"range", "a", "--quantile", "0.5,"}, "from 0 to 1"},
        {{"range", "a", "--quantil", "0.5"}, "--quantile"},
        {{"spans > 1", "x"}, "one word too many"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct said *said = run_command(&command_query, cases[i].words);
        assert_int_equal(said->exit_code, EXIT_USAGE);
        assert_non_null(strstr(said->complaint, cases[i].hint));
    }
}

static void a_redis_that_is_not_there_is_said_so(void **unused)
{
    (void)unused;
    static const char *const words[] = {
        "--redis", "redis://:hunter2@127.0.0.1:1", "services", NULL};
    const struct said *said = run_command(&command_query, words);
    assert_int_equal(said->exit_code, EXIT_FAILED);
    assert_non_null(strstr(said->complaint,
        "cannot connect to redis://127.0.0.1:1: Connection refused; is Redis running"));
    assert_null(strstr(said->complaint, "hunter2"));
    said = run_command(&command_top, words + 2);
    assert_int_equal(said->exit_code, EXIT_USAGE);
}

static void top_shows_the_shortest_window_by_rate(void **unused)
{
    (void)unused;
    const struct said *said = TOP("--once");
    assert_int_equal(said->exit_code, EXIT_DONE);
    assert_non_null(strstr(said->out, "window 1m  3 series  until 2024-05-01T14:30:00Z  1 alert"));
    const char *service = strstr(said->out, "\ncheckout ");
    const char *operation = strstr(said->out, "POST /cart");
    const char *other = strstr(said->out, "mail\\x1b[2J");
    assert_non_null(service);
    assert_true(service < operation && operation < other);
    assert_non_null(strstr(said->out, "+7.2"));
    assert_non_null(strstr(said->out, "a\\x0ab"));
    assert_non_null(strstr(said->out, "slow \\x1b[31m (page) since 2024-05-01T12:00:00Z: " SERIES));
    assert_null(strstr(said->out, "gone"));
    assert_null(strchr(said->out, '\x1b'));
}

static void top_sorts_by_score_and_shows_the_window_asked_for(void **unused)
{
    (void)unused;
    const struct said *said = TOP("--once", "--sort", "z");
    const char *service = strstr(said->out, "   100 ");
    assert_non_null(service);
    assert_true(strstr(said->out, "POST /cart") < service);
    said = TOP("--once", "--window", "5m");
    assert_non_null(strstr(said->out, "window 5m  1 series"));
    said = TOP("--once", "--window", "7m");
    assert_int_equal(said->exit_code, EXIT_FAILED);
    assert_non_null(strstr(said->complaint, "5m"));
}

static void a_prefix_without_rows_is_explained(void **unused)
{
    (void)unused;
    const struct said *said = TOP("--once", "--prefix", "nothing");
    assert_int_equal(said->exit_code, EXIT_DONE);
    assert_non_null(strstr(said->out, "no rows yet under prefix nothing"));
    said = QUERY("history", SERIES, "--prefix", "nothing");
    assert_int_equal(said->exit_code, EXIT_FAILED);
    assert_non_null(strstr(said->complaint, "nothing was written"));
}

static void a_thousand_series_are_read_in_a_few_pipelines(void **unused)
{
    (void)unused;
    struct redis_read *read = NULL;
    struct read_list series = {0}, rows = {0};
    struct error err;
    for (int i = 0; i < 1200; i++) {
        char name[64];
        snprintf(name, sizeof(name), "service=s%d", i);
        struct read_item item = {.name = bytes_of(i % 100 == 0 ? SERIES : name)};
        read_list_append(&series, &item);
    }
    assert_int_equal(
        redis_read_open(&read, server.unix_url, NULL, "weir", 5 * NS_PER_S, &err), ST_OK);
    assert_int_equal(redis_read_now(read, &series, &rows, &err), ST_OK);
    assert_int_equal(rows.count, 12 * 3);
    redis_read_close(read);
    read_list_release(&series);
    read_list_release(&rows);
}

/* Run one line of the documentation at our server; gives what it prints, or fails. */
static void run_documented(const char *line)
{
    static const char cli[] = "redis-cli";
    char command[1200], answer[64];
    assert_memory_equal(line, cli, strlen(cli));
    snprintf(command, sizeof(command), "redis-cli -p %d -e%s", server.port, line + strlen(cli));
    FILE *output = popen(command, "r");
    assert_non_null(output);
    size_t size = fread(answer, 1, sizeof(answer), output);
    while (fgetc(output) != EOF)
        continue;
    int failed = pclose(output);
    if (failed != 0 || size <= 1) fail_msg("it gives nothing: %s", line);
}

static void every_example_of_the_documentation_gives_something(void **unused)
{
    (void)unused;
    char line[1024];
    int lines = 0;
    FILE *document = fopen("sinks/REDIS.md", "r");
    assert_non_null(document);
    while (fgets(line, sizeof(line), document) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "redis-cli ", strlen("redis-cli ")) != 0) continue;
        run_documented(line);
        lines++;
    }
    fclose(document);
    assert_true(lines >= 10);
}

/* Its user was made by the line of the documentation that ran just before. */
static void the_documented_dashboard_user_may_read_all_and_write_nothing(void **unused)
{
    (void)unused;
    char url[160];
    struct error err;
    snprintf(url, sizeof(url), "redis://dashboard:look@127.0.0.1:%d", server.port);
    const char *const words[] = {"--redis", url, "--once", NULL};
    assert_int_equal(run_command(&command_top, words)->exit_code, EXIT_DONE);
    const char *const range[] = {
        "--redis", url, "range", SERIES, "--from", "1714564800", "--to", "1714573800", NULL};
    assert_int_equal(run_command(&command_query, range)->exit_code, EXIT_DONE);

    struct store_config config = {
        .url = url, .prefix = "weir", .timeout_ns = 5 * NS_PER_S, .plan = 1, .alerts_max = 1};
    struct store_batch batch = {.prev = -1, .last = 0};
    void *self = NULL;
    int64_t applied;
    assert_int_equal(store_redis.open(&self, &config, &err), ST_OK);
    assert_int_equal(store_redis.apply(self, 0, &batch, &applied, &err), ST_FATAL);
    store_redis.close(self);
}

static void times_are_read_as_people_write_them(void **unused)
{
    (void)unused;
    int64_t now_ns = 1714573800 * NS_PER_S, ns = 0;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"now", 1714573800000},
        {"-1h30m", 1714568400000},
        {"now-10s", 1714573790000},
        {"1714564800", 1714564800000},
        {"1714564800123", 1714564800123},
        {"2024-05-01", 1714521600000},
        {"2024-05-01T12:00", 1714564800000},
        {"2024-05-01T12:00:00Z", 1714564800000},
        {"2024-05-01 14:00:00.25+02:00", 1714564800250},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"0", 0},
    };
    static const char *const bad[] = {"", "-", "-x", "now+1h", "yesterday", "2024-13-01",
        "2024-02-30", "2023-02-29T01:00:00Z", "2024-05-01T25:00:00Z", "2024-05-01T12:00:00X",
        "2024-05-01T12:00:00.Z", "2024-05-01T12:00:00+0200", "99999999999999999", "1e9", "-99999d",
        "2262-05-01"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(instant_parse(good[i].text, now_ns, &ns));
        assert_int_equal(ns, good[i].ms * NS_PER_MS);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ns = -7;
        if (instant_parse(bad[i], now_ns, &ns)) fail_msg("%s was taken for a time", bad[i]);
        assert_int_equal(ns, -7);
    }
    assert_string_equal(instant_print(1714564800250 * NS_PER_MS).text, "2024-05-01T12:00:00.250Z");
}

static void a_sheet_fits_and_shows_no_control_character(void **unused)
{
    (void)unused;
    struct sheet sheet = {0};
    struct buffer out = {0};
    sheet_column(&sheet, "NAME", SHEET_LEFT, true);
    sheet_column(&sheet, "N", SHEET_RIGHT, false);
    sheet_cell(&sheet, bytes_of("\xc3\xa9t\xc3\xa9 is long enough"));
    sheet_number(&sheet, 1, 12.34);
    sheet_cell(&sheet, bytes_of("a\tb\xe2\x80\xae\xff"));
    sheet_number(&sheet, 1, NAN);
    sheet_write(&sheet, 18, 2, "\n", &out);
    buffer_append(&out, "", 1);
    assert_string_equal((char *)out.data, "NAME             N\n"
                                          "\xc3\xa9t\xc3\xa9 is long…  12.3\n"
                                          "a\\x09b\\xe2\\…      \n");
    sheet_release(&sheet);
    buffer_release(&out);
}

int main(void)
{
    redis_server_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_listed_newest_first),
        cmocka_unit_test(series_are_listed_of_one_service_or_all),
        cmocka_unit_test(the_newest_rows_come_as_they_are_stored),
        cmocka_unit_test(errors_and_traces_are_those_of_the_widest_window_with_links),
        cmocka_unit_test(history_is_what_the_range_holds_whole),
        cmocka_unit_test(a_resolution_that_is_not_kept_names_those_that_are),
        cmocka_unit_test(a_range_has_the_quantiles_of_its_spans),
        cmocka_unit_test(a_range_says_which_slices_it_covers),
        cmocka_unit_test(a_range_too_long_is_refused_with_a_way_out),
        cmocka_unit_test(alerts_that_fire_are_listed),
        cmocka_unit_test(what_fired_is_listed_with_its_state),
        cmocka_unit_test(conditions_find_the_series_that_meet_them),
        cmocka_unit_test(conditions_show_what_they_read),
        cmocka_unit_test(scores_are_read_from_any_row),
        cmocka_unit_test(a_condition_that_cannot_be_read_names_the_column),
        cmocka_unit_test(wrong_usage_says_what_would_be_right),
        cmocka_unit_test(a_redis_that_is_not_there_is_said_so),
        cmocka_unit_test(top_shows_the_shortest_window_by_rate),
        cmocka_unit_test(top_sorts_by_score_and_shows_the_window_asked_for),
        cmocka_unit_test(a_prefix_without_rows_is_explained),
        cmocka_unit_test(a_thousand_series_are_read_in_a_few_pipelines),
        cmocka_unit_test(every_example_of_the_documentation_gives_something),
        cmocka_unit_test(the_documented_dashboard_user_may_read_all_and_write_nothing),
        cmocka_unit_test(times_are_read_as_people_write_them),
        cmocka_unit_test(a_sheet_fits_and_shows_no_control_character),
    };
    return cmocka_run_group_tests_name("query", tests, start, stop);
}
