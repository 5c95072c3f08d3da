/*
 * One stage thread's place in Kafka: a consumer in a group and, where it produces, a producer
 * whose transactions carry the consumer's offsets.
 *
 * Nothing calls back: what librdkafka has to say comes out of kafka_poll as an event.
 */
#ifndef ENGINE_KAFKA_H
#define ENGINE_KAFKA_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/config.h"

struct kafka;

enum { KAFKA_TOPICS_MAX = 64, KAFKA_METADATA_MAX = 256, KAFKA_HEADERS_MAX = 64 };

struct kafka_options {
    const struct config *config;
    const char *instance; /* this process */
    const char *stage;    /* "combine": names the group and the transactional id */
    uint32_t thread;
    const char *const *topic; /* to read; outlive the kafka */
    size_t topics;
    bool produces;
    bool keeps_order;      /* range assignment: a stable order of members gives stable partitions */
    uint32_t queue_kbytes; /* fetched ahead */
    const char *aside;     /* a topic whose records an epoch can do without, or NULL */
};

enum kafka_event {
    KAFKA_NOTHING,  /* the timeout is over */
    KAFKA_RECORD,   /* `record` is filled in */
    KAFKA_END,      /* record->topic, partition: its end is at record->offset */
    KAFKA_ASSIGNED, /* ask kafka_assigned, then kafka_start */
    KAFKA_REVOKED,  /* finish what is open, then kafka_let_go; the partitions are still ours */
    KAFKA_LOST,     /* as revoked, but they are not ours any more: drop what is open */
    KAFKA_GONE, /* record->offset of topic, partition is not in the log: retention took it, or it never was */
    KAFKA_TROUBLE, /* `err` says what; going on may help */
};

struct kafka_record {
    uint32_t topic; /* index in options->topic */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1: none */
    bool log_append_time;
    struct bytes key, value; /* borrowed until the next kafka_poll */
};

/* One header of a record. */
struct kafka_header {
    const char *name;
    struct bytes value; /* data NULL: null */
};

struct kafka_assigned {
    uint32_t topic;
    int32_t partition;
    int64_t
        offset; /* committed; where to start: set by the caller before kafka_start. -1: none committed */
    char metadata[KAFKA_METADATA_MAX]; /* committed beside it, "" without */
};

/* An offset to commit. */
struct kafka_position {
    uint32_t topic;
    int32_t partition;
    int64_t offset;
    const char *metadata;
};

enum status kafka_open(
    struct kafka **kafka, const struct kafka_options *options, struct error *err) MUST_USE;
void kafka_close(struct kafka *kafka); /* leaves the group; NULL is fine */

enum kafka_event kafka_poll(
    struct kafka *kafka, int timeout_ms, struct kafka_record *record, struct error *err);

/* The headers of the record that kafka_poll has lent, borrowed as long; returns how many there are, also past `most`. */
size_t kafka_headers(const struct kafka *kafka, struct kafka_header *header, size_t most);

/* After KAFKA_ASSIGNED: what was assigned and what is committed. ST_RETRY: ask again. */
enum status kafka_assigned(struct kafka *kafka, struct kafka_assigned **assigned, size_t *count,
    struct error *err) MUST_USE;
/* Start reading at assigned[].offset. An abort starts again in the same way: kafka_rewind makes the event. */
enum status kafka_start(struct kafka *kafka, struct error *err) MUST_USE;
void kafka_rewind(struct kafka *kafka);
void kafka_let_go(struct kafka *kafka);
bool kafka_pause(struct kafka *kafka, uint32_t topic, int32_t partition);
bool kafka_resume(struct kafka *kafka, uint32_t topic, int32_t partition);
/* Cached: the end of a partition as the last fetch saw it; -1: not known yet. */
int64_t kafka_end_seen(const struct kafka *kafka, uint32_t topic, int32_t partition);

/*
 * Transactions. With at_least_once `begin` and `abort` only keep count, and `commit` flushes before it commits offsets.
 *
 * returns  ST_OK; ST_ABORT, call kafka_abort and do the epoch again or rewind; ST_LOST, fenced: close and
 *          open anew; ST_FATAL
 */
enum status kafka_begin(struct kafka *kafka, struct error *err) MUST_USE;
/* offset  if not NULL set once delivered, after kafka_flush; must outlive that */
enum status kafka_send(struct kafka *kafka, const char *topic, int32_t partition, struct bytes key,
    struct bytes value, int64_t *offset, struct error *err) MUST_USE;
/*
 * One record to options->aside, to any partition of it. As kafka_send, but what is refused at once harms
 * nothing else.
 *
 * returns  ST_OK; ST_SKIP, larger than message.max.bytes; ST_RETRY, not to be sent now: no such topic,
 *          or no room; the epoch goes on without it
 */
enum status kafka_send_aside(struct kafka *kafka, struct bytes key, struct bytes value,
    const struct kafka_header *header, size_t headers, struct error *err) MUST_USE;
/* After a failed epoch, before kafka_abort: whether it was the records set aside that failed, and nothing else. */
bool kafka_aside_failed(struct kafka *kafka, const struct error *err);
enum status kafka_flush(struct kafka *kafka, struct error *err) MUST_USE;
enum status kafka_commit(struct kafka *kafka, const struct kafka_position *position, size_t count,
    struct error *err) MUST_USE;
/*
 * End the transaction without a trace, with a new producer where the old one cannot be trusted.
 *
 * returns  ST_OK, begin again; ST_ABORT, the same, but it may have been committed: go back to what is, send
 *          nothing again; ST_RETRY, there is no producer now: again later; ST_LOST; ST_FATAL
 */
enum status kafka_abort(struct kafka *kafka, struct error *err) MUST_USE;

#endif
