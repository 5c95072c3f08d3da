/*
 * A plain idempotent producer, for the commands that send spans: `generate`, `replay`, `demo`.
 *
 * It knows no transactions. A message is sent once and in order within its partition, or its
 * delivery failed and the next call says so.
 */
#ifndef ENGINE_KAFKA_WRITER_H
#define ENGINE_KAFKA_WRITER_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/config.h"

#include <stdint.h>

enum {
    KAFKA_WRITER_MESSAGE_BYTES_MAX = 64 << 20, /* one value; the topic is made to take as much */
    KAFKA_WRITER_TOPICS_MAX = 16,
    KAFKA_WRITER_PARTITIONS_MAX = 10000,
};

struct kafka_writer;

struct kafka_writer_counts {
    uint64_t sent;   /* messages that the broker has acknowledged */
    uint64_t bytes;  /* of their values, before compression */
    uint64_t failed; /* messages given up: refused, or not acknowledged within a minute */
};

/*
 * settings  `kafka:` of a config, passed on to librdkafka after our own; borrowed for the call
 * returns   ST_OK, whether or not a broker answers yet; ST_FATAL, naming the wrong setting
 * threads   one per writer
 */
enum status kafka_writer_open(struct kafka_writer **out, const char *brokers,
    const struct kafka_setting *setting, size_t settings, struct error *err) MUST_USE;

/*
 * Make sure that `topic` is there, creating it if it is not.
 *
 * partitions  wanted if it must be created
 * setting     of the topic, such as retention.ms, if it must be created; max.message.bytes is
 *             raised to KAFKA_WRITER_MESSAGE_BYTES_MAX unless it is among them
 * have        how many partitions it has, which is not `partitions` if it was there before
 * returns     ST_OK; ST_FATAL: no broker answers, or it may not be created
 */
enum status kafka_writer_topic(struct kafka_writer *writer, const char *topic, int32_t partitions,
    const struct kafka_setting *setting, size_t settings, int32_t *have,
    struct error *err) MUST_USE;

/*
 * Queue one message; it is copied.
 *
 * topic      one that kafka_writer_topic has seen
 * partition  or -1: any
 * key        `data` NULL: none
 * returns    ST_OK, queued; ST_RETRY, the queue has been full for a second: make the same call
 *            again; ST_FATAL, this message is too large, or an earlier one could not be delivered
 */
enum status kafka_writer_send(struct kafka_writer *writer, const char *topic, int32_t partition,
    struct bytes key, struct bytes value, int64_t timestamp_ms, struct error *err) MUST_USE;

/*
 * Wait until everything queued is delivered.
 *
 * returns  ST_OK; ST_RETRY, some is still under way after `timeout_ns`; ST_FATAL, as for sending
 */
enum status kafka_writer_flush(
    struct kafka_writer *writer, int64_t timeout_ns, struct error *err) MUST_USE;

struct kafka_writer_counts kafka_writer_counts(const struct kafka_writer *writer);

/* Drops what is still queued. NULL is fine. */
void kafka_writer_close(struct kafka_writer *writer);

#endif
