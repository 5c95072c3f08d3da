/* rules: when a condition holds, for how long, over which rows, and what is then said. */
#include "operators/glob.h"
#include "operators/rule.h"
#include "tests/support/operator_bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const char checkout[] = "service=checkout;operation=POST%20%2Fcart;kind=SERVER";

/* A rule on one series, and what was said last. */
struct watched {
    struct operator_bench b;
    const char *series;
    int64_t lag_ns;
    struct buffer text;
    struct transition said;
};

static void watch(struct watched *w, const char *config)
{
    struct error err = {0};
    *w = (struct watched){.series = checkout};
    if (operator_bench_open(&w->b, "rules", config, &err) != ST_OK) fail_msg("%s", err.text);
}

static void unwatch(struct watched *w)
{
    operator_bench_close(&w->b);
    buffer_release(&w->text);
}

static struct row row_of(int64_t end_s, int64_t width_s, bool rolling, double ratio)
{
    struct row row = {
        .start_ns = (end_s - width_s) * BENCH_SECOND_NS,
        .end_ns = end_s * BENCH_SECOND_NS,
        .rolling = rolling,
    };
    row_set_integer(&row, COLUMN_SPANS, 100);
    if (!isnan(ratio)) row_set_number(&row, COLUMN_ERROR_RATIO, ratio);
    return row;
}

static void step(struct watched *w, struct row row)
{
    struct transition out = {0};
    row.series = bytes_of(w->series);
    w->b.op->step(w->b.self, w->b.state, &row);
    assert_false(out.happened);
}

/* The end of a pane, all its rows having been seen. */
static bool settle(struct watched *w, int64_t end_s, bool silent)
{
    struct closing_moment moment = {.series = bytes_of(w->series),
        .end_ns = end_s * BENCH_SECOND_NS,
        .lag_ns = w->lag_ns,
        .silent = silent};
    buffer_reset(&w->text);
    w->said = (struct transition){.text = &w->text};
    w->b.op->settle(w->b.self, w->b.state, &moment, &w->said);
    return w->said.happened;
}

/* A pane with this error ratio closes. */
static bool pane(struct watched *w, int64_t end_s, double ratio)
{
    step(w, row_of(end_s, 10, false, ratio));
    return settle(w, end_s, false);
}

static bool silent_pane(struct watched *w, int64_t end_s)
{
    struct row row = row_of(end_s, 10, false, NAN);
    row_set_integer(&row, COLUMN_SPANS, 0);
    step(w, row);
    return settle(w, end_s, true);
}

static bool awake(const struct watched *w)
{
    return w->b.op->awake(w->b.self, w->b.state);
}

static void assert_turned(
    const struct watched *w, enum alert_state state, int64_t since_s, int64_t at_s)
{
    assert_true(w->said.happened);
    assert_int_equal(w->said.alert.state, state);
    assert_int_equal(w->said.alert.since_ns, since_s * BENCH_SECOND_NS);
    assert_int_equal(w->said.alert.at_ns, at_s * BENCH_SECOND_NS);
}

static void a_rule_without_for_fires_at_once_and_resolves(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: errors, when: error_ratio > 5%, severity: page}");
    assert_false(pane(&w, 10, 0.05)); /* not above */
    assert_false(awake(&w));
    assert_true(pane(&w, 20, 0.06));
    assert_turned(&w, ALERT_FIRING, 10, 20);
    assert_true(bytes_are(w.said.alert.rule, "errors"));
    assert_true(bytes_are(w.said.alert.severity, "page"));
    assert_true(bytes_are(w.said.alert.condition, "error_ratio > 5%"));
    assert_true(w.said.alert.value == 0.06);
    assert_false(w.said.alert.together);
    assert_true(awake(&w));
    assert_false(pane(&w, 30, 0.5));
    assert_true(pane(&w, 40, 0.01));
    assert_turned(&w, ALERT_RESOLVED, 10, 40);
    assert_true(w.said.alert.value == 0.01);
    assert_false(awake(&w));
    assert_false(pane(&w, 50, 0.01));
    assert_true(pane(&w, 60, 1)); /* a new one */
    assert_turned(&w, ALERT_FIRING, 50, 60);
    unwatch(&w);
}

static void for_is_how_long_it_must_hold(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: error_ratio > 0.1, for: 30s}");
    assert_false(pane(&w, 10, 1));
    assert_true(awake(&w));
    assert_false(pane(&w, 20, 1));
    assert_false(pane(&w, 30, 0)); /* begins anew */
    assert_false(awake(&w));
    assert_false(pane(&w, 40, 1));
    assert_false(pane(&w, 50, 1));
    assert_true(pane(&w, 60, 1));
    assert_turned(&w, ALERT_FIRING, 30, 60);
    assert_true(pane(&w, 70, 0));
    assert_turned(&w, ALERT_RESOLVED, 30, 70);
    unwatch(&w);
}

static void keep_firing_for_is_how_long_it_must_not(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: error_ratio > 0.1, keep_firing_for: 30s}");
    assert_true(pane(&w, 10, 1));
    assert_false(pane(&w, 20, 0));
    assert_false(pane(&w, 30, 0));
    assert_true(awake(&w));
    assert_false(pane(&w, 40, 1)); /* goes on */
    assert_false(pane(&w, 50, 0));
    assert_false(pane(&w, 60, NAN));
    assert_true(pane(&w, 70, 0));
    assert_turned(&w, ALERT_RESOLVED, 0, 70);
    assert_false(awake(&w));
    unwatch(&w);
}

static void what_is_unknown_neither_begins_nor_keeps_an_alert(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: error_ratio > 0.1, for: 20s}");
    assert_false(pane(&w, 10, NAN));
    assert_false(pane(&w, 20, 1));
    assert_false(pane(&w, 30, NAN)); /* pending no more */
    assert_false(pane(&w, 40, 1));
    assert_true(pane(&w, 50, 1));
    assert_true(pane(&w, 60, NAN));
    assert_turned(&w, ALERT_RESOLVED, 30, 60);
    assert_true(isnan(w.said.alert.value));
    unwatch(&w);

    watch(&w, "{name: e, when: not error_ratio > 0.1}");
    assert_false(pane(&w, 10, NAN));
    assert_true(pane(&w, 20, 0));
    unwatch(&w);
}

/* Each window moves by its hop, and what it said last stands until it moves again. */
static void a_value_stands_until_the_next_row_of_its_window(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: 'error_ratio[1m] > 10% and error_ratio[5m] > 10%'}");
    step(&w, row_of(10, 60, true, 1));
    assert_false(pane(&w, 10, 0)); /* of 5m nothing is known */
    step(&w, row_of(20, 60, true, 1));
    step(&w, row_of(20, 300, true, 1));
    assert_true(pane(&w, 20, 0));
    assert_turned(&w, ALERT_FIRING, 10, 20);
    step(&w, row_of(30, 60, true, 1));
    assert_false(pane(&w, 30, 0));
    step(&w, row_of(40, 60, true, 0));
    assert_true(pane(&w, 40, 0));
    unwatch(&w);
}

static void rows_of_other_windows_are_not_looked_at(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: 'error_ratio[1m] > 10%'}");
    step(&w, row_of(60, 300, true, 1));
    step(&w, row_of(60, 60, false, 1)); /* of history, as wide as the window */
    assert_false(pane(&w, 60, 1));
    step(&w, row_of(70, 60, true, 1));
    assert_true(pane(&w, 70, 0));
    unwatch(&w);
}

static void a_value_that_is_not_followed_up_is_absent_after_its_width(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: 'error_ratio[1m] > 10%'}");
    step(&w, row_of(60, 60, true, 1));
    assert_true(settle(&w, 60, false));
    assert_false(settle(&w, 110, true));
    assert_true(settle(&w, 120, true));
    assert_turned(&w, ALERT_RESOLVED, 50, 120);
    unwatch(&w);
}

static void scores_come_from_whatever_slice_has_them(void **unused)
{
    (void)unused;
    struct watched w;
    struct error err = {0};
    watch(&w, "{name: e, when: spans > 1}");
    free(w.b.state);
    memcpy(w.b.columns.name[COLUMN_SCORE], "latency_level", sizeof("latency_level"));
    memcpy(w.b.columns.name[COLUMN_SCORE + 1], "spans_z", sizeof("spans_z"));
    if (operator_bench_read(
            &w.b, "{name: e, when: 'anomaly(latency) >= notice and spans_z > 3'}", &err) != ST_OK)
        fail_msg("%s", err.text);
    struct row scored = row_of(60, 60, false, 0);
    row_set_number(&scored, COLUMN_SCORE, 1);
    step(&w, scored);
    struct row first = row_of(60, 10, false, 0);
    row_set_number(&first, COLUMN_SCORE + 1, 3.5);
    step(&w, first);
    assert_true(settle(&w, 60, false));
    assert_true(w.said.alert.value == 1);
    struct row second = row_of(70, 10, false, 0);
    row_set_number(&second, COLUMN_SCORE + 1, 4);
    step(&w, second);
    assert_false(settle(&w, 70, false)); /* both are good still */
    assert_true(pane(&w, 80, 0));        /* this pane has no score */
    assert_turned(&w, ALERT_RESOLVED, 50, 80);
    for (int64_t s = 90; s <= 130; s += 10) {
        struct row row = row_of(s, 10, false, 0);
        row_set_number(&row, COLUMN_SCORE + 1, 4);
        step(&w, row);
        bool happened = settle(&w, s, false);
        assert_int_equal(happened, s == 90 || s == 120); /* the slice is old at 120 */
    }
    unwatch(&w);
}

static void absence_is_told_of_a_series_that_had_spans(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: gone, when: 'absent[30s]'}");
    assert_false(settle(&w, 10, true)); /* never had any */
    assert_false(awake(&w));
    assert_false(pane(&w, 20, 0));
    assert_true(awake(&w));
    assert_false(silent_pane(&w, 30));
    assert_false(silent_pane(&w, 40));
    assert_true(awake(&w));
    assert_true(silent_pane(&w, 50));
    assert_turned(&w, ALERT_FIRING, 40, 50);
    assert_true(isnan(w.said.alert.value));
    assert_true(awake(&w));
    assert_false(silent_pane(&w, 60));
    assert_true(pane(&w, 70, 0));
    assert_turned(&w, ALERT_RESOLVED, 40, 70);
    unwatch(&w);
}

/* Event time far behind may be our own fault: nobody is woken, and nobody is told that it is over. */
static void absence_waits_until_event_time_has_caught_up(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: gone, when: 'absent[20s]'}");
    int64_t most_ns = 30 * BENCH_SECOND_NS + BENCH_PANE_NS + RULE_LAG_MAX_NS;
    assert_false(pane(&w, 10, 0));
    w.lag_ns = most_ns + 1;
    assert_false(silent_pane(&w, 20));
    assert_false(silent_pane(&w, 30));
    assert_false(silent_pane(&w, 40));
    assert_true(awake(&w));
    w.lag_ns = most_ns;
    assert_true(silent_pane(&w, 50));
    assert_turned(&w, ALERT_FIRING, 40, 50);
    w.lag_ns = most_ns + 1;
    assert_false(silent_pane(&w, 60)); /* fires on */
    assert_true(pane(&w, 70, 0));      /* but what is there is not absent */
    assert_turned(&w, ALERT_RESOLVED, 40, 70);
    unwatch(&w);
}

/* Series are forgotten after a day here; nothing that fires for one is left behind. */
static void an_alert_ends_before_its_series_is_forgotten(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: gone, when: 'absent[30s]', keep_firing_for: 1h}");
    const int64_t day = 24 * 3600;
    assert_false(pane(&w, 10, 0));
    assert_true(silent_pane(&w, 40));
    assert_false(silent_pane(&w, day - 10));
    assert_true(awake(&w));
    assert_true(silent_pane(&w, day));
    assert_turned(&w, ALERT_RESOLVED, 30, day);
    assert_false(awake(&w));
    assert_false(silent_pane(&w, day + 10));
    unwatch(&w);
}

static void a_rule_concerns_what_it_matches(void **unused)
{
    (void)unused;
    static const struct {
        const char *rule, *series;
        bool concerned;
    } cases[] = {
        {"{name: e, when: spans > 1}", "service=checkout", true},
        {"{name: e, when: spans > 1}", "otel.metric.overflow=true;shard=3", true},
        {"{name: e, when: spans > 1, match: {service: 'check*out*'}}", "service=checkout", true},
        {"{name: e, when: spans > 1, match: {service: 'check*out*'}}",
            "service=check%20out%2F;kind=SERVER", true},
        {"{name: e, when: spans > 1, match: {service: 'check*out*'}}",
            "kind=SERVER;service=checkout", true},
        {"{name: e, when: spans > 1, match: {service: 'check*out*'}}", "service=checker", false},
        {"{name: e, when: spans > 1, match: {service: 'check*out*'}}",
            "service=cart;operation=checkout", false},
        {"{name: e, when: spans > 1, match: {service: '*'}}", "otel.metric.overflow=true;shard=3",
            false},
        {"{name: e, when: spans > 1, match: {operation: ''}}", "service=checkout", true},
        {"{name: e, when: spans > 1, match: {operation: ''}}", checkout, false},
        {"{name: e, when: spans > 1, match: {operation: 'POST *', kind: SERVER}}", checkout, true},
        {"{name: e, when: spans > 1, match: {operation: 'POST *', kind: CLIENT}}", checkout, false},
        {"{name: e, when: service=check* and spans > 1}", checkout, true},
        {"{name: e, when: service=cart and spans > 1}", checkout, false},
        {"{name: e, when: service=cart or spans > 1}", checkout, true},
        {"{name: e, when: not service=check* and spans > 1}", checkout, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct watched w;
        watch(&w, cases[i].rule);
        if (w.b.op->concerns(w.b.self, bytes_of(cases[i].series)) != cases[i].concerned)
            fail_msg("%s: %s", cases[i].rule, cases[i].series);
        unwatch(&w);
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

static void alerts_are_labelled_and_annotated(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: 'error_ratio > 5%', severity: page, together: true,\n"
              " labels: {team: 'shop \"A\"', operation: '{{ operation }} of {{ service }}'},\n"
              " annotations: {summary: '{{ service }}: {{ value }} of {{ spans }} fail, limit "
              "{{ limit }}',\n  runbook: 'https://wiki/{{ name }}'}}");
    assert_true(pane(&w, 10, 0.25));
    assert_true(w.said.alert.together);
    assert_true(bytes_are(w.said.alert.labels,
        "{\"alertname\":\"e\",\"severity\":\"page\",\"service\":\"checkout\",\"kind\":\"SERVER\","
        "\"team\":\"shop \\\"A\\\"\",\"operation\":\"POST /cart of checkout\"}"));
    assert_true(bytes_are(w.said.alert.annotations,
        "{\"summary\":\"checkout: 25% of 100 fail, limit 5%\",\"runbook\":\"https://wiki/e\"}"));
    assert_true(pane(&w, 20, 0.01));
    assert_int_equal(w.said.alert.state, ALERT_RESOLVED);
    assert_true(bytes_are(w.said.alert.annotations,
        "{\"summary\":\"checkout: 1% of 100 fail, limit 5%\",\"runbook\":\"https://wiki/e\"}"));
    unwatch(&w);
}

static void names_from_spans_are_labels_and_no_syntax(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: 'error_ratio > 5%'}");
    w.series = "service=a%22%7D%0A%1B%5B2J;severity=none;alertname=x;%22=%FF";
    assert_true(pane(&w, 10, 1));
    assert_true(bytes_are(w.said.alert.labels,
        "{\"alertname\":\"e\",\"severity\":\"warning\",\"service\":\"a\\\"}\\\\x0a\\\\x1b[2J\","
        "\"\\\"\":\"\\\\xff\"}"));
    assert_true(bytes_are(w.said.alert.annotations, "{}"));
    unwatch(&w);
}

static void without_room_nothing_is_written_and_all_else_is_the_same(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: 'error_ratio > 5%', annotations: {summary: x}}");
    step(&w, row_of(10, 10, false, 1));
    struct closing_moment moment = {.series = bytes_of(checkout), .end_ns = 10 * BENCH_SECOND_NS};
    struct transition out = {0};
    w.b.op->settle(w.b.self, w.b.state, &moment, &out);
    assert_true(out.happened);
    assert_int_equal(out.alert.labels.size, 0);
    assert_int_equal(out.alert.annotations.size, 0);
    unwatch(&w);
}

static void state_goes_on_from_its_bytes(void **unused)
{
    (void)unused;
    static const char rule[] =
        "{name: e, when: 'error_ratio > 0.1 or absent[20s]', for: 20s, keep_firing_for: 20s}";
    struct watched a, b;
    watch(&a, rule);
    watch(&b, rule);
    static const double value[] = {1, 1, 1, 0, 1, 0, 0, 1, 0, NAN, NAN, NAN, NAN, 0, 0, 0};
    int turns = 0;
    for (int64_t i = 0; i < 16; i++) {
        memcpy(b.b.state, a.b.state, a.b.op->state_bytes(a.b.self));
        bool silent = isnan(value[i]);
        bool x = silent ? silent_pane(&a, 10 * i) : pane(&a, 10 * i, value[i]);
        bool y = silent ? silent_pane(&b, 10 * i) : pane(&b, 10 * i, value[i]);
        assert_int_equal(x, y);
        turns += x;
        assert_int_equal(a.said.alert.since_ns, b.said.alert.since_ns);
        assert_memory_equal(a.b.state, b.b.state, a.b.op->state_bytes(a.b.self));
    }
    assert_int_equal(turns, 4);
    unwatch(&a);
    unwatch(&b);
}

static void a_rule_that_leaves_resolves_what_it_said(void **unused)
{
    (void)unused;
    struct watched w;
    watch(&w, "{name: e, when: 'error_ratio > 5%', keep_firing_for: 1h}");
    assert_true(pane(&w, 10, 1));
    struct closing_moment moment = {.series = bytes_of(checkout), .end_ns = 10 * BENCH_SECOND_NS};
    buffer_reset(&w.text);
    w.said = (struct transition){.text = &w.text};
    w.b.op->leave(w.b.self, w.b.state, &moment, &w.said);
    assert_turned(&w, ALERT_RESOLVED, 0, 10);
    assert_true(w.said.alert.value == 1);
    assert_true(w.said.alert.labels.size > 2);
    w.said = (struct transition){.text = &w.text};
    w.b.op->leave(w.b.self, w.b.state, &moment, &w.said);
    assert_false(w.said.happened);
    unwatch(&w);
}

/* What logs still hold of rules that were one column and one limit. */
static void the_old_form_is_read_as_a_condition(void **unused)
{
    (void)unused;
    static const struct {
        const char *old, *condition;
    } cases[] = {
        {"{name: e, column: error_ratio, above: 5%}",
            "error_ratio > 0.050000000000000003 and spans >= 1"},
        {"{name: e, column: latency_p95_ms, above: 30, for: 20s, window: 1m}",
            "latency_p95_ms[1m] > 30 and spans[1m] >= 1"},
        {"{name: e, column: rate_per_s, below: -0.5, min_spans: 0, service: 'a b*'}",
            "rate_per_s < -0.5 and service = \"a b*\""},
        {"{name: e, column: spans, above: 3, service: 'a\"b'}",
            "spans > 3 and spans >= 1 and service = 'a\"b'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct watched w;
        watch(&w, cases[i].old);
        const struct rule *rule = w.b.self;
        if (!bytes_are(rule->condition_text, cases[i].condition))
            fail_msg("%s", rule->old.condition);
        unwatch(&w);
    }
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
    check_refused("{name: latency-high, when: 'spans[5m] > 1 and p98 > 1s'}",
        "rules: latency-high: column 19: \"p98\" is no column; the nearest are p95, p50");
    check_refused("{name: e}", "rules: e: column 1: there is no condition");
    check_refused("{name: '', when: spans > 1}", "rules: a name has 0 bytes, want 1 to 128");
    check_refused("{when: spans > 1}", "name: is missing");
    check_refused("{name: e, when: spans > 1, severity: "
                  "'0123456789012345678901234567890123456789012345678901234567890123456789"
                  "01234567890123456789012345678901234567890123456789012345678'}",
        "rules: e: severity has 129 bytes");
    check_refused("{name: e, when: spans > 1, for: 25h}", "rules: e: for is 25h, want 0s to 24h");
    check_refused("{name: e, when: spans > 1, keep_firing_for: 25h}", "keep_firing_for is 25h");
    check_refused("{name: e, when: 'absent[25h]'}", "rules: e: absent is 25h, want 0s to 24h");
    check_refused("{name: e, when: 'absent[24h]'}",
        "rules: e: absent[1d] is never true: a series "
        "without spans is forgotten after limits.series_idle, 1d");
    check_refused("{name: e, when: 'spans[2m] > 1'}", "10s, 1m, 5m");
    check_refused("{name: e, when: spans > 1, match: {servce: x}}",
        "rules: e: match: there is no dimension \"servce\"; there are service, operation, kind");
    check_refused("{name: e, when: spans > 1, match: x}", "want names with texts");
    check_refused("{name: e, when: spans > 1, match: {service: [a]}}", "want a single value");
    check_refused("{name: e, when: spans > 1, match: {operation: }}",
        "match: operation has no value; write '' for an empty one");
    check_refused("{name: e, when: spans > 1, labels: {a-b: x}}",
        "rules: e: labels: \"a-b\" cannot be a label's name");
    check_refused("{name: e, when: spans > 1, labels: {9a: x}}", "cannot be a label's name");
    check_refused("{name: e, when: spans > 1, labels: {severity: x}}",
        "labels: \"severity\" is given by the rule's severity");
    check_refused(
        "{name: e, when: spans > 1, labels: {alertname: x}}", "is given by the rule's name");
    check_refused("{name: e, when: spans > 1, labels: {team: 'a {{ value }}'}}",
        "rules: e: labels: team: column 6: a label stays as it is while an alert fires");
    check_refused("{name: e, when: spans > 1, annotations: {summary: 'p98 is {{ p98 }}'}}",
        "rules: e: annotations: summary: column 11: \"p98\" is no column");
    check_refused("{name: e, when: spans > 1, together: perhaps}", "not a flag");
    check_refused("{name: e, when: spans > 1, wen: x}", "did you mean \"when\"?");
    check_refused("{name: e, when: spans > 1, thresold: x}",
        "known are name, match, when, for, keep_firing_for, severity, together, labels, "
        "annotations");
    check_refused("{name: e, when: spans > 1, column: spans, above: 1}", "better write `when:`");
    check_refused("{name: e, column: spans}", "one of above and below");
    check_refused("{name: e, column: spanss, above: 1}", "\"spanss\" is no column");
}

static void too_many_texts_are_refused(void **unused)
{
    (void)unused;
    struct buffer config = {0};
    for (int labels = 0; labels < 2; labels++) {
        buffer_reset(&config);
        buffer_print(
            &config, "{name: e, when: spans > 1, %s: {", labels ? "labels" : "annotations");
        for (int i = 0; i < 17; i++)
            buffer_print(&config, "%sa%d: x", i == 0 ? "" : ", ", i);
        buffer_print(&config, "}}");
        buffer_append(&config, "", 1);
        check_refused((const char *)config.data,
            labels ? "labels: there are 17, at most 16" : "annotations: there are 17, at most 16");
    }
    buffer_release(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_without_for_fires_at_once_and_resolves),
        cmocka_unit_test(for_is_how_long_it_must_hold),
        cmocka_unit_test(keep_firing_for_is_how_long_it_must_not),
        cmocka_unit_test(what_is_unknown_neither_begins_nor_keeps_an_alert),
        cmocka_unit_test(a_value_stands_until_the_next_row_of_its_window),
        cmocka_unit_test(rows_of_other_windows_are_not_looked_at),
        cmocka_unit_test(a_value_that_is_not_followed_up_is_absent_after_its_width),
        cmocka_unit_test(scores_come_from_whatever_slice_has_them),
        cmocka_unit_test(absence_is_told_of_a_series_that_had_spans),
        cmocka_unit_test(absence_waits_until_event_time_has_caught_up),
        cmocka_unit_test(an_alert_ends_before_its_series_is_forgotten),
        cmocka_unit_test(a_rule_concerns_what_it_matches),
        cmocka_unit_test(patterns_match),
        cmocka_unit_test(alerts_are_labelled_and_annotated),
        cmocka_unit_test(names_from_spans_are_labels_and_no_syntax),
        cmocka_unit_test(without_room_nothing_is_written_and_all_else_is_the_same),
        cmocka_unit_test(state_goes_on_from_its_bytes),
        cmocka_unit_test(a_rule_that_leaves_resolves_what_it_said),
        cmocka_unit_test(the_old_form_is_read_as_a_condition),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(too_many_texts_are_refused),
    };
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
