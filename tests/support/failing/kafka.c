/* The calls of librdkafka that can fail. What flags a made-up error has is known here only. */
#include "tests/support/failing/failing.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { HANDLES_MAX = 64, FORGED_MAX = 16, STAGE_BYTES = 16 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Which stage's handle is which; a handle that was destroyed is found again only as its successor. */
static struct {
    const rd_kafka_t *handle;
    char stage[STAGE_BYTES];
} handles[HANDLES_MAX];
static size_t handle_count;

static const char *const stages[] = {"combine", "aggregate", "sink", "reader"};

static void conf_text(const rd_kafka_conf_t *conf, const char *name, char *text, size_t bytes)
{
    text[0] = '\0';
    rd_kafka_conf_get(conf, name, text, &bytes);
}

static const char *stage_of_conf(const rd_kafka_conf_t *conf)
{
    char client[256], group[512], id[512];
    conf_text(conf, "client.id", client, sizeof(client));
    conf_text(conf, "group.id", group, sizeof(group));
    conf_text(conf, "transactional.id", id, sizeof(id));
    size_t size = strlen(client), end = strlen("-observer");
    bool watches = size > end && strcmp(client + size - end, "-observer") == 0;
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        char last[32], middle[32];
        snprintf(last, sizeof(last), "-%s", stages[i]);
        snprintf(middle, sizeof(middle), "-%s-", stages[i]);
        const char *at = strstr(group, last);
        bool reads = at != NULL && at[strlen(last)] == '\0';
        if (reads && watches && strcmp(stages[i], "reader") != 0) return "observer";
        if (reads || strstr(id, middle) != NULL) return stages[i];
    }
    return "writer";
}

static void handle_keep(const rd_kafka_t *handle, const char *stage)
{
    size_t i = 0;
    pthread_mutex_lock(&mutex);
    while (i < handle_count && handles[i].handle != handle)
        i++;
    if (i == handle_count && handle_count < HANDLES_MAX) handle_count++;
    if (i < HANDLES_MAX) {
        handles[i].handle = handle;
        snprintf(handles[i].stage, STAGE_BYTES, "%s", stage);
    }
    pthread_mutex_unlock(&mutex);
}

static const char *stage_of(const rd_kafka_t *handle)
{
    const char *stage = NULL;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < handle_count; i++) {
        if (handles[i].handle == handle) stage = handles[i].stage;
    }
    pthread_mutex_unlock(&mutex);
    return stage;
}

#define STRIKE_OF(handle, usual) failing_strike(__func__, stage_of(handle), CALLER, usual)

static bool is_done_first(const char **variant)
{
    if (strncmp(*variant, "done-", 5) != 0) return false;
    *variant += 5;
    return true;
}

static rd_kafka_resp_err_t code_of(const char *variant)
{
    static const struct {
        const char *variant;
        rd_kafka_resp_err_t code;
    } codes[] = {
        {"transport", RD_KAFKA_RESP_ERR__TRANSPORT},
        {"timeout", RD_KAFKA_RESP_ERR__TIMED_OUT},
        {"state", RD_KAFKA_RESP_ERR__STATE},
        {"full", RD_KAFKA_RESP_ERR__QUEUE_FULL},
        {"large", RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE},
        {"denied", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
        {"gone", RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET},
        {"fatal", RD_KAFKA_RESP_ERR__FATAL},
        {"fenced", RD_KAFKA_RESP_ERR__FENCED},
        {"retriable", RD_KAFKA_RESP_ERR__TIMED_OUT},
        {"abortable", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID},
        {"partition", RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].variant, variant) == 0) return codes[i].code;
    }
    return RD_KAFKA_RESP_ERR__FAIL;
}

/* Errors of ours: librdkafka gives nobody a way to set their flags. */
static struct {
    const rd_kafka_error_t *error;
    bool fatal, retriable, abortable;
} forged[FORGED_MAX];

static rd_kafka_error_t *forge(const char *variant)
{
    rd_kafka_error_t *error = rd_kafka_error_new(code_of(variant), "made to fail (%s)", variant);
    pthread_mutex_lock(&mutex);
    size_t i = 0;
    while (i < FORGED_MAX - 1 && forged[i].error != NULL)
        i++;
    forged[i].error = error;
    forged[i].fatal = strcmp(variant, "fatal") == 0 || strcmp(variant, "fenced") == 0;
    forged[i].retriable = strcmp(variant, "retriable") == 0;
    forged[i].abortable = strcmp(variant, "abortable") == 0;
    pthread_mutex_unlock(&mutex);
    return error;
}

static size_t forged_find(const rd_kafka_error_t *error)
{
    size_t i = 0;
    pthread_mutex_lock(&mutex);
    while (i < FORGED_MAX && (error == NULL || forged[i].error != error))
        i++;
    pthread_mutex_unlock(&mutex);
    return i;
}

int rd_kafka_error_is_fatal(const rd_kafka_error_t *error)
{
    size_t i = forged_find(error);
    return i < FORGED_MAX ? forged[i].fatal : REAL(rd_kafka_error_is_fatal)(error);
}

int rd_kafka_error_is_retriable(const rd_kafka_error_t *error)
{
    size_t i = forged_find(error);
    return i < FORGED_MAX ? forged[i].retriable : REAL(rd_kafka_error_is_retriable)(error);
}

int rd_kafka_error_txn_requires_abort(const rd_kafka_error_t *error)
{
    size_t i = forged_find(error);
    return i < FORGED_MAX ? forged[i].abortable : REAL(rd_kafka_error_txn_requires_abort)(error);
}

void rd_kafka_error_destroy(rd_kafka_error_t *error)
{
    size_t i = forged_find(error);
    if (i < FORGED_MAX) forged[i].error = NULL;
    REAL(rd_kafka_error_destroy)(error);
}

/*
 * What a call came to that said nothing but that it timed out; the next one to the same function is
 * told, as librdkafka does it.
 */
static struct {
    const char *function; /* NULL: nothing is owed */
    const rd_kafka_t *handle;
    rd_kafka_error_t *outcome;
} owed;

static rd_kafka_error_t *owe(
    const char *function, const rd_kafka_t *handle, rd_kafka_error_t *outcome)
{
    pthread_mutex_lock(&mutex);
    owed.function = function;
    owed.handle = handle;
    owed.outcome = outcome;
    pthread_mutex_unlock(&mutex);
    return forge("retriable");
}

static bool settle(const char *function, const rd_kafka_t *handle, rd_kafka_error_t **outcome)
{
    pthread_mutex_lock(&mutex);
    bool due = owed.function != NULL && owed.handle == handle;
    due = due && strcmp(owed.function, function) == 0;
    if (due) *outcome = owed.outcome;
    if (due) owed.function = NULL;
    pthread_mutex_unlock(&mutex);
    return due;
}

/* `call` is not evaluated where the call fails before it does anything. */
#define FAIL_ERROR(handle, call)                                                 \
    do {                                                                         \
        rd_kafka_error_t *outcome = NULL;                                        \
        if (settle(__func__, handle, &outcome)) return outcome;                  \
        const char *variant = STRIKE_OF(handle, "retriable");                    \
        if (variant == NULL) return call;                                        \
        if (strcmp(variant, "unknown") == 0) return owe(__func__, handle, call); \
        if (is_done_first(&variant) && (outcome = call) != NULL)                 \
            REAL(rd_kafka_error_destroy)(outcome);                               \
        return forge(variant);                                                   \
    } while (0)

rd_kafka_error_t *rd_kafka_init_transactions(rd_kafka_t *handle, int timeout_ms)
{
    FAIL_ERROR(handle, REAL(rd_kafka_init_transactions)(handle, timeout_ms));
}

rd_kafka_error_t *rd_kafka_begin_transaction(rd_kafka_t *handle)
{
    FAIL_ERROR(handle, REAL(rd_kafka_begin_transaction)(handle));
}

rd_kafka_error_t *rd_kafka_send_offsets_to_transaction(rd_kafka_t *handle,
    const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *group,
    int timeout_ms)
{
    FAIL_ERROR(
        handle, REAL(rd_kafka_send_offsets_to_transaction)(handle, offsets, group, timeout_ms));
}

rd_kafka_error_t *rd_kafka_commit_transaction(rd_kafka_t *handle, int timeout_ms)
{
    FAIL_ERROR(handle, REAL(rd_kafka_commit_transaction)(handle, timeout_ms));
}

rd_kafka_error_t *rd_kafka_abort_transaction(rd_kafka_t *handle, int timeout_ms)
{
    FAIL_ERROR(handle, REAL(rd_kafka_abort_transaction)(handle, timeout_ms));
}

rd_kafka_error_t *rd_kafka_produceva(rd_kafka_t *handle, const rd_kafka_vu_t *parts, size_t count)
{
    FAIL_ERROR(handle, REAL(rd_kafka_produceva)(handle, parts, count));
}

#define FAIL_CODE(handle, call)                               \
    do {                                                      \
        const char *variant = STRIKE_OF(handle, "transport"); \
        if (variant == NULL) return call;                     \
        if (is_done_first(&variant)) (void)call;              \
        return code_of(variant);                              \
    } while (0)

rd_kafka_resp_err_t rd_kafka_flush(rd_kafka_t *handle, int timeout_ms)
{
    FAIL_CODE(handle, REAL(rd_kafka_flush)(handle, timeout_ms));
}

rd_kafka_resp_err_t rd_kafka_purge(rd_kafka_t *handle, int flags)
{
    FAIL_CODE(handle, REAL(rd_kafka_purge)(handle, flags));
}

rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *list)
{
    FAIL_CODE(handle, REAL(rd_kafka_assign)(handle, list));
}

rd_kafka_resp_err_t rd_kafka_subscribe(
    rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *list)
{
    FAIL_CODE(handle, REAL(rd_kafka_subscribe)(handle, list));
}

rd_kafka_resp_err_t rd_kafka_pause_partitions(
    rd_kafka_t *handle, rd_kafka_topic_partition_list_t *list)
{
    FAIL_CODE(handle, REAL(rd_kafka_pause_partitions)(handle, list));
}

rd_kafka_resp_err_t rd_kafka_resume_partitions(
    rd_kafka_t *handle, rd_kafka_topic_partition_list_t *list)
{
    FAIL_CODE(handle, REAL(rd_kafka_resume_partitions)(handle, list));
}

rd_kafka_resp_err_t rd_kafka_commit(
    rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *offsets, int async)
{
    FAIL_CODE(handle, REAL(rd_kafka_commit)(handle, offsets, async));
}

rd_kafka_resp_err_t rd_kafka_consumer_close(rd_kafka_t *handle)
{
    FAIL_CODE(handle, REAL(rd_kafka_consumer_close)(handle));
}

rd_kafka_resp_err_t rd_kafka_get_watermark_offsets(
    rd_kafka_t *handle, const char *topic, int32_t partition, int64_t *low, int64_t *high)
{
    FAIL_CODE(handle, REAL(rd_kafka_get_watermark_offsets)(handle, topic, partition, low, high));
}

rd_kafka_resp_err_t rd_kafka_metadata(rd_kafka_t *handle, int all, rd_kafka_topic_t *only,
    const struct rd_kafka_metadata **metadata, int timeout_ms)
{
    FAIL_CODE(handle, REAL(rd_kafka_metadata)(handle, all, only, metadata, timeout_ms));
}

/* An answer in which one partition has no answer: as librdkafka does, without an offset. */
static rd_kafka_resp_err_t but_one(rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list)
{
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || list->cnt == 0) return code;
    list->elems[0].err = code_of("partition");
    list->elems[0].offset = RD_KAFKA_OFFSET_INVALID;
    rd_kafka_topic_partition_t *first = &list->elems[0];
    free(first->metadata);
    first->metadata = NULL;
    first->metadata_size = 0;
    return code;
}

#define FAIL_LIST(handle, list, call)                                      \
    do {                                                                   \
        const char *variant = STRIKE_OF(handle, "transport");              \
        if (variant == NULL) return call;                                  \
        if (strcmp(variant, "partition") == 0) return but_one(call, list); \
        return code_of(variant);                                           \
    } while (0)

rd_kafka_resp_err_t rd_kafka_committed(
    rd_kafka_t *handle, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    FAIL_LIST(handle, list, REAL(rd_kafka_committed)(handle, list, timeout_ms));
}

rd_kafka_resp_err_t rd_kafka_offsets_for_times(
    rd_kafka_t *handle, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    FAIL_LIST(handle, list, REAL(rd_kafka_offsets_for_times)(handle, list, timeout_ms));
}

/* The answers of the cluster's controller: transport, denied ... for the whole, or for a topic of it. */
rd_kafka_resp_err_t rd_kafka_event_error(rd_kafka_event_t *event)
{
    FAIL_CODE(NULL, REAL(rd_kafka_event_error)(event));
}

rd_kafka_resp_err_t rd_kafka_topic_result_error(const rd_kafka_topic_result_t *result)
{
    FAIL_CODE(NULL, REAL(rd_kafka_topic_result_error)(result));
}

rd_kafka_resp_err_t rd_kafka_NewTopic_set_config(
    rd_kafka_NewTopic_t *topic, const char *name, const char *value)
{
    FAIL_CODE(NULL, REAL(rd_kafka_NewTopic_set_config)(topic, name, value));
}

const rd_kafka_topic_partition_list_t *rd_kafka_DeleteRecords_result_offsets(
    const rd_kafka_DeleteRecords_result_t *result)
{
    const rd_kafka_topic_partition_list_t *list =
        REAL(rd_kafka_DeleteRecords_result_offsets)(result);
    const char *variant = STRIKE("partition");
    if (variant != NULL && list->cnt != 0) list->elems[0].err = code_of(variant);
    return list;
}

#define FAIL_NULL(call)                              \
    do {                                             \
        return STRIKE("null") != NULL ? NULL : call; \
    } while (0)

rd_kafka_NewTopic_t *rd_kafka_NewTopic_new(
    const char *topic, int partitions, int replicas, char *why, size_t why_bytes)
{
    if (STRIKE("null") == NULL)
        return REAL(rd_kafka_NewTopic_new)(topic, partitions, replicas, why, why_bytes);
    snprintf(why, why_bytes, "made to fail");
    return NULL;
}

rd_kafka_topic_t *rd_kafka_topic_new(
    rd_kafka_t *handle, const char *topic, rd_kafka_topic_conf_t *conf)
{
    if (STRIKE_OF(handle, "null") == NULL) return REAL(rd_kafka_topic_new)(handle, topic, conf);
    return NULL;
}

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *why, size_t why_bytes)
{
    const char *stage = conf == NULL ? "writer" : stage_of_conf(conf);
    if (failing_strike(__func__, stage, CALLER, "null") != NULL) {
        snprintf(why, why_bytes, "made to fail");
        return NULL;
    }
    rd_kafka_t *handle = REAL(rd_kafka_new)(type, conf, why, why_bytes);
    if (handle == NULL) return NULL;
    handle_keep(handle, stage);
    pthread_mutex_lock(&mutex);
    if (owed.handle == handle)
        owed.function = NULL; /* to one of the same address, that is no more */
    pthread_mutex_unlock(&mutex);
    return handle;
}

rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *queue, int timeout_ms)
{
    FAIL_NULL(REAL(rd_kafka_queue_poll)(queue, timeout_ms));
}

/* -1: nobody knows the controller */
int32_t rd_kafka_controllerid(rd_kafka_t *handle, int timeout_ms)
{
    if (STRIKE_OF(handle, "timeout") != NULL) return -1;
    return REAL(rd_kafka_controllerid)(handle, timeout_ms);
}

/* A message that carries an error; it is nobody else's, so librdkafka must not see its end. */
static rd_kafka_message_t trouble = {.partition = RD_KAFKA_PARTITION_UA};
static char trouble_text[] = "made to fail";

rd_kafka_message_t *rd_kafka_consumer_poll(rd_kafka_t *handle, int timeout_ms)
{
    const char *variant = STRIKE_OF(handle, "transport");
    if (variant == NULL) return REAL(rd_kafka_consumer_poll)(handle, timeout_ms);
    if (strcmp(variant, "null") == 0) return NULL;
    trouble.err = code_of(variant);
    trouble.payload = trouble_text;
    trouble.len = sizeof(trouble_text) - 1;
    return &trouble;
}

void rd_kafka_message_destroy(rd_kafka_message_t *message)
{
    if (message != &trouble) REAL(rd_kafka_message_destroy)(message);
}

rd_kafka_mock_cluster_t *rd_kafka_mock_cluster_new(rd_kafka_t *host, int brokers)
{
    FAIL_NULL(REAL(rd_kafka_mock_cluster_new)(host, brokers));
}

rd_kafka_resp_err_t rd_kafka_mock_topic_create(
    rd_kafka_mock_cluster_t *cluster, const char *topic, int partitions, int replicas)
{
    FAIL_CODE(NULL, REAL(rd_kafka_mock_topic_create)(cluster, topic, partitions, replicas));
}
