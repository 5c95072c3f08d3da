/*
 * How much more counts vary than chance alone would have them: phi, the squared relative deviation
 * of their mean from window to window. 0 is Poisson; learned by moments.
 */
#ifndef OPERATORS_DISPERSION_H
#define OPERATORS_DISPERSION_H

#include <stdint.h>

#define DISPERSION_MAX 4.0

/* A count as learners take it: one far above its mean counts as four deviations above. */
double dispersion_winsorised(double count, double mean, double phi);

/*
 * phi    updated, 0 to DISPERSION_MAX
 * count  winsorised
 * share  of the mean that chance alone contributes to the variance: 1 for a Poisson count, 1 - p for
 *        successes of probability p
 * seen   windows learned before
 */
void dispersion_learn(float *phi, double count, double mean, double share, uint32_t seen);

#endif
