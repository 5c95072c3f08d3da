/*
 * What a number is expected to be: a level that follows slowly, and what the hour adds to it. One
 * value far off counts as four times the usual distance.
 */
#ifndef OPERATORS_BASELINE_H
#define OPERATORS_BASELINE_H

#include "operators/season.h"

/* Plain bytes; zeroed: nothing learned. */
struct baseline {
    double level;
    double distance; /* usual, of a value from its forecast: their mean, not their deviation */
    uint32_t seen;   /* windows */
    uint32_t unused;
    struct season season;
};

/* Of the window in that bucket; 0 before the first. */
double baseline_forecast(const struct baseline *b, uint32_t bucket, uint32_t an_hour);

/*
 * Learn from a window.
 *
 * resolution  the least distance that means anything, above 0
 */
void baseline_learn(
    struct baseline *b, uint32_t bucket, uint32_t an_hour, double value, double resolution);

#endif
