/* Topics from end to end, by librdkafka's plainest calls. */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

enum { CALL_MS = 30000, IDLE_MS = 60000 };

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        die("%s=%s: %s", key, value, why);
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *brokers, bool committed_only)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    if (type == RD_KAFKA_CONSUMER) {
        set(conf, "group.id", "weir-oracle");
        set(conf, "enable.auto.commit", "false");
        set(conf, "enable.partition.eof", "true");
        set(conf, "auto.offset.reset", "error");
        set(conf, "isolation.level", committed_only ? "read_committed" : "read_uncommitted");
        set(conf, "receive.message.max.bytes", "200000000");
    } else {
        set(conf, "message.max.bytes", "100000000");
    }
    rd_kafka_t *kafka = rd_kafka_new(type, conf, why, sizeof(why));
    if (kafka == NULL) die("librdkafka: %s", why);
    return kafka;
}

static int partitions_of(rd_kafka_t *kafka, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka, topic, NULL);
    rd_kafka_resp_err_t err = rd_kafka_metadata(kafka, 0, handle, &metadata, CALL_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) die("metadata: %s", rd_kafka_err2str(err));
    int count = metadata->topics[0].partition_cnt;
    if (metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR || count == 0)
        die("topic %s: %s", topic, rd_kafka_err2str(metadata->topics[0].err));
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return count;
}

static void assign_all(rd_kafka_t *kafka, const char *topic, int partitions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; p++) {
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_resp_err_t err = rd_kafka_assign(kafka, list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) die("assign %s: %s", topic, rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(list);
}

/* Hand on a record; returns 1 when the message says that its partition has ended. */
static int message_take(const rd_kafka_message_t *message,
    void (*take)(void *self, const struct record *record), void *self)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return 1;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("reading: %s", rd_kafka_message_errstr(message));
    rd_kafka_timestamp_type_t type;
    struct record record = {
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &type),
        .value = message->payload,
        .value_bytes = message->len,
    };
    take(self, &record);
    return 0;
}

void topic_read(const char *brokers, const char *topic, bool committed_only,
    void (*take)(void *self, const struct record *record), void *self)
{
    rd_kafka_t *kafka = client(RD_KAFKA_CONSUMER, brokers, committed_only);
    int open = partitions_of(kafka, topic);
    assign_all(kafka, topic, open);
    while (open > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, IDLE_MS);
        if (message == NULL) die("topic %s: nothing for a minute, %d partitions open", topic, open);
        open -= message_take(message, take, self);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
}

static void new_topic_set(rd_kafka_NewTopic_t *topic, const char *key, const char *value)
{
    rd_kafka_resp_err_t err = rd_kafka_NewTopic_set_config(topic, key, value);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) die("%s: %s", key, rd_kafka_err2str(err));
}

/* The answer to one request about one topic. */
static const rd_kafka_topic_result_t *only_result(rd_kafka_event_t *event, size_t *count)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_CREATETOPICS_RESULT:
        return rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(event), count)[0];
    case RD_KAFKA_EVENT_DELETETOPICS_RESULT:
        return rd_kafka_DeleteTopics_result_topics(
            rd_kafka_event_DeleteTopics_result(event), count)[0];
    case RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT:
        return rd_kafka_CreatePartitions_result_topics(
            rd_kafka_event_CreatePartitions_result(event), count)[0];
    default:
        die("no answer from the broker");
    }
}

static void done_check(rd_kafka_queue_t *queue, const char *doing, const char *topic)
{
    size_t count;
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    if (event == NULL) die("%s %s: no answer from the broker", doing, topic);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("%s %s: %s", doing, topic, rd_kafka_event_error_string(event));
    const rd_kafka_topic_result_t *result = only_result(event, &count);
    rd_kafka_resp_err_t code = rd_kafka_topic_result_error(result);
    /* An answer may have been lost, and asking again is what one does then. */
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        die("%s %s: %s", doing, topic, rd_kafka_err2str(rd_kafka_topic_result_error(result)));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

void topic_create(const char *brokers, const char *topic, int partitions)
{
    char why[256];
    rd_kafka_t *kafka = client(RD_KAFKA_PRODUCER, brokers, false);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, partitions, -1, why, sizeof(why));
    if (wanted == NULL) die("topic %s: %s", topic, why);
    new_topic_set(wanted, "retention.ms", "-1");
    new_topic_set(wanted, "max.message.bytes", "100000000");
    new_topic_set(wanted, "message.timestamp.type", "CreateTime");
    rd_kafka_CreateTopics(kafka, &wanted, 1, NULL, queue);
    done_check(queue, "creating", topic);
    rd_kafka_NewTopic_destroy(wanted);
    rd_kafka_destroy(kafka);
}

void topic_grow(const char *brokers, const char *topic, int partitions)
{
    char why[256];
    rd_kafka_t *kafka = client(RD_KAFKA_PRODUCER, brokers, false);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_NewPartitions_t *wanted =
        rd_kafka_NewPartitions_new(topic, (size_t)partitions, why, sizeof(why));
    if (wanted == NULL) die("topic %s: %s", topic, why);
    rd_kafka_CreatePartitions(kafka, &wanted, 1, NULL, queue);
    done_check(queue, "growing", topic);
    rd_kafka_NewPartitions_destroy(wanted);
    rd_kafka_destroy(kafka);
}

void topic_delete(const char *brokers, const char *topic)
{
    rd_kafka_t *kafka = client(RD_KAFKA_PRODUCER, brokers, false);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_DeleteTopic_t *wanted = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(kafka, &wanted, 1, NULL, queue);
    done_check(queue, "deleting", topic);
    rd_kafka_DeleteTopic_destroy(wanted);
    rd_kafka_destroy(kafka);
}

struct topic_writer {
    rd_kafka_t *kafka;
    const char *topic;
};

struct topic_writer *topic_writer_open(const char *brokers, const char *topic)
{
    struct topic_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL) die("no memory");
    writer->kafka = client(RD_KAFKA_PRODUCER, brokers, false);
    writer->topic = topic;
    return writer;
}

void topic_write(struct topic_writer *writer, int32_t partition, int64_t timestamp_ms,
    const void *value, size_t bytes)
{
    rd_kafka_resp_err_t err = __extension__ rd_kafka_producev(writer->kafka,
        RD_KAFKA_V_TOPIC(writer->topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, bytes),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) die("writing: %s", rd_kafka_err2str(err));
}

void topic_writer_close(struct topic_writer *writer)
{
    rd_kafka_resp_err_t err = rd_kafka_flush(writer->kafka, CALL_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) die("writing: %s", rd_kafka_err2str(err));
    rd_kafka_destroy(writer->kafka);
    free(writer);
}

struct copying {
    struct topic_writer *writer;
    int partitions;
    int64_t from_ms, to_ms;
};

static void record_copy(void *self, const struct record *record)
{
    const struct copying *copying = self;
    if (record->timestamp_ms < copying->from_ms || record->timestamp_ms >= copying->to_ms) return;
    topic_write(copying->writer, record->partition % copying->partitions, record->timestamp_ms,
        record->value, record->value_bytes);
}

void topic_copy(const char *brokers, const char *topic, const char *into, int partitions,
    int64_t from_ms, int64_t to_ms)
{
    struct copying copying = {topic_writer_open(brokers, into), partitions, from_ms, to_ms};
    topic_read(brokers, topic, true, record_copy, &copying);
    topic_writer_close(copying.writer);
}
