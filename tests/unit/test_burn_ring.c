/* burn_ring: its windows hold what a list of all counts holds, whatever the gaps, late counts and restarts. */
#include "operators/burn_ring.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS INT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS   (60 * MINUTE_NS)
#define DAY_NS    (24 * HOUR_NS)
#define FROM_NS   INT64_C(1770000003000000000) /* in no bucket's beginning */

enum { LIST_MAX = 20000, SEEDS = 4, STEPS = 6000 };

/* What the header's table says of each window. */
static const struct {
    enum burn_window window;
    int64_t buckets, width_ns, reach_ns;
} said[] = {
    {BURN_5M, 10, 30 * SECOND_NS, 5 * MINUTE_NS},
    {BURN_30M, 12, 150 * SECOND_NS, 30 * MINUTE_NS},
    {BURN_1H, 24, 150 * SECOND_NS, HOUR_NS},
    {BURN_2H, 12, 10 * MINUTE_NS, 2 * HOUR_NS},
    {BURN_6H, 36, 10 * MINUTE_NS, 6 * HOUR_NS},
    {BURN_1D, 12, 2 * HOUR_NS, DAY_NS},
    {BURN_3D, 36, 2 * HOUR_NS, 3 * DAY_NS},
};

struct counted {
    struct burn_moment at;
    struct tally more;
};

/* Every count there ever was, and the ring that has seen them. */
struct both {
    struct counted *list; /* [LIST_MAX] */
    size_t count;
    enum burn_budget budget;
    struct burn_moment now;
    struct burn_ring *ring;
};

/* Months of 30 days serve here: the ring only compares them. */
static struct burn_moment moment(int64_t ns)
{
    return (struct burn_moment){ns, ns / (30 * DAY_NS)};
}

static void both_open(struct both *b, enum burn_budget budget)
{
    *b = (struct both){.list = calloc(LIST_MAX, sizeof(struct counted)),
        .budget = budget,
        .now = moment(FROM_NS),
        .ring = calloc(1, burn_ring_bytes(budget))};
}

static void both_close(struct both *b)
{
    free(b->list);
    free(b->ring);
}

static void both_add(struct both *b, int64_t ns, struct tally more)
{
    assert_true(b->count < LIST_MAX);
    b->list[b->count++] = (struct counted){moment(ns), more};
    if (ns > b->now.ns) b->now = moment(ns);
    burn_ring_add(b->ring, b->budget, moment(ns), more);
}

static void both_advance(struct both *b, int64_t ns)
{
    if (ns > b->now.ns) b->now = moment(ns);
    burn_ring_advance(b->ring, b->budget, moment(ns));
}

/* All that ended in the newest `buckets` of a width. */
static struct tally listed(const struct both *b, int64_t buckets, int64_t width_ns)
{
    struct tally sum = {0};
    for (size_t i = 0; i < b->count; i++) {
        int64_t age = b->now.ns / width_ns - b->list[i].at.ns / width_ns;
        if (age >= buckets) continue;
        sum.all += b->list[i].more.all;
        sum.bad += b->list[i].more.bad;
    }
    return sum;
}

/* All that ended after `ns`. */
static struct tally since(const struct both *b, int64_t ns)
{
    struct tally sum = {0};
    for (size_t i = 0; i < b->count; i++) {
        if (b->list[i].at.ns <= ns) continue;
        sum.all += b->list[i].more.all;
        sum.bad += b->list[i].more.bad;
    }
    return sum;
}

static struct tally of_month(const struct both *b)
{
    struct tally sum = {0};
    for (size_t i = 0; i < b->count; i++) {
        if (b->list[i].at.month != b->now.month) continue;
        sum.all += b->list[i].more.all;
        sum.bad += b->list[i].more.bad;
    }
    return sum;
}

static void assert_tally(struct tally is, struct tally want)
{
    assert_int_equal(is.all, want.all);
    assert_int_equal(is.bad, want.bad);
}

static void assert_budget(const struct both *b)
{
    static const int64_t buckets[] = {[BUDGET_28D] = 56, [BUDGET_30D] = 60};
    struct tally want =
        b->budget == BUDGET_MONTH ? of_month(b) : listed(b, buckets[b->budget], 12 * HOUR_NS);
    assert_tally(b->ring->window[BURN_BUDGET], want);
}

static void assert_agree(const struct both *b)
{
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        assert_tally(b->ring->window[said[i].window], listed(b, said[i].buckets, said[i].width_ns));
    assert_budget(b);
}

/* Mostly one pane after the other; now and then a gap, sometimes longer than every window. */
static int64_t step_ns(struct random *random)
{
    if (random_once_in(random, 500)) return (int64_t)random_below(random, (uint64_t)(40 * DAY_NS));
    if (random_once_in(random, 30)) return (int64_t)random_below(random, (uint64_t)(5 * HOUR_NS));
    return 10 * SECOND_NS;
}

static struct tally some(struct random *random)
{
    uint64_t all = random_below(random, 1000);
    if (random_once_in(random, 100)) all = UINT64_C(1) << 47;
    return (struct tally){all, all == 0 ? 0 : random_below(random, all + 1)};
}

static void walk(struct both *b, struct random *random)
{
    for (int i = 0; i < STEPS; i++) {
        int64_t ns = b->now.ns + step_ns(random);
        if (random_once_in(random, 10))
            both_advance(b, ns);
        else
            both_add(b, ns, some(random));
        if (random_once_in(random, 6)) {
            uint64_t back_ns = UINT64_C(1) << (33 + random_below(random, 20)); /* 9 s to 52 days */
            both_add(b, b->now.ns - (int64_t)random_below(random, back_ns), some(random));
        }
        if (random_once_in(random, 20)) assert_agree(b);
    }
    assert_agree(b);
}

static void windows_are_those_of_a_list_of_all_counts(void **unused)
{
    (void)unused;
    for (enum burn_budget budget = BUDGET_28D; budget <= BUDGET_MONTH; budget++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct both b;
            struct random random = random_from(seed);
            both_open(&b, budget);
            walk(&b, &random);
            both_close(&b);
        }
    }
}

/* The header's promise about a window's edge: never more than the name says, at most a bucket less. */
static void a_window_reaches_back_at_most_a_bucket_less_than_it_says(void **unused)
{
    (void)unused;
    struct both b;
    struct random random = random_from(7);
    both_open(&b, BUDGET_30D);
    for (int i = 0; i < 4 * 24 * 60; i++) {
        both_add(&b, b.now.ns + MINUTE_NS, some(&random));
        for (size_t w = 0; w < sizeof(said) / sizeof(said[0]) && i % 60 == 7; w++) {
            struct tally is = b.ring->window[said[w].window];
            struct tally most = since(&b, b.now.ns - said[w].reach_ns);
            struct tally least = since(&b, b.now.ns - said[w].reach_ns + said[w].width_ns);
            assert_in_range(is.all, least.all, most.all);
            assert_in_range(is.bad, least.bad, most.bad);
        }
    }
    both_close(&b);
}

/* A gap costs no more than the buckets there are: a thousand years go by in no time. */
static void gaps_of_any_length_empty_the_windows(void **unused)
{
    (void)unused;
    struct burn_ring *ring = calloc(1, burn_ring_bytes(BUDGET_28D));
    for (int64_t year = 0; year < 200; year++) {
        int64_t ns = FROM_NS + year * 365 * DAY_NS / 10;
        burn_ring_add(ring, BUDGET_28D, moment(ns), (struct tally){10, 3});
        for (int w = 0; w < BURN_WINDOWS; w++)
            assert_tally(ring->window[w], (struct tally){10, 3});
        burn_ring_advance(ring, BUDGET_28D, moment(ns + 28 * DAY_NS + 12 * HOUR_NS));
        for (int w = 0; w < BURN_WINDOWS; w++)
            assert_tally(ring->window[w], (struct tally){0, 0});
    }
    burn_ring_advance(ring, BUDGET_28D, moment(INT64_MAX));
    burn_ring_add(ring, BUDGET_28D, moment(INT64_MAX), (struct tally){1, 1});
    assert_tally(ring->window[BURN_BUDGET], (struct tally){1, 1});
    free(ring);
}

static void a_month_begins_without_debt(void **unused)
{
    (void)unused;
    struct burn_ring *ring = calloc(1, burn_ring_bytes(BUDGET_MONTH));
    struct burn_moment july = {FROM_NS, 24318}, august = {FROM_NS + MINUTE_NS, 24319};
    burn_ring_add(ring, BUDGET_MONTH, july, (struct tally){100, 40});
    assert_tally(ring->window[BURN_BUDGET], (struct tally){100, 40});
    burn_ring_add(ring, BUDGET_MONTH, august, (struct tally){7, 1});
    assert_tally(ring->window[BURN_BUDGET], (struct tally){7, 1});
    assert_tally(ring->window[BURN_5M], (struct tally){107, 41});

    burn_ring_add(ring, BUDGET_MONTH, july, (struct tally){5, 5}); /* late: of the month before */
    assert_tally(ring->window[BURN_BUDGET], (struct tally){7, 1});
    assert_tally(ring->window[BURN_5M], (struct tally){112, 46});

    struct burn_moment again = {august.ns + MINUTE_NS, july.month}; /* the zone's clock went back */
    burn_ring_add(ring, BUDGET_MONTH, again, (struct tally){1, 0});
    assert_tally(ring->window[BURN_BUDGET], (struct tally){8, 1});
    free(ring);
}

static void what_is_older_than_a_window_is_not_in_it(void **unused)
{
    (void)unused;
    struct both b;
    both_open(&b, BUDGET_30D);
    both_add(&b, FROM_NS, (struct tally){1, 0});
    both_add(&b, FROM_NS - 20 * DAY_NS, (struct tally){1000, 1000});
    both_add(&b, FROM_NS - 31 * DAY_NS, (struct tally){1000, 1000});
    assert_agree(&b);
    assert_tally(b.ring->window[BURN_3D], (struct tally){1, 0});
    assert_tally(b.ring->window[BURN_BUDGET], (struct tally){1001, 1000});
    both_close(&b);
}

static void a_copy_of_the_bytes_goes_on_alike(void **unused)
{
    (void)unused;
    struct both b;
    struct random random = random_from(11);
    both_open(&b, BUDGET_28D);
    for (int i = 0; i < 1000; i++) {
        struct burn_ring *copy = malloc(burn_ring_bytes(BUDGET_28D));
        memcpy(copy, b.ring, burn_ring_bytes(BUDGET_28D));
        int64_t ns = b.now.ns + step_ns(&random);
        struct tally more = some(&random);
        both_add(&b, ns, more);
        burn_ring_add(copy, BUDGET_28D, moment(ns), more);
        assert_memory_equal(copy, b.ring, burn_ring_bytes(BUDGET_28D));
        free(copy);
    }
    both_close(&b);
}

static void it_is_small(void **unused)
{
    (void)unused;
    assert_true(burn_ring_bytes(BUDGET_30D) < 2900);
    assert_true(
        burn_ring_bytes(BUDGET_28D) == burn_ring_bytes(BUDGET_30D) - 4 * sizeof(struct tally));
    assert_true(burn_ring_bytes(BUDGET_MONTH) < 2000);
    assert_int_equal(burn_ring_bytes(BUDGET_MONTH) % 8, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_those_of_a_list_of_all_counts),
        cmocka_unit_test(a_window_reaches_back_at_most_a_bucket_less_than_it_says),
        cmocka_unit_test(gaps_of_any_length_empty_the_windows),
        cmocka_unit_test(a_month_begins_without_debt),
        cmocka_unit_test(what_is_older_than_a_window_is_not_in_it),
        cmocka_unit_test(a_copy_of_the_bytes_goes_on_alike),
        cmocka_unit_test(it_is_small),
    };
    return cmocka_run_group_tests_name("burn_ring", tests, NULL, NULL);
}
