/*
 * Slow spans: the threshold finds its way to the 95th percentile of any shape, counts are those of
 * the durations, and it is set anew when it must be, and only then.
 *
 * Mutations that fail here: a tracker that steps the wrong way or without end, counts at the wrong
 * side of the bucket, a threshold that follows every day whether latency moved or not, or never.
 */
#include "operators/slow_count.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SCALE = 6, A_DAY = 1440 };

struct latencies {
    struct random random;
    double median_ns, sigma;
    bool two_humps; /* one span in five takes twenty times as long */
};

static uint64_t draw(struct latencies *l)
{
    double median =
        l->two_humps && random_once_in(&l->random, 5) ? 20 * l->median_ns : l->median_ns;
    return random_lognormal_ns(&l->random, median, l->sigma);
}

/* One window; its slow spans counted one by one. */
static uint64_t window(struct slow_count *s, struct latencies *l, uint32_t spans)
{
    struct sketch sketch = {0};
    struct pool pool = {0};
    uint64_t slow = 0;
    for (uint32_t i = 0; i < spans; i++) {
        uint32_t index = sketch_index(SCALE, draw(l));
        slow += index > s->threshold;
        sketch_add(&sketch, index, 1, &pool);
    }
    if (slow_count_is_known(s)) assert_int_equal(slow_count_of(s, &sketch), slow);
    double mean = log(l->median_ns / 1e9) * 64 / log(2) + sketch_bias(SCALE);
    slow_count_learn(s, &sketch, slow_count_of(s, &sketch), mean, l->sigma * 64 / log(2), A_DAY);
    pool_release(&pool);
    return slow;
}

static double share_over(const struct slow_count *s, struct latencies *l)
{
    uint32_t over = 0;
    for (int i = 0; i < 100000; i++)
        over += sketch_index(SCALE, draw(l)) > s->threshold;
    return over / 100000.0;
}

static void check_share(struct latencies l, uint32_t spans, int windows)
{
    struct slow_count s = {.windows = 0};
    for (int i = 0; i < windows; i++)
        window(&s, &l, spans);
    assert_true(slow_count_is_known(&s));
    double share = share_over(&s, &l);
    if (share < 0.025 || share > 0.1) fail_msg("%g of spans are slow", share);
    double believed = rate_share(&s.rate);
    if (fabs(believed - share) > 0.25 * share) fail_msg("%g believed, %g are", believed, share);
}

static void the_threshold_is_near_the_95th_percentile(void **unused)
{
    (void)unused;
    struct random random = random_from(1);
    check_share((struct latencies){random, 40e6, 0.8, false}, 30, 3 * A_DAY);
    check_share((struct latencies){random, 2e6, 0.2, false}, 5, 3 * A_DAY);
    check_share((struct latencies){random, 900e6, 1.5, false}, 300, 2 * A_DAY);
    check_share((struct latencies){random, 10e6, 0.3, true}, 30, 3 * A_DAY);
}

static void it_is_known_after_two_hundred_spans(void **unused)
{
    (void)unused;
    struct latencies l = {random_from(2), 40e6, 0.8, false};
    struct slow_count s = {.windows = 0};
    int windows = 0;
    for (; !slow_count_is_known(&s); windows++)
        window(&s, &l, 10);
    assert_in_range(windows, 20, 21);
    double share = share_over(&s, &l);
    assert_true(share > 0.01 && share < 0.15);
}

/* Steady latency leaves it where it is for days; latency that has moved takes it along. */
static void it_moves_only_when_it_must(void **unused)
{
    (void)unused;
    struct latencies l = {random_from(3), 40e6, 0.8, false};
    struct slow_count s = {.windows = 0};
    for (int i = 0; i < 4 * A_DAY; i++)
        window(&s, &l, 100);
    uint16_t before = s.threshold;
    int moves = 0;
    for (int i = 0; i < A_DAY - 1; i++) {
        window(&s, &l, 100);
        moves += s.threshold != before;
    }
    assert_true(moves < A_DAY); /* at most once, and not before it is due */
    l.median_ns *= 3;
    double share = 1;
    int windows = 0;
    for (; share > 0.1 && windows < 3 * A_DAY; windows++) {
        window(&s, &l, 100);
        if (windows % 60 == 0) share = share_over(&s, &l);
    }
    assert_true(windows < A_DAY);
}

/* Windows of a second: a day has more of them than are counted. */
static void a_day_ends_however_many_windows_it_has(void **unused)
{
    (void)unused;
    struct pool pool = {0};
    struct sketch sketch = {0};
    sketch_add(&sketch, 500, 10, &pool);
    for (int over = 0; over < 2; over++) {
        struct slow_count s = {.percentile = 1010,
            .spans = 1e5f,
            .threshold = 1000,
            .windows = over == 1 ? UINT16_MAX : 1000};
        rate_begin(&s.rate, 20, 400);
        slow_count_learn(&s, &sketch, 0, 900, 90, 86400);
        assert_int_equal(s.threshold, over == 1 ? 1009 : 1000);
    }
    sketch_release(&sketch, &pool);
    pool_release(&pool);
}

static void a_new_threshold_is_believed_as_twenty(void **unused)
{
    (void)unused;
    struct latencies l = {random_from(4), 40e6, 0.8, false};
    struct slow_count s = {.windows = 0};
    while (!slow_count_is_known(&s))
        window(&s, &l, 1000);
    assert_true(fabs(s.rate.events - 20) < 1e-9 && fabs(s.rate.spans - 400) < 1e-9);
}

static void windows_without_spans_teach_nothing(void **unused)
{
    (void)unused;
    struct slow_count s = {.windows = 3}, before = s;
    struct sketch none = {0};
    slow_count_learn(&s, &none, 0, 2000, 90, A_DAY);
    assert_memory_equal(&s, &before, sizeof(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_threshold_is_near_the_95th_percentile),
        cmocka_unit_test(it_is_known_after_two_hundred_spans),
        cmocka_unit_test(it_moves_only_when_it_must),
        cmocka_unit_test(a_day_ends_however_many_windows_it_has),
        cmocka_unit_test(a_new_threshold_is_believed_as_twenty),
        cmocka_unit_test(windows_without_spans_teach_nothing),
    };
    return cmocka_run_group_tests_name("slow_count", tests, NULL, NULL);
}
