/*
 * What each of the broker's errors becomes at the level of engine/kafka.h: librdkafka's mock cluster
 * answers one request with it, and what was to be done is then done again as the status asks.
 */
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/kafka.h"
#include "engine/kafka_observer.h"
#include "engine/kafka_writer.h"
#include "tests/support/mock_broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Kafka's numbers of requests. */
enum {
    API_PRODUCE = 0,
    API_FETCH = 1,
    API_LIST_OFFSETS = 2,
    API_OFFSET_COMMIT = 8,
    API_OFFSET_FETCH = 9,
    API_JOIN = 11,
    API_HEARTBEAT = 12,
    API_SYNC = 14,
    API_INIT_PRODUCER = 22,
    API_ADD_PARTITIONS = 24,
    API_ADD_OFFSETS = 25,
    API_END = 26,
    API_TXN_OFFSET_COMMIT = 28,
};

enum { PATIENCE_S = 60, POLL_MS = 50, RECORDS = 3 };

#define E(name)     RD_KAFKA_RESP_ERR_##name
#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static struct mock_broker broker;
static const char *const topics[] = {"in"};

/* One stage of its own group and transactional id, so that no error is left over from another. */
struct stage {
    struct config config;
    struct kafka *kafka;
};

static struct kafka_options stage_init(struct stage *s, const char *delivery)
{
    static unsigned number;
    struct error err;
    char yaml[400];
    snprintf(yaml, sizeof(yaml),
        "brokers: %s\nname: errors%u\ndelivery: %s\nkafka: {heartbeat.interval.ms: 100}\n",
        broker.brokers, number++, delivery);
    if (config_load_bytes(&s->config, "errors.yaml", bytes_of(yaml), NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
    s->kafka = NULL;
    return (struct kafka_options){.config = &s->config,
        .instance = "one",
        .stage = "combine",
        .topic = topics,
        .topics = 1,
        .produces = true,
        .keeps_order = true,
        .queue_kbytes = 1024};
}

static void stage_open(struct stage *s, const char *delivery)
{
    struct error err;
    struct kafka_options options = stage_init(s, delivery);
    if (kafka_open(&s->kafka, &options, &err) != ST_OK) fail_msg("%s", err.text);
}

/*
 * A new handle of the same name beside the old ones, which end later: a member that leaves while it joins
 * would have to wait for that.
 */
static void stage_reopen(struct stage *s, struct kafka **old)
{
    struct error err;
    struct stage other;
    struct kafka_options options = stage_init(&other, "exactly_once");
    config_release(&other.config);
    options.config = &s->config;
    *old = s->kafka;
    s->kafka = NULL;
    if (kafka_open(&s->kafka, &options, &err) != ST_OK) fail_msg("%s", err.text);
}

static void stage_release(struct stage *s)
{
    kafka_close(s->kafka);
    config_release(&s->config);
}

static void inject(int16_t api, rd_kafka_resp_err_t error)
{
    rd_kafka_mock_push_request_errors(broker.cluster, api, 1, error);
}

/* Poll until `wanted`; `before`, if not NULL, is set to the last event that came before it and was not nothing. */
static void await(struct kafka *kafka, enum kafka_event wanted, enum kafka_event *before)
{
    struct error err;
    struct kafka_record record;
    int64_t until_ns = clock_ns() + PATIENCE_S * NS_PER_S;
    while (clock_ns() < until_ns) {
        enum kafka_event event = kafka_poll(kafka, POLL_MS, &record, &err);
        if (event == wanted) return;
        if (event != KAFKA_NOTHING && before != NULL) *before = event;
        if (event == KAFKA_REVOKED || event == KAFKA_LOST) kafka_let_go(kafka);
    }
    fail_msg("event %d did not come", (int)wanted);
}

static void start(struct kafka *kafka, int64_t offset)
{
    struct error err;
    struct kafka_assigned *assigned;
    size_t count;
    await(kafka, KAFKA_ASSIGNED, NULL);
    if (kafka_assigned(kafka, &assigned, &count, &err) != ST_OK) fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++)
        assigned[i].offset = offset;
    if (kafka_start(kafka, &err) != ST_OK) fail_msg("%s", err.text);
}

/* One epoch: a record and an offset. */
static enum status epoch(struct kafka *kafka, struct error *err)
{
    const struct kafka_position position = {0, 0, 1, "where"};
    enum status status = kafka_begin(kafka, err);
    if (status == ST_OK)
        status = kafka_send(kafka, "out", 0, bytes_of(""), bytes_of("text"), NULL, err);
    if (status == ST_OK) status = kafka_flush(kafka, err);
    return status == ST_OK ? kafka_commit(kafka, &position, 1, err) : status;
}

/*
 * Until it is done: what librdkafka still throws away of an aborted epoch may take a record of the next
 * with it, and that a topic is refused is believed until its metadata come anew.
 */
static enum status epoch_again(struct kafka *kafka, struct error *err)
{
    int64_t until_ns = clock_ns() + PATIENCE_S * NS_PER_S;
    enum status status = epoch(kafka, err);
    while (status == ST_ABORT && clock_ns() < until_ns) {
        clock_sleep(POLL_MS * NS_PER_MS);
        status = kafka_abort(kafka, err);
        if (status == ST_OK) status = epoch(kafka, err);
    }
    return status;
}

/* The epoch is done again as its status asks, and then it is done. */
static const struct outcome {
    const char *what;
    int16_t api;
    rd_kafka_resp_err_t error;
    enum status status, abort; /* of the epoch; of aborting it, where that is asked for */
} outcomes[] = {
    {"produce", API_PRODUCE, E(NOT_LEADER_FOR_PARTITION), ST_OK, ST_OK},
    {"produce", API_PRODUCE, E(REQUEST_TIMED_OUT), ST_OK, ST_OK},
    {"produce", API_PRODUCE, E(NOT_ENOUGH_REPLICAS), ST_OK, ST_OK},
    {"produce", API_PRODUCE, E(MSG_SIZE_TOO_LARGE), ST_ABORT, ST_OK},
    {"produce", API_PRODUCE, E(TOPIC_AUTHORIZATION_FAILED), ST_ABORT, ST_OK},
    {"produce", API_PRODUCE, E(INVALID_PRODUCER_EPOCH), ST_ABORT, ST_LOST},
    {"produce", API_PRODUCE, E(OUT_OF_ORDER_SEQUENCE_NUMBER), ST_ABORT, ST_LOST},
    {"produce", API_PRODUCE, E(CLUSTER_AUTHORIZATION_FAILED), ST_ABORT, ST_OK},
    {"add partitions", API_ADD_PARTITIONS, E(CONCURRENT_TRANSACTIONS), ST_OK, ST_OK},
    {"add partitions", API_ADD_PARTITIONS, E(COORDINATOR_LOAD_IN_PROGRESS), ST_OK, ST_OK},
    {"add partitions", API_ADD_PARTITIONS, E(NOT_COORDINATOR), ST_OK, ST_OK},
    {"add partitions", API_ADD_PARTITIONS, E(TOPIC_AUTHORIZATION_FAILED), ST_ABORT, ST_OK},
    {"add partitions", API_ADD_PARTITIONS, E(INVALID_PRODUCER_ID_MAPPING), ST_ABORT, ST_OK},
    {"add partitions", API_ADD_PARTITIONS, E(INVALID_PRODUCER_EPOCH), ST_ABORT, ST_LOST},
    {"add partitions", API_ADD_PARTITIONS, E(PRODUCER_FENCED), ST_ABORT, ST_LOST},
    {"add partitions", API_ADD_PARTITIONS, E(INVALID_TXN_STATE), ST_ABORT, ST_LOST},
    {"add offsets", API_ADD_OFFSETS, E(NOT_COORDINATOR), ST_OK, ST_OK},
    {"add offsets", API_ADD_OFFSETS, E(CONCURRENT_TRANSACTIONS), ST_OK, ST_OK},
    {"add offsets", API_ADD_OFFSETS, E(GROUP_AUTHORIZATION_FAILED), ST_ABORT, ST_OK},
    {"add offsets", API_ADD_OFFSETS, E(INVALID_PRODUCER_EPOCH), ST_LOST, ST_OK},
    {"add offsets", API_ADD_OFFSETS, E(INVALID_TXN_STATE), ST_LOST, ST_OK},
    {"offsets", API_TXN_OFFSET_COMMIT, E(NOT_COORDINATOR), ST_OK, ST_OK},
    {"offsets", API_TXN_OFFSET_COMMIT, E(COORDINATOR_LOAD_IN_PROGRESS), ST_OK, ST_OK},
    {"offsets", API_TXN_OFFSET_COMMIT, E(ILLEGAL_GENERATION), ST_ABORT, ST_OK},
    {"offsets", API_TXN_OFFSET_COMMIT, E(UNKNOWN_MEMBER_ID), ST_ABORT, ST_OK},
    {"offsets", API_TXN_OFFSET_COMMIT, E(REBALANCE_IN_PROGRESS), ST_ABORT, ST_OK},
    {"offsets", API_TXN_OFFSET_COMMIT, E(GROUP_AUTHORIZATION_FAILED), ST_ABORT, ST_OK},
    {"offsets", API_TXN_OFFSET_COMMIT, E(INVALID_PRODUCER_EPOCH), ST_LOST, ST_OK},
    {"end", API_END, E(CONCURRENT_TRANSACTIONS), ST_OK, ST_OK},
    {"end", API_END, E(COORDINATOR_NOT_AVAILABLE), ST_OK, ST_OK},
    {"end", API_END, E(NOT_COORDINATOR), ST_OK, ST_OK},
    {"end", API_END, E(INVALID_PRODUCER_ID_MAPPING), ST_ABORT, ST_OK},
    {"end", API_END, E(INVALID_PRODUCER_EPOCH), ST_LOST, ST_OK},
    {"end", API_END, E(PRODUCER_FENCED), ST_LOST, ST_OK},
    {"end", API_END, E(INVALID_TXN_STATE), ST_LOST, ST_OK},
    {"end", API_END, E(TRANSACTIONAL_ID_AUTHORIZATION_FAILED), ST_LOST, ST_OK},
};

static void expect(const char *what, rd_kafka_resp_err_t error, enum status got, enum status wanted,
    const struct error *err)
{
    if (got != wanted) {
        fail_msg("%s, %s: status %d instead of %d: %s", what, rd_kafka_err2name(error), (int)got,
            (int)wanted, got == ST_OK ? "no error" : err->text);
    }
    if (got != ST_OK) assert_non_null(strstr(err->text, "kafka: "));
}

static void an_epoch_is_done_abortable_or_lost_by_its_error(void **unused)
{
    (void)unused;
    struct stage s;
    struct kafka *old[ROWS(outcomes)] = {NULL};
    stage_open(&s, "exactly_once");
    for (size_t i = 0; i < ROWS(outcomes); i++) {
        const struct outcome *o = &outcomes[i];
        struct error err = {0};
        inject(o->api, o->error);
        enum status status = epoch(s.kafka, &err);
        expect(o->what, o->error, status, o->status, &err);
        if (status == ST_ABORT) {
            status = kafka_abort(s.kafka, &err);
            expect("aborting after", o->error, status, o->abort, &err);
        }
        rd_kafka_mock_clear_request_errors(broker.cluster, o->api);
        if (status == ST_LOST) stage_reopen(&s, &old[i]);
        expect("again after", o->error, epoch_again(s.kafka, &err), ST_OK, &err);
    }
    for (size_t i = 0; i < ROWS(outcomes); i++)
        kafka_close(old[i]);
    stage_release(&s);
}

/* Opening: init transactions. */
static void a_producer_waits_for_its_coordinator_or_says_why_it_cannot_be(void **unused)
{
    (void)unused;
    static const struct {
        rd_kafka_resp_err_t error;
        enum status status;
    } rows[] = {
        {E(NOT_COORDINATOR), ST_OK},
        {E(COORDINATOR_LOAD_IN_PROGRESS), ST_OK},
        {E(CONCURRENT_TRANSACTIONS), ST_OK},
        {E(INVALID_PRODUCER_EPOCH), ST_LOST},
        {E(PRODUCER_FENCED), ST_LOST},
        {E(TRANSACTIONAL_ID_AUTHORIZATION_FAILED), ST_RETRY},
        {E(CLUSTER_AUTHORIZATION_FAILED), ST_RETRY},
        {E(INVALID_TRANSACTION_TIMEOUT), ST_FATAL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct stage s;
        struct error err = {0};
        struct kafka_options options = stage_init(&s, "exactly_once");
        inject(API_INIT_PRODUCER, rows[i].error);
        enum status status = kafka_open(&s.kafka, &options, &err);
        expect("init producer id", rows[i].error, status, rows[i].status, &err);
        rd_kafka_mock_clear_request_errors(broker.cluster, API_INIT_PRODUCER);
        stage_release(&s);
    }
}

/* Whatever befalls a member, it comes to an assignment again, and what came before says how to treat the old one. */
static void a_member_comes_back_to_an_assignment(void **unused)
{
    (void)unused;
    static const struct {
        const char *what;
        int16_t api;
        rd_kafka_resp_err_t error;
        enum kafka_event before;
    } rows[] = {
        {"heartbeat", API_HEARTBEAT, E(REBALANCE_IN_PROGRESS), KAFKA_REVOKED},
        {"heartbeat", API_HEARTBEAT, E(UNKNOWN_MEMBER_ID), KAFKA_LOST},
    };
    struct stage s;
    stage_open(&s, "at_least_once");
    for (size_t i = 0; i < ROWS(rows); i++) {
        enum kafka_event before = KAFKA_NOTHING;
        start(s.kafka, RECORDS); /* nothing left to read: only the group has something to say */
        await(s.kafka, KAFKA_END, NULL);
        inject(rows[i].api, rows[i].error);
        await(s.kafka, KAFKA_ASSIGNED, &before);
        if (before != rows[i].before) {
            fail_msg("%s, %s: event %d instead of %d", rows[i].what,
                rd_kafka_err2name(rows[i].error), (int)before, (int)rows[i].before);
        }
    }
    start(s.kafka, 0);
    await(s.kafka, KAFKA_RECORD, NULL);
    stage_release(&s);
}

static void joining_goes_on_after_an_error(void **unused)
{
    (void)unused;
    static const struct {
        int16_t api;
        rd_kafka_resp_err_t error;
    } rows[] = {
        {API_JOIN, E(NOT_COORDINATOR)},
        {API_JOIN, E(UNKNOWN_MEMBER_ID)},
        {API_JOIN, E(GROUP_AUTHORIZATION_FAILED)},
        {API_SYNC, E(REBALANCE_IN_PROGRESS)},
        {API_HEARTBEAT, E(NOT_COORDINATOR)},
    };
    struct stage s;
    stage_open(&s, "at_least_once");
    for (size_t i = 0; i < ROWS(rows); i++)
        inject(rows[i].api, rows[i].error);
    start(s.kafka, 0);
    await(s.kafka, KAFKA_RECORD, NULL);
    for (size_t i = 0; i < ROWS(rows); i++)
        rd_kafka_mock_clear_request_errors(broker.cluster, rows[i].api);
    stage_release(&s);
}

static void fetching_goes_on_or_says_what_is_gone(void **unused)
{
    (void)unused;
    static const struct {
        rd_kafka_resp_err_t error;
        enum kafka_event event; /* that comes of it; then the records come */
    } rows[] = {
        {E(NOT_LEADER_FOR_PARTITION), KAFKA_RECORD},
        {E(REPLICA_NOT_AVAILABLE), KAFKA_RECORD},
        {E(UNKNOWN_TOPIC_OR_PART), KAFKA_RECORD},
        {E(TOPIC_AUTHORIZATION_FAILED), KAFKA_TROUBLE},
        {E(OFFSET_OUT_OF_RANGE), KAFKA_GONE},
    };
    struct stage s;
    stage_open(&s, "at_least_once");
    for (size_t i = 0; i < ROWS(rows); i++) {
        start(s.kafka, RECORDS);
        await(s.kafka, KAFKA_END, NULL);
        /* One may go to a request that is still under way for what is read no more. */
        for (int times = 0; times < 4; times++)
            inject(API_FETCH, rows[i].error);
        kafka_rewind(s.kafka);
        start(s.kafka, 0);
        await(s.kafka, rows[i].event, NULL);
        rd_kafka_mock_clear_request_errors(broker.cluster, API_FETCH);
        kafka_rewind(s.kafka);
        start(s.kafka, 0);
        await(s.kafka, KAFKA_RECORD, NULL);
        kafka_rewind(s.kafka);
    }
    stage_release(&s);
}

static enum status ask(struct kafka_observer *o, int16_t api, int64_t *answer, struct error *err)
{
    struct kafka_assigned seen = {.offset = -7};
    enum status status = api == API_OFFSET_FETCH
                             ? kafka_group_committed(o, "combine", "in", 1, &seen, err)
                             : kafka_offsets_at(o, "in", 1, NULL, KAFKA_AT_END, answer, err);
    if (api == API_OFFSET_FETCH) *answer = seen.offset;
    return status;
}

/* What passes may be waited for by librdkafka, or else by us; no answer is ever made up. */
static void a_question_is_answered_or_asked_again(void **unused)
{
    (void)unused;
    static const struct {
        const char *what;
        int16_t api;
        rd_kafka_resp_err_t error;
        bool refused;
        int64_t answer;
    } rows[] = {
        {"committed", API_OFFSET_FETCH, E(NOT_COORDINATOR), false, 2},
        {"committed", API_OFFSET_FETCH, E(COORDINATOR_LOAD_IN_PROGRESS), false, 2},
        {"committed", API_OFFSET_FETCH, E(GROUP_AUTHORIZATION_FAILED), true, 2},
        {"offsets", API_LIST_OFFSETS, E(NOT_LEADER_FOR_PARTITION), false, RECORDS},
        {"offsets", API_LIST_OFFSETS, E(LEADER_NOT_AVAILABLE), false, RECORDS},
        {"offsets", API_LIST_OFFSETS, E(TOPIC_AUTHORIZATION_FAILED), true, RECORDS},
    };
    struct stage s;
    struct error err = {0};
    struct kafka_observer *o;
    stage_open(&s, "at_least_once");
    start(s.kafka, 0);
    const struct kafka_position position = {0, 0, 2, "two"};
    assert_int_equal(kafka_commit(s.kafka, &position, 1, &err), ST_OK);
    if (kafka_observer_open(&o, &s.config, "one", &err) != ST_OK) fail_msg("%s", err.text);
    for (size_t i = 0; i < ROWS(rows); i++) {
        int64_t answer = -7, until_ns = clock_ns() + PATIENCE_S * NS_PER_S;
        inject(rows[i].api, rows[i].error);
        enum status status = ask(o, rows[i].api, &answer, &err);
        if (rows[i].refused) expect(rows[i].what, rows[i].error, status, ST_RETRY, &err);
        while (status == ST_RETRY && clock_ns() < until_ns)
            status = ask(o, rows[i].api, &answer, &err);
        expect(rows[i].what, rows[i].error, status, ST_OK, &err);
        assert_int_equal(answer, rows[i].answer);
        rd_kafka_mock_clear_request_errors(broker.cluster, rows[i].api);
    }
    kafka_observer_close(o);
    stage_release(&s);
}

/* A partition that has no answer, among others that have: the whole is asked again, none taken for new. */
static void one_partition_without_an_answer_is_no_answer(void **unused)
{
    (void)unused;
    struct stage s;
    struct error err = {0};
    struct kafka_observer *o;
    struct kafka_assigned seen[2];
    stage_init(&s, "at_least_once");
    if (kafka_observer_open(&o, &s.config, "one", &err) != ST_OK) fail_msg("%s", err.text);
    assert_int_equal(kafka_group_committed(o, "combine", "in", 1, seen, &err), ST_OK);
    assert_int_equal(kafka_group_committed(o, "combine", "in", 2, seen, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "combine"));
    kafka_observer_close(o);
    stage_release(&s);
}

static void offsets_that_the_group_refuses_abort_the_batch_of_at_least_once(void **unused)
{
    (void)unused;
    static const rd_kafka_resp_err_t errors[] = {
        E(ILLEGAL_GENERATION), E(UNKNOWN_MEMBER_ID), E(GROUP_AUTHORIZATION_FAILED)};
    struct stage s;
    stage_open(&s, "at_least_once");
    start(s.kafka, 0);
    for (size_t i = 0; i < ROWS(errors); i++) {
        struct error err = {0};
        inject(API_OFFSET_COMMIT, errors[i]);
        expect("commit", errors[i], epoch(s.kafka, &err), ST_ABORT, &err);
        rd_kafka_mock_clear_request_errors(broker.cluster, API_OFFSET_COMMIT);
        assert_int_equal(kafka_abort(s.kafka, &err), ST_OK);
    }
    stage_release(&s);
}

static void fill(void)
{
    struct error err;
    struct kafka_writer *writer = NULL;
    int32_t have;
    if (kafka_writer_open(&writer, broker.brokers, NULL, 0, &err) != ST_OK ||
        kafka_writer_topic(writer, "in", 1, NULL, 0, &have, &err) != ST_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < RECORDS; i++) {
        assert_int_equal(
            kafka_writer_send(writer, "in", 0, bytes_of(""), bytes_of("m"), 1000 + i, &err), ST_OK);
    }
    assert_int_equal(kafka_writer_flush(writer, 20 * NS_PER_S, &err), ST_OK);
    kafka_writer_close(writer);
}

static int open_broker(void **unused)
{
    (void)unused;
    log_open(LOG_ERROR, LOG_LOGFMT); /* what is provoked here is warned of */
    mock_broker_open(&broker);
    rd_kafka_mock_topic_create(broker.cluster, "in", 1, 1);
    rd_kafka_mock_topic_create(broker.cluster, "out", 1, 1);
    fill();
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
        cmocka_unit_test(an_epoch_is_done_abortable_or_lost_by_its_error),
        cmocka_unit_test(a_producer_waits_for_its_coordinator_or_says_why_it_cannot_be),
        cmocka_unit_test(a_member_comes_back_to_an_assignment),
        cmocka_unit_test(joining_goes_on_after_an_error),
        cmocka_unit_test(fetching_goes_on_or_says_what_is_gone),
        cmocka_unit_test(a_question_is_answered_or_asked_again),
        cmocka_unit_test(one_partition_without_an_answer_is_no_answer),
        cmocka_unit_test(offsets_that_the_group_refuses_abort_the_batch_of_at_least_once),
    };
    return cmocka_run_group_tests_name("kafka errors", tests, open_broker, close_broker);
}
