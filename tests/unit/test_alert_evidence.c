/*
 * What an alert is shown with: the signal that stands out most, traces and errors.
 *
 * Mutations that fail here: a scorer without a z that is named, a level that counts for less than a z,
 * shifts of signals that are as usual, traces of before where there are newer ones.
 */
#include "engine/evidence.h"
#include "tests/support/pipeline_bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void bench_init(struct bench_plan *bench)
{
    bench_plan_init(bench, "pane: 10s\nviews: [[operation]]\n"
                           "history: [{resolution: 1m, retain: 1h, sketches: false}]\n");
}

static void set(const struct bench_plan *bench, struct row *row, const char *name, double value)
{
    int column = columns_find(&bench->plan.columns, bytes_of(name));
    if (column < 0) fail_msg("no column %s", name);
    if (column < COLUMN_INTEGERS)
        row_set_integer(row, column, (uint64_t)value);
    else
        row_set_number(row, column, value);
}

static void assert_named(const struct alert *alert, const char *name)
{
    const struct bytes got = alert->signal.name;
    if (!bytes_are(got, name))
        fail_msg("%.*s is named, want %s", (int)got.size, (const char *)got.data, name);
}

static void nothing_stands_out_where_nothing_is_scored(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct row row = {.scored = true};
    struct alert alert = {0};
    bench_init(&bench);
    evidence_give(&bench.plan, &row, &alert);
    assert_int_equal(alert.signal.name.size, 0);
    assert_true(isnan(alert.signal.z) && isnan(alert.signal.shift) && isnan(alert.signal.mean_ms));
    bench_plan_release(&bench);
}

/* An episode of errors is on, but this window had no spans to score them by. */
static void a_signal_without_a_z_is_not_named(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct row row = {.scored = true};
    struct alert alert = {0};
    bench_init(&bench);
    set(&bench, &row, "errors_level", SCORE_PAGE);
    set(&bench, &row, "spans_level", SCORE_NOTICE);
    set(&bench, &row, "spans_z", -7.5);
    set(&bench, &row, "spans_p", 1e-13);
    set(&bench, &row, "spans_expected", 99);
    set(&bench, &row, "spans", 0);
    evidence_give(&bench.plan, &row, &alert);
    assert_named(&alert, "spans");
    assert_true(alert.signal.z == -7.5 && alert.signal.p == 1e-13);
    assert_true(alert.signal.value == 0 && alert.signal.expected == 99);
    bench_plan_release(&bench);
}

static void the_level_goes_before_the_z_and_shifts_add_up(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct row row = {.scored = true};
    struct alert alert = {0};
    bench_init(&bench);
    set(&bench, &row, "spans", 100);
    set(&bench, &row, "errors", 9);
    row_set_number(&row, COLUMN_LATENCY_MEAN_MS, 40);
    set(&bench, &row, "errors_level", SCORE_PAGE);
    set(&bench, &row, "errors_z", 5);
    set(&bench, &row, "errors_expected", 1);
    set(&bench, &row, "latency_level", SCORE_NOTICE);
    set(&bench, &row, "latency_z", 30);
    set(&bench, &row, "latency_expected", 20);
    set(&bench, &row, "spans_level", SCORE_NONE);
    set(&bench, &row, "spans_z", 3);
    set(&bench, &row, "spans_expected", 5);
    evidence_give(&bench.plan, &row, &alert);
    assert_named(&alert, "errors");
    assert_true(alert.signal.mean_ms == 40);
    assert_true(fabs(alert.signal.shift - (log(10 / 2.) + log(2))) < 1e-12);
    set(&bench, &row, "latency_level", SCORE_PAGE);
    evidence_give(&bench.plan, &row, &alert);
    assert_named(&alert, "latency");
    assert_true(alert.signal.value == 40 && alert.signal.expected == 20);
    bench_plan_release(&bench);
}

static void newer_traces_and_errors_go_before_older_ones(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct row before = {.exemplars = 2, .error_kinds = 1, .errors_else = 4}, since = {0};
    struct alert alert = {0};
    bench_init(&bench);
    before.exemplar[0].duration_ns = 1;
    before.error_kind[0] = (struct error_kind){.type = bytes_of("Old"), .count = 5};
    evidence_give(&bench.plan, &before, &alert);
    evidence_renew(&since, &alert); /* nothing came */
    assert_int_equal(alert.exemplars, 2);
    assert_int_equal(alert.errors_else, 4);
    since.exemplars = 1;
    since.exemplar[0].duration_ns = 9;
    evidence_renew(&since, &alert); /* and what did, failed nowhere */
    assert_int_equal(alert.exemplars, 1);
    assert_int_equal(alert.exemplar[0].duration_ns, 9);
    assert_true(bytes_are(alert.error_kind[0].type, "Old"));
    since.error_kinds = 1;
    since.error_kind[0] = (struct error_kind){.type = bytes_of("New"), .count = 1};
    evidence_renew(&since, &alert);
    assert_true(bytes_are(alert.error_kind[0].type, "New"));
    assert_int_equal(alert.errors_else, 0);
    bench_plan_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_stands_out_where_nothing_is_scored),
        cmocka_unit_test(a_signal_without_a_z_is_not_named),
        cmocka_unit_test(the_level_goes_before_the_z_and_shifts_add_up),
        cmocka_unit_test(newer_traces_and_errors_go_before_older_ones),
    };
    return cmocka_run_group_tests_name("alert_evidence", tests, NULL, NULL);
}
