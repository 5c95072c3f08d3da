/*
 * Evidence: deviates that are normal stay what they are, and so do runs of them; those that stray
 * further than normal ones are shrunk; one window makes no run; missing windows break one.
 *
 * Mutations that fail here: a run scaled by the wrong root, a deviation that may fall below 1, runs
 * that count a window whole, the sign of a one-sided run.
 */
#include "operators/count_tail.h"
#include "operators/evidence.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A series that has fit its model for long. */
static const struct evidence settled = {
    .square = {1, 1, 1}, .seen = 1000000, .limits.seen = 1000000};

/* By hand: 1, 2, 3: (1 + 2 + 3) / sqrt 3; the mean is .2, .56, 1.048, times 3. */
static void runs_worked_out_by_hand(void **unused)
{
    (void)unused;
    struct evidence e = settled;
    assert_true(fabs(evidence_take(&e, 1, false).run - 0.6) < 1e-6);
    evidence_take(&e, 2, false);
    struct finding f = evidence_take(&e, 3, false);
    assert_true(fabs(f.fresh - 6 / sqrt(3)) < 0.01 && fabs(f.run - f.fresh) < 1e-9);
    assert_true(fabs((double)e.mean - 1.048) < 1e-6);
    assert_true(fabs(f.z - 3) < 0.01 && f.shrink > 0.99 && f.shrink <= 1);
}

/* Shares of windows beyond some z, over nominal: of the window, and of the further of two runs. */
static void normal_deviates_stay_what_they_are(void **unused)
{
    (void)unused;
    static const double limits[] = {2.3263479, 3.0902323};
    static const double nominal[] = {0.01, 0.001};
    enum { WINDOWS = 400000 };
    struct random random = random_from(1);
    struct evidence e = {.seen = 0};
    uint32_t z[2] = {0}, run[2] = {0}, noticed = 0;
    for (int i = 0; i < WINDOWS; i++) {
        struct finding f = evidence_take(&e, random_normal(&random), true);
        for (int k = 0; k < 2; k++) {
            z[k] += f.z > limits[k];
            run[k] += f.run > limits[k];
        }
        noticed += f.excess > LIMITS_NOTICE;
    }
    for (int k = 0; k < 2; k++) {
        double of_z = z[k] / (nominal[k] * WINDOWS), of_run = run[k] / (nominal[k] * WINDOWS);
        assert_true(of_z > 0.7 && of_z < 1.15);
        assert_true(of_run > 0.7 && of_run < 2); /* the further of two, so up to twice */
    }
    assert_true(noticed < 20);
}

static double wander(struct random *random, double *level, double keep)
{
    *level = keep * *level + sqrt(1 - keep * keep) * random_normal(random);
    return *level;
}

/* What wanders makes runs by itself: they are held against how far they usually go. */
static void wandering_deviates_make_no_evidence(void **unused)
{
    (void)unused;
    struct random random = random_from(2);
    struct evidence e = {.seen = 0};
    double level = 0;
    uint32_t over = 0, noticed = 0;
    enum { WINDOWS = 100000, LEARNED = 5000 };
    for (int i = 0; i < WINDOWS; i++) {
        struct finding f = evidence_take(&e, wander(&random, &level, 0.95), true);
        if (i < LEARNED) continue;
        over += fabs(f.run) > 3.0902323;
        noticed += f.excess > LIMITS_NOTICE;
    }
    assert_true(over < 0.006 * WINDOWS); /* unscaled, one window in three */
    assert_true(noticed < 60);
}

/* Twice as wide as normal: known after a while, and forgotten again. */
static void what_strays_is_shrunk(void **unused)
{
    (void)unused;
    struct random random = random_from(3);
    struct evidence e = {.seen = 0};
    for (int i = 0; i < 5000; i++)
        evidence_take(&e, 2 * random_normal(&random), true);
    double wide = evidence_take(&e, 3, true).shrink;
    assert_true(wide > 0.35 && wide < 0.55);
    for (int i = 0; i < 40000; i++)
        evidence_take(&e, random_normal(&random), true);
    assert_true(evidence_take(&e, 3, true).shrink > 0.85);
}

static void one_window_makes_no_run(void **unused)
{
    (void)unused;
    struct evidence e = {.seen = 0};
    for (int i = 0; i < 100; i++)
        evidence_take(&e, i % 2 == 0 ? 0.5 : -0.5, true);
    struct finding first = evidence_take(&e, 30, true);
    assert_true(first.z > 20 && first.excess > 1 && first.run < 4.0);
    struct finding second = evidence_take(&e, 6, true);
    assert_true(second.run > 5);
}

static void down_counts_where_both_sides_do(void **unused)
{
    (void)unused;
    struct evidence one = settled, both = settled;
    struct finding f = {0};
    for (int i = 0; i < 5; i++)
        f = evidence_take(&one, -5, false);
    assert_true(f.excess == 0 && f.run < 0);
    for (int i = 0; i < 3; i++)
        f = evidence_take(&both, -5, true);
    assert_true(f.run < -5 && f.z < -4 && f.z >= -5);
    assert_true(upper_of_z(-f.run) < 1e-4);
}

static void a_gap_begins_runs_anew(void **unused)
{
    (void)unused;
    struct evidence e = {.seen = 0};
    for (int i = 0; i < 5; i++)
        evidence_take(&e, 3, true);
    evidence_break(&e);
    assert_true(evidence_take(&e, 0, true).run == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_worked_out_by_hand),
        cmocka_unit_test(normal_deviates_stay_what_they_are),
        cmocka_unit_test(wandering_deviates_make_no_evidence),
        cmocka_unit_test(what_strays_is_shrunk),
        cmocka_unit_test(one_window_makes_no_run),
        cmocka_unit_test(down_counts_where_both_sides_do),
        cmocka_unit_test(a_gap_begins_runs_anew),
    };
    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
