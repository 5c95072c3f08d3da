/*
 * Benjamini-Hochberg: how small a p among many is out of the ordinary.
 *
 * source  Benjamini, Hochberg (1995), Controlling the False Discovery Rate
 */
#ifndef OPERATORS_FALSE_DISCOVERY_H
#define OPERATORS_FALSE_DISCOVERY_H

#include <stddef.h>

/* Nothing is at or below a negative limit. */
struct false_discovery {
    double notice_p; /* of those at or below, 5 % are expected to be chance */
    double page_p;   /* 1 % */
};

/* p  [count], in any order; NaN takes no part */
struct false_discovery false_discovery(const double *p, size_t count);

#endif
