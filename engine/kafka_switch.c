#include "engine/kafka_switch.h"

#include "engine/base/failpoint.h"
#include "engine/base/memory.h"
#include "engine/kafka_conf.h"
#include "engine/kafka_members.h"
#include "engine/kafka_refusal.h"
#include "engine/kafka_setting.h"

#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MS = 20000 };

struct kafka_switch {
    rd_kafka_t *producer;
    char group[256];
};

/* One id a name: who comes later fences off who came before, so two never write side by side. */
static rd_kafka_t *producer_open(const struct config *config, struct error *err)
{
    static const struct kafka_setting usual[] = {
        {"message.max.bytes", KAFKA_OWN_MESSAGE_BYTES}, {NULL, NULL}};
    char id[256], why[256];
    rd_kafka_conf_t *conf = kafka_conf(config, "weir-plan", usual, err);
    if (conf == NULL) return NULL;
    snprintf(id, sizeof(id), "%s-plan", config->name);
    kafka_conf_set(conf, "transactional.id", id);
    kafka_conf_set(conf, "transaction.timeout.ms", "10000");
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (producer != NULL) return producer;
    rd_kafka_conf_destroy(conf);
    error_set(err, ST_FATAL, 0, "kafka: cannot make a producer: %s", why);
    return NULL;
}

static enum status say(
    rd_kafka_t *producer, const char *topic, struct bytes value, struct error *err)
{
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.data, value.size}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    enum status status = kafka_status(
        rd_kafka_produceva(producer, parts, sizeof(parts) / sizeof(parts[0])), "produce", err);
    if (status != ST_OK) return ST_ABORT;
    rd_kafka_resp_err_t code = rd_kafka_flush(producer, ANSWER_MS);
    failpoint("plan", "sent");
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ST_OK;
    return error_set(
        err, ST_ABORT, (int)code, "kafka: cannot send to %s: %s", topic, rd_kafka_err2str(code));
}

static enum status move(
    struct kafka_switch *s, const struct kafka_moved *moved, size_t count, struct error *err)
{
    uint32_t members = 0;
    if (count == 0) return ST_OK;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *to =
            rd_kafka_topic_partition_list_add(list, moved[i].topic, moved[i].partition);
        to->offset = moved[i].offset;
        to->metadata_size = strlen(moved[i].metadata);
        to->metadata = memory_text(moved[i].metadata, to->metadata_size);
    }
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(s->group);
    enum status status =
        kafka_status(rd_kafka_send_offsets_to_transaction(s->producer, list, metadata, ANSWER_MS),
            "move what combine has committed", err);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(list);
    failpoint("plan", "moved");
    if (status == ST_OK) status = kafka_members_of(s->producer, s->group, &members, err);
    if (status != ST_OK || members == 0) return status;
    return error_set(err, ST_ABORT, 0, "kafka: a worker has joined group %s meanwhile", s->group);
}

enum status kafka_switch_open(
    struct kafka_switch **out, const struct config *config, struct error *err)
{
    struct kafka_switch *s = memory_zeroed(1, sizeof(*s));
    s->producer = producer_open(config, err);
    snprintf(s->group, sizeof(s->group), "%s-combine", config->name);
    enum status status = s->producer == NULL
                             ? ST_FATAL
                             : kafka_status(rd_kafka_init_transactions(s->producer, ANSWER_MS),
                                   "initialise transactions", err);
    if (status != ST_OK && s->producer != NULL) kafka_refusal_answer(err->code, "");
    if (status == ST_OK) {
        *out = s;
        return ST_OK;
    }
    bool wrong = s->producer == NULL;
    kafka_switch_close(s);
    return err->status = wrong ? ST_FATAL : ST_RETRY;
}

void kafka_switch_close(struct kafka_switch *s)
{
    if (s == NULL) return;
    if (s->producer != NULL) rd_kafka_destroy(s->producer);
    free(s);
}

enum status kafka_switch_commit(struct kafka_switch *s, const char *topic, struct bytes value,
    const struct kafka_moved *moved, size_t count, struct error *err)
{
    enum status status =
        kafka_status(rd_kafka_begin_transaction(s->producer), "begin a transaction", err);
    if (status != ST_OK) return err->status = ST_RETRY;
    status = say(s->producer, topic, value, err);
    if (status == ST_OK) status = move(s, moved, count, err);
    if (status == ST_OK) {
        status = kafka_status(
            rd_kafka_commit_transaction(s->producer, ANSWER_MS), "commit the transaction", err);
        failpoint("plan", "committed");
        if (status == ST_OK) return ST_OK;
        if (status != ST_ABORT) return err->status = ST_RETRY; /* done or not: the log says it */
    }
    rd_kafka_error_t *failure = rd_kafka_abort_transaction(s->producer, ANSWER_MS);
    if (failure != NULL) rd_kafka_error_destroy(failure); /* it times out */
    return err->status = ST_RETRY;
}
