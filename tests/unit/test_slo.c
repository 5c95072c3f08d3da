/* slos: what is counted and shown, for which series, and which objectives are refused. */
#include "operators/slo.h"
#include "tests/support/random.h"
#include "tests/support/traffic.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { SLO_BYTES_MAX = 3 << 10 };

static void open_traffic(struct traffic *t, const char *config)
{
    struct error err = {0};
    if (!traffic_open(t, "slos", config, 1, &err)) fail_msg("%s", err.text);
}

static double shown(const struct traffic *t, const struct row *row, const char *column)
{
    int c = columns_find(&t->bench.columns, bytes_of(column));
    if (c < 0) fail_msg("no column %s", column);
    return row_has(row, c) ? row_number(row, c) : NAN;
}

static void assert_near(double is, double want)
{
    if (!(fabs(is - want) < 1e-9)) fail_msg("%.12g, want %.12g", is, want);
}

static void columns_worked_out_by_hand(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, "{name: shop, match: {}, objective: 99%, columns: all}");
    struct row row = traffic_pane(&t, 1000, 5); /* 0.5 %, half of what is allowed */
    assert_near(shown(&t, &row, "shop_budget_left"), 0.5);
    assert_near(shown(&t, &row, "shop_burn_5m"), 0.5);
    assert_near(shown(&t, &row, "shop_burn_3d"), 0.5);

    t.now_s += TRAFFIC_HOUR_S;
    row = traffic_pane(&t, 1000, 40); /* 4 %; and 45 of 2000, 2.25 % */
    assert_near(shown(&t, &row, "shop_burn_5m"), 4);
    assert_near(shown(&t, &row, "shop_burn_1h"), 4);
    assert_near(shown(&t, &row, "shop_burn_2h"), 2.25);
    assert_near(shown(&t, &row, "shop_budget_left"), -1.25);

    t.now_s += 10 * TRAFFIC_DAY_S;
    row = traffic_pane(&t, 0, 0); /* no spans: no share of them */
    assert_true(isnan(shown(&t, &row, "shop_burn_5m")));
    assert_true(isnan(shown(&t, &row, "shop_burn_3d")));
    assert_near(shown(&t, &row, "shop_budget_left"), -1.25);
    traffic_close(&t);
}

static void as_many_columns_as_are_wanted(void **unused)
{
    (void)unused;
    static const struct {
        const char *config, *last;
        int columns;
    } cases[] = {
        {"{name: a, match: {}, objective: 99%, columns: budget}", "a_budget_left", 1},
        {"{name: a, match: {}, objective: 99%}", "a_burn_3d", 5},
        {"{name: a, match: {}, objective: 99%, columns: all}", "a_burn_3d", 8},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic t;
        open_traffic(&t, cases[i].config);
        assert_string_equal(
            t.bench.columns.name[COLUMN_SCORE + cases[i].columns - 1], cases[i].last);
        assert_string_equal(t.bench.columns.name[COLUMN_SCORE + cases[i].columns], "");
        traffic_close(&t);
    }
}

/* Slower than the threshold is bad, error or not; the counter says it exactly. */
static void latency_is_counted_at_its_threshold(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, "{name: fast, match: {}, objective: 90%, page_1h: 9, latency: 250ms}");
    struct row row = traffic_row(t.now_s + 10, 200, 150);
    row_set_integer(&row, COLUMN_THRESHOLD, 100);     /* 50ms */
    row_set_integer(&row, COLUMN_THRESHOLD + 1, 190); /* 250ms: 10 were slower, 5 % */
    t.bench.op->step(t.bench.self, t.bench.state, &row);
    assert_near(shown(&t, &row, "fast_burn_1h"), 0.5);
    assert_near(shown(&t, &row, "fast_budget_left"), 0.5);
    traffic_close(&t);
}

static struct tally budget_of(const struct traffic *t, enum burn_window window)
{
    size_t before = t->bench.op->state_bytes(t->bench.self) - burn_ring_bytes(BUDGET_30D);
    const struct burn_ring *ring = (const void *)((const char *)t->bench.state + before);
    return ring->window[window];
}

/* Panes count, once; what is scored shows where things stand; rolling and open windows do neither. */
static void only_final_panes_are_counted(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, "{name: s, match: {}, objective: 99%}");
    traffic_pane(&t, 100, 1);

    struct row rolling = traffic_row(t.now_s, 500, 500);
    rolling.rolling = true;
    t.bench.op->step(t.bench.self, t.bench.state, &rolling);
    assert_true(isnan(shown(&t, &rolling, "s_burn_1h")));
    struct row open = traffic_row(t.now_s + 10, 500, 500);
    open.status = ROW_PROVISIONAL;
    t.bench.op->step(t.bench.self, t.bench.state, &open);
    struct row wide = traffic_row(t.now_s, 500, 500);
    wide.start_ns -= 50 * BENCH_SECOND_NS;
    t.bench.op->step(t.bench.self, t.bench.state, &wide);
    assert_true(isnan(shown(&t, &wide, "s_burn_1h")));
    wide.scored = true;
    t.bench.op->step(t.bench.self, t.bench.state, &wide);
    assert_near(shown(&t, &wide, "s_burn_1h"), 1);
    assert_int_equal(budget_of(&t, BURN_BUDGET).all, 100);
    traffic_close(&t);
}

/* Cut each pane's spans into those in time and those late: the counts are those of the whole. */
static void late_spans_count_where_they_ended(void **unused)
{
    (void)unused;
    enum { PANES = 5000 };
    static const char config[] = "{name: s, match: {}, objective: 99%}";
    struct traffic whole, cut;
    struct random random = random_from(5);
    open_traffic(&whole, config);
    open_traffic(&cut, config);
    for (int i = 0; i < PANES; i++) {
        uint64_t spans = random_below(&random, 100), errors = random_below(&random, spans + 1);
        uint64_t late = random_below(&random, 100), late_errors = random_below(&random, late + 1);
        traffic_pane(&whole, spans + late, errors + late_errors);
        traffic_pane(&cut, spans, errors);

        struct row row = traffic_row(cut.now_s, late, late_errors);
        row.status = ROW_REVISED;
        int gap = (int)random_below(&random, 30);
        for (int k = 0; k < gap; k++) { /* it arrives that much later */
            traffic_pane(&whole, 0, 0);
            traffic_pane(&cut, 0, 0);
        }
        cut.bench.op->amend(cut.bench.self, cut.bench.state, &row);
        for (int w = 0; w < BURN_WINDOWS; w++) {
            struct tally a = budget_of(&whole, (enum burn_window)w);
            struct tally b = budget_of(&cut, (enum burn_window)w);
            assert_int_equal(a.all, b.all);
            assert_int_equal(a.bad, b.bad);
        }
    }
    traffic_close(&whole);
    traffic_close(&cut);
}

static int64_t utc_s(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return timegm(&tm);
}

static void a_month_turns_and_the_budget_is_whole_again(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, "{name: s, match: {}, objective: 90%, window: month, page_1h: 9}");
    t.now_s = utc_s(2028, 2, 1);
    struct row row = traffic_pane(&t, 100, 8);
    assert_near(shown(&t, &row, "s_budget_left"), 0.2);
    t.now_s = utc_s(2028, 3, 1) - 10; /* 2028 is a leap year */
    row = traffic_pane(&t, 100, 2);   /* ends with the month, and so is of it */
    assert_near(shown(&t, &row, "s_budget_left"), 0.5);
    row = traffic_pane(&t, 100, 2);
    assert_near(shown(&t, &row, "s_budget_left"), 0.8);
    assert_near(shown(&t, &row, "s_burn_1h"), 0.2);
    traffic_close(&t);
}

/* Midnight in New York, which is five hours behind in winter and four in summer. */
static void a_month_turns_when_clocks_there_say_so(void **unused)
{
    (void)unused;
    static const struct {
        int month, hours;
    } turns[] = {{3, 5}, {8, 4}};
    struct zone *zone = NULL;
    struct error err = {0};
    if (zone_load("America/New_York", &zone, &err) != ST_OK) skip();
    for (size_t i = 0; i < 2; i++) {
        struct traffic t;
        open_traffic(&t, "{name: s, match: {}, objective: 90%, window: month, page_1h: 9}");
        ((struct slo *)t.bench.self)->zone = zone; /* as prepare takes it from the context */
        t.now_s = utc_s(2028, turns[i].month, 1) + turns[i].hours * TRAFFIC_HOUR_S - 20;
        traffic_pane(&t, 100, 8);
        struct row row = traffic_pane(&t, 100, 2);
        assert_near(shown(&t, &row, "s_budget_left"), 0.5);
        row = traffic_pane(&t, 100, 2);
        assert_near(shown(&t, &row, "s_budget_left"), 0.8);
        traffic_close(&t);
    }
    zone_free(zone);
}

static void twenty_eight_days_are_forgotten_after_28_days(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, "{name: s, match: {}, objective: 90%, window: 28d, page_1h: 9}");
    traffic_pane(&t, 100, 50);
    t.now_s += 27 * TRAFFIC_DAY_S;
    struct row row = traffic_pane(&t, 100, 0);
    assert_near(shown(&t, &row, "s_budget_left"), -1.5);
    t.now_s += TRAFFIC_DAY_S;
    row = traffic_pane(&t, 100, 0);
    assert_near(shown(&t, &row, "s_budget_left"), 1);
    traffic_close(&t);
}

static void only_series_that_match_are_concerned(void **unused)
{
    (void)unused;
    static const struct {
        const char *match, *series;
        bool concerned;
    } cases[] = {
        {"{}", "service=a", true},
        {"{}", "", true},
        {"{service: check*}", "service=checkout", true},
        {"{service: check*}", "service=checkout;operation=GET%20%2F;kind=SERVER", true},
        {"{service: check*}", "service=cart", false},
        {"{service: check*, operation: ''}", "service=checkout", true},
        {"{service: check*, operation: ''}", "service=checkout;operation=GET;kind=SERVER", false},
        {"{service: '*', operation: 'GET /*'}", "service=a;operation=GET%20%2Fcart", true},
        {"{service: '*', operation: 'GET /*'}", "service=a;operation=POST%20%2Fcart", false},
        {"{service: '*', operation: 'GET /*'}", "service=a", false},
        {"{service: '*'}", "otel.metric.overflow=true;shard=3", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic t;
        char config[200];
        snprintf(config, sizeof(config), "{name: s, match: %s, objective: 99%%}", cases[i].match);
        open_traffic(&t, config);
        if (t.bench.op->concerns(t.bench.self, bytes_of(cases[i].series)) != cases[i].concerned)
            fail_msg("%s and %s", cases[i].match, cases[i].series);
        traffic_close(&t);
    }
}

static void check_refused(const char *config, const char *part)
{
    struct traffic t;
    struct error err = {0};
    assert_false(traffic_open(&t, "slos", config, 1, &err));
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, part);
    traffic_close(&t);
}

static void what_cannot_be_meant_is_refused(void **unused)
{
    (void)unused;
    check_refused("{match: {}, objective: 99%}", "name: is missing");
    check_refused("{name: s, objective: 99%}", "match: is missing");
    check_refused("{name: s, match: {}}", "objective: is missing");
    check_refused("{name: my-slo, match: {}, objective: 99%}", "\"my-slo\"");
    check_refused("{name: 9s, match: {}, objective: 99%}", "a letter first");
    check_refused("{name: \"\", match: {}, objective: 99%}", "1 to 32");
    check_refused(
        "{name: abcdefghijklmnopqrstuvwxyz1234567, match: {}, objective: 99%}", "1 to 32");
    check_refused("{name: s, match: {}, objective: 99.9}", "did you mean 99.9%?");
    check_refused("{name: s, match: {}, objective: 100%}", "objective of s is 100%");
    check_refused("{name: s, match: {}, objective: 0}", "more than 0%");
    check_refused("{name: s, match: {}, objective: nan}", "want more than 0%");
    check_refused("{name: s, match: {}, objective: 99%, latency: 100ms}",
        "only counted exactly at `thresholds`: 50ms, 250ms");
    check_refused("{name: s, match: {}, objective: 99%, window: 7d}", "28d, 30d, month");
    check_refused("{name: s, match: {}, objective: 99%, page_1h: -1}", "page_1h of s is -1");
    check_refused("{name: s, match: {}, objective: 99%, min_spans: 0}", "min_spans");
    check_refused("{name: s, match: {}, objective: 99%, min_bad: 1}", "want at least 2");
    check_refused("{name: s, match: {}, objective: 99%, for: 25h}", "for of s is 25h");
    check_refused(
        "{name: s, match: {}, objective: 99%, keep_firing_for: 2d}", "keep_firing_for of s");
}

/* The numbers are in the refusal, and what it advises is taken. */
static void a_rate_that_can_never_be_reached_is_refused_with_the_numbers(void **unused)
{
    (void)unused;
    check_refused("{name: s, match: {}, objective: 10%}",
        "page_1h of s can never fire: 14.4 times a budget of 90% are 1296% bad spans. With an "
        "objective of 10% nothing burns faster than 1.111");
    check_refused("{name: s, match: {}, objective: 90%}", "nothing burns faster than 10;");
    check_refused("{name: s, match: {}, objective: 99%, page_6h: 100}", "page_6h of s can never");
    check_refused("{name: s, match: {}, objective: 90%, page_1h: 10}", "can never fire");

    struct traffic t;
    open_traffic(&t, "{name: s, match: {}, objective: 90%, page_1h: 9.9}");
    for (int i = 0; i < 3; i++)
        traffic_pane(&t, 10, 10);
    assert_true(t.count >= 1 && traffic_rate(&t.said[0]) == 9.9);
    traffic_close(&t);
    open_traffic(&t, "{name: s, match: {}, objective: 10%, page_1h: 1.1, page_6h: 1, "
                     "ticket_1d: 0, ticket_3d: 0}");
    traffic_close(&t);
}

static void two_of_one_name_are_refused(void **unused)
{
    (void)unused;
    struct traffic t;
    struct error err = {0};
    open_traffic(&t, "{name: s, match: {}, objective: 99%}");
    free(t.bench.state);
    t.bench.state = NULL;
    assert_int_equal(
        operator_bench_read(&t.bench, "{name: s, match: {service: a}, objective: 99%}", &err),
        ST_FATAL);
    assert_non_null(strstr(err.text, "there is a column s_budget_left already"));
    traffic_close(&t);
}

/* Whoever only changes what is made of the counts keeps them; whoever counts other spans does not. */
static void counts_outlive_a_change_that_leaves_their_meaning(void **unused)
{
    (void)unused;
    static const struct {
        const char *config;
        bool same;
    } cases[] = {
        {"{name: s, match: {service: a}, objective: 99%}", true},
        {"{name: s, match: {service: a}, objective: 99.9%, page_1h: 10, min_bad: 50, for: 1m, "
         "columns: all}",
            true},
        {"{name: t, match: {service: a}, objective: 99%}", false},
        {"{name: s, match: {service: b}, objective: 99%}", false},
        {"{name: s, match: {operation: a}, objective: 99%}", false},
        {"{name: s, match: {service: a, kind: b}, objective: 99%}", false},
        {"{name: s, match: {service: a}, objective: 99%, latency: 50ms}", false},
        {"{name: s, match: {service: a}, objective: 99%, window: 28d}", false},
    };
    struct traffic first;
    open_traffic(&first, cases[0].config);
    uint64_t meaning = first.bench.op->meaning(first.bench.self);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic t;
        open_traffic(&t, cases[i].config);
        if ((t.bench.op->meaning(t.bench.self) == meaning) != cases[i].same)
            fail_msg("%s", cases[i].config);
        traffic_close(&t);
    }
    traffic_close(&first);
}

static void a_state_is_smaller_than_3_kib(void **unused)
{
    (void)unused;
    static const char *const windows[] = {"28d", "30d", "month"};
    for (size_t i = 0; i < 3; i++) {
        struct traffic t;
        char config[100];
        snprintf(config, sizeof(config), "{name: s, match: {}, objective: 99%%, window: %s}",
            windows[i]);
        open_traffic(&t, config);
        size_t bytes = t.bench.op->state_bytes(t.bench.self);
        assert_true(bytes < SLO_BYTES_MAX);
        assert_int_equal(bytes % 8, 0);
        traffic_close(&t);
    }
}

static void assert_says(struct bytes json, const char *want)
{
    if (!bytes_are(json, want))
        fail_msg("%.*s\nwant %s", (int)json.size, (const char *)json.data, want);
}

/* Labels tell alerts apart and route them; annotations may name the objective's own columns. */
static void alerts_are_worded(void **unused)
{
    (void)unused;
    struct traffic t;
    struct buffer text = {0};
    open_traffic(&t, "{name: shop, match: {service: '*'}, objective: 99%, columns: budget, "
                     "labels: {team: web, of: '{{ service }}'}, annotations: {summary: '{{ service "
                     "}} burns {{ value }} times too fast, limit {{ limit }}', left: '{{ "
                     "shop_budget_left }} left, {{ shop_burn_5m }} now'}}");
    struct row row = traffic_row(t.now_s + 10, 1000, 250);
    struct transition out = {.text = &text};
    struct closing_moment moment = {
        .series = bytes_of("service=cart%20one;kind=SERVER"), .end_ns = row.end_ns};
    t.bench.op->step(t.bench.self, t.bench.state, &row);
    t.bench.op->settle(t.bench.self, t.bench.state, &moment, &out);
    assert_true(out.happened);
    assert_says(out.alert.labels,
        "{\"alertname\":\"shop_page\",\"severity\":\"page\",\"service\":\"cart one\","
        "\"kind\":\"SERVER\",\"team\":\"web\",\"of\":\"cart one\"}");
    assert_says(out.alert.annotations,
        "{\"summary\":\"cart one burns 25 times too fast, limit 14.4\","
        "\"left\":\"-2400% left, 25 now\"}");

    buffer_reset(&text);
    out = (struct transition){.text = &text};
    t.bench.op->leave(t.bench.self, t.bench.state, &moment, &out);
    assert_true(out.happened && out.alert.state == ALERT_RESOLVED);
    assert_says(out.alert.labels,
        "{\"alertname\":\"shop_page\",\"severity\":\"page\",\"service\":\"cart one\","
        "\"kind\":\"SERVER\",\"team\":\"web\",\"of\":\"cart one\"}");
    buffer_release(&text);
    traffic_close(&t);
}

static void what_cannot_be_worded_is_refused(void **unused)
{
    (void)unused;
    check_refused("{name: s, match: {}, objective: 99%, labels: {alertname: x}}", "alertname");
    check_refused("{name: s, match: {}, objective: 99%, labels: {b: '{{ s_burn_1h }}'}}",
        "slos: s: labels: b: ");
    check_refused("{name: s, match: {}, objective: 99%, annotations: {a: '{{ t_burn_1h }}'}}",
        "slos: s: annotations: a: ");
    check_refused("{name: s, match: {sevice: a}, objective: 99%}",
        "slos: s: match: there is no dimension \"sevice\"; there are service, ");
}

/* Numbers that no trace has, from a row that something else made: nothing overflows, nothing is negative. */
static void more_bad_spans_than_spans_are_all_of_them(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, "{name: s, match: {}, objective: 99%}");
    struct row row = traffic_pane(&t, 10, 1000);
    assert_near(shown(&t, &row, "s_burn_1h"), 100);
    traffic_close(&t);
    open_traffic(&t, "{name: s, match: {}, objective: 99%, latency: 50ms}");
    struct row fast = traffic_row(t.now_s + 10, 10, 0);
    row_set_integer(&fast, COLUMN_THRESHOLD, UINT64_MAX);
    t.bench.op->step(t.bench.self, t.bench.state, &fast);
    assert_near(shown(&t, &fast, "s_burn_1h"), 0);
    traffic_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_worked_out_by_hand),
        cmocka_unit_test(as_many_columns_as_are_wanted),
        cmocka_unit_test(latency_is_counted_at_its_threshold),
        cmocka_unit_test(only_final_panes_are_counted),
        cmocka_unit_test(late_spans_count_where_they_ended),
        cmocka_unit_test(a_month_turns_and_the_budget_is_whole_again),
        cmocka_unit_test(a_month_turns_when_clocks_there_say_so),
        cmocka_unit_test(twenty_eight_days_are_forgotten_after_28_days),
        cmocka_unit_test(only_series_that_match_are_concerned),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(a_rate_that_can_never_be_reached_is_refused_with_the_numbers),
        cmocka_unit_test(two_of_one_name_are_refused),
        cmocka_unit_test(counts_outlive_a_change_that_leaves_their_meaning),
        cmocka_unit_test(a_state_is_smaller_than_3_kib),
        cmocka_unit_test(alerts_are_worded),
        cmocka_unit_test(what_cannot_be_worded_is_refused),
        cmocka_unit_test(more_bad_spans_than_spans_are_all_of_them),
    };
    return cmocka_run_group_tests_name("slo", tests, NULL, NULL);
}
