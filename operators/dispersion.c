#include "operators/dispersion.h"

#include "operators/clamp.h"

#include <math.h>

#define WINSOR_SD      4.0
#define LEAST_SHARE    0.001 /* of a window in what is learned: a memory of 1000 windows */
#define DISPERSION_MIN (-1.0)
#define MEAN_MIN       0.05 /* smaller means say nothing about spread */

double dispersion_winsorised(double count, double mean, double phi)
{
    double reach = WINSOR_SD * sqrt(mean + phi * mean * mean + 1);
    return clamp(count, mean - reach, mean + reach);
}

void dispersion_learn(float *phi, double count, double mean, double share, uint32_t seen)
{
    if (!(mean > MEAN_MIN)) return;
    double weight = mean / (1 + mean);
    double step = greater(1.0 / (seen + 1.0), LEAST_SHARE) * weight * weight;
    double away = count - mean;
    double found = (away * away - mean * share) / (mean * mean);
    double next = *phi + step * (found - *phi);
    *phi = (float)clamp(next, DISPERSION_MIN, DISPERSION_MAX);
}
