/* The plain producer against librdkafka's mock broker, also where sending fails. */
#include "engine/base/clock.h"
#include "engine/kafka_writer.h"
#include "tests/support/mock_broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { API_PRODUCE = 0 };

static struct mock_broker broker;

static struct kafka_writer *writer_to(
    const char *brokers, const struct kafka_setting *setting, size_t settings)
{
    struct error err;
    struct kafka_writer *writer = NULL;
    assert_int_equal(kafka_writer_open(&writer, brokers, setting, settings, &err), ST_OK);
    return writer;
}

static int32_t topic_of(struct kafka_writer *writer, const char *topic, int32_t partitions)
{
    struct error err = {0};
    int32_t have = -1;
    if (kafka_writer_topic(writer, topic, partitions, NULL, 0, &have, &err) != ST_OK)
        fail_msg("%s", err.text);
    return have;
}

static enum status send_text(
    struct kafka_writer *writer, const char *topic, const char *text, struct error *err)
{
    const struct bytes no_key = {NULL, 0};
    return kafka_writer_send(writer, topic, 0, no_key, bytes_of(text), 1000, err);
}

static void a_sent_message_has_its_partition_time_and_bytes(void **unused)
{
    (void)unused;
    enum { MESSAGES = 100 };
    struct error err;
    struct kafka_writer *writer = writer_to(broker.brokers, NULL, 0);
    int32_t have = topic_of(writer, "sent", 4);
    const struct bytes no_key = {NULL, 0};
    for (int i = 0; i < MESSAGES; i++) {
        char text[16];
        snprintf(text, sizeof(text), "m%d", i);
        assert_int_equal(
            kafka_writer_send(writer, "sent", i % have, no_key, bytes_of(text), 1000 + i, &err),
            ST_OK);
    }
    assert_int_equal(kafka_writer_flush(writer, 10 * NS_PER_S, &err), ST_OK);
    assert_int_equal(kafka_writer_counts(writer).sent, MESSAGES);
    assert_int_equal(kafka_writer_counts(writer).failed, 0);
    kafka_writer_close(writer);

    struct mock_records records = mock_broker_read(&broker, "sent", have);
    assert_int_equal(records.count, MESSAGES);
    for (size_t i = 0; i < records.count; i++) {
        const struct mock_record *record = &records.record[i];
        int64_t number = record->offset * have + record->partition;
        char text[16];
        snprintf(text, sizeof(text), "m%d", (int)number);
        assert_int_equal(record->timestamp_ms, 1000 + number);
        assert_string_equal((const char *)record->value, text);
        assert_false(record->keyed);
    }
    mock_records_release(&records);
}

static void a_topic_that_is_there_keeps_its_partitions(void **unused)
{
    (void)unused;
    rd_kafka_mock_topic_create(broker.cluster, "three", 3, 1);
    struct kafka_writer *writer = writer_to(broker.brokers, NULL, 0);
    assert_int_equal(topic_of(writer, "three", 8), 3);
    kafka_writer_close(writer);
}

/* The mock cannot create topics on request, only when one is asked for. */
static void a_broker_without_an_admin_still_gets_its_topic(void **unused)
{
    (void)unused;
    struct kafka_writer *writer = writer_to(broker.brokers, NULL, 0);
    assert_true(topic_of(writer, "made", 2) > 0);
    assert_true(topic_of(writer, "made", 2) > 0);
    kafka_writer_close(writer);
}

static void a_refused_size_says_what_to_raise(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct kafka_writer *writer = writer_to(broker.brokers, NULL, 0);
    topic_of(writer, "small", 1);
    rd_kafka_mock_push_request_errors(
        broker.cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    assert_int_equal(send_text(writer, "small", "large", &err), ST_OK);
    assert_int_equal(kafka_writer_flush(writer, 10 * NS_PER_S, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "max.message.bytes=67108864"));
    assert_non_null(strstr(err.text, "5 bytes"));
    assert_int_equal(kafka_writer_counts(writer).failed, 1);
    assert_int_equal(send_text(writer, "small", "more", &err), ST_FATAL);
    kafka_writer_close(writer);
}

static void a_passing_failure_is_tried_again(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct kafka_writer *writer = writer_to(broker.brokers, NULL, 0);
    topic_of(writer, "flaky", 1);
    rd_kafka_mock_push_request_errors(broker.cluster, API_PRODUCE, 2,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    assert_int_equal(send_text(writer, "flaky", "again", &err), ST_OK);
    assert_int_equal(kafka_writer_flush(writer, 30 * NS_PER_S, &err), ST_OK);
    assert_int_equal(kafka_writer_counts(writer).sent, 1);
    assert_int_equal(kafka_writer_counts(writer).failed, 0);
    kafka_writer_close(writer);
}

/* A broker that is away: first the queue fills, then nothing can be flushed, then it is given up. */
static void a_broker_that_is_away_pushes_back(void **unused)
{
    (void)unused;
    const struct kafka_setting few[] = {
        {"queue.buffering.max.messages", "5"}, {"message.timeout.ms", "4000"}};
    struct error err = {0};
    struct kafka_writer *writer = writer_to(broker.brokers, few, 2);
    topic_of(writer, "away", 1);
    rd_kafka_mock_broker_set_down(broker.cluster, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(send_text(writer, "away", "x", &err), ST_OK);
    }
    assert_int_equal(send_text(writer, "away", "x", &err), ST_RETRY);
    assert_int_equal(kafka_writer_flush(writer, 0, &err), ST_RETRY);
    assert_int_equal(kafka_writer_flush(writer, 30 * NS_PER_S, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "could not be delivered"));
    assert_int_equal(kafka_writer_counts(writer).failed, 5);
    rd_kafka_mock_broker_set_up(broker.cluster, 1);
    kafka_writer_close(writer);
}

static void a_message_over_the_limit_is_refused(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct kafka_writer *writer = writer_to(broker.brokers, NULL, 0);
    topic_of(writer, "limit", 1);
    size_t bytes = (size_t)KAFKA_WRITER_MESSAGE_BYTES_MAX + 1;
    uint8_t *large = calloc(bytes, 1);
    assert_non_null(large);
    const struct bytes no_key = {NULL, 0};
    assert_int_equal(
        kafka_writer_send(writer, "limit", 0, no_key, (struct bytes){large, bytes}, 1000, &err),
        ST_FATAL);
    assert_non_null(strstr(err.text, "67108865 bytes is too large"));
    assert_int_equal(
        kafka_writer_send(writer, "limit", 0, no_key, (struct bytes){large, bytes - 1}, 1000, &err),
        ST_OK);
    free(large);
    kafka_writer_close(writer);
}

static void a_wrong_setting_is_named(void **unused)
{
    (void)unused;
    const struct kafka_setting wrong = {"linger.mss", "5"};
    struct kafka_writer *writer = NULL;
    struct error err = {0};
    assert_int_equal(kafka_writer_open(&writer, broker.brokers, &wrong, 1, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "linger.mss=5"));
    assert_null(writer);
}

static void no_broker_is_said(void **unused)
{
    (void)unused;
    struct error err = {0};
    int32_t have = -1;
    struct kafka_writer *writer = writer_to("127.0.0.1:1", NULL, 0);
    assert_int_equal(kafka_writer_topic(writer, "t", 1, NULL, 0, &have, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "no broker answers at 127.0.0.1:1"));
    assert_int_equal(have, -1);
    kafka_writer_close(writer);
}

static int open_broker(void **unused)
{
    (void)unused;
    mock_broker_open(&broker);
    return 0;
}

static int close_broker(void **unused)
{
    (void)unused;
    mock_broker_close(&broker);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sent_message_has_its_partition_time_and_bytes),
        cmocka_unit_test(a_topic_that_is_there_keeps_its_partitions),
        cmocka_unit_test(a_broker_without_an_admin_still_gets_its_topic),
        cmocka_unit_test(a_refused_size_says_what_to_raise),
        cmocka_unit_test(a_passing_failure_is_tried_again),
        cmocka_unit_test(a_broker_that_is_away_pushes_back),
        cmocka_unit_test(a_message_over_the_limit_is_refused),
        cmocka_unit_test(a_wrong_setting_is_named),
        cmocka_unit_test(no_broker_is_said),
    };
    return cmocka_run_group_tests_name("kafka writer", tests, open_broker, close_broker);
}
