#include "operators/calendar.h"

enum {
    DAY_S = 86400,
    ERA_DAYS = 146097, /* 400 years, after which the calendar begins again */
    ERA_YEARS = 400,
    EPOCH_DAYS = 719468,    /* from 1 March of the year 0 to 1 January 1970 */
    MARCH_TO_DECEMBER = 10, /* months: a year that begins in March ends with its leap day */
};

static int64_t floor_divide(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

/* source  H. Hinnant, chrono-Compatible Low-Level Date Algorithms, civil_from_days */
int64_t calendar_month(int64_t utc_s, int64_t offset_s)
{
    int64_t days = floor_divide(utc_s + offset_s, DAY_S) + EPOCH_DAYS;
    int64_t era = floor_divide(days, ERA_DAYS), day = days - era * ERA_DAYS;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;
    int64_t next_year = from_march >= MARCH_TO_DECEMBER;
    int64_t month = from_march + 2 - 12 * next_year; /* 0: January */
    return 12 * (era * ERA_YEARS + year + next_year) + month;
}
