/* What a stage's place in Kafka holds: shared by its two halves, consuming and producing. */
#ifndef ENGINE_KAFKA_STATE_H
#define ENGINE_KAFKA_STATE_H

#include "engine/kafka.h"

#include <librdkafka/rdkafka.h>

enum {
    KAFKA_ANSWER_MS = 30000, /* how long a broker may take to answer */
    KAFKA_ASIDE_MS = 1000,   /* how long there may be no room for a record set aside */
};

enum pending { PENDING_NONE, PENDING_ASSIGN, PENDING_REVOKE, PENDING_LOST };

struct kafka {
    struct kafka_options options;
    char group[256];
    char client_id[200];
    rd_kafka_t *consumer, *producer;
    bool transactional;
    bool in_transaction;
    bool commit_asked; /* of the transaction: it may be committed whatever the answer said */
    bool closing;
    enum pending pending;                        /* what the group wants, not yet answered */
    rd_kafka_topic_partition_list_t *partitions; /* assigned, or about to be */
    struct kafka_assigned *assigned;
    rd_kafka_topic_partition_list_t *paused; /* now */
    rd_kafka_message_t *message;             /* lent out */
    uint64_t undelivered; /* sends that failed since the last commit; producer's thread is ours */
    char failure[256];    /* of the first of them */
    bool fenced;          /* one of them because another producer has our id */
    uint64_t aside_sent, aside_undelivered; /* to options.aside, since the last begin */
};

/* returns  ST_OK; ST_RETRY, no answer; ST_FATAL, a wrong setting */
enum status kafka_open_producer(struct kafka *k, struct error *err) MUST_USE;
void kafka_close_producer(struct kafka *k); /* drops what is not delivered; there is none then */

#endif
