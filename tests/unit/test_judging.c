/*
 * The scores of a window judged together: each scorer and each view by itself, and only what may be
 * compared. The scorer here has the p that a test gives it, and keeps what it is told.
 *
 * Mutations that fail here: views or scorers judged as one, overflow series among the others, a p that
 * is none counted as one, series judged that are not of concern.
 */
#include "engine/judging.h"
#include "tests/support/pipeline_bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SCORERS = 2, NOT_JUDGED = -1 };

/* Of one scorer on one series. */
struct told {
    double p;
    int32_t observed, level;
};

static size_t told_bytes(const void *self)
{
    (void)self;
    return sizeof(struct told);
}

static void told_observe(const void *self, void *state, const struct row *row)
{
    (void)self;
    assert_true(row->scored);
    ((struct told *)state)->observed++;
}

static double told_surprise(const void *self, const void *state)
{
    (void)self;
    return ((const struct told *)state)->p;
}

static void told_judge(const void *self, void *state, enum score_level level)
{
    (void)self;
    ((struct told *)state)->level = (int32_t)level;
}

static const struct window_operator teller = {.name = "teller",
    .state_bytes = told_bytes,
    .observe = told_observe,
    .surprise = told_surprise,
    .judge = told_judge};

struct fixture {
    struct bench_plan bench;
    struct pool pool;
    struct series_table table;
};

/* Two series of a service at most in this partition. */
static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    bench_plan_init(&f->bench, "pane: 10s\nviews: [[service], [service, operation]]\n"
                               "partitions: 1\nlimits: {series_per_service: 2}\n"
                               "history: [{resolution: 1m, retain: 1h, sketches: false}]\n");
    f->bench.config.operator_count = SCORERS;
    for (size_t i = 0; i < SCORERS; i++)
        f->bench.config.operators[i] = (struct operator_instance){.operator_ = &teller};
    series_table_init(&f->table, &f->bench.plan, 0, &f->pool);
}

static void fixture_release(struct fixture *f)
{
    series_table_release(&f->table);
    pool_release(&f->pool);
    bench_plan_release(&f->bench);
}

/* A series of view 0 = [service] or view 1 = [service, operation], with a p for each scorer. */
static struct told *add(
    struct fixture *f, const char *service, const char *operation, double p, double other)
{
    struct partial_cell cell = {.view = operation != NULL,
        .dimensions = operation == NULL ? 1 : 2,
        .dimension = {bytes_of(service), bytes_of(operation == NULL ? "" : operation)}};
    struct series *series = series_of(&f->table, &cell);
    struct told *told = series->states;
    told[0] = (struct told){.p = p, .level = NOT_JUDGED};
    told[1] = (struct told){.p = other, .level = NOT_JUDGED};
    series->awake = true;
    series_activate(&f->table, series);
    return told;
}

static void score(struct fixture *f)
{
    struct records records = {.silent = true};
    struct totals totals = {0};
    void *empty = cell_new(&f->bench.plan.layout, &f->pool);
    struct closing closing = {.plan = &f->bench.plan,
        .pool = &f->pool,
        .records = &records,
        .empty = empty,
        .pane = 5,
        .totals = &totals};
    assert_true(windows_score(&closing));
    judging_score(&closing, &f->table);
    cell_free(&f->bench.plan.layout, empty, &f->pool);
}

/* A p of 2 % is one to be told of alone, and none among ten. */
static void views_and_scorers_are_judged_apart(void **unused)
{
    (void)unused;
    struct fixture f;
    struct told *among[10];
    char service[16];
    fixture_init(&f);
    struct told *alone = add(&f, "cart", NULL, 0.02, 0.9);
    for (int i = 0; i < 10; i++) {
        snprintf(service, sizeof(service), "s%d", i);
        among[i] = add(&f, service, "GET", i == 3 ? 0.02 : 0.5, i == 7 ? 1e-5 : 0.5);
    }
    score(&f);
    assert_int_equal(alone[0].level, SCORE_NOTICE);
    assert_int_equal(alone[1].level, SCORE_NONE);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(among[i][0].observed, 1);
        assert_int_equal(among[i][0].level, SCORE_NONE);
        assert_int_equal(among[i][1].level, i == 7 ? SCORE_PAGE : SCORE_NONE);
    }
    fixture_release(&f);
}

static void overflow_series_are_observed_but_not_compared(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f);
    struct told *a = add(&f, "cart", "a", 0.02, 0.9);
    struct told *b = add(&f, "cart", "b", 0.9, 0.9);
    struct told *over = add(&f, "cart", "c", 0.9, 1e-9);
    assert_int_equal(series_view(f.table.series[2]), UINT32_MAX);
    score(&f);
    assert_int_equal(over[0].observed, 1);
    assert_int_equal(over[0].level, NOT_JUDGED);
    assert_int_equal(over[1].level, NOT_JUDGED);
    assert_int_equal(a[0].level, SCORE_NOTICE); /* of two; of three it would be none */
    assert_int_equal(b[0].level, SCORE_NONE);
    fixture_release(&f);
}

static void what_has_no_p_takes_no_part(void **unused)
{
    (void)unused;
    struct fixture f;
    struct told *none[9];
    char service[16];
    fixture_init(&f);
    struct told *one = add(&f, "cart", NULL, 0.04, NAN);
    for (int i = 0; i < 9; i++) {
        snprintf(service, sizeof(service), "s%d", i);
        none[i] = add(&f, service, NULL, NAN, NAN);
    }
    score(&f);
    assert_int_equal(one[0].level, SCORE_NOTICE);
    assert_int_equal(one[1].level, SCORE_NONE);
    for (int i = 0; i < 9; i++)
        assert_int_equal(none[i][0].level, SCORE_NONE);
    fixture_release(&f);
}

static void what_is_not_of_concern_is_not_observed(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f);
    struct told *gone = add(&f, "cart", NULL, 1e-9, 1e-9);
    struct told *here = add(&f, "shop", NULL, 0.04, 0.04);
    f.table.series[0]->awake = false;
    score(&f);
    assert_int_equal(gone[0].observed, 0);
    assert_int_equal(gone[0].level, NOT_JUDGED);
    assert_int_equal(here[0].level, SCORE_NOTICE);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_and_scorers_are_judged_apart),
        cmocka_unit_test(overflow_series_are_observed_but_not_compared),
        cmocka_unit_test(what_has_no_p_takes_no_part),
        cmocka_unit_test(what_is_not_of_concern_is_not_observed),
    };
    return cmocka_run_group_tests_name("judging", tests, NULL, NULL);
}
