/*
 * What a stream of normal deviates, one a window, amounts to.
 *
 * A test's z is right as far as its model is. Where it is not (a series that wanders, spikes every
 * hour, comes in bursts), z strays further than it should, again and again; so it is held against
 * how far it usually strays: its learned deviation where that is over 1, and adaptive limits that
 * start at z = 4 and only ever rise. A series that fits its model is scored by it from the start.
 *
 * Small but lasting changes show in runs: the last three windows together, and an exponential mean of
 * some ten.
 */
#ifndef OPERATORS_EVIDENCE_H
#define OPERATORS_EVIDENCE_H

#include "operators/limits.h"

enum { RUNS = 2 }; /* three windows; the exponential mean */

/* Plain bytes; zeroed: nothing learned. */
struct evidence {
    float mean;             /* exponential, of clipped z */
    float before[2];        /* z of the window before, and of the one before that */
    float square[1 + RUNS]; /* mean square of z and of the runs; what they are expected to be: 1 */
    uint32_t seen;
    struct limits limits;
};

struct finding {
    double z;           /* of the window, as it is to be believed; signed */
    double shrink;      /* how much less than the model says: 0..1 */
    double run;         /* of the run that ends here, likewise; signed, the further of the two */
    double fresh;       /* the run of three windows alone, which forgets at once; signed */
    double excess;      /* beyond the limits, in widths; 0: within, or told before */
    double limits_z, p; /* where there is excess, by the limits alone */
};

/*
 * Score a window's z, then learn it.
 *
 * two_sided  whether low is as bad as high; else only what is high is found
 */
struct finding evidence_take(struct evidence *e, double z, bool two_sided);

/* Windows are missing: runs begin anew. */
void evidence_break(struct evidence *e);

#endif
