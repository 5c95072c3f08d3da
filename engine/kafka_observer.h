/*
 * Questions to Kafka that belong to no group membership: ends of partitions, what groups have
 * committed, topics. It sees open transactions too (read_uncommitted).
 *
 * Every call waits for brokers; threads: any, several at a time.
 */
#ifndef ENGINE_KAFKA_OBSERVER_H
#define ENGINE_KAFKA_OBSERVER_H

#include "engine/kafka.h"

struct kafka_observer;

/* source  the stages whose groups may be asked about: "combine", "aggregate", "sink" */
enum status kafka_observer_open(struct kafka_observer **observer, const struct config *config,
    const char *instance, struct error *err) MUST_USE;
void kafka_observer_close(struct kafka_observer *observer);

/* How many partitions a topic has; 0: there is no such topic. */
enum status kafka_partitions(
    struct kafka_observer *o, const char *topic, uint32_t *partitions, struct error *err) MUST_USE;

#define KAFKA_AT_END   INT64_C(-1)
#define KAFKA_AT_START INT64_C(-2)

/*
 * Offsets of the first record at or after a time, of partitions 0 to count - 1.
 *
 * when_ms  since the Unix epoch, or KAFKA_AT_END (also given where no record is that young), KAFKA_AT_START
 * wanted   NULL: all; else only partitions with wanted[p]; the others' offsets are left alone
 */
enum status kafka_offsets_at(struct kafka_observer *o, const char *topic, uint32_t count,
    const bool *wanted, int64_t when_ms, int64_t *offset, struct error *err) MUST_USE;

/* The ends of partitions 0 to count - 1 as read_committed sees them: before the oldest transaction still open. */
enum status kafka_stable_ends(struct kafka_observer *o, const char *topic, uint32_t count,
    int64_t *offset, struct error *err) MUST_USE;

/* What the group of `stage` has committed for partitions 0 to count - 1; committed[p].offset -1: nothing. */
enum status kafka_group_committed(struct kafka_observer *o, const char *stage, const char *topic,
    uint32_t count, struct kafka_assigned *committed, struct error *err) MUST_USE;

/*
 * Make a topic unless it is there.
 *
 * settings  topic configuration, ended by a NULL key
 * returns   ST_OK; ST_FATAL: it is there with another number of partitions, or may not be made
 */
enum status kafka_topic_ensure(struct kafka_observer *o, const char *topic, uint32_t partitions,
    const struct kafka_setting *settings, struct error *err) MUST_USE;

/* Delete the records of a partition before an offset. Failing is only a pity: it is tried again next time. */
enum status kafka_delete_before(struct kafka_observer *o, const char *topic, int32_t partition,
    int64_t offset, struct error *err) MUST_USE;

/*
 * Read the records of one partition from `from` to `to` (inclusive), those whose offset `wanted` names, in order.
 *
 * data  the record values, one after the other, appended
 * returns  ST_OK; ST_RETRY: not reached in time; ST_LOST: some of them are not there any more
 */
enum status kafka_read_records(struct kafka_observer *o, const char *topic, int32_t partition,
    const int64_t *wanted, size_t count, struct buffer *data, size_t *ends,
    struct error *err) MUST_USE;

/*
 * Read all records that a partition has now, in order.
 *
 * ends     where each ends in `data`; room for `most`
 * returns  ST_OK; ST_RETRY; ST_FATAL, more records than there is room for
 */
enum status kafka_read_all(struct kafka_observer *o, const char *topic, int32_t partition,
    struct buffer *data, size_t *ends, size_t most, size_t *count, struct error *err) MUST_USE;

/*
 * Read the committed records of a partition from offset `from` on, in order, until `take` has enough
 * or offset `to` is reached, which is at most where kafka_stable_ends says that it ends.
 *
 * take     gets each record's value, borrowed for the call; false: enough
 * returns  ST_OK; ST_RETRY: no record has come for a minute; ST_LOST: `from` is not there any more
 */
enum status kafka_read_range(struct kafka_observer *o, const char *topic, int32_t partition,
    int64_t from, int64_t to, bool (*take)(void *opaque, struct bytes value), void *opaque,
    struct error *err) MUST_USE;

/* How many members the group of a stage has. */
enum status kafka_group_members(
    struct kafka_observer *o, const char *stage, uint32_t *members, struct error *err) MUST_USE;

#endif
