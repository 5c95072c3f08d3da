#include "engine/kafka.h"

#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/kafka_conf.h"
#include "engine/kafka_refusal.h"
#include "engine/kafka_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code,
    rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct kafka *k = opaque;
    if (k->closing) {
        rd_kafka_assign(consumer, NULL); /* nobody asks for an event any more */
    } else if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        if (k->partitions != NULL) rd_kafka_topic_partition_list_destroy(k->partitions);
        k->partitions = rd_kafka_topic_partition_list_copy(partitions);
        k->pending = PENDING_ASSIGN;
    } else {
        k->pending = rd_kafka_assignment_lost(consumer) ? PENDING_LOST : PENDING_REVOKE;
    }
}

static enum status open_consumer(struct kafka *k, struct error *err)
{
    char kbytes[16], why[256];
    snprintf(kbytes, sizeof(kbytes), "%u", k->options.queue_kbytes);
    const struct kafka_setting usual[] = {
        {"heartbeat.interval.ms", "1000"},
        {"fetch.wait.max.ms", "50"},
        {"fetch.error.backoff.ms", "50"},
        {"queued.min.messages", "1000000"},
        /* A larger answer than this is never taken, and its partition would stand for ever. */
        {"receive.message.max.bytes", "1000000000"},
        {"queued.max.messages.kbytes", kbytes},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf = kafka_conf(k->options.config, k->client_id, usual, err);
    if (conf == NULL) return ST_FATAL;
    kafka_conf_set(conf, "group.id", k->group);
    kafka_conf_set(conf, "enable.auto.commit", "false");
    kafka_conf_set(conf, "enable.auto.offset.store", "false");
    kafka_conf_set(conf, "isolation.level", "read_committed");
    kafka_conf_set(conf, "auto.offset.reset", "error");
    kafka_conf_set(conf, "enable.partition.eof", "true");
    kafka_conf_set(conf, "session.timeout.ms", "10000");
    kafka_conf_set(
        conf, "partition.assignment.strategy", k->options.keeps_order ? "range" : "roundrobin");
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, k);
    k->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (k->consumer == NULL) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ST_FATAL, 0, "kafka: cannot make a consumer: %s", why);
    }
    rd_kafka_poll_set_consumer(k->consumer);
    return ST_OK;
}

static enum status subscribe(struct kafka *k, struct error *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)k->options.topics);
    for (size_t i = 0; i < k->options.topics; i++) {
        rd_kafka_topic_partition_list_add(list, k->options.topic[i], RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t code = rd_kafka_subscribe(k->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return error_set(err, ST_FATAL, (int)code, "kafka: cannot subscribe as group %s: %s", k->group,
        rd_kafka_err2str(code));
}

enum status kafka_open(struct kafka **kafka, const struct kafka_options *options, struct error *err)
{
    struct kafka *k = memory_zeroed(1, sizeof(*k));
    k->options = *options;
    k->paused = rd_kafka_topic_partition_list_new(1);
    k->transactional = options->produces && options->config->delivery == DELIVERY_EXACTLY_ONCE;
    snprintf(k->group, sizeof(k->group), "%s-%s", options->config->name, options->stage);
    snprintf(k->client_id, sizeof(k->client_id), "%s-%u", options->instance, options->thread);

    enum status status = ST_OK;
    if (options->produces) status = kafka_open_producer(k, err);
    if (status == ST_OK) status = open_consumer(k, err);
    if (status == ST_OK) status = subscribe(k, err);
    if (status != ST_OK) {
        kafka_close(k);
        return status;
    }
    *kafka = k;
    return ST_OK;
}

static void message_release(struct kafka *k)
{
    if (k->message != NULL) rd_kafka_message_destroy(k->message);
    k->message = NULL;
}

void kafka_close(struct kafka *k)
{
    if (k == NULL) return;
    message_release(k);
    k->closing = true;
    if (k->consumer != NULL) {
        if (k->pending != PENDING_NONE) rd_kafka_assign(k->consumer, NULL);
        rd_kafka_consumer_close(k->consumer);
        rd_kafka_destroy(k->consumer);
    }
    kafka_close_producer(k);
    if (k->partitions != NULL) rd_kafka_topic_partition_list_destroy(k->partitions);
    rd_kafka_topic_partition_list_destroy(k->paused);
    free(k->assigned);
    free(k);
}

static bool topic_index(const struct kafka *k, const char *name, uint32_t *index)
{
    for (size_t i = 0; i < k->options.topics; i++) {
        if (strcmp(k->options.topic[i], name) != 0) continue;
        *index = (uint32_t)i;
        return true;
    }
    return false;
}

static enum kafka_event event_of_error(
    struct kafka *k, struct kafka_record *record, struct error *err)
{
    const rd_kafka_message_t *m = k->message;
    bool placed = m->rkt != NULL && topic_index(k, rd_kafka_topic_name(m->rkt), &record->topic);
    record->partition = m->partition;
    record->offset = m->offset;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && placed) return KAFKA_END;
    bool gone = m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
    kafka_refusal_answer(m->err, m->rkt == NULL ? "" : rd_kafka_topic_name(m->rkt));
    if (m->err == RD_KAFKA_RESP_ERR__BAD_COMPRESSION && placed) {
        error_set(err, ST_RETRY, (int)m->err,
            "kafka: a batch at offset %lld of %s, partition %d cannot be decompressed within "
            "receive.message.max.bytes; raise that under `kafka:`, reading stands until then",
            (long long)m->offset, k->options.topic[record->topic], m->partition);
        return KAFKA_TROUBLE;
    }
    error_set(err, gone ? ST_LOST : ST_RETRY, (int)m->err, "kafka: group %s: %s: %s", k->group,
        rd_kafka_err2name(m->err), rd_kafka_message_errstr(m));
    return gone && placed ? KAFKA_GONE : KAFKA_TROUBLE;
}

static enum kafka_event event_of_message(
    struct kafka *k, struct kafka_record *record, struct error *err)
{
    const rd_kafka_message_t *m = k->message;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) return event_of_error(k, record, err);
    rd_kafka_timestamp_type_t type;
    *record = (struct kafka_record){.partition = m->partition,
        .offset = m->offset,
        .timestamp_ms = rd_kafka_message_timestamp(m, &type),
        .key = {m->key, m->key_len},
        .value = {m->payload, m->len}};
    record->log_append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    if (k->options.topics == 1) return KAFKA_RECORD;
    return topic_index(k, rd_kafka_topic_name(m->rkt), &record->topic) ? KAFKA_RECORD
                                                                       : KAFKA_NOTHING;
}

static enum kafka_event event_pending(const struct kafka *k)
{
    switch (k->pending) {
    case PENDING_ASSIGN:
        return KAFKA_ASSIGNED;
    case PENDING_REVOKE:
        return KAFKA_REVOKED;
    case PENDING_LOST:
        return KAFKA_LOST;
    case PENDING_NONE:
        break;
    }
    return KAFKA_NOTHING;
}

enum kafka_event kafka_poll(
    struct kafka *k, int timeout_ms, struct kafka_record *record, struct error *err)
{
    message_release(k);
    if (k->pending != PENDING_NONE) return event_pending(k);
    k->message = rd_kafka_consumer_poll(k->consumer, timeout_ms);
    /* What was polled beside a rebalance is not processed, so it will be read again by its owner. */
    if (k->pending != PENDING_NONE) return event_pending(k);
    return k->message == NULL ? KAFKA_NOTHING : event_of_message(k, record, err);
}

size_t kafka_headers(const struct kafka *k, struct kafka_header *header, size_t most)
{
    rd_kafka_headers_t *headers;
    if (k->message == NULL ||
        rd_kafka_message_headers(k->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    size_t count = rd_kafka_header_cnt(headers);
    for (size_t h = 0; h < count && h < most; h++) {
        const void *value = NULL;
        rd_kafka_header_get_all(headers, h, &header[h].name, &value, &header[h].value.size);
        header[h].value.data = value;
    }
    return count;
}

/* No partition's offset is taken for missing only because it could not be read. */
static enum status assigned_fill(
    struct kafka *k, const rd_kafka_topic_partition_list_t *list, struct error *err)
{
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &list->elems[i];
        if (from->err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        return error_set(err, ST_RETRY, (int)from->err,
            "kafka: cannot read the committed offset of group %s in %s, partition %d: %s", k->group,
            from->topic, from->partition, rd_kafka_err2str(from->err));
    }
    k->assigned = memory_resize(k->assigned, (size_t)list->cnt + 1, sizeof(*k->assigned));
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &list->elems[i];
        struct kafka_assigned *to = &k->assigned[i];
        *to = (struct kafka_assigned){
            .partition = from->partition, .offset = from->offset < 0 ? -1 : from->offset};
        topic_index(k, from->topic, &to->topic);
        size_t size = from->metadata_size < sizeof(to->metadata) ? from->metadata_size
                                                                 : sizeof(to->metadata) - 1;
        if (from->metadata != NULL) memcpy(to->metadata, from->metadata, size);
    }
    return ST_OK;
}

enum status kafka_assigned(
    struct kafka *k, struct kafka_assigned **assigned, size_t *count, struct error *err)
{
    assert(k->pending == PENDING_ASSIGN);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(k->partitions);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    rd_kafka_resp_err_t code = list->cnt == 0
                                   ? RD_KAFKA_RESP_ERR_NO_ERROR
                                   : rd_kafka_committed(k->consumer, list, KAFKA_ANSWER_MS);
    enum status status =
        code == RD_KAFKA_RESP_ERR_NO_ERROR ? assigned_fill(k, list, err) : ST_RETRY;
    if (status == ST_OK) {
        *assigned = k->assigned;
        *count = (size_t)list->cnt;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return status;
    return error_set(err, ST_RETRY, (int)code,
        "kafka: cannot read the committed offsets of group %s: %s", k->group,
        rd_kafka_err2str(code));
}

/* A pause outlives its assignment, so it is ended before the next one. */
static void resume_all(struct kafka *k)
{
    if (k->paused->cnt == 0) return;
    rd_kafka_resume_partitions(k->consumer, k->paused);
    rd_kafka_topic_partition_list_destroy(k->paused); /* holds on to the partitions otherwise */
    k->paused = rd_kafka_topic_partition_list_new(1);
}

enum status kafka_start(struct kafka *k, struct error *err)
{
    assert(k->pending == PENDING_ASSIGN);
    resume_all(k);
    for (int i = 0; i < k->partitions->cnt; i++) {
        k->partitions->elems[i].offset = k->assigned[i].offset;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(k->consumer, k->partitions);
    k->pending = PENDING_NONE;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return error_set(err, ST_RETRY, (int)code, "kafka: cannot start group %s: %s", k->group,
        rd_kafka_err2str(code));
}

void kafka_rewind(struct kafka *k)
{
    message_release(k);
    if (k->pending == PENDING_NONE && k->partitions != NULL) k->pending = PENDING_ASSIGN;
}

void kafka_let_go(struct kafka *k)
{
    message_release(k);
    resume_all(k);
    k->pending = PENDING_NONE;
    rd_kafka_assign(k->consumer, NULL);
    if (k->partitions != NULL) rd_kafka_topic_partition_list_destroy(k->partitions);
    k->partitions = NULL;
}

static bool pause_resume(struct kafka *k, uint32_t topic, int32_t partition, bool pause)
{
    const char *name = k->options.topic[topic];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, name, partition);
    rd_kafka_resp_err_t code = pause ? rd_kafka_pause_partitions(k->consumer, list)
                                     : rd_kafka_resume_partitions(k->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    rd_kafka_topic_partition_list_del(k->paused, name, partition);
    if (pause) rd_kafka_topic_partition_list_add(k->paused, name, partition);
    return true;
}

bool kafka_pause(struct kafka *k, uint32_t topic, int32_t partition)
{
    return pause_resume(k, topic, partition, true);
}

bool kafka_resume(struct kafka *k, uint32_t topic, int32_t partition)
{
    return pause_resume(k, topic, partition, false);
}

int64_t kafka_end_seen(const struct kafka *k, uint32_t topic, int32_t partition)
{
    int64_t low, high;
    rd_kafka_resp_err_t code = rd_kafka_get_watermark_offsets(
        k->consumer, k->options.topic[topic], partition, &low, &high);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : -1;
}
