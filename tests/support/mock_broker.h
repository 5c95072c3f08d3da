/* librdkafka's own broker, for tests of what talks to Kafka, and a look at what it holds. */
#ifndef TESTS_SUPPORT_MOCK_BROKER_H
#define TESTS_SUPPORT_MOCK_BROKER_H

#include "engine/base/bytes.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

struct mock_broker {
    rd_kafka_t *host; /* the handle whose threads serve it */
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers; /* host:port */
};

/* One broker; what goes wrong here ends the process. */
void mock_broker_open(struct mock_broker *broker);
void mock_broker_close(struct mock_broker *broker);

struct mock_record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    bool keyed;
    uint8_t *value;
    size_t bytes;
};

struct mock_records {
    struct mock_record *record; /* partition by partition, in order of offset */
    size_t count;
};

/* Everything that a topic holds. */
struct mock_records mock_broker_read(
    const struct mock_broker *broker, const char *topic, int32_t partitions);
void mock_records_release(struct mock_records *records);

#endif
