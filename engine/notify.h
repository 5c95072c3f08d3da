/*
 * `weir notify`: a line (engine/notify_line.h) to every place of every receiver, until it is asked to stop.
 */
#ifndef ENGINE_NOTIFY_H
#define ENGINE_NOTIFY_H

#include "engine/config.h"

/*
 * Tell receivers of alerts until stop_asked, or until reload_asked where `reload` is not NULL.
 *
 * reload   out: it is why this returned; nothing is lost by calling it again with another config. While
 *          Redis is away it does not return for it, and says so in the log: what was told is then known
 *          here alone
 * returns  ST_OK; ST_FATAL, a line cannot go on: `err` says why
 * threads  one call at a time
 */
enum status notify_run(const struct config *config, bool *reload, struct error *err) MUST_USE;

/*
 * Send a made-up alert that fires, then the same resolved, to every place of the receiver called `name`, and
 * say on standard output what came of it. Redis is not needed.
 *
 * returns  ST_OK; ST_RETRY, a place did not take it; ST_FATAL, there is no such receiver
 */
enum status notify_try(const struct config *config, const char *name, struct error *err) MUST_USE;

#endif
