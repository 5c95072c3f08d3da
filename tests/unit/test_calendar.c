/* calendar: its months are those of the C library, and begin when clocks there say so. */
#include "operators/calendar.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static int64_t library_month(int64_t utc_s)
{
    time_t seconds = utc_s;
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    return 12 * (tm.tm_year + INT64_C(1900)) + tm.tm_mon;
}

static void months_are_those_of_the_library(void **unused)
{
    (void)unused;
    struct random random = random_from(3);
    for (int i = 0; i < 200000; i++) {
        int64_t utc_s = (int64_t)random_below(&random, UINT64_C(40000000000)) - 20000000000;
        assert_int_equal(calendar_month(utc_s, 0), library_month(utc_s));
    }
}

static void a_month_turns_at_its_first_second(void **unused)
{
    (void)unused;
    for (int year = 1970; year < 2420; year++) {
        for (int month = 0; month < 12; month++) {
            struct tm first = {.tm_year = year - 1900, .tm_mon = month, .tm_mday = 1};
            int64_t utc_s = timegm(&first), index = 12 * (int64_t)year + month;
            assert_int_equal(calendar_month(utc_s, 0), index);
            assert_int_equal(calendar_month(utc_s - 1, 0), index - 1);
        }
    }
}

static void a_zone_ahead_turns_sooner(void **unused)
{
    (void)unused;
    struct tm first = {.tm_year = 2026 - 1900, .tm_mon = 2, .tm_mday = 1};
    int64_t march_s = timegm(&first), march = 12 * 2026 + 2;
    assert_int_equal(calendar_month(march_s - 7200, 7200), march);
    assert_int_equal(calendar_month(march_s - 7201, 7200), march - 1);
    assert_int_equal(calendar_month(march_s + 18000, -18000), march);
    assert_int_equal(calendar_month(march_s + 17999, -18000), march - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(months_are_those_of_the_library),
        cmocka_unit_test(a_month_turns_at_its_first_second),
        cmocka_unit_test(a_zone_ahead_turns_sooner),
    };
    return cmocka_run_group_tests_name("calendar", tests, NULL, NULL);
}
