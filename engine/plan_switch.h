/* Going over from the plan that a name runs under to another one: `weir plan apply`. */
#ifndef ENGINE_PLAN_SWITCH_H
#define ENGINE_PLAN_SWITCH_H

#include "engine/plan_log.h"

/*
 * Whether the name may be switched now: no worker is in its groups, and what was read under the old
 * plan is finished: aggregated, every pane closed, every row in the store.
 *
 * returns  ST_OK; ST_RETRY, a broker does not answer; ST_FATAL, no: `err` says what to do first
 */
enum status plan_switch_check(struct kafka_observer *o, const struct plan_log *log,
    const struct config *config, struct error *err) MUST_USE;

/*
 * Switch: the plan's entry and what combine has committed, in one transaction. Positions and clocks
 * stay; that a partition had ended, and panes as the old plan counts them, are dropped.
 *
 * from     the plan that the name ran under as it was looked at
 * returns  ST_OK; else nothing is done, or with ST_RETRY it may not be known: read the log again
 */
enum status plan_switch(
    struct kafka_observer *o, uint64_t from, const struct plan *plan, struct error *err) MUST_USE;

#endif
