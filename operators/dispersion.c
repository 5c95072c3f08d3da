#include "operators/dispersion.h"

#include "operators/clamp.h"

#include <math.h>

#define WINSOR_SD      4.0
#define MEMORY         1000.0 /* windows */
#define PRIOR          5.0    /* windows that no overdispersion is supposed for */
#define DISPERSION_MIN (-1.0)
#define MEAN_MIN       0.05 /* smaller means say nothing about spread */

double dispersion_winsorised(double count, double mean, double phi)
{
    double reach = WINSOR_SD * sqrt(mean + phi * mean * mean + 1);
    return clamp(count, mean - reach, mean + reach);
}

/* What a window says varies with 1 / mean^2 where the mean is small, so it weighs that much less. */
void dispersion_learn(struct dispersion *d, double count, double mean, double share)
{
    if (!(mean > MEAN_MIN)) return;
    double weight = mean / (1 + mean) * (mean / (1 + mean));
    double known = lesser((double)d->known + weight, MEMORY - PRIOR);
    double away = count - mean;
    double found = (away * away - mean * share) / (mean * mean);
    double next = (double)d->found + weight / (PRIOR + known) * (found - (double)d->found);
    d->found = (float)clamp(next, DISPERSION_MIN, DISPERSION_MAX);
    d->known = (float)known;
}
