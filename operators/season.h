/*
 * What the hour of the day adds to a level, on working days and at weekends: 48 buckets, each of
 * which counts for little until it has seen some days.
 */
#ifndef OPERATORS_SEASON_H
#define OPERATORS_SEASON_H

#include "engine/base/zone.h"

enum { SEASON_BUCKETS = 48 }; /* Monday to Friday, 0 to 23 h; then Saturday and Sunday */

/* Plain bytes; zeroed: nothing learned. */
struct season {
    float part[SEASON_BUCKETS];
    uint16_t seen[SEASON_BUCKETS]; /* windows */
};

/* The bucket of a moment, by the clocks of `zone`; NULL: UTC. */
uint32_t season_bucket(const struct zone *zone, int64_t utc_ns);

/* an_hour  windows that lie in one hour, at least 1 */
double season_part(const struct season *season, uint32_t bucket, uint32_t an_hour);

/* residual  what a window was beyond its forecast, this part included */
void season_learn(struct season *season, uint32_t bucket, uint32_t an_hour, double residual);

#endif
