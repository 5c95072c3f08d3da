/*
 * What the flow tests need of Kafka that weir's own commands do not do.
 *
 *     weir_poison create BROKERS TOPIC PARTITIONS [KEY=VALUE]...   make a topic
 *     weir_poison delete BROKERS TOPIC
 *     weir_poison spread BROKERS FROM TO    copy: 100 of 105 messages to partition 0, one each to 1 to 5
 *     weir_poison send BROKERS TOPIC        one message of each kind below, all to partition 0
 *
 * `send` prints for each message that weir must set aside a line: its offset, and why.
 */
#include "engine/base/clock.h"
#include "schemas/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

enum { CALL_MS = 30000, IDLE_MS = 10000, LARGE_BYTES = (64 << 20) + 1, DEEP = 10000, MANY = 5000 };

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "weir_poison: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) die(key, why);
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *brokers)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    if (type == RD_KAFKA_PRODUCER) {
        set(conf, "message.max.bytes", "200000000");
        set(conf, "enable.idempotence", "true");
        set(conf, "compression.codec", "lz4");
    } else {
        set(conf, "group.id", "weir-poison");
        set(conf, "enable.partition.eof", "true");
    }
    rd_kafka_t *kafka = rd_kafka_new(type, conf, why, sizeof(why));
    if (kafka == NULL) die("librdkafka", why);
    return kafka;
}

static void finish(rd_kafka_t *kafka)
{
    if (rd_kafka_flush(kafka, CALL_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) die("flush", "no answer");
    rd_kafka_destroy(kafka);
}

static void produce(
    rd_kafka_t *kafka, const char *topic, int32_t partition, int64_t at_ms, struct bytes value)
{
    rd_kafka_resp_err_t code;
    while ((code = __extension__ rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(topic),
                RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_TIMESTAMP(at_ms),
                RD_KAFKA_V_KEY("a key", 5), RD_KAFKA_V_HEADER("theirs", "as it was", 9),
                RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.size),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) ==
           RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(kafka, 10);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) die("produce", rd_kafka_err2str(code));
    rd_kafka_poll(kafka, 0);
}

/* --- topics ------------------------------------------------------------------------------------ */

static rd_kafka_event_t *answer(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    if (event == NULL) die("topic", "no answer");
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("topic", rd_kafka_event_error_string(event));
    return event;
}

static void topic_create(const char *brokers, const char *topic, int partitions, char **settings)
{
    char why[256];
    rd_kafka_t *kafka = client(RD_KAFKA_PRODUCER, brokers);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, partitions, 1, why, sizeof(why));
    if (wanted == NULL) die(topic, why);
    for (; *settings != NULL; settings++) {
        char *value = strchr(*settings, '=');
        if (value == NULL) die(*settings, "is not KEY=VALUE");
        *value = '\0';
        rd_kafka_NewTopic_set_config(wanted, *settings, value + 1);
    }
    rd_kafka_CreateTopics(kafka, &wanted, 1, NULL, queue);
    rd_kafka_event_destroy(answer(queue));
    rd_kafka_NewTopic_destroy(wanted);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(kafka);
}

static void topic_delete(const char *brokers, const char *topic)
{
    rd_kafka_t *kafka = client(RD_KAFKA_PRODUCER, brokers);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_DeleteTopic_t *unwanted = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(kafka, &unwanted, 1, NULL, queue);
    rd_kafka_event_destroy(answer(queue));
    rd_kafka_DeleteTopic_destroy(unwanted);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(kafka);
}

static void spread(const char *brokers, const char *from, const char *to)
{
    rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, brokers);
    rd_kafka_t *writer = client(RD_KAFKA_PRODUCER, brokers);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, from, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_message_t *m;
    for (uint64_t i = 0; (m = rd_kafka_consumer_poll(reader, IDLE_MS)) != NULL; i++) {
        bool end = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (!end && m->err != RD_KAFKA_RESP_ERR_NO_ERROR) die(from, rd_kafka_message_errstr(m));
        if (!end) {
            int32_t partition = i % 105 < 5 ? (int32_t)(1 + i % 105) : 0;
            produce(writer, to, partition, rd_kafka_message_timestamp(m, NULL),
                (struct bytes){m->payload, m->len});
        }
        rd_kafka_message_destroy(m);
        if (end) break;
    }
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    finish(writer);
}

/* --- messages ---------------------------------------------------------------------------------- */

static void put_attribute(struct buffer *out, uint32_t field, struct bytes key, struct bytes value)
{
    size_t pair = wire_open(out, field);
    wire_put_bytes(out, 1, key);
    size_t any = wire_open(out, 2);
    wire_put_bytes(out, 1, value);
    wire_close(out, any);
    wire_close(out, pair);
}

/* A KeyValue whose value holds arrays in arrays. */
static void put_deep(struct buffer *out)
{
    struct buffer array = {0}, around = {0};
    for (int depth = 0; depth < DEEP; depth++) {
        around.size = 0;
        wire_put_bytes(&around, depth % 2 == 0 ? 1 : 5, buffer_bytes(&array));
        struct buffer swap = array;
        array = around;
        around = swap;
    }
    size_t pair = wire_open(out, 9);
    wire_put_bytes(out, 1, bytes_of("deep"));
    wire_put_bytes(out, 2, buffer_bytes(&array));
    wire_close(out, pair);
    buffer_release(&array);
    buffer_release(&around);
}

/* One SERVER span of 5 ms that ends at `at_ms`, of a service and an operation both called `name`. */
static void put_span(struct buffer *out, struct bytes name, int64_t at_ms, bool odd)
{
    static const uint8_t id[16] = {1};
    uint64_t end_ns = (uint64_t)(at_ms * NS_PER_MS);
    size_t outer = wire_open(out, 1);
    size_t resource = wire_open(out, 1);
    put_attribute(out, 1, bytes_of("service.name"), name);
    wire_close(out, resource);
    size_t scope = wire_open(out, 2);
    size_t span = wire_open(out, 2);
    wire_put_bytes(out, 1, (struct bytes){id, 16});
    wire_put_bytes(out, 2, (struct bytes){id, 8});
    wire_put_bytes(out, 5, name);
    wire_put_uint(out, 6, 2);
    wire_put_fixed64(out, 7, end_ns - 5000000);
    wire_put_fixed64(out, 8, end_ns);
    if (odd) put_deep(out);
    for (int i = 0; odd && i < MANY; i++)
        put_attribute(out, 9, bytes_of("one of many"), bytes_of("value"));
    wire_close(out, span);
    wire_close(out, scope);
    wire_close(out, outer);
}

#define NAME(text)                                   \
    {                                                \
        (const uint8_t *)(text), sizeof(text "") - 1 \
    }

static const struct bytes names[] = {
    NAME(""),
    NAME("nul\0nul"),
    NAME("line\nline\r\nline"),
    NAME("x\r\n*1\r\n$8\r\nFLUSHALL\r\n"),
    NAME("\x1b[2J\x1b]0;title\x07"),
    NAME("c1\xc2\x9b"
         "31m"),
    NAME("bidi\xe2\x80\xae"
         "ibid"),
    NAME("not\xff\xfe utf\xc0\x80"),
    NAME("a;b=c,d:e{f}\"g\"\\h%i"),
};

static const struct {
    struct bytes value;
    const char *reason;
} bad[] = {
    {NAME("\x0a\x05"), "malformed"},                                         /* cut short */
    {NAME("\x0a\xff\xff\xff\xff\x0f"), "malformed"},                         /* 4 GB of it */
    {NAME("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "malformed"}, /* without end */
    {NAME("{\"resourceSpans\":[]}"), "malformed"},
    {NAME("\x1b[31m\nlevel=error \x9b"), "malformed"},
};

static void send_all(const char *brokers, const char *topic)
{
    rd_kafka_t *kafka = client(RD_KAFKA_PRODUCER, brokers);
    int64_t at_ms = clock_wall_ns() / NS_PER_MS, offset = 0;
    struct buffer out = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++, offset++) {
        buffer_reset(&out);
        put_span(&out, names[i], at_ms, false);
        produce(kafka, topic, 0, at_ms, buffer_bytes(&out));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++, offset++) {
        produce(kafka, topic, 0, at_ms, bad[i].value);
        printf("%" PRId64 " %s\n", offset, bad[i].reason);
    }
    /* A megabyte of name, cut; then what is deep and long, then zeros that hardly weigh anything. */
    uint8_t *zeros = calloc(1, LARGE_BYTES);
    if (zeros == NULL) die("large", "no memory");
    memset(zeros, 'n', 1 << 20);
    buffer_reset(&out);
    put_span(&out, (struct bytes){zeros, 1 << 20}, at_ms, false);
    produce(kafka, topic, 0, at_ms, buffer_bytes(&out));
    buffer_reset(&out);
    put_span(&out, bytes_of("odd"), at_ms, true);
    produce(kafka, topic, 0, at_ms, buffer_bytes(&out));
    memset(zeros, 0, 1 << 20);
    produce(kafka, topic, 0, at_ms, (struct bytes){zeros, LARGE_BYTES});
    printf("%" PRId64 " too_large\n", offset + 2);
    buffer_reset(&out);
    put_span(&out, bytes_of("after"), at_ms, false);
    produce(kafka, topic, 0, at_ms, buffer_bytes(&out));
    finish(kafka);
    buffer_release(&out);
    free(zeros);
}

int main(int argc, char **argv)
{
    if (argc >= 5 && strcmp(argv[1], "create") == 0)
        topic_create(argv[2], argv[3], (int)strtol(argv[4], NULL, 10), argv + 5);
    else if (argc == 4 && strcmp(argv[1], "delete") == 0)
        topic_delete(argv[2], argv[3]);
    else if (argc == 5 && strcmp(argv[1], "spread") == 0)
        spread(argv[2], argv[3], argv[4]);
    else if (argc == 4 && strcmp(argv[1], "send") == 0)
        send_all(argv[2], argv[3]);
    else
        die("usage", "create|delete|spread|send BROKERS ...");
    return 0;
}
