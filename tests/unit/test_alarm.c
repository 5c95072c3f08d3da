/*
 * Levels: what evidence there must be, what the fleet may make of it, whom nobody is paged for, and
 * when it is over.
 *
 * Mutations that fail here: any guard left out, a fleet's verdict taken on its word, an episode that
 * ends with its first calm window or never, sums that outlive their episode.
 */
#include "operators/alarm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct assessment calm = {.is_learned = true,
    .is_scored = true,
    .z = 0.3,
    .p = 0.4,
    .surprise = 0.8,
    .limits_p = 1,
    .spans = 100,
    .harmed = 0.2};

/* A window that is as bad as can be. */
static struct assessment bad(void)
{
    struct assessment window = calm;
    window.z = 9;
    window.p = window.surprise = 1e-12;
    window.excess = 1;
    window.limits_p = 1e-9;
    window.direction = 1;
    window.is_notable = window.goes_on = true;
    window.harmed = 30;
    return window;
}

static enum score_level take(
    struct alarm *alarm, const struct assessment *window, enum score_level verdict)
{
    alarm_observe(alarm, window);
    alarm_judge(alarm, verdict);
    return alarm_level(alarm);
}

static void a_page_takes_two_windows(void **unused)
{
    (void)unused;
    struct alarm alarm = {0};
    struct assessment worst = bad(), next = bad();
    next.excess = 0; /* told before */
    assert_int_equal(take(&alarm, &worst, SCORE_NONE), SCORE_NOTICE);
    assert_int_equal(take(&alarm, &next, SCORE_NONE), SCORE_PAGE);
    assert_int_equal(alarm.direction, 1);

    struct alarm once = {0};
    take(&once, &worst, SCORE_PAGE);
    assert_int_equal(take(&once, &calm, SCORE_NONE), SCORE_NOTICE);
    assert_int_equal(
        take(&once, &next, SCORE_NONE), SCORE_PAGE); /* a calm window between is fine */
}

static void nobody_is_paged_for_a_handful(void **unused)
{
    (void)unused;
    struct assessment few = bad(), harmless = bad();
    few.spans = 4;
    harmless.harmed = 0.5;
    struct alarm alarm = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(take(&alarm, &few, SCORE_PAGE), SCORE_NOTICE);
    assert_int_equal(take(&alarm, &few, SCORE_PAGE), SCORE_PAGE); /* 20 spans in all by now */
    struct alarm other = {0};
    for (int i = 0; i < 5; i++)
        assert_int_equal(take(&other, &harmless, SCORE_PAGE), SCORE_NOTICE);
    assert_int_equal(take(&other, &harmless, SCORE_PAGE), SCORE_PAGE); /* 3 harmed in all */
}

static void own_evidence_is_beyond_limits(void **unused)
{
    (void)unused;
    struct assessment window = bad();
    window.surprise = 1;
    struct alarm alarm = {0};
    window.excess = 0.03;
    window.limits_p = 1e-4;
    assert_int_equal(take(&alarm, &window, SCORE_PAGE), SCORE_NONE);
    window.excess = 0.05;
    window.limits_p = 3e-4;
    assert_int_equal(take(&alarm, &window, SCORE_PAGE), SCORE_NONE);
    window.limits_p = 1e-4;
    assert_int_equal(take(&alarm, &window, SCORE_PAGE), SCORE_NOTICE);
    window.limits_p = 2e-5;
    assert_int_equal(take(&alarm, &window, SCORE_PAGE), SCORE_PAGE);
}

static void the_fleet_is_not_taken_on_its_word(void **unused)
{
    (void)unused;
    static const struct {
        double surprise;
        enum score_level verdict, level;
    } cases[] = {{0.009, SCORE_PAGE, SCORE_NONE}, {5e-5, SCORE_NONE, SCORE_NONE},
        {5e-5, SCORE_NOTICE, SCORE_NOTICE}, {5e-5, SCORE_PAGE, SCORE_NOTICE},
        {1e-6, SCORE_NOTICE, SCORE_NOTICE}, {1e-6, SCORE_NONE, SCORE_NONE},
        {1e-6, SCORE_PAGE, SCORE_PAGE}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct alarm alarm = {0};
        struct assessment window = bad();
        window.excess = 0;
        window.surprise = cases[i].surprise;
        take(&alarm, &window, cases[i].verdict);
        assert_int_equal(take(&alarm, &window, cases[i].verdict), cases[i].level);
    }
}

static void it_is_over_after_three_calm_windows(void **unused)
{
    (void)unused;
    struct alarm alarm = {0};
    struct assessment worst = bad(), next = bad();
    next.excess = 0;
    take(&alarm, &worst, SCORE_NONE);
    for (int i = 0; i < 100; i++)
        assert_int_equal(take(&alarm, &next, SCORE_NONE), SCORE_PAGE);
    take(&alarm, &calm, SCORE_NONE);
    assert_int_equal(take(&alarm, &calm, SCORE_NONE), SCORE_PAGE);
    assert_int_equal(take(&alarm, &calm, SCORE_NONE), SCORE_NONE);
    assert_true(alarm.spans == 0 && alarm.harmed == 0 && alarm.windows == 0);

    struct assessment none = {
        .is_scored = false}; /* the signal is gone: that is no more evidence */
    take(&alarm, &worst, SCORE_NONE);
    take(&alarm, &next, SCORE_NONE);
    take(&alarm, &none, SCORE_NONE);
    take(&alarm, &none, SCORE_NONE);
    assert_int_equal(take(&alarm, &none, SCORE_NONE), SCORE_NONE);
}

static void a_verdict_on_a_window_without_score_is_nothing(void **unused)
{
    (void)unused;
    struct alarm alarm = {0};
    struct assessment worst = bad(), none = {.is_scored = false};
    take(&alarm, &worst, SCORE_NONE);
    alarm_observe(&alarm, &none);
    alarm_judge(&alarm, SCORE_PAGE);
    assert_int_equal(alarm_level(&alarm), SCORE_NOTICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_takes_two_windows),
        cmocka_unit_test(nobody_is_paged_for_a_handful),
        cmocka_unit_test(own_evidence_is_beyond_limits),
        cmocka_unit_test(the_fleet_is_not_taken_on_its_word),
        cmocka_unit_test(it_is_over_after_three_calm_windows),
        cmocka_unit_test(a_verdict_on_a_window_without_score_is_nothing),
    };
    return cmocka_run_group_tests_name("alarm", tests, NULL, NULL);
}
