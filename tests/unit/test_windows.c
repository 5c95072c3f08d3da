/* Windows: the totals behind a capture ratio, and sums that are worked out again. */
#include "engine/windows.h"
#include "tests/support/pipeline_bench.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void totals_are_kept_by_pane_whatever_order_they_come_in(void **unused)
{
    (void)unused;
    enum { PANES = 200 };
    struct totals totals = {0};
    struct random random = random_from(2);
    uint64_t spans[PANES] = {0};
    for (int i = 0; i < 2000; i++) {
        struct partial_total total = {
            .pane = (int64_t)random_below(&random, PANES), .spans = 1 + random_below(&random, 9)};
        spans[total.pane] += total.spans;
        totals_add(&totals, &total);
    }
    size_t at = 0;
    for (int64_t pane = 0; pane < PANES; pane++) {
        if (spans[pane] == 0) continue;
        assert_int_equal(totals.total[at].pane, pane);
        assert_int_equal(totals.total[at++].spans, spans[pane]);
    }
    assert_int_equal(totals.count, at);
    free(totals.total);
}

static void what_is_pruned_is_gone_and_nothing_else(void **unused)
{
    (void)unused;
    struct totals totals = {0};
    for (int64_t pane = 10; pane < 20; pane += 2)
        totals_add(&totals, &(struct partial_total){.pane = pane, .messages = 1});
    totals_prune(&totals, 10);
    assert_int_equal(totals.count, 5);
    totals_prune(&totals, 13);
    assert_int_equal(totals.count, 3);
    assert_int_equal(totals.total[0].pane, 14);
    totals_prune(&totals, 1000);
    assert_int_equal(totals.count, 0);
    totals_add(&totals, &(struct partial_total){.pane = 3});
    assert_int_equal(totals.total[0].pane, 3);
    free(totals.total);
}

static void captured_is_the_share_of_messages_times_that_of_spans(void **unused)
{
    (void)unused;
    struct totals totals = {0};
    assert_true(totals_captured(&totals, 0, 100) == 1.0); /* of nothing, everything */
    totals_add(&totals, &(struct partial_total){.pane = 5, .messages = 3, .malformed = 1});
    totals_add(
        &totals, &(struct partial_total){.pane = 6, .messages = 1, .spans = 8, .dropped = 2});
    assert_true(totals_captured(&totals, 5, 5) == 2.0 / 3.0);
    assert_true(totals_captured(&totals, 6, 6) == 0.75);
    assert_true(totals_captured(&totals, 5, 6) == 0.75 * 0.75);
    assert_true(totals_captured(&totals, 7, 9) == 1.0);
    assert_true(totals_captured(&totals, 0, 4) == 1.0);
    totals_add(&totals, &(struct partial_total){.pane = 9, .messages = 1, .malformed = 5});
    assert_true(totals_captured(&totals, 9, 9) == 0); /* never below nothing */
    free(totals.total);
}

/* A cell that counts `spans` of 1 ms. */
static void *cell_of(const struct plan *plan, uint64_t spans, struct pool *pool)
{
    struct span span = {.trace_id = (const uint8_t *)"of some trace...", .duration_ns = 1000000};
    void *cell = cell_new(&plan->layout, pool);
    for (uint64_t i = 0; i < spans; i++)
        cell_fold(&plan->layout, cell, &span, pool);
    return cell;
}

static uint64_t spans_of(const struct plan *plan, const void *cell)
{
    struct row row = {.end_ns = 1};
    cell_report(&plan->layout, cell, &row);
    return row.value[COLUMN_SPANS].integer;
}

static void sums_hold_the_closed_slices_that_their_windows_cover(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct pool pool = {0};
    struct series series = {0};
    bench_plan_init(&bench, "pane: 10s\nwindows: [30s, 40s]\nviews: [[operation]]\nzscore: []\n");
    const struct plan *plan = &bench.plan;
    for (int64_t pane = 100; pane < 110; pane++) {
        void *cell = cell_of(plan, UINT64_C(1) << (pane - 100), &pool);
        cell_merge(
            &plan->layout, slices_at(&series.level[0], pane, &plan->layout, &pool), cell, &pool);
    }
    windows_sum_again(plan, &series, 106, &pool); /* 105 is the newest that is closed */
    assert_int_equal(spans_of(plan, series.sum[0]), 8 + 16 + 32);
    assert_int_equal(spans_of(plan, series.sum[1]), 4 + 8 + 16 + 32);

    struct series empty = {0};
    windows_sum_again(plan, &empty, 106, &pool);
    assert_null(empty.sum[0]);
    free(series.level[0].slice);
    pool_release(&pool);
    bench_plan_release(&bench);
}

/* Close one pane of the only series, with a span in it, and say whether its operators began anew. */
static bool begins_anew(
    struct bench_plan *bench, struct series *series, struct pool *pool, int64_t pane)
{
    const struct plan *plan = &bench->plan;
    struct records records = {.silent = true};
    struct totals totals = {0};
    void *empty = cell_new(&plan->layout, pool), *cell = cell_of(plan, 1, pool);
    struct closing closing = {.plan = plan,
        .pool = pool,
        .records = &records,
        .empty = empty,
        .pane = pane,
        .totals = &totals};
    cell_merge(&plan->layout, slices_at(&series->level[0], pane, &plan->layout, pool), cell, pool);
    memset(series->states, 0, 8); /* the first word of a z-score counts the panes it has seen */
    ((unsigned char *)series->states)[0] = 40;
    windows_merge(&closing, series);
    windows_say(&closing, series);
    return ((const unsigned char *)series->states)[0] == 1;
}

static void a_series_that_was_idle_for_long_begins_anew(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct pool pool = {0};
    bench_plan_init(&bench, "pane: 10s\nwindows: []\nviews: [[operation]]\nhistory: []\n"
                            "limits: {series_idle: 1h}\nzscore: [{column: rate_per_s}]\n");
    const struct operator_instance *zscore = &bench.plan.config->operators[0];
    struct series series = {.closed_pane = PANE_NONE, .concerned = 1};
    series.states = calloc(1, zscore->operator_->state_bytes(zscore->self));
    assert_false(begins_anew(&bench, &series, &pool, 1000));
    assert_false(begins_anew(&bench, &series, &pool, 1360)); /* an hour later to the pane */
    assert_true(begins_anew(&bench, &series, &pool, 1721));
    free(series.states);
    for (uint32_t k = 0; k < bench.plan.levels; k++)
        free(series.level[k].slice);
    pool_release(&pool);
    bench_plan_release(&bench);
}

static void only_what_holds_something_closed_is_of_concern(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct pool pool = {0};
    struct series series = {0};
    bench_plan_init(&bench, "pane: 10s\nwindows: [30s]\nviews: [[operation]]\nzscore: []\n");
    const struct plan *plan = &bench.plan;
    assert_false(windows_concern(plan, &series, 5));
    slices_at(&series.level[0], 7, &plan->layout, &pool);
    assert_false(windows_concern(plan, &series, 6)); /* what lies ahead is not looked at */
    assert_true(windows_concern(plan, &series, 7));
    assert_true(windows_concern(plan, &series, 8));
    slices_prune(&series.level[0], 8, &plan->layout, &pool);
    assert_false(windows_concern(plan, &series, 8));
    series.rolled = 1;
    assert_true(windows_concern(plan, &series, 8));
    series.rolled = 0;
    slices_at(&series.level[1], 0, &plan->layout, &pool);
    assert_true(windows_concern(plan, &series, 8));
    free(series.level[0].slice);
    free(series.level[1].slice);
    pool_release(&pool);
    bench_plan_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_kept_by_pane_whatever_order_they_come_in),
        cmocka_unit_test(what_is_pruned_is_gone_and_nothing_else),
        cmocka_unit_test(captured_is_the_share_of_messages_times_that_of_spans),
        cmocka_unit_test(sums_hold_the_closed_slices_that_their_windows_cover),
        cmocka_unit_test(only_what_holds_something_closed_is_of_concern),
        cmocka_unit_test(a_series_that_was_idle_for_long_begins_anew),
    };
    return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
