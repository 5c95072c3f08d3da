/*
 * The plan log, <name>.plan: which plan a name runs under, agreed on by all its workers.
 *
 *   1. An entry is in force if it follows the one in force before it; any other is void. So of two
 *      workers, or two switches, that write at the same moment, the first in the log has its way.
 *   2. Each entry in force begins a generation with internal topics of its own, so the partials, rows
 *      and snapshots of two plans never meet. Spans are read on where the generation before stopped.
 */
#ifndef ENGINE_PLAN_LOG_H
#define ENGINE_PLAN_LOG_H

#include "engine/kafka_observer.h"
#include "engine/kafka_switch.h"
#include "engine/plan.h"
#include "schemas/plan_entry.h"

struct plan_log {
    uint32_t generation;   /* from 1; 0: no plan yet */
    struct plan_entry now; /* in force; borrows from `records` */
    struct buffer records;
};

/*
 * log      to be released whatever is returned
 * returns  ST_OK; ST_RETRY; ST_FATAL, an entry of a newer weir
 */
enum status plan_log_read(
    struct plan_log *log, struct kafka_observer *o, const char *name, struct error *err) MUST_USE;
void plan_log_release(struct plan_log *log);

/* Take the next record of the log, as rule 1 has it. */
enum status plan_log_take(struct plan_log *log, struct bytes record, struct error *err) MUST_USE;

/*
 * What a worker does at start: be the first to say under which plan the name runs, or share it.
 *
 * returns  ST_OK; ST_RETRY; ST_FATAL: the name runs under another plan, and in what it differs
 */
enum status plan_log_share(struct plan_log *log, struct kafka_observer *o, const struct plan *plan,
    struct error *err) MUST_USE;

/*
 * Append the entry that has `plan` follow the one in force, and move offsets with it.
 *
 * log      as it was read after `s` was opened
 * returns  as kafka_switch_commit
 */
enum status plan_log_append(const struct plan_log *log, struct kafka_switch *s,
    const struct plan *plan, const struct kafka_moved *moved, size_t count,
    struct error *err) MUST_USE;

/* The name of an internal topic in a generation: "weir.rows", then "weir.rows-2" and on. */
void plan_log_topic(
    char *out, size_t bytes, const char *name, const char *suffix, uint32_t generation);

/* Append the lines in which two plans differ, each as "- old" and "+ new"; false: they do not. */
bool plan_differences(struct bytes before, struct bytes after, struct buffer *out);

#endif
