/*
 * The Redis store against a real redis-server: what is written where, that a batch counts once, and
 * that every way a server can fail is told apart.
 */
#include "engine/base/clock.h"
#include "sinks/redis_address.h"
#include "sinks/store.h"
#include "tests/support/redis_server.h"
#include "tests/support/sample_output.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define NOON INT64_C(1714564800000) /* ms; a bucket of either resolution begins here */
#define NOW  INT64_C(1790000000000) /* ms; years later, as when an old capture is replayed */
#define A    "service=a;operation=GET%20%2F;kind=SERVER"

static struct redis_server server; /* shared; emptied before each test */

static const struct store_history histories[] = {
    {10 * NS_PER_S, 3600 * NS_PER_S, false},
    {60 * NS_PER_S, 24 * 3600 * NS_PER_S, true},
};

static struct store_config config_for(const char *url)
{
    return (struct store_config){
        .url = url,
        .prefix = "weir",
        .timeout_ns = 5 * NS_PER_S,
        .plan = 0xabc,
        .pane_ns = 10 * NS_PER_S,
        .sketch_scale = 6,
        .history = histories,
        .histories = 2,
        .alerts_max = 1000,
    };
}

static void *open_plan(const char *url, uint64_t plan)
{
    struct store_config config = config_for(url);
    struct error err;
    void *self = NULL;
    config.plan = plan;
    assert_int_equal(store_redis.open(&self, &config, &err), ST_OK);
    return self;
}

static void *open_store(void)
{
    return open_plan(server.unix_url, 0xabc);
}

static int empty_server(void **unused)
{
    (void)unused;
    freeReplyObject(redis_server_do(&server, "FLUSHALL"));
    return 0;
}

static struct store_batch batch_of(
    const struct output *output, size_t count, int64_t prev, int64_t last)
{
    return (struct store_batch){
        .output = output, .count = count, .prev = prev, .last = last, .now_ms = NOW};
}

static enum status apply(
    void *self, const struct output *output, size_t count, int64_t prev, int64_t last)
{
    struct store_batch batch = batch_of(output, count, prev, last);
    struct error err;
    int64_t applied;
    return store_redis.apply(self, 0, &batch, &applied, &err);
}

static int64_t place(void *self, int32_t partition)
{
    struct error err;
    struct store_place at = {.applied = -2};
    assert_int_equal(store_redis.place(self, partition, &at, &err), ST_OK);
    return at.applied;
}

static void a_closed_pane_is_shown_kept_and_indexed(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON, 10000, 120);
    assert_int_equal(apply(self, &row, 1, -1, 7), ST_OK);
    assert_int_equal(place(self, 0), 7);

    const char *now = redis_server_text(&server, "HGET weir:now:" A " 10s");
    assert_non_null(strstr(now, "\"end_ms\":1714564810000,\"status\":\"final\",\"spans\":120,"));
    assert_string_equal(
        redis_server_text(&server, "HGET weir:history:10s:" A ":1714564800000 1714564810000"),
        "120,12,12.5,1.25,99.5,12,55,90,");
    assert_int_equal(redis_server_number(&server, "ZSCORE weir:services a"), NOON + 10000);
    assert_int_equal(redis_server_number(&server, "ZSCORE weir:series:a " A), NOON + 10000);
    assert_string_equal(redis_server_text(&server, "HGET weir:about history"), "10s=1h 1m=1d");
    assert_string_equal(redis_server_text(&server, "HGET weir:about sketch_scale"), "6");
    assert_int_equal(redis_server_number(&server, "EXISTS weir:sketch:10s:" A ":1714564800000"), 0);
    store_redis.close(self);
}

static void each_row_goes_where_its_kind_belongs(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output rows[5];
    rows[0] = sample_row(A, NOON - 50000, 60000, 1); /* rolling, ends with the pane */
    rows[0].row.rolling = true;
    rows[1] = sample_row(A, NOON, 60000, 2); /* a slice of history with its sketch */
    rows[1].row.sketch = (struct bytes){(const uint8_t *)"\0\x01\r\n*", 5};
    rows[2] = sample_row(A, NOON + 10000, 10000, 3); /* a pane still open */
    rows[2].row.status = ROW_PROVISIONAL;
    rows[3] = sample_row(A, NOON, 30000, 4); /* a slice that is not kept */
    rows[4] = sample_row(A, NOON, 3600000, 5);
    rows[4].row.rolling = true;
    assert_int_equal(apply(self, rows, 5, -1, 4), ST_OK);

    assert_int_equal(redis_server_number(&server, "HLEN weir:now:" A), 3);
    assert_non_null(strstr(redis_server_text(&server, "HGET weir:now:" A " 1m"), "\"spans\":1,"));
    assert_non_null(strstr(redis_server_text(&server, "HGET weir:now:" A " open"), "\"spans\":3,"));
    assert_non_null(strstr(redis_server_text(&server, "HGET weir:now:" A " 1h"), "\"spans\":5,"));
    redisReply *sketch =
        redis_server_do(&server, "HGET weir:sketch:1m:" A ":1714564800000 1714564860000");
    assert_int_equal(sketch->len, 5);
    assert_memory_equal(sketch->str, "\0\x01\r\n*", 5);
    freeReplyObject(sketch);
    assert_int_equal(redis_server_number(&server, "EXISTS weir:history:1m:" A ":1714564800000"), 1);
    assert_int_equal(
        redis_server_number(&server, "EXISTS weir:history:10s:" A ":1714564800000"), 0);
    store_redis.close(self);
}

static void an_older_row_does_not_replace_a_newer_one(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output rows[3];
    rows[0] = sample_row(A, NOON + 10000, 10000, 2);
    rows[1] = sample_row(A, NOON, 10000, 1);
    rows[1].row.status = ROW_REVISED;
    rows[2] = sample_row(A, NOON + 10000, 10000, 3);
    rows[2].row.status = ROW_REVISED;
    assert_int_equal(apply(self, rows, 2, -1, 1), ST_OK);
    assert_non_null(strstr(redis_server_text(&server, "HGET weir:now:" A " 10s"), "\"spans\":2,"));
    assert_int_equal(redis_server_number(&server, "ZSCORE weir:services a"), NOON + 20000);
    assert_int_equal(apply(self, &rows[2], 1, 1, 2), ST_OK);
    assert_non_null(strstr(redis_server_text(&server, "HGET weir:now:" A " 10s"), "\"spans\":3,"));
    store_redis.close(self);
}

static void a_revised_slice_overwrites_its_history(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON + 1190000, 10000, 10);
    assert_int_equal(apply(self, &row, 1, -1, 0), ST_OK);
    row = sample_row(A, NOON + 1190000, 10000, 20);
    row.row.status = ROW_REVISED;
    assert_int_equal(apply(self, &row, 1, 0, 1), ST_OK);
    assert_string_equal(
        redis_server_text(&server, "HGET weir:history:10s:" A ":1714564800000 1714566000000"),
        "20,2,12.5,1.25,99.5,12,55,90,");
    assert_int_equal(redis_server_number(&server, "HLEN weir:history:10s:" A ":1714564800000"), 1);
    store_redis.close(self);
}

static void a_full_bucket_stays_a_listpack(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output rows[120];
    for (int i = 0; i < 120; i++)
        rows[i] = sample_row(A, NOON + 10000 * i, 10000, (uint64_t)i * 1234567);
    assert_int_equal(apply(self, rows, 120, -1, 119), ST_OK);
    assert_int_equal(
        redis_server_number(&server, "HLEN weir:history:10s:" A ":1714564800000"), 120);
    assert_string_equal(
        redis_server_text(&server, "OBJECT ENCODING weir:history:10s:" A ":1714564800000"),
        "listpack");
    store_redis.close(self);
}

static void the_same_batch_twice_counts_once(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output outputs[2] = {
        sample_row(A, NOON, 10000, 1), sample_alert("f00d", A, ALERT_FIRING)};
    assert_int_equal(apply(self, outputs, 2, -1, 5), ST_OK);
    assert_int_equal(apply(self, outputs, 2, -1, 5), ST_OK);
    assert_int_equal(redis_server_number(&server, "XLEN weir:alerts"), 1);
    assert_int_equal(place(self, 0), 5);
    assert_int_equal(apply(self, &outputs[1], 1, 2, 4), ST_OK); /* a part of it, from a zombie */
    assert_int_equal(redis_server_number(&server, "XLEN weir:alerts"), 1);
    store_redis.close(self);
}

static void a_gap_writes_nothing_and_tells_the_place(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON, 10000, 1);
    assert_int_equal(apply(self, &row, 1, -1, 5), ST_OK);
    struct output other = sample_row("service=b", NOON, 10000, 1);
    struct store_batch batch = batch_of(&other, 1, 9, 10);
    struct error err;
    int64_t applied = -2;
    assert_int_equal(store_redis.apply(self, 0, &batch, &applied, &err), ST_LOST);
    assert_int_equal(applied, 5);
    assert_int_equal(redis_server_number(&server, "ZCARD weir:services"), 1);
    assert_int_equal(place(self, 0), 5);
    store_redis.close(self);
}

static void partitions_have_places_of_their_own(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON, 10000, 1);
    assert_int_equal(apply(self, &row, 1, -1, 5), ST_OK);
    struct store_batch batch = batch_of(&row, 1, -1, 9007199254740993);
    struct error err;
    int64_t applied;
    assert_int_equal(place(self, 1), -1);
    assert_int_equal(store_redis.apply(self, 1, &batch, &applied, &err), ST_OK);
    assert_int_equal(place(self, 1), 9007199254740993);
    assert_int_equal(place(self, 0), 5);
    store_redis.close(self);
}

static void an_emptied_server_is_noticed_and_filled_again(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON, 10000, 1);
    assert_int_equal(apply(self, &row, 1, -1, 0), ST_OK);
    freeReplyObject(redis_server_do(&server, "FLUSHALL"));

    struct store_batch batch = batch_of(&row, 1, 0, 1);
    struct error err;
    int64_t applied = -2;
    assert_int_equal(store_redis.apply(self, 0, &batch, &applied, &err), ST_LOST);
    assert_int_equal(applied, -1);
    assert_int_equal(redis_server_number(&server, "DBSIZE"), 0);

    assert_int_equal(apply(self, &row, 1, -1, 0), ST_OK);
    assert_int_equal(apply(self, &row, 1, 0, 1), ST_OK);
    assert_int_equal(redis_server_number(&server, "EXISTS weir:about"), 1);
    assert_int_equal(place(self, 0), 1);
    store_redis.close(self);
}

static void another_plan_takes_over_with_its_first_batch_only(void **unused)
{
    (void)unused;
    void *before = open_store(), *after = open_plan(server.unix_url, 0xdef);
    struct output outputs[2] = {
        sample_row(A, NOON, 10000, 1), sample_alert("f00d", A, ALERT_FIRING)};
    assert_int_equal(apply(before, outputs, 2, -1, 5), ST_OK);
    struct store_batch batch = batch_of(outputs, 1, -1, 8);
    struct error err;
    int64_t applied;
    assert_int_equal(store_redis.apply(before, 1, &batch, &applied, &err), ST_OK);

    assert_int_equal(place(after, 0), -1);
    batch = batch_of(outputs, 1, 5, 6);
    assert_int_equal(store_redis.apply(after, 0, &batch, &applied, &err), ST_LOST);
    assert_int_equal(applied, -1);
    assert_int_equal(place(before, 0), 5);

    assert_int_equal(apply(after, outputs, 1, -1, 0), ST_OK);
    assert_int_equal(place(after, 0), 0);
    assert_int_equal(place(after, 1), -1);
    assert_int_equal(place(before, 0), -1);
    assert_int_equal(redis_server_number(&server, "HLEN weir:alerts:active"), 0);
    assert_int_equal(apply(before, outputs, 1, 5, 6), ST_LOST);
    store_redis.close(before);
    store_redis.close(after);
}

static void an_alert_is_active_until_it_is_resolved(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output alert = sample_alert("f00d", A, ALERT_FIRING);
    assert_int_equal(apply(self, &alert, 1, -1, 0), ST_OK);
    const char *active = redis_server_text(&server, "HGET weir:alerts:active f00d");
    assert_non_null(strstr(active, "\"rule\":\"slow\",\"series\":\"" A "\",\"state\":\"firing\""));

    alert = sample_alert("f00d", A, ALERT_RESOLVED);
    struct store_batch batch = batch_of(&alert, 1, 0, 1);
    struct error err;
    int64_t applied;
    batch.refill = true;
    assert_int_equal(store_redis.apply(self, 0, &batch, &applied, &err), ST_OK);
    assert_int_equal(redis_server_number(&server, "HLEN weir:alerts:active"), 0);

    redisReply *events = redis_server_do(&server, "XRANGE weir:alerts - +");
    assert_int_equal(events->elements, 2);
    const redisReply *first = events->element[0]->element[1];
    const redisReply *second = events->element[1]->element[1];
    assert_int_equal(first->elements, 28);
    assert_string_equal(first->element[0]->str, "id");
    assert_string_equal(first->element[1]->str, "f00d");
    assert_string_equal(first->element[7]->str, "firing");
    assert_string_equal(first->element[13]->str, "750.5");
    assert_string_equal(first->element[10]->str, "condition");
    assert_string_equal(first->element[11]->str, "p99 > 500ms");
    assert_string_equal(first->element[14]->str, "labels");
    assert_string_equal(first->element[15]->str, "{\"alertname\":\"slow\",\"severity\":\"page\"}");
    assert_string_equal(first->element[17]->str, "{\"summary\":\"p99 is 751ms\"}");
    assert_string_equal(first->element[18]->str, "exemplars");
    assert_string_equal(first->element[19]->str, "[]");
    assert_string_equal(first->element[20]->str, "errors");
    assert_string_equal(first->element[22]->str, "members");
    assert_string_equal(first->element[27]->str, "1714564830000");
    assert_int_equal(second->elements, 30);
    assert_string_equal(second->element[28]->str, "refilled");
    freeReplyObject(events);
    store_redis.close(self);
}

static void who_reads_what_fires_is_told_while_a_partition_is_refilled(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON, 10000, 1);
    struct store_batch batch = batch_of(&row, 1, -1, 0);
    struct error err;
    int64_t applied;
    batch.refill = true;
    assert_int_equal(store_redis.apply(self, 3, &batch, &applied, &err), ST_OK);
    assert_int_equal(redis_server_number(&server, "HGET weir:applied refill:3"), 1);
    batch = batch_of(&row, 1, 0, 1);
    assert_int_equal(store_redis.apply(self, 3, &batch, &applied, &err), ST_OK);
    assert_int_equal(redis_server_number(&server, "HGET weir:applied refill:3"), 1);
    batch = batch_of(&row, 1, 1, 2);
    batch.whole = true;
    assert_int_equal(store_redis.apply(self, 3, &batch, &applied, &err), ST_OK);
    assert_int_equal(redis_server_number(&server, "HGET weir:applied refill:3"), -1);

    batch = batch_of(&row, 1, 2, 3);
    batch.refill = true;
    assert_int_equal(store_redis.apply(self, 3, &batch, &applied, &err), ST_OK);
    assert_int_equal(store_redis.refilled(self, 3, &err), ST_OK);
    assert_int_equal(redis_server_number(&server, "HGET weir:applied refill:3"), -1);
    assert_int_equal(redis_server_number(&server, "HGET weir:applied 3"), 3);
    store_redis.close(self);
}

static void the_alerts_stream_is_bounded(void **unused)
{
    (void)unused;
    struct store_config config = config_for(server.unix_url);
    struct error err;
    void *self = NULL;
    config.alerts_max = 100;
    assert_int_equal(store_redis.open(&self, &config, &err), ST_OK);
    struct output alerts[STORE_BATCH_MAX];
    for (int i = 0; i < STORE_BATCH_MAX; i++)
        alerts[i] = sample_alert("f00d", A, i % 2 == 0 ? ALERT_FIRING : ALERT_RESOLVED);
    for (int64_t b = 0; b < 5; b++)
        assert_int_equal(
            apply(self, alerts, STORE_BATCH_MAX, b == 0 ? -1 : 200 * b - 1, 200 * b + 199), ST_OK);
    assert_true(redis_server_number(&server, "XLEN weir:alerts") < 300); /* whole nodes go */
    store_redis.close(self);
}

static void what_was_sent_too_long_ago_is_left_out(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output rows[2] = {sample_row(A, NOON, 10000, 1), sample_row(A, NOON, 60000, 1)};
    rows[0].row.sent_ms = NOW - 3600 * 1000 - 1;
    rows[1].row.sent_ms = NOW - 3600 * 1000 - 1;
    assert_int_equal(apply(self, rows, 2, -1, 1), ST_OK);
    assert_int_equal(
        redis_server_number(&server, "EXISTS weir:history:10s:" A ":1714564800000"), 0);
    assert_int_equal(redis_server_number(&server, "EXISTS weir:now:" A), 0);
    assert_int_equal(redis_server_number(&server, "EXISTS weir:history:1m:" A ":1714564800000"), 1);
    assert_int_equal(place(self, 0), 1);
    store_redis.close(self);
}

static void assert_lives(const char *key, int64_t least_s, int64_t most_s)
{
    char line[256];
    snprintf(line, sizeof(line), "TTL %s", key);
    int64_t seconds = redis_server_number(&server, line);
    if (seconds < least_s || seconds > most_s)
        fail_msg("%s lives %lld s, not %lld to %lld", key, (long long)seconds, (long long)least_s,
            (long long)most_s);
}

static void every_key_expires_as_long_after_sending_as_it_is_kept(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output rows[3] = {sample_row(A, NOON, 10000, 1), sample_row(A, NOON, 60000, 1),
        sample_row(A, NOON - 50000, 60000, 1)};
    rows[2].row.rolling = true;
    for (int i = 0; i < 3; i++)
        rows[i].row.sent_ms = NOW - 10000;
    rows[1].row.sketch = bytes_of("sketch");
    assert_int_equal(apply(self, rows, 3, -1, 2), ST_OK);
    assert_lives("weir:history:10s:" A ":1714564800000", 3500, 3590);
    assert_lives("weir:history:1m:" A ":1714564800000", 86300, 86390);
    assert_lives("weir:sketch:1m:" A ":1714564800000", 86300, 86390);
    assert_lives("weir:now:" A, 140, 230); /* 3 widths and a minute after it was sent */
    assert_lives("weir:services", 86300, 86390);
    assert_lives("weir:series:a", 86300, 86390);
    store_redis.close(self);
}

static void a_refill_leaves_provisional_rows_out(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON, 10000, 1);
    struct store_batch batch = batch_of(&row, 1, -1, 0);
    struct error err;
    int64_t applied;
    row.row.status = ROW_PROVISIONAL;
    batch.refill = true;
    assert_int_equal(store_redis.apply(self, 0, &batch, &applied, &err), ST_OK);
    assert_int_equal(redis_server_number(&server, "EXISTS weir:now:" A), 0);
    store_redis.close(self);
}

static void indexes_forget_what_is_older_than_the_longest_retention(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row("service=old", NOON, 10000, 1);
    assert_int_equal(apply(self, &row, 1, -1, 0), ST_OK);
    row = sample_row(A, NOON + 86400 * 1000 + 1, 10000, 1);
    assert_int_equal(apply(self, &row, 1, 0, 1), ST_OK);
    assert_int_equal(redis_server_number(&server, "ZCARD weir:services"), 1);
    assert_int_equal(redis_server_number(&server, "ZSCORE weir:services a"), NOON + 86410001);
    store_redis.close(self);
}

static void names_are_data_whatever_they_hold(void **unused)
{
    (void)unused;
    void *self = open_store();
    static const char series[] = "service=x\r\n*1\r\n$8\r\nFLUSHALL\r\n $%s %n";
    struct output outputs[2] = {
        sample_row(series, NOON, 10000, 1), sample_alert("f00d", series, ALERT_FIRING)};
    outputs[1].alert.rule = bytes_of("a\"},{\"b\\\n");
    assert_int_equal(apply(self, outputs, 2, -1, 1), ST_OK);
    redisReply *score = redisCommand(server.client, "ZSCORE weir:series:%s %s", series + 8, series);
    assert_string_equal(score->str, "1714564810000");
    freeReplyObject(score);
    assert_int_equal(place(self, 0), 1);
    store_redis.close(self);
}

static void a_full_batch_of_large_rows_is_one_call(void **unused)
{
    (void)unused;
    void *self = open_store();
    static struct output rows[STORE_BATCH_MAX];
    static char series[STORE_BATCH_MAX][9000];
    for (int i = 0; i < STORE_BATCH_MAX; i++) {
        int size = snprintf(series[i], sizeof(series[i]), "service=s%d;operation=", i);
        memset(series[i] + size, 'x', sizeof(series[i]) - (size_t)size - 1);
        rows[i] = sample_row(series[i], NOON, 60000, 1);
        rows[i].row.sketch = bytes_of(series[i]);
    }
    assert_int_equal(apply(self, rows, STORE_BATCH_MAX, -1, 199), ST_OK);
    assert_int_equal(redis_server_number(&server, "ZCARD weir:services"), STORE_BATCH_MAX);
    store_redis.close(self);
}

static enum status apply_at(const char *url, struct error *err)
{
    struct store_config config = config_for(url);
    struct output row = sample_row(A, NOON, 10000, 1);
    struct store_batch batch = batch_of(&row, 1, -1, 0);
    void *self = NULL;
    int64_t applied;
    config.timeout_ns = 2 * NS_PER_S;
    enum status status = store_redis.open(&self, &config, err);
    if (status != ST_OK) return status;
    status = store_redis.apply(self, 0, &batch, &applied, err);
    store_redis.close(self);
    return status;
}

static void tcp_and_databases_work(void **unused)
{
    (void)unused;
    char url[160];
    struct error err;
    snprintf(url, sizeof(url), "%s/3", server.tcp_url);
    assert_int_equal(apply_at(url, &err), ST_OK);
    assert_int_equal(redis_server_number(&server, "DBSIZE"), 0);
    snprintf(url, sizeof(url), "%s?db=4", server.unix_url);
    assert_int_equal(apply_at(url, &err), ST_OK);
    snprintf(url, sizeof(url), "%s/99", server.tcp_url);
    assert_int_equal(apply_at(url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "databases"));
}

static void nobody_there_is_worth_another_try(void **unused)
{
    (void)unused;
    struct error err;
    assert_int_equal(apply_at("unix:///nonexistent/redis.sock", &err), ST_RETRY);
    assert_non_null(strstr(err.text, "cannot connect to unix:///nonexistent/redis.sock"));
    assert_int_equal(apply_at("redis://127.0.0.1:1", &err), ST_RETRY);
    assert_non_null(strstr(err.text, "Connection refused"));
}

static void a_killed_server_is_retried_and_found_empty(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON, 10000, 1);
    assert_int_equal(apply(self, &row, 1, -1, 0), ST_OK);
    redis_server_kill(&server);
    assert_int_equal(apply(self, &row, 1, 0, 1), ST_RETRY);
    assert_int_equal(apply(self, &row, 1, 0, 1), ST_RETRY);
    redis_server_restart(&server);
    assert_int_equal(apply(self, &row, 1, 0, 1), ST_LOST);
    assert_int_equal(apply(self, &row, 1, -1, 0), ST_OK);
    store_redis.close(self);
}

static void a_connection_cut_by_the_server_is_made_again(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON, 10000, 1);
    assert_int_equal(apply(self, &row, 1, -1, 0), ST_OK);
    freeReplyObject(redis_server_do(&server, "CLIENT KILL SKIPME yes TYPE normal"));
    assert_int_equal(apply(self, &row, 1, 0, 1), ST_RETRY);
    assert_int_equal(apply(self, &row, 1, 0, 1), ST_OK);
    store_redis.close(self);
}

static void a_server_that_does_not_answer_is_not_waited_for(void **unused)
{
    (void)unused;
    struct store_config config = config_for(server.unix_url);
    struct output row = sample_row(A, NOON, 10000, 1);
    struct error err;
    void *self = NULL;
    config.timeout_ns = 100 * NS_PER_MS;
    assert_int_equal(store_redis.open(&self, &config, &err), ST_OK);
    assert_int_equal(place(self, 0), -1);
    kill(server.pid, SIGSTOP);
    enum status status = apply(self, &row, 1, -1, 0);
    kill(server.pid, SIGCONT);
    assert_int_equal(status, ST_RETRY);
    store_redis.close(self);
}

static void what_does_not_speak_redis_is_left_alone(void **unused)
{
    (void)unused;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&at, &size);
    pid_t pid = fork();
    if (pid == 0) {
        int peer = accept(listener, NULL, NULL);
        ssize_t sent = write(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
        _exit(sent == 28 && read(peer, &at, 1) >= 0 ? 0 : 1);
    }
    char url[64];
    struct error err;
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(apply_at(url, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "does not speak the Redis protocol"));
    kill(pid, SIGKILL);
    close(listener);
}

#define ACL_LINE "ACL SETUSER weir on >s:e@c/r%t ~weir:* +@all"

static void a_wrong_password_is_fatal_and_never_shown(void **unused)
{
    (void)unused;
    char url[160];
    struct error err;
    freeReplyObject(redis_server_do(&server, ACL_LINE));
    snprintf(url, sizeof(url), "redis://weir:opensesame@127.0.0.1:%d", server.port);
    assert_int_equal(apply_at(url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "WRONGPASS"));
    assert_null(strstr(err.text, "opensesame"));

    freeReplyObject(redis_server_do(&server, "CONFIG SET requirepass hunter2"));
    assert_int_equal(apply_at(server.tcp_url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "NOAUTH"));
    snprintf(url, sizeof(url), "redis://:hunter2@127.0.0.1:%d", server.port);
    assert_int_equal(apply_at(url, &err), ST_OK);
    redisReply *reply = redisCommand(server.client, "CONFIG SET requirepass %s", "");
    freeReplyObject(reply);
}

static void a_password_where_none_is_wanted_is_refused_with_advice(void **unused)
{
    (void)unused;
    char url[160];
    struct error err;
    snprintf(url, sizeof(url), "redis://:hunter2@127.0.0.1:%d", server.port);
    assert_int_equal(apply_at(url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "password"));
    assert_null(strstr(err.text, "hunter2"));
}

static void a_full_server_is_worth_another_try_and_holds_nothing_of_the_batch(void **unused)
{
    (void)unused;
    struct error err;
    freeReplyObject(redis_server_do(&server, "CONFIG SET maxmemory 1"));
    assert_int_equal(apply_at(server.unix_url, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "maxmemory"));
    assert_int_equal(redis_server_number(&server, "DBSIZE"), 0);
    freeReplyObject(redis_server_do(&server, "CONFIG SET maxmemory 0"));
    assert_int_equal(apply_at(server.unix_url, &err), ST_OK);
}

static void a_read_only_replica_is_worth_another_try(void **unused)
{
    (void)unused;
    struct redis_server replica;
    struct error err;
    redis_server_start(&replica, (const char *const[]){"--replicaof", "127.0.0.1 1", NULL});
    enum status status = apply_at(replica.unix_url, &err);
    redis_server_stop(&replica);
    assert_int_equal(status, ST_RETRY);
    assert_non_null(strstr(err.text, "read-only replica"));
}

static void a_cluster_is_refused_with_the_reason(void **unused)
{
    (void)unused;
    struct redis_server cluster;
    struct error err;
    redis_server_start(&cluster, (const char *const[]){"--cluster-enabled", "yes", NULL});
    enum status status = apply_at(cluster.unix_url, &err);
    redis_server_stop(&cluster);
    assert_int_equal(status, ST_FATAL);
    assert_non_null(strstr(err.text, "is a Redis Cluster"));
}

static struct store_place place_now(void *self)
{
    struct store_place place = {.applied = -2};
    struct error err;
    assert_int_equal(store_redis.place(self, 0, &place, &err), ST_OK);
    return place;
}

static void set_memory(const char *max, const char *policy)
{
    char line[128];
    snprintf(line, sizeof(line), "CONFIG SET maxmemory %s maxmemory-policy %s", max, policy);
    freeReplyObject(redis_server_do(&server, line));
}

/* Rows of many series after offset `prev`, each a key or two. */
static void apply_many(void *self, int64_t prev, bool from_start)
{
    static struct output rows[STORE_BATCH_MAX];
    static char series[STORE_BATCH_MAX][64];
    struct store_batch batch = batch_of(rows, STORE_BATCH_MAX, prev, prev + STORE_BATCH_MAX);
    struct error err;
    int64_t applied;
    batch.from_start = from_start;
    for (int i = 0; i < STORE_BATCH_MAX; i++) {
        snprintf(series[i], sizeof(series[i]), "service=s%lld-%d", (long long)prev, i);
        rows[i] = sample_row(series[i], NOON, 10000, 1);
    }
    assert_int_equal(store_redis.apply(self, 0, &batch, &applied, &err), ST_OK);
}

static void what_the_server_threw_away_is_told_until_it_is_filled_from_the_start(void **unused)
{
    (void)unused;
    void *self = open_store();
    freeReplyObject(redis_server_do(&server, "CONFIG RESETSTAT"));
    assert_int_equal(place_now(self).evicted_ever, 0);
    apply_many(self, -1, true);
    assert_int_equal(place_now(self).evicted, 0);

    char room[32];
    redisReply *info = redis_server_do(&server, "INFO memory");
    unsigned long long used = strtoull(strstr(info->str, "used_memory:") + 12, NULL, 10);
    snprintf(room, sizeof(room), "%llu", used + 500000);
    freeReplyObject(info);
    set_memory(room, "volatile-ttl"); /* places have no time to live, so they stay */
    for (int64_t prev = 199; prev < 199 + 10 * STORE_BATCH_MAX; prev += STORE_BATCH_MAX)
        apply_many(self, prev, false);
    struct store_place place = place_now(self);
    assert_true(place.evicted > 0);
    assert_int_equal(place.evicted, place.evicted_ever);
    assert_string_equal(place.policy, "volatile-ttl");
    assert_int_equal(place.memory_max, strtoull(room, NULL, 10));

    set_memory("0", "noeviction");
    void *after = open_store(); /* another worker knows it too */
    assert_true(place_now(after).evicted >= place.evicted);
    store_redis.close(after);

    struct error err;
    assert_int_equal(store_redis.forget(self, 0, &err), ST_OK);
    assert_int_equal(place_now(self).applied, -1);
    apply_many(self, -1, false); /* going on without the start makes nothing good */
    assert_true(place_now(self).evicted > 0);
    assert_int_equal(store_redis.forget(self, 0, &err), ST_OK);
    assert_int_equal(place_now(self).applied, -1);
    apply_many(self, -1, true);
    assert_int_equal(place_now(self).evicted, 0);
    assert_true(place_now(self).evicted_ever > 0);
    store_redis.close(self);
}

static void what_keeps_it_from_taking_rows_has_a_name(void **unused)
{
    (void)unused;
    void *self = open_store();
    struct output row = sample_row(A, NOON, 10000, 1);
    set_memory("1", "noeviction");
    assert_int_equal(apply(self, &row, 1, -1, 0), ST_RETRY);
    assert_int_equal(store_redis.trouble(self), STORE_FULL);
    set_memory("0", "noeviction");
    freeReplyObject(redis_server_do(&server, "REPLICAOF 127.0.0.1 1"));
    assert_int_equal(apply(self, &row, 1, -1, 0), ST_RETRY);
    assert_int_equal(store_redis.trouble(self), STORE_READ_ONLY);
    freeReplyObject(redis_server_do(&server, "REPLICAOF NO ONE"));
    assert_int_equal(apply(self, &row, 1, -1, 0), ST_OK);
    redis_server_kill(&server);
    assert_int_equal(apply(self, &row, 1, 0, 1), ST_RETRY);
    assert_int_equal(store_redis.trouble(self), STORE_AWAY);
    redis_server_restart(&server);
    store_redis.close(self);
}

static void a_slow_server_is_told_from_one_that_is_away_and_a_batch_it_did_counts_once(
    void **unused)
{
    (void)unused;
    struct store_config config = config_for(server.unix_url);
    struct output alert = sample_alert("f00d", A, ALERT_FIRING);
    struct store_batch batch = batch_of(&alert, 1, -1, 0);
    struct error err;
    void *self = NULL;
    int64_t applied;
    config.timeout_ns = 100 * NS_PER_MS;
    assert_int_equal(store_redis.open(&self, &config, &err), ST_OK);
    assert_int_equal(place(self, 0), -1);
    kill(server.pid, SIGSTOP);
    enum status status = store_redis.apply(self, 0, &batch, &applied, &err);
    kill(server.pid, SIGCONT);
    assert_int_equal(status, ST_RETRY);
    assert_int_equal(store_redis.trouble(self), STORE_SLOW);
    assert_non_null(strstr(err.text, "no answer from"));
    assert_non_null(strstr(err.text, "redis.timeout"));
    int64_t until_ns = clock_ns() + 60 * NS_PER_S;
    while ((status = store_redis.apply(self, 0, &batch, &applied, &err)) == ST_RETRY &&
           clock_ns() < until_ns) {
    }
    assert_int_equal(status, ST_OK);
    assert_int_equal(redis_server_number(&server, "XLEN weir:alerts"), 1);
    store_redis.close(self);
}

static void keys_of_another_type_are_fatal(void **unused)
{
    (void)unused;
    struct error err;
    freeReplyObject(redis_server_do(&server, "SET weir:services mine"));
    assert_int_equal(apply_at(server.unix_url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "another prefix"));
}

static void urls_are_read_as_written(void **unused)
{
    (void)unused;
    struct redis_address address;
    struct error err;
    assert_int_equal(redis_address_parse(&address, "redis://127.0.0.1", &err), ST_OK);
    assert_string_equal(address.peer.port, "6379");
    assert_false(address.login.has_password);
    assert_int_equal(
        redis_address_parse(&address, "redis://me:p%40s%3as@cache.example:6380/2", &err), ST_OK);
    assert_string_equal(address.peer.host, "cache.example");
    assert_string_equal(address.peer.port, "6380");
    assert_string_equal(address.login.user, "me");
    assert_string_equal(address.login.password, "p@s:s");
    assert_int_equal(address.database, 2);
    assert_string_equal(address.shown, "redis://me@cache.example:6380/2");
    assert_int_equal(redis_address_parse(&address, "redis://:secret@[::1]:7000", &err), ST_OK);
    assert_string_equal(address.peer.host, "::1");
    assert_string_equal(address.peer.port, "7000");
    assert_string_equal(address.shown, "redis://[::1]:7000");
    assert_int_equal(redis_address_parse(&address, "unix:///run/a%20b.sock?db=7", &err), ST_OK);
    assert_true(address.peer.is_unix);
    assert_string_equal(address.peer.path, "/run/a b.sock");
    assert_int_equal(address.database, 7);
    assert_int_equal(redis_address_parse(&address, "unix://u:p@/run/redis.sock", &err), ST_OK);
    assert_string_equal(address.login.user, "u");
}

static void urls_that_are_none_are_refused_without_their_password(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"", "127.0.0.1:6379", "http://:hunter2@x",
        "redis://:hunter2@h:port", "redis://:hunter2@h:0", "redis://:hunter2@h:65536",
        "redis://:hunter2@h/x", "redis://:hunter2%4@h", "redis://:hunter2%00@h",
        "redis://:hunter2@[::1", "redis://:hunter2@[::1]x", "unix://:hunter2@run", "unix://",
        "unix:///a?base=hunter2", "redisx://:hunter2@h",
        "unix:///"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct redis_address address;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err;
        assert_int_equal(redis_address_parse(&address, bad[i], &err), ST_FATAL);
        assert_null(strstr(err.text, "hunter2"));
    }
}

static int start_shared(void **unused)
{
    (void)unused;
    redis_server_start(&server, NULL);
    return 0;
}

static int stop_shared(void **unused)
{
    (void)unused;
    redis_server_stop(&server);
    return 0;
}

#define ON_EMPTY(test) cmocka_unit_test_setup(test, empty_server)

int main(void)
{
    redis_server_require();
    const struct CMUnitTest tests[] = {
        ON_EMPTY(a_closed_pane_is_shown_kept_and_indexed),
        ON_EMPTY(each_row_goes_where_its_kind_belongs),
        ON_EMPTY(an_older_row_does_not_replace_a_newer_one),
        ON_EMPTY(a_revised_slice_overwrites_its_history),
        ON_EMPTY(a_full_bucket_stays_a_listpack),
        ON_EMPTY(the_same_batch_twice_counts_once),
        ON_EMPTY(a_gap_writes_nothing_and_tells_the_place),
        ON_EMPTY(partitions_have_places_of_their_own),
        ON_EMPTY(an_emptied_server_is_noticed_and_filled_again),
        ON_EMPTY(another_plan_takes_over_with_its_first_batch_only),
        ON_EMPTY(an_alert_is_active_until_it_is_resolved),
        ON_EMPTY(who_reads_what_fires_is_told_while_a_partition_is_refilled),
        ON_EMPTY(the_alerts_stream_is_bounded),
        ON_EMPTY(what_was_sent_too_long_ago_is_left_out),
        ON_EMPTY(every_key_expires_as_long_after_sending_as_it_is_kept),
        ON_EMPTY(a_refill_leaves_provisional_rows_out),
        ON_EMPTY(indexes_forget_what_is_older_than_the_longest_retention),
        ON_EMPTY(names_are_data_whatever_they_hold),
        ON_EMPTY(a_full_batch_of_large_rows_is_one_call),
        ON_EMPTY(tcp_and_databases_work),
        ON_EMPTY(nobody_there_is_worth_another_try),
        ON_EMPTY(a_killed_server_is_retried_and_found_empty),
        ON_EMPTY(a_connection_cut_by_the_server_is_made_again),
        ON_EMPTY(a_server_that_does_not_answer_is_not_waited_for),
        ON_EMPTY(what_does_not_speak_redis_is_left_alone),
        ON_EMPTY(a_wrong_password_is_fatal_and_never_shown),
        ON_EMPTY(a_password_where_none_is_wanted_is_refused_with_advice),
        ON_EMPTY(a_full_server_is_worth_another_try_and_holds_nothing_of_the_batch),
        ON_EMPTY(a_read_only_replica_is_worth_another_try),
        ON_EMPTY(a_cluster_is_refused_with_the_reason),
        ON_EMPTY(what_the_server_threw_away_is_told_until_it_is_filled_from_the_start),
        ON_EMPTY(what_keeps_it_from_taking_rows_has_a_name),
        ON_EMPTY(a_slow_server_is_told_from_one_that_is_away_and_a_batch_it_did_counts_once),
        ON_EMPTY(keys_of_another_type_are_fatal),
        cmocka_unit_test(urls_are_read_as_written),
        cmocka_unit_test(urls_that_are_none_are_refused_without_their_password),
    };
    return cmocka_run_group_tests_name("redis", tests, start_shared, stop_shared);
}
