/* What a fleet holds: shared by the files that decide, and save and load. */
#ifndef ENGINE_FLEET_STATE_H
#define ENGINE_FLEET_STATE_H

#include "engine/fleet.h"

enum { MEMBER_TRACES_MAX = EXEMPLARS_MAX };

/* A series that a rule fires for, as its partition told it. */
struct member_told {
    uint8_t *record; /* owned; the texts below are views into it */
    size_t bytes;
    struct bytes rule, series, service, kind, operation;
    bool fires; /* else it ceases to */
    int64_t since_ns, at_ns;
    struct standout signal;
    uint8_t trace_id[MEMBER_TRACES_MAX][16];
    uint32_t traces;
};

/* One alert over the series that fire together. */
struct incident {
    char id[33];
    int64_t since_ns;
    struct member_told opening; /* what was named first when it opened: its labels stay */
    struct member_told *member; /* those that fire now, in order of joining */
    size_t members, capacity;
    bool joined, left; /* at the moment that is being decided */
};

struct fleet {
    uint32_t partitions;
    int64_t *closed_ns; /* [partitions]; WATERMARK_NONE: nothing told yet */
    bool *ended;        /* [partitions] */
    struct member_told *pending;
    size_t pendings, pendings_max;
    struct incident *incident; /* in order of opening */
    size_t incidents, incidents_max;
    uint64_t dropped;
};

/* Read what a telling says of one series; `record` is copied. false: it is no alert. */
bool member_read(struct member_told *member, struct bytes record);
void member_release(struct member_told *member);
/* Less than 0: `a` is rather the cause. A total order, so that it does not depend on how they came. */
int member_compare(const void *a, const void *b);
/* Of one service, with a trace in common, or client and server of one operation. */
bool member_linked(const struct member_told *a, const struct member_told *b);

void incident_release(struct incident *incident);
void incident_add(struct incident *incident, struct member_told *member); /* takes it over */
struct incident *fleet_open(struct fleet *fleet);                         /* a new one, empty */
void fleet_append(struct fleet *fleet, struct member_told *member);       /* to the pending */
void fleet_empty(struct fleet *fleet);

#endif
