/*
 * The mean of log-latency: what it was over the long run, how it moves from window to window, and
 * how surprising a window's is, whatever the number of spans.
 *
 * A window's mean varies by what moves all spans of it (`between`) and by which spans it happened to
 * hold (`within` / spans). Latencies are skewed even as logarithms, and deviations are only known
 * from so many windows; both make chance go further out than the normal curve, and both are taken
 * into account.
 *
 * Logarithms are natural, of seconds; spans of 0 ns have none and take no part.
 *
 * source  skew: Wilson and Hilferty, 1931, for the gamma variable of that skew; few windows: Wallace,
 *         1959, normal deviate of Student's t
 */
#ifndef OPERATORS_LOG_LATENCY_H
#define OPERATORS_LOG_LATENCY_H

#include "operators/sketch.h"

/* One window. */
struct log_sample {
    double spans; /* that took longer than 0 ns */
    double mean;
    double square, cube; /* sums of powers of the distance to `mean` */
};

struct log_sample log_sample_of(const struct sketch *sketch, uint32_t scale);

/* Plain bytes; zeroed: nothing learned. */
struct log_latency {
    double mean;
    float between;       /* variance of a window's mean beyond chance */
    float square, freed; /* decayed sums: within-window squares, their degrees of freedom */
    float cube, cubed;   /* decayed sums: third moments times spans, spans */
    uint32_t seen;       /* windows */
};

/* Variance within windows; its root is how far one span is from another. */
double log_latency_within(const struct log_latency *l);

/* The deviation expected of the mean of so many spans. */
double log_latency_deviation(const struct log_latency *l, double spans);

/* The normal deviate of a window's mean; 0 for a window without spans. */
double log_latency_z(const struct log_latency *l, const struct log_sample *sample);

/* Learn from a window that was scored before; an outlier counts as four deviations. */
void log_latency_learn(struct log_latency *l, const struct log_sample *sample);

#endif
