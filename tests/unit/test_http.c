/* A client of its own, by socket: what goes over the wire is the contract. */
#include "engine/metrics.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { ANSWER_BYTES_MAX = 1 << 20 };

#define TOKEN "0123456789abcdef"

static uint16_t port;
static char answer[ANSWER_BYTES_MAX];

static int server_open(void **unused)
{
    (void)unused;
    struct error err;
    return http_open("127.0.0.1:0", "", &port, &err) == ST_OK ? 0 : -1;
}

static int server_close(void **unused)
{
    (void)unused;
    http_close();
    return 0;
}

static int client_connect(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Send `request` and read until the server hangs up. */
static const char *ask(const char *request, size_t bytes)
{
    int fd = client_connect();
    size_t sent = 0;
    while (sent < bytes) {
        ssize_t now = send(fd, request + sent, bytes - sent, MSG_NOSIGNAL);
        if (now <= 0) break; /* the server has heard enough */
        sent += (size_t)now;
    }
    size_t size = 0;
    ssize_t got;
    while ((got = recv(fd, answer + size, sizeof(answer) - 1 - size, 0)) > 0)
        size += (size_t)got;
    answer[size] = '\0';
    close(fd);
    return answer;
}

static const char *ask_for(const char *method, const char *path)
{
    char request[256];
    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        method, path);
    return ask(request, strlen(request));
}

static const char *body_of(const char *whole)
{
    const char *end = strstr(whole, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static int code_of(const char *whole)
{
    int code = 0;
    sscanf(whole, "HTTP/1.1 %d", &code);
    return code;
}

static void health_is_ok(void **unused)
{
    (void)unused;
    const char *got = ask_for("GET", "/healthz");
    assert_int_equal(code_of(got), 200);
    assert_string_equal(body_of(got), "ok\n");
}

static void metrics_are_prometheus_text(void **unused)
{
    (void)unused;
    metric_add(metric_of(METRIC_COUNTER, "weir_asked_total", "Asked.", NULL), 3);
    const char *got = ask_for("GET", "/metrics");
    assert_int_equal(code_of(got), 200);
    assert_non_null(strstr(got, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(body_of(got), "\nweir_asked_total 3\n"));
}

static void readiness_is_of_every_part(void **unused)
{
    (void)unused;
    assert_int_equal(code_of(ask_for("GET", "/readyz")), 503);
    assert_string_equal(body_of(answer), "weir: not ready: it is starting\n");

    ready_set("kafka", NULL);
    ready_set("redis", "no answer from 127.0.0.1:6379:\nis it running?");
    assert_int_equal(code_of(ask_for("GET", "/readyz")), 503);
    assert_string_equal(body_of(answer),
        "kafka: ready\nredis: not ready: no answer from 127.0.0.1:6379: is it running?\n");

    ready_set("redis", NULL);
    assert_int_equal(code_of(ask_for("GET", "/readyz")), 200);
    assert_string_equal(body_of(answer), "kafka: ready\nredis: ready\n");
}

static void other_paths_are_answered_with_those_there_are(void **unused)
{
    (void)unused;
    static const char *const paths[] = {"/", "/metricsx", "/../etc/passwd", "/metrics/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *got = ask_for("GET", paths[i]);
        assert_int_equal(code_of(got), 404);
        assert_non_null(strstr(body_of(got), "/metrics"));
        assert_non_null(strstr(body_of(got), "/healthz"));
        assert_non_null(strstr(body_of(got), "/readyz"));
    }
}

static void a_query_does_not_change_the_page(void **unused)
{
    (void)unused;
    assert_int_equal(code_of(ask_for("GET", "/healthz?verbose=1")), 200);
}

static void head_has_the_headers_only(void **unused)
{
    (void)unused;
    const char *got = ask_for("HEAD", "/healthz");
    assert_int_equal(code_of(got), 200);
    assert_non_null(strstr(got, "Content-Length: 3\r\n"));
    assert_string_equal(body_of(got), "");
}

static void other_methods_are_refused(void **unused)
{
    (void)unused;
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "BREW"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        assert_int_equal(code_of(ask_for(methods[i], "/metrics")), 405);
        assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
    }
}

static void a_body_is_not_read(void **unused)
{
    (void)unused;
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";
    const char *got = ask(request, sizeof(request) - 1);
    assert_int_not_equal(code_of(got), 200);
    assert_int_equal(code_of(ask_for("GET", "/healthz")), 200);
}

static void a_request_that_is_too_large_is_refused(void **unused)
{
    (void)unused;
    static char request[100000];
    int head = snprintf(request, sizeof(request), "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ");
    memset(request + head, 'x', sizeof(request) - (size_t)head);
    int code = code_of(ask(request, sizeof(request)));
    assert_true(code == 0 || code >= 400); /* the answer may be lost when the server hangs up */
    assert_int_equal(code_of(ask_for("GET", "/healthz")), 200);
}

static void nonsense_does_not_stop_the_server(void **unused)
{
    (void)unused;
    ask("\x16\x03\x01\x02\x00\r\n\r\n", 9);
    int fd = client_connect(); /* one that says nothing and goes */
    close(fd);
    assert_int_equal(code_of(ask_for("GET", "/healthz")), 200);
}

static void a_connection_serves_more_than_one_request(void **unused)
{
    (void)unused;
    static const char two[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
                              "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const char *got = ask(two, sizeof(two) - 1);
    assert_int_equal(code_of(got), 200);
    assert_non_null(strstr(got, "HTTP/1.1 404"));
}

static void a_port_in_use_is_said(void **unused)
{
    (void)unused;
    struct error err;
    char listen[32];
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
    uint16_t other = 1;
    assert_int_equal(http_open(listen, "", &other, &err), ST_FATAL);
    assert_non_null(strstr(err.text, listen));
    assert_non_null(strstr(err.text, "another process has that port"));
    assert_int_equal(other, 1);
}

static void other_machines_need_a_token(void **unused)
{
    (void)unused;
    static const char *const open_to_all[] = {
        "0.0.0.0:9464", "192.168.1.5:80", "[::]:9464", "[2001:db8::1]:80", "[::ffff:127.0.0.1]:1"};
    for (size_t i = 0; i < sizeof(open_to_all) / sizeof(open_to_all[0]); i++) {
        struct error err;
        assert_int_equal(http_check(open_to_all[i], "", &err), ST_FATAL);
        assert_non_null(strstr(err.text, "http.token"));
        assert_int_equal(http_check(open_to_all[i], TOKEN, &err), ST_OK);
    }
}

static void a_weak_token_is_refused_and_not_repeated(void **unused)
{
    (void)unused;
    char longest[258], space[] = "0123456789 abcdefghij";
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const char *const weak[] = {"hunter2", longest, space, "0123456789abcde\xc3\xa4"};
    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
        struct error err;
        assert_int_equal(http_check("127.0.0.1:0", weak[i], &err), ST_FATAL);
        assert_non_null(strstr(err.text, "http.token has "));
        assert_null(strstr(err.text, weak[i]));
    }
}

static int ask_with(const char *path, const char *authorization)
{
    char request[1024];
    snprintf(request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s\r\n", path, authorization,
        authorization[0] == '\0' ? "" : "\r\n");
    return code_of(ask(request, strlen(request)));
}

static int token_open(void **unused)
{
    struct error err;
    server_close(unused);
    return http_open("127.0.0.1:0", TOKEN, &port, &err) == ST_OK ? 0 : -1;
}

static int token_close(void **unused)
{
    server_close(unused);
    return server_open(unused);
}

static void the_token_opens_every_page(void **unused)
{
    (void)unused;
    assert_int_equal(ask_with("/metrics", "Authorization: Bearer " TOKEN), 200);
    assert_int_equal(ask_with("/metrics", "authorization: bearer  " TOKEN), 200);
    assert_int_equal(ask_with("/nowhere", "Authorization: Bearer " TOKEN), 404);
    assert_null(strstr(ask_for("GET", "/metrics"), TOKEN));
}

static void without_the_token_only_health_is_told(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {"", "Authorization: Bearer", "Authorization: Bearer ",
        "Authorization: Bearer 0123456789abcdeF", "Authorization: Bearer 0123456789abcde",
        "Authorization: Bearer " TOKEN "0", "Authorization: Bearer " TOKEN " x",
        "Authorization: Basic " TOKEN, "Authorization: " TOKEN, "X-Authorization: Bearer " TOKEN};
    static const char *const pages[] = {"/metrics", "/readyz", "/nowhere", "/healthz/"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        for (size_t p = 0; p < sizeof(pages) / sizeof(pages[0]); p++) {
            if (ask_with(pages[p], wrong[i]) != 401) fail_msg("%s: %s", pages[p], wrong[i]);
            assert_non_null(strstr(answer, "WWW-Authenticate: Bearer realm=\"weir\"\r\n"));
            assert_null(strstr(answer, "weir_"));
        }
        assert_int_equal(ask_with("/healthz", wrong[i]), 200);
    }
}

/* More than are served at once, none of which ever finishes its request. */
static void slow_clients_do_not_keep_others_out(void **unused)
{
    (void)unused;
    int slow[100];
    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
        slow[i] = client_connect();
        assert_int_equal(send(slow[i], "GET /h", 6, MSG_NOSIGNAL), 6);
    }
    assert_int_equal(code_of(ask_for("GET", "/healthz")), 200);
    char byte;
    assert_int_equal(recv(slow[0], &byte, 1, 0), 0); /* the oldest was hung up on */
    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++)
        close(slow[i]);
}

static void what_is_no_address_is_refused(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {"", ":", "9464", ":9464", "127.0.0.1",
        "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:1 ", "::1:9464",
        "[::1]", "[::1:80", "[]:80", "[127.0.0.1]:80", "example.org:80",
        "127.0.0.1:999999999999999999999",
        "a-name-that-is-longer-than-any-address-would-ever-be-written.example:80"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error err;
        if (http_check(wrong[i], "", &err) != ST_FATAL) fail_msg("taken: `%s`", wrong[i]);
        assert_non_null(strstr(err.text, "127.0.0.1"));
    }
}

static void loopback_addresses_are_taken(void **unused)
{
    (void)unused;
    static const char *const right[] = {
        "127.0.0.1:9464", "127.8.9.10:0", "localhost:65535", "[::1]:9464"};
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        struct error err;
        assert_int_equal(http_check(right[i], "", &err), ST_OK);
    }
}

static void ipv6_is_served_where_there_is_any(void **unused)
{
    (void)unused;
    http_close();
    struct error err;
    uint16_t v6_port = 0;
    enum status status = http_open("[::1]:0", "", &v6_port, &err);
    if (status == ST_OK) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6,
            .sin6_port = htons(v6_port),
            .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        int fd = socket(AF_INET6, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd);
    } else {
        assert_non_null(strstr(err.text, "[::1]:0")); /* a machine without IPv6 */
    }
    http_close();
    assert_int_equal(server_open(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_is_ok),
        cmocka_unit_test(metrics_are_prometheus_text),
        cmocka_unit_test(readiness_is_of_every_part),
        cmocka_unit_test(other_paths_are_answered_with_those_there_are),
        cmocka_unit_test(a_query_does_not_change_the_page),
        cmocka_unit_test(head_has_the_headers_only),
        cmocka_unit_test(other_methods_are_refused),
        cmocka_unit_test(a_body_is_not_read),
        cmocka_unit_test(a_request_that_is_too_large_is_refused),
        cmocka_unit_test(nonsense_does_not_stop_the_server),
        cmocka_unit_test(a_connection_serves_more_than_one_request),
        cmocka_unit_test(a_port_in_use_is_said),
        cmocka_unit_test(other_machines_need_a_token),
        cmocka_unit_test(a_weak_token_is_refused_and_not_repeated),
        cmocka_unit_test_setup_teardown(the_token_opens_every_page, token_open, token_close),
        cmocka_unit_test_setup_teardown(
            without_the_token_only_health_is_told, token_open, token_close),
        cmocka_unit_test(slow_clients_do_not_keep_others_out),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(loopback_addresses_are_taken),
        cmocka_unit_test(ipv6_is_served_where_there_is_any),
    };
    return cmocka_run_group_tests_name("http", tests, server_open, server_close);
}
