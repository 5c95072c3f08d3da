/* Series in which nothing is wrong, however they look: what detectors must be quiet on. */
#ifndef TESTS_CALIBRATE_PROCESS_H
#define TESTS_CALIBRATE_PROCESS_H

#include "operators/sketch.h"
#include "schemas/row.h"

#include <gsl/gsl_rng.h>

/* One series' own past, as far as its process has one. */
struct past {
    double level; /* of what wanders, or the regime it is in */
    double offset;
};

struct process {
    const char *name;
    const char *of; /* the entry that scores it */
    void (*draw)(gsl_rng *rng, struct past *past, uint32_t window, struct row *row,
        struct sketch *sketch, struct pool *pool);
};

extern const struct process processes[]; /* ends with a NULL name */

/* Building blocks. */
void row_value(struct row *row, int column, double value);
void row_spans(struct row *row, uint64_t spans, uint64_t errors);
void row_latencies(struct row *row, struct sketch *sketch, struct pool *pool, gsl_rng *rng,
    uint64_t spans, double median_ms, double sigma);
uint64_t overdispersed(gsl_rng *rng, double mean, double phi); /* negative binomial */

#endif
