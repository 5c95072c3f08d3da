/*
 * What a worker finds beside offsets and in the plan log, written under another plan or by a newer weir,
 * is shown as a trouble before it ends the process; against librdkafka's mock cluster.
 */
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/kafka_writer.h"
#include "engine/metrics.h"
#include "engine/plan_log.h"
#include "engine/sources.h"
#include "engine/trouble.h"
#include "tests/support/mock_broker.h"
#include "tests/support/pipeline_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PATIENCE_S = 60, POLL_MS = 100 };

static struct mock_broker broker;

/* A worker that has one partition of its input and, where it is of a stage, of that one's topic. */
struct deployment {
    struct bench_plan bench;
    struct worker worker;
    uint32_t partitions;
    char spans[64];
    const char *topic[1];
};

static void deploy(struct deployment *d, const char *name)
{
    struct error err;
    char yaml[600];
    memset(d, 0, sizeof(*d));
    snprintf(d->spans, sizeof(d->spans), "%s-spans", name);
    snprintf(yaml, sizeof(yaml),
        "brokers: %s\nname: %s\ntopics: %s\nredis.prefix: %s\ndelivery: at_least_once\n",
        broker.brokers, name, d->spans, name);
    bench_plan_init(&d->bench, yaml);
    d->partitions = 1;
    d->worker.config = &d->bench.config;
    d->worker.plan = &d->bench.plan;
    d->worker.source_partitions = &d->partitions;
    snprintf(d->worker.instance, sizeof(d->worker.instance), "one");
    snprintf(d->worker.partials, sizeof(d->worker.partials), "%s.partials", name);
    rd_kafka_mock_topic_create(broker.cluster, d->spans, 1, 1);
    rd_kafka_mock_topic_create(broker.cluster, d->worker.partials, 1, 1);
    if (kafka_observer_open(&d->worker.observer, &d->bench.config, "one", &err) != ST_OK)
        fail_msg("%s", err.text);
}

static void dismiss(struct deployment *d)
{
    kafka_observer_close(d->worker.observer);
    bench_plan_release(&d->bench);
}

/* A member of the group of `stage` that has been told what is its own. */
static struct kafka *join(struct deployment *d, const char *stage, const char *topic)
{
    struct error err;
    struct kafka *kafka = NULL;
    struct kafka_record record;
    d->topic[0] = topic;
    struct kafka_options options = {.config = &d->bench.config,
        .instance = "one",
        .stage = stage,
        .topic = d->topic,
        .topics = 1,
        .produces = true,
        .keeps_order = true,
        .queue_kbytes = 1024};
    if (kafka_open(&kafka, &options, &err) != ST_OK) fail_msg("%s", err.text);
    int64_t until_ns = clock_ns() + PATIENCE_S * NS_PER_S;
    while (kafka_poll(kafka, POLL_MS, &record, &err) != KAFKA_ASSIGNED) {
        if (clock_ns() > until_ns) fail_msg("nothing was assigned");
    }
    return kafka;
}

static void commit(struct deployment *d, const char *stage, const char *topic, const char *metadata)
{
    struct error err;
    struct kafka_assigned *assigned;
    size_t count;
    const struct kafka_position position = {0, 0, 3, metadata};
    struct kafka *kafka = join(d, stage, topic);
    if (kafka_assigned(kafka, &assigned, &count, &err) != ST_OK ||
        kafka_start(kafka, &err) != ST_OK || kafka_begin(kafka, &err) != ST_OK ||
        kafka_commit(kafka, &position, 1, &err) != ST_OK)
        fail_msg("%s", err.text);
    kafka_close(kafka);
}

static void assert_shown(enum trouble trouble, const char *where)
{
    char line[200];
    struct buffer out = {0};
    ready_print(&out);
    buffer_append(&out, "", 1);
    snprintf(line, sizeof(line), "state: %s: %s: ", trouble_kinds[trouble].state, where);
    assert_non_null(strstr((const char *)out.data, line));
    buffer_release(&out);
    trouble_end(trouble, where);
}

static void assert_sources_refused(
    const char *name, const char *metadata, enum trouble trouble, const char *says)
{
    struct deployment d;
    struct sources sources;
    struct error err;
    char where[80];
    deploy(&d, name);
    commit(&d, "combine", d.spans, metadata);
    struct kafka *kafka = join(&d, "combine", d.spans);
    sources_init(&sources, &d.worker);
    assert_int_equal(sources_assign(&sources, kafka, &err), ST_FATAL);
    assert_non_null(strstr(err.text, says));
    snprintf(where, sizeof(where), "%s/0", d.spans);
    assert_shown(trouble, where);
    sources_release(&sources);
    kafka_close(kafka);
    dismiss(&d);
}

static void an_input_offset_of_a_newer_weir_is_a_trouble(void **unused)
{
    (void)unused;
    assert_sources_refused("newer", "weir2 clock 5 6 0 1", TROUBLE_VERSION, "weir2 clock");
}

static void an_input_offset_of_another_plan_is_a_trouble(void **unused)
{
    (void)unused;
    assert_sources_refused(
        "other", "weir1 clock 5 6 0 1 0000000000001234", TROUBLE_PLAN, "plan 0000000000001234");
}

static void a_partials_offset_of_a_newer_weir_is_a_trouble(void **unused)
{
    (void)unused;
    struct deployment d;
    deploy(&d, "later");
    commit(&d, "aggregate", d.worker.partials, "weir2 aggregate 1");
    struct stage_thread thread = {.worker = &d.worker};
    aggregate_stage(&thread);
    assert_true(d.worker.failed);
    assert_non_null(strstr(d.worker.failure.text, "weir2 aggregate"));
    assert_shown(TROUBLE_VERSION, "later.partials/0");
    dismiss(&d);
}

static void first_plan_of(const char *topic, uint64_t plan)
{
    struct error err;
    struct buffer record = {0};
    struct kafka_writer *writer = NULL;
    int32_t there;
    const struct plan_entry entry = {.plan = plan,
        .text = bytes_of("pane: 7s\n"),
        .partitions = 4,
        .topic = {bytes_of("taken-spans")},
        .topics = 1};
    plan_entry_encode(&entry, &record);
    if (kafka_writer_open(&writer, broker.brokers, NULL, 0, &err) != ST_OK ||
        kafka_writer_topic(writer, topic, 1, NULL, 0, &there, &err) != ST_OK ||
        kafka_writer_send(writer, topic, 0, bytes_of(""), buffer_bytes(&record), 1, &err) !=
            ST_OK ||
        kafka_writer_flush(writer, 20 * NS_PER_S, &err) != ST_OK)
        fail_msg("%s", err.text);
    kafka_writer_close(writer);
    buffer_release(&record);
}

static void a_name_that_runs_under_another_plan_is_a_trouble(void **unused)
{
    (void)unused;
    struct deployment d;
    struct plan_log log;
    struct error err;
    deploy(&d, "taken");
    rd_kafka_mock_topic_create(broker.cluster, "taken.plan", 1, 1);
    first_plan_of("taken.plan", 0x1234);
    assert_int_equal(plan_log_share(&log, d.worker.observer, d.worker.plan, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "- pane: 7s\n"));
    assert_non_null(strstr(err.text, "...\nGive this one another `name`, or go over to it by `weir "
                                     "plan apply`."));
    assert_shown(TROUBLE_PLAN, "taken.plan");
    plan_log_release(&log);
    dismiss(&d);
}

static int open_broker(void **unused)
{
    (void)unused;
    log_open(LOG_ERROR, LOG_LOGFMT);
    mock_broker_open(&broker);
    trouble_open();
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
        cmocka_unit_test(an_input_offset_of_a_newer_weir_is_a_trouble),
        cmocka_unit_test(an_input_offset_of_another_plan_is_a_trouble),
        cmocka_unit_test(a_partials_offset_of_a_newer_weir_is_a_trouble),
        cmocka_unit_test(a_name_that_runs_under_another_plan_is_a_trouble),
    };
    return cmocka_run_group_tests(tests, open_broker, close_broker);
}
