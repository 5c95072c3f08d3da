/*
 * What an objective's alerts had come to by a moment of the past, from the spans and errors that
 * history keeps.
 *
 * What was before history is tried both ways: as if nearly no span had been bad and nothing had fired,
 * and as if all had been bad and everything had fired. What both come to is known.
 */
#ifndef ENGINE_CMD_PAST_BURN_H
#define ENGINE_CMD_PAST_BURN_H

#include "engine/cmd/past_counts.h"
#include "operators/slo.h"

#define PAST_BURN_MS (4 * INT64_C(86400000)) /* how far back it pays to look */

struct past_burn {
    struct slo_state *least, *most;
};

/* `counts` may know nothing. To be released. */
void past_burn_replay(struct past_burn *burn, const struct slo *slo, struct bytes series,
    const struct past_counts *counts);
void past_burn_release(struct past_burn *burn);

/* The spans of a window. false: history does not reach back so far, and there are so many bad ones at least. */
bool past_burn_window(const struct past_burn *burn, enum burn_window window, struct tally *spans);

#endif
