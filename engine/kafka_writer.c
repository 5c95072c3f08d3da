/*
 * A plain idempotent producer: settings, topics, back-pressure and what became of each message.
 */
#include "engine/kafka_writer.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/base/secret.h"
#include "engine/kafka_refusal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

enum {
    METADATA_TIMEOUT_MS = 5000, /* how long a broker may take to answer the first question */
    CREATED_TIMEOUT_MS = 30000, /* how long a new topic may take to have its leaders */
    FULL_MS_MAX = 1000,         /* how long one call waits for room in the queue */
    TEXT_BYTES = 256,
    TROUBLE_BYTES = 700,
};

struct kafka_writer {
    rd_kafka_t *kafka;
    char *brokers;
    rd_kafka_topic_t *topic[KAFKA_WRITER_TOPICS_MAX]; /* held, so that metadata stays fresh */
    size_t topics;
    struct kafka_writer_counts counts;
    bool has_controller;         /* that makes topics */
    struct error first;          /* the first delivery that failed; ST_OK: none */
    char trouble[TROUBLE_BYTES]; /* librdkafka's newest complaint about its connections */
};

/* Values are compressed by lz4: it costs the generator least, and every client reads it. */
static const struct kafka_setting usual[] = {
    {"client.id", "weir"},
    {"enable.idempotence", "true"},
    {"compression.codec", "lz4"},
    {"linger.ms", "20"},
    {"socket.nagle.disable", "true"},
    {"message.timeout.ms", "60000"},
    {"message.max.bytes", "68157440"}, /* KAFKA_WRITER_MESSAGE_BYTES_MAX and what goes around it */
    {"queue.buffering.max.kbytes", "131072"},
    {"queue.buffering.max.messages", "100000"},
};

static void on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    (void)kafka;
    (void)level;
    log_debug("kafka", facility, "text=%s", text);
}

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    (void)kafka;
    struct kafka_writer *writer = opaque;
    struct kafka_refusal refusal = kafka_refusal_of_error(code, reason);
    if (refusal.reason != NULL) {
        snprintf(writer->trouble, sizeof(writer->trouble), "%s: %s", refusal.what, refusal.todo);
        return;
    }
    snprintf(writer->trouble, sizeof(writer->trouble), "%s", reason);
}

/* What to tell a person of the first message that was given up. */
static void delivery_failed(struct kafka_writer *writer, const rd_kafka_message_t *message)
{
    const char *topic = rd_kafka_topic_name(message->rkt);
    if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        error_set(&writer->first, ST_FATAL, (int)message->err,
            "kafka: the broker refuses a message of %zu bytes for topic '%s'. Raise the topic's "
            "max.message.bytes, which is 1 MB unless set: kafka-configs.sh --bootstrap-server %s "
            "--alter --entity-type topics --entity-name %s --add-config max.message.bytes=%d",
            message->len, topic, writer->brokers, topic, KAFKA_WRITER_MESSAGE_BYTES_MAX);
        return;
    }
    kafka_refusal_answer(message->err, topic);
    error_set(&writer->first, ST_FATAL, (int)message->err,
        "kafka: a message to topic '%s' partition %d could not be delivered: %s%s%s", topic,
        (int)message->partition, rd_kafka_err2str(message->err),
        writer->trouble[0] == '\0' ? "" : "; last complaint: ", writer->trouble);
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    (void)kafka;
    struct kafka_writer *writer = opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        writer->counts.sent++;
        writer->counts.bytes += message->len;
        return;
    }
    writer->counts.failed++;
    if (writer->first.status == ST_OK) delivery_failed(writer, message);
}

static enum status conf_set(
    rd_kafka_conf_t *conf, const struct kafka_setting *setting, size_t settings, struct error *err)
{
    char why[TEXT_BYTES];
    for (size_t i = 0; i < settings; i++) {
        rd_kafka_conf_res_t res =
            rd_kafka_conf_set(conf, setting[i].key, setting[i].value, why, sizeof(why));
        if (res != RD_KAFKA_CONF_OK) {
            bool hidden = secret_is_key(setting[i].key);
            return error_set(err, ST_FATAL, 0, "kafka: %s=%s is refused: %s", setting[i].key,
                hidden ? "***" : setting[i].value, hidden ? "its value will not do" : why);
        }
    }
    return ST_OK;
}

static enum status writer_configure(rd_kafka_conf_t *conf, const char *brokers,
    const struct kafka_setting *setting, size_t settings, struct error *err)
{
    const struct kafka_setting where = {"bootstrap.servers", brokers};
    enum status status = conf_set(conf, usual, sizeof(usual) / sizeof(usual[0]), err);
    if (status == ST_OK) status = conf_set(conf, &where, 1, err);
    if (status == ST_OK) status = conf_set(conf, setting, settings, err);
    return status;
}

enum status kafka_writer_open(struct kafka_writer **out, const char *brokers,
    const struct kafka_setting *setting, size_t settings, struct error *err)
{
    char why[TEXT_BYTES];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status status = writer_configure(conf, brokers, setting, settings, err);
    if (status != ST_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    struct kafka_writer *writer = memory_zeroed(1, sizeof(*writer));
    rd_kafka_conf_set_opaque(conf, writer);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_ssl_cert_verify_cb(conf, kafka_refusal_verify);
    struct config about = {.name = "",
        .brokers = brokers,
        .kafka = (struct kafka_setting *)(uintptr_t)setting,
        .kafka_settings = settings};
    kafka_refusal_about(&about, "--operation Write --operation Create");
    writer->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (writer->kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        free(writer);
        return error_set(err, ST_FATAL, 0, "kafka: cannot make a producer: %s", why);
    }
    writer->brokers = memory_text(brokers, strlen(brokers));
    *out = writer;
    return ST_OK;
}

static enum status no_answer(
    struct kafka_writer *writer, rd_kafka_resp_err_t code, struct error *err)
{
    rd_kafka_poll(writer->kafka, 0); /* brings the newest complaint */
    return error_set(err, ST_FATAL, (int)code, "kafka: no broker answers at %s: %s",
        writer->brokers, writer->trouble[0] == '\0' ? rd_kafka_err2str(code) : writer->trouble);
}

/*
 * Whether the cluster's controller is one of its brokers. The embedded broker names one that is
 * not, and requests to it would wait for ever: it makes topics when they are asked for.
 */
static bool controller_answers(
    const struct kafka_writer *writer, const struct rd_kafka_metadata *metadata)
{
    int32_t controller = rd_kafka_controllerid(writer->kafka, 0);
    for (int i = 0; i < metadata->broker_cnt; i++) {
        if (metadata->brokers[i].id == controller) return true;
    }
    return false;
}

/*
 * How many partitions of `topic` have a leader, if all have; else 0. `topic` NULL asks for the
 * whole cluster: naming a topic would make some brokers create it, with settings that nobody chose.
 */
static enum status topic_look(struct kafka_writer *writer, const char *name,
    rd_kafka_topic_t *topic, int32_t *partitions, struct error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(writer->kafka, topic == NULL, topic, &metadata, METADATA_TIMEOUT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return no_answer(writer, code, err);

    writer->has_controller = controller_answers(writer, metadata);
    *partitions = 0;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *found = &metadata->topics[i];
        if (strcmp(found->topic, name) != 0 || found->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        *partitions = found->partition_cnt;
        for (int p = 0; p < found->partition_cnt; p++) {
            if (found->partitions[p].leader < 0) *partitions = 0;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return ST_OK;
}

/* Ask the controller for the topic; the answer is an event that holds one result. */
static rd_kafka_resp_err_t topic_ask(
    struct kafka_writer *writer, rd_kafka_NewTopic_t *topic, char *why, size_t why_bytes)
{
    rd_kafka_queue_t *answers = rd_kafka_queue_new(writer->kafka);
    rd_kafka_CreateTopics(writer->kafka, &topic, 1, NULL, answers);
    rd_kafka_event_t *event = rd_kafka_queue_poll(answers, CREATED_TIMEOUT_MS);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    snprintf(why, why_bytes, "no answer");

    if (event != NULL) {
        code = rd_kafka_event_error(event);
        snprintf(why, why_bytes, "%s", rd_kafka_event_error_string(event));
        size_t count = 0;
        const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
        const rd_kafka_topic_result_t **each =
            result == NULL ? NULL : rd_kafka_CreateTopics_result_topics(result, &count);
        if (count == 1) {
            code = rd_kafka_topic_result_error(each[0]);
            const char *text = rd_kafka_topic_result_error_string(each[0]);
            snprintf(why, why_bytes, "%s", text == NULL ? rd_kafka_err2str(code) : text);
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answers);
    return code;
}

static rd_kafka_resp_err_t topic_describe(
    rd_kafka_NewTopic_t *topic, const struct kafka_setting *setting, size_t settings)
{
    char large[16];
    snprintf(large, sizeof(large), "%d", KAFKA_WRITER_MESSAGE_BYTES_MAX);
    bool sized = false;
    for (size_t i = 0; i < settings; i++) {
        rd_kafka_resp_err_t code =
            rd_kafka_NewTopic_set_config(topic, setting[i].key, setting[i].value);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
        sized = sized || strcmp(setting[i].key, "max.message.bytes") == 0;
    }
    if (sized) return RD_KAFKA_RESP_ERR_NO_ERROR;
    return rd_kafka_NewTopic_set_config(topic, "max.message.bytes", large);
}

static enum status topic_create(struct kafka_writer *writer, const char *name, int32_t partitions,
    const struct kafka_setting *setting, size_t settings, struct error *err)
{
    char why[TEXT_BYTES];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, -1, why, sizeof(why));
    if (topic == NULL) {
        return error_set(err, ST_FATAL, 0, "kafka: topic '%s' with %d partitions cannot be: %s",
            name, (int)partitions, why);
    }
    rd_kafka_resp_err_t code = topic_describe(topic, setting, settings);
    snprintf(why, sizeof(why), "%s", rd_kafka_err2str(code));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = topic_ask(writer, topic, why, sizeof(why));
    rd_kafka_NewTopic_destroy(topic);

    if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return ST_OK; /* someone was faster */
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    kafka_refusal_answer(code, name);
    return error_set(
        err, ST_FATAL, (int)code, "kafka: topic '%s' cannot be created: %s", name, why);
}

/* Keep the topic's handle; NULL: `err` says why. */
static rd_kafka_topic_t *topic_hold(
    struct kafka_writer *writer, const char *name, struct error *err)
{
    for (size_t i = 0; i < writer->topics; i++) {
        if (strcmp(rd_kafka_topic_name(writer->topic[i]), name) == 0) return writer->topic[i];
    }
    if (writer->topics == KAFKA_WRITER_TOPICS_MAX) {
        error_set(err, ST_FATAL, 0, "kafka: topic '%s' is one too many, want at most %d", name,
            KAFKA_WRITER_TOPICS_MAX);
        return NULL;
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(writer->kafka, name, NULL);
    if (topic != NULL) return writer->topic[writer->topics++] = topic;
    rd_kafka_resp_err_t code = rd_kafka_last_error();
    error_set(err, ST_FATAL, (int)code, "kafka: topic '%s' cannot be used: %s", name,
        rd_kafka_err2str(code));
    return NULL;
}

static enum status topic_await(struct kafka_writer *writer, const char *name,
    rd_kafka_topic_t *topic, int32_t *have, struct error *err)
{
    int64_t deadline_ns = clock_ns() + CREATED_TIMEOUT_MS * NS_PER_MS;
    while (clock_ns() < deadline_ns) {
        enum status status = topic_look(writer, name, topic, have, err);
        if (status != ST_OK || *have > 0) return status;
        rd_kafka_poll(writer->kafka, 50);
    }
    return error_set(err, ST_FATAL, 0,
        "kafka: topic '%s' has partitions without a leader for %d s now. Are all brokers up?", name,
        CREATED_TIMEOUT_MS / 1000);
}

enum status kafka_writer_topic(struct kafka_writer *writer, const char *topic, int32_t partitions,
    const struct kafka_setting *setting, size_t settings, int32_t *have, struct error *err)
{
    int32_t found = 0;
    enum status status = topic_look(writer, topic, NULL, &found, err);
    if (status == ST_OK && found == 0 && writer->has_controller) {
        status = topic_create(writer, topic, partitions, setting, settings, err);
    }
    if (status != ST_OK) return status;

    rd_kafka_topic_t *held = topic_hold(writer, topic, err);
    if (held == NULL) return err->status;
    status = topic_await(writer, topic, held, &found, err);
    if (status == ST_OK) *have = found;
    return status;
}

static rd_kafka_resp_err_t writer_queue(struct kafka_writer *writer, const char *topic,
    int32_t partition, struct bytes key, struct bytes value, int64_t timestamp_ms)
{
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key.data, key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.data, value.size}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = timestamp_ms},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    rd_kafka_error_t *failure =
        rd_kafka_produceva(writer->kafka, parts, sizeof(parts) / sizeof(parts[0]));
    if (failure == NULL) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    rd_kafka_error_destroy(failure);
    return code;
}

/*
 * A topic that is there, but not yet for the broker that was asked last. librdkafka believes that one
 * for minutes, unless it is asked again.
 */
static bool is_new(struct kafka_writer *writer, const char *name, rd_kafka_resp_err_t code)
{
    if (code != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC && code != RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
        return false;
    int32_t partitions = 0;
    struct error err;
    for (size_t i = 0; i < writer->topics; i++) {
        if (strcmp(rd_kafka_topic_name(writer->topic[i]), name) != 0) continue;
        return topic_look(writer, name, writer->topic[i], &partitions, &err) == ST_OK;
    }
    return false; /* nobody has looked for it */
}

static enum status writer_gave_up(const struct kafka_writer *writer, struct error *err)
{
    *err = writer->first;
    return writer->first.status;
}

enum status kafka_writer_send(struct kafka_writer *writer, const char *topic, int32_t partition,
    struct bytes key, struct bytes value, int64_t timestamp_ms, struct error *err)
{
    if (value.size > KAFKA_WRITER_MESSAGE_BYTES_MAX) {
        return error_set(err, ST_FATAL, 0,
            "kafka: a message of %zu bytes is too large to send, want at most %d", value.size,
            KAFKA_WRITER_MESSAGE_BYTES_MAX);
    }
    int64_t deadline_ns = 0;
    for (;;) {
        rd_kafka_poll(writer->kafka, 0);
        if (writer->first.status != ST_OK) return writer_gave_up(writer, err);
        rd_kafka_resp_err_t code = writer_queue(writer, topic, partition, key, value, timestamp_ms);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
        bool full = code == RD_KAFKA_RESP_ERR__QUEUE_FULL;
        bool late = deadline_ns != 0 && clock_ns() >= deadline_ns;
        if (!full && (late || !is_new(writer, topic, code))) {
            return error_set(err, ST_FATAL, (int)code,
                "kafka: cannot send %zu bytes to topic '%s' partition %d: %s", value.size, topic,
                (int)partition, rd_kafka_err2str(code));
        }
        if (deadline_ns == 0)
            deadline_ns = clock_ns() + (full ? FULL_MS_MAX : CREATED_TIMEOUT_MS) * NS_PER_MS;
        if (full && late) {
            return error_set(err, ST_RETRY, (int)code, "kafka: the queue to %s is full: %s",
                writer->brokers, writer->trouble);
        }
        rd_kafka_poll(writer->kafka, 20);
    }
}

enum status kafka_writer_flush(struct kafka_writer *writer, int64_t timeout_ns, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(writer->kafka, (int)(timeout_ns / NS_PER_MS));
    if (writer->first.status != ST_OK) return writer_gave_up(writer, err);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return error_set(err, ST_RETRY, (int)code,
        "kafka: %d messages are still on their way to %s%s%s", rd_kafka_outq_len(writer->kafka),
        writer->brokers, writer->trouble[0] == '\0' ? "" : ": ", writer->trouble);
}

struct kafka_writer_counts kafka_writer_counts(const struct kafka_writer *writer)
{
    return writer->counts;
}

void kafka_writer_close(struct kafka_writer *writer)
{
    if (writer == NULL) return;
    rd_kafka_purge(writer->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(writer->kafka, 0);
    for (size_t i = 0; i < writer->topics; i++) {
        rd_kafka_topic_destroy(writer->topic[i]);
    }
    rd_kafka_destroy(writer->kafka);
    free(writer->brokers);
    free(writer);
}
