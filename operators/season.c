#include "operators/season.h"

#define SECOND_NS    INT64_C(1000000000)
#define HOUR_S       3600
#define DAY_S        (24 * HOUR_S)
#define DAYS_SHRUNK  2.0 /* a bucket that has seen so many days counts half */
#define SHARE_OF_DAY 0.1 /* what the newest day is worth at least */

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

uint32_t season_bucket(const struct zone *zone, int64_t utc_ns)
{
    int64_t utc_s = floor_divide(utc_ns, SECOND_NS);
    int64_t local_s = utc_s + zone_offset_s(zone, utc_s);
    int64_t day = floor_divide(local_s, DAY_S);
    int64_t weekday =
        day + 3 - 7 * floor_divide(day + 3, 7); /* 0: Monday; 1970 began on Thursday */
    return (uint32_t)((local_s - day * DAY_S) / HOUR_S) + (weekday >= 5 ? 24 : 0);
}

static double days_seen(const struct season *season, uint32_t bucket, uint32_t an_hour)
{
    return (double)season->seen[bucket] / an_hour;
}

double season_part(const struct season *season, uint32_t bucket, uint32_t an_hour)
{
    double days = days_seen(season, bucket, an_hour);
    return (double)season->part[bucket] * days / (days + DAYS_SHRUNK);
}

/* A day's windows together move a bucket by their mean, times what a day is worth. */
void season_learn(struct season *season, uint32_t bucket, uint32_t an_hour, double residual)
{
    double share = 1 / (days_seen(season, bucket, an_hour) + 1);
    if (share < SHARE_OF_DAY) share = SHARE_OF_DAY;
    season->part[bucket] += (float)(share * residual / an_hour);
    if (season->seen[bucket] < UINT16_MAX) season->seen[bucket]++;
}
