/*
 * How probable it is to count so many, or more; or so few, or fewer.
 *
 * p is the probability of what was seen and of everything further out, so it is never too small. The
 * mid-p, which counts what was seen by half, is right on average, and what a z is made of.
 *
 * Bad arguments (NaN, a mean or size below 0) say nothing, and give p = 1.
 *
 * threads  pure: any thread, no allocation
 * source   Johnson, Kemp, Kotz, Univariate discrete distributions, 2005, 5.1 and 6.2.2
 */
#ifndef OPERATORS_COUNT_TAIL_H
#define OPERATORS_COUNT_TAIL_H

#include <stdint.h>

#define Z_MIN (-8.0)
#define Z_MAX 38.0 /* where a double holds no smaller p */

struct tail {
    double p;   /* 0..1 */
    double mid; /* 0..1, at most p */
};

/*
 * The negative binomial distribution: Poisson counts whose mean varies like a gamma variable.
 *
 * mean  expected count
 * size  1 / squared relative deviation of the varying mean; INFINITY: Poisson
 */
struct tail negative_binomial_upper(uint64_t count, double mean, double size);
struct tail negative_binomial_lower(uint64_t count, double mean, double size);

/*
 * The beta-binomial distribution: failures of `trials` whose probability varies like a beta variable
 * of parameters `a`, `b` (mean a / (a + b)).
 *
 * Where there are very many terms to add, one of some stands for its neighbours: within 1 %.
 */
struct tail beta_binomial_upper(uint64_t count, uint64_t trials, double a, double b);

/* The normal deviate that an upper tail of p leaves above it, Z_MIN to Z_MAX; 0 for NaN. */
double z_of_upper(double p);
/* The upper tail above `z`; 1 for NaN. */
double upper_of_z(double z);

#endif
