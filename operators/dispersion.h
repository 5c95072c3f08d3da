/*
 * How much more counts vary than chance alone would have them: phi, the squared relative deviation
 * of their mean from window to window. 0 is Poisson; learned by moments.
 */
#ifndef OPERATORS_DISPERSION_H
#define OPERATORS_DISPERSION_H

/* Plain bytes; zeroed: nothing learned, and none supposed. */
struct dispersion {
    float found; /* -1 to DISPERSION_MAX; below 0 it is remembered, so that chance cancels out */
    float known; /* windows that it is known from; one of small counts is a part of one */
};

#define DISPERSION_MAX 4.0

/* phi as it is used. */
static inline double dispersion_phi(const struct dispersion *d)
{
    return d->found > 0 ? (double)d->found : 0;
}

/* A count as learners take it: one far from its mean counts as four deviations from it. */
double dispersion_winsorised(double count, double mean, double phi);

/*
 * count  winsorised
 * share  of the mean that chance alone contributes to the variance: 1 for a Poisson count, 1 - p for
 *        successes of probability p
 */
void dispersion_learn(struct dispersion *d, double count, double mean, double share);

#endif
