/*
 * When to fill a store again that throws rows away for lack of memory.
 *
 * Filling one that is still too small only pushes out other rows. So it waits until the store has
 * been given room, or has thrown nothing away for a while, and then not too often.
 *
 * threads  one per `struct evictions`; no clock of its own
 */
#ifndef ENGINE_EVICTIONS_H
#define ENGINE_EVICTIONS_H

#include "engine/base/clock.h"
#include "sinks/store.h"

#define EVICTIONS_QUIET_NS (60 * NS_PER_S)
#define EVICTIONS_AGAIN_NS (600 * NS_PER_S)

/* A zeroed one is ready. */
struct evictions {
    bool looked;
    uint64_t ever;       /* as seen last */
    int64_t risen_ns;    /* when it rose last, or was seen first */
    int64_t refilled_ns; /* when it was filled again last; 0: never */
    uint64_t memory_max; /* as it rose last */
    char policy[STORE_POLICY_BYTES];
};

/* Note what the store says now. returns  keys thrown away since the look before */
uint64_t evictions_look(
    struct evictions *evictions, const struct store_place *place, int64_t now_ns);

/* Whether it goes on throwing away, as far as can be known: what is written again may not stay. */
bool evictions_going_on(
    const struct evictions *evictions, const struct store_place *place, int64_t now_ns);

/* Whether what is missing should be written again now; if so that is noted as begun. */
bool evictions_refill(struct evictions *evictions, const struct store_place *place, int64_t now_ns);

#endif
