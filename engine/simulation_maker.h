/*
 * What one request does in the shop: the spans of a trace, put into the queue.
 */
#ifndef ENGINE_SIMULATION_MAKER_H
#define ENGINE_SIMULATION_MAKER_H

#include "engine/simulation_queue.h"
#include "engine/topology.h"

#include <gsl/gsl_rng.h>

struct simulation_maker {
    const struct topology *topology;
    struct simulation_queue *queue; /* filled */
    gsl_rng *random;
    int64_t reference_ns; /* what the times of faults count from */
    uint64_t names;       /* span names are one of so many random ones; 0: none is */
    double share[DEVIATIONS];
    uint64_t spans; /* made so far */
};

/* Someone asks for `operation` at `at_ns`; no span of it arrives before that. */
void simulation_maker_request(struct simulation_maker *maker, uint32_t operation, int64_t at_ns);

#endif
