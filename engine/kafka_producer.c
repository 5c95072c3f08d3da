/* The producing half of a stage's place in Kafka: transactions that carry the consumer's offsets. */
#include "engine/base/clock.h"
#include "engine/base/failpoint.h"
#include "engine/base/memory.h"
#include "engine/kafka_conf.h"
#include "engine/kafka_refusal.h"
#include "engine/kafka_setting.h"
#include "engine/kafka_state.h"

#include <assert.h>
#include <stdio.h>

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct kafka *k = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_refusal_answer(message->err, rd_kafka_topic_name(message->rkt));
        k->fenced = k->fenced || kafka_is_fenced((int)message->err);
        if (k->options.aside != NULL &&
            strcmp(rd_kafka_topic_name(message->rkt), k->options.aside) == 0)
            k->aside_undelivered++;
        if (k->undelivered++ == 0) {
            snprintf(k->failure, sizeof(k->failure), "%s, partition %d: %s",
                rd_kafka_topic_name(message->rkt), message->partition,
                rd_kafka_err2str(message->err));
        }
        return;
    }
    if (message->_private != NULL) *(int64_t *)message->_private = message->offset;
}

static const struct kafka_setting usual[] = {
    {"linger.ms", "5"},
    {"request.timeout.ms", "8000"},
    {"compression.codec", "lz4"},
    {"queue.buffering.max.kbytes", "262144"},
    {"message.max.bytes", KAFKA_OWN_MESSAGE_BYTES},
    {NULL, NULL},
};

enum status kafka_open_producer(struct kafka *k, struct error *err)
{
    rd_kafka_conf_t *conf = kafka_conf(k->options.config, k->client_id, usual, err);
    if (conf == NULL) return ST_FATAL;
    char id[300], why[256];
    kafka_conf_set(conf, "enable.idempotence", "true");
    if (k->transactional) {
        snprintf(id, sizeof(id), "%s-%s-%s-%u", k->options.config->name, k->options.stage,
            k->options.instance, k->options.thread);
        kafka_conf_set(conf, "transactional.id", id);
        kafka_conf_set(conf, "transaction.timeout.ms", "10000");
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, k);
    k->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (k->producer == NULL) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ST_FATAL, 0, "kafka: cannot make a producer: %s", why);
    }
    if (!k->transactional) return ST_OK;
    enum status status = kafka_status(
        rd_kafka_init_transactions(k->producer, KAFKA_ANSWER_MS), "initialise transactions", err);
    /* What is denied may be granted later: the caller opens anew. */
    if (status != ST_OK && kafka_refusal_answer(err->code, "")) return ST_RETRY;
    /* A new handle helps who was fenced; what else is fatal here is so again. */
    if (status == ST_LOST && !kafka_is_fenced(err->code)) status = err->status = ST_FATAL;
    return status == ST_ABORT ? ST_RETRY : status;
}

void kafka_close_producer(struct kafka *k)
{
    if (k->producer == NULL) return;
    rd_kafka_purge(k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(k->producer, 1000);
    rd_kafka_destroy(k->producer);
    k->producer = NULL;
}

enum status kafka_begin(struct kafka *k, struct error *err)
{
    assert(!k->in_transaction);
    k->undelivered = k->aside_undelivered = k->aside_sent = 0;
    k->fenced = k->commit_asked = false;
    if (k->transactional) {
        enum status status =
            kafka_status(rd_kafka_begin_transaction(k->producer), "begin a transaction", err);
        if (status != ST_OK) return status;
    }
    k->in_transaction = true;
    failpoint(k->options.stage, "begun");
    return ST_OK;
}

static rd_kafka_resp_err_t produce(struct kafka *k, const char *topic, int32_t partition,
    struct bytes key, struct bytes value, int64_t *offset)
{
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key.data, key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.data, value.size}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = offset},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    rd_kafka_error_t *failure =
        rd_kafka_produceva(k->producer, parts, sizeof(parts) / sizeof(parts[0]));
    if (failure == NULL) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    rd_kafka_error_destroy(failure);
    return code;
}

enum status kafka_send(struct kafka *k, const char *topic, int32_t partition, struct bytes key,
    struct bytes value, int64_t *offset, struct error *err)
{
    int64_t deadline_ns = clock_ns() + KAFKA_ANSWER_MS * NS_PER_MS;
    for (;;) {
        rd_kafka_resp_err_t code = produce(k, topic, partition, key, value, offset);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || clock_ns() > deadline_ns) {
            return error_set(err, ST_ABORT, (int)code, "kafka: cannot send to %s, partition %d: %s",
                topic, partition, rd_kafka_err2str(code));
        }
        rd_kafka_poll(k->producer, 10);
    }
}

static rd_kafka_resp_err_t produce_aside(struct kafka *k, struct bytes key, struct bytes value,
    const struct kafka_header *header, size_t headers)
{
    rd_kafka_vu_t parts[5 + KAFKA_HEADERS_MAX] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = k->options.aside},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = RD_KAFKA_PARTITION_UA},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key.data, key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.data, value.size}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    assert(headers <= KAFKA_HEADERS_MAX);
    for (size_t h = 0; h < headers; h++) {
        const struct bytes *text = &header[h].value;
        parts[5 + h].vtype = RD_KAFKA_VTYPE_HEADER;
        parts[5 + h].u.header.name = header[h].name;
        parts[5 + h].u.header.val = text->data;
        parts[5 + h].u.header.size = text->data == NULL ? -1 : (ssize_t)text->size;
    }
    rd_kafka_error_t *failure = rd_kafka_produceva(k->producer, parts, 5 + headers);
    if (failure == NULL) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    rd_kafka_error_destroy(failure);
    return code;
}

enum status kafka_send_aside(struct kafka *k, struct bytes key, struct bytes value,
    const struct kafka_header *header, size_t headers, struct error *err)
{
    int64_t deadline_ns = clock_ns() + KAFKA_ASIDE_MS * NS_PER_MS;
    rd_kafka_resp_err_t code = produce_aside(k, key, value, header, headers);
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && clock_ns() < deadline_ns) {
        rd_kafka_poll(k->producer, 10);
        code = produce_aside(k, key, value, header, headers);
    }
    k->aside_sent += code == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    bool large = code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    return error_set(err, large ? ST_SKIP : ST_RETRY, (int)code, "kafka: cannot send to %s: %s",
        k->options.aside, rd_kafka_err2str(code));
}

/*
 * A topic that is not there, or that we may not write to, fails the transaction as a whole: before
 * anything is sent, naming no topic, and with the records of all others.
 */
static bool is_of_a_topic(int code)
{
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR_OPERATION_NOT_ATTEMPTED || code == RD_KAFKA_RESP_ERR__STATE;
}

bool kafka_aside_failed(struct kafka *k, const struct error *err)
{
    if (k->aside_sent == 0) return false;
    if (is_of_a_topic(err->code)) return true;
    int64_t deadline_ns = clock_ns() + KAFKA_ASIDE_MS * NS_PER_MS;
    while (k->undelivered == 0 && clock_ns() < deadline_ns)
        rd_kafka_poll(k->producer, 10); /* what failed is told after that something did */
    return k->undelivered != 0 && k->undelivered == k->aside_undelivered;
}

enum status kafka_flush(struct kafka *k, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(k->producer, KAFKA_ANSWER_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        /* What is reported later would be written where the caller no longer looks. */
        rd_kafka_purge(k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(k->producer, 1000);
        return error_set(err, ST_ABORT, (int)code, "kafka: records not delivered within %d s",
            KAFKA_ANSWER_MS / 1000);
    }
    if (k->undelivered == 0) return ST_OK;
    return error_set(err, ST_ABORT, 0, "kafka: %llu records not delivered, the first to %s",
        (unsigned long long)k->undelivered, k->failure);
}

static rd_kafka_topic_partition_list_t *positions(
    const struct kafka *k, const struct kafka_position *position, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *to = rd_kafka_topic_partition_list_add(
            list, k->options.topic[position[i].topic], position[i].partition);
        to->offset = position[i].offset;
        if (position[i].metadata == NULL) continue;
        to->metadata_size = strlen(position[i].metadata);
        to->metadata = memory_text(position[i].metadata, to->metadata_size);
    }
    return list;
}

static enum status commit_transaction(
    struct kafka *k, rd_kafka_topic_partition_list_t *list, struct error *err)
{
    enum status status;
    int64_t deadline_ns = clock_ns() + KAFKA_ANSWER_MS * NS_PER_MS;
    do {
        rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(k->consumer);
        status = kafka_status(
            rd_kafka_send_offsets_to_transaction(k->producer, list, group, KAFKA_ANSWER_MS),
            "send offsets to the transaction", err);
        rd_kafka_consumer_group_metadata_destroy(group);
    } while (status == ST_RETRY && clock_ns() < deadline_ns);
    if (status != ST_OK) kafka_refusal_answer(err->code, "");
    if (status != ST_OK) return status == ST_RETRY ? ST_ABORT : status;
    if (failpoint(k->options.stage, "offsets"))
        return error_set(err, ST_ABORT, 0, "kafka: the transaction was refused by a failpoint");
    k->commit_asked = true;
    do {
        status = kafka_status(rd_kafka_commit_transaction(k->producer, KAFKA_ANSWER_MS),
            "commit the transaction", err);
    } while (status == ST_RETRY && clock_ns() < deadline_ns);
    return status == ST_RETRY ? ST_LOST : status;
}

/* Without transactions: what was sent is there before the offsets say so. */
static enum status commit_after_flush(
    struct kafka *k, rd_kafka_topic_partition_list_t *list, struct error *err)
{
    enum status status = k->producer == NULL ? ST_OK : kafka_flush(k, err);
    if (status != ST_OK || list->cnt == 0) return status;
    failpoint(k->options.stage, "offsets");
    rd_kafka_resp_err_t code = rd_kafka_commit(k->consumer, list, 0);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return error_set(err, ST_ABORT, (int)code, "kafka: cannot commit offsets of group %s: %s",
        k->group, rd_kafka_err2str(code));
}

enum status kafka_commit(
    struct kafka *k, const struct kafka_position *position, size_t count, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = positions(k, position, count);
    failpoint(k->options.stage, "sent");
    enum status status =
        k->transactional ? commit_transaction(k, list, err) : commit_after_flush(k, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    if (status != ST_OK) return status;
    k->in_transaction = false;
    failpoint(k->options.stage, "committed");
    return ST_OK;
}

/*
 * A producer whose records were not answered for may have them under way still, and librdkafka may
 * raise its epoch at a time of its own: were that in the next transaction, its first records were lost
 * without a word. So it is given up. A new one with the same id ends what the old one left open. What it
 * had been asked to commit is then committed or not, and nobody says which.
 */
static enum status renew_producer(struct kafka *k, struct error *err)
{
    kafka_close_producer(k);
    enum status status = kafka_open_producer(k, err);
    if (status != ST_OK) kafka_close_producer(k);
    if (status != ST_OK || !k->commit_asked) return status;
    k->commit_asked = false;
    return error_set(err, ST_ABORT, 0,
        "kafka: whether the transaction was committed is not known: going back to what is");
}

static enum status abort_transaction(struct kafka *k, struct error *err)
{
    enum status status;
    int64_t deadline_ns = clock_ns() + KAFKA_ANSWER_MS * NS_PER_MS;
    do {
        status = kafka_status(
            rd_kafka_abort_transaction(k->producer, KAFKA_ANSWER_MS), "abort the transaction", err);
    } while (status == ST_RETRY && clock_ns() < deadline_ns);
    return status;
}

enum status kafka_abort(struct kafka *k, struct error *err)
{
    if (k->options.produces && k->producer == NULL) return renew_producer(k, err);
    if (!k->in_transaction) return ST_OK;
    k->in_transaction = false;
    if (!k->transactional) {
        rd_kafka_purge(k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(k->producer, 1000);
        return ST_OK;
    }
    rd_kafka_flush(
        k->producer, KAFKA_ANSWER_MS); /* aborting right after producing can be fatal otherwise */
    char why[256];
    bool ours = !k->fenced && rd_kafka_fatal_error(k->producer, why, sizeof(why)) == 0;
    if (ours && k->undelivered > 0) return renew_producer(k, err);
    enum status status = abort_transaction(k, err);
    if (status == ST_OK || status == ST_LOST) return status;
    return renew_producer(k, err);
}
