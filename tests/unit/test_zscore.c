/* zscore: scores are those of GSL over the same panes, and only what may be learned is. */
#include "tests/support/operator_bench.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_statistics_double.h>

static void open_bench(struct operator_bench *b, const char *config)
{
    struct error err = {0};
    if (operator_bench_open(b, "zscore", config, &err) != ST_OK) fail_msg("%s", err.text);
}

static struct row pane(int64_t i)
{
    return (struct row){.start_ns = i * BENCH_PANE_NS, .end_ns = (i + 1) * BENCH_PANE_NS};
}

/* Give the series one more pane; its score, NaN when it got none. */
static double step(struct operator_bench *b, int column, double value)
{
    static int64_t panes;
    struct row row = pane(panes++);
    struct transition out = {0};
    if (column < COLUMN_INTEGERS)
        row_set_integer(&row, column, (uint64_t)value);
    else
        row_set_number(&row, column, value);
    b->op->step(b->self, b->state, &row);
    assert_false(out.happened);
    return row_has(&row, COLUMN_SCORE) ? row_number(&row, COLUMN_SCORE) : NAN;
}

static void a_score_worked_out_by_hand(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{column: latency_p95_ms, history: 4, warmup: 4, deviation_floor: 0}");
    assert_string_equal(b.columns.name[COLUMN_SCORE], "latency_p95_ms_z");
    const int column = COLUMN_QUANTILE + 1;
    assert_true(isnan(step(&b, column, 2)));
    assert_true(isnan(step(&b, column, 4)));
    assert_true(isnan(step(&b, column, 4)));
    assert_true(isnan(step(&b, column, 6)));
    /* mean 4, sum of squares 8, 3 degrees of freedom */
    assert_true(fabs(step(&b, column, 8) - 4 / sqrt(8.0 / 3)) < 1e-12);
    /* 2 has left: 4 4 6 8, mean 5.5, squares 2.25 2.25 0.25 6.25 */
    assert_true(fabs(step(&b, column, 4) + 1.5 / sqrt(11.0 / 3)) < 1e-12);
    operator_bench_close(&b);
}

static void scores_are_those_of_gsl(void **unused)
{
    (void)unused;
    enum { PANES = 500, HISTORY = 60, WARMUP = 30 };
    double value[PANES];
    struct random random = random_from(1);
    struct operator_bench b;
    open_bench(&b, "{column: rate_per_s}");
    for (int i = 0; i < PANES; i++) {
        value[i] = 100 + 10 * random_normal(&random);
        double got = step(&b, COLUMN_RATE_PER_S, value[i]);
        int first = i < HISTORY ? 0 : i - HISTORY;
        assert_int_equal(isnan(got), i < WARMUP);
        if (i < WARMUP) continue;
        double mean = gsl_stats_mean(value + first, 1, (size_t)(i - first));
        double deviation = gsl_stats_sd(value + first, 1, (size_t)(i - first));
        assert_true(fabs(got - (value[i] - mean) / fmax(deviation, 0.01 * mean)) < 1e-9);
    }
    operator_bench_close(&b);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *value, size_t count)
{
    qsort(value, count, sizeof(*value), by_value);
    return count % 2 == 1 ? value[count / 2] : (value[count / 2 - 1] + value[count / 2]) / 2;
}

static void robust_scores_are_by_medians(void **unused)
{
    (void)unused;
    enum { PANES = 300, HISTORY = 31, WARMUP = 5 };
    double value[PANES], past[HISTORY];
    struct random random = random_from(7);
    struct operator_bench b;
    open_bench(&b, "{column: rate_per_s, history: 31, warmup: 5, robust: true}");
    for (int i = 0; i < PANES; i++) {
        value[i] = 100 + 10 * random_normal(&random) + (random_once_in(&random, 10) ? 500 : 0);
        double got = step(&b, COLUMN_RATE_PER_S, value[i]);
        assert_int_equal(isnan(got), i < WARMUP);
        if (i < WARMUP) continue;
        size_t known = i < HISTORY ? (size_t)i : HISTORY;
        memcpy(past, value + i - known, known * sizeof(past[0]));
        double median = median_of(past, known);
        for (size_t k = 0; k < known; k++)
            past[k] = fabs(past[k] - median);
        double deviation = fmax(1.4826 * median_of(past, known), 0.01 * median);
        assert_true(fabs(got - (value[i] - median) / deviation) < 1e-3 * (1 + fabs(got)));
    }
    operator_bench_close(&b);
}

/* The plain deviation takes the first outlier in, and the second is no news; to the robust one it is. */
static void an_outlier_does_not_hide_the_next_from_the_robust_one(void **unused)
{
    (void)unused;
    static const char *const config[] = {
        "{column: rate_per_s}", "{column: rate_per_s, robust: true}"};
    double second[2];
    for (int robust = 0; robust < 2; robust++) {
        struct operator_bench b;
        struct random random = random_from(8);
        open_bench(&b, config[robust]);
        for (int i = 0; i < 60; i++)
            step(&b, COLUMN_RATE_PER_S, 100 + 5 * random_normal(&random));
        assert_true(step(&b, COLUMN_RATE_PER_S, 1000) > 50);
        step(&b, COLUMN_RATE_PER_S, 100);
        second[robust] = step(&b, COLUMN_RATE_PER_S, 300);
        operator_bench_close(&b);
    }
    assert_true(second[0] < 3 && second[1] > 20);
}

static void counts_are_scored_too(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{column: spans, warmup: 2, history: 2, deviation_floor: 0}");
    step(&b, COLUMN_SPANS, 10);
    step(&b, COLUMN_SPANS, 12);
    assert_true(fabs(step(&b, COLUMN_SPANS, 15) - 4 / sqrt(2)) < 1e-12);
    operator_bench_close(&b);
}

static void a_small_deviation_is_not_believed(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{column: rate_per_s, warmup: 2, deviation_floor: 5%}");
    step(&b, COLUMN_RATE_PER_S, 200);
    step(&b, COLUMN_RATE_PER_S, 200);
    assert_true(fabs(step(&b, COLUMN_RATE_PER_S, 230) - 3) < 1e-12);
    operator_bench_close(&b);
}

static void no_deviation_is_no_score(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{column: error_ratio, warmup: 2}");
    for (int i = 0; i < 40; i++)
        assert_true(isnan(step(&b, COLUMN_ERROR_RATIO, 0)));
    assert_true(isnan(step(&b, COLUMN_ERROR_RATIO, 0.5)));
    assert_true(step(&b, COLUMN_ERROR_RATIO, 0.5) > 6); /* now there is one */
    operator_bench_close(&b);
}

static void other_rows_are_not_learned(void **unused)
{
    (void)unused;
    struct operator_bench b;
    open_bench(&b, "{column: rate_per_s, warmup: 2, history: 2, deviation_floor: 0}");
    size_t size = b.op->state_bytes(b.self);
    step(&b, COLUMN_RATE_PER_S, 1);
    step(&b, COLUMN_RATE_PER_S, 3);
    void *before = malloc(size);
    assert_non_null(before);
    memcpy(before, b.state, size);

    struct row other[4] = {pane(5), pane(5), pane(5), pane(5)};
    other[0].rolling = true;
    other[1].end_ns += BENCH_PANE_NS; /* a slice of two panes */
    row_set_number(&other[0], COLUMN_RATE_PER_S, 50);
    row_set_number(&other[1], COLUMN_RATE_PER_S, 50);
    row_set_number(&other[2], COLUMN_ERROR_RATIO, 50);
    row_set_number(&other[3], COLUMN_RATE_PER_S, NAN);
    for (int i = 0; i < 4; i++) {
        b.op->step(b.self, b.state, &other[i]);
        assert_false(row_has(&other[i], COLUMN_SCORE));
        assert_memory_equal(b.state, before, size);
    }
    free(before);
    operator_bench_close(&b);
}

static void state_goes_on_from_its_bytes(void **unused)
{
    (void)unused;
    struct operator_bench a, b;
    open_bench(&a, "{column: rate_per_s, warmup: 3, history: 5}");
    open_bench(&b, "{column: rate_per_s, warmup: 3, history: 5}");
    struct random random = random_from(2);
    for (int i = 0; i < 20; i++) {
        memcpy(b.state, a.state, a.op->state_bytes(a.self));
        double value = random_unit(&random);
        double x = step(&a, COLUMN_RATE_PER_S, value), y = step(&b, COLUMN_RATE_PER_S, value);
        assert_memory_equal(&x, &y, sizeof(x));
        assert_memory_equal(a.state, b.state, a.op->state_bytes(a.self));
    }
    operator_bench_close(&a);
    operator_bench_close(&b);
}

static void check_refused(const char *config, const char *part)
{
    struct operator_bench b;
    struct error err = {0};
    assert_int_equal(operator_bench_open(&b, "zscore", config, &err), ST_FATAL);
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, part);
    operator_bench_close(&b);
}

static void wrong_options_are_refused(void **unused)
{
    (void)unused;
    check_refused("{column: latency_p59_ms}", "nearest are latency_p50_ms, latency_p95_ms");
    check_refused("{column: rate_per_s, history: 1}", "history");
    check_refused("{column: rate_per_s, history: 1441}", "history");
    check_refused("{column: rate_per_s, warmup: 2M}", "warmup");
    check_refused("{column: rate_per_s, deviation_floor: -1}", "deviation_floor");
    check_refused("{column: rate_per_s, deviation_floor: nan}", "deviation_floor");
}

static void a_column_is_scored_once_and_slots_end(void **unused)
{
    (void)unused;
    struct operator_bench b;
    struct error err = {0};
    open_bench(&b, "{column: rate_per_s}");
    struct operator_context context = operator_bench_context(&b);
    assert_int_equal(b.op->prepare(b.self, &context, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "already. Remove"));

    for (int i = COLUMN_SCORE; i < COLUMN_COUNT; i++)
        b.columns.name[i][0] = 'x';
    b.columns.name[COLUMN_SCORE][1] = '\0';
    assert_int_equal(b.op->prepare(b.self, &context, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "no room"));

    memset(b.columns.name[COLUMN_RATE_PER_S], 'y', COLUMN_NAME_BYTES - 2);
    *(const char **)b.self = b.columns.name[COLUMN_RATE_PER_S];
    assert_int_equal(b.op->prepare(b.self, &context, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "at most 47"));
    operator_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_score_worked_out_by_hand),
        cmocka_unit_test(scores_are_those_of_gsl),
        cmocka_unit_test(robust_scores_are_by_medians),
        cmocka_unit_test(an_outlier_does_not_hide_the_next_from_the_robust_one),
        cmocka_unit_test(counts_are_scored_too),
        cmocka_unit_test(a_small_deviation_is_not_believed),
        cmocka_unit_test(no_deviation_is_no_score),
        cmocka_unit_test(other_rows_are_not_learned),
        cmocka_unit_test(state_goes_on_from_its_bytes),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(a_column_is_scored_once_and_slots_end),
    };
    return cmocka_run_group_tests_name("zscore", tests, NULL, NULL);
}
