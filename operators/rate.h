/*
 * What share of a series' spans does something (fails, is slow), and how surprising a window's count
 * of them is: a gamma-Poisson model with overdispersion.
 *
 * The share is known from decayed counts, so its uncertainty and the overdispersion both widen what
 * is expected. Where more than one in ten does it, spans that do not are few enough to matter, and
 * the beta-binomial takes over with the same mean and spread.
 */
#ifndef OPERATORS_RATE_H
#define OPERATORS_RATE_H

#include "operators/count_tail.h"
#include "operators/dispersion.h"

/* Plain bytes; set up by rate_begin. */
struct rate {
    double events, spans; /* decayed; what they began with included */
    struct dispersion dispersion;
    uint32_t seen; /* windows */
    uint32_t unused;
};

/* A share that is believed as if `events` of `spans` had been seen; what is known of dispersion stays. */
void rate_begin(struct rate *rate, double events, double spans);

/* 0..1 */
double rate_share(const struct rate *rate);

/* Of events expected in so many spans. */
double rate_deviation(const struct rate *rate, double spans);

/* Of `events` or more in `spans`, events <= spans. */
struct tail rate_upper(const struct rate *rate, uint64_t events, uint64_t spans);

/* Learn from a window that was scored before. An outlier counts as four deviations. */
void rate_learn(struct rate *rate, uint64_t events, uint64_t spans);

#endif
