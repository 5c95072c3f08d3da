/* slos inside aggregate: late spans, changed and removed objectives, a state taken up elsewhere. */
#include "engine/aggregate.h"
#include "engine/settings.h"
#include "tests/support/pipeline_bench.h"
#include "tests/support/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define AT(s) (BENCH_EPOCH_NS + (s)*BENCH_S)

#define HEAD                                                                                  \
    "pane: 1s\nwindows: [4s]\nlateness: 1s\nskew: 1s\nallowed_lateness: 20s\npartitions: 1\n" \
    "views: [[operation]]\nhistory: [{resolution: 1s, retain: 1h, sketches: false}]\n"        \
    "thresholds: [100ms]\nprovisional: 0s\nzscore: []\n"

static const char budget[] = HEAD "slos: [{name: s, match: {operation: a}, objective: 60%, "
                                  "page_1h: 0, page_6h: 0, ticket_1d: 0}]\n";
static const char strict[] = HEAD "slos: [{name: s, match: {operation: a}, objective: 90%, "
                                  "page_1h: 0, page_6h: 0, ticket_1d: 0}]\n";
static const char paging[] = HEAD "slos: [{name: s, match: {operation: a}, objective: 99%}]\n";
static const char labelled[] =
    HEAD "slos: [{name: s, match: {operation: a}, objective: 99%, labels: {team: shop}}]\n";
static const char nothing[] = HEAD "slos: []\n";

struct bench {
    struct bench_plan plan;
    struct bench_worker worker;
    struct bench_log log;
    struct records records;
};

static void bench_open(struct bench *b, const char *yaml)
{
    *b = (struct bench){0};
    bench_plan_init(&b->plan, yaml);
    bench_worker_init(&b->worker, &b->plan, 0, 1, 1, 0);
}

static void bench_close(struct bench *b)
{
    bench_worker_release(&b->worker);
    bench_log_release(&b->log);
    records_release(&b->records);
    bench_plan_release(&b->plan);
}

static void log_settings(struct bench *b, const char *yaml)
{
    struct bench_plan other;
    struct buffer text = {0}, record = {0};
    bench_plan_init(&other, yaml);
    settings_write(&other.config, &text);
    settings_record(&b->plan.plan, buffer_bytes(&text), 5, &record);
    bench_log_add(&b->log, 0, buffer_bytes(&record));
    buffer_release(&text);
    buffer_release(&record);
    bench_plan_release(&other);
}

/* Spans of two operations that end now or were late by up to half a minute, some failed. */
static void log_spans(struct bench *b, int64_t from_s, int64_t seconds, uint64_t good_in)
{
    static const char *const operations[] = {"a", "b"};
    struct random random = random_from((uint64_t)from_s + 1);
    for (int64_t s = from_s; s < from_s + seconds; s++) {
        struct bench_span span[12];
        for (size_t i = 0; i < 12; i++) {
            uint64_t back = random_once_in(&random, 3) ? random_below(&random, 30) : 0;
            span[i] = (struct bench_span){.service = "s",
                .operation = operations[random_below(&random, 2)],
                .kind = KIND_SERVER,
                .end_ns = AT(s) - (int64_t)back * BENCH_S,
                .duration_ns = 1000000,
                .failed = !random_once_in(&random, good_in)};
        }
        bench_record(&b->worker, 0, AT(s), span, 12);
        bench_flush(&b->worker, 1000 + s * 300, &b->log);
    }
}

/* Run the log, taken up by another aggregate after every `cut` partials; 0: by one alone. */
static void run(struct bench *b, size_t cut)
{
    struct error err;
    struct aggregate *a = aggregate_new(&b->plan.plan, 0);
    for (size_t i = 0; i < b->log.count; i++) {
        if (aggregate_apply(a, bench_log_get(&b->log, i), &b->records, &err) != ST_OK)
            fail_msg("%s", err.text);
        if (cut == 0 || i % cut != 0) continue;
        struct buffer saved = {0};
        aggregate_save(a, &saved);
        aggregate_free(a);
        a = aggregate_new(&b->plan.plan, 0);
        if (aggregate_load(a, buffer_bytes(&saved), &err) != ST_OK) fail_msg("%s", err.text);
        buffer_release(&saved);
    }
    aggregate_free(a);
}

static void output_at(const struct bench *b, size_t i, struct output *out)
{
    struct bytes key, value;
    struct error err;
    records_get(&b->records, i, &key, &value);
    assert_int_equal(output_decode(value, out, &err), ST_OK);
}

static double column(const struct output *out, const char *name)
{
    for (uint32_t c = 0; c < out->columns; c++) {
        const struct column_value *value = &out->column[c];
        if (!bytes_are(value->name, name)) continue;
        return value->is_integer ? (double)value->value.integer : value->value.number;
    }
    return NAN;
}

static bool is_pane_of_a(const struct output *out)
{
    return !out->is_alert && !out->row.rolling && out->row.end_ns - out->row.start_ns == BENCH_S &&
           bytes_are(out->row.series, "operation=a");
}

/* What the newest row of each pane holds, as the log goes on. */
enum { SECONDS = 600 };
struct panes {
    double spans[SECONDS + 100], errors[SECONDS + 100];
};

static double panes_bad_share(const struct panes *panes)
{
    double spans = 0, errors = 0;
    for (size_t i = 0; i < sizeof(panes->spans) / sizeof(panes->spans[0]); i++) {
        spans += panes->spans[i];
        errors += panes->errors[i];
    }
    return errors / spans;
}

/* Every final row shows the budget of all panes' newest rows so far, those that were revised too. */
static void the_counts_are_those_of_the_newest_rows(void **unused)
{
    (void)unused;
    struct bench b;
    static struct panes panes;
    size_t finals = 0, revised = 0;
    bench_open(&b, budget);
    log_spans(&b, 50, SECONDS, 3);
    run(&b, 7);
    for (size_t i = 0; i < b.records.count; i++) {
        struct output out;
        output_at(&b, i, &out);
        if (!is_pane_of_a(&out)) continue;
        int64_t pane = (out.row.start_ns - AT(0)) / BENCH_S;
        assert_in_range(pane, 0, SECONDS + 99);
        panes.spans[pane] = column(&out, "spans");
        panes.errors[pane] = column(&out, "errors");
        revised += out.row.status == ROW_REVISED;
        if (out.row.status != ROW_FINAL) continue;
        double left = 1 - panes_bad_share(&panes) / 0.4;
        if (!(fabs(column(&out, "s_budget_left") - left) < 1e-9))
            fail_msg("pane %lld: %.12g left, want %.12g", (long long)pane,
                column(&out, "s_budget_left"), left);
        finals++;
    }
    assert_true(finals > SECONDS / 2 && revised > 100);
    bench_close(&b);
}

static void a_state_taken_up_anywhere_says_the_same(void **unused)
{
    (void)unused;
    struct bench whole, cut;
    bench_open(&whole, paging);
    bench_open(&cut, paging);
    log_spans(&whole, 0, 300, 2);
    log_spans(&cut, 0, 300, 2);
    run(&whole, 0);
    run(&cut, 1);
    assert_int_equal(whole.records.bytes.size, cut.records.bytes.size);
    assert_memory_equal(whole.records.bytes.data, cut.records.bytes.data, whole.records.bytes.size);
    assert_int_equal(whole.records.alerts, 2);
    bench_close(&whole);
    bench_close(&cut);
}

static void only_the_series_that_matches_has_columns(void **unused)
{
    (void)unused;
    struct bench b;
    size_t with = 0, without = 0;
    bench_open(&b, budget);
    log_spans(&b, 0, 100, 2);
    run(&b, 0);
    for (size_t i = 0; i < b.records.count; i++) {
        struct output out;
        output_at(&b, i, &out);
        bool shows = !isnan(column(&out, "s_budget_left"));
        if (shows) assert_true(is_pane_of_a(&out));
        with += shows;
        without += !shows;
    }
    assert_true(with > 50 && without > 50);
    bench_close(&b);
}

/* The newest final row's budget before and after a stricter objective came: of the same counts. */
static void a_changed_objective_keeps_its_counts(void **unused)
{
    (void)unused;
    struct bench b;
    struct output out;
    static struct panes panes;
    memset(&panes, 0, sizeof(panes));
    double newest = NAN;
    bench_open(&b, budget);
    log_settings(&b, budget);
    log_spans(&b, 0, 200, 2);
    log_settings(&b, strict);
    log_spans(&b, 200, 100, 2);
    run(&b, 50);
    for (size_t i = 0; i < b.records.count; i++) {
        output_at(&b, i, &out);
        if (!is_pane_of_a(&out) || out.row.start_ns < AT(0)) continue;
        int64_t pane = (out.row.start_ns - AT(0)) / BENCH_S;
        panes.spans[pane] = column(&out, "spans");
        panes.errors[pane] = column(&out, "errors");
        if (out.row.status == ROW_FINAL) newest = column(&out, "s_budget_left");
        if (out.row.status == ROW_FINAL && pane > 250) {
            /* Late spans of the first seconds ended before AT(0); they are few. */
            double left = 1 - panes_bad_share(&panes) / 0.1;
            assert_true(fabs(newest - left) < 0.1);
        }
    }
    assert_true(newest < -3);
    bench_close(&b);
}

static size_t alerts_of(
    const struct bench *b, const char *rule, enum alert_state state, char id[33])
{
    size_t count = 0;
    for (size_t i = 0; i < b->records.count; i++) {
        struct output out;
        output_at(b, i, &out);
        if (!out.is_alert || out.alert.state != state || !bytes_are(out.alert.rule, rule)) continue;
        memcpy(id, out.alert.id, 33);
        count++;
    }
    return count;
}

static void a_removed_objective_takes_both_its_alerts_back(void **unused)
{
    (void)unused;
    struct bench b;
    static const char *const rules[] = {"s_page", "s_ticket"};
    char fired[2][33], over[2][33];
    bench_open(&b, paging);
    log_settings(&b, paging);
    log_spans(&b, 0, 60, 2);
    log_settings(&b, nothing);
    log_spans(&b, 60, 60, 2);
    run(&b, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(alerts_of(&b, rules[i], ALERT_FIRING, fired[i]), 1);
        assert_int_equal(alerts_of(&b, rules[i], ALERT_RESOLVED, over[i]), 1);
        assert_string_equal(fired[i], over[i]);
    }
    assert_string_not_equal(fired[0], fired[1]);
    bench_close(&b);
}

/* By its labels an alert is known to whoever was told: the one that fires ends under the old ones. */
static void other_labels_are_another_alert(void **unused)
{
    (void)unused;
    struct bench b;
    char id[33];
    bench_open(&b, paging);
    log_settings(&b, paging);
    log_spans(&b, 0, 60, 2);
    log_settings(&b, labelled);
    log_spans(&b, 60, 60, 2);
    run(&b, 0);
    assert_int_equal(alerts_of(&b, "s_page", ALERT_FIRING, id), 2);
    assert_int_equal(alerts_of(&b, "s_page", ALERT_RESOLVED, id), 1);
    bench_close(&b);
}

/* Nothing comes any more: the series is closed on until its alerts are over. */
static void a_series_that_fell_silent_is_resolved(void **unused)
{
    (void)unused;
    struct bench b;
    char id[33];
    bench_open(&b, paging);
    log_spans(&b, 0, 60, 2);
    for (int64_t s = 60; s < 80 * 3600; s += 600) {
        bench_record(&b.worker, 0, AT(s), NULL, 0);
        bench_flush(&b.worker, 1000 + s * 300, &b.log);
    }
    run(&b, 0);
    assert_int_equal(alerts_of(&b, "s_page", ALERT_FIRING, id), 1);
    assert_int_equal(alerts_of(&b, "s_page", ALERT_RESOLVED, id), 1);
    assert_int_equal(alerts_of(&b, "s_ticket", ALERT_RESOLVED, id), 1);
    bench_close(&b);
}

/* It comes back after it would have been forgotten, while it still says something: that is not lost. */
static void a_series_that_comes_back_late_is_resolved_too(void **unused)
{
    (void)unused;
    enum { BACK_S = 30 * 3600 }; /* limits.series_idle is 24h, a ticket stays for three days */
    struct bench b;
    char fired[33], over[33];
    bench_open(&b, paging);
    log_spans(&b, 0, 60, 2);
    log_spans(&b, BACK_S, 60, 1);
    for (int64_t s = BACK_S + 60; s < 90 * 3600; s += 600) {
        bench_record(&b.worker, 0, AT(s), NULL, 0);
        bench_flush(&b.worker, 1000 + s * 300, &b.log);
    }
    run(&b, 0);
    assert_int_equal(alerts_of(&b, "s_ticket", ALERT_FIRING, fired), 1);
    assert_int_equal(alerts_of(&b, "s_ticket", ALERT_RESOLVED, over), 1);
    assert_string_equal(fired, over);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counts_are_those_of_the_newest_rows),
        cmocka_unit_test(a_state_taken_up_anywhere_says_the_same),
        cmocka_unit_test(only_the_series_that_matches_has_columns),
        cmocka_unit_test(a_changed_objective_keeps_its_counts),
        cmocka_unit_test(a_removed_objective_takes_both_its_alerts_back),
        cmocka_unit_test(other_labels_are_another_alert),
        cmocka_unit_test(a_series_that_fell_silent_is_resolved),
        cmocka_unit_test(a_series_that_comes_back_late_is_resolved_too),
    };
    return cmocka_run_group_tests_name("slo_engine", tests, NULL, NULL);
}
