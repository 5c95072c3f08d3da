/*
 * Redis over TLS, against a real redis-server with certificates of all kinds: what is right is taken,
 * and whatever is wrong is refused in words that say what to do.
 */
#include "engine/base/clock.h"
#include "engine/cmd/cmd.h"
#include "sinks/redis_alerts.h"
#include "sinks/redis_read.h"
#include "sinks/store.h"
#include "tests/support/redis_server.h"
#include "tests/support/sample_output.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOON INT64_C(1714564800000)
#define NOW  INT64_C(1790000000000)
#define A    "service=a;operation=GET%20%2F;kind=SERVER"

enum { PATH = 128, MORE_MAX = 6 };

extern const struct command command_query;

static char folder[] = "/tmp/weir-tls.XXXXXX";
static struct redis_server server; /* shared: TLS on `tls_port`, no certificate of ours needed */
static int tls_port;

/* A file of the folder; good for the test's life. */
static const char *file(const char *name)
{
    static char paths[32][PATH];
    static size_t next;
    char *path = paths[next++ % 32];
    snprintf(path, PATH, "%s/%s", folder, name);
    return path;
}

/* A server with `certificate`, whose plain port is open too. */
static int start_tls(
    struct redis_server *tls, const char *certificate, const char *const more[MORE_MAX])
{
    char name[64], line[4 * PATH];
    int port = redis_server_free_port();
    redis_server_start(tls, more);
    snprintf(name, sizeof(name), "%s.pem", certificate);
    const char *pem = file(name);
    snprintf(name, sizeof(name), "%s.key", certificate);
    snprintf(line, sizeof(line),
        "CONFIG SET tls-cert-file %s tls-key-file %s tls-ca-cert-file %s tls-port %d", pem,
        file(name), file("ca.pem"), port);
    redisReply *reply = redis_server_do(tls, line);
    if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s", reply->str);
    freeReplyObject(reply);
    return port;
}

static const char *const no_client_certificate[MORE_MAX] = {"--tls-auth-clients", "no", NULL};

static enum status open_with(
    void **self, const char *url, const struct tls_files *files, struct error *err)
{
    struct store_config config = {.url = url,
        .prefix = "weir",
        .timeout_ns = 5 * NS_PER_S,
        .plan = 0xabc,
        .pane_ns = 10 * NS_PER_S,
        .sketch_scale = 6,
        .alerts_max = 1000};
    if (files != NULL) config.tls = *files;
    return store_redis.open(self, &config, err);
}

static enum status apply(void *self, struct error *err)
{
    struct output row = sample_row(A, NOON, 10000, 1);
    struct store_batch batch = {.output = &row, .count = 1, .prev = -1, .last = 0, .now_ms = NOW};
    int64_t applied;
    return store_redis.apply(self, 0, &batch, &applied, err);
}

static enum status apply_at(
    const char *host, int port, const struct tls_files *files, struct error *err)
{
    char url[128];
    void *self;
    snprintf(url, sizeof(url), "rediss://%s:%d", host, port);
    enum status status = open_with(&self, url, files, err);
    if (status != ST_OK) return status;
    status = apply(self, err);
    store_redis.close(self);
    return status;
}

static void rows_go_over_tls_to_a_name_and_to_an_address(void **unused)
{
    (void)unused;
    struct tls_files files = {.ca = file("ca.pem")};
    struct error err;
    freeReplyObject(redis_server_do(&server, "FLUSHALL"));
    assert_int_equal(apply_at("127.0.0.1", tls_port, &files, &err), ST_OK);
    assert_int_equal(redis_server_number(&server, "HGET weir:applied 0"), 0);
    assert_int_equal(apply_at("localhost", tls_port, &files, &err), ST_OK);
}

static void alerts_are_read_over_tls(void **unused)
{
    (void)unused;
    char url[64];
    struct error err;
    struct redis_alerts *alerts = NULL;
    bool anew;
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", tls_port);
    struct redis_alerts_config config = {.url = url,
        .tls = {.ca = file("ca.pem")},
        .prefix = "weir",
        .timeout_ns = 5 * NS_PER_S,
        .place = "p",
        .notifier = "n",
        .stale_ns = NS_PER_S};
    assert_int_equal(redis_alerts_open(&alerts, &config, &err), ST_OK);
    assert_int_equal(redis_alerts_join(alerts, &anew, &err), ST_OK);
    assert_true(anew);
    redis_alerts_close(alerts);
    config.tls.ca = file("other-ca.pem");
    assert_int_equal(redis_alerts_open(&alerts, &config, &err), ST_OK);
    assert_int_equal(redis_alerts_join(alerts, &anew, &err), ST_RETRY);
    assert_int_equal(redis_alerts_trouble(alerts), STORE_TLS);
    redis_alerts_close(alerts);
}

static void a_batch_larger_than_a_record_arrives_whole_and_is_read_back(void **unused)
{
    (void)unused;
    static struct output rows[STORE_BATCH_MAX];
    static char series[STORE_BATCH_MAX][9000];
    struct tls_files files = {.ca = file("ca.pem")};
    char url[64];
    struct error err;
    void *self;
    int64_t applied;
    freeReplyObject(redis_server_do(&server, "FLUSHALL"));
    for (int i = 0; i < STORE_BATCH_MAX; i++) {
        int size = snprintf(series[i], sizeof(series[i]), "service=s%d;operation=", i);
        memset(series[i] + size, 'x', sizeof(series[i]) - (size_t)size - 1);
        rows[i] = sample_row(series[i], NOON, 10000, 1);
    }
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", tls_port);
    struct store_batch batch = {
        .output = rows, .count = STORE_BATCH_MAX, .prev = -1, .last = 199, .now_ms = NOW};
    assert_int_equal(open_with(&self, url, &files, &err), ST_OK);
    assert_int_equal(store_redis.apply(self, 0, &batch, &applied, &err), ST_OK);
    store_redis.close(self);

    struct redis_read *read;
    struct read_list services = {0}, all = {0};
    assert_int_equal(redis_read_open(&read, url, &files, "weir", 5 * NS_PER_S, &err), ST_OK);
    assert_int_equal(redis_read_services(read, &services, &err), ST_OK);
    assert_int_equal(redis_read_series(read, &services, &all, &err), ST_OK);
    assert_int_equal(all.count, STORE_BATCH_MAX);
    read_list_release(&services);
    read_list_release(&all);
    redis_read_close(read);
}

static void a_certificate_of_ours_is_shown_where_the_server_asks_for_one(void **unused)
{
    (void)unused;
    struct redis_server strict;
    struct error err;
    struct tls_files files = {.ca = file("ca.pem")};
    int port = start_tls(&strict, "server", NULL);
    assert_int_equal(apply_at("127.0.0.1", port, &files, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "a certificate of ours"));
    assert_non_null(strstr(err.text, "redis.certificate_file"));
    files.certificate = file("client.pem");
    files.key = file("client.key");
    assert_int_equal(apply_at("127.0.0.1", port, &files, &err), ST_OK);
    files.certificate = file("other-ca.pem");
    files.key = file("other-ca.key");
    assert_int_equal(apply_at("127.0.0.1", port, &files, &err), ST_RETRY);
    bool says_why = strstr(err.text, "does not accept our certificate") != NULL;
    bool lost_it = strstr(err.text, "a certificate of ours, or another one") != NULL;
    if (!says_why && !lost_it) fail_msg("%s", err.text);
    redis_server_stop(&strict);
}

static void another_ca_is_refused(void **unused)
{
    (void)unused;
    struct tls_files files = {.ca = file("other-ca.pem")};
    struct error err;
    assert_int_equal(apply_at("127.0.0.1", tls_port, &files, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "is signed by /CN=Tests' CA, which is not in the CA file"));
    assert_int_equal(apply_at("127.0.0.1", tls_port, NULL, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "not an authority of this system"));
    assert_non_null(strstr(err.text, "redis.ca_file"));
}

static void a_name_that_the_certificate_is_not_for_is_refused(void **unused)
{
    (void)unused;
    struct redis_server elsewhere;
    struct tls_files files = {.ca = file("ca.pem")};
    struct error err;
    int port = start_tls(&elsewhere, "elsewhere", no_client_certificate);
    assert_int_equal(apply_at("127.0.0.1", port, &files, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "its certificate is for redis.example, not for 127.0.0.1"));
    assert_int_equal(apply_at("localhost", port, &files, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "its certificate is for redis.example, not for localhost"));
    redis_server_stop(&elsewhere);
}

static void an_expired_certificate_is_refused_until_it_is_renewed(void **unused)
{
    (void)unused;
    struct redis_server old;
    struct tls_files files = {.ca = file("ca.pem")};
    struct error err;
    char url[64], line[4 * PATH];
    void *self;
    int port = start_tls(&old, "expired", no_client_certificate);
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", port);
    assert_int_equal(open_with(&self, url, &files, &err), ST_OK);
    assert_int_equal(apply(self, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "the certificate of /CN=expired expired at 20"));
    assert_int_equal(store_redis.trouble(self), STORE_TLS);

    snprintf(line, sizeof(line), "CONFIG SET tls-cert-file %s tls-key-file %s", file("server.pem"),
        file("server.key"));
    freeReplyObject(redis_server_do(&old, line));
    assert_int_equal(apply(self, &err), ST_OK);
    store_redis.close(self);
    redis_server_stop(&old);
}

static void a_ca_that_comes_later_is_taken_up_without_opening_again(void **unused)
{
    (void)unused;
    char command[4 * PATH], url[64];
    struct tls_files files = {.ca = file("changing.pem")};
    struct error err;
    void *self;
    snprintf(command, sizeof(command), "cp %s %s", file("other-ca.pem"), files.ca);
    assert_int_equal(system(command), 0);
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", tls_port);
    assert_int_equal(open_with(&self, url, &files, &err), ST_OK);
    assert_int_equal(apply(self, &err), ST_RETRY);
    assert_int_equal(unlink(files.ca), 0);
    assert_int_equal(apply(self, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "changing.pem cannot be read"));
    snprintf(command, sizeof(command), "cp %s %s", file("ca.pem"), files.ca);
    assert_int_equal(system(command), 0);
    freeReplyObject(redis_server_do(&server, "FLUSHALL"));
    assert_int_equal(apply(self, &err), ST_OK);
    store_redis.close(self);
}

static void a_server_without_tls_is_refused(void **unused)
{
    (void)unused;
    struct tls_files files = {.ca = file("ca.pem")};
    char url[64];
    struct error err;
    struct store_config config = {.url = url, .prefix = "weir", .timeout_ns = NS_PER_S / 2};
    void *self;
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", server.port);
    config.tls = files;
    assert_int_equal(store_redis.open(&self, &config, &err), ST_OK);
    assert_int_equal(apply(self, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "speak TLS"));
    assert_non_null(strstr(err.text, "redis://"));
    assert_int_equal(store_redis.trouble(self), STORE_TLS);
    store_redis.close(self);
}

static void a_server_with_tls_tells_who_comes_without(void **unused)
{
    (void)unused;
    char url[64];
    struct error err;
    void *self;
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", tls_port);
    assert_int_equal(open_with(&self, url, NULL, &err), ST_OK);
    assert_int_equal(apply(self, &err), ST_RETRY);
    if (strstr(err.text, "rediss://") == NULL) fail_msg("%s", err.text);
    store_redis.close(self);
}

static void tls_older_than_1_2_is_refused(void **unused)
{
    (void)unused;
    struct redis_server old;
    struct tls_files files = {.ca = file("ca.pem")};
    struct error err;
    int port = start_tls(&old, "server",
        (const char *const[MORE_MAX]){
            "--tls-auth-clients", "no", "--tls-protocols", "TLSv1.1", NULL});
    assert_int_equal(apply_at("127.0.0.1", port, &files, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "1.2"));
    redis_server_stop(&old);
}

static void files_that_cannot_be_used_are_refused_at_once(void **unused)
{
    (void)unused;
    static const struct {
        const char *url, *ca, *certificate, *key, *says;
    } cases[] = {
        {"rediss://a", "absent.pem", NULL, NULL, "absent.pem cannot be read"},
        {"rediss://a", "ca.key", NULL, NULL, "ca.key cannot be read"},
        {"rediss://a", NULL, "client.key", "client.key", "client.key cannot be read"},
        {"rediss://a", NULL, "client.pem", "server.key", "cannot be used with the certificate"},
        {"rediss://a", NULL, "client.pem", "locked.key", "without a passphrase"},
        {"rediss://a", NULL, "client.pem", NULL, "belong together"},
        {"sentinels://a/m", "absent.pem", NULL, NULL, "absent.pem cannot be read"},
        {"redis://a", "ca.pem", NULL, NULL, "goes without TLS"},
        {"unix:///a", NULL, "client.pem", "client.key", "goes without TLS"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tls_files files = {.ca = cases[i].ca == NULL ? NULL : file(cases[i].ca),
            .certificate = cases[i].certificate == NULL ? NULL : file(cases[i].certificate),
            .key = cases[i].key == NULL ? NULL : file(cases[i].key)};
        struct error err = {.text = "nothing"};
        void *self;
        if (open_with(&self, cases[i].url, &files, &err) != ST_FATAL ||
            strstr(err.text, cases[i].says) == NULL)
            fail_msg("not \"%s\", but: %s", cases[i].says, err.text);
    }
}

static void sentinels_and_their_primary_are_both_reached_over_tls(void **unused)
{
    (void)unused;
    struct redis_server sentinel;
    int port = redis_server_free_port();
    struct tls_files files = {.ca = file("ca.pem")};
    char lines[8 * PATH], url[128];
    struct error err;
    void *self;
    freeReplyObject(redis_server_do(&server, "FLUSHALL"));
    snprintf(lines, sizeof(lines),
        "tls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s\ntls-auth-clients no\n"
        "tls-replication yes\ntls-port %d\n",
        file("server.pem"), file("server.key"), file("ca.pem"), port);
    redis_server_start_sentinel(&sentinel, "shop", tls_port, lines);
    snprintf(url, sizeof(url), "sentinels://127.0.0.1:%d/shop", port);
    assert_int_equal(open_with(&self, url, &files, &err), ST_OK);
    enum status status = apply(self, &err);
    if (status != ST_OK) fail_msg("%s", err.text);
    store_redis.close(self);
    assert_int_equal(redis_server_number(&server, "HGET weir:applied 0"), 0);

    files.ca = file("other-ca.pem");
    assert_int_equal(open_with(&self, url, &files, &err), ST_OK);
    assert_int_equal(apply(self, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "not in the CA file"));
    store_redis.close(self);
    redis_server_stop(&sentinel);
}

static int query(const char *url, const char *option, const char *value)
{
    char copy[4][PATH];
    char *argv[] = {"query", "services", "--redis", copy[0], copy[1], copy[2], NULL};
    snprintf(copy[0], PATH, "%s", url);
    snprintf(copy[1], PATH, "%s", option);
    snprintf(copy[2], PATH, "%s", value);
    return command_query.run(6, argv);
}

static void the_command_line_takes_the_files_too(void **unused)
{
    (void)unused;
    char url[64];
    snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", tls_port);
    assert_int_equal(query(url, "--ca-file", file("ca.pem")), EXIT_DONE);
    assert_int_equal(query(url, "--ca-file", file("other-ca.pem")), EXIT_FAILED);
    assert_int_equal(query(url, "--key-file", file("client.key")), EXIT_FAILED);
    assert_int_equal(query(server.tcp_url, "--ca-file", file("ca.pem")), EXIT_FAILED);
}

static int start_shared(void **unused)
{
    (void)unused;
    char command[4 * PATH];
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(command, sizeof(command), "tests/support/certificates.sh %s", folder);
    if (system(command) != 0) return -1;
    snprintf(command, sizeof(command),
        "openssl ec -in %s -aes128 -passout pass:hunter2 -out %s 2>/dev/null", file("client.key"),
        file("locked.key"));
    if (system(command) != 0) return -1;
    tls_port = start_tls(&server, "server", no_client_certificate);
    return 0;
}

static int stop_shared(void **unused)
{
    (void)unused;
    char command[2 * PATH];
    redis_server_stop(&server);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    redis_server_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_over_tls_to_a_name_and_to_an_address),
        cmocka_unit_test(alerts_are_read_over_tls),
        cmocka_unit_test(a_batch_larger_than_a_record_arrives_whole_and_is_read_back),
        cmocka_unit_test(a_certificate_of_ours_is_shown_where_the_server_asks_for_one),
        cmocka_unit_test(another_ca_is_refused),
        cmocka_unit_test(a_name_that_the_certificate_is_not_for_is_refused),
        cmocka_unit_test(an_expired_certificate_is_refused_until_it_is_renewed),
        cmocka_unit_test(a_ca_that_comes_later_is_taken_up_without_opening_again),
        cmocka_unit_test(a_server_without_tls_is_refused),
        cmocka_unit_test(a_server_with_tls_tells_who_comes_without),
        cmocka_unit_test(tls_older_than_1_2_is_refused),
        cmocka_unit_test(files_that_cannot_be_used_are_refused_at_once),
        cmocka_unit_test(the_command_line_takes_the_files_too),
        cmocka_unit_test(sentinels_and_their_primary_are_both_reached_over_tls),
    };
    return cmocka_run_group_tests_name("redis_tls", tests, start_shared, stop_shared);
}
