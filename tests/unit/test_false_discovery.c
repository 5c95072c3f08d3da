/*
 * Benjamini-Hochberg, against the procedure done the long way: everything sorted, every rank looked at.
 *
 * Mutations that fail here: ranks from 0, the first rank that fails taken for the last that holds,
 * NaN counted among the active, p equal to its limit left out.
 */
#include "operators/false_discovery.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MANY = 3000 };

/* Discovered are those below some p whose rank allows it; counted by comparing all with all. */
static double brute_threshold(const double *p, size_t count, double q)
{
    size_t active = 0;
    double found = -1;
    for (size_t i = 0; i < count; i++)
        active += isnan(p[i]) ? 0 : 1;
    for (size_t i = 0; i < count; i++) {
        size_t rank = 0;
        for (size_t k = 0; k < count; k++)
            rank += p[k] <= p[i];
        if (p[i] <= q * (double)rank / (double)active && p[i] > found) found = p[i];
    }
    return found;
}

static void check(const double *p, size_t count)
{
    static double scratch[MANY];
    struct discovery d = discovery_of(p, count, scratch);
    assert_true(d.notice == brute_threshold(p, count, 0.05));
    assert_true(d.page == brute_threshold(p, count, 0.01));
    assert_true(d.page <= d.notice);
}

static void thresholds_are_those_of_brute_force(void **unused)
{
    (void)unused;
    static double p[MANY];
    struct random random = random_from(1);
    for (int round = 0; round < 60; round++) {
        size_t count = 1 + (size_t)random_below(&random, round < 50 ? 60 : 1500);
        uint64_t faults = random_below(&random, 5);
        for (size_t i = 0; i < count; i++) {
            p[i] = random_unit(&random);
            if (random_below(&random, 20) < faults) p[i] *= 1e-4;
            if (random_once_in(&random, 7)) p[i] = NAN;
            if (random_once_in(&random, 30)) p[i] = 0.01; /* ties, and at a limit */
            if (random_once_in(&random, 100)) p[i] = 0;
        }
        check(p, count);
    }
}

static void worked_out_by_hand(void **unused)
{
    (void)unused;
    /* limits at q .05: .01 .02 .03 .04 .05; .031 is over its own, yet .035 is within the fourth */
    const double p[] = {0.035, 0.9, 0.001, 0.031, 0.015};
    double scratch[5];
    struct discovery d = discovery_of(p, 5, scratch);
    assert_true(d.notice == 0.035 && d.page == 0.001 && d.active == 5);

    const double one[] = {NAN, 0.01, NAN};
    d = discovery_of(one, 3, scratch);
    assert_true(d.notice == 0.01 && d.page == 0.01 && d.active == 1);

    const double none[] = {NAN, 0.2};
    d = discovery_of(none, 2, scratch);
    assert_true(d.notice == -1 && d.page == -1 && d.active == 1);
    d = discovery_of(none, 0, scratch);
    assert_true(d.notice == -1 && d.active == 0);
}

/* Nothing wrong anywhere: something is named in one window of twenty, however many series there are. */
static void chance_names_one_window_in_twenty(void **unused)
{
    (void)unused;
    static double p[MANY], scratch[MANY];
    struct random random = random_from(2);
    static const size_t counts[] = {1, 10, 300, MANY};
    for (size_t c = 0; c < 4; c++) {
        int named = 0, windows = c == 3 ? 3000 : 20000;
        for (int w = 0; w < windows; w++) {
            for (size_t i = 0; i < counts[c]; i++)
                p[i] = random_unit(&random);
            named += discovery_of(p, counts[c], scratch).notice >= 0;
        }
        double share = (double)named / windows;
        assert_true(share > 0.04 && share < 0.06);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_are_those_of_brute_force),
        cmocka_unit_test(worked_out_by_hand),
        cmocka_unit_test(chance_names_one_window_in_twenty),
    };
    return cmocka_run_group_tests_name("false_discovery", tests, NULL, NULL);
}
