/*
 * Redis behind Sentinels, all of them real: the primary is found, a fail-over is followed, also to a
 * replica that is behind, and every way of not finding a primary is said.
 */
#include "engine/base/clock.h"
#include "sinks/redis_address.h"
#include "sinks/redis_read.h"
#include "sinks/store.h"
#include "tests/support/redis_server.h"
#include "tests/support/sample_output.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOON INT64_C(1714564800000)
#define NOW  INT64_C(1790000000000)
#define A    "service=a;operation=GET%20%2F;kind=SERVER"

enum { PATIENCE_S = 60 };

static struct redis_server primary, sentinel; /* shared by the tests that break neither */

static void open_at(void **self, const char *url)
{
    struct store_config config = {.url = url,
        .prefix = "weir",
        .timeout_ns = 5 * NS_PER_S,
        .plan = 0xabc,
        .pane_ns = 10 * NS_PER_S,
        .sketch_scale = 6,
        .alerts_max = 1000};
    struct error err;
    assert_int_equal(store_redis.open(self, &config, &err), ST_OK);
}

static enum status apply(
    void *self, int64_t prev, int64_t last, int64_t *applied, struct error *err)
{
    struct output row = sample_row(A, NOON, 10000, (uint64_t)last);
    struct store_batch batch = {
        .output = &row, .count = 1, .prev = prev, .last = last, .now_ms = NOW};
    return store_redis.apply(self, 0, &batch, applied, err);
}

static enum status apply_at(const char *url, struct error *err)
{
    void *self;
    int64_t applied;
    freeReplyObject(redis_server_do(&primary, "FLUSHALL"));
    open_at(&self, url);
    enum status status = apply(self, -1, 0, &applied, err);
    store_redis.close(self);
    return status;
}

static void sentinel_urls_are_read_as_written(void **unused)
{
    (void)unused;
    struct redis_address address;
    struct error err;
    assert_int_equal(redis_address_parse(&address,
                         "sentinel://me:p%40s@a,b:7000,[::1]:7001/my%20master?db=3"
                         "&sentinel_user=looker&sentinel_password=s%26t",
                         &err),
        ST_OK);
    assert_int_equal(address.sentinels, 3);
    assert_string_equal(address.sentinel[0].host, "a");
    assert_string_equal(address.sentinel[0].port, "26379");
    assert_string_equal(address.sentinel[1].port, "7000");
    assert_string_equal(address.sentinel[2].host, "::1");
    assert_string_equal(address.sentinel[2].port, "7001");
    assert_string_equal(address.master, "my master");
    assert_string_equal(address.login.user, "me");
    assert_string_equal(address.login.password, "p@s");
    assert_string_equal(address.sentinel_login.user, "looker");
    assert_string_equal(address.sentinel_login.password, "s&t");
    assert_int_equal(address.database, 3);
    assert_string_equal(address.shown, "sentinel://me@a:26379,b:7000,[::1]:7001/my master?db=3");
    assert_int_equal(redis_address_parse(&address, "sentinel://a/m", &err), ST_OK);
    assert_false(address.login.has_password);
    assert_false(address.sentinel_login.has_password);
}

static void sentinel_urls_that_are_none_are_refused_without_their_passwords(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"sentinel://:hunter2@a", "sentinel://:hunter2@a/",
        "sentinel://:hunter2@a,/m", "sentinel://:hunter2@a:0/m", "sentinel://:hunter2@a/m/2",
        "sentinel://a/m?sentinel_passwort=hunter2", "sentinel://a/m?sentinel_password=hunter2%",
        "sentinel://a/m?sentinel_user=hunter2", "sentinel://a/m?db=hunter2",
        "sentinel://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q/hunter2"};
    struct redis_address address;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err;
        if (redis_address_parse(&address, bad[i], &err) != ST_FATAL)
            fail_msg("taken for right: %s", bad[i]);
        assert_null(strstr(err.text, "hunter2"));
    }
}

static void the_primary_that_a_sentinel_names_is_written_to_and_read(void **unused)
{
    (void)unused;
    char url[128];
    struct error err;
    snprintf(url, sizeof(url), "sentinel://127.0.0.1:1,127.0.0.1:%d/shop", sentinel.port);
    assert_int_equal(apply_at(url, &err), ST_OK); /* of two Sentinels the first is away */
    assert_int_equal(redis_server_number(&primary, "HGET weir:applied 0"), 0);

    struct redis_read *read = NULL;
    struct read_list services = {0};
    assert_int_equal(redis_read_open(&read, url, NULL, "weir", 5 * NS_PER_S, &err), ST_OK);
    assert_int_equal(redis_read_services(read, &services, &err), ST_OK);
    assert_int_equal(services.count, 1);
    read_list_release(&services);
    redis_read_close(read);
}

static void a_name_that_no_sentinel_knows_is_said_and_asked_for_again(void **unused)
{
    (void)unused;
    char url[128];
    struct error err;
    snprintf(url, sizeof(url), "sentinel://127.0.0.1:%d,127.0.0.1:1/shoppe", sentinel.port);
    assert_int_equal(apply_at(url, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "knows no master called shoppe"));
}

static void that_no_sentinel_answers_is_said(void **unused)
{
    (void)unused;
    struct error err;
    assert_int_equal(apply_at("sentinel://127.0.0.1:1,127.0.0.1:2/shop", &err), ST_RETRY);
    assert_non_null(strstr(err.text, "none of the 2 Sentinels of shop answers"));
    assert_non_null(strstr(err.text, "127.0.0.1:2: Connection refused"));
}

static void a_redis_given_as_a_sentinel_and_a_sentinel_given_as_a_redis_are_refused(void **unused)
{
    (void)unused;
    char url[128];
    struct error err;
    snprintf(url, sizeof(url), "sentinel://127.0.0.1:%d/shop", primary.port);
    assert_int_equal(apply_at(url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "It is not a Sentinel"));
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", sentinel.port);
    assert_int_equal(apply_at(url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "sentinel://"));
}

static void a_sentinels_own_password_is_another_than_the_servers(void **unused)
{
    (void)unused;
    char url[160];
    struct error err;
    struct redis_server shy;
    redis_server_start_sentinel(&shy, "shop", primary.port,
        "user default off\nuser looker on >look -@all "
        "+sentinel|get-master-addr-by-name\nsentinel sentinel-user looker\n"
        "sentinel sentinel-pass look");
    snprintf(url, sizeof(url), "sentinel://127.0.0.1:%d/shop", shy.port);
    assert_int_equal(apply_at(url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "?sentinel_password="));
    snprintf(url, sizeof(url),
        "sentinel://127.0.0.1:%d/shop?sentinel_user=looker&sentinel_password=hunter2", shy.port);
    assert_int_equal(apply_at(url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "WRONGPASS"));
    assert_null(strstr(err.text, "hunter2"));
    snprintf(url, sizeof(url),
        "sentinel://127.0.0.1:%d/shop?sentinel_user=looker&sentinel_password=look", shy.port);
    assert_int_equal(apply_at(url, &err), ST_OK);

    /* Of the servers it is the one before the @. */
    freeReplyObject(redis_server_do(&primary, "ACL SETUSER weir on >in ~* +@all"));
    snprintf(url, sizeof(url),
        "sentinel://weir:in@127.0.0.1:%d/shop?sentinel_user=looker&sentinel_password=look",
        shy.port);
    assert_int_equal(apply_at(url, &err), ST_OK);
    snprintf(url, sizeof(url),
        "sentinel://weir:hunter2@127.0.0.1:%d/shop?sentinel_user=looker&sentinel_password=look",
        shy.port);
    assert_int_equal(apply_at(url, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "(primary of shop) (user weir)"));
    assert_null(strstr(err.text, "hunter2"));
    redis_server_stop(&shy);
}

static void a_primary_that_became_a_replica_is_not_taken(void **unused)
{
    (void)unused;
    char url[128];
    struct error err;
    snprintf(url, sizeof(url), "sentinel://127.0.0.1:%d/shop", sentinel.port);
    freeReplyObject(redis_server_do(&primary, "REPLICAOF 127.0.0.1 1"));
    void *self;
    int64_t applied;
    open_at(&self, url);
    assert_int_equal(apply(self, -1, 0, &applied, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "is a replica by now"));
    freeReplyObject(redis_server_do(&primary, "REPLICAOF NO ONE"));
    assert_int_equal(apply(self, -1, 0, &applied, &err), ST_OK);
    store_redis.close(self);
}

static bool within(int64_t until_ns)
{
    clock_sleep(50 * NS_PER_MS);
    return clock_ns() < until_ns;
}

static int64_t patience(void)
{
    return clock_ns() + PATIENCE_S * NS_PER_S;
}

/* Wait until the replica has what the primary has, and the Sentinel knows it. */
static void wait_for_replica(
    struct redis_server *first, struct redis_server *replica, struct redis_server *watcher)
{
    int64_t until_ns = patience();
    while (redis_server_number(replica, "HGET weir:applied 0") !=
           redis_server_number(first, "HGET weir:applied 0"))
        if (!within(until_ns)) fail_msg("the replica never had what its primary has");
    for (bool known = false; !known;) {
        redisReply *replicas = redis_server_do(watcher, "SENTINEL REPLICAS shop");
        known = replicas->type == REDIS_REPLY_ARRAY && replicas->elements == 1;
        freeReplyObject(replicas);
        if (!known && !within(until_ns)) fail_msg("the Sentinel never found the replica");
    }
}

static void a_replica_that_is_behind_tells_its_place_and_is_filled_from_there(void **unused)
{
    (void)unused;
    struct redis_server first, replica, watcher;
    char url[128], of[16];
    struct error err;
    int64_t applied;
    void *self;
    redis_server_start(&first, (const char *const[]){"--repl-diskless-sync-delay", "0", NULL});
    snprintf(of, sizeof(of), "%d", first.port);
    redis_server_start(&replica, (const char *const[]){"--replicaof", "127.0.0.1", of, NULL});
    redis_server_start_sentinel(&watcher, "shop", first.port, NULL);
    snprintf(url, sizeof(url), "sentinel://127.0.0.1:%d/shop", watcher.port);
    open_at(&self, url);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(apply(self, i - 1, i, &applied, &err), ST_OK);
    wait_for_replica(&first, &replica, &watcher);

    /* The replica stands still and is cut off while more is applied; then the primary dies. */
    kill(replica.pid, SIGSTOP);
    freeReplyObject(redis_server_do(&first, "CLIENT KILL TYPE replica"));
    for (int64_t i = 3; i < 6; i++)
        assert_int_equal(apply(self, i - 1, i, &applied, &err), ST_OK);
    redis_server_kill(&first);
    kill(replica.pid, SIGCONT);

    int64_t until_ns = patience();
    enum status status;
    while ((status = apply(self, 5, 6, &applied, &err)) == ST_RETRY && within(until_ns)) {
    }
    assert_int_equal(status, ST_LOST);
    assert_int_equal(applied, 2);
    for (int64_t i = 3; i < 7; i++)
        assert_int_equal(apply(self, i - 1, i, &applied, &err), ST_OK);
    redis_server_meet(&replica);
    assert_int_equal(redis_server_number(&replica, "HGET weir:applied 0"), 6);
    assert_non_null(strstr(redis_server_text(&replica, "HGET weir:now:" A " 10s"), "\"spans\":6,"));
    store_redis.close(self);
    redis_server_stop(&watcher);
    redis_server_stop(&replica);
    redis_server_stop(&first);
}

static int start_shared(void **unused)
{
    (void)unused;
    redis_server_start(&primary, NULL);
    redis_server_start_sentinel(&sentinel, "shop", primary.port, NULL);
    return 0;
}

static int stop_shared(void **unused)
{
    (void)unused;
    redis_server_stop(&sentinel);
    redis_server_stop(&primary);
    return 0;
}

int main(void)
{
    redis_server_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentinel_urls_are_read_as_written),
        cmocka_unit_test(sentinel_urls_that_are_none_are_refused_without_their_passwords),
        cmocka_unit_test(the_primary_that_a_sentinel_names_is_written_to_and_read),
        cmocka_unit_test(a_name_that_no_sentinel_knows_is_said_and_asked_for_again),
        cmocka_unit_test(that_no_sentinel_answers_is_said),
        cmocka_unit_test(a_redis_given_as_a_sentinel_and_a_sentinel_given_as_a_redis_are_refused),
        cmocka_unit_test(a_sentinels_own_password_is_another_than_the_servers),
        cmocka_unit_test(a_primary_that_became_a_replica_is_not_taken),
        cmocka_unit_test(a_replica_that_is_behind_tells_its_place_and_is_filled_from_there),
    };
    return cmocka_run_group_tests_name("redis_sentinel", tests, start_shared, stop_shared);
}
