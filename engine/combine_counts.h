/* What a combine thread has counted, as metrics. */
#ifndef ENGINE_COMBINE_COUNTS_H
#define ENGINE_COMBINE_COUNTS_H

#include "engine/combine.h"
#include "engine/sources.h"

/* Add what has been counted since `said`, which then is what is counted now. */
void combine_counts_say(const struct combine *combine, struct combine_counts *said, uint32_t thread,
    int64_t lateness_ns);

/* Lag and clock of each partition. */
void sources_say(const struct sources *sources, const struct kafka *kafka);

#endif
