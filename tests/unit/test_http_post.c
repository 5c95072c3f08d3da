/*
 * Alertmanagers and webhooks over a real socket: what is sent, and what comes of each thing that a server
 * or the way to it can do wrong.
 */
#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "engine/config_receivers.h"
#include "sinks/signature.h"
#include "tests/support/http_server.h"
#include "tests/support/receiver.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define NOON INT64_C(1714564800000)

static struct http_server server, secure;
static char folder[] = "/tmp/weir-notify.XXXXXX";

/* Tell the one receiver of this YAML of an alert that fires. */
static enum status tell(const char *yaml, struct notify_failure *failure, struct error *err)
{
    struct config config;
    receiver_config(&config, "%s", yaml);
    struct notice notice = receiver_notice("f00d", NOTICE_FIRING, NOON);
    *failure = (struct notify_failure){.reason = NOTIFY_REASONS};
    err->text[0] = '\0';
    enum status status = receiver_tell(&config, &notice, failure, err);
    notice_release(&notice);
    config_release(&config);
    return status;
}

static enum status tell_webhook(const char *more, struct notify_failure *failure, struct error *err)
{
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "{name: hook, webhook: 'http://127.0.0.1:%d/in?key=hidden'%s}",
        server.port, more);
    return tell(yaml, failure, err);
}

static const char *header_of(const struct http_request *request, const char *name)
{
    static char values[4][1024];
    static size_t next;
    char *value = values[next++ % 4];
    return http_request_header(request, name, value, sizeof(values[0]));
}

static int fresh(void **unused)
{
    (void)unused;
    http_server_forget(&server);
    http_server_forget(&secure);
    http_server_answer(&server, 200, NULL, "ok");
    http_server_answer(&secure, 200, NULL, "ok");
    return 0;
}

/* RFC 4231, test case 7, whose data has one full stop in its middle; and what openssl dgst makes. */
static void a_signature_is_hmac_sha256_of_timestamp_and_body(void **unused)
{
    (void)unused;
    char hex[SIGNATURE_BYTES], key[132] = "";
    memset(key, 0xaa, 131);
    signature_of(bytes_of(key),
        "This is a test using a larger than block-size key and a larger than block-size data",
        bytes_of(" The key needs to be hashed before being used by the HMAC algorithm."), hex);
    assert_string_equal(hex, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    signature_of(bytes_of("shared"), "1714564800", bytes_of("{\"a\":1}"), hex);
    assert_string_equal(hex, "575354a09f14a130348b2b14013e613201d5b2fcd8636f7aec9a963472c4351e");
}

static void a_webhook_is_told_in_json_with_a_key_and_a_signature(void **unused)
{
    (void)unused;
    struct notify_failure failure;
    struct error err;
    char text[2048], hex[SIGNATURE_BYTES + 3];
    assert_int_equal(
        tell_webhook(", secret: shared, token: abc, headers: ['X-Team: web']", &failure, &err),
        ST_OK);
    const struct http_request *request = http_server_request(&server, 0);
    assert_string_equal(request->path, "/in?key=hidden");
    assert_string_equal(header_of(request, "Content-Type"), "application/json");
    assert_string_equal(header_of(request, "Idempotency-Key"), "f00d-firing");
    assert_string_equal(header_of(request, "Authorization"), "Bearer abc");
    assert_string_equal(header_of(request, "X-Team"), "web");
    assert_string_equal(header_of(request, "User-Agent"), "weir/" WEIR_VERSION);
    json_t *body = json_loads(request->body, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(body, "state")), "firing");
    assert_string_equal(json_string_value(json_object_get(body, "id")), "f00d");
    assert_string_equal(json_string_value(json_object_get(body, "at")), "2024-05-01T12:00:00Z");
    assert_true(json_real_value(json_object_get(body, "value")) == 750.5);
    json_decref(body);

    /* What the receiver does to know us. */
    const char *timestamp = header_of(request, "Weir-Timestamp");
    assert_true(llabs(strtoll(timestamp, NULL, 10) - clock_wall_ns() / NS_PER_S) < 60);
    snprintf(text, sizeof(text), "%s", request->body);
    memcpy(hex, "v1=", 3);
    signature_of(bytes_of("shared"), timestamp, bytes_of(text), hex + 3);
    assert_string_equal(header_of(request, "Weir-Signature"), hex);
}

static void a_webhook_without_a_secret_is_not_signed(void **unused)
{
    (void)unused;
    struct notify_failure failure;
    struct error err;
    assert_int_equal(tell_webhook("", &failure, &err), ST_OK);
    assert_string_equal(header_of(http_server_request(&server, 0), "Weir-Signature"), "");
    assert_string_equal(header_of(http_server_request(&server, 0), "Authorization"), "");
}

static void a_template_is_the_body(void **unused)
{
    (void)unused;
    struct notify_failure failure;
    struct error err;
    const char *more =
        ", template: '{\"text\": \"{{rule}} {{state}}\", \"value\": {{json value}}}'";
    assert_int_equal(tell_webhook(more, &failure, &err), ST_OK);
    assert_string_equal(
        http_server_request(&server, 0)->body, "{\"text\": \"slow firing\", \"value\": 750.5}");
    more = ", template: '{{rule}} is {{state}}', content_type: text/plain, user: u, password: p";
    assert_int_equal(tell_webhook(more, &failure, &err), ST_OK);
    assert_string_equal(http_server_request(&server, 1)->body, "slow is firing");
    assert_string_equal(header_of(http_server_request(&server, 1), "Authorization"), "Basic dTpw");
}

static const struct {
    int code;
    enum status status;
    enum notify_reason reason;
} answers[] = {
    {200, ST_OK, NOTIFY_REASONS},
    {202, ST_OK, NOTIFY_REASONS},
    {204, ST_OK, NOTIFY_REASONS},
    {301, ST_RETRY, NOTIFY_REDIRECT},
    {302, ST_RETRY, NOTIFY_REDIRECT},
    {307, ST_RETRY, NOTIFY_REDIRECT},
    {400, ST_SKIP, NOTIFY_REFUSED},
    {401, ST_RETRY, NOTIFY_DENIED},
    {403, ST_RETRY, NOTIFY_DENIED},
    {404, ST_RETRY, NOTIFY_DENIED},
    {405, ST_RETRY, NOTIFY_DENIED},
    {413, ST_SKIP, NOTIFY_REFUSED},
    {422, ST_SKIP, NOTIFY_REFUSED},
    {429, ST_RETRY, NOTIFY_THROTTLED},
    {500, ST_RETRY, NOTIFY_SERVER},
    {503, ST_RETRY, NOTIFY_SERVER},
};

static void an_answers_code_says_whether_it_was_taken(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct notify_failure failure;
        struct error err;
        http_server_answer(
            &server, answers[i].code, NULL, answers[i].code == 204 ? "" : "why\x1b[2J");
        if (tell_webhook("", &failure, &err) != answers[i].status)
            fail_msg("%d: %s", answers[i].code, err.text);
        if (answers[i].status == ST_OK) continue;
        assert_int_equal(failure.reason, answers[i].reason);
        assert_null(strchr(err.text, '\x1b'));
        assert_null(strstr(err.text, "hidden")); /* a URL's path and query may be a secret */
        assert_non_null(strstr(err.text, "127.0.0.1"));
        assert_non_null(strstr(err.text, "why"));
    }
}

/* Pages that show the request are common; what they say goes into logs and to /readyz. */
static void an_answer_that_repeats_what_is_secret_is_not_shown(void **unused)
{
    (void)unused;
    static const struct {
        const char *more, *says;
    } echoes[] = {
        {"", "no route for /in, see the manual"},
        {"", "parameter key=hidden is unknown"},
        {", token: shown-token", "you showed shown-token"},
        {", user: weir, password: pass-word", "{\"password\":\"pass-word\"}"},
        {", user: weir, password: pass-word", "Authorization: Basic d2VpcjpwYXNzLXdvcmQ="},
        {", headers: ['Authorization: GenieKey 123456']", "who is GenieKey 123456"},
        {", token: shown-token",
            "this is where what is shown comes to its end, in the middle of what nobody should see "
            "but the two who know it, which is why all of it is looked through, not only: "
            "shown-token"},
    };
    for (size_t i = 0; i < sizeof(echoes) / sizeof(echoes[0]); i++) {
        struct notify_failure failure;
        struct error err;
        http_server_answer(&server, 500, NULL, echoes[i].says);
        assert_int_equal(tell_webhook(echoes[i].more, &failure, &err), ST_RETRY);
        if (strstr(err.text, "what it says repeats our URL or a secret") == NULL)
            fail_msg("shown: %s", err.text);
    }
    struct notify_failure failure;
    struct error err;
    http_server_answer(&server, 500, NULL, "disk full");
    assert_int_equal(
        tell_webhook(", token: shown-token, headers: ['X-Team: disk']", &failure, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "it says: disk full"));
}

static void a_redirect_is_not_followed(void **unused)
{
    (void)unused;
    struct notify_failure failure;
    struct error err;
    char location[96];
    snprintf(location, sizeof(location), "Location: http://127.0.0.1:%d/else\r\n", server.port);
    http_server_answer(&server, 308, location, "");
    assert_int_equal(tell_webhook("", &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_REDIRECT);
    assert_int_equal(http_server_requests(&server), 1);
}

static void a_server_may_say_when_to_come_again(void **unused)
{
    (void)unused;
    struct notify_failure failure;
    struct error err;
    http_server_answer(&server, 429, "Retry-After: 7\r\n", "");
    assert_int_equal(tell_webhook("", &failure, &err), ST_RETRY);
    assert_true(failure.wait_ns == 7 * NS_PER_S);
    http_server_answer(&server, 503, "Retry-After: 86400\r\n", "");
    assert_int_equal(tell_webhook("", &failure, &err), ST_RETRY);
    assert_true(failure.wait_ns == 300 * NS_PER_S);
}

static void a_slow_server_is_not_waited_for(void **unused)
{
    (void)unused;
    struct notify_failure failure;
    struct error err;
    int64_t begun_ns = clock_ns();
    http_server_misbehave(&server, 5000, false, false);
    assert_int_equal(tell_webhook(", timeout: 200ms", &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_TIMEOUT);
    assert_true(clock_ns() - begun_ns < 4 * NS_PER_S);
}

static int64_t stop_ns;

static bool is_stopped(void)
{
    return clock_ns() >= stop_ns;
}

/* Post to a server of its own that answers after `delay_ms`, and stop after `after_ms`. */
static enum status tell_and_stop(int delay_ms, int64_t after_ms)
{
    struct http_server slow;
    struct config config;
    struct notify_failure failure;
    struct error err;
    void *line = NULL;
    http_server_start(&slow, NULL, NULL);
    http_server_misbehave(&slow, delay_ms, false, false);
    receiver_config(&config, "{name: hook, webhook: 'http://127.0.0.1:%d/'}", slow.port);
    struct notice notice = receiver_notice("f00d", NOTICE_FIRING, NOON);
    const struct notice *const notices[] = {&notice};
    const struct receiver *receiver = &config.receiver[0];
    assert_int_equal(receiver->kind->open(&line, receiver->self, 0, is_stopped, &err), ST_OK);
    stop_ns = clock_ns() + after_ms * NS_PER_MS;
    enum status status = receiver->kind->send(line, notices, 1, &failure, &err);
    receiver->kind->close(line);
    http_server_stop(&slow);
    notice_release(&notice);
    config_release(&config);
    return status;
}

/* It would be told again by who comes next. */
static void who_stops_waits_a_little_for_an_answer(void **unused)
{
    (void)unused;
    assert_int_equal(tell_and_stop(1700, 100), ST_OK);
    int64_t begun_ns = clock_ns();
    assert_int_equal(tell_and_stop(8000, 100), ST_RETRY);
    assert_true(clock_ns() - begun_ns < 5 * NS_PER_S);
    begun_ns = clock_ns();
    assert_int_equal(tell_and_stop(1000, -1), ST_RETRY); /* nothing is begun any more */
    assert_true(clock_ns() - begun_ns < NS_PER_S);
}

static void an_answer_that_breaks_off_is_none(void **unused)
{
    (void)unused;
    struct notify_failure failure;
    struct error err;
    http_server_misbehave(&server, 0, true, false);
    assert_int_equal(tell_webhook("", &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_CUT);
    http_server_misbehave(&server, 0, false, true);
    assert_int_equal(tell_webhook("", &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_CUT);
}

/* A port that nobody listens on: bound, but not listening. */
static void a_server_that_is_not_there_is_unreachable(void **unused)
{
    (void)unused;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(at);
    struct notify_failure failure;
    struct error err;
    char yaml[128];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, bytes), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
    snprintf(
        yaml, sizeof(yaml), "{name: hook, webhook: 'http://127.0.0.1:%d/'}", ntohs(at.sin_port));
    assert_int_equal(tell(yaml, &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_UNREACHABLE);
    close(fd);
}

static enum status tell_secure(
    const char *host, const char *more, struct notify_failure *failure, struct error *err)
{
    char yaml[1024];
    snprintf(
        yaml, sizeof(yaml), "{name: hook, webhook: 'https://%s:%d/'%s}", host, secure.port, more);
    return tell(yaml, failure, err);
}

static void only_a_server_that_proves_who_it_is_is_told(void **unused)
{
    (void)unused;
    struct notify_failure failure;
    struct error err;
    char ca[256], other[256];
    snprintf(ca, sizeof(ca), ", ca_file: %s/ca.pem", folder);
    snprintf(other, sizeof(other), ", ca_file: %s/other-ca.pem", folder);
    assert_int_equal(tell_secure("127.0.0.1", ca, &failure, &err), ST_OK);
    assert_int_equal(tell_secure("localhost", ca, &failure, &err), ST_OK);
    assert_int_equal(http_server_requests(&secure), 2);

    assert_int_equal(tell_secure("127.0.0.1", other, &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_TLS);
    assert_int_equal(tell_secure("127.0.0.1", "", &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_TLS);
    assert_int_equal(tell_secure("127.0.0.2", ca, &failure, &err), ST_RETRY);
    assert_int_equal(http_server_requests(&secure), 2);

    struct http_server elsewhere;
    char certificate[256], key[256], yaml[512];
    snprintf(certificate, sizeof(certificate), "%s/elsewhere.pem", folder);
    snprintf(key, sizeof(key), "%s/elsewhere.key", folder);
    http_server_start(&elsewhere, certificate, key);
    snprintf(
        yaml, sizeof(yaml), "{name: hook, webhook: 'https://localhost:%d/'%s}", elsewhere.port, ca);
    assert_int_equal(tell(yaml, &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_TLS);
    assert_int_equal(http_server_requests(&elsewhere), 0);
    http_server_stop(&elsewhere);
}

static void a_file_of_ours_that_cannot_be_read_is_said(void **unused)
{
    (void)unused;
    struct notify_failure failure;
    struct error err;
    char path[128], more[256];
    assert_int_equal(tell_webhook(", secret_file: /nonexistent/secret", &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_SECRET);
    assert_non_null(strstr(err.text, "/nonexistent/secret"));
    assert_int_equal(tell_webhook(", token_file: /nonexistent/token", &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_SECRET);
    assert_int_equal(http_server_requests(&server), 0);

    snprintf(path, sizeof(path), "%s/token", folder);
    FILE *file = fopen(path, "w");
    fputs("renewed-token\n", file);
    fclose(file);
    snprintf(more, sizeof(more), ", token_file: %s", path);
    assert_int_equal(tell_webhook(more, &failure, &err), ST_OK);
    assert_string_equal(
        header_of(http_server_request(&server, 0), "Authorization"), "Bearer renewed-token");
    file = fopen(path, "w");
    fputs("two\nlines\n", file);
    fclose(file);
    assert_int_equal(tell_webhook(more, &failure, &err), ST_RETRY);
    assert_null(strstr(err.text, "lines\n"));
    assert_int_equal(http_server_requests(&server), 1);
}

static json_t *told_alertmanager(const char *more, const struct notice *notice)
{
    struct config config;
    struct notify_failure failure;
    struct error err;
    receiver_config(
        &config, "{name: am, alertmanager: ['http://127.0.0.1:%d/am/']%s}", server.port, more);
    http_server_forget(&server);
    if (receiver_tell(&config, notice, &failure, &err) != ST_OK) fail_msg("%s", err.text);
    config_release(&config);
    assert_string_equal(http_server_request(&server, 0)->path, "/am/api/v2/alerts");
    json_t *alerts = json_loads(http_server_request(&server, 0)->body, 0, NULL);
    assert_int_equal(json_array_size(alerts), 1);
    json_t *alert = json_incref(json_array_get(alerts, 0));
    json_decref(alerts);
    return alert;
}

static const char *text_at(const json_t *alert, const char *object, const char *member)
{
    const json_t *in = object == NULL ? alert : json_object_get(alert, object);
    const char *text = json_string_value(json_object_get(in, member));
    return text == NULL ? "" : text;
}

static void alertmanager_is_told_as_its_api_has_it(void **unused)
{
    (void)unused;
    static const char json[] =
        "{\"id\":\"f00d\",\"rule\":\"slow\",\"since_ms\":1714564740000,\"at_ms\":1714564800000,"
        "\"labels\":{\"service\":\"cart\",\"http.method\":\"GET\",\"0\":\"zero\",\"empty\":\"\"},"
        "\"annotations\":{\"summary\":\"S\"},"
        "\"exemplars\":[{\"trace_id\":\"ab\",\"kind\":\"slow\",\"duration_ms\":812.4,"
        "\"link\":\"http://t/ab\"},{\"trace_id\":\"cd\",\"kind\":\"error\"}],"
        "\"errors\":[{\"type\":\"Timeout\",\"message\":\"m\",\"count\":12}]}";
    struct notice notice;
    struct error err;
    assert_int_equal(notice_of_json(&notice, bytes_of(json), NOTICE_FIRING, &err), ST_OK);
    int64_t before_ns = clock_wall_ns(), until_ns;
    json_t *alert = told_alertmanager(
        ", resend: 30s, generator_url: 'http://g/?s={{labels.service}}&r={{rule}}'", &notice);
    assert_string_equal(text_at(alert, "labels", "alertname"), "slow");
    assert_string_equal(text_at(alert, "labels", "http_method"), "GET");
    assert_string_equal(text_at(alert, "labels", "_0"), "zero");
    assert_null(json_object_get(json_object_get(alert, "labels"), "empty"));
    assert_string_equal(text_at(alert, "annotations", "summary"), "S");
    assert_string_equal(
        text_at(alert, "annotations", "traces"), "slow 812.4 ms http://t/ab\nerror cd");
    assert_string_equal(text_at(alert, "annotations", "errors"), "12 x Timeout: m");
    assert_string_equal(text_at(alert, NULL, "startsAt"), "2024-05-01T12:00:00Z");
    assert_string_equal(text_at(alert, NULL, "generatorURL"), "http://g/?s=cart&r=slow");
    assert_true(instant_parse(text_at(alert, NULL, "endsAt"), 0, &until_ns));
    assert_true(until_ns >= before_ns + 119 * NS_PER_S);
    assert_true(until_ns <= clock_wall_ns() + 121 * NS_PER_S);
    json_decref(alert);

    notice.state = NOTICE_RESOLVED;
    alert = told_alertmanager("", &notice);
    assert_string_equal(text_at(alert, NULL, "endsAt"), "2024-05-01T12:00:00Z");
    assert_string_equal(text_at(alert, NULL, "startsAt"), "2024-05-01T12:00:00Z");
    assert_null(json_object_get(alert, "generatorURL"));
    json_decref(alert);
    notice_release(&notice);
}

/* The clock of who makes spans may be ahead of ours: an end that lies ahead would be none. */
static void alertmanager_is_told_of_no_time_ahead(void **unused)
{
    (void)unused;
    for (int s = NOTICE_FIRING; s <= NOTICE_RESOLVED; s++) {
        int64_t now_ns = clock_wall_ns(), starts_ns, ends_ns;
        int64_t ahead_ms = now_ns / NS_PER_MS + 3600 * INT64_C(1000);
        struct notice notice = receiver_notice("f00d", (enum notice_state)s, ahead_ms);
        json_t *alert = told_alertmanager(", resend: 30s", &notice);
        assert_true(instant_parse(text_at(alert, NULL, "startsAt"), 0, &starts_ns));
        assert_true(instant_parse(text_at(alert, NULL, "endsAt"), 0, &ends_ns));
        assert_true(starts_ns <= clock_wall_ns());
        assert_true(ends_ns >= starts_ns);
        assert_true((ends_ns > clock_wall_ns()) == (s == NOTICE_FIRING));
        json_decref(alert);
        notice_release(&notice);
    }
}

/* In metrics, logs and Redis, where a path has no place that it is not needed for. */
static void an_alertmanager_is_named_by_host_and_port_where_that_will_do(void **unused)
{
    (void)unused;
    static const char *const want[] = {"am@a:9093", "am@b:80/one", "am@b:80/two", "am@c:443"};
    struct config config;
    char place[RECEIVER_PLACE_BYTES];
    receiver_config(&config, "{name: am, alertmanager: ['http://a:9093/hidden', 'http://b/one', "
                             "'http://b:80/two', 'https://c/hidden/']}");
    for (size_t i = 0; i < 4; i++) {
        receiver_place(&config.receiver[0], i, place);
        assert_string_equal(place, want[i]);
    }
    config_release(&config);
}

static int start(void **unused)
{
    (void)unused;
    char command[256], certificate[256], key[256];
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(command, sizeof(command), "sh tests/support/certificates.sh %s", folder);
    if (system(command) != 0) return -1;
    snprintf(certificate, sizeof(certificate), "%s/server.pem", folder);
    snprintf(key, sizeof(key), "%s/server.key", folder);
    http_server_start(&server, NULL, NULL);
    http_server_start(&secure, certificate, key);
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    char command[256];
    http_server_stop(&server);
    http_server_stop(&secure);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(a_signature_is_hmac_sha256_of_timestamp_and_body),
        FRESH(a_webhook_is_told_in_json_with_a_key_and_a_signature),
        FRESH(a_webhook_without_a_secret_is_not_signed),
        FRESH(a_template_is_the_body),
        FRESH(an_answers_code_says_whether_it_was_taken),
        FRESH(an_answer_that_repeats_what_is_secret_is_not_shown),
        FRESH(a_redirect_is_not_followed),
        FRESH(a_server_may_say_when_to_come_again),
        FRESH(a_slow_server_is_not_waited_for),
        FRESH(who_stops_waits_a_little_for_an_answer),
        FRESH(an_answer_that_breaks_off_is_none),
        FRESH(a_server_that_is_not_there_is_unreachable),
        FRESH(only_a_server_that_proves_who_it_is_is_told),
        FRESH(a_file_of_ours_that_cannot_be_read_is_said),
        FRESH(alertmanager_is_told_as_its_api_has_it),
        FRESH(alertmanager_is_told_of_no_time_ahead),
        FRESH(an_alertmanager_is_named_by_host_and_port_where_that_will_do),
    };
    return cmocka_run_group_tests_name("http_post", tests, start, stop);
}
