#include "operators/log_latency.h"

#include "operators/clamp.h"

#include <math.h>

#define CLIP_SD           4.0
#define MEAN_STEP         0.001
#define BETWEEN_STEP      0.002
#define BETWEEN_MIN       1e-4 /* a mean that moves by 1 % is no news */
#define WITHIN_MEMORY     1440.0
#define WINDOWS_MAX       999.0 /* what BETWEEN_STEP remembers: 2 / .002 - 1 */
#define WINDOWS_UNCLIPPED 10    /* the deviation is not known yet */
#define LN_2              0.6931471805599453
#define NORMAL_SKEW       1e-4
#define FREED_MIN         2.0 /* degrees of freedom below which nothing is known of the spread within */

struct log_sample log_sample_of(const struct sketch *sketch, uint32_t scale)
{
    const int32_t second = sketch_bias(scale);
    const double step = LN_2 / (double)(UINT32_C(1) << scale);
    struct sketch_moments m = sketch_moments(sketch, (uint32_t)second);
    if (m.count == 0) return (struct log_sample){0};
    double n = (double)m.count, mean = (double)m.sum / n;
    double square = (double)m.square / n, cube = (double)m.cube / n;
    double central = greater(square - mean * mean, 0);
    return (struct log_sample){
        .spans = n,
        .mean = (mean + 0.5) * step, /* the middle of a bucket */
        .square = n * central * step * step,
        .cube = n * (cube - 3 * mean * square + 2 * mean * mean * mean) * step * step * step,
    };
}

double log_latency_within(const struct log_latency *l)
{
    return (double)l->freed < FREED_MIN ? 0 : (double)l->square / (double)l->freed;
}

static double variance(const struct log_latency *l, double spans)
{
    return greater((double)l->between, BETWEEN_MIN) + log_latency_within(l) / spans;
}

double log_latency_deviation(const struct log_latency *l, double spans)
{
    return sqrt(variance(l, spans));
}

/* Of the mean of so many spans: third moments of a mean fall with the square of their number. */
static double skew(const struct log_latency *l, double spans)
{
    if ((double)l->cubed < FREED_MIN) return 0;
    double third = (double)l->cube / (double)l->cubed / (spans * spans);
    double expected = variance(l, spans);
    return greater(third, 0) / (expected * sqrt(expected));
}

static double normal_of_student(double t, double freedom)
{
    double z = sqrt(freedom * log1p(t * t / freedom)) * (8 * freedom + 1) / (8 * freedom + 3);
    return copysign(z, t);
}

static double normal_of_skewed(double x, double skew)
{
    if (skew < NORMAL_SKEW) return x;
    return 6 / skew * (cbrt(1 + skew * x / 2) - 1) + skew / 6;
}

static double windows_known(const struct log_latency *l)
{
    return lesser(l->seen, WINDOWS_MAX);
}

double log_latency_z(const struct log_latency *l, const struct log_sample *sample)
{
    if (!(sample->spans > 0) || l->seen < 2) return 0;
    double known = windows_known(l);
    double expected = variance(l, sample->spans) * (1 + 1 / known);
    double z = normal_of_student((sample->mean - l->mean) / sqrt(expected), known);
    return normal_of_skewed(z, skew(l, sample->spans));
}

static void learn_within(struct log_latency *l, const struct log_sample *sample)
{
    const double keep = 1 - 1 / WITHIN_MEMORY;
    double n = sample->spans;
    l->square = (float)((double)l->square * keep + sample->square);
    l->freed = (float)((double)l->freed * keep + (n - 1));
    if (n < 3) return;
    l->cube = (float)((double)l->cube * keep + n * n * sample->cube / ((n - 1) * (n - 2)));
    l->cubed = (float)((double)l->cubed * keep + n);
}

/* Of a window of as many spans as most had; a window of fewer teaches less. */
static double usual_noise(const struct log_latency *l)
{
    if (l->seen == 0 || (double)l->freed < FREED_MIN) return INFINITY;
    return log_latency_within(l) * lesser(l->seen, WITHIN_MEMORY) / (double)l->freed;
}

void log_latency_learn(struct log_latency *l, const struct log_sample *sample)
{
    if (!(sample->spans > 0)) return;
    if (l->seen == 0) l->mean = sample->mean;
    double known = l->seen + 1.0;
    double between = greater((double)l->between, BETWEEN_MIN);
    double noise = log_latency_within(l) / sample->spans;
    double away = sample->mean - l->mean;
    double limit = CLIP_SD * sqrt(between + noise);
    if (l->seen >= WINDOWS_UNCLIPPED) away = clamp(away, -limit, limit);

    double weight = lesser(1, (between + usual_noise(l)) / (between + noise));
    l->mean += greater(MEAN_STEP, 1 / known) * weight * away;
    double found = away * away - noise - between;
    between += greater(BETWEEN_STEP, 1 / known) * weight * weight * found;
    l->between = (float)greater(between, BETWEEN_MIN);
    learn_within(l, sample);
    if (l->seen < UINT32_MAX) l->seen++;
}
