/*
 * Lines from a real Redis to a real socket: each alert is told once, and its end, whatever comes in between:
 * repeats, another order, a notifier that dies, a receiver or a Redis that is away or forgets.
 */
#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "engine/base/log.h"
#include "engine/notify_line.h"
#include "tests/support/http_server.h"
#include "tests/support/receiver.h"
#include "tests/support/redis_server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SOON_MS = 20000, QUIET_MS = 900 };

static struct redis_server redis;
static struct http_server hook, other;
static const char *claim_after = "1s";

/* One notifier with one line. */
struct cast {
    struct config config;
    struct notify notify;
    struct notify_line *line;
    pthread_t thread;
};

/* `receiver` is YAML with one %d, the port. */
static void enter_place(
    struct cast *cast, const char *notifier, const char *receiver, int port, size_t place)
{
    char yaml[2048], list[1024];
    struct error err;
    *cast = (struct cast){.line = NULL};
    snprintf(list, sizeof(list), receiver, port);
    snprintf(yaml, sizeof(yaml),
        "{redis: {url: '%s', timeout: 500ms}, notify: {claim_after: %s, receivers: [%s]}}",
        redis.unix_url, claim_after, list);
    if (config_load_bytes(&cast->config, "test", bytes_of(yaml), NULL, &err) != ST_OK)
        fail_msg("%s", err.text);
    cast->notify.config = &cast->config;
    snprintf(cast->notify.notifier, sizeof(cast->notify.notifier), "%s", notifier);
    cast->line = calloc(1, sizeof(*cast->line));
    const struct receiver *first = &cast->config.receiver[0];
    if (notify_line_open(cast->line, &cast->notify, first, place, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&cast->thread, NULL, notify_line_main, cast->line), 0);
}

static void enter(struct cast *cast, const char *notifier, const char *receiver, int port)
{
    enter_place(cast, notifier, receiver, port, 0);
}

static void leave(struct cast *cast)
{
    atomic_store(&cast->notify.stopping, true);
    pthread_join(cast->thread, NULL);
    if (atomic_load(&cast->notify.failed)) fail_msg("%s", cast->notify.failure.text);
    notify_line_release(cast->line);
    free(cast->line);
    config_release(&cast->config);
}

#define HOOK "{name: hook, webhook: 'http://127.0.0.1:%d/', timeout: 300ms}"

static redisReply *ask(int count, const char **words)
{
    redisReply *reply = redisCommandArgv(redis.client, count, words, NULL);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s %s: %s", words[0], words[1], reply->str);
    return reply;
}

static const char *number_text(int64_t number)
{
    static char texts[16][32];
    static size_t next;
    char *text = texts[next++ % 16];
    snprintf(text, sizeof(texts[0]), "%lld", (long long)number);
    return text;
}

static int64_t wall_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

static const char *labels_of(const char *id, const char *severity)
{
    static char text[256];
    snprintf(text, sizeof(text),
        "{\"alertname\":\"slow\",\"service\":\"cart\",\"severity\":\"%s\",\"alert\":\"%s\"}",
        severity, id);
    return text;
}

/* As the sink appends it; `at` is "*" or an entry's id. */
static void append(
    const char *at, const char *id, const char *state, int64_t at_ms, const char *more)
{
    const char *words[] = {"XADD", "weir:alerts", at, "id", id, "rule", "slow", "series",
        "service=cart", "state", state, "severity", "page", "since_ms", number_text(at_ms - 1000),
        "at_ms", number_text(at_ms), "labels", labels_of(id, "page"), "refilled", more};
    freeReplyObject(ask(more == NULL ? 19 : 21, words));
}

static void set_active(const char *id, int64_t at_ms)
{
    char json[512];
    snprintf(json, sizeof(json), "{\"id\":\"%s\",\"rule\":\"slow\",\"at_ms\":%lld,\"labels\":%s}",
        id, (long long)at_ms, labels_of(id, "page"));
    const char *words[] = {"HSET", "weir:alerts:active", id, json};
    freeReplyObject(ask(4, words));
}

static void clear_active(const char *id)
{
    const char *words[] = {"HDEL", "weir:alerts:active", id};
    freeReplyObject(ask(3, words));
}

/* What a sink does when an alert fires and when it is resolved. */
static void fire(const char *id, int64_t at_ms)
{
    set_active(id, at_ms);
    append("*", id, "firing", at_ms, NULL);
}

static void resolve(const char *id, int64_t at_ms)
{
    clear_active(id);
    append("*", id, "resolved", at_ms, NULL);
}

static void settle_store(void)
{
    freeReplyObject(redis_server_do(&redis, "HSET weir:applied plan abc 0 10 1 12"));
}

static int fresh(void **unused)
{
    (void)unused;
    http_server_forget(&hook);
    http_server_forget(&other);
    http_server_answer(&hook, 200, NULL, "");
    http_server_answer(&other, 200, NULL, "");
    freeReplyObject(redis_server_do(&redis, "FLUSHALL"));
    settle_store();
    return 0;
}

/* The requests with this key so far. */
static int told(struct http_server *server, const char *key)
{
    int count = 0;
    for (size_t i = 0; i < http_server_requests(server); i++) {
        char value[128];
        const struct http_request *request = http_server_request(server, i);
        count += strcmp(http_request_header(request, "Idempotency-Key", value, 128), key) == 0;
    }
    return count;
}

/* `at_ms` in the body that came with this key, as it was last; 0: none came. */
static int64_t told_at_ms(struct http_server *server, const char *key)
{
    int64_t at_ms = 0;
    for (size_t i = 0; i < http_server_requests(server); i++) {
        char value[128];
        const struct http_request *request = http_server_request(server, i);
        if (strcmp(http_request_header(request, "Idempotency-Key", value, 128), key) != 0) continue;
        json_t *body = json_loads(request->body, 0, NULL);
        at_ms = json_integer_value(json_object_get(body, "at_ms"));
        json_decref(body);
    }
    return at_ms;
}

static void await_told(struct http_server *server, const char *key, int count)
{
    for (int waited = 0; told(server, key) < count; waited += 20) {
        if (waited > SOON_MS) fail_msg("%s was not told %d times", key, count);
        clock_sleep(20 * NS_PER_MS);
    }
    assert_int_equal(told(server, key), count);
}

static long long pending(const char *place)
{
    char line[128];
    snprintf(line, sizeof(line), "XPENDING weir:alerts %s", place);
    redisReply *reply = redis_server_do(&redis, line);
    long long count = reply->type == REDIS_REPLY_ARRAY ? reply->element[0]->integer : -1;
    freeReplyObject(reply);
    return count;
}

static void await_pending(const char *place, long long count)
{
    for (int waited = 0; pending(place) != count; waited += 20) {
        if (waited > SOON_MS) fail_msg("%lld entries are pending", pending(place));
        clock_sleep(20 * NS_PER_MS);
    }
}

/* The state that the book in Redis has of an alert. */
static const char *book_state(const char *place, const char *id)
{
    static char state[32];
    char line[256];
    snprintf(line, sizeof(line), "HGET weir:notify:%s %s", place, id);
    state[0] = '\0';
    sscanf(redis_server_text(&redis, line), "%*[0-9]:%31[a-z]", state);
    return state;
}

static void await_book(const char *place, const char *id, const char *state)
{
    for (int waited = 0; strcmp(book_state(place, id), state) != 0; waited += 20) {
        if (waited > SOON_MS)
            fail_msg("the book says \"%s\" of %s, not %s", book_state(place, id), id, state);
        clock_sleep(20 * NS_PER_MS);
    }
}

static void quiet(void)
{
    clock_sleep(QUIET_MS * NS_PER_MS);
}

static void an_alert_is_told_when_it_fires_and_when_it_is_resolved(void **unused)
{
    (void)unused;
    struct cast cast;
    enter(&cast, "a", HOOK, hook.port);
    fire("f1", wall_ms());
    await_told(&hook, "f1-firing", 1);
    await_pending("hook", 0);
    assert_string_equal(book_state("hook", "f1"), "firing");
    resolve("f1", wall_ms());
    await_told(&hook, "f1-resolved", 1);
    await_book("hook", "f1", "resolved");
    await_pending("hook", 0);
    quiet();
    assert_int_equal(http_server_requests(&hook), 2);
    leave(&cast);
}

static void a_repeated_entry_is_told_once(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    fire("f1", at_ms);
    append("*", "f1", "firing", at_ms, NULL);
    enter(&cast, "a", HOOK, hook.port);
    await_told(&hook, "f1-firing", 1);
    append("*", "f1", "firing", at_ms, NULL);
    resolve("f1", at_ms + 10);
    append("*", "f1", "resolved", at_ms + 10, NULL);
    await_told(&hook, "f1-resolved", 1);
    append("*", "f1", "resolved", at_ms + 10, NULL);
    await_pending("hook", 0);
    quiet();
    assert_int_equal(http_server_requests(&hook), 2);
    leave(&cast);
}

/* Claims may bring the resolved entry first. */
static void what_is_over_when_its_firing_comes_is_not_told_to_fire(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    append("*", "f1", "resolved", at_ms + 10, NULL);
    append("*", "f1", "firing", at_ms, NULL);
    fire("f2", at_ms);
    enter(&cast, "a", HOOK, hook.port);
    await_told(&hook, "f2-firing", 1);
    await_pending("hook", 0);
    resolve("f2", at_ms + 10);
    await_told(&hook, "f2-resolved", 1);
    append("*", "f2", "firing", at_ms, NULL);
    await_pending("hook", 0);
    quiet();
    assert_int_equal(http_server_requests(&hook), 2);
    leave(&cast);
}

static void a_receiver_is_told_only_what_it_wants(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    enter(&cast, "a",
        "{name: hook, webhook: 'http://127.0.0.1:%d/', match: {alert: ['p?', q*], service: c*t}}",
        hook.port);
    fire("f1", at_ms);
    fire("p1", at_ms);
    fire("q", at_ms);
    await_told(&hook, "p1-firing", 1);
    await_told(&hook, "q-firing", 1);
    resolve("f1", at_ms + 10);
    resolve("p1", at_ms + 10);
    await_told(&hook, "p1-resolved", 1);
    await_pending("hook", 0);
    quiet();
    assert_int_equal(http_server_requests(&hook), 3);
    leave(&cast);
}

static void what_a_receiver_does_not_take_waits_and_holds_up_nobody_else(void **unused)
{
    (void)unused;
    struct cast failing, working;
    http_server_answer(&hook, 500, NULL, "");
    enter(&failing, "a", HOOK, hook.port);
    double before = metric_value(failing.line->meter.sent[NOTICE_FIRING]);
    enter(&working, "a", "{name: works, webhook: 'http://127.0.0.1:%d/'}", other.port);
    fire("f1", wall_ms());
    fire("f2", wall_ms());
    await_told(&other, "f1-firing", 1);
    await_told(&other, "f2-firing", 1);
    await_pending("works", 0);
    assert_true(http_server_wait(&hook, 2, SOON_MS));
    assert_int_equal(pending("hook"), 2);
    assert_true(metric_value(failing.line->meter.failed[NOTIFY_SERVER]) >= 1);
    struct buffer ready = {0};
    assert_false(ready_print(&ready));
    buffer_append(&ready, "", 1);
    assert_non_null(strstr((char *)ready.data, "receiver hook: not ready: 127.0.0.1:"));
    assert_non_null(strstr((char *)ready.data, "receiver works: ready"));
    buffer_release(&ready);

    /* f1 is over before it could be told; that it may have been is not known, so its end is told. */
    resolve("f1", wall_ms());
    http_server_forget(&hook);
    http_server_answer(&hook, 200, NULL, "");
    await_told(&hook, "f2-firing", 1);
    await_told(&hook, "f1-resolved", 1);
    await_pending("hook", 0);
    assert_int_equal(told(&hook, "f1-firing"), 0);
    assert_true(metric_value(failing.line->meter.sent[NOTICE_FIRING]) == before + 1);
    leave(&failing);
    leave(&working);
}

static void what_a_receiver_refuses_is_not_sent_again(void **unused)
{
    (void)unused;
    struct cast cast;
    http_server_answer(&hook, 422, NULL, "");
    enter(&cast, "a", HOOK, hook.port);
    fire("f1", wall_ms());
    await_book("hook", "f1", "refused");
    await_pending("hook", 0);
    struct buffer ready = {0};
    assert_false(ready_print(&ready));
    buffer_release(&ready);
    http_server_answer(&hook, 200, NULL, "");
    quiet();
    resolve("f1", wall_ms());
    await_pending("hook", 0);
    quiet();
    assert_int_equal(http_server_requests(&hook), 1);
    assert_true(metric_value(cast.line->meter.refused) == 1);
    leave(&cast);
}

/* A resolved alert that is older than give_up, of a receiver that was away for so long. */
static void what_is_too_old_is_given_up(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t old_ms = wall_ms() - 61000;
    char at[32], value[64];
    snprintf(at, sizeof(at), "%lld-1", (long long)old_ms);
    append(at, "f1", "resolved", old_ms, NULL);
    snprintf(value, sizeof(value), "%lld:firing:%lld:x:{\"id\":\"f1\"}", (long long)old_ms - 10,
        (long long)old_ms);
    const char *words[] = {"HSET", "weir:notify:hook", "f1", value};
    freeReplyObject(ask(4, words));
    enter(&cast, "a", "{name: hook, webhook: 'http://127.0.0.1:%d/', give_up: 1m}", hook.port);
    await_book("hook", "f1", "resolved");
    await_pending("hook", 0);
    quiet();
    assert_int_equal(http_server_requests(&hook), 0);
    assert_true(metric_value(cast.line->meter.too_old) == 1);
    leave(&cast);
}

/* An entry that a notifier which died had read; it may have told nothing of it, or all. */
static void read_as_another(const char *place, const char *notifier)
{
    char line[160];
    snprintf(line, sizeof(line), "XGROUP CREATE weir:alerts %s 0 MKSTREAM", place);
    freeReplyObject(redis_server_do(&redis, line));
    snprintf(line, sizeof(line), "XREADGROUP GROUP %s %s COUNT 100 STREAMS weir:alerts >", place,
        notifier);
    freeReplyObject(redis_server_do(&redis, line));
}

static void what_a_dead_notifier_had_in_hand_is_told_by_another(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    fire("f1", at_ms);
    fire("f2", at_ms);
    read_as_another("hook", "dead");
    char value[64];
    snprintf(value, sizeof(value), "%lld:sending:%lld:dead:{\"id\":\"f2\"}", (long long)at_ms,
        (long long)at_ms);
    const char *words[] = {"HSET", "weir:notify:hook", "f2", value};
    freeReplyObject(ask(4, words));
    enter(&cast, "b", HOOK, hook.port);
    await_told(&hook, "f1-firing", 1);
    await_told(&hook, "f2-firing", 1);
    await_pending("hook", 0);
    leave(&cast);
}

/* Started again under its name it need not wait for its own death to be noticed. */
static void a_notifier_of_the_same_name_goes_on_at_once(void **unused)
{
    (void)unused;
    struct cast cast;
    fire("f1", wall_ms());
    read_as_another("hook", "a");
    claim_after = "1h";
    enter(&cast, "a", HOOK, hook.port);
    claim_after = "1s";
    await_told(&hook, "f1-firing", 1);
    await_pending("hook", 0);
    leave(&cast);
}

/* It died after it had told that it fires, and what it read next is the end. */
static void the_end_is_told_of_what_a_dead_notifier_may_have_told(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    fire("f1", at_ms);
    read_as_another("hook", "dead");
    char value[64];
    snprintf(value, sizeof(value), "%lld:sending:%lld:dead:{\"id\":\"f1\"}", (long long)at_ms,
        (long long)at_ms);
    const char *words[] = {"HSET", "weir:notify:hook", "f1", value};
    freeReplyObject(ask(4, words));
    resolve("f1", at_ms + 10);
    enter(&cast, "b", HOOK, hook.port);
    await_told(&hook, "f1-resolved", 1);
    await_pending("hook", 0);
    quiet();
    assert_int_equal(told(&hook, "f1-firing"), 0);
    leave(&cast);
}

/* Redis looks at ten times as many as it is asked for, and those of somebody who is alive come first. */
static void what_a_dead_notifier_had_is_found_behind_what_others_have(void **unused)
{
    (void)unused;
    struct cast cast;
    char id[ALERTS_ENTRY_BYTES];
    int64_t at_ms = wall_ms();
    for (int i = 0; i < 10 * ALERTS_READ_MAX + 20; i++)
        append("*", "busy", "firing", at_ms, NULL);
    set_active("f1", at_ms);
    append("*", "f1", "firing", at_ms, NULL);
    freeReplyObject(redis_server_do(&redis, "XGROUP CREATE weir:alerts hook 0"));
    freeReplyObject(
        redis_server_do(&redis, "XREADGROUP GROUP hook alive COUNT 1000 STREAMS weir:alerts >"));
    redisReply *last = redis_server_do(&redis, "XREVRANGE weir:alerts + - COUNT 1");
    snprintf(id, sizeof(id), "%s", last->element[0]->element[0]->str);
    freeReplyObject(last);
    const char *words[] = {
        "XCLAIM", "weir:alerts", "hook", "dead", "0", id, "IDLE", "7200000", "JUSTID"};
    freeReplyObject(ask(9, words));
    clear_active("f1"); /* so that it is found nowhere else */
    char value[64];
    snprintf(value, sizeof(value), "%lld:firing:%lld:dead:{\"id\":\"f1\"}", (long long)at_ms,
        (long long)at_ms);
    const char *book[] = {"HSET", "weir:notify:hook", "f1", value};
    freeReplyObject(ask(4, book));
    claim_after = "1h";
    enter(&cast, "b", HOOK, hook.port);
    claim_after = "1s";
    await_pending("hook", 10 * ALERTS_READ_MAX + 20);
    leave(&cast);
}

/* The answer to "fires" comes when another notifier has long told the end: the last word must be that. */
static void the_last_word_is_the_right_one(void **unused)
{
    (void)unused;
    struct cast slow, fast;
    static const char patient[] = "{name: hook, webhook: 'http://127.0.0.1:%d/', timeout: 5s}";
    int64_t at_ms = wall_ms();
    http_server_misbehave(&hook, 1500, false, false);
    enter(&slow, "slow", patient, hook.port);
    fire("f1", at_ms);
    assert_true(http_server_wait(&hook, 1, SOON_MS)); /* under way */
    enter(&fast, "fast", patient, other.port);        /* as if it were the same receiver */
    atomic_store(&slow.notify.stopping, true);        /* it reads nothing more */
    resolve("f1", at_ms + 10);
    await_told(&other, "f1-resolved", 1);
    pthread_join(slow.thread, NULL);
    slow.thread = pthread_self();
    http_server_misbehave(&hook, 0, false, false);
    /* What it left is the correction, which it notes in the book before anything else. */
    struct notify_item *item = notify_queue_find(&slow.line->queue, "f1");
    assert_non_null(item);
    assert_true(item->correct);
    atomic_store(&slow.notify.stopping, false);
    assert_int_equal(pthread_create(&slow.thread, NULL, notify_line_main, slow.line), 0);
    /* The receiver has seen the key of its end, and would leave out what carries it. */
    await_told(&hook, "f1-resolved-again", 1);
    assert_true(told_at_ms(&hook, "f1-resolved-again") > at_ms);
    await_pending("hook", 0);
    leave(&slow);
    leave(&fast);
}

static void several_notifiers_share_the_work_and_tell_each_alert_once(void **unused)
{
    (void)unused;
    enum { ALERTS = 60 };
    struct cast cast[3];
    char id[16], key[32];
    int64_t at_ms = wall_ms();
    for (int c = 0; c < 3; c++) {
        snprintf(id, sizeof(id), "n%d", c);
        enter(&cast[c], id, HOOK, hook.port);
    }
    for (int i = 0; i < ALERTS; i++) {
        snprintf(id, sizeof(id), "f%d", i);
        fire(id, at_ms);
        if (i % 2 == 0) clock_sleep(5 * NS_PER_MS);
    }
    assert_true(http_server_wait(&hook, ALERTS, SOON_MS));
    for (int i = 0; i < ALERTS; i++) {
        snprintf(id, sizeof(id), "f%d", i);
        resolve(id, at_ms + 10);
    }
    assert_true(http_server_wait(&hook, 2 * ALERTS, SOON_MS));
    await_pending("hook", 0);
    quiet();
    assert_int_equal(http_server_requests(&hook), 2 * ALERTS);
    for (int i = 0; i < ALERTS; i++) {
        snprintf(key, sizeof(key), "f%d-firing", i);
        assert_int_equal(told(&hook, key), 1);
        snprintf(key, sizeof(key), "f%d-resolved", i);
        assert_int_equal(told(&hook, key), 1);
    }
    for (int c = 0; c < 3; c++)
        leave(&cast[c]);
    /* Who leaves with nothing in hand leaves the group. */
    redisReply *consumers = redis_server_do(&redis, "XINFO CONSUMERS weir:alerts hook");
    assert_int_equal(consumers->elements, 0);
    freeReplyObject(consumers);
}

static void more_than_it_can_hold_waits_in_redis_and_none_is_forgotten(void **unused)
{
    (void)unused;
    enum { ALERTS = NOTIFY_QUEUE_MAX + 100 };
    struct cast cast;
    char id[16];
    int64_t at_ms = wall_ms();
    http_server_answer(&hook, 503, NULL, "");
    for (int i = 0; i < ALERTS; i++) {
        snprintf(id, sizeof(id), "f%d", i);
        fire(id, at_ms);
    }
    enter(&cast, "a", HOOK, hook.port);
    await_pending("hook", NOTIFY_QUEUE_MAX);
    quiet();
    assert_int_equal(pending("hook"), NOTIFY_QUEUE_MAX);
    http_server_forget(&hook);
    http_server_answer(&hook, 200, NULL, "");
    for (int i = 0; i < ALERTS; i++) {
        snprintf(id, sizeof(id), "f%d", i);
        await_book("hook", id, "firing");
    }
    await_pending("hook", 0);
    leave(&cast);
}

static void a_new_receiver_is_told_what_fires_and_not_the_past(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms() - 60000;
    fire("f1", at_ms);
    fire("f2", at_ms);
    resolve("f1", at_ms + 10);
    enter(&cast, "a", HOOK, hook.port);
    await_told(&hook, "f2-firing", 1);
    await_pending("hook", 0);
    quiet();
    assert_int_equal(http_server_requests(&hook), 1);
    leave(&cast);
}

/* The stream is bounded: entries may be gone before they were read, or while they were in hand. */
static void what_the_stream_has_dropped_is_found_among_what_fires(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    fire("f1", at_ms);
    read_as_another("hook", "a");
    freeReplyObject(redis_server_do(&redis, "XTRIM weir:alerts MAXLEN 0"));
    set_active("f2", at_ms);
    enter(&cast, "a", HOOK, hook.port);
    await_told(&hook, "f1-firing", 1);
    await_told(&hook, "f2-firing", 1);
    clear_active("f2");
    await_told(&hook, "f2-resolved", 1);
    assert_true(told_at_ms(&hook, "f2-resolved") > at_ms);
    await_book("hook", "f2", "gone");
    set_active("f2", at_ms); /* and if it was there all the time, that is no repeat */
    await_told(&hook, "f2-firing-again", 1);
    await_book("hook", "f2", "firing");
    assert_int_equal(told(&hook, "f2-firing"), 1);
    leave(&cast);

    /* Nor is its end, whoever tells it. */
    enter(&cast, "b", HOOK, hook.port);
    clock_sleep(NS_PER_S / 2); /* a look */
    resolve("f2", at_ms + 10);
    await_told(&hook, "f2-resolved-again", 1);
    assert_int_equal(told(&hook, "f2-resolved"), 1);
    leave(&cast);
}

static void nothing_is_concluded_while_redis_is_filled_again(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    enter(&cast, "a", HOOK, hook.port);
    fire("f1", at_ms);
    await_told(&hook, "f1-firing", 1);
    await_book("hook", "f1", "firing");
    await_pending("hook", 0);

    /* Emptied; a partition is filled, and what fired long ago seems to fire. f1 is not there yet. */
    redisReply *reply = redis_server_do(&redis, "FLUSHALL");
    freeReplyObject(reply);
    quiet();
    freeReplyObject(redis_server_do(&redis, "HSET weir:applied plan abc 0 3 refill:0 1"));
    set_active("old", at_ms - 100000);
    append("*", "old", "firing", at_ms - 100000, "1");
    quiet();
    freeReplyObject(
        redis_server_do(&redis, "HDEL weir:applied refill:0")); /* partition 1 lacks still */
    quiet();
    assert_int_equal(http_server_requests(&hook), 1);
    assert_string_equal(book_state("hook", "f1"), "firing"); /* put back */

    append("*", "old", "resolved", at_ms - 90000, "1");
    clear_active("old");
    append("*", "f1", "firing", at_ms, "1");
    set_active("f1", at_ms);
    set_active("f2", at_ms); /* appended while nobody listened */
    append("*", "f2", "firing", at_ms, "1");
    freeReplyObject(redis_server_do(&redis, "HSET weir:applied 1 12"));
    await_told(&hook, "f2-firing", 1);
    quiet();
    assert_int_equal(told(&hook, "f1-firing"), 1);
    assert_int_equal(told(&hook, "old-firing"), 0);
    assert_int_equal(told(&hook, "old-resolved"), 0);
    assert_int_equal(told(&hook, "f1-resolved"), 0);
    resolve("f1", at_ms + 10);
    await_told(&hook, "f1-resolved", 1);
    await_pending("hook", 0);
    leave(&cast);
}

/* Resolved while Redis was lost: the entry is marked refilled, and its end is told all the same. */
static void what_ended_while_redis_was_lost_is_resolved(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    enter(&cast, "a", HOOK, hook.port);
    fire("f1", at_ms);
    fire("f2", at_ms);
    await_told(&hook, "f1-firing", 1);
    await_told(&hook, "f2-firing", 1);
    await_book("hook", "f2", "firing");
    redis_server_kill(&redis);
    quiet();
    assert_int_equal(atomic_load(&cast.notify.away), 1);
    redis_server_restart(&redis);
    append("*", "f1", "firing", at_ms, "1");
    append("*", "f1", "resolved", at_ms + 10, "1");
    await_told(&hook, "f1-resolved", 1); /* the entry says so */
    settle_store();
    await_told(&hook, "f2-resolved", 1); /* it is nowhere to be found */
    quiet();
    assert_int_equal(http_server_requests(&hook), 4);
    leave(&cast);
}

/* Redis and all notifiers were lost at once: what was told nobody knows. */
static void a_book_that_is_younger_than_an_end_tells_it(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t now = wall_ms();
    append("*", "f1", "firing", now - 60000, "1");
    append("*", "f1", "resolved", now - 50000, "1");
    append("*", "f2", "firing", now - 4000000, "1");
    append("*", "f2", "resolved", now - 3900000, "1");
    enter(&cast, "a", HOOK, hook.port);
    await_told(&hook, "f1-resolved", 1);
    await_pending("hook", 0);
    quiet();
    assert_int_equal(http_server_requests(&hook), 1);
    leave(&cast);
}

/* ---- Alertmanager: what it is not told again it forgets ---- */

#define MANAGER "{name: am, alertmanager: 'http://127.0.0.1:%d', resend: 1s, timeout: 300ms}"

/* Posts so far in which the alert with this label fires, or has ended. */
static int posts(struct http_server *server, const char *alert, bool fires)
{
    int count = 0;
    int64_t now_ns = clock_wall_ns();
    for (size_t i = 0; i < http_server_requests(server); i++) {
        json_t *alerts = json_loads(http_server_request(server, i)->body, 0, NULL), *one;
        size_t a;
        json_array_foreach(alerts, a, one)
        {
            const json_t *label = json_object_get(json_object_get(one, "labels"), "alert");
            int64_t ends_ns = 0;
            assert_true(
                instant_parse(json_string_value(json_object_get(one, "endsAt")), 0, &ends_ns));
            count += strcmp(json_string_value(label), alert) == 0 && (ends_ns > now_ns) == fires;
        }
        json_decref(alerts);
    }
    return count;
}

static void await_posts(struct http_server *server, const char *alert, bool fires, int least)
{
    for (int waited = 0; posts(server, alert, fires) < least; waited += 20) {
        if (waited > SOON_MS) fail_msg("%s was not posted %d times", alert, least);
        clock_sleep(20 * NS_PER_MS);
    }
}

static void alertmanager_is_told_again_what_fires_and_then_its_end(void **unused)
{
    (void)unused;
    struct cast cast;
    enter(&cast, "a", MANAGER, hook.port);
    fire("f1", wall_ms());
    await_posts(&hook, "f1", true, 4);
    resolve("f1", wall_ms() - 100);
    await_posts(&hook, "f1", false, 1);
    http_server_forget(&hook);
    await_posts(&hook, "f1", false, 2);
    assert_int_equal(posts(&hook, "f1", true), 0);
    leave(&cast);

    /* Another notifier goes on where it left. */
    http_server_forget(&hook);
    enter(&cast, "b", MANAGER, hook.port);
    await_posts(&hook, "f1", false, 1);
    assert_int_equal(posts(&hook, "f1", true), 0);
    leave(&cast);
}

static void alertmanager_is_told_again_while_redis_is_away(void **unused)
{
    (void)unused;
    struct cast cast;
    enter(&cast, "a", MANAGER, hook.port);
    fire("f1", wall_ms());
    await_posts(&hook, "f1", true, 1);
    clock_sleep(NS_PER_S); /* a look */
    redis_server_kill(&redis);
    http_server_forget(&hook);
    await_posts(&hook, "f1", true, 3);
    redis_server_restart(&redis);
    leave(&cast);
}

static void an_alertmanager_that_was_away_is_told_all_that_fires(void **unused)
{
    (void)unused;
    struct cast cast;
    http_server_answer(&hook, 503, NULL, "");
    enter(&cast, "a", MANAGER, hook.port);
    fire("f1", wall_ms());
    fire("f2", wall_ms());
    assert_true(http_server_wait(&hook, 2, SOON_MS));
    http_server_forget(&hook);
    http_server_answer(&hook, 200, NULL, "");
    await_posts(&hook, "f1", true, 2);
    await_posts(&hook, "f2", true, 2);
    leave(&cast);
}

/* Alertmanager tells alerts apart by labels; of two with the same, one that ends ends nothing. */
static void an_end_is_not_told_while_another_with_its_labels_fires(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    enter(&cast, "a", MANAGER, hook.port);
    const char *const ids[] = {"s1", "s2", NULL};
    for (size_t i = 0; ids[i] != NULL; i++) {
        char json[256];
        snprintf(json, sizeof(json),
            "{\"id\":\"%s\",\"rule\":\"same\",\"labels\":{\"alert\":\"same\"}}", ids[i]);
        const char *active[] = {"HSET", "weir:alerts:active", ids[i], json};
        freeReplyObject(ask(4, active));
        const char *entry[] = {"XADD", "weir:alerts", "*", "id", ids[i], "state", "firing", "rule",
            "same", "at_ms", number_text(at_ms), "labels", "{\"alert\":\"same\"}"};
        freeReplyObject(ask(13, entry));
        await_posts(&hook, "same", true, (int)i + 1);
    }
    clear_active("s1");
    const char *entry[] = {"XADD", "weir:alerts", "*", "id", "s1", "state", "resolved", "rule",
        "same", "at_ms", number_text(at_ms + 10), "labels", "{\"alert\":\"same\"}"};
    freeReplyObject(ask(13, entry));
    quiet();
    http_server_forget(&hook);
    await_posts(&hook, "same", true, 2);
    assert_int_equal(posts(&hook, "same", false), 0);
    leave(&cast);
}

/* One alert that it refuses does not keep the others of a batch from it. */
static void of_a_batch_only_what_is_refused_is_left_out(void **unused)
{
    (void)unused;
    struct cast cast;
    http_server_answer(&hook, 400, NULL, "");
    fire("f1", wall_ms());
    fire("f2", wall_ms());
    enter(&cast, "a", MANAGER, hook.port);
    assert_true(http_server_wait(&hook, 3, SOON_MS));
    json_t *first = json_loads(http_server_request(&hook, 0)->body, 0, NULL);
    json_t *second = json_loads(http_server_request(&hook, 1)->body, 0, NULL);
    assert_int_equal(json_array_size(first), 2);
    assert_int_equal(json_array_size(second), 1);
    json_decref(first);
    json_decref(second);
    leave(&cast);
}

/* What fires is said again one by one where a server refuses one of them. */
static void of_a_batch_said_again_only_what_is_refused_is_left_out(void **unused)
{
    (void)unused;
    struct cast cast;
    int64_t at_ms = wall_ms();
    enter(&cast, "a", MANAGER, hook.port);
    fire("f1", at_ms);
    fire("f2", at_ms);
    await_posts(&hook, "f1", true, 2);
    await_posts(&hook, "f2", true, 2);
    http_server_answer(&hook, 400, NULL, "");
    clock_sleep(NS_PER_S);
    http_server_forget(&hook);
    assert_true(http_server_wait(&hook, 3, SOON_MS));
    size_t alone = 0;
    for (size_t i = 0; i < http_server_requests(&hook); i++) {
        json_t *alerts = json_loads(http_server_request(&hook, i)->body, 0, NULL);
        alone += json_array_size(alerts) == 1;
        json_decref(alerts);
    }
    assert_true(alone >= 2);
    leave(&cast);
}

static void an_alertmanager_that_is_away_keeps_nothing_from_another(void **unused)
{
    (void)unused;
    struct cast away, there;
    char both[256], place[2][64];
    snprintf(both, sizeof(both),
        "{name: am, alertmanager: ['http://127.0.0.1:%d', 'http://127.0.0.1:%d'], resend: 1s, "
        "timeout: 300ms}",
        hook.port, other.port);
    snprintf(place[0], sizeof(place[0]), "am@127.0.0.1:%d", hook.port);
    snprintf(place[1], sizeof(place[1]), "am@127.0.0.1:%d", other.port);
    http_server_answer(&hook, 503, NULL, "");
    enter_place(&away, "a", both, 0, 0);
    enter_place(&there, "a", both, 0, 1);
    fire("f1", wall_ms());
    await_posts(&other, "f1", true, 3);
    assert_true(http_server_wait(&hook, 1, SOON_MS));
    assert_int_equal(pending(place[0]), 1); /* each has a group and a book of its own */
    assert_int_equal(pending(place[1]), 0);
    assert_string_equal(book_state(place[0], "f1"), "sending");
    assert_string_equal(book_state(place[1], "f1"), "firing");
    http_server_forget(&hook);
    http_server_answer(&hook, 200, NULL, "");
    await_posts(&hook, "f1", true, 2);
    await_pending(place[0], 0);
    assert_string_equal(book_state(place[0], "f1"), "firing");
    leave(&away);
    leave(&there);
}

static int reads(void)
{
    int calls = 0;
    redisReply *reply = redis_server_do(&redis, "INFO commandstats");
    const char *line = strstr(reply->str, "cmdstat_xreadgroup:");
    if (line != NULL) sscanf(line, "cmdstat_xreadgroup:calls=%d", &calls);
    freeReplyObject(reply);
    return calls;
}

/* What is to be said again waits for the Alertmanager, and so does the line. */
static void a_line_is_idle_while_an_alertmanager_is_away(void **unused)
{
    (void)unused;
    struct cast cast;
    http_server_answer(&hook, 503, NULL, "");
    enter(&cast, "a", MANAGER, hook.port);
    fire("f1", wall_ms());
    assert_true(http_server_wait(&hook, 4, SOON_MS)); /* the next attempt is seconds away */
    int before = reads();
    clock_sleep(2 * NS_PER_S);
    int during = reads() - before;
    if (during == 0 || during > 60) fail_msg("Redis was asked %d times in two seconds", during);
    leave(&cast);
}

static int start(void **unused)
{
    (void)unused;
    log_open(LOG_ERROR, LOG_LOGFMT);
    redis_server_start(&redis, NULL);
    http_server_start(&hook, NULL, NULL);
    http_server_start(&other, NULL, NULL);
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    http_server_stop(&hook);
    http_server_stop(&other);
    redis_server_stop(&redis);
    return 0;
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    redis_server_require();
    const struct CMUnitTest tests[] = {
        FRESH(an_alert_is_told_when_it_fires_and_when_it_is_resolved),
        FRESH(a_repeated_entry_is_told_once),
        FRESH(what_is_over_when_its_firing_comes_is_not_told_to_fire),
        FRESH(a_receiver_is_told_only_what_it_wants),
        FRESH(what_a_receiver_does_not_take_waits_and_holds_up_nobody_else),
        FRESH(what_a_receiver_refuses_is_not_sent_again),
        FRESH(what_is_too_old_is_given_up),
        FRESH(what_a_dead_notifier_had_in_hand_is_told_by_another),
        FRESH(a_notifier_of_the_same_name_goes_on_at_once),
        FRESH(the_end_is_told_of_what_a_dead_notifier_may_have_told),
        FRESH(what_a_dead_notifier_had_is_found_behind_what_others_have),
        FRESH(the_last_word_is_the_right_one),
        FRESH(several_notifiers_share_the_work_and_tell_each_alert_once),
        FRESH(more_than_it_can_hold_waits_in_redis_and_none_is_forgotten),
        FRESH(a_new_receiver_is_told_what_fires_and_not_the_past),
        FRESH(what_the_stream_has_dropped_is_found_among_what_fires),
        FRESH(nothing_is_concluded_while_redis_is_filled_again),
        FRESH(what_ended_while_redis_was_lost_is_resolved),
        FRESH(a_book_that_is_younger_than_an_end_tells_it),
        FRESH(alertmanager_is_told_again_what_fires_and_then_its_end),
        FRESH(alertmanager_is_told_again_while_redis_is_away),
        FRESH(an_alertmanager_that_was_away_is_told_all_that_fires),
        FRESH(an_end_is_not_told_while_another_with_its_labels_fires),
        FRESH(of_a_batch_only_what_is_refused_is_left_out),
        FRESH(of_a_batch_said_again_only_what_is_refused_is_left_out),
        FRESH(an_alertmanager_that_is_away_keeps_nothing_from_another),
        FRESH(a_line_is_idle_while_an_alertmanager_is_away),
    };
    return cmocka_run_group_tests_name("notify", tests, start, stop);
}
