/*
 * A stage's place in Kafka, the observer and snapshots, against librdkafka's mock cluster, which takes
 * transactions without isolating them and throws the offsets sent in them away.
 */
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/kafka.h"
#include "engine/kafka_observer.h"
#include "engine/kafka_state.h"
#include "engine/kafka_writer.h"
#include "engine/snapshot.h"
#include "tests/support/mock_broker.h"
#include "tests/support/pipeline_bench.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* Kafka's numbers of requests. */
enum {
    API_PRODUCE = 0,
    API_OFFSET_FETCH = 9,
    API_ADD_PARTITIONS = 24,
    API_ADD_OFFSETS = 25,
    API_END = 26,
    API_OFFSET_COMMIT = 28,
};

enum {
    PATIENCE_S = 60,
    POLL_MS = 100,
    CLOSE_S = 4, /* a worker that is stopped waits no longer for its threads */
};

#define WHEN_MS INT64_C(1700000000000)

static struct mock_broker broker;

static void config_init(struct config *config, const char *name, const char *more)
{
    struct error err;
    char yaml[600];
    snprintf(yaml, sizeof(yaml), "brokers: %s\nname: %s\n%s", broker.brokers, name, more);
    if (config_load_bytes(config, "kafka.yaml", bytes_of(yaml), NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static struct kafka *open_as(
    const struct config *config, const char *instance, const char *const *topic, size_t topics)
{
    struct error err;
    struct kafka *kafka = NULL;
    struct kafka_options options = {.config = config,
        .instance = instance,
        .stage = "combine",
        .topic = topic,
        .topics = topics,
        .produces = true,
        .keeps_order = true,
        .queue_kbytes = 1024};
    if (kafka_open(&kafka, &options, &err) != ST_OK) fail_msg("%s", err.text);
    return kafka;
}

/* `count` records m0, m1 ... with rising timestamps, all to one partition. */
static void fill(const char *topic, int32_t partition, int count)
{
    struct error err;
    struct kafka_writer *writer = NULL;
    int32_t have;
    if (kafka_writer_open(&writer, broker.brokers, NULL, 0, &err) != ST_OK ||
        kafka_writer_topic(writer, topic, 1, NULL, 0, &have, &err) != ST_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < count; i++) {
        char text[16];
        snprintf(text, sizeof(text), "m%d", i);
        assert_int_equal(kafka_writer_send(writer, topic, partition, bytes_of("k"), bytes_of(text),
                             WHEN_MS + i, &err),
            ST_OK);
    }
    assert_int_equal(kafka_writer_flush(writer, 20 * NS_PER_S, &err), ST_OK);
    kafka_writer_close(writer);
}

/* Poll until this event; others that come before it are passed over. */
static void await(struct kafka *kafka, enum kafka_event wanted, struct kafka_record *record)
{
    struct error err;
    int64_t until_ns = clock_ns() + PATIENCE_S * NS_PER_S;
    while (clock_ns() < until_ns) {
        if (kafka_poll(kafka, POLL_MS, record, &err) == wanted) return;
    }
    fail_msg("event %d did not come", wanted);
}

/* Take over what is assigned, each partition from `offset` on, or where it is committed for -1. */
static size_t start(struct kafka *kafka, int64_t offset)
{
    struct error err;
    struct kafka_record record;
    struct kafka_assigned *assigned;
    size_t count;
    await(kafka, KAFKA_ASSIGNED, &record);
    if (kafka_assigned(kafka, &assigned, &count, &err) != ST_OK) fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++) {
        if (offset >= 0) assigned[i].offset = offset;
    }
    if (kafka_start(kafka, &err) != ST_OK) fail_msg("%s", err.text);
    return count;
}

static void records_and_ends_come_with_their_place(void **unused)
{
    (void)unused;
    static const char *const topics[] = {"placed-a", "placed-b"};
    struct config config;
    struct kafka_record record;
    struct kafka_assigned *assigned;
    struct error err;
    size_t count;
    rd_kafka_mock_topic_create(broker.cluster, "placed-a", 2, 1);
    rd_kafka_mock_topic_create(broker.cluster, "placed-b", 1, 1);
    fill("placed-a", 1, 3);
    fill("placed-b", 0, 2);
    config_init(&config, "placed", "delivery: at_least_once\n");
    struct kafka *kafka = open_as(&config, "one", topics, 2);

    await(kafka, KAFKA_ASSIGNED, &record);
    assert_int_equal(kafka_assigned(kafka, &assigned, &count, &err), ST_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(assigned[i].offset, -1);
        assert_string_equal(assigned[i].metadata, "");
        assigned[i].offset = 0;
    }
    /* Until it is answered it is said again. */
    assert_int_equal(kafka_poll(kafka, 0, &record, &err), KAFKA_ASSIGNED);
    assert_int_equal(kafka_start(kafka, &err), ST_OK);

    int64_t next[2][2] = {{0}};
    bool ended[2][2] = {{false}};
    int64_t until_ns = clock_ns() + PATIENCE_S * NS_PER_S;
    while (!(ended[0][0] && ended[0][1] && ended[1][0]) && clock_ns() < until_ns) {
        enum kafka_event event = kafka_poll(kafka, POLL_MS, &record, &err);
        if (event == KAFKA_END) {
            assert_int_equal(record.offset, next[record.topic][record.partition]);
            ended[record.topic][record.partition] = true;
        }
        if (event != KAFKA_RECORD) continue;
        char text[16];
        snprintf(text, sizeof(text), "m%d", (int)record.offset);
        assert_true(bytes_are(record.value, text));
        assert_true(bytes_are(record.key, "k"));
        assert_int_equal(record.timestamp_ms, WHEN_MS + record.offset);
        assert_int_equal(record.offset, next[record.topic][record.partition]++);
    }
    assert_int_equal(next[0][0], 0);
    assert_int_equal(next[0][1], 3);
    assert_int_equal(next[1][0], 2);
    assert_int_equal(kafka_end_seen(kafka, 0, 1), 3);
    kafka_close(kafka);
    config_release(&config);
}

static void send_text(struct kafka *kafka, const char *topic, const char *text, int64_t *offset)
{
    struct error err;
    if (kafka_send(kafka, topic, 0, (struct bytes){0}, bytes_of(text), offset, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static void assert_holds(const char *topic, const char *const *text, size_t count)
{
    struct mock_records records = mock_broker_read(&broker, topic, 1);
    assert_int_equal(records.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal((const char *)records.record[i].value, text[i]);
        assert_false(records.record[i].keyed);
    }
    mock_records_release(&records);
}

static void what_is_committed_is_found_again_with_its_metadata(void **unused)
{
    (void)unused;
    static const char *const topics[] = {"again"};
    static const char *const sent[] = {"first", "second"};
    struct config config;
    struct kafka_record record;
    struct kafka_assigned *assigned;
    struct error err;
    size_t count;
    rd_kafka_mock_topic_create(broker.cluster, "again", 1, 1);
    rd_kafka_mock_topic_create(broker.cluster, "again-out", 1, 1);
    fill("again", 0, 5);
    config_init(&config, "again", "delivery: at_least_once\n");
    struct kafka *kafka = open_as(&config, "one", topics, 1);
    assert_int_equal(start(kafka, 0), 1);
    for (int i = 0; i < 3; i++)
        await(kafka, KAFKA_RECORD, &record);

    int64_t offset = -1;
    const struct kafka_position position = {0, 0, 3, "weir1 clock 5 6 0 1"};
    assert_int_equal(kafka_begin(kafka, &err), ST_OK);
    send_text(kafka, "again-out", "first", NULL);
    send_text(kafka, "again-out", "second", &offset);
    assert_int_equal(kafka_flush(kafka, &err), ST_OK);
    assert_int_equal(offset, 1);
    assert_int_equal(kafka_commit(kafka, &position, 1, &err), ST_OK);
    assert_holds("again-out", sent, 2);

    /* A rewind is an assignment: what is committed, then the records from there on. */
    await(kafka, KAFKA_RECORD, &record);
    kafka_rewind(kafka);
    assert_int_equal(kafka_poll(kafka, 0, &record, &err), KAFKA_ASSIGNED);
    assert_int_equal(kafka_assigned(kafka, &assigned, &count, &err), ST_OK);
    assert_int_equal(assigned[0].offset, 3);
    assert_string_equal(assigned[0].metadata, position.metadata);
    assert_int_equal(kafka_start(kafka, &err), ST_OK);
    await(kafka, KAFKA_RECORD, &record);
    assert_int_equal(record.offset, 3);
    assert_true(bytes_are(record.value, "m3"));

    struct kafka_observer *observer;
    struct kafka_assigned seen = {0};
    assert_int_equal(kafka_observer_open(&observer, &config, "one", &err), ST_OK);
    assert_int_equal(kafka_group_committed(observer, "combine", "again", 1, &seen, &err), ST_OK);
    assert_int_equal(seen.offset, 3);
    assert_string_equal(seen.metadata, position.metadata);
    assert_int_equal(kafka_group_committed(observer, "sink", "again", 1, &seen, &err), ST_OK);
    assert_int_equal(seen.offset, -1);
    assert_string_equal(seen.metadata, "");
    kafka_observer_close(observer);
    kafka_close(kafka);
    config_release(&config);
}

/* A partition that was paused and is then rewound to is read again. */
static void a_rewind_ends_a_pause(void **unused)
{
    (void)unused;
    static const char *const topics[] = {"paused"};
    struct config config;
    struct kafka_record record;
    struct error err;
    rd_kafka_mock_topic_create(broker.cluster, "paused", 1, 1);
    fill("paused", 0, 4);
    config_init(&config, "paused", "delivery: at_least_once\n");
    struct kafka *kafka = open_as(&config, "one", topics, 1);
    start(kafka, 0);
    await(kafka, KAFKA_RECORD, &record);
    assert_true(kafka_pause(kafka, 0, 0));
    for (int i = 0; i < 5; i++)
        assert_int_not_equal(kafka_poll(kafka, POLL_MS, &record, &err), KAFKA_RECORD);
    assert_true(kafka_resume(kafka, 0, 0));
    await(kafka, KAFKA_RECORD, &record);
    assert_int_equal(record.offset, 1);

    assert_true(kafka_pause(kafka, 0, 0));
    kafka_rewind(kafka);
    start(kafka, 2);
    await(kafka, KAFKA_RECORD, &record);
    assert_int_equal(record.offset, 2);
    kafka_close(kafka);
    config_release(&config);
}

static void *close_main(void *kafka)
{
    kafka_close(kafka);
    return NULL;
}

/* A group waits for every answer, and so does the member's own close. */
static void an_assignment_that_comes_at_the_end_is_answered(void **unused)
{
    (void)unused;
    static const char *const topics[] = {"ending"};
    struct config config;
    struct timespec until;
    pthread_t closing;
    rd_kafka_mock_topic_create(broker.cluster, "ending", 1, 1);
    config_init(&config, "ending", "delivery: at_least_once\n");
    struct kafka *kafka = open_as(&config, "one", topics, 1);

    /* Nobody polls, so what the group says stays in the queue. */
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(kafka->consumer);
    int64_t until_ns = clock_ns() + PATIENCE_S * NS_PER_S;
    while (rd_kafka_queue_length(queue) == 0 && clock_ns() < until_ns)
        clock_sleep(POLL_MS * NS_PER_MS);
    assert_int_not_equal(rd_kafka_queue_length(queue), 0);
    rd_kafka_queue_destroy(queue);

    assert_int_equal(pthread_create(&closing, NULL, close_main, kafka), 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_S;
    assert_int_equal(pthread_timedjoin_np(closing, NULL, &until), 0);
    config_release(&config);
}

static void an_offset_that_the_log_does_not_have_is_gone(void **unused)
{
    (void)unused;
    static const char *const topics[] = {"gone"};
    struct config config;
    struct kafka_record record;
    rd_kafka_mock_topic_create(broker.cluster, "gone", 1, 1);
    fill("gone", 0, 2);
    config_init(&config, "gone", "delivery: at_least_once\n");
    struct kafka *kafka = open_as(&config, "one", topics, 1);
    start(kafka, 1000);
    await(kafka, KAFKA_GONE, &record);
    assert_int_equal(record.topic, 0);
    assert_int_equal(record.partition, 0);
    kafka_rewind(kafka);
    start(kafka, 1);
    await(kafka, KAFKA_RECORD, &record);
    assert_int_equal(record.offset, 1);
    kafka_close(kafka);
    config_release(&config);
}

/* Do what the group asks of one member; how many partitions it has then. */
static void serve(struct kafka *kafka, size_t *have)
{
    struct error err;
    struct kafka_record record;
    enum kafka_event event = kafka_poll(kafka, POLL_MS, &record, &err);
    if (event == KAFKA_ASSIGNED) *have = start(kafka, 0);
    if (event != KAFKA_REVOKED && event != KAFKA_LOST) return;
    kafka_let_go(kafka);
    *have = 0;
}

/* What is revoked is still ours until it is let go. */
static void partitions_move_to_a_member_that_comes(void **unused)
{
    (void)unused;
    static const char *const topics[] = {"moving"};
    struct config config;
    struct kafka_record record;
    struct error err;
    rd_kafka_mock_topic_create(broker.cluster, "moving", 2, 1);
    fill("moving", 0, 2);
    config_init(&config, "moving", "delivery: at_least_once\n");
    struct kafka *one = open_as(&config, "one", topics, 1);
    assert_int_equal(start(one, 0), 2);
    struct kafka *two = open_as(&config, "two", topics, 1);
    await(one, KAFKA_REVOKED, &record);
    assert_int_equal(kafka_poll(one, 0, &record, &err), KAFKA_REVOKED);
    kafka_let_go(one);
    kafka_rewind(one); /* nothing is ours, so there is nothing to go back to */

    size_t of_one = 0, of_two = 0;
    int64_t until_ns = clock_ns() + PATIENCE_S * NS_PER_S;
    while (!(of_one == 1 && of_two == 1) && clock_ns() < until_ns) {
        serve(one, &of_one);
        serve(two, &of_two);
    }
    assert_int_equal(of_one, 1);
    assert_int_equal(of_two, 1);
    kafka_close(two);
    kafka_close(one);
    config_release(&config);
}

/* One epoch of a transactional stage: a record and an offset. */
static enum status transact(struct kafka *kafka, const char *text, struct error *err)
{
    const struct kafka_position position = {0, 0, 1, "where"};
    int64_t offset = -1;
    enum status status = kafka_begin(kafka, err);
    if (status == ST_OK) {
        status = kafka_send(kafka, "exact-out", 0, (struct bytes){0}, bytes_of(text), &offset, err);
    }
    if (status == ST_OK) status = kafka_flush(kafka, err);
    if (status == ST_OK) assert_true(offset >= 0);
    return status == ST_OK ? kafka_commit(kafka, &position, 1, err) : status;
}

struct exact {
    struct config config;
    struct kafka *kafka;
};

static const char *const exact_topics[] = {"exact"};

/* Each its own group and transactional id, so that no error is left over from another. */
static void exact_init(struct exact *e, const char *name)
{
    rd_kafka_mock_topic_create(broker.cluster, "exact", 1, 1);
    rd_kafka_mock_topic_create(broker.cluster, "exact-out", 1, 1);
    config_init(&e->config, name, "delivery: exactly_once\n");
    e->kafka = open_as(&e->config, "one", exact_topics, 1);
    start(e->kafka, 0);
}

static void exact_release(struct exact *e)
{
    kafka_close(e->kafka);
    config_release(&e->config);
}

static void a_transaction_rides_out_what_passes(void **unused)
{
    (void)unused;
    static const struct {
        int16_t api;
        rd_kafka_resp_err_t error;
    } passing[] = {
        {API_PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION},
        {API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS},
        {API_ADD_OFFSETS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
        {API_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
        {API_END, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
    };
    struct exact e;
    struct error err;
    exact_init(&e, "passing");
    assert_int_equal(transact(e.kafka, "plain", &err), ST_OK);
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        rd_kafka_mock_push_request_errors(broker.cluster, passing[i].api, 1, passing[i].error);
        if (transact(e.kafka, "again", &err) != ST_OK) fail_msg("%zu: %s", i, err.text);
        rd_kafka_mock_clear_request_errors(broker.cluster, passing[i].api);
    }
    exact_release(&e);
}

static void what_needs_an_abort_is_aborted_and_done_again(void **unused)
{
    (void)unused;
    struct exact e;
    struct error err;
    exact_init(&e, "abortable");
    rd_kafka_mock_push_request_errors(
        broker.cluster, API_OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
    assert_int_equal(transact(e.kafka, "lost", &err), ST_ABORT);
    assert_non_null(strstr(err.text, "send offsets to the transaction"));
    assert_int_equal(kafka_abort(e.kafka, &err), ST_OK);
    assert_int_equal(kafka_abort(e.kafka, &err), ST_OK); /* nothing is open: nothing to do */
    assert_int_equal(transact(e.kafka, "kept", &err), ST_OK);
    exact_release(&e);
}

static void a_record_that_is_refused_aborts_its_transaction(void **unused)
{
    (void)unused;
    struct exact e;
    struct error err;
    exact_init(&e, "refused");
    rd_kafka_mock_push_request_errors(
        broker.cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    assert_int_equal(transact(e.kafka, "large", &err), ST_ABORT);
    assert_non_null(strstr(err.text, "exact-out"));
    exact_release(&e);
}

/* Kafka's default is 1 MB; weir's own topics take more, and a config alone may be as large. */
static void a_record_that_our_topics_take_is_sent(void **unused)
{
    (void)unused;
    struct exact e;
    struct error err;
    int64_t offset = -1;
    struct bytes value = {memory_zeroed(1, 1500000), 1500000};
    exact_init(&e, "large");
    assert_int_equal(kafka_begin(e.kafka, &err), ST_OK);
    if (kafka_send(e.kafka, "exact-out", 0, (struct bytes){0}, value, &offset, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(kafka_flush(e.kafka, &err), ST_OK);
    assert_true(offset >= 0);
    assert_int_equal(kafka_abort(e.kafka, &err), ST_OK);
    exact_release(&e);
    free((void *)(uintptr_t)value.data);
}

static void assert_setting(const rd_kafka_t *handle, const char *key, const char *want)
{
    char value[64] = "";
    size_t bytes = sizeof(value);
    assert_int_equal(
        rd_kafka_conf_get(rd_kafka_conf((rd_kafka_t *)(uintptr_t)handle), key, value, &bytes),
        RD_KAFKA_CONF_OK);
    assert_string_equal(value, want);
}

static void the_users_settings_win_under_each_of_their_names(void **unused)
{
    (void)unused;
    struct config config;
    config_init(&config, "users",
        "delivery: exactly_once\nkafka: {compression.type: zstd, queue.buffering.max.ms: 77, "
        "fetch.wait.max.ms: 33}\n");
    rd_kafka_mock_topic_create(broker.cluster, "exact", 1, 1);
    struct kafka *kafka = open_as(&config, "one", exact_topics, 1);
    assert_setting(kafka->producer, "compression.codec", "zstd");
    assert_setting(kafka->producer, "linger.ms", "77");
    assert_setting(kafka->producer, "queue.buffering.max.kbytes", "262144");
    assert_setting(kafka->consumer, "fetch.wait.max.ms", "33");
    assert_setting(kafka->consumer, "queued.max.messages.kbytes", "1024");
    kafka_close(kafka);
    config_release(&config);
}

static void a_fenced_producer_is_lost(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        int16_t api;
        rd_kafka_resp_err_t error;
    } fences[] = {
        {"fenced-end", API_END, RD_KAFKA_RESP_ERR_PRODUCER_FENCED}, /* found out by the commit */
        {"fenced-add", API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH},
    };
    for (size_t i = 0; i < sizeof(fences) / sizeof(fences[0]); i++) {
        struct exact e;
        struct error err, later;
        exact_init(&e, fences[i].name);
        rd_kafka_mock_push_request_errors(broker.cluster, fences[i].api, 1, fences[i].error);
        enum status status = transact(e.kafka, "zombie", &err);
        /* Where a send finds out first, aborting tells that there is nothing left to abort. */
        if (status == ST_ABORT) status = kafka_abort(e.kafka, &later);
        assert_int_equal(status, ST_LOST);
        rd_kafka_mock_clear_request_errors(broker.cluster, fences[i].api);
        exact_release(&e);
    }
}

static void an_aborted_batch_of_at_least_once_leaves_nothing_waiting(void **unused)
{
    (void)unused;
    static const char *const topics[] = {"plain"};
    static const char *const sent[] = {"kept"};
    struct config config;
    struct error err;
    rd_kafka_mock_topic_create(broker.cluster, "plain", 1, 1);
    rd_kafka_mock_topic_create(broker.cluster, "plain-out", 1, 1);
    config_init(&config, "plain", "delivery: at_least_once\nkafka: {linger.ms: 5000}\n");
    struct kafka *kafka = open_as(&config, "one", topics, 1);
    start(kafka, 0);
    assert_int_equal(kafka_begin(kafka, &err), ST_OK);
    send_text(kafka, "plain-out", "dropped", NULL);
    assert_int_equal(kafka_abort(kafka, &err), ST_OK);
    assert_int_equal(kafka_begin(kafka, &err), ST_OK);
    send_text(kafka, "plain-out", "kept", NULL);
    const struct kafka_position position = {0, 0, 0, NULL};
    assert_int_equal(kafka_commit(kafka, &position, 1, &err), ST_OK);
    assert_holds("plain-out", sent, 1);
    kafka_close(kafka);
    config_release(&config);
}

static void committed_offsets_that_cannot_be_read_are_asked_for_again(void **unused)
{
    (void)unused;
    static const char *const topics[] = {"asked"};
    struct config config;
    struct kafka_record record;
    struct kafka_assigned *assigned;
    struct error err;
    size_t count;
    rd_kafka_mock_topic_create(broker.cluster, "asked", 1, 1);
    config_init(&config, "asked", "delivery: at_least_once\n");
    struct kafka *kafka = open_as(&config, "one", topics, 1);
    await(kafka, KAFKA_ASSIGNED, &record);
    rd_kafka_mock_push_request_errors(
        broker.cluster, API_OFFSET_FETCH, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    assert_int_equal(kafka_assigned(kafka, &assigned, &count, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "asked-combine"));
    assert_int_equal(kafka_poll(kafka, 0, &record, &err), KAFKA_ASSIGNED);
    start(kafka, 0);
    kafka_close(kafka);
    config_release(&config);
}

static void a_wrong_setting_is_named(void **unused)
{
    (void)unused;
    static const char *const topics[] = {"t"};
    struct config config;
    struct kafka *kafka = NULL;
    struct kafka_observer *observer = NULL;
    struct error err;
    config_init(&config, "wrong", "kafka: {fetch.min.bytes: 1}\n");
    config.kafka[0].value = "lots";
    struct kafka_options options = {.config = &config,
        .instance = "one",
        .stage = "combine",
        .topic = topics,
        .topics = 1,
        .produces = true,
        .queue_kbytes = 1024};
    assert_int_equal(kafka_open(&kafka, &options, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "fetch.min.bytes"));
    assert_null(kafka);
    assert_int_equal(kafka_observer_open(&observer, &config, "one", &err), ST_FATAL);
    assert_null(observer);
    kafka_close(NULL);
    kafka_observer_close(NULL);
    config_release(&config);
}

static void the_observer_knows_partitions_and_offsets(void **unused)
{
    (void)unused;
    struct config config;
    struct kafka_observer *o;
    struct error err;
    uint32_t partitions = 0;
    int64_t offset[3] = {-7, -7, -7};
    const bool wanted[3] = {true, false, true};
    rd_kafka_mock_topic_create(broker.cluster, "observed", 3, 1);
    fill("observed", 2, 4);
    config_init(&config, "observed", "");
    assert_int_equal(kafka_observer_open(&o, &config, "one", &err), ST_OK);
    assert_int_equal(kafka_partitions(o, "observed", &partitions, &err), ST_OK);
    assert_int_equal(partitions, 3);
    assert_int_equal(kafka_offsets_at(o, "observed", 3, wanted, KAFKA_AT_END, offset, &err), ST_OK);
    assert_int_equal(offset[0], 0);
    assert_int_equal(offset[1], -7);
    assert_int_equal(offset[2], 4);
    assert_int_equal(kafka_offsets_at(o, "observed", 3, NULL, KAFKA_AT_START, offset, &err), ST_OK);
    assert_int_equal(offset[2], 0);
    /* Where no record is that young, and the mock says so of every time: the end. */
    assert_int_equal(kafka_offsets_at(o, "observed", 3, NULL, WHEN_MS + 1000, offset, &err), ST_OK);
    assert_int_equal(offset[1], 0);
    assert_int_equal(offset[2], 4);

    const struct kafka_setting none = {NULL, NULL};
    assert_int_equal(kafka_topic_ensure(o, "observed", 3, &none, &err), ST_OK);
    assert_int_equal(kafka_topic_ensure(o, "observed", 8, &none, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "3 partitions"));
    kafka_observer_close(o);
    config_release(&config);
}

static void wanted_records_are_read_in_order(void **unused)
{
    (void)unused;
    struct config config;
    struct kafka_observer *o;
    struct error err;
    struct buffer data = {0};
    const int64_t wanted[] = {1, 4, 5};
    size_t ends[3];
    rd_kafka_mock_topic_create(broker.cluster, "wanted", 1, 1);
    fill("wanted", 0, 7);
    config_init(&config, "wanted", "");
    assert_int_equal(kafka_observer_open(&o, &config, "one", &err), ST_OK);
    assert_int_equal(kafka_read_records(o, "wanted", 0, wanted, 3, &data, ends, &err), ST_OK);
    assert_int_equal(data.size, 6);
    assert_memory_equal(data.data, "m1m4m5", 6);
    assert_int_equal(ends[0], 2);
    assert_int_equal(ends[2], 6);
    const int64_t beyond = 1000;
    assert_int_equal(kafka_read_records(o, "wanted", 0, &beyond, 1, &data, ends, &err), ST_LOST);
    assert_non_null(strstr(err.text, "1000"));
    buffer_release(&data);
    kafka_observer_close(o);
    config_release(&config);
}

/* An aggregate with so many series that its state takes several chunks. */
static struct aggregate *aggregate_large(const struct bench_plan *bench)
{
    enum { SERIES = 12000 };
    struct bench_worker worker;
    struct bench_log log = {0};
    struct records records = {0};
    struct bench_span *span = test_calloc(SERIES, sizeof(*span));
    char(*name)[24] = test_calloc(SERIES, sizeof(*name));
    for (int i = 0; i < SERIES; i++) {
        snprintf(name[i], sizeof(name[i]), "operation %d", i);
        span[i] = (struct bench_span){"s", name[i], KIND_SERVER, BENCH_EPOCH_NS, 1000, false};
    }
    bench_worker_init(&worker, bench, 0, 1, 1, 0);
    bench_record(&worker, 0, BENCH_EPOCH_NS, span, SERIES);
    bench_flush(&worker, 1, &log);
    struct aggregate *a = aggregate_new(&bench->plan, 0);
    bench_apply(a, &log, 0, 0, &records);
    records_release(&records);
    bench_log_release(&log);
    bench_worker_release(&worker);
    test_free(span);
    test_free(name);
    return a;
}

static void a_snapshot_is_read_back_as_it_was_written(void **unused)
{
    (void)unused;
    struct exact e;
    struct error err;
    struct bench_plan bench;
    struct kafka_observer *o;
    struct buffer state[2] = {{0}};
    int64_t manifest = -1, first = -1, partials = -1, first_read = -1;
    char yaml[300];
    snprintf(yaml, sizeof(yaml), "brokers: %s\npartitions: 1\nviews: [[operation]]\nzscore: []\n",
        broker.brokers);
    bench_plan_init(&bench, yaml);
    rd_kafka_mock_topic_create(broker.cluster, "snap.state", 1, 1);
    exact_init(&e, "snap");
    assert_int_equal(kafka_observer_open(&o, &e.config, "one", &err), ST_OK);
    struct aggregate *a = aggregate_large(&bench);

    assert_int_equal(kafka_begin(e.kafka, &err), ST_OK);
    send_text(e.kafka, "snap.state", "of something else", NULL);
    if (snapshot_write(a, bench.plan.fingerprint, e.kafka, "snap.state", 0, 77, &manifest, &first,
            &err) != ST_OK)
        fail_msg("%s", err.text);
    const struct kafka_position position = {0, 0, 1, ""};
    assert_int_equal(kafka_commit(e.kafka, &position, 1, &err), ST_OK);
    assert_int_equal(first, 1);
    assert_true(manifest > first + 1); /* chunks, more than one */

    struct aggregate *b = aggregate_new(&bench.plan, 0);
    if (snapshot_read(b, o, "snap.state", 0, manifest, &partials, &first_read, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(partials, 77);
    assert_int_equal(first_read, first);
    aggregate_save(a, &state[0]);
    aggregate_save(b, &state[1]);
    assert_int_equal(state[0].size, state[1].size);
    assert_memory_equal(state[0].data, state[1].data, state[0].size);
    aggregate_free(b);

    /* Something that is not a manifest, and a place that the log does not have. */
    b = aggregate_new(&bench.plan, 0);
    assert_int_equal(
        snapshot_read(b, o, "snap.state", 0, first, &partials, &first_read, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "not a manifest"));
    assert_int_equal(
        snapshot_read(b, o, "snap.state", 0, 9999, &partials, &first_read, &err), ST_LOST);
    assert_int_equal(snapshot_missing("snap.state", 0, 9999, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "under another `name`"));
    aggregate_free(b);

    buffer_release(&state[0]);
    buffer_release(&state[1]);
    aggregate_free(a);
    kafka_observer_close(o);
    exact_release(&e);
    bench_plan_release(&bench);
}

static int open_broker(void **unused)
{
    (void)unused;
    log_open(LOG_ERROR, LOG_LOGFMT); /* what is provoked here is warned of */
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
        cmocka_unit_test(records_and_ends_come_with_their_place),
        cmocka_unit_test(what_is_committed_is_found_again_with_its_metadata),
        cmocka_unit_test(a_rewind_ends_a_pause),
        cmocka_unit_test(an_assignment_that_comes_at_the_end_is_answered),
        cmocka_unit_test(an_offset_that_the_log_does_not_have_is_gone),
        cmocka_unit_test(partitions_move_to_a_member_that_comes),
        cmocka_unit_test(a_transaction_rides_out_what_passes),
        cmocka_unit_test(what_needs_an_abort_is_aborted_and_done_again),
        cmocka_unit_test(a_record_that_is_refused_aborts_its_transaction),
        cmocka_unit_test(a_record_that_our_topics_take_is_sent),
        cmocka_unit_test(the_users_settings_win_under_each_of_their_names),
        cmocka_unit_test(a_fenced_producer_is_lost),
        cmocka_unit_test(an_aborted_batch_of_at_least_once_leaves_nothing_waiting),
        cmocka_unit_test(committed_offsets_that_cannot_be_read_are_asked_for_again),
        cmocka_unit_test(a_wrong_setting_is_named),
        cmocka_unit_test(the_observer_knows_partitions_and_offsets),
        cmocka_unit_test(wanted_records_are_read_in_order),
        cmocka_unit_test(a_snapshot_is_read_back_as_it_was_written),
    };
    return cmocka_run_group_tests_name("kafka", tests, open_broker, close_broker);
}
