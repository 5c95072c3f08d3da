#include "engine/kafka_observer.h"

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/kafka_answers.h"
#include "engine/kafka_conf.h"
#include "engine/kafka_members.h"
#include "engine/kafka_refusal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ASK_MS = 4000, /* a question is asked again; a worker that is to stop waits for it */
    ADMIN_MS = 20000,
    READ_MS = 60000, /* to get all records of a snapshot */
    STAGES = 3,
};

static const char *const stage_name[STAGES] = {"combine", "aggregate", "sink"};

struct kafka_observer {
    const struct config *config;
    char client_id[200];
    pthread_mutex_t mutex;      /* of `handle` */
    rd_kafka_t *handle[STAGES]; /* one per group, made when first asked for; none ever joins */
    rd_kafka_t *committed;      /* does not see open transactions; made when first asked for */
};

static rd_kafka_t *observer_new(
    const struct kafka_observer *o, const char *group, const char *isolation, struct error *err)
{
    static const struct kafka_setting usual[] = {{"fetch.wait.max.ms", "50"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = kafka_conf(o->config, o->client_id, usual, err);
    char why[256];
    if (conf == NULL) return NULL;
    kafka_conf_set(conf, "group.id", group);
    kafka_conf_set(conf, "isolation.level", isolation);
    kafka_conf_set(conf, "enable.auto.commit", "false");
    kafka_conf_set(conf, "auto.offset.reset", "error");
    kafka_conf_set(conf, "enable.partition.eof", "true");
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (handle == NULL) {
        error_set(err, ST_FATAL, 0, "kafka: cannot make a client: %s", why);
        rd_kafka_conf_destroy(conf);
    }
    return handle;
}

static rd_kafka_t *observer_of(struct kafka_observer *o, const char *stage, struct error *err)
{
    int i = 0;
    while (i < STAGES - 1 && strcmp(stage_name[i], stage) != 0)
        i++;
    char group[256];
    snprintf(group, sizeof(group), "%s-%s", o->config->name, stage_name[i]);
    pthread_mutex_lock(&o->mutex);
    if (o->handle[i] == NULL) o->handle[i] = observer_new(o, group, "read_uncommitted", err);
    rd_kafka_t *handle = o->handle[i];
    pthread_mutex_unlock(&o->mutex);
    return handle;
}

enum status kafka_observer_open(struct kafka_observer **observer, const struct config *config,
    const char *instance, struct error *err)
{
    struct kafka_observer *o = memory_zeroed(1, sizeof(*o));
    o->config = config;
    snprintf(o->client_id, sizeof(o->client_id), "%s-observer", instance);
    pthread_mutex_init(&o->mutex, NULL);
    if (observer_of(o, "aggregate", err) == NULL) {
        kafka_observer_close(o);
        return ST_FATAL;
    }
    *observer = o;
    return ST_OK;
}

void kafka_observer_close(struct kafka_observer *o)
{
    if (o == NULL) return;
    for (int i = 0; i < STAGES; i++) {
        if (o->handle[i] != NULL) rd_kafka_destroy(o->handle[i]);
    }
    if (o->committed != NULL) rd_kafka_destroy(o->committed);
    pthread_mutex_destroy(&o->mutex);
    free(o);
}

/* Nobody polls these handles otherwise, so what they have to say of their brokers is heard here. */
static enum status retry(const struct kafka_observer *o, rd_kafka_t *handle,
    rd_kafka_resp_err_t code, const char *doing, const char *what, struct error *err)
{
    rd_kafka_poll(handle, 0);
    if (!kafka_refusal_answer(code, what)) kafka_outcome(o->config, code, doing, what);
    return error_set(
        err, ST_RETRY, (int)code, "kafka: cannot %s %s: %s", doing, what, rd_kafka_err2str(code));
}

enum status kafka_partitions(
    struct kafka_observer *o, const char *topic, uint32_t *partitions, struct error *err)
{
    rd_kafka_t *handle = observer_of(o, "aggregate", err);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(handle, topic, NULL);
    if (rkt == NULL) return retry(o, handle, rd_kafka_last_error(), "ask about topic", topic, err);
    rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 0, rkt, &metadata, ASK_MS);
    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return retry(o, handle, code, "ask about topic", topic, err);

    kafka_outcome(o->config, code, "ask about topic", topic);
    *partitions = 0;
    if (metadata->topic_cnt == 1) {
        code = metadata->topics[0].err;
        *partitions = (uint32_t)metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        *partitions = 0;
        return ST_OK;
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? ST_OK
               : retry(o, handle, code, "ask about topic", topic, err);
}

/* ListOffsets of the wanted partitions; *missing: of some there is no record that young. */
static rd_kafka_resp_err_t list_offsets(rd_kafka_t *handle, const char *topic, uint32_t count,
    const bool *wanted, int64_t when_ms, int64_t *offset, bool *missing)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t p = 0; p < count; p++) {
        if (wanted != NULL && !wanted[p]) continue;
        rd_kafka_topic_partition_list_add(list, topic, (int32_t)p)->offset = when_ms;
    }
    rd_kafka_resp_err_t code = list->cnt == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR
                                              : rd_kafka_offsets_for_times(handle, list, ASK_MS);
    *missing = false;
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = list->elems[i].err;
        *missing = *missing || list->elems[i].offset < 0;
        offset[list->elems[i].partition] = list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

enum status kafka_offsets_at(struct kafka_observer *o, const char *topic, uint32_t count,
    const bool *wanted, int64_t when_ms, int64_t *offset, struct error *err)
{
    bool none_so_young;
    rd_kafka_t *handle = observer_of(o, "aggregate", err);
    rd_kafka_resp_err_t code =
        list_offsets(handle, topic, count, wanted, when_ms, offset, &none_so_young);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return retry(o, handle, code, "list offsets of topic", topic, err);
    kafka_outcome(o->config, code, "list offsets of topic", topic);
    if (!none_so_young || when_ms < 0) return ST_OK;

    int64_t *end = memory_zeroed(count, sizeof(*end));
    enum status status = kafka_offsets_at(o, topic, count, wanted, KAFKA_AT_END, end, err);
    for (uint32_t p = 0; p < count && status == ST_OK; p++) {
        if ((wanted == NULL || wanted[p]) && offset[p] < 0) offset[p] = end[p];
    }
    free(end);
    return status;
}

enum status kafka_stable_ends(
    struct kafka_observer *o, const char *topic, uint32_t count, int64_t *offset, struct error *err)
{
    bool missing;
    char group[256];
    snprintf(group, sizeof(group), "%s-watch", o->config->name);
    pthread_mutex_lock(&o->mutex);
    if (o->committed == NULL) o->committed = observer_new(o, group, "read_committed", err);
    rd_kafka_t *handle = o->committed;
    pthread_mutex_unlock(&o->mutex);
    if (handle == NULL) return ST_FATAL;
    rd_kafka_resp_err_t code =
        list_offsets(handle, topic, count, NULL, KAFKA_AT_END, offset, &missing);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? ST_OK
               : retry(o, handle, code, "list offsets of topic", topic, err);
}

enum status kafka_group_committed(struct kafka_observer *o, const char *stage, const char *topic,
    uint32_t count, struct kafka_assigned *committed, struct error *err)
{
    rd_kafka_t *handle = observer_of(o, stage, err);
    if (handle == NULL) return ST_FATAL;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t p = 0; p < count; p++)
        rd_kafka_topic_partition_list_add(list, topic, (int32_t)p);
    rd_kafka_resp_err_t code = rd_kafka_committed(handle, list, ASK_MS);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        const rd_kafka_topic_partition_t *from = &list->elems[i];
        struct kafka_assigned *to = &committed[from->partition];
        code = from->err; /* what could not be read is not taken for missing */
        *to = (struct kafka_assigned){
            .partition = from->partition, .offset = from->offset < 0 ? -1 : from->offset};
        size_t size = from->metadata_size < sizeof(to->metadata) ? from->metadata_size
                                                                 : sizeof(to->metadata) - 1;
        if (from->metadata != NULL) memcpy(to->metadata, from->metadata, size);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return retry(o, handle, code, "read what is committed by stage", stage, err);
    kafka_refusal_over();
    kafka_outcome(o->config, code, "read what is committed by stage", stage);
    return ST_OK;
}

/* Wait for the one result of an admin call. Destroys the queue; the event is the caller's. */
static rd_kafka_event_t *admin_result(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_MS);
    rd_kafka_queue_destroy(queue);
    return event;
}

static enum status topic_create(rd_kafka_t *handle, const char *topic, uint32_t partitions,
    const struct kafka_setting *settings, struct error *err)
{
    char why[256];
    rd_kafka_NewTopic_t *new_topic =
        rd_kafka_NewTopic_new(topic, (int)partitions, -1, why, sizeof(why));
    if (new_topic == NULL) return error_set(err, ST_FATAL, 0, "kafka: topic %s: %s", topic, why);
    for (; settings->key != NULL; settings++) {
        rd_kafka_resp_err_t refused =
            rd_kafka_NewTopic_set_config(new_topic, settings->key, settings->value);
        if (refused == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        rd_kafka_NewTopic_destroy(new_topic);
        return error_set(err, ST_FATAL, (int)refused, "kafka: topic %s: %s=%s is refused: %s",
            topic, settings->key, settings->value, rd_kafka_err2str(refused));
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_CreateTopics(handle, &new_topic, 1, NULL, queue);
    rd_kafka_event_t *event = admin_result(queue);
    rd_kafka_NewTopic_destroy(new_topic);
    if (event == NULL)
        return error_set(err, ST_RETRY, 0, "kafka: no answer on making topic %s", topic);

    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    size_t count = 0;
    const char *said = rd_kafka_event_error_string(event);
    snprintf(why, sizeof(why), "%s", said == NULL ? "" : said);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
        if (count == 1) {
            code = rd_kafka_topic_result_error(results[0]);
            said = rd_kafka_topic_result_error_string(results[0]);
            snprintf(why, sizeof(why), "%s", said == NULL ? "" : said);
        }
    }
    rd_kafka_event_destroy(event);
    bool unsupported =
        code ==
        RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE; /* the embedded broker makes topics by itself */
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ||
        unsupported) {
        return ST_OK;
    }
    bool denied = kafka_refusal_answer(code, topic);
    bool waits =
        denied || code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT;
    return error_set(err, waits ? ST_RETRY : ST_FATAL, (int)code,
        "kafka: cannot make topic %s: %s. Make it by hand with %u partitions, or allow weir CREATE "
        "on it",
        topic, why, partitions);
}

enum status kafka_topic_ensure(struct kafka_observer *o, const char *topic, uint32_t partitions,
    const struct kafka_setting *settings, struct error *err)
{
    uint32_t there = 0;
    enum status status = kafka_partitions(o, topic, &there, err);
    if (status == ST_OK && there == 0) {
        status = topic_create(observer_of(o, "aggregate", err), topic, partitions, settings, err);
        for (int i = 0; i < 100 && status == ST_OK && there == 0; i++) {
            clock_sleep(50 * NS_PER_MS);
            status = kafka_partitions(o, topic, &there, err);
        }
    }
    if (status != ST_OK || there == partitions) return status;
    return error_set(err, ST_FATAL, 0,
        "kafka: topic %s has %u partitions, the plan wants %u: set `partitions: %u`, or give this "
        "plan another `name`",
        topic, there, partitions, there);
}

enum status kafka_delete_before(struct kafka_observer *o, const char *topic, int32_t partition,
    int64_t offset, struct error *err)
{
    rd_kafka_t *handle = observer_of(o, "aggregate", err);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *delete_records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_DeleteRecords(handle, &delete_records, 1, NULL, queue);
    rd_kafka_event_t *event = admin_result(queue);
    rd_kafka_DeleteRecords_destroy(delete_records);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_resp_err_t code =
        event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_topic_partition_list_t *result =
            rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
        if (result->cnt == 1) code = result->elems[0].err;
    }
    if (event != NULL) rd_kafka_event_destroy(event);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? ST_OK
                                              : retry(o, handle, code, "trim topic", topic, err);
}

/* Poll a partition that was assigned from the first wanted offset until the last one was read. */
static enum status read_wanted(rd_kafka_t *reader, const char *topic, const int64_t *wanted,
    size_t count, struct buffer *data, size_t *ends, struct error *err)
{
    size_t next = 0;
    int64_t deadline_ns = clock_ns() + READ_MS * NS_PER_MS;
    while (next < count && clock_ns() < deadline_ns) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(reader, 200);
        if (m == NULL) continue;
        bool gone = m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                    (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->offset > wanted[next]);
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->offset == wanted[next]) {
            buffer_append(data, m->payload, m->len);
            ends[next++] = data->size;
        }
        rd_kafka_message_destroy(m);
        if (!gone) continue;
        return error_set(err, ST_LOST, 0, "kafka: record %lld of %s is not there any more",
            (long long)wanted[next], topic);
    }
    if (next == count) return ST_OK;
    return error_set(err, ST_RETRY, 0, "kafka: record %lld of %s could not be read in time",
        (long long)wanted[next], topic);
}

static void reader_close(rd_kafka_t *reader)
{
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
}

/* A consumer of its own, in no group's way, that reads a partition from an offset on. */
static enum status reader_open(struct kafka_observer *o, const char *purpose, const char *topic,
    int32_t partition, int64_t from, rd_kafka_t **opened, struct error *err)
{
    char group[256];
    snprintf(group, sizeof(group), "%s-%s", o->config->name, purpose);
    rd_kafka_t *reader = observer_new(o, group, "read_committed", err);
    if (reader == NULL) return ST_FATAL;
    rd_kafka_poll_set_consumer(reader);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = from;
    rd_kafka_resp_err_t code = rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        enum status status = retry(o, reader, code, "read topic", topic, err);
        reader_close(reader);
        return status;
    }
    *opened = reader;
    return ST_OK;
}

enum status kafka_read_records(struct kafka_observer *o, const char *topic, int32_t partition,
    const int64_t *wanted, size_t count, struct buffer *data, size_t *ends, struct error *err)
{
    rd_kafka_t *reader;
    enum status status = reader_open(o, "reader", topic, partition, wanted[0], &reader, err);
    if (status != ST_OK) return status;
    status = read_wanted(reader, topic, wanted, count, data, ends, err);
    reader_close(reader);
    return status;
}

/* Poll a partition until its end. */
static enum status read_to_end(rd_kafka_t *reader, const char *topic, struct buffer *data,
    size_t *ends, size_t most, size_t *count, struct error *err)
{
    int64_t deadline_ns = clock_ns() + READ_MS * NS_PER_MS;
    for (*count = 0; clock_ns() < deadline_ns;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(reader, 200);
        if (m == NULL) continue;
        bool end = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        bool record = m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (record && *count < most) {
            buffer_append(data, m->payload, m->len);
            ends[*count] = data->size;
        }
        *count += record;
        rd_kafka_message_destroy(m);
        if (end && *count <= most) return ST_OK;
        if (end) {
            return error_set(err, ST_FATAL, 0, "kafka: %zu records in %s, at most %zu are taken",
                *count, topic, most);
        }
    }
    return error_set(err, ST_RETRY, 0, "kafka: topic %s could not be read in time", topic);
}

enum status kafka_read_all(struct kafka_observer *o, const char *topic, int32_t partition,
    struct buffer *data, size_t *ends, size_t most, size_t *count, struct error *err)
{
    rd_kafka_t *reader;
    enum status status =
        reader_open(o, "plan", topic, partition, RD_KAFKA_OFFSET_BEGINNING, &reader, err);
    if (status != ST_OK) return status;
    status = read_to_end(reader, topic, data, ends, most, count, err);
    reader_close(reader);
    return status;
}

/* Poll a partition until `take` has enough, or there is no more. */
static enum status read_range(rd_kafka_t *reader, const char *topic, int64_t to,
    bool (*take)(void *opaque, struct bytes value), void *opaque, struct error *err)
{
    bool more = true;
    int64_t deadline_ns = clock_ns() + READ_MS * NS_PER_MS;
    while (more && clock_ns() < deadline_ns) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(reader, 200);
        if (m == NULL) continue;
        bool gone = m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
        bool record = m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->offset < to;
        bool end = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && m->offset >= to;
        if (record) {
            more = take(opaque, (struct bytes){m->payload, m->len});
            deadline_ns = clock_ns() + READ_MS * NS_PER_MS;
        }
        if (end || (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->offset + 1 >= to)) more = false;
        rd_kafka_message_destroy(m);
        if (gone)
            return error_set(err, ST_LOST, 0,
                "kafka: records of %s were trimmed while they were to be read; ask again", topic);
    }
    if (!more) return ST_OK;
    return error_set(err, ST_RETRY, 0, "kafka: topic %s could not be read in time", topic);
}

enum status kafka_read_range(struct kafka_observer *o, const char *topic, int32_t partition,
    int64_t from, int64_t to, bool (*take)(void *opaque, struct bytes value), void *opaque,
    struct error *err)
{
    rd_kafka_t *reader;
    if (from >= to) return ST_OK;
    enum status status = reader_open(o, "reader", topic, partition, from, &reader, err);
    if (status != ST_OK) return status;
    status = read_range(reader, topic, to, take, opaque, err);
    reader_close(reader);
    return status;
}

enum status kafka_group_members(
    struct kafka_observer *o, const char *stage, uint32_t *members, struct error *err)
{
    char group[256];
    rd_kafka_t *handle = observer_of(o, stage, err);
    if (handle == NULL) return ST_FATAL;
    snprintf(group, sizeof(group), "%s-%s", o->config->name, stage);
    return kafka_members_of(handle, group, members, err);
}
