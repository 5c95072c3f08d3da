#include "operators/false_discovery.h"

#include <math.h>

#include <gsl/gsl_sort.h>

/* The largest p that is at most q times its rank over the number of all. */
static double threshold(const double *sorted, size_t few, size_t all, double q)
{
    for (size_t i = few; i > 0; i--) {
        if (sorted[i - 1] <= q * (double)i / (double)all) return sorted[i - 1];
    }
    return -1;
}

/* No p of q or more can be discovered, so few are sorted. */
struct discovery discovery_of(const double *p, size_t count, double *scratch)
{
    size_t active = 0, few = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(p[i])) continue;
        active++;
        if (p[i] <= DISCOVERY_NOTICE) scratch[few++] = p[i];
    }
    gsl_sort(scratch, 1, few);
    return (struct discovery){
        .notice = threshold(scratch, few, active, DISCOVERY_NOTICE),
        .page = threshold(scratch, few, active, DISCOVERY_PAGE),
        .active = active,
    };
}
