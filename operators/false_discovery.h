/*
 * Which of many p are out of the ordinary, when among so many some are small by chance: the
 * Benjamini-Hochberg procedure. Of those it names, a share of at most q is named falsely on average;
 * where nothing is wrong anywhere, it names one at all with probability q, however many there are.
 *
 * source  Benjamini and Hochberg, Controlling the false discovery rate, 1995
 */
#ifndef OPERATORS_FALSE_DISCOVERY_H
#define OPERATORS_FALSE_DISCOVERY_H

#include <stddef.h>

#define DISCOVERY_NOTICE 0.05 /* q */
#define DISCOVERY_PAGE   0.01

/* A p up to the threshold is discovered; -1 where there is none. */
struct discovery {
    double notice, page;
    size_t active; /* p that took part */
};

/*
 * p         [count], 0..1; NaN takes no part; left as it is
 * scratch   [count], the caller's: those below DISCOVERY_NOTICE are sorted in it
 * threads   pure: no allocation
 */
struct discovery discovery_of(const double *p, size_t count, double *scratch);

#endif
