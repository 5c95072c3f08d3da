/* The plain rolling z that people know, beside which the scores have to stand: operators/zscore.c. */
#ifndef TESTS_CALIBRATE_PLAIN_H
#define TESTS_CALIBRATE_PLAIN_H

#include "operators/operator.h"

#define PLAIN_Z 3.0

struct plain {
    const struct window_operator *op;
    struct columns columns;
    struct pool pool;
    void *self;
    char *states; /* [series] of state_bytes */
    size_t state_bytes;
};

void plain_open(struct plain *plain, const char *column, uint32_t series);
void plain_close(struct plain *plain);

/* The row's z, NaN where it has none; the row is learned, and otherwise left as it was. */
double plain_z(struct plain *plain, uint32_t series, const struct row *row);

#endif
