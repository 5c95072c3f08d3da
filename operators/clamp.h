/* Keeping a number within bounds. The C library's fmin and fmax are calls; these are not. */
#ifndef OPERATORS_CLAMP_H
#define OPERATORS_CLAMP_H

static inline double lesser(double a, double b)
{
    return a < b ? a : b;
}

static inline double greater(double a, double b)
{
    return a > b ? a : b;
}

/* NaN gives `low`. */
static inline double clamp(double x, double low, double high)
{
    return lesser(greater(x, low), high);
}

#endif
