#include "tests/support/mock_broker.h"

#include "engine/base/memory.h"

#include <stdio.h>
#include <stdlib.h>

static void need(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "mock broker: %s\n", what);
    exit(1);
}

static rd_kafka_t *handle_new(rd_kafka_type_t type, const char *const settings[][2], size_t count)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < count; i++) {
        rd_kafka_conf_res_t res =
            rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof(why));
        need(res == RD_KAFKA_CONF_OK, why);
    }
    rd_kafka_t *handle = rd_kafka_new(type, conf, why, sizeof(why));
    need(handle != NULL, why);
    return handle;
}

void mock_broker_open(struct mock_broker *broker)
{
    const char *const settings[][2] = {{"test.mock.num.brokers", "1"}, {"log_level", "0"}};
    broker->host = handle_new(RD_KAFKA_PRODUCER, settings, 2);
    broker->cluster = rd_kafka_handle_mock_cluster(broker->host);
    broker->brokers = rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

void mock_broker_close(struct mock_broker *broker)
{
    rd_kafka_destroy(broker->host);
}

static void record_keep(struct mock_records *records, const rd_kafka_message_t *message)
{
    records->record = memory_resize(records->record, records->count + 1, sizeof(*records->record));
    records->record[records->count++] = (struct mock_record){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .keyed = message->key != NULL,
        .value = (uint8_t *)memory_text(message->payload, message->len),
        .bytes = message->len,
    };
}

static void partition_read(
    rd_kafka_t *consumer, const char *topic, int32_t partition, struct mock_records *records)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    need(rd_kafka_assign(consumer, list) == RD_KAFKA_RESP_ERR_NO_ERROR, "cannot assign");
    rd_kafka_topic_partition_list_destroy(list);

    for (bool end = false; !end;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 30000);
        need(message != NULL, "no answer");
        end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            record_keep(records, message);
        else
            need(end, rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
    }
}

struct mock_records mock_broker_read(
    const struct mock_broker *broker, const char *topic, int32_t partitions)
{
    const char *const settings[][2] = {
        {"bootstrap.servers", broker->brokers},
        {"group.id", "reader"},
        {"enable.auto.commit", "false"},
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "10"},
    };
    rd_kafka_t *consumer =
        handle_new(RD_KAFKA_CONSUMER, settings, sizeof(settings) / sizeof(settings[0]));
    rd_kafka_poll_set_consumer(consumer);
    struct mock_records records = {0};
    for (int32_t partition = 0; partition < partitions; partition++) {
        partition_read(consumer, topic, partition, &records);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return records;
}

void mock_records_release(struct mock_records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        free(records->record[i].value);
    }
    free(records->record);
    *records = (struct mock_records){0};
}
