/*
 * weir_meddle: does to Kafka what flow tests say that weir survives, or refuses aloud.
 *
 *     weir_meddle BROKERS hang TOPIC PARTITION        keep a transaction open until SIGTERM, then abort it
 *     weir_meddle BROKERS drop TOPIC                  delete a topic
 *     weir_meddle BROKERS grow TOPIC COUNT            give it so many partitions
 *     weir_meddle BROKERS trim TOPIC PARTITION        delete all records of a partition
 *     weir_meddle BROKERS end TOPIC PARTITION         print where a partition ends
 *     weir_meddle BROKERS partial TOPIC PARTITION PLAN FROM TO   a partial of source 0/0 that covers these offsets
 *     weir_meddle BROKERS manifest NAME PARTITION VERSION        make a snapshot of that version the newest
 */
#include "engine/base/buffer.h"
#include "schemas/partial.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

enum { ANSWER_MS = 20000 };

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int signal)
{
    (void)signal;
    asked_to_stop = 1;
}

static void need(bool holds, const char *format, ...) PRINTF_LIKE(2, 3);
static void need(bool holds, const char *format, ...)
{
    if (holds) return;
    va_list args;
    va_start(args, format);
    fprintf(stderr, "weir_meddle: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

static int32_t partition_of(const char *text)
{
    return (int32_t)strtol(text, NULL, 10);
}

static void need_ok(rd_kafka_resp_err_t code, const char *doing)
{
    need(code == RD_KAFKA_RESP_ERR_NO_ERROR, "%s: %s", doing, rd_kafka_err2str(code));
}

static void need_done(rd_kafka_error_t *failure, const char *doing)
{
    need(failure == NULL, "%s: %s", doing, failure == NULL ? "" : rd_kafka_error_string(failure));
}

static rd_kafka_t *handle_new(rd_kafka_type_t type, const char *brokers, const char *const pair[])
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    need(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why)) == 0, "%s", why);
    for (size_t i = 0; pair[i] != NULL; i += 2) {
        rd_kafka_conf_res_t res = rd_kafka_conf_set(conf, pair[i], pair[i + 1], why, sizeof(why));
        need(res == RD_KAFKA_CONF_OK, "%s", why);
    }
    rd_kafka_t *handle = rd_kafka_new(type, conf, why, sizeof(why));
    need(handle != NULL, "%s", why);
    return handle;
}

/* The offset at which a value was written, or -1 inside a transaction. */
static int64_t produced;

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer, (void)opaque;
    need_ok(message->err, "produce");
    produced = message->offset;
}

static void produce(rd_kafka_t *producer, const char *topic, int32_t partition, struct bytes value)
{
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.data, value.size}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    need_done(rd_kafka_produceva(producer, parts, sizeof(parts) / sizeof(parts[0])), "produce");
    need_ok(rd_kafka_flush(producer, ANSWER_MS), "flush");
}

static int64_t write_record(
    const char *brokers, const char *topic, int32_t partition, struct bytes value)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why));
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    need(producer != NULL, "%s", why);
    produce(producer, topic, partition, value);
    rd_kafka_destroy(producer);
    return produced;
}

static void hang(const char *brokers, char **argument)
{
    const char *const settings[] = {
        "transactional.id", "hanging", "transaction.timeout.ms", "600000", NULL};
    rd_kafka_t *producer = handle_new(RD_KAFKA_PRODUCER, brokers, settings);
    need_done(rd_kafka_init_transactions(producer, ANSWER_MS), "init");
    need_done(rd_kafka_begin_transaction(producer), "begin");
    produce(producer, argument[0], partition_of(argument[1]), bytes_of("never to be seen"));
    signal(SIGTERM, on_signal);
    printf("open\n");
    fflush(stdout);
    while (!asked_to_stop)
        rd_kafka_poll(producer, 50);
    need_done(rd_kafka_abort_transaction(producer, ANSWER_MS), "abort");
    rd_kafka_destroy(producer);
}

/* Wait for the one answer of an administrator's call; what it says of the one topic is the caller's. */
static rd_kafka_event_t *answer(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ANSWER_MS);
    need(event != NULL, "no answer");
    need_ok(rd_kafka_event_error(event), "administer");
    return event;
}

static void need_topic(const rd_kafka_topic_result_t **result, size_t count)
{
    need(count == 1, "%zu answers", count);
    need_ok(rd_kafka_topic_result_error(result[0]), "administer a topic");
}

static void drop(const char *brokers, char **argument)
{
    const char *const none[] = {NULL};
    rd_kafka_t *handle = handle_new(RD_KAFKA_PRODUCER, brokers, none);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(argument[0]);
    rd_kafka_DeleteTopics(handle, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    size_t count;
    const rd_kafka_topic_result_t **result =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    need_topic(result, count);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(handle);
}

static void grow(const char *brokers, char **argument)
{
    char why[256];
    const char *const none[] = {NULL};
    rd_kafka_t *handle = handle_new(RD_KAFKA_PRODUCER, brokers, none);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(
        argument[0], (size_t)strtoul(argument[1], NULL, 10), why, sizeof(why));
    need(more != NULL, "%s", why);
    rd_kafka_CreatePartitions(handle, &more, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    size_t count;
    const rd_kafka_topic_result_t **result = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &count);
    need_topic(result, count);
    rd_kafka_event_destroy(event);
    rd_kafka_NewPartitions_destroy(more);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(handle);
}

static void trim(const char *brokers, char **argument)
{
    const char *const none[] = {NULL};
    rd_kafka_t *handle = handle_new(RD_KAFKA_PRODUCER, brokers, none);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, argument[0], partition_of(argument[1]))->offset =
        RD_KAFKA_OFFSET_END;
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(handle, &records, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    const rd_kafka_topic_partition_list_t *result =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    need_ok(result->elems[0].err, "delete records");
    printf("%lld\n", (long long)result->elems[0].offset);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(handle);
}

static void end(const char *brokers, char **argument)
{
    int64_t low, high;
    const char *const none[] = {NULL};
    rd_kafka_t *handle = handle_new(RD_KAFKA_PRODUCER, brokers, none);
    need_ok(rd_kafka_query_watermark_offsets(
                handle, argument[0], partition_of(argument[1]), &low, &high, ANSWER_MS),
        "ask for the end");
    printf("%lld\n", (long long)high);
    rd_kafka_destroy(handle);
}

static void partial(const char *brokers, char **argument)
{
    struct buffer record = {0};
    const struct partial_header header = {
        .plan = strtoull(argument[2], NULL, 16), .sent_ms = 1, .last = true};
    const struct partial_clock clock = {.watermark_ns = WATERMARK_NONE,
        .newest_pane = PANE_NONE,
        .from = strtoll(argument[3], NULL, 10),
        .to = strtoll(argument[4], NULL, 10)};
    partial_put_header(&record, &header);
    partial_put_clock(&record, &clock);
    write_record(brokers, argument[0], partition_of(argument[1]), buffer_bytes(&record));
    buffer_release(&record);
}

/* The metadata of what is committed: "weir1 aggregate MANIFEST NS ENDED". */
static void manifest(const char *brokers, char **argument)
{
    char group[256], partials[256], state[256], metadata[256];
    struct buffer record = {0};
    snprintf(group, sizeof(group), "%s-aggregate", argument[0]);
    snprintf(partials, sizeof(partials), "%s.partials", argument[0]);
    snprintf(state, sizeof(state), "%s.state", argument[0]);
    wire_put_uint(&record, 1, strtoull(argument[2], NULL, 10));
    wire_put_uint(&record, 4, 0);
    int64_t at = write_record(brokers, state, partition_of(argument[1]), buffer_bytes(&record));
    buffer_release(&record);

    const char *const settings[] = {"group.id", group, NULL};
    rd_kafka_t *consumer = handle_new(RD_KAFKA_CONSUMER, brokers, settings);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *place =
        rd_kafka_topic_partition_list_add(list, partials, partition_of(argument[1]));
    need_ok(rd_kafka_committed(consumer, list, ANSWER_MS), "read what is committed");
    need(place->offset >= 0, "nothing is committed");
    snprintf(
        metadata, sizeof(metadata), "weir1 aggregate %lld -9223372036854775808 0", (long long)at);
    free(place->metadata);
    place->metadata_size = strlen(metadata);
    place->metadata = strdup(metadata);
    need_ok(rd_kafka_commit(consumer, list, 0), "commit");
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(consumer);
}

static const struct {
    const char *name;
    int arguments;
    void (*run)(const char *brokers, char **argument);
} tricks[] = {
    {"hang", 2, hang},
    {"drop", 1, drop},
    {"grow", 2, grow},
    {"trim", 2, trim},
    {"end", 2, end},
    {"partial", 5, partial},
    {"manifest", 3, manifest},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]) && argc > 2; i++) {
        if (strcmp(tricks[i].name, argv[2]) != 0 || argc != 3 + tricks[i].arguments) continue;
        tricks[i].run(argv[1], argv + 3);
        return 0;
    }
    need(false, "no such trick, or not its number of arguments: see tests/support/meddle.c");
}
