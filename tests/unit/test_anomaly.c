/*
 * anomaly: what stands in its columns and when, that it finds what it is for, that silence is told,
 * and that its state is all there is to it.
 *
 * Mutations that fail here: scores before the warm-up is over, rows scored twice or not the one
 * observed, silence that is never told, told for ever or learned for ever, a side of spans that is
 * looked at though nobody asked, a state that points anywhere.
 */
#include "operators/sketch.h"
#include "tests/support/operator_bench.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WINDOW_NS (60 * BENCH_SECOND_NS)

enum { SCALE = 6 };

/* A series under one entry: its rows one after another. */
struct watch {
    struct operator_bench bench;
    struct pool pool;
    int64_t window;
    struct row row; /* the newest, as step left it */
};

static void watch_open(struct watch *w, const char *config)
{
    struct error err = {0};
    *w = (struct watch){.window = 0};
    if (operator_bench_open(&w->bench, "anomaly", config, &err) != ST_OK) fail_msg("%s", err.text);
}

static void watch_close(struct watch *w)
{
    operator_bench_close(&w->bench);
    pool_release(&w->pool);
}

static double column(const struct watch *w, const char *name)
{
    int at = columns_find(&w->bench.columns, bytes_of(name));
    if (at < 0) fail_msg("no column %s", name);
    return row_has(&w->row, at) ? row_number(&w->row, at) : NAN;
}

static struct row scored_row(int64_t window)
{
    return (struct row){.series = bytes_of("service=shop"),
        .start_ns = window * WINDOW_NS,
        .end_ns = (window + 1) * WINDOW_NS,
        .status = ROW_FINAL,
        .scored = true};
}

/* One window: so many spans, of which so many fail, as fast as given, or without latencies: 0. */
static void take(struct watch *w, struct random *random, uint64_t spans, uint64_t errors, double ms)
{
    struct transition out = {0};
    struct sketch sketch = {0};
    uint64_t sum_ns = 0;
    w->row = scored_row(w->window++);
    row_set_integer(&w->row, COLUMN_SPANS, spans);
    row_set_integer(&w->row, COLUMN_ERRORS, errors);
    row_set_number(&w->row, COLUMN_RATE_PER_S, (double)spans / 60);
    for (uint64_t i = 0; ms > 0 && i < spans; i++) {
        uint64_t ns = random_lognormal_ns(random, ms * 1e6, 0.6);
        sum_ns += ns;
        sketch_add(&sketch, sketch_index(SCALE, ns), 1, &w->pool);
    }
    row_set_integer(&w->row, COLUMN_LATENCY_SUM_NS, sum_ns);
    if (sketch_count(&sketch) > 0) w->row.latency = &sketch;
    w->bench.op->observe(w->bench.self, w->bench.state, &w->row);
    w->bench.op->step(w->bench.self, w->bench.state, &w->row);
    w->row.latency = NULL;
    sketch_release(&sketch, &w->pool);
    assert_false(out.happened);
}

static uint64_t about(struct random *random, double mean)
{
    return (uint64_t)fmax(round(mean + sqrt(mean) * random_normal(random)), 0);
}

static void scores_come_after_the_warmup(void **unused)
{
    (void)unused;
    struct watch w;
    struct random random = random_from(1);
    watch_open(&w, "{of: errors, warmup: 40}");
    for (int i = 0; i < 60; i++) {
        take(&w, &random, 100, about(&random, 2), 0);
        assert_int_equal(isnan(column(&w, "errors_z")), i < 40);
        assert_int_equal(isnan(column(&w, "errors_p")), i < 40);
        assert_int_equal(isnan(column(&w, "errors_expected")), i < 40);
        assert_int_equal(isnan(w.bench.op->surprise(w.bench.self, w.bench.state)), i < 40);
        assert_true(column(&w, "errors_windows_seen") == i + 1);
        assert_true(column(&w, "errors_windows_needed") == 40);
        assert_true(column(&w, "errors_level") == 0);
    }
    watch_close(&w);
}

static void errors_are_found(void **unused)
{
    (void)unused;
    struct watch w;
    struct random random = random_from(2);
    watch_open(&w, "{of: errors}");
    for (int i = 0; i < 500; i++)
        take(&w, &random, 100, about(&random, 2), 0);
    double expected = column(&w, "errors_expected");
    assert_true(expected > 1.5 && expected < 2.5);
    assert_true(column(&w, "errors_low") == 0 && column(&w, "errors_high") > 5);
    take(&w, &random, 100, 30, 0);
    assert_true(column(&w, "errors_z") > 6 && column(&w, "errors_p") < 1e-10);
    assert_true(column(&w, "errors_direction") == 1 && column(&w, "errors_level") == 1);
    take(&w, &random, 100, 30, 0);
    assert_true(column(&w, "errors_level") == 2 && column(&w, "errors_sustained") > 5);
    for (int i = 0; i < 6; i++)
        take(&w, &random, 100, 2, 0);
    assert_true(column(&w, "errors_level") == 0 && column(&w, "errors_direction") == 0);
    watch_close(&w);
}

static void latency_is_found_and_its_band_is_of_the_mean(void **unused)
{
    (void)unused;
    struct watch w;
    struct random random = random_from(3);
    double within = 0;
    watch_open(&w, "{of: latency}");
    for (int i = 0; i < 1000; i++) {
        take(&w, &random, 20 + random_below(&random, 40), 0, 50);
        if (i < 100) continue;
        double mean_ms = (double)w.row.value[COLUMN_LATENCY_SUM_NS].integer /
                         (double)w.row.value[COLUMN_SPANS].integer / 1e6;
        within += mean_ms > column(&w, "latency_low") && mean_ms < column(&w, "latency_high");
    }
    assert_true(within > 890); /* of 900 */
    double expected = column(&w, "latency_expected"), mean_ms = 50 * exp(0.6 * 0.6 / 2);
    assert_true(fabs(expected - mean_ms) < 0.05 * mean_ms);
    int paged = 0;
    for (; column(&w, "latency_level") < 2 && paged < 10; paged++)
        take(&w, &random, 40, 0, 100);
    assert_true(paged <= 3);
    take(&w, &random, 0, 0, 0); /* nothing to be said of no spans */
    assert_true(isnan(column(&w, "latency_z")) && !isnan(column(&w, "latency_windows_seen")));
    watch_close(&w);
}

static void silence_is_told_for_an_hour(void **unused)
{
    (void)unused;
    struct watch w;
    struct random random = random_from(4);
    watch_open(&w, "{of: spans}");
    for (int i = 0; i < 500; i++) {
        assert_int_equal(w.bench.op->awake(w.bench.self, w.bench.state), i >= 60);
        take(&w, &random, about(&random, 50), 0, 0);
    }
    int awake = 0;
    for (; w.bench.op->awake(w.bench.self, w.bench.state) && awake < 100; awake++) {
        take(&w, &random, 0, 0, 0);
        assert_true(column(&w, "spans_direction") == -1);
        assert_true(column(&w, "spans_level") == (awake == 0 ? 1 : 2));
        assert_true(column(&w, "spans_z") < -2);
        assert_true(awake < 2 || column(&w, "spans_sustained") < -5);
    }
    assert_int_equal(awake, 60);
    w.window += 600; /* and then nothing is observed */
    take(&w, &random, 45, 0, 0);
    assert_true(column(&w, "spans_level") == 0);
    watch_close(&w);
}

/* However long the engine goes on looking, as it does while it keeps a long window of the series. */
static void silence_is_not_learned_for_ever(void **unused)
{
    (void)unused;
    struct watch w;
    struct random random = random_from(12);
    watch_open(&w, "{of: spans}");
    for (int i = 0; i < 1000; i++)
        take(&w, &random, about(&random, 50), 0, 0);
    for (int i = 0; i < 60; i++)
        take(&w, &random, 0, 0, 0);
    double usual = column(&w, "spans_expected");
    assert_true(column(&w, "spans_level") == 2 && usual > 40);
    for (int i = 0; i < 2000; i++) {
        take(&w, &random, 0, 0, 0);
        assert_true(isnan(column(&w, "spans_z")) && isnan(column(&w, "spans_level")));
        assert_true(isnan(w.bench.op->surprise(w.bench.self, w.bench.state)));
    }
    take(&w, &random, 45, 0, 0);
    assert_true(column(&w, "spans_level") == 0 && column(&w, "spans_windows_seen") == 1061);
    assert_true(column(&w, "spans_expected") > 0.95 * usual);
    watch_close(&w);
}

static void more_spans_are_told_too(void **unused)
{
    (void)unused;
    struct random random = random_from(5);
    static const char *const config[] = {"{of: spans}", "{of: rate_per_s}"};
    for (int i = 0; i < 2; i++) {
        struct watch w;
        const char *level = i == 0 ? "spans_level" : "rate_per_s_level";
        const char *direction = i == 0 ? "spans_direction" : "rate_per_s_direction";
        watch_open(&w, config[i]);
        for (int k = 0; k < 3000; k++)
            take(&w, &random, about(&random, 500), 0, 0);
        for (int k = 0; k < 3; k++)
            take(&w, &random, 1500, 0, 0);
        assert_true(column(&w, level) >= 1 && column(&w, direction) == 1);
        watch_close(&w);
    }
}

static void only_one_side_is_looked_at_if_so_told(void **unused)
{
    (void)unused;
    struct watch w;
    struct random random = random_from(6);
    watch_open(&w, "{of: rate_per_s, direction: down}");
    for (int i = 0; i < 2000; i++)
        take(&w, &random, about(&random, 500), 0, 0);
    for (int i = 0; i < 5; i++) {
        take(&w, &random, 5000, 0, 0);
        assert_true(column(&w, "rate_per_s_level") == 0);
    }
    for (int i = 0; i < 50; i++)
        take(&w, &random, about(&random, 500), 0, 0);
    take(&w, &random, 10, 0, 0);
    assert_true(column(&w, "rate_per_s_level") >= 1 && column(&w, "rate_per_s_z") < -3);
    watch_close(&w);
}

/* Of throughput too: neither a flood nor silence is told to who asked for the other. */
static void only_one_side_of_spans_is_looked_at_if_so_told(void **unused)
{
    (void)unused;
    static const char *const config[] = {
        "{of: spans, direction: down}", "{of: spans, direction: up}"};
    for (int up = 0; up < 2; up++) {
        struct watch w;
        struct random random = random_from(11);
        watch_open(&w, config[up]);
        for (int i = 0; i < 1000; i++)
            take(&w, &random, about(&random, 200), 0, 0);
        for (int i = 0; i < 5; i++) {
            take(&w, &random, up == 1 ? 0 : 5000, 0, 0);
            assert_true(column(&w, "spans_z") == 0 && column(&w, "spans_p") == 1);
            assert_true(column(&w, "spans_level") == 0);
        }
        for (int i = 0; i < 50; i++)
            take(&w, &random, about(&random, 200), 0, 0);
        for (int i = 0; i < 2; i++)
            take(&w, &random, up == 1 ? 5000 : 0, 0, 0);
        assert_true(column(&w, "spans_level") == 2);
        assert_true(column(&w, "spans_direction") == (up == 1 ? 1 : -1));
        watch_close(&w);
    }
}

/* Quantiles of no more than a few spans are no cause to page. */
static void a_quantile_of_few_spans_does_not_page(void **unused)
{
    (void)unused;
    for (int many = 0; many < 2; many++) {
        struct watch w;
        struct random random = random_from(7);
        watch_open(&w, "{of: latency_p95_ms}");
        int p95 = columns_find(&w.bench.columns, bytes_of("latency_p95_ms"));
        for (int i = 0; i < 20000; i++) {
            bool late = i >= 19996;
            w.row = scored_row(w.window++);
            row_set_integer(&w.row, COLUMN_SPANS, many == 1 ? 50 : 2);
            row_set_number(&w.row, p95, (late ? 5000 : 100) + 5 * random_normal(&random));
            w.bench.op->observe(w.bench.self, w.bench.state, &w.row);
            w.bench.op->step(w.bench.self, w.bench.state, &w.row);
        }
        assert_true(column(&w, "latency_p95_ms_level") == (many == 1 ? 2 : 1));
        watch_close(&w);
    }
}

static void only_the_observed_row_is_filled(void **unused)
{
    (void)unused;
    struct watch w;
    struct random random = random_from(8);
    watch_open(&w, "{of: errors}");
    for (int i = 0; i < 100; i++)
        take(&w, &random, 100, 2, 0);
    size_t size = w.bench.op->state_bytes(w.bench.self);
    void *before = malloc(size);
    assert_non_null(before);
    memcpy(before, w.bench.state, size);
    struct row other[3] = {scored_row(99), scored_row(98), scored_row(99)};
    other[0].scored = false; /* a pane that ends where the slice does */
    other[2].rolling = true;
    other[2].scored = false;
    for (int i = 0; i < 3; i++) {
        w.bench.op->step(w.bench.self, w.bench.state, &other[i]);
        assert_true(other[i].filled[0] == 0 && other[i].filled[1] == 0);
        assert_memory_equal(before, w.bench.state, size);
    }
    free(before);
    watch_close(&w);
}

static void state_goes_on_from_its_bytes(void **unused)
{
    (void)unused;
    static const char *const configs[] = {
        "{of: errors}", "{of: latency}", "{of: spans}", "{of: rate_per_s}"};
    for (size_t c = 0; c < 4; c++) {
        struct watch a, b;
        struct random random = random_from(9), again;
        watch_open(&a, configs[c]);
        watch_open(&b, configs[c]);
        size_t size = a.bench.op->state_bytes(a.bench.self);
        for (int i = 0; i < 400; i++) {
            memcpy(b.bench.state, a.bench.state, size);
            b.window = a.window;
            uint64_t spans = i % 50 == 49 ? 0 : about(&random, 30), errors = spans / 20;
            again = random;
            take(&a, &random, spans, errors, i > 300 ? 90 : 40);
            take(&b, &again, spans, errors, i > 300 ? 90 : 40);
            assert_memory_equal(a.bench.state, b.bench.state, size);
            assert_memory_equal(a.row.filled, b.row.filled, sizeof(a.row.filled));
            assert_memory_equal(a.row.value, b.row.value, sizeof(a.row.value));
        }
        watch_close(&a);
        watch_close(&b);
    }
}

/* All default entries together: a budget of 2 KiB a series, and less than half of it. */
static void the_default_entries_take_less_than_a_kilobyte(void **unused)
{
    (void)unused;
    static const char *const configs[] = {"{of: latency}", "{of: errors}", "{of: spans}"};
    size_t bytes = 0;
    for (size_t i = 0; i < 3; i++) {
        struct watch w;
        watch_open(&w, configs[i]);
        bytes += w.bench.op->state_bytes(w.bench.self);
        assert_int_equal(w.bench.op->state_bytes(w.bench.self) % 8, 0);
        watch_close(&w);
    }
    assert_in_range(bytes, 1, 1024);
}

static void series_are_chosen_by_service(void **unused)
{
    (void)unused;
    struct watch w;
    watch_open(&w, "{of: errors, service: sh*}");
    assert_true(w.bench.op->concerns(w.bench.self, bytes_of("service=shop;operation=GET")));
    assert_false(w.bench.op->concerns(w.bench.self, bytes_of("service=cart")));
    watch_close(&w);
}

/* Values that no column should have, but may: nothing is learned of them, and nothing breaks. */
static void nonsense_is_not_learned(void **unused)
{
    (void)unused;
    struct watch w;
    struct random random = random_from(10);
    static const double nonsense[] = {NAN, INFINITY, -INFINITY, 1e308, -1e308, 0, 5e-324};
    watch_open(&w, "{of: rate_per_s}");
    for (int i = 0; i < 200; i++)
        take(&w, &random, about(&random, 100), 0, 0);
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        w.row = scored_row(w.window++);
        row_set_number(&w.row, COLUMN_RATE_PER_S, nonsense[i]);
        w.bench.op->observe(w.bench.self, w.bench.state, &w.row);
        w.bench.op->step(w.bench.self, w.bench.state, &w.row);
        assert_int_equal(isnan(column(&w, "rate_per_s_z")), i < 3);
    }
    for (int i = 0; i < 300; i++)
        take(&w, &random, about(&random, 100), 0, 0);
    assert_true(isfinite(column(&w, "rate_per_s_z")) && isfinite(column(&w, "rate_per_s_p")));
    assert_true(fabs(column(&w, "rate_per_s_z")) < 3.5);
    watch_close(&w);
}

static void check_refused(const char *config, const char *part)
{
    struct operator_bench b;
    struct error err = {0};
    assert_int_equal(operator_bench_open(&b, "anomaly", config, &err), ST_FATAL);
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, part);
    operator_bench_close(&b);
}

static void wrong_options_are_refused(void **unused)
{
    (void)unused;
    check_refused("{of: latency_p59_ms}", "nearest are latency_p50_ms");
    check_refused("{of: errors, warmup: 29}", "warmup of errors is 29 windows");
    check_refused("{of: errors, warmup: 1M}", "want 30 to 100000");
    check_refused("{of: latency, direction: down}", "Remove `direction: down` of latency");
    check_refused("{of: spans, direction: sideways}", "sideways");
    check_refused("{}", "of");
}

static void an_entry_is_there_once(void **unused)
{
    (void)unused;
    struct operator_bench b;
    struct error err = {0};
    assert_int_equal(operator_bench_open(&b, "anomaly", "{of: errors}", &err), ST_OK);
    struct operator_context context = operator_bench_context(&b);
    assert_int_equal(b.op->prepare(b.self, &context, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "errors_z already"));
    operator_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_come_after_the_warmup),
        cmocka_unit_test(errors_are_found),
        cmocka_unit_test(latency_is_found_and_its_band_is_of_the_mean),
        cmocka_unit_test(silence_is_told_for_an_hour),
        cmocka_unit_test(silence_is_not_learned_for_ever),
        cmocka_unit_test(more_spans_are_told_too),
        cmocka_unit_test(only_one_side_is_looked_at_if_so_told),
        cmocka_unit_test(only_one_side_of_spans_is_looked_at_if_so_told),
        cmocka_unit_test(a_quantile_of_few_spans_does_not_page),
        cmocka_unit_test(only_the_observed_row_is_filled),
        cmocka_unit_test(state_goes_on_from_its_bytes),
        cmocka_unit_test(the_default_entries_take_less_than_a_kilobyte),
        cmocka_unit_test(series_are_chosen_by_service),
        cmocka_unit_test(nonsense_is_not_learned),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(an_entry_is_there_once),
    };
    return cmocka_run_group_tests_name("anomaly", tests, NULL, NULL);
}
