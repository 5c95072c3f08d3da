/*
 * What a clock on the wall of a place shows: the offset of its local time from UTC, at any moment.
 *
 * Read from the system's time zone database once; nothing of the process (TZ, tzset) is looked at or
 * changed. Two machines agree as far as their databases do.
 *
 * source  RFC 8536 (TZif, versions 2 and up, with the footer's rule for what comes after the last
 *         transition), POSIX.1-2017, 8.3 (TZ)
 */
#ifndef ENGINE_BASE_ZONE_H
#define ENGINE_BASE_ZONE_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"

struct zone; /* never changed once loaded: any thread may read it */

/*
 * Load a zone by its name in the database ("Europe/Berlin"). "UTC" needs no database.
 *
 * zone     the caller's; ended by zone_free
 * returns  ST_OK; ST_FATAL: not a name, no such zone, or not a file of one
 */
enum status zone_load(const char *name, struct zone **zone, struct error *err) MUST_USE;

/* The same from the content of a TZif file; `name` is for errors. */
enum status zone_read(
    struct bytes file, const char *name, struct zone **zone, struct error *err) MUST_USE;

/* Whether there could be a zone of this name, so that it is looked for. */
bool zone_is_name(const char *name);

/* As it was loaded; that of a NULL zone is UTC. Valid as long as the zone. */
const char *zone_name(const struct zone *zone);

/* NULL is UTC. */
void zone_free(struct zone *zone);

/* Seconds east of UTC at `utc_s` since the Unix epoch; a NULL zone is UTC. */
int32_t zone_offset_s(const struct zone *zone, int64_t utc_s);

#endif
