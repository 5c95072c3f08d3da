/*
 * What is usual by the hour: buckets are those of the wall clock, a level and its hours are found
 * again from what was made of them, and little is believed of a bucket that has seen little.
 *
 * Mutations that fail here: weekdays off by one, the zone left out, a bucket that counts in full from
 * its first window, an outlier learned whole, a level that never moves once a series is flat.
 */
#include "operators/baseline.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { AN_HOUR = 60, A_DAY = 24 * AN_HOUR };
#define MINUTE_NS INT64_C(60000000000)
#define MONDAY_NS INT64_C(1704067200000000000) /* 2024-01-01 00:00 UTC */

/* Against the C library's calendar, before 1970 too. */
static void buckets_are_hours_of_working_days_and_weekends(void **unused)
{
    (void)unused;
    struct random random = random_from(1);
    for (int i = 0; i < 20000; i++) {
        int64_t utc_s = (int64_t)random_below(&random, 4000000000) - 500000000;
        time_t when = (time_t)utc_s;
        struct tm tm;
        gmtime_r(&when, &tm);
        uint32_t wanted = (uint32_t)tm.tm_hour + (tm.tm_wday == 0 || tm.tm_wday == 6 ? 24u : 0u);
        assert_int_equal(season_bucket(NULL, utc_s * 1000000000), wanted);
    }
    assert_int_equal(season_bucket(NULL, MONDAY_NS), 0);
    assert_int_equal(season_bucket(NULL, MONDAY_NS - 1), 47);
}

static void buckets_are_those_of_the_zone(void **unused)
{
    (void)unused;
    struct zone *zone = NULL;
    struct error err;
    if (zone_load("Asia/Tokyo", &zone, &err) != ST_OK) skip();
    assert_int_equal(season_bucket(zone, MONDAY_NS), 9);
    assert_int_equal(season_bucket(zone, MONDAY_NS - 9 * AN_HOUR * MINUTE_NS), 0);
    assert_int_equal(season_bucket(zone, MONDAY_NS - 10 * AN_HOUR * MINUTE_NS), 47);
    zone_free(zone);
}

/* One bucket beside a plain array of its days: share 1, 1/2, 1/3 ... and then a tenth. */
static void a_bucket_moves_by_the_mean_of_its_day(void **unused)
{
    (void)unused;
    struct season season = {0};
    double part = 0;
    for (int day = 0; day < 30; day++) {
        double residual = day + 1;
        for (int i = 0; i < AN_HOUR; i++) {
            double share = fmax(0.1, 1 / (day + (double)i / AN_HOUR + 1));
            part += share * residual / AN_HOUR;
            season_learn(&season, 7, AN_HOUR, residual);
        }
        double shrunk = part * (day + 1) / (day + 3);
        assert_true(fabs(season_part(&season, 7, AN_HOUR) - shrunk) < 1e-3 * fabs(shrunk));
    }
    assert_true(season_part(&season, 8, AN_HOUR) == 0);
}

static double shape(int64_t window, bool weekend)
{
    double hour = (double)(window % A_DAY / AN_HOUR);
    return (weekend ? 200 : 500) + (weekend ? 50 : 200) * sin(2 * M_PI * hour / 24);
}

/* Six weeks of a series with hours and weekends; the seventh is forecast within a tenth of its swing of 400. */
static void hours_are_found_again(void **unused)
{
    (void)unused;
    struct baseline b = {0};
    struct random random = random_from(2);
    double off = 0, off_flat = 0;
    for (int64_t window = 0; window < 49 * A_DAY; window++) {
        bool weekend = window / A_DAY % 7 >= 5;
        uint32_t bucket = season_bucket(NULL, MONDAY_NS + window * MINUTE_NS);
        double wanted = shape(window, weekend);
        if (window >= 42 * A_DAY) {
            off += fabs(baseline_forecast(&b, bucket, AN_HOUR) - wanted) / (7 * A_DAY);
            off_flat += fabs(b.level - wanted) / (7 * A_DAY);
        }
        baseline_learn(&b, bucket, AN_HOUR, wanted + 20 * random_normal(&random), 1);
    }
    if (off > 40 || off_flat < 100) fail_msg("off by %g, without hours by %g", off, off_flat);
}

static void outliers_count_as_four_distances(void **unused)
{
    (void)unused;
    struct baseline b = {.level = 100, .distance = 2, .seen = 10000};
    baseline_learn(&b, 0, AN_HOUR, 1e9, 1);
    assert_true(fabs(b.level - (100 + 0.002 * 8)) < 1e-9);
    assert_true(fabs(b.distance - (2 + 0.002 * 6)) < 1e-9);
    assert_true(fabs((double)b.season.part[0] - 8.0 / AN_HOUR) < 1e-6);
}

static void the_first_value_is_the_level(void **unused)
{
    (void)unused;
    struct baseline b = {0};
    assert_true(baseline_forecast(&b, 3, AN_HOUR) == 0);
    baseline_learn(&b, 3, AN_HOUR, 12345, 1);
    assert_true(baseline_forecast(&b, 3, AN_HOUR) == 12345);
    assert_true(b.distance == 0);
}

static void what_was_flat_still_follows(void **unused)
{
    (void)unused;
    struct baseline b = {0};
    for (int i = 0; i < 2000; i++)
        baseline_learn(&b, 0, AN_HOUR, 50, 1);
    assert_true(fabs(b.level - 50) < 1e-9 && b.distance < 1e-9);
    for (int i = 0; i < 3000; i++)
        baseline_learn(&b, 0, AN_HOUR, 80, 1);
    assert_true(fabs(baseline_forecast(&b, 0, AN_HOUR) - 80) < 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_hours_of_working_days_and_weekends),
        cmocka_unit_test(buckets_are_those_of_the_zone),
        cmocka_unit_test(a_bucket_moves_by_the_mean_of_its_day),
        cmocka_unit_test(hours_are_found_again),
        cmocka_unit_test(outliers_count_as_four_distances),
        cmocka_unit_test(the_first_value_is_the_level),
        cmocka_unit_test(what_was_flat_still_follows),
    };
    return cmocka_run_group_tests_name("baseline", tests, NULL, NULL);
}
