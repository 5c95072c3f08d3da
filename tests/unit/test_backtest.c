/*
 * Backtest: over rows of a running aggregate the same operators say the same, to the pane; others say
 * what they would have said, and the table shows in what they differ.
 */
#include "engine/aggregate.h"
#include "engine/backtest.h"
#include "engine/cmd/rules_backtest.h"
#include "tests/support/pipeline_bench.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AT(s)  (BENCH_EPOCH_NS + (s)*BENCH_S)
#define NEVER  INT64_MAX
#define HOUR_S INT64_C(3600)
#define END_S  (16 * HOUR_S)

#define HEAD                                                                                       \
    "pane: 1s\nwindows: [4s, 12s]\nlateness: 1s\nskew: 1s\nallowed_lateness: 20s\npartitions: 1\n" \
    "views: [[operation]]\nhistory: [{resolution: 1s, retain: 1h, sketches: false},\n"             \
    "  {resolution: 6s, retain: 1h, sketches: true}]\nscore_every: 6s\n"                           \
    "thresholds: [100ms]\nprovisional: 500ms\nlimits: {series_idle: 3h}\nzscore: [{column: "       \
    "error_ratio, history: 8}]\n"

#define RULES                                                                             \
    "anomaly: [{of: latency}, {of: errors}, {of: spans}]\n"                               \
    "rules: [{name: slow, when: 'p95[4s] > 150ms and spans[4s] >= 5', for: 3s},\n"        \
    "        {name: failing, when: 'error_ratio[6s] > 20% or errors[12s] > 30'},\n"       \
    "        {name: odd, when: 'error_ratio_z > 2', keep_firing_for: 4s},\n"              \
    "        {name: quiet, match: {operation: b}, when: 'absent[5m]', severity: page},\n" \
    "        {name: strange, when: 'anomaly(any) >= notice', keep_firing_for: 12s},\n"    \
    "        {name: spent, match: {operation: a*}, when: 'good_budget_left < -100%'}]\n"

static const char running[] = HEAD
    "slos: [{name: good, match: {operation: a*}, objective: 99%},\n"
    "       {name: fast, match: {}, objective: 95%, latency: 100ms, keep_firing_for: 1m}]\n" RULES;
static const char stricter[] =
    HEAD "slos: [{name: good, match: {operation: a*}, objective: 99%, page_1h: 25, page_6h: 9},\n"
         "       {name: late, match: {operation: b}, objective: 90%, latency: 100ms, page_1h: "
         "5}]\n" RULES;

struct bench {
    struct bench_plan plan;
    struct records records;
};

/* So many seconds from `from_s` on of spans under three operations: some late, slow or failed. */
static void spans(struct bench_worker *worker, int64_t from_s, int64_t seconds, int64_t late_from_s,
    uint64_t fails_in, struct bench_log *log)
{
    static const char *const operations[] = {"a1", "a2", "b"};
    struct random random = random_from((uint64_t)from_s + 1);
    for (int64_t s = from_s; s < from_s + seconds; s++) {
        struct bench_span span[10];
        for (size_t i = 0; i < 10; i++) {
            bool in_time = s < late_from_s || !random_once_in(&random, 4);
            uint64_t back = in_time ? 0 : random_below(&random, 30);
            if (late_from_s == 0 && s < from_s + 5) back = s == from_s ? 0 : 8;
            span[i] = (struct bench_span){.service = "s",
                .operation = operations[random_below(&random, 3)],
                .kind = KIND_SERVER,
                .end_ns = AT(s) - (int64_t)back * BENCH_S,
                .duration_ns = random_once_in(&random, fails_in) ? 200000000 : 1000000,
                .failed = random_once_in(&random, fails_in)};
        }
        bench_record(worker, 0, AT(s), span, 10);
        bench_flush(worker, AT(s) / 1000000 + 2500, log);
    }
}

/* Time without spans, told every minute. */
static void silence(
    struct bench_worker *worker, int64_t from_s, int64_t to_s, struct bench_log *log)
{
    for (int64_t s = from_s; s < to_s; s += 60) {
        bench_record(worker, 0, AT(s), NULL, 0);
        bench_flush(worker, AT(s) / 1000000 + 2500, log);
    }
}

/*
 * Well, ill, well, silent for hours, ill again, silent, ill, silent to the end. Nothing is late in the
 * beginning, as what is before the first row is not known; and nothing after the first silence, so
 * that a final row ends that, and a revised one the second.
 */
static void bench_run(struct bench *b, const char *yaml)
{
    struct bench_log log = {0};
    struct bench_worker worker;
    *b = (struct bench){0};
    bench_plan_init(&b->plan, yaml);
    bench_worker_init(&worker, &b->plan, 0, 1, 1, 0);
    spans(&worker, 40, 600, 80, 400, &log);
    spans(&worker, 640, 300, 0, 3, &log);
    spans(&worker, 940, 4 * HOUR_S, 0, 400, &log);
    silence(&worker, 940 + 4 * HOUR_S, 10 * HOUR_S, &log);
    spans(&worker, 10 * HOUR_S, 400, 11 * HOUR_S, 2, &log);
    silence(&worker, 10 * HOUR_S + 400, 14 * HOUR_S, &log);
    spans(&worker, 14 * HOUR_S, 400, 0, 20, &log);
    silence(&worker, 14 * HOUR_S + 400, END_S, &log);
    struct aggregate *a = aggregate_new(&b->plan.plan, 0);
    bench_apply(a, &log, 0, 0, &b->records);
    aggregate_free(a);
    bench_worker_release(&worker);
    bench_log_release(&log);
}

static void bench_close(struct bench *b)
{
    records_release(&b->records);
    bench_plan_release(&b->plan);
}

/* Give a backtest of `yaml` all records of a run. */
static void test_over(const struct bench *b, const char *yaml, struct episodes *episodes,
    struct backtest_counts *counts)
{
    struct bench_plan plan;
    struct error err;
    bench_plan_init(&plan, yaml);
    struct tellings tellings = {0};
    struct backtest *t = backtest_new(&plan.plan, episodes, &tellings);
    for (size_t i = 0; i < b->records.count; i++) {
        struct bytes key, value;
        records_get(&b->records, i, &key, &value);
        if (backtest_take(t, value, &err) != ST_OK) fail_msg("%s", err.text);
    }
    backtest_finish(t, AT(END_S - 60) - 2 * BENCH_S); /* the watermark's last word */
    backtest_counts(t, counts);
    backtest_free(t);
    tellings_decide(&tellings, plan.plan.fingerprint, episodes);
    bench_plan_release(&plan);
}

static size_t count_of(const struct episode_pair *pair, size_t count, const char *kind)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const struct episode *ran = pair[i].ran, *tested = pair[i].tested;
        const char *is = "changed";
        if (ran == NULL) is = "new";
        if (tested == NULL) is = "gone";
        if (ran != NULL && tested != NULL && ran->fired_ns == tested->fired_ns &&
            ran->resolved_ns == tested->resolved_ns)
            is = "same";
        found += strcmp(is, kind) == 0;
    }
    return found;
}

static void print_failed(const struct episode_pair *pair, size_t count)
{
    struct buffer out = {0};
    rules_backtest_print(pair, count, 0, &out);
    fwrite(out.data, 1, out.size, stderr);
    buffer_release(&out);
}

static void assert_has(const struct episode_pair *pair, size_t count, const char *rule)
{
    for (size_t i = 0; i < count; i++) {
        if (pair[i].tested != NULL && bytes_are(pair[i].tested->rule, rule)) return;
    }
    fail_msg("%s never fired", rule);
}

static void the_same_operators_say_the_same(void **unused)
{
    (void)unused;
    static const char *const rules[] = {"good_page", "good_ticket", "fast_page", "fast_ticket",
        "slow", "failing", "odd", "quiet", "strange", "spent"};
    struct bench b;
    struct episodes episodes = {0};
    struct episode_pair *pair;
    struct backtest_counts counts;
    bench_run(&b, running);
    test_over(&b, running, &episodes, &counts);
    size_t count = episodes_pair(&episodes, 0, NEVER, &pair);
    size_t same = count_of(pair, count, "same");
    if (same != count) print_failed(pair, count);
    assert_int_equal(same, count);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        assert_has(pair, count, rules[i]);
    assert_int_equal(counts.series, 3);
    assert_true(counts.rows > 50000 && counts.revised > 5000);
    assert_int_equal(counts.alerts, b.records.alerts);
    free(pair);
    episodes_release(&episodes);
    bench_close(&b);
}

static void other_operators_say_what_they_would_have(void **unused)
{
    (void)unused;
    struct bench ran, would;
    struct episodes episodes = {0}, real = {0};
    struct episode_pair *pair, *want;
    struct backtest_counts counts;
    bench_run(&ran, running);
    test_over(&ran, stricter, &episodes, &counts);
    size_t count = episodes_pair(&episodes, 0, NEVER, &pair);
    assert_true(count_of(pair, count, "new") > 0);  /* of `late`, which nobody ran */
    assert_true(count_of(pair, count, "gone") > 0); /* of `fast`, which is not there any more */
    assert_true(count_of(pair, count, "changed") > 0);

    /* And that is what they do say once they run. */
    bench_run(&would, stricter);
    test_over(&would, stricter, &real, &counts);
    size_t wants = episodes_pair(&real, 0, NEVER, &want);
    assert_int_equal(count_of(want, wants, "same"), wants);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (pair[i].tested == NULL) continue;
        assert_true(at < wants);
        assert_true(bytes_equal(pair[i].tested->rule, want[at].tested->rule));
        assert_int_equal(pair[i].tested->fired_ns, want[at].tested->fired_ns);
        assert_int_equal(pair[i].tested->resolved_ns, want[at++].tested->resolved_ns);
    }
    assert_int_equal(at, wants);
    free(pair);
    free(want);
    episodes_release(&episodes);
    episodes_release(&real);
    bench_close(&ran);
    bench_close(&would);
}

static void rows_of_another_plan_are_refused(void **unused)
{
    (void)unused;
    static const char other[] = "pane: 2s\npartitions: 1\n";
    struct bench b = {0};
    struct bench_plan plan;
    struct episodes episodes = {0};
    struct error err;
    struct row row = {.series = bytes_of("operation=a"), .start_ns = AT(0), .end_ns = AT(1)};
    bench_plan_init(&b.plan, running);
    bench_plan_init(&plan, other);
    records_row(&b.records, &row, &b.plan.plan.columns, b.plan.plan.fingerprint);
    struct tellings tellings = {0};
    struct backtest *t = backtest_new(&plan.plan, &episodes, &tellings);
    struct bytes key, value;
    records_get(&b.records, 0, &key, &value);
    assert_int_equal(backtest_take(t, value, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "weir plan --diff"));
    assert_int_equal(backtest_take(t, (struct bytes){key.data, 3}, &err), ST_SKIP);
    backtest_finish(t, AT(100));
    backtest_free(t);
    bench_plan_release(&plan);
    bench_close(&b);
}

static void turn(struct episodes *e, enum episode_side side, const char *rule, const char *series,
    enum alert_state state, int64_t at_s)
{
    struct alert alert = {.rule = bytes_of(rule),
        .series = bytes_of(series),
        .severity = bytes_of("page"),
        .state = state,
        .at_ns = at_s * BENCH_S};
    episodes_turn(e, side, &alert);
}

static void one_episode(struct episodes *e, enum episode_side side, const char *rule,
    const char *series, int64_t fired_s, int64_t resolved_s)
{
    if (fired_s >= 0) turn(e, side, rule, series, ALERT_FIRING, fired_s);
    if (resolved_s >= 0) turn(e, side, rule, series, ALERT_RESOLVED, resolved_s);
}

static void the_table_says_what_differs(void **unused)
{
    (void)unused;
    static const char want[] =
        "rule   severity  series     these: fired          ended                 those that ran: "
        "fired  ended                 difference\n"
        "calm   page      service=a  1970-01-01T00:01:40Z  1970-01-01T00:03:20Z  -               "
        "       -                     new\n"
        "gone   page      service=a  -                     -                     1970-01-01T00:01:"
        "40Z   1970-01-01T00:03:20Z  gone\n"
        "moved  page      service=a  1970-01-01T00:02:20Z  1970-01-01T00:03:10Z  1970-01-01T00:01:"
        "40Z   1970-01-01T00:03:20Z  fires 40s later, ends 10s sooner\n"
        "open   page      service=a  before                firing                1970-01-01T00:01:"
        "40Z   1970-01-01T00:03:20Z  fired before, still fires\n"
        "same   page      service=a  1970-01-01T00:01:40Z  1970-01-01T00:03:20Z  1970-01-01T00:01:"
        "40Z   1970-01-01T00:03:20Z  the same\n"
        "same   page      service=b  1970-01-01T00:01:40Z  firing                1970-01-01T00:01:"
        "40Z   firing                the same\n"
        "5 alerts by these rules, 5 by those that ran: 2 the same, 2 changed, 1 new, 1 gone\n";
    struct episodes e = {0};
    struct episode_pair *pair;
    struct buffer out = {0};
    one_episode(&e, EPISODE_RAN, "same", "service=a", 100, 200);
    one_episode(&e, EPISODE_TESTED, "same", "service=a", 100, 200);
    one_episode(&e, EPISODE_RAN, "same", "service=b", 100, -1);
    one_episode(&e, EPISODE_TESTED, "same", "service=b", 100, -1);
    one_episode(&e, EPISODE_TESTED, "moved", "service=a", 140, 190);
    one_episode(&e, EPISODE_RAN, "moved", "service=a", 100, 200);
    one_episode(&e, EPISODE_RAN, "gone", "service=a", 100, 200);
    one_episode(&e, EPISODE_TESTED, "calm", "service=a", 100, 200);
    one_episode(&e, EPISODE_RAN, "open", "service=a", 100, 200);
    one_episode(&e, EPISODE_TESTED, "open", "service=a", -1, 50);
    e.episode[e.count - 1].resolved_ns = EPISODE_OPEN;
    size_t count = episodes_pair(&e, 100 * BENCH_S, 300 * BENCH_S, &pair);
    rules_backtest_print(pair, count, 0, &out);
    buffer_append(&out, "", 1);
    assert_string_equal((const char *)out.data, want);
    buffer_release(&out);
    free(pair);
    episodes_release(&e);
}

static void episodes_of_other_times_are_left_out(void **unused)
{
    (void)unused;
    struct episodes e = {0};
    struct episode_pair *pair;
    one_episode(&e, EPISODE_RAN, "r", "a", 10, 20);   /* before */
    one_episode(&e, EPISODE_RAN, "r", "a", 90, 110);  /* into it */
    one_episode(&e, EPISODE_RAN, "r", "a", 190, 210); /* out of it */
    one_episode(&e, EPISODE_RAN, "r", "a", 200, 220); /* after */
    one_episode(&e, EPISODE_TESTED, "r", "a", 50, 99);
    one_episode(&e, EPISODE_TESTED, "r", "a", 105, 195);
    size_t count = episodes_pair(&e, 100 * BENCH_S, 200 * BENCH_S, &pair);
    assert_int_equal(count, 2);
    assert_int_equal(pair[0].ran->fired_ns, 90 * BENCH_S);
    assert_int_equal(pair[0].tested->fired_ns, 50 * BENCH_S); /* though it was over before */
    assert_int_equal(pair[1].ran->fired_ns, 190 * BENCH_S);
    assert_int_equal(pair[1].tested->fired_ns, 105 * BENCH_S);
    free(pair);
    episodes_release(&e);
}

/* What is said twice, as after a restart at least once, is one; each goes with one at most. */
static void episodes_go_two_by_two(void **unused)
{
    (void)unused;
    struct episodes e = {0};
    struct episode_pair *pair;
    turn(&e, EPISODE_RAN, "r", "a", ALERT_FIRING, 10);
    turn(&e, EPISODE_RAN, "r", "a", ALERT_FIRING, 10);
    turn(&e, EPISODE_RAN, "r", "a", ALERT_RESOLVED, 90);
    one_episode(&e, EPISODE_TESTED, "r", "a", 20, 30);
    one_episode(&e, EPISODE_TESTED, "r", "a", 40, 50);
    size_t count = episodes_pair(&e, 0, NEVER, &pair);
    assert_int_equal(count, 2);
    assert_non_null(pair[0].ran);
    assert_int_equal(pair[0].tested->fired_ns, 20 * BENCH_S);
    assert_null(pair[1].ran);
    free(pair);
    episodes_release(&e);

    one_episode(&e, EPISODE_RAN, "r", "a", 10, 90);
    one_episode(&e, EPISODE_RAN, "r", "a", 100, 150);
    one_episode(&e, EPISODE_TESTED, "r", "a", 20, 200);
    count = episodes_pair(&e, 0, NEVER, &pair);
    assert_int_equal(count, 2);
    assert_non_null(pair[0].tested);
    assert_int_equal(pair[1].ran->fired_ns, 100 * BENCH_S);
    assert_null(pair[1].tested);
    free(pair);
    episodes_release(&e);
}

/* Two series of one service are one alert, a third is another; they come out of order of time. */
static void what_is_told_is_one_alert_where_it_belongs_together(void **unused)
{
    (void)unused;
    static const struct {
        const char *series;
        enum alert_state state;
        int64_t at_s;
    } said[] = {
        {"service=c", ALERT_FIRING, 30},
        {"service=c", ALERT_RESOLVED, 90},
        {"service=a;operation=x", ALERT_FIRING, 20},
        {"service=a;operation=x", ALERT_RESOLVED, 60},
        {"service=a", ALERT_FIRING, 20},
        {"service=a", ALERT_RESOLVED, 80},
    };
    struct tellings tellings = {0};
    struct episodes e = {0};
    struct episode_pair *pair;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct alert alert = {.rule = bytes_of("anomaly"),
            .series = bytes_of(said[i].series),
            .severity = bytes_of("page"),
            .state = said[i].state,
            .at_ns = said[i].at_s * BENCH_S,
            .since_ns = said[i].at_s * BENCH_S,
            .together = true};
        tellings_add(&tellings, &alert, 1);
    }
    tellings_decide(&tellings, 1, &e);
    size_t count = episodes_pair(&e, 0, NEVER, &pair);
    assert_int_equal(count, 2);
    assert_int_equal(pair[0].tested->fired_ns, 20 * BENCH_S);
    assert_int_equal(pair[0].tested->resolved_ns, 80 * BENCH_S);
    assert_true(bytes_are(pair[1].tested->series, "service=c"));
    assert_int_equal(pair[1].tested->resolved_ns, 90 * BENCH_S);
    free(pair);
    episodes_release(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_operators_say_the_same),
        cmocka_unit_test(other_operators_say_what_they_would_have),
        cmocka_unit_test(rows_of_another_plan_are_refused),
        cmocka_unit_test(the_table_says_what_differs),
        cmocka_unit_test(episodes_of_other_times_are_left_out),
        cmocka_unit_test(episodes_go_two_by_two),
        cmocka_unit_test(what_is_told_is_one_alert_where_it_belongs_together),
    };
    return cmocka_run_group_tests_name("backtest", tests, NULL, NULL);
}
