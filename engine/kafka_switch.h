/* Saying a plan in the plan log, and moving what combine has committed over to it, in one transaction. */
#ifndef ENGINE_KAFKA_SWITCH_H
#define ENGINE_KAFKA_SWITCH_H

#include "engine/kafka.h"

struct kafka_switch;

struct kafka_moved {
    const char *topic;
    int32_t partition;
    int64_t offset;
    char metadata[KAFKA_METADATA_MAX];
};

/*
 * Be the only one of this name who may switch: who had opened one before is fenced off, and what it
 * had left unfinished is over. So what is read from here on stands until kafka_switch_commit.
 *
 * returns  ST_OK; ST_RETRY, no answer; ST_FATAL, a wrong setting
 */
enum status kafka_switch_open(
    struct kafka_switch **out, const struct config *config, struct error *err) MUST_USE;

/*
 * Append `value` to partition 0 of `topic`, and commit `moved` for the group of combine: both, or
 * neither. With something to move that group must be empty; a worker that joins while this is going on
 * waits for its end, as it asks for committed offsets that are stable.
 *
 * returns  ST_OK; ST_RETRY, fenced, somebody has joined, or no answer: what the log says then, counts
 */
enum status kafka_switch_commit(struct kafka_switch *s, const char *topic, struct bytes value,
    const struct kafka_moved *moved, size_t count, struct error *err) MUST_USE;

void kafka_switch_close(struct kafka_switch *s); /* NULL is fine */

#endif
