/*
 * Settings in the log: they take effect at one offset, whoever reads it and wherever it was taken up.
 */
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
    "pane: 1s\nwindows: [4s]\nlateness: 1s\nskew: 1s\nallowed_lateness: 10s\npartitions: 1\n" \
    "views: [[operation]]\nhistory: [{resolution: 1s, retain: 1h, sketches: false}]\n"        \
    "thresholds: [100ms]\n"

/* The first worker's config, and what it is told later: all that may change does. */
static const char first[] =
    HEAD "provisional: 0s\nquantiles: [0.5]\nlimits.series: 100\nzscore: [{column: rate_per_s}]\n"
         "rules: [{name: many, when: rate_per_s > 0},\n"
         "        {name: slow, when: p50 > 20ms, for: 4s}]\n";
static const char second[] =
    HEAD "provisional: 1s\nquantiles: [0.9, 0.95]\nlimits.series: 3\nlimits.series_idle: 1m\n"
         "limits.provisional_rows: 50\nzscore: [{column: error_ratio}, {column: rate_per_s}]\n"
         "rules: [{name: failing, when: error_ratio > 10%},\n"
         "        {name: slow, when: p90 > 20ms, for: 4s}]\n";

static void settings_of(const char *yaml, struct buffer *text)
{
    struct bench_plan bench;
    bench_plan_init(&bench, yaml);
    settings_write(&bench.config, text);
    bench_plan_release(&bench);
}

static void log_settings(const struct bench_plan *bench, const char *yaml, struct bench_log *log)
{
    struct buffer text = {0}, record = {0};
    settings_of(yaml, &text);
    settings_record(&bench->plan, buffer_bytes(&text), 5, &record);
    bench_log_add(log, 0, buffer_bytes(&record));
    buffer_release(&text);
    buffer_release(&record);
}

/* A minute of spans under five operations, from a seed. */
static void log_spans(struct bench_worker *worker, int64_t from, struct bench_log *log)
{
    static const char *const operations[] = {"a", "b", "c", "d", "e"};
    struct random random = random_from((uint64_t)from + 1);
    for (int64_t s = from; s < from + 60; s++) {
        struct bench_span span[8];
        for (size_t i = 0; i < 8; i++) {
            span[i] = (struct bench_span){.service = "s",
                .operation = operations[random_below(&random, 5)],
                .kind = KIND_SERVER,
                .end_ns = AT(s) - (int64_t)random_below(&random, 5) * BENCH_S,
                .duration_ns = (int64_t)random_below(&random, 60000000),
                .failed = random_once_in(&random, 4)};
        }
        bench_record(worker, 0, AT(s), span, 8);
        bench_flush(worker, 1000 + s * 300, log);
    }
}

/* Spans under the first settings, the second, and the first again. */
static void log_make(struct bench_log *log)
{
    struct bench_plan bench;
    struct bench_worker worker;
    bench_plan_init(&bench, first);
    bench_worker_init(&worker, &bench, 0, 1, 1, 0);
    log_settings(&bench, first, log);
    log_spans(&worker, 0, log);
    log_settings(&bench, second, log);
    log_settings(&bench, second, log); /* another worker reloads a moment later */
    log_spans(&worker, 60, log);
    log_settings(&bench, first, log);
    log_spans(&worker, 120, log);
    bench_worker_release(&worker);
    bench_plan_release(&bench);
}

struct outcome {
    struct records records;
    struct buffer state;
};

static void outcome_release(struct outcome *o)
{
    records_release(&o->records);
    buffer_release(&o->state);
}

/* Run the log on a worker with this config; with `cut`, taken up by another one from there on. */
static void run(const struct bench_log *log, const char *yaml, const char *other, size_t cut,
    struct outcome *out)
{
    struct bench_plan bench, taker;
    struct error err;
    bench_plan_init(&bench, yaml);
    bench_plan_init(&taker, other);
    struct aggregate *a = aggregate_new(&bench.plan, 0);
    for (size_t i = 0; i < log->count; i++) {
        if (i == cut && i != 0) {
            struct buffer saved = {0};
            aggregate_save(a, &saved);
            aggregate_free(a);
            a = aggregate_new(&taker.plan, 0);
            if (aggregate_load(a, buffer_bytes(&saved), &err) != ST_OK) fail_msg("%s", err.text);
            buffer_release(&saved);
        }
        if (aggregate_apply(a, bench_log_get(log, i), &out->records, &err) != ST_OK)
            fail_msg("%s", err.text);
    }
    aggregate_save(a, &out->state);
    aggregate_free(a);
    bench_plan_release(&bench);
    bench_plan_release(&taker);
}

static void outcomes_equal(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->records.bytes.size, b->records.bytes.size);
    assert_memory_equal(a->records.bytes.data, b->records.bytes.data, a->records.bytes.size);
    assert_int_equal(a->state.size, b->state.size);
    assert_memory_equal(a->state.data, b->state.data, a->state.size);
}

static size_t alerts_of(const struct records *records, const char *rule, enum alert_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < records->count; i++) {
        struct bytes key, value;
        struct output out;
        struct error err;
        records_get(records, i, &key, &value);
        assert_int_equal(output_decode(value, &out, &err), ST_OK);
        count += out.is_alert && out.alert.state == state && bytes_are(out.alert.rule, rule);
    }
    return count;
}

static void what_a_worker_is_configured_with_does_not_matter(void **unused)
{
    (void)unused;
    struct bench_log log = {0};
    struct outcome of_first = {0}, of_second = {0};
    log_make(&log);
    run(&log, first, first, 0, &of_first);
    run(&log, second, second, 0, &of_second);
    outcomes_equal(&of_first, &of_second);
    assert_true(alerts_of(&of_first.records, "slow", ALERT_FIRING) > 0);
    assert_true(alerts_of(&of_first.records, "failing", ALERT_FIRING) > 0);
    assert_true(bench_rows(&of_first.records, ROW_PROVISIONAL) > 0);
    outcome_release(&of_first);
    outcome_release(&of_second);
    bench_log_release(&log);
}

static void a_snapshot_taken_across_a_change_goes_on_to_the_same_bytes(void **unused)
{
    (void)unused;
    struct bench_log log = {0};
    struct outcome whole = {0};
    log_make(&log);
    run(&log, first, first, 0, &whole);
    for (size_t cut = 1; cut < log.count; cut += 3) {
        struct outcome cut_there = {0};
        run(&log, first, second, cut, &cut_there);
        outcomes_equal(&whole, &cut_there);
        outcome_release(&cut_there);
    }
    outcome_release(&whole);
    bench_log_release(&log);
}

static void a_silent_re_run_across_a_change_ends_in_the_same_state(void **unused)
{
    (void)unused;
    struct bench_log log = {0};
    struct outcome said = {0}, silent = {.records = {.silent = true}};
    log_make(&log);
    run(&log, first, first, 0, &said);
    run(&log, second, second, 0, &silent);
    assert_int_equal(silent.records.count, 0);
    assert_int_equal(said.state.size, silent.state.size);
    assert_memory_equal(said.state.data, silent.state.data, said.state.size);
    outcome_release(&said);
    outcome_release(&silent);
    bench_log_release(&log);
}

static void an_alert_of_a_rule_that_is_taken_out_is_resolved_once(void **unused)
{
    (void)unused;
    struct bench_log log = {0};
    struct outcome o = {0};
    log_make(&log);
    log.count -= 61; /* as it is under the second settings */
    run(&log, first, first, 0, &o);
    size_t fired = alerts_of(&o.records, "many", ALERT_FIRING);
    assert_true(fired > 0);
    assert_int_equal(alerts_of(&o.records, "many", ALERT_RESOLVED), fired);
    outcome_release(&o);
    log.count += 61;
    bench_log_release(&log);
}

/* `slow` pends when the settings come; a rule that is the same in both goes on, so it fires in time. */
static void a_rule_that_stays_keeps_its_state(void **unused)
{
    (void)unused;
    static const char before[] =
        HEAD "provisional: 0s\nzscore: []\nrules: [{name: slow, when: p50 > 20ms, "
             "for: 4s}]\n";
    static const char after[] =
        HEAD "provisional: 0s\nzscore: []\nrules: [{name: new, when: errors > 9},\n"
             "  {name: slow, when: p50 > 20ms, for: 4s}]\n";
    struct bench_plan bench;
    struct bench_worker worker;
    struct bench_log log = {0};
    struct outcome o = {0};
    bench_plan_init(&bench, before);
    bench_worker_init(&worker, &bench, 0, 1, 1, 0);
    log_settings(&bench, before, &log);
    for (int64_t s = 0; s < 6; s++) {
        struct bench_span span = {"s", "a", KIND_SERVER, AT(s), 50000000, false};
        bench_record(&worker, 0, AT(s), &span, 1);
        bench_flush(&worker, 9, &log);
        log_settings(&bench, s % 2 == 0 ? after : before, &log);
    }
    run(&log, before, before, 0, &o);
    assert_int_equal(alerts_of(&o.records, "slow", ALERT_FIRING), 1);
    outcome_release(&o);
    bench_log_release(&log);
    bench_worker_release(&worker);
    bench_plan_release(&bench);
}

/* What happened to rules with `absent` while one operation sends and another one, a, does not. */
struct silence {
    struct bench_plan bench;
    struct bench_worker worker;
    struct bench_log log;
    struct outcome outcome;
};

#define GONE "zscore: []\nrules: [{name: gone, match: {operation: a}, when: 'absent[5s]'"

static const char none[] = HEAD "zscore: []\nrules: []\n";
static const char gone[] = HEAD GONE "}]\n";
static const char gone_edited[] = HEAD GONE ", severity: page}]\n";

static void silence_open(struct silence *t, const char *yaml)
{
    *t = (struct silence){0};
    bench_plan_init(&t->bench, yaml);
    bench_worker_init(&t->worker, &t->bench, 0, 1, 1, 0);
    log_settings(&t->bench, yaml, &t->log);
}

/* One span a second of b, and of a one that ended `late_s` before; less than 0: none. */
static void silence_spans(
    struct silence *t, int64_t from_s, int64_t to_s, int64_t late_s, int64_t lag_s)
{
    for (int64_t s = from_s; s < to_s; s++) {
        const struct bench_span span[] = {{"s", "b", KIND_SERVER, AT(s), 50000000, false},
            {"s", "a", KIND_SERVER, AT(s - late_s), 50000000, false}};
        bench_record(&t->worker, 0, AT(s), span, late_s < 0 ? 1 : 2);
        bench_flush(&t->worker, (AT(s + lag_s)) / 1000000, &t->log);
    }
}

static void silence_close(struct silence *t)
{
    outcome_release(&t->outcome);
    bench_log_release(&t->log);
    bench_worker_release(&t->worker);
    bench_plan_release(&t->bench);
}

static void assert_gone(struct silence *t, const char *yaml, size_t fired, size_t resolved)
{
    run(&t->log, yaml, yaml, 0, &t->outcome);
    assert_int_equal(alerts_of(&t->outcome.records, "gone", ALERT_FIRING), fired);
    assert_int_equal(alerts_of(&t->outcome.records, "gone", ALERT_RESOLVED), resolved);
    silence_close(t);
}

static void a_rule_changed_in_a_silence_still_tells_of_it(void **unused)
{
    (void)unused;
    struct silence t;
    silence_open(&t, gone);
    silence_spans(&t, 0, 3, 0, 0);
    silence_spans(&t, 3, 20, -1, 0);
    log_settings(&t.bench, gone_edited, &t.log);
    silence_spans(&t, 20, 40, -1, 0);
    silence_spans(&t, 40, 45, 0, 0);
    assert_gone(&t, gone, 2, 2);
}

static void a_rule_that_comes_into_a_silence_tells_of_it(void **unused)
{
    (void)unused;
    struct silence t;
    silence_open(&t, none);
    silence_spans(&t, 0, 3, 0, 0);
    silence_spans(&t, 3, 20, -1, 0);
    log_settings(&t.bench, gone, &t.log);
    silence_spans(&t, 20, 40, -1, 0);
    assert_gone(&t, none, 1, 0);
}

static void spans_that_come_late_are_no_silence(void **unused)
{
    (void)unused;
    struct silence t;
    silence_open(&t, gone);
    silence_spans(&t, 0, 3, 0, 0);
    silence_spans(&t, 3, 40, 4, 0); /* past `lateness`, within `allowed_lateness` */
    assert_gone(&t, gone, 0, 0);
    silence_open(&t, gone);
    silence_spans(&t, 0, 20, 4, 0); /* none has ever been on time */
    silence_spans(&t, 20, 40, -1, 0);
    assert_gone(&t, gone, 1, 0);
}

static void nobody_is_missed_while_event_time_is_far_behind(void **unused)
{
    (void)unused;
    struct silence t;
    silence_open(&t, gone);
    silence_spans(&t, 0, 3, 0, 200);
    silence_spans(&t, 3, 40, -1, 200);
    assert_gone(&t, gone, 0, 0);
    silence_open(&t, gone);
    silence_spans(&t, 0, 3, 0, 50);
    silence_spans(&t, 3, 40, -1, 50);
    assert_gone(&t, gone, 1, 0);
}

/* Names are a person's: none of them may end the text it stands in, or be expanded a second time. */
static void any_text_comes_back_as_it_was(void **unused)
{
    (void)unused;
    static const char yaml[] = HEAD
        "rules: [{name: \"a\\\"b\\\\c: [d], {e} # f\\n- g\\t\\x01 ${HOME_OF_NOBODY:-x} "
        "$${HOME} $$ 'q'\",\n"
        "         when: \"errors > 1e3 and 'operation' = \\\"*-?é\\\"\", severity: \"\",\n"
        "         match: {operation: '#{}: ${HOME_OF_NOBODY:-y} $${X}'}, labels: {a: '[x]: \\'},\n"
        "         annotations: {b: \"{{ operation }}\\n$${HOME}\", \"c: d\": ''}},\n"
        "        {name: -1, when: errors < -0.5, severity: null-ish}]\n";
    struct bench_plan bench;
    struct buffer text = {0}, again = {0};
    struct settings *settings;
    struct error err;
    bench_plan_init(&bench, yaml);
    settings_write(&bench.config, &text);
    if (settings_read(&settings, &bench.plan, buffer_bytes(&text), &err) != ST_OK)
        fail_msg("%s", err.text);
    settings_write(&settings->config, &again);
    buffer_append(&text, "", 1);
    buffer_append(&again, "", 1);
    assert_string_equal((char *)text.data, (char *)again.data);
    assert_non_null(strstr((char *)text.data, "x $${HOME} $$ 'q'"));
    assert_int_equal(settings->config.operator_count, bench.config.operator_count);
    settings_free(settings);
    buffer_release(&text);
    buffer_release(&again);
    bench_plan_release(&bench);
}

/* Absence is told by lateness, so a re-run must go by that of the log, not by the worker's own. */
static void lateness_comes_from_the_log_with_what_it_needs(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct buffer text = {0};
    struct settings *settings;
    struct error err;
    settings_of("lateness: 10m\nmax_ahead: 20m\n", &text);
    bench_plan_init(&bench, "max_ahead: 5m\n");
    if (settings_read(&settings, &bench.plan, buffer_bytes(&text), &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(settings->config.lateness_ns, 600 * BENCH_S);
    assert_int_equal(settings->plan.config->lateness_ns, 600 * BENCH_S);
    settings_free(settings);
    buffer_release(&text);
    bench_plan_release(&bench);
}

static void settings_of_a_newer_weir_are_refused_by_name(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct records records = {0};
    struct buffer record = {0};
    struct error err;
    bench_plan_init(&bench, first);
    struct aggregate *a = aggregate_new(&bench.plan, 0);
    settings_record(&bench.plan, bytes_of("quantiles: [0.5]\nburn: [{slo: 0.99}]\n"), 1, &record);
    assert_int_equal(aggregate_apply(a, buffer_bytes(&record), &records, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "burn"));
    assert_non_null(strstr(err.text, "newer weir"));
    aggregate_free(a);
    buffer_release(&record);
    bench_plan_release(&bench);
}

/* Its file is the machine's, and a newer weir would not bring it. */
static void a_time_zone_that_is_not_here_is_no_newer_weir(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct settings *settings;
    struct error err;
    bench_plan_init(&bench, first);
    struct bytes text = bytes_of("quantiles: [0.5]\ntime_zone: Europe/Atlantis\n");
    assert_int_equal(settings_read(&settings, &bench.plan, text, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "/usr/share/zoneinfo/Europe/Atlantis cannot be read"));
    assert_non_null(strstr(err.text, "All workers need the same tzdata"));
    assert_null(strstr(err.text, "newer weir"));
    bench_plan_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_worker_is_configured_with_does_not_matter),
        cmocka_unit_test(a_snapshot_taken_across_a_change_goes_on_to_the_same_bytes),
        cmocka_unit_test(a_silent_re_run_across_a_change_ends_in_the_same_state),
        cmocka_unit_test(an_alert_of_a_rule_that_is_taken_out_is_resolved_once),
        cmocka_unit_test(a_rule_that_stays_keeps_its_state),
        cmocka_unit_test(a_rule_changed_in_a_silence_still_tells_of_it),
        cmocka_unit_test(a_rule_that_comes_into_a_silence_tells_of_it),
        cmocka_unit_test(spans_that_come_late_are_no_silence),
        cmocka_unit_test(nobody_is_missed_while_event_time_is_far_behind),
        cmocka_unit_test(any_text_comes_back_as_it_was),
        cmocka_unit_test(lateness_comes_from_the_log_with_what_it_needs),
        cmocka_unit_test(settings_of_a_newer_weir_are_refused_by_name),
        cmocka_unit_test(a_time_zone_that_is_not_here_is_no_newer_weir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
