/*
 * SIGHUP: read the config again while the worker runs.
 *
 * Three kinds of keys:
 *   - those of engine/settings.h go into the log, and aggregate takes them from there
 *   - a few belong to this process alone: log.level, limits.message_bytes, limits.alerts
 *   - all others need a restart, and those of the plan `weir plan apply`: they are named, not applied
 */
#ifndef ENGINE_RELOAD_H
#define ENGINE_RELOAD_H

#include "engine/plan.h"

/* What the config says now. One is made at start and one by each reload; none goes before the worker. */
struct live {
    const struct plan *plan; /* and by it the config */
    struct buffer settings;  /* as they go into the log */
    struct live *older;
    struct config fresh, config; /* as it was read; the worker's, but for what may change */
    struct plan own;
};

struct live *live_new(const struct plan *plan);
void live_free(struct live *live); /* and all older ones */

void reload_on_signal(void); /* take SIGHUP as being asked */
bool reload_asked(void);     /* true once a signal */

/*
 * Read the file of `started` again, and say in the log what differs from `live`.
 *
 * started  what the worker started with, from a file; outlives what is made
 * live     the newest there is; owned by what is made
 * returns  ST_OK, `*made` being `live` itself where nothing changed; ST_FATAL, nothing changes: `err`
 *          says file:line:column and why
 */
enum status live_reload(
    struct live **made, const struct plan *started, struct live *live, struct error *err) MUST_USE;

#endif
