/*
 * How much more counts vary than chance alone would have them: phi, the squared relative deviation
 * of their mean from window to window. 0 is Poisson; learned by moments.
 */
#ifndef OPERATORS_DISPERSION_H
#define OPERATORS_DISPERSION_H

#include <stdint.h>

#define DISPERSION_MAX 4.0

/* What was found, as it is used: by chance counts may vary less than chance has them, too. */
static inline double dispersion_of(float phi)
{
    return phi > 0 ? (double)phi : 0;
}

/* A count as learners take it: one far from its mean counts as four deviations from it. */
double dispersion_winsorised(double count, double mean, double phi);

/*
 * phi    updated, -1 to DISPERSION_MAX; below 0 it is remembered, so that chance cancels out
 * count  winsorised
 * share  of the mean that chance alone contributes to the variance: 1 for a Poisson count, 1 - p for
 *        successes of probability p
 * seen   windows learned before
 */
void dispersion_learn(float *phi, double count, double mean, double share, uint32_t seen);

#endif
