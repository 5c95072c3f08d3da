#include "engine/evictions.h"

#include <stdio.h>
#include <string.h>

uint64_t evictions_look(
    struct evictions *evictions, const struct store_place *place, int64_t now_ns)
{
    /* Less than before is a server that began anew. */
    bool anew = place->evicted_ever < evictions->ever;
    uint64_t rise = anew ? place->evicted_ever : place->evicted_ever - evictions->ever;
    bool first = !evictions->looked;
    evictions->looked = true;
    evictions->ever = place->evicted_ever;
    if (!first && rise == 0) return 0;
    evictions->risen_ns = now_ns;
    evictions->memory_max = place->memory_max;
    snprintf(evictions->policy, sizeof(evictions->policy), "%s", place->policy);
    return first ? 0 : rise;
}

static bool has_changed(const struct evictions *evictions, const struct store_place *place)
{
    return evictions->memory_max != place->memory_max ||
           strcmp(evictions->policy, place->policy) != 0;
}

/* A server that may take all the memory there is, or would rather refuse, throws nothing away now. */
static bool may_evict(const struct store_place *place)
{
    return place->memory_max != 0 && strcmp(place->policy, "noeviction") != 0;
}

bool evictions_going_on(
    const struct evictions *evictions, const struct store_place *place, int64_t now_ns)
{
    if (!may_evict(place)) return false;
    if (evictions->ever == 0 || has_changed(evictions, place)) return false;
    return now_ns - evictions->risen_ns < EVICTIONS_QUIET_NS;
}

bool evictions_refill(struct evictions *evictions, const struct store_place *place, int64_t now_ns)
{
    bool often =
        evictions->refilled_ns != 0 && now_ns - evictions->refilled_ns < EVICTIONS_AGAIN_NS;
    if (evictions_going_on(evictions, place, now_ns)) return false;
    if (often && !has_changed(evictions, place)) return false;
    evictions->refilled_ns = now_ns;
    return true;
}
