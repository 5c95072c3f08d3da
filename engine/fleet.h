/*
 * What fires together: rules with `together: true`, seen over the series of all partitions.
 *
 * Each partition of aggregate tells one of them, through that one's partials, which series begin
 * and cease to fire, and up to which event time it has told everything. That one decides in order
 * of event time, each moment once all partitions have told of it. So what is said depends on what
 * was told only, not on how the tellings met.
 *
 * Series belong together that are of one service, or whose exemplars share a trace, or that see one
 * operation from both its ends: they lie on one path of calls. The first one named is the likely cause: its values are farthest from what was
 * expected and, among those that are equally far, its spans are the shortest, as what is called
 * ends before what calls it.
 */
#ifndef ENGINE_FLEET_H
#define ENGINE_FLEET_H

#include "engine/records.h"
#include "schemas/partial.h"

enum {
    FLEET_PARTITION = 0, /* of partials: where it is decided */
    FLEET_PENDING_MAX =
        20000, /* tellings that wait for other partitions; more are counted, not kept */
    INCIDENT_MEMBERS_MAX = 2000,
};

struct fleet;

struct fleet *fleet_new(uint32_t partitions);
void fleet_free(struct fleet *fleet); /* NULL is fine */

/* Append a telling's alert to `alerts`. */
void fleet_tell(const struct alert *alert, uint64_t plan, struct buffer *alerts);

/*
 * Cut what fits into `most` bytes off the front of told alerts.
 *
 * returns  true: `part` is full and more is left; false: `part` is all of the rest
 */
bool fleet_cut(struct bytes *alerts, size_t most, struct bytes *part);

/* ST_OK; ST_SKIP: a part of it cannot be read, the rest was taken. */
enum status fleet_take(
    struct fleet *fleet, const struct partial_telling *telling, struct error *err) MUST_USE;

/* Decide what all partitions have told of, and say the alerts that begin, change and end. */
void fleet_decide(struct fleet *fleet, int64_t sent_ms, uint64_t plan, struct records *records);

bool fleet_ended(const struct fleet *fleet);       /* every partition has, and all is decided */
uint64_t fleet_dropped(const struct fleet *fleet); /* tellings over FLEET_PENDING_MAX */

/* The whole state, and back; equal states are equal bytes. source: schemas/snapshot.proto, Fleet */
void fleet_save(const struct fleet *fleet, struct buffer *out);
enum status fleet_load(struct fleet *fleet, struct bytes saved, struct error *err) MUST_USE;

#endif
