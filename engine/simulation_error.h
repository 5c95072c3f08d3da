/*
 * What failed spans of the shop say: a few kinds for each operation, each time with other literals.
 *
 * All spans of a trace that fail for the same reason tell it, in their own words.
 */
#ifndef ENGINE_SIMULATION_ERROR_H
#define ENGINE_SIMULATION_ERROR_H

#include "engine/simulation_queue.h"
#include "engine/topology.h"
#include "schemas/otlp_write.h"

enum { SIMULATION_ERROR_TEXT_BYTES = 320 };

/* Filled in by simulation_error_make; it points into itself. */
struct simulation_error {
    char message[SIMULATION_ERROR_TEXT_BYTES];
    struct otlp_exception exception; /* of the side that served */
    struct otlp_attribute code;      /* of the side that asked */
    bool asked;
};

/* span  one that failed; what it says is a function of it alone */
void simulation_error_make(const struct topology *topology, const struct simulation_span *span,
    struct simulation_error *out);

#endif
