#include "engine/summary.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOON_NS (INT64_C(720) * SUMMARY_SLICE_NS)

enum { THREADS = 4, VALUES_A_THREAD = 20000 };

static struct summary summary;

static int setup(void **unused)
{
    (void)unused;
    memset(&summary, 0, sizeof(summary));
    summary_init(&summary);
    return 0;
}

/* Is `seconds` within the stated error of `value_ns`? */
static bool is_close(double seconds, uint64_t value_ns)
{
    double value = (double)value_ns / 1e9;
    return fabs(seconds - value) <= value / 32;
}

static void any_value_is_within_the_stated_error(void **unused)
{
    (void)unused;
    for (uint64_t value_ns = 1; value_ns < SUMMARY_NS_MAX; value_ns += value_ns / 7 + 1) {
        setup(NULL);
        summary_observe(&summary, value_ns, NOON_NS);
        assert_true(is_close(summary_quantile(&summary, 0.5, NOON_NS), value_ns));
    }
}

static void a_quantile_is_the_value_at_its_rank(void **unused)
{
    (void)unused;
    for (uint64_t i = 1000; i >= 1; i--)
        summary_observe(&summary, i * 1000000, NOON_NS);
    assert_true(is_close(summary_quantile(&summary, 0.5, NOON_NS), 500 * 1000000));
    assert_true(is_close(summary_quantile(&summary, 0.99, NOON_NS), 990 * 1000000));
    assert_true(is_close(summary_quantile(&summary, 0, NOON_NS), 1000000));
    assert_true(is_close(summary_quantile(&summary, 1, NOON_NS), 1000 * 1000000));
    assert_int_equal(summary.count, 1000);
    assert_int_equal(summary.sum_ns, UINT64_C(500500) * 1000000);
}

static void nothing_seen_has_no_quantile(void **unused)
{
    (void)unused;
    assert_true(isnan(summary_quantile(&summary, 0.5, NOON_NS)));
    assert_true(isnan(summary_quantile(&summary, 0.5, 0)));
}

static void quantiles_forget_and_totals_do_not(void **unused)
{
    (void)unused;
    summary_observe(&summary, 1000, NOON_NS);
    int64_t last_ns = NOON_NS + SUMMARY_SLICES * SUMMARY_SLICE_NS - 1;
    assert_true(is_close(summary_quantile(&summary, 0.5, last_ns), 1000));
    assert_true(isnan(summary_quantile(&summary, 0.5, last_ns + 1)));

    summary_observe(&summary, 5000, last_ns + 1); /* in the same slice as the first */
    assert_true(is_close(summary_quantile(&summary, 0, last_ns + 1), 5000));
    assert_int_equal(summary.count, 2);
}

static void values_beyond_the_range_count_at_its_end(void **unused)
{
    (void)unused;
    summary_observe(&summary, UINT64_MAX, NOON_NS);
    assert_true(is_close(summary_quantile(&summary, 0.5, NOON_NS), SUMMARY_NS_MAX));
    setup(NULL);
    summary_observe(&summary, 0, NOON_NS);
    assert_true(summary_quantile(&summary, 0.5, NOON_NS) == 0);
}

static void *observe_many(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < VALUES_A_THREAD; i++)
        summary_observe(&summary, 1000, NOON_NS);
    return NULL;
}

static void threads_lose_nothing(void **unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, observe_many, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    uint64_t held = 0;
    for (size_t i = 0; i < SUMMARY_BUCKETS; i++)
        held += summary.slice[(NOON_NS / SUMMARY_SLICE_NS + 1) % SUMMARY_SLICES].bucket[i];
    assert_int_equal(held, THREADS * VALUES_A_THREAD);
    assert_int_equal(summary.count, THREADS * VALUES_A_THREAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(any_value_is_within_the_stated_error, setup),
        cmocka_unit_test_setup(a_quantile_is_the_value_at_its_rank, setup),
        cmocka_unit_test_setup(nothing_seen_has_no_quantile, setup),
        cmocka_unit_test_setup(quantiles_forget_and_totals_do_not, setup),
        cmocka_unit_test_setup(values_beyond_the_range_count_at_its_end, setup),
        cmocka_unit_test_setup(threads_lose_nothing, setup),
    };
    return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
