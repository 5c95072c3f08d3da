#include "operators/slow_count.h"

#include "operators/clamp.h"

#include <math.h>

#define NORMAL_95     1.6448536269514722
#define DENSITY_95    0.10313564037537139 /* of the normal curve at its 95th percentile */
#define SPANS_MEMORY  1440.0              /* windows */
#define SPANS_KNOWN   200.0               /* before a threshold is set, in at least: */
#define WINDOWS_KNOWN 10
#define BELIEVED_SLOW 20.0 /* spans that a new threshold's share is believed from at most */
#define DRIFT         2.0
#define DRIFT_KNOWN   20.0 /* slow spans expected, before a drift is told from chance */
#define MOVED_BUCKETS 2.0

uint64_t slow_count_of(const struct slow_count *s, const struct sketch *sketch)
{
    return slow_count_is_known(s) ? sketch_above(sketch, s->threshold) : 0;
}

/*
 * A step as long as the percentile is still uncertain, if latency is about log-normal; if not, it is
 * longer or shorter, but in the right direction.
 */
static void percentile_learn(
    struct slow_count *s, const struct sketch *sketch, double mean, double deviation)
{
    double spans = (double)sketch_count(sketch);
    if (s->spans == 0) s->percentile = mean + NORMAL_95 * deviation;
    s->spans = (float)((double)s->spans * (1 - 1 / SPANS_MEMORY) + spans);

    double at = clamp(s->percentile, 1, UINT16_MAX);
    double above = (double)sketch_above(sketch, (uint32_t)at);
    double step = (above - SLOW_SHARE * spans) * deviation / (DENSITY_95 * (double)s->spans);
    s->percentile = clamp(at + clamp(step, -deviation, deviation), 1, UINT16_MAX);
}

/* The share over the new threshold is what it was made to be, as far as the percentile is known. */
static void threshold_set(struct slow_count *s)
{
    s->threshold = (uint16_t)s->percentile;
    s->windows = 0;
    double spans = lesser((double)s->spans, BELIEVED_SLOW / SLOW_SHARE);
    rate_begin(&s->rate, SLOW_SHARE * spans, spans);
}

static bool has_drifted(const struct slow_count *s)
{
    double share = rate_share(&s->rate);
    if (s->rate.spans * SLOW_SHARE < 2 * DRIFT_KNOWN) return false;
    return share > SLOW_SHARE * DRIFT || share < SLOW_SHARE / DRIFT;
}

static bool is_due(const struct slow_count *s, uint32_t a_day)
{
    if (s->threshold == 0) return (double)s->spans >= SPANS_KNOWN && s->windows >= WINDOWS_KNOWN;
    bool moved = fabs(s->percentile - s->threshold) >= MOVED_BUCKETS;
    return moved && (s->windows >= lesser(a_day, UINT16_MAX) || has_drifted(s));
}

void slow_count_learn(struct slow_count *s, const struct sketch *sketch, uint64_t slow, double mean,
    double deviation, uint32_t a_day)
{
    if (sketch_count(sketch) == 0) return;
    if (slow_count_is_known(s)) rate_learn(&s->rate, slow, sketch_count(sketch));
    percentile_learn(s, sketch, mean, deviation);
    if (s->windows < UINT16_MAX) s->windows++;
    if (is_due(s, a_day)) threshold_set(s);
}
