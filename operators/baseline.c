#include "operators/baseline.h"

#include "operators/clamp.h"

#include <math.h>

#define LEVEL_SHARE       0.002 /* of the newest window: a memory of 500 */
#define CLIP              4.0   /* usual distances */
#define WINDOWS_UNCLIPPED 10    /* what is usual is not known yet */

double baseline_forecast(const struct baseline *b, uint32_t bucket, uint32_t an_hour)
{
    return b->level + season_part(&b->season, bucket, an_hour);
}

void baseline_learn(
    struct baseline *b, uint32_t bucket, uint32_t an_hour, double value, double resolution)
{
    if (b->seen == 0) {
        b->level = value;
        b->seen = 1;
        return;
    }
    double share = greater(LEVEL_SHARE, 1 / (b->seen + 1.0));
    double away = value - baseline_forecast(b, bucket, an_hour);
    double limit = CLIP * greater(b->distance, resolution);
    if (b->seen >= WINDOWS_UNCLIPPED) away = clamp(away, -limit, limit);

    b->level += share * away;
    b->distance += share * (fabs(away) - b->distance);
    season_learn(&b->season, bucket, an_hour, away);
    if (b->seen < UINT32_MAX) b->seen++;
}
