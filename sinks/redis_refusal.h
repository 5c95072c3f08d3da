/*
 * What an error reply of Redis means for the caller, and what a person can do about it.
 */
#ifndef SINKS_REDIS_REFUSAL_H
#define SINKS_REDIS_REFUSAL_H

#include "sinks/redis_link.h"

/*
 * Turn an error reply into a status, and note the link's trouble.
 *
 * doing    what was asked: "apply rows"
 * returns  ST_RETRY, it cannot now; ST_LOST, a consumer group is not there; ST_SKIP, one that was to be
 *          made is; ST_FATAL, it never will as it is set up
 */
enum status redis_refusal(
    struct redis_link *link, const char *doing, const char *reply, struct error *err) MUST_USE;

#endif
