/*
 * Adaptive limits: passed as often as they say, on both sides and whatever the tail; one outlier does
 * not move them far; what never moves has a floor; alerts in vain make them doubt.
 *
 * Mutations that fail here: a step that is not capped, a limit that steps up in every window of an
 * incident, sides swapped, a gate that tells an episode again, back-off that never fades.
 */
#include "operators/count_tail.h"
#include "operators/limits.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct limits_floor fine = {.value = {0.1, 0.1}, .z = LIMITS_ALPHA_Z, .early = 3};
static const struct limits_floor of_z = {.value = {4, 4}, .z = 4, .early = 0.5};

static struct limits_score take(
    struct limits *l, const struct limits_floor *floor, double first, double second, bool *told)
{
    const double value[CHANNELS] = {first, second};
    struct limits_score score = limits_score(l, floor, value, LIMITS_UP | LIMITS_DOWN);
    bool onset = limits_learn(l, floor, value, &score);
    if (told != NULL) *told = onset;
    return score;
}

static double skewed(struct random *random)
{
    return -log(random_unit(random)) - 1; /* down to -1, up without end */
}

/* Both sides of a skewed value, each by its own limit, by counting. */
static void limits_are_passed_as_often_as_they_say(void **unused)
{
    (void)unused;
    struct random random = random_from(1);
    struct limits l = {0};
    uint32_t up = 0, down = 0, windows = 2000000, learned = 20000;
    for (uint32_t i = 0; i < windows; i++) {
        double value = skewed(&random);
        if (i >= learned) {
            up += value > limits_reach(&l, &fine, 0);
            down += -value > limits_reach(&l, &fine, 1);
        }
        take(&l, &fine, value, value, NULL);
    }
    double nominal = LIMITS_ALPHA * (windows - learned);
    assert_true(up > 0.5 * nominal && up < 3 * nominal);
    assert_true(limits_reach(&l, &fine, 0) > 5 && limits_reach(&l, &fine, 1) < 1.1);
    assert_true(down > 0); /* far more often: where a tail ends at once, steps are short */
}

/* A z at the limit is that of the share that passes it, above it by its width. */
static void z_worked_out_by_hand(void **unused)
{
    (void)unused;
    struct limits l = {.limit = {2, 6, 1, 1}, .common = {1, 3, 0.5f, 0.5f}, .seen = 1000000};
    const double at[CHANNELS] = {1, 0}, above[CHANNELS] = {4, 0}, below[CHANNELS] = {-6, 0};
    unsigned both = LIMITS_UP | LIMITS_DOWN;
    struct limits_score s = limits_score(&l, &fine, at, both);
    assert_true(fabs(s.z - LIMITS_ALPHA_Z / 2) < 1e-9 && s.direction == 1 && s.channel == 0);
    assert_true(fabs(s.excess + 1.0 / 8) < 1e-9);
    s = limits_score(&l, &fine, above, both);
    assert_true(fabs(s.excess - 2.0 / 8) < 1e-9 && fabs(s.z - LIMITS_ALPHA_Z * 1.5) < 1e-9);
    /* xi = ln 2 / ln(.01 / 3e-4) = .19767; p = 3e-4 * 2^(-1/xi) */
    assert_true(fabs(s.p - 3e-4 * pow(2, -1 / 0.197671)) < 1e-9);
    s = limits_score(&l, &fine, below, both);
    assert_true(fabs(s.z - LIMITS_ALPHA_Z) < 1e-9 && s.direction == -1 && s.excess == 0);
    s = limits_score(&l, &fine, below, LIMITS_UP);
    assert_true(s.z == 0 || s.direction == 1);
    assert_true(fabs(limits_z(&l, &fine, 0, -6) + LIMITS_ALPHA_Z) < 1e-9);
    l.backoff = 2;
    s = limits_score(&l, &fine, above, both);
    assert_true(fabs(s.excess - 1.0 / 8) < 1e-9);
}

static void early_limits_claim_less(void **unused)
{
    (void)unused;
    struct limits l = {.limit = {1, 1, 1, 1}, .common = {0.6f, 0.6f, 0.6f, 0.6f}, .seen = 299};
    const double at[CHANNELS] = {1, 0}, far[CHANNELS] = {2, 0};
    struct limits_score s = limits_score(&l, &fine, at, LIMITS_UP);
    assert_true(fabs(s.z - z_of_upper(0.01)) < 1e-9 && fabs(s.p - 0.01) < 1e-9);
    double early = limits_score(&l, &fine, far, LIMITS_UP).p;
    l.seen = 100000;
    assert_true(early > 100 * limits_score(&l, &fine, far, LIMITS_UP).p);
}

static void normal_run(
    struct limits *l, const struct limits_floor *floor, uint32_t windows, uint64_t seed)
{
    struct random random = random_from(seed);
    for (uint32_t i = 0; i < windows; i++)
        take(l, floor, random_normal(&random), random_normal(&random), NULL);
}

static void one_outlier_moves_a_limit_by_a_tenth_of_the_width(void **unused)
{
    (void)unused;
    struct limits l = {0};
    normal_run(&l, &fine, 20000, 2);
    double up = limits_reach(&l, &fine, 0), down = limits_reach(&l, &fine, 1);
    assert_true(up > 2.5 && up < 4.5 && down > 2.5 && down < 4.5);
    take(&l, &fine, 1e6, 0, NULL);
    double after = limits_reach(&l, &fine, 0);
    assert_true(fabs(after - up - 0.1 * (up + down)) < 0.01);
    for (int i = 0; i < 19; i++)
        take(&l, &fine, 1e6, 0, NULL);
    assert_true(limits_reach(&l, &fine, 0) <= after);
    take(&l, &fine, 1e6, 0, NULL);
    assert_true(limits_reach(&l, &fine, 0) > after);
}

/* From the start z is what the model says; what the model cannot explain raises the limit, in time. */
static void limits_of_z_start_at_their_floor(void **unused)
{
    (void)unused;
    struct limits l = {0};
    for (double z = -8; z <= 12; z += 0.5)
        assert_true(fabs(limits_z(&l, &of_z, 0, z) - z) < 1e-9);
    normal_run(&l, &of_z, 20000, 3);
    for (double z = -8; z <= 12; z += 0.5)
        assert_true(fabs(limits_z(&l, &of_z, 0, z) - z) <= 0.2 * fabs(z));
    for (int i = 0; i < 3000; i++)
        take(&l, &of_z, i % 60 == 0 ? 12 : 0.5, 0, NULL);
    double z = limits_z(&l, &of_z, 0, 12);
    assert_true(z > 3 && z < 3.8);
    assert_true(limits_z(&l, &of_z, 0, -12) < -5); /* width grew, the other limit did not */
}

/* Not even the floor is passed by what does not move; one step above it is not worth a word, two are. */
static void what_is_flat_has_its_floor(void **unused)
{
    (void)unused;
    const struct limits_floor one = {.value = {1, 0.5}, .z = LIMITS_ALPHA_Z, .early = 3};
    struct limits l = {0};
    for (int i = 0; i < 20000; i++)
        take(&l, &one, 0, 0, NULL);
    const double step[CHANNELS] = {1, 0}, two[CHANNELS] = {2, 0};
    assert_true(limits_score(&l, &one, step, LIMITS_UP).excess <= 0);
    struct limits_score s = limits_score(&l, &one, two, LIMITS_UP);
    assert_true(s.excess > 0.4 && s.p < 1e-4);
}

static void only_the_onset_is_told(void **unused)
{
    (void)unused;
    struct limits l = {0};
    bool told;
    normal_run(&l, &fine, 20000, 4);
    int tellings = 0;
    for (int i = 0; i < 15; i++) {
        struct limits_score s = take(&l, &fine, 10, 0, &told);
        tellings += told && s.excess > 0;
    }
    assert_int_equal(tellings, 1);
    struct limits_score worse = take(&l, &fine, 30, 0, &told);
    assert_true(told && worse.excess > 0);
    for (int i = 0; i < 25; i++)
        take(&l, &fine, 0, 0, &told);
    worse = take(&l, &fine, 10, 0, &told);
    assert_true(told && worse.excess > 0);
}

static void alerts_make_it_doubt_for_a_while(void **unused)
{
    (void)unused;
    struct limits l = {0};
    normal_run(&l, &fine, 3000, 5);
    l.backoff = 0;
    for (int episode = 0; episode < 5; episode++) {
        for (int i = 0; i < 10; i++)
            take(&l, &fine, 100, 0, NULL);
        for (int i = 0; i < 30; i++)
            take(&l, &fine, 0, 0, NULL);
    }
    double doubt = (double)l.backoff;
    assert_true(doubt > 4 && doubt < 6); /* an episode is one, however long */
    for (int i = 0; i < 1000; i++)
        take(&l, &fine, 0, 0, NULL);
    assert_true(fabs((double)l.backoff - doubt / 2) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_passed_as_often_as_they_say),
        cmocka_unit_test(z_worked_out_by_hand),
        cmocka_unit_test(early_limits_claim_less),
        cmocka_unit_test(one_outlier_moves_a_limit_by_a_tenth_of_the_width),
        cmocka_unit_test(limits_of_z_start_at_their_floor),
        cmocka_unit_test(what_is_flat_has_its_floor),
        cmocka_unit_test(only_the_onset_is_told),
        cmocka_unit_test(alerts_make_it_doubt_for_a_while),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
