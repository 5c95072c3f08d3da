/* rules: when a condition is met, for how long, over which rows, and what is then said. */
#include "operators/glob.h"
#include "tests/support/operator_bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void open_bench(struct operator_bench *b, const char *config)
{
    struct error err = {0};
    if (operator_bench_open(b, "rules", config, &err) != ST_OK) fail_msg("%s", err.text);
}

static struct row row_of(int64_t end_s, int64_t width_s, double value)
{
    struct row row = {
        .series = bytes_of("service=checkout;operation=POST%20%2Fcart;kind=SERVER"),
        .start_ns = (end_s - width_s) * BENCH_SECOND_NS,
        .end_ns = end_s * BENCH_SECOND_NS,
        .rolling = width_s != 10,
    };
    row_set_integer(&row, COLUMN_SPANS, 100);
    if (!isnan(value)) row_set_number(&row, COLUMN_ERROR_RATIO, value);
    return row;
}

static struct transition step_row(struct operator_bench *b, struct row row)
{
    struct transition out = {0};
    b->op->step(b->self, b->state, &row, &out);
    return out;
}

static struct transition step(struct operator_bench *b, int64_t end_s, double value)
{
    return step_row(b, row_of(end_s, 10, value));
}

static void assert_quiet(struct transition out)
{
    assert_false(out.happened);
}

static void assert_turned(
    struct transition out, enum alert_state state, int64_t since_s, int64_t at_s)
{
    assert_true(out.happened);
    assert_int_equal(out.alert.state, state);
    assert_int_equal(out.alert.since_ns, since_s * BENCH_SECOND_NS);
    assert_int_equal(out.alert.at_ns, at_s * BENCH_SECOND_NS);
}

static void a_rule_without_for_fires_at_once_and_resolves(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{name: errors, column: error_ratio, above: 5%, severity: page}");
    assert_quiet(step(&b, 10, 0.05)); /* not above */
    struct transition out = step(&b, 20, 0.06);
    assert_turned(out, ALERT_FIRING, 10, 20);
    assert_true(bytes_are(out.alert.rule, "errors"));
    assert_true(bytes_are(out.alert.severity, "page"));
    assert_true(bytes_are(out.alert.column, "error_ratio"));
    assert_true(out.alert.value == 0.06);
    assert_true(out.alert.threshold == 0.05);
    assert_quiet(step(&b, 30, 0.5));
    out = step(&b, 40, 0.01);
    assert_turned(out, ALERT_RESOLVED, 10, 40);
    assert_true(out.alert.value == 0.01);
    assert_quiet(step(&b, 50, 0.01));
    assert_turned(step(&b, 60, 1), ALERT_FIRING, 50, 60); /* a new one */
    operator_bench_close(&b);
}

static void for_is_how_long_it_must_hold(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{name: e, column: error_ratio, above: 0.1, for: 30s}");
    assert_quiet(step(&b, 10, 1));
    assert_quiet(step(&b, 20, 1));
    assert_quiet(step(&b, 30, 0)); /* begins anew */
    assert_quiet(step(&b, 40, 1));
    assert_quiet(step(&b, 50, 1));
    assert_turned(step(&b, 60, 1), ALERT_FIRING, 30, 60);
    assert_turned(step(&b, 70, 0), ALERT_RESOLVED, 30, 70);
    operator_bench_close(&b);
}

static void below_is_the_other_way_round(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{name: quiet, column: error_ratio, below: 0.1}");
    assert_quiet(step(&b, 10, 0.1));
    struct transition out = step(&b, 20, 0.09);
    assert_turned(out, ALERT_FIRING, 10, 20);
    assert_true(out.alert.threshold == 0.1);
    operator_bench_close(&b);
}

static void an_absent_column_does_not_meet(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{name: e, column: error_ratio, above: 0.1}");
    assert_quiet(step(&b, 10, NAN));
    assert_turned(step(&b, 20, 1), ALERT_FIRING, 10, 20);
    struct transition out = step(&b, 30, NAN);
    assert_turned(out, ALERT_RESOLVED, 10, 30);
    assert_true(isnan(out.alert.value));

    struct row row = row_of(40, 10, 0);
    row_set_number(&row, COLUMN_ERROR_RATIO, NAN);
    assert_quiet(step_row(&b, row));
    operator_bench_close(&b);
}

static void few_spans_do_not_meet(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{name: e, column: error_ratio, above: 0.1, min_spans: 50}");
    struct row few = row_of(10, 10, 1);
    row_set_integer(&few, COLUMN_SPANS, 49);
    assert_quiet(step_row(&b, few));
    struct row enough = row_of(20, 10, 1);
    row_set_integer(&enough, COLUMN_SPANS, 50);
    assert_turned(step_row(&b, enough), ALERT_FIRING, 10, 20);
    struct row none = row_of(30, 10, 1);
    row_clear(&none, COLUMN_SPANS);
    assert_turned(step_row(&b, none), ALERT_RESOLVED, 10, 30);
    operator_bench_close(&b);
}

/* Rows of a rolling window are watched by its own rule; holding is counted in panes, not windows. */
static void a_rule_watches_its_window_only(void **unused)
{
    (void)unused;
    struct operator_bench panes, minutes;
    open_bench(&panes, "{name: p, column: error_ratio, above: 0.1, window: 10s}");
    open_bench(&minutes, "{name: m, column: error_ratio, above: 0.1, window: 1m, for: 30s}");
    assert_quiet(step_row(&panes, row_of(100, 60, 1)));
    assert_quiet(step_row(&minutes, row_of(100, 10, 1)));
    assert_quiet(step_row(&minutes, row_of(100, 300, 1)));

    struct row slice = row_of(100, 60, 1);
    slice.rolling = false; /* of history, as long as the window */
    assert_quiet(step_row(&minutes, slice));

    assert_quiet(step_row(&minutes, row_of(110, 60, 1)));
    assert_quiet(step_row(&minutes, row_of(120, 60, 1)));
    assert_turned(step_row(&minutes, row_of(130, 60, 1)), ALERT_FIRING, 50, 130);
    assert_quiet(step_row(&minutes, row_of(140, 10, 0)));
    assert_turned(step_row(&minutes, row_of(140, 60, 0)), ALERT_RESOLVED, 50, 140);
    operator_bench_close(&panes);
    operator_bench_close(&minutes);
}

static void a_rule_watches_its_services_only(void **unused)
{
    (void)unused;
    static const struct {
        const char *series;
        bool watched;
    } cases[] = {
        {"service=checkout", true},
        {"service=check%20out%2F;kind=SERVER", true},
        {"kind=SERVER;service=checkout", true},
        {"service=checker", false},
        {"service=cart;operation=checkout", false},
        {"otel.metric.overflow=true;shard=3", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct operator_bench b;
        open_bench(&b, "{name: e, column: error_ratio, above: 0.1, service: \"check*out*\"}");
        struct row row = row_of(10, 10, 1);
        row.series = bytes_of(cases[i].series);
        assert_int_equal(step_row(&b, row).happened, cases[i].watched);
        operator_bench_close(&b);

        open_bench(&b, "{name: e, column: error_ratio, above: 0.1}");
        assert_true(step_row(&b, row).happened); /* "*": any, even without a service */
        operator_bench_close(&b);
    }
}

static void patterns_match(void **unused)
{
    (void)unused;
    static const struct {
        const char *pattern, *value;
        bool matches;
    } cases[] = {
        {"*", "", true},
        {"", "", true},
        {"?", "", false},
        {"", "a", false},
        {"a", "a", true},
        {"a", "ab", false},
        {"ab", "a", false},
        {"?b", "ab", true},
        {"a*", "a", true},
        {"a*b", "axxb", true},
        {"a*b", "axxbc", false},
        {"*ab", "aaab", true},
        {"*a*b*", "xxaxxbxx", true},
        {"*a*b*", "xxbxxaxx", false},
        {"a**c", "abc", true},
        {"my app", "my%20app", true},
        {"my?app", "my%20app", true},
        {"my%20app", "my%20app", false},
        {"*%", "100%25", true},
        {"ü", "%C3%BC", true},
        {"??", "%C3%BC", true},
        {"%zz", "%zz", true},
        {"%", "%", true},
        {"%2", "%2", true},
        {"a*aaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (glob_matches(bytes_of(cases[i].pattern), bytes_of(cases[i].value)) != cases[i].matches)
            fail_msg("\"%s\" on \"%s\"", cases[i].pattern, cases[i].value);
    }
}

static void state_goes_on_from_its_bytes(void **unused)
{
    (void)unused;
    struct operator_bench a, b;
    open_bench(&a, "{name: e, column: error_ratio, above: 0.1, for: 20s}");
    open_bench(&b, "{name: e, column: error_ratio, above: 0.1, for: 20s}");
    static const double value[] = {1, 1, 1, 0, 1, 0, 1, 1, 0, 0};
    for (int64_t i = 0; i < 10; i++) {
        memcpy(b.state, a.state, a.op->state_bytes(a.self));
        struct transition x = step(&a, 10 * i, value[i]), y = step(&b, 10 * i, value[i]);
        assert_int_equal(x.happened, y.happened);
        assert_int_equal(x.happened, i == 1 || i == 3 || i == 7 || i == 8);
        assert_int_equal(x.alert.since_ns, y.alert.since_ns);
        assert_memory_equal(a.state, b.state, a.op->state_bytes(a.self));
    }
    operator_bench_close(&a);
    operator_bench_close(&b);
}

static void check_refused(const char *config, const char *part)
{
    struct operator_bench b;
    struct error err = {0};
    assert_int_equal(operator_bench_open(&b, "rules", config, &err), ST_FATAL);
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, part);
    operator_bench_close(&b);
}

static void wrong_options_are_refused(void **unused)
{
    (void)unused;
    check_refused("{name: e, column: error_ratio}", "no threshold");
    check_refused("{name: e, column: error_ratio, above: 1, below: 0}", "two thresholds");
    check_refused("{name: e, column: error_ration, above: 1}", "nearest are error_ratio");
    check_refused("{name: \"\", column: error_ratio, above: 1}", "name");
    check_refused("{column: error_ratio, above: 1}", "name");
    check_refused("{name: e, above: 1}", "column");
    check_refused("{name: e, column: error_ratio, above: 1, for: 25h}", "25h");
    check_refused("{name: e, column: error_ratio, above: 1, window: 2m}", "10s, 1m, 5m");
    check_refused("{name: e, column: error_ratio, above: 1, service: \"\"}", "service");
}

static void only_panes_have_scores(void **unused)
{
    (void)unused;
    struct operator_bench b;
    struct error err = {0};
    open_bench(&b, "{name: e, column: error_ratio, above: 1, window: 1m}");
    memcpy(b.columns.name[COLUMN_SCORE], "spans_z", sizeof("spans_z"));
    free(b.state);
    b.state = NULL;
    assert_int_equal(
        operator_bench_read(&b, "{name: e, column: spans_z, above: 3, window: 1m}", &err),
        ST_FATAL);
    assert_non_null(strstr(err.text, "only panes are scored"));
    assert_int_equal(operator_bench_read(&b, "{name: e, column: spans_z, above: 3}", &err), ST_OK);
    struct row row = row_of(10, 10, 0);
    row_set_number(&row, COLUMN_SCORE, 3.5);
    assert_turned(step_row(&b, row), ALERT_FIRING, 0, 10);
    operator_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_without_for_fires_at_once_and_resolves),
        cmocka_unit_test(for_is_how_long_it_must_hold),
        cmocka_unit_test(below_is_the_other_way_round),
        cmocka_unit_test(an_absent_column_does_not_meet),
        cmocka_unit_test(few_spans_do_not_meet),
        cmocka_unit_test(a_rule_watches_its_window_only),
        cmocka_unit_test(a_rule_watches_its_services_only),
        cmocka_unit_test(patterns_match),
        cmocka_unit_test(state_goes_on_from_its_bytes),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(only_panes_have_scores),
    };
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
