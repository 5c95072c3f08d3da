/* What is calibrated: one file each. All print markdown, and return how many targets were missed. */
#ifndef TESTS_CALIBRATE_CALIBRATE_H
#define TESTS_CALIBRATE_CALIBRATE_H

#include <stdbool.h>
#include <stdio.h>

struct report {
    FILE *out;
    bool full; /* at full size; else a sample that takes seconds */
    unsigned seed;
    unsigned series, days; /* of each null process; 0: as many as the size has */
    int missed;            /* targets */
};

/* A mark beside a figure that missed its target, which is counted. */
const char *verdict(struct report *report, bool met);

void calibrate_nulls(struct report *report);
void calibrate_tails(struct report *report);
void calibrate_fleet(struct report *report);
void calibrate_power(struct report *report);

#endif
