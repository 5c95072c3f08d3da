/*
 * The users of sinks/REDIS.md, made by its own lines: they may do all that weir does and nothing more,
 * not one permission can be left out, and one that is missing is named.
 */
#include "engine/base/clock.h"
#include "sinks/redis_alerts.h"
#include "sinks/redis_read.h"
#include "sinks/store.h"
#include "tests/support/redis_server.h"
#include "tests/support/sample_output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define NOON INT64_C(1714564800000)
#define NOW  INT64_C(1790000000000)
#define A    "service=a;operation=GET%20%2F;kind=SERVER"

enum { LINE_BYTES = 1024, WORDS_MAX = 48 };

static struct redis_server server, sentinel;

/* The words of an ACL line; the texts are in `line`. */
struct acl {
    char line[LINE_BYTES];
    const char *word[WORDS_MAX];
    size_t words;
};

/* The line that makes `user`, from the document, its quotes taken off. */
static void read_acl(struct acl *acl, const char *user)
{
    static const char cli[] = "redis-cli ";
    char begin[64], *rest = NULL;
    snprintf(begin, sizeof(begin), "%sACL SETUSER %s ", cli, user);
    FILE *document = fopen("sinks/REDIS.md", "r");
    assert_non_null(document);
    bool found = false;
    while (!found && fgets(acl->line, sizeof(acl->line), document) != NULL)
        found = strncmp(acl->line, begin, strlen(begin)) == 0;
    fclose(document);
    assert_true(found);
    acl->words = 0;
    for (char *word = strtok_r(acl->line + strlen(cli), " '\n", &rest); word != NULL;
         word = strtok_r(NULL, " '\n", &rest)) {
        assert_true(acl->words < WORDS_MAX);
        acl->word[acl->words++] = word;
    }
}

/* Make the user, but without the permission `left_out`. */
static void make_user(const struct acl *acl, const char *left_out)
{
    const char *words[WORDS_MAX + 1];
    int count = 0;
    for (size_t i = 0; i < acl->words; i++) {
        if (left_out != NULL && strcmp(acl->word[i], left_out) == 0) continue;
        words[count++] = acl->word[i];
        if (i == 2) words[count++] = "reset";
    }
    redisReply *reply = redisCommandArgv(server.client, count, words, NULL);
    assert_int_equal(reply->type, REDIS_REPLY_STATUS);
    freeReplyObject(reply);
}

/* Everything that a worker does: rows of each kind twice, alerts, another plan, places. */
static enum status work(const char *url, const char *prefix, struct error *err)
{
    struct store_history histories[] = {
        {10 * NS_PER_S, 3600 * NS_PER_S, false}, {60 * NS_PER_S, 24 * 3600 * NS_PER_S, true}};
    struct store_config config = {.url = url,
        .prefix = prefix,
        .timeout_ns = 5 * NS_PER_S,
        .plan = 0xabc,
        .pane_ns = 10 * NS_PER_S,
        .sketch_scale = 6,
        .history = histories,
        .histories = 2,
        .alerts_max = 1000};
    struct output outputs[5] = {sample_row(A, NOON, 10000, 1), sample_row(A, NOON, 60000, 1),
        sample_alert("f00d", A, ALERT_FIRING), sample_alert("f00d", A, ALERT_RESOLVED),
        sample_row(A, NOON, 60000, 1)};
    struct store_batch batch = {
        .output = outputs, .count = 5, .prev = -1, .last = 4, .now_ms = NOW};
    struct store_place place;
    int64_t applied;
    void *self = NULL;
    outputs[1].row.sketch = bytes_of("sketch");
    outputs[4].row.rolling = true;
    enum status status = store_redis.open(&self, &config, err);
    if (status != ST_OK) return status;
    status = store_redis.place(self, 0, &place, err);
    if (status == ST_OK) status = store_redis.apply(self, 0, &batch, &applied, err);
    if (status == ST_OK) status = store_redis.forget(self, 0, err);
    if (status == ST_OK) status = store_redis.apply(self, 0, &batch, &applied, err);
    store_redis.close(self);
    return status;
}

/* Everything that `weir top` and `weir query` do. */
static enum status look(const char *url, const char *prefix, struct error *err)
{
    struct redis_read *read = NULL;
    struct redis_read_all_of_it {
        struct read_list services, series, rows;
        struct read_about about;
    } all = {0};
    struct read_range range = {.series = bytes_of(A),
        .resolution_ns = 10 * NS_PER_S,
        .from_ms = NOON,
        .to_ms = NOON + 10000};
    enum status status = redis_read_open(&read, url, NULL, prefix, 5 * NS_PER_S, err);
    if (status != ST_OK) return status;
    status = redis_read_about(read, &all.about, err);
    if (status == ST_OK) status = redis_read_services(read, &all.services, err);
    if (status == ST_OK) status = redis_read_series(read, &all.services, &all.series, err);
    if (status == ST_OK) status = redis_read_now(read, &all.series, &all.rows, err);
    if (status == ST_OK) status = redis_read_history(read, &range, &all.rows, err);
    if (status == ST_OK) status = redis_read_alerts(read, &all.rows, err);
    if (status == ST_OK) status = redis_read_transitions(read, 10, &all.rows, err);
    read_list_release(&all.services);
    read_list_release(&all.series);
    read_list_release(&all.rows);
    redis_read_close(read);
    return status;
}

/* What a notifier does with what it has read. */
static enum status tell_of(struct redis_alerts *alerts, struct error *err)
{
    struct alerts_telling telling = {
        .id = "f00d", .at_ms = NOON, .state = BOOK_FIRING, .json = bytes_of("{}")};
    enum alerts_verdict verdict;
    struct alerts_look look = {.cut = false};
    bool newer, ours;
    enum status status = redis_alerts_begin(alerts, &telling, &verdict, err);
    if (status == ST_OK) status = redis_alerts_done(alerts, &telling, &newer, err);
    if (status == ST_OK) status = redis_alerts_restore(alerts, "f00d", bytes_of("x"), err);
    if (status == ST_OK) status = redis_alerts_look(alerts, &look, err);
    if (status == ST_OK) status = redis_alerts_forget(alerts, "f00d", err);
    if (status == ST_OK) status = redis_alerts_turn(alerts, 1, &ours, err);
    alerts_look_release(&look);
    return status;
}

/* Everything that `weir notify` does. */
static enum status notify(const char *url, const char *prefix, struct error *err)
{
    static struct alerts_entries entries;
    struct redis_alerts_config config = {.url = url,
        .prefix = prefix,
        .timeout_ns = 5 * NS_PER_S,
        .place = "oncall",
        .notifier = "n1",
        .stale_ns = NS_PER_S};
    struct redis_alerts *alerts = NULL;
    uint64_t pending;
    bool anew, more;
    freeReplyObject(redis_server_do(&server, "DEL weir:alerts"));
    freeReplyObject(redis_server_do(&server, "XADD weir:alerts 1-1 id f00d state firing"));
    freeReplyObject(redis_server_do(&server, "HSET weir:alerts:active f00d {}"));
    const char *const ids[] = {"1-1"};
    enum status status = redis_alerts_open(&alerts, &config, err);
    if (status != ST_OK) return status;
    status = redis_alerts_join(alerts, &anew, err);
    if (status == ST_OK) status = redis_alerts_read(alerts, 1, 1, &entries, err);
    if (status == ST_OK) status = redis_alerts_own(alerts, "0", 1, &entries, err);
    if (status == ST_OK) status = redis_alerts_claim(alerts, 1, &entries, &more, err);
    if (status == ST_OK) status = redis_alerts_hold(alerts, ids, 1, err);
    if (status == ST_OK) status = tell_of(alerts, err);
    if (status == ST_OK) status = redis_alerts_acknowledge(alerts, ids, 1, err);
    if (status == ST_OK) status = redis_alerts_tidy(alerts, true, &pending, err);
    alerts_entries_release(&entries);
    redis_alerts_close(alerts);
    return status;
}

/* A user of the document, and what it is for, by way of a Sentinel so that ROLE is asked too. */
struct role {
    const char *user, *password;
    enum status (*act)(const char *url, const char *prefix, struct error *err);
};

static const struct role worker = {"weir", "secret", work};
static const struct role reader = {"dashboard", "look", look};
static const struct role notifier = {"notifier", "tell", notify};

static void url_of(const struct role *role, char url[128])
{
    snprintf(
        url, 128, "sentinel://%s:%s@127.0.0.1:%d/shop", role->user, role->password, sentinel.port);
}

static void check_role_of(const struct role *role)
{
    struct acl acl;
    struct error err = {.text = ""};
    char url[128];
    read_acl(&acl, role->user);
    make_user(&acl, NULL);
    url_of(role, url);
    if (role->act(url, "weir", &err) != ST_OK) fail_msg("%s", err.text);
    assert_int_equal(role->act(url, "other", &err), ST_FATAL);
    assert_non_null(strstr(err.text, "keys"));
    assert_non_null(strstr(err.text, role->user));
    assert_non_null(strstr(err.text, "REDIS.md"));
}

static void the_documented_worker_may_do_all_of_it_and_touch_no_other_prefix(void **unused)
{
    (void)unused;
    check_role_of(&worker);
}

static void the_documented_reader_may_see_all_of_it_and_touch_no_other_prefix(void **unused)
{
    (void)unused;
    check_role_of(&reader);
}

static void the_documented_notifier_may_do_all_of_it_and_touch_no_other_prefix(void **unused)
{
    (void)unused;
    check_role_of(&notifier);
}

/* It cannot make alerts, nor rows, nor the sink's place. */
static void the_documented_notifier_may_not_do_a_workers_work(void **unused)
{
    (void)unused;
    char url[128];
    struct error err;
    url_of(&notifier, url);
    assert_int_equal(work(url, "weir", &err), ST_FATAL);
    freeReplyObject(redis_server_do(&server, "AUTH notifier tell"));
    redisReply *reply = redis_server_do(&server, "XADD weir:alerts * id f00d");
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    reply = redis_server_do(&server, "HGET weir:now:x 1m");
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    redis_server_meet(&server);
}

static void the_documented_reader_may_write_nothing(void **unused)
{
    (void)unused;
    char url[128];
    struct error err;
    url_of(&reader, url);
    assert_int_equal(work(url, "weir", &err), ST_FATAL);
    assert_non_null(strstr(err.text, "'eval'"));
}

static bool says(const char *text, const char *command)
{
    for (size_t size = strlen(command); *text != '\0'; text++)
        if (strncasecmp(text, command, size) == 0) return true;
    return false;
}

/* Each permission of the line left out, one at a time; `needless` are those of dashboards alone. */
static void leave_each_out(const struct role *role, const char *needless)
{
    struct acl acl;
    struct error err;
    char url[128];
    int commands = 0;
    read_acl(&acl, role->user);
    url_of(role, url);
    for (size_t i = 0; i < acl.words; i++) {
        const char *word = acl.word[i];
        if (word[0] != '+' || strstr(needless, word) != NULL) continue;
        make_user(&acl, word);
        freeReplyObject(redis_server_do(&server, "DEL weir:applied"));
        err.text[0] = '\0';
        if (role->act(url, "weir", &err) != ST_FATAL)
            fail_msg("%s could be left out, or is not fatal: %s", word, err.text);
        if (!says(err.text, word + 1)) fail_msg("%s is not named: %s", word, err.text);
        if (!says(err.text, "REDIS.md")) fail_msg("no advice: %s", err.text);
        commands++;
    }
    make_user(&acl, NULL);
    assert_true(commands >= 6);
}

static void no_permission_of_the_worker_is_needless_and_a_missing_one_is_named(void **unused)
{
    (void)unused;
    leave_each_out(&worker, "");
}

static void no_permission_of_the_reader_is_needless_and_a_missing_one_is_named(void **unused)
{
    (void)unused;
    leave_each_out(&reader, "+hget +hmget +xrange +xread");
}

static void no_permission_of_the_notifier_is_needless_and_a_missing_one_is_named(void **unused)
{
    (void)unused;
    leave_each_out(&notifier, "");
}

/* What REDIS.md shows to dashboards and weir itself does not ask. */
static void the_documented_reader_may_ask_what_dashboards_ask(void **unused)
{
    (void)unused;
    static const char *const lines[] = {"HGET weir:now:" A " 10s", "HMGET weir:about version plan",
        "XRANGE weir:alerts - +", "XREAD STREAMS weir:alerts 0", NULL};
    freeReplyObject(redis_server_do(&server, "AUTH dashboard look"));
    for (size_t i = 0; lines[i] != NULL; i++) {
        redisReply *reply = redis_server_do(&server, lines[i]);
        if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s: %s", lines[i], reply->str);
        freeReplyObject(reply);
    }
    redis_server_meet(&server);
}

static int start(void **unused)
{
    (void)unused;
    redis_server_start(&server, NULL);
    redis_server_start_sentinel(&sentinel, "shop", server.port, NULL);
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    redis_server_stop(&sentinel);
    redis_server_stop(&server);
    return 0;
}

int main(void)
{
    redis_server_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_worker_may_do_all_of_it_and_touch_no_other_prefix),
        cmocka_unit_test(the_documented_reader_may_see_all_of_it_and_touch_no_other_prefix),
        cmocka_unit_test(the_documented_notifier_may_do_all_of_it_and_touch_no_other_prefix),
        cmocka_unit_test(the_documented_notifier_may_not_do_a_workers_work),
        cmocka_unit_test(the_documented_reader_may_write_nothing),
        cmocka_unit_test(no_permission_of_the_worker_is_needless_and_a_missing_one_is_named),
        cmocka_unit_test(no_permission_of_the_reader_is_needless_and_a_missing_one_is_named),
        cmocka_unit_test(no_permission_of_the_notifier_is_needless_and_a_missing_one_is_named),
        cmocka_unit_test(the_documented_reader_may_ask_what_dashboards_ask),
    };
    return cmocka_run_group_tests_name("redis_acl", tests, start, stop);
}
