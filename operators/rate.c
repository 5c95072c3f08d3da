#include "operators/rate.h"

#include "operators/clamp.h"

#include <math.h>

#define MEMORY_WINDOWS   1440.0 /* a day of minutes */
#define EVENTS_MIN       0.5    /* never surer of "none" than a day without any allows */
#define SHARE_OF_POISSON 0.1
#define CONCENTRATION_MIN \
    1e-3 /* of a beta variable: below, a window is all or nothing in any case */

void rate_begin(struct rate *rate, double events, double spans)
{
    rate->events = events;
    rate->spans = spans;
}

double rate_share(const struct rate *rate)
{
    return lesser(rate->events / rate->spans, 1);
}

/* 1 / squared relative deviation of the mean: what is not known of it, and what it varies by. */
static double rate_size(const struct rate *rate)
{
    return 1 / (1 / rate->events + dispersion_phi(&rate->dispersion));
}

double rate_deviation(const struct rate *rate, double spans)
{
    double share = rate_share(rate), mean = share * spans;
    double chance = share > SHARE_OF_POISSON ? mean * (1 - share) : mean;
    return sqrt(chance + mean * mean / rate_size(rate));
}

/* The beta variable whose squared relative deviation is that of the gamma variable. */
static struct tail rate_upper_of_many(
    const struct rate *rate, double share, uint64_t events, uint64_t spans)
{
    double p = lesser(share, 1 - 1e-6);
    double concentration = greater(rate_size(rate) * (1 - p) / p - 1, CONCENTRATION_MIN);
    return beta_binomial_upper(events, spans, p * concentration, (1 - p) * concentration);
}

struct tail rate_upper(const struct rate *rate, uint64_t events, uint64_t spans)
{
    double share = rate_share(rate);
    if (share > SHARE_OF_POISSON) return rate_upper_of_many(rate, share, events, spans);
    return negative_binomial_upper(events, share * (double)spans, rate_size(rate));
}

void rate_learn(struct rate *rate, uint64_t events, uint64_t spans)
{
    double share = rate_share(rate), mean = share * (double)spans;
    double count = dispersion_winsorised((double)events, mean, dispersion_phi(&rate->dispersion));
    dispersion_learn(&rate->dispersion, count, mean, 1 - share);
    rate->events = greater(rate->events * (1 - 1 / MEMORY_WINDOWS) + count, EVENTS_MIN);
    rate->spans = rate->spans * (1 - 1 / MEMORY_WINDOWS) + (double)spans;
    if (rate->seen < UINT32_MAX) rate->seen++;
}
