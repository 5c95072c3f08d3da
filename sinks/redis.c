/*
 * The Redis store: rows, history and alerts under one prefix. sinks/REDIS.md says what is where.
 */
#include "engine/base/memory.h"
#include "sinks/redis_batch.h"
#include "sinks/redis_info.h"
#include "sinks/redis_key.h"
#include "sinks/redis_script.h"
#include "sinks/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct redis_store {
    struct redis_link link;
    struct store_config config; /* its texts are copies */
    struct redis_batch batch;
    char plan[17];
    char mark[80];      /* run of the server and its evictions, as of the newest look */
    uint64_t described; /* the connection on which the layout was last described; 0: none */
    struct buffer key;  /* scratch */
};

static void redis_close(void *self)
{
    struct redis_store *store = self;
    if (store == NULL) return;
    redis_batch_release(&store->batch);
    redis_link_release(&store->link);
    buffer_release(&store->key);
    free((char *)store->config.prefix);
    free((char *)store->config.trace_link);
    free((char *)store->config.tls.ca);
    free((char *)store->config.tls.certificate);
    free((char *)store->config.tls.key);
    free((struct store_history *)store->config.history);
    free(store);
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : memory_text(text, strlen(text));
}

/* The URL is read here; connecting waits until there is something to do. */
static enum status redis_open(void **self, const struct store_config *config, struct error *err)
{
    struct redis_store *store = memory_zeroed(1, sizeof(*store));
    store->config = *config;
    store->config.url = NULL; /* it may hold a password */
    store->config.prefix = memory_text(config->prefix, strlen(config->prefix));
    store->config.trace_link = copy(config->trace_link == NULL ? "" : config->trace_link);
    store->config.tls = (struct tls_files){
        copy(config->tls.ca), copy(config->tls.certificate), copy(config->tls.key)};
    struct store_history *history = memory_zeroed(config->histories + 1, sizeof(*history));
    if (config->histories != 0)
        memcpy(history, config->history, config->histories * sizeof(*history));
    store->config.history = history;
    snprintf(store->plan, sizeof(store->plan), "%016" PRIx64, config->plan);
    redis_batch_init(&store->batch, &store->config, &store->link);

    enum status status =
        redis_link_init(&store->link, config->url, &store->config.tls, config->timeout_ns, err);
    if (status != ST_OK) {
        redis_close(store);
        return status;
    }
    *self = store;
    return ST_OK;
}

static struct bytes key_of(struct redis_store *store, const char *kind)
{
    return redis_key(&store->key, store->config.prefix, kind, (struct bytes){0});
}

/* An offset as Redis gave it: -1 for none and for what is no offset. */
static int64_t offset_of(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) return reply->integer;
    if (reply->type != REDIS_REPLY_STRING) return -1;
    char *end;
    long long offset = strtoll(reply->str, &end, 10);
    return *end == '\0' && reply->len != 0 && offset >= 0 ? offset : -1;
}

/* The field that says up to which eviction, of which run of which server, a partition is whole. */
static void put_mark_field(struct redis_link *link, int32_t partition)
{
    char field[32];
    snprintf(field, sizeof(field), "evicted:%d", partition);
    redis_link_text(link, field);
}

/* Keys evicted since the partition was filled from the start of its log, as far as `mark` tells. */
static uint64_t evicted_since(
    const struct redis_store *store, const redisReply *mark, uint64_t ever)
{
    const char *colon = mark->type == REDIS_REPLY_STRING ? strchr(mark->str, ':') : NULL;
    size_t run = strcspn(store->mark, ":") + 1;
    if (colon == NULL || strncmp(mark->str, store->mark, run) != 0) return ever;
    uint64_t then = strtoull(colon + 1, NULL, 10);
    return ever >= then ? ever - then : ever; /* less: its statistics were reset */
}

static void take_info(struct redis_store *store, const redisReply *reply, struct store_place *place)
{
    const char *info = reply->type == REDIS_REPLY_STRING ? reply->str : "";
    struct bytes run = redis_info_value(info, "run_id");
    struct bytes policy = redis_info_value(info, "maxmemory_policy");
    place->evicted_ever = redis_info_number(info, "evicted_keys");
    place->memory_max = redis_info_number(info, "maxmemory");
    snprintf(place->policy, sizeof(place->policy), "%.*s", (int)policy.size,
        policy.data == NULL ? "" : (const char *)policy.data);
    snprintf(store->mark, sizeof(store->mark), "%.*s:%" PRIu64, (int)run.size,
        run.data == NULL ? "" : (const char *)run.data, place->evicted_ever);
}

static void take_place(
    const struct redis_store *store, const redisReply *reply, struct store_place *place)
{
    place->applied = -1;
    place->evicted = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) return;
    const redisReply *plan = reply->element[0];
    if (plan->type != REDIS_REPLY_STRING || strcmp(plan->str, store->plan) != 0) return;
    place->applied = offset_of(reply->element[1]);
    if (place->applied >= 0)
        place->evicted = evicted_since(store, reply->element[2], place->evicted_ever);
}

static enum status redis_place(
    void *self, int32_t partition, struct store_place *place, struct error *err)
{
    struct redis_store *store = self;
    struct redis_link *link = &store->link;
    enum status status = redis_link_connect(link, err);
    if (status != ST_OK) return status;

    redis_link_text(link, "INFO");
    redis_link_end(link);
    redis_link_text(link, "HMGET");
    redis_link_bytes(link, key_of(store, "applied"));
    redis_link_text(link, "plan");
    redis_link_number(link, partition);
    put_mark_field(link, partition);
    redis_link_end(link);
    redisReply *info = NULL, *held = NULL;
    status = redis_link_send(link, err);
    if (status == ST_OK) status = redis_link_reply(link, "say how it is (INFO)", &info, err);
    if (status == ST_OK) status = redis_link_reply(link, "tell its place", &held, err);
    if (status == ST_OK) {
        take_info(store, info, place);
        take_place(store, held, place);
    } else {
        redis_link_close(link); /* the second reply may be outstanding */
    }
    if (info != NULL) freeReplyObject(info);
    if (held != NULL) freeReplyObject(held);
    return status;
}

/* Take one field from the places. */
static enum status place_drop(
    struct redis_store *store, const char *field, const char *doing, struct error *err)
{
    struct redis_link *link = &store->link;
    enum status status = redis_link_connect(link, err);
    if (status != ST_OK) return status;

    redis_link_text(link, "HDEL");
    redis_link_bytes(link, key_of(store, "applied"));
    redis_link_text(link, field);
    redis_link_end(link);
    redisReply *reply = NULL;
    status = redis_link_send(link, err);
    if (status == ST_OK) status = redis_link_reply(link, doing, &reply, err);
    if (status == ST_OK) freeReplyObject(reply);
    return status;
}

static enum status redis_forget(void *self, int32_t partition, struct error *err)
{
    char field[16];
    snprintf(field, sizeof(field), "%d", partition);
    return place_drop(self, field, "forget its place", err);
}

static enum status redis_refilled(void *self, int32_t partition, struct error *err)
{
    return place_drop(self, redis_refill_field(partition).text, "note that it is refilled", err);
}

static void put_script(
    struct redis_store *store, int32_t partition, const struct store_batch *records)
{
    struct redis_link *link = &store->link;
    redis_link_text(link, "EVAL");
    redis_link_text(link, redis_script);
    redis_link_number(link, REDIS_SCRIPT_KEYS);
    redis_link_bytes(link, key_of(store, "applied"));
    redis_link_bytes(link, key_of(store, "alerts:active"));
    redis_link_text(link, store->plan);
    redis_link_number(link, partition);
    redis_link_number(link, records->prev);
    redis_link_number(link, records->last);
    redis_link_text(link, records->from_start ? store->mark : "");
    if (store->described != link->connections) redis_batch_about(&store->batch);
    redis_batch_put(&store->batch, partition, records);
    redis_link_end(link);
}

static enum status redis_apply(void *self, int32_t partition, const struct store_batch *records,
    int64_t *applied, struct error *err)
{
    struct redis_store *store = self;
    enum status status = redis_link_connect(&store->link, err);
    if (status != ST_OK) return status;

    put_script(store, partition, records);
    redisReply *reply = NULL;
    status = redis_link_send(&store->link, err);
    if (status == ST_OK) status = redis_link_reply(&store->link, "apply rows", &reply, err);
    if (status != ST_OK) {
        store->described = 0;
        return status;
    }
    *applied = offset_of(reply);
    freeReplyObject(reply);
    store->described = *applied >= records->last ? store->link.connections : 0;
    if (*applied >= records->last) return ST_OK;
    return error_set(err, ST_LOST, 0,
        "redis: partition %d holds offset %lld (-1: none of this plan), the batch follows %lld: "
        "the log is to be read again from there",
        partition, (long long)*applied, (long long)records->prev);
}

static enum store_trouble redis_trouble(const void *self)
{
    const struct redis_store *store = self;
    return store->link.trouble;
}

const struct store store_redis = {
    .name = "redis",
    .open = redis_open,
    .place = redis_place,
    .apply = redis_apply,
    .forget = redis_forget,
    .refilled = redis_refilled,
    .trouble = redis_trouble,
    .close = redis_close,
};
