#include "engine/kafka_refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct kafka_setting user = {"sasl.username", "reader"};
static struct config config = {.name = "w",
    .brokers = "k1:9093",
    .dead_letter = "spans-dead",
    .kafka = &user,
    .kafka_settings = 1};

static int about(void **unused)
{
    (void)unused;
    kafka_refusal_about(&config, "--operation Read");
    return 0;
}

static void what_is_denied_names_the_line_that_allows_it(void **unused)
{
    (void)unused;
    static const struct {
        int code;
        const char *topic, *todo;
    } cases[] = {
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "spans",
            "kafka-acls.sh --bootstrap-server k1:9093 --add --allow-principal User:reader "
            "--operation Read --topic spans"},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "spans-dead",
            "kafka-acls.sh --bootstrap-server k1:9093 --add --allow-principal User:reader "
            "--operation Write --operation Describe --operation Create --topic spans-dead"},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "w.state",
            "kafka-acls.sh --bootstrap-server k1:9093 --add --allow-principal User:reader "
            "--operation Read --operation Write --operation Create --operation Delete --topic w. "
            "--resource-pattern-type prefixed"},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "w.other",
            "kafka-acls.sh --bootstrap-server k1:9093 --add --allow-principal User:reader "
            "--operation Read --topic w.other"},
        {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, "",
            "kafka-acls.sh --bootstrap-server k1:9093 --add --allow-principal User:reader "
            "--operation Read --group w- --resource-pattern-type prefixed"},
        {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "",
            "kafka-acls.sh --bootstrap-server k1:9093 --add --allow-principal User:reader "
            "--operation Write --transactional-id w- --resource-pattern-type prefixed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kafka_refusal r = kafka_refusal_of_answer(cases[i].code, cases[i].topic);
        assert_string_equal(r.reason, "authorization");
        assert_string_equal(r.todo, cases[i].todo);
    }
}

static void other_errors_are_no_refusals(void **unused)
{
    (void)unused;
    static const int codes[] = {RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR__TRANSPORT,
        RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct kafka_refusal r = kafka_refusal_of_error(codes[i], "whatever");
        assert_null(r.reason);
        assert_false(kafka_refusal_say(&r));
        assert_false(kafka_refusal_answer(codes[i], "spans"));
    }
}

/* How many lines of the log `count` refusals make, of as many topics. */
static int lines_of(int count)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    int before = dup(STDERR_FILENO), lines = 0;
    dup2(fileno(file), STDERR_FILENO);
    for (int i = 0; i < count; i++) {
        char topic[32];
        snprintf(topic, sizeof(topic), "topic-%d", i);
        kafka_refusal_answer(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, topic);
    }
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static void each_refusal_is_said_however_many_there_are(void **unused)
{
    (void)unused;
    assert_int_equal(lines_of(100), 100);
    assert_int_equal(lines_of(100), 0); /* not again within seconds */
    assert_int_equal(lines_of(400), 300);
}

static void a_mechanism_that_is_not_there_names_those_that_are(void **unused)
{
    (void)unused;
    struct kafka_refusal r = kafka_refusal_of_error(RD_KAFKA_RESP_ERR__AUTHENTICATION,
        "sasl_ssl://k1:9093/bootstrap: SASL SCRAM-SHA-256 mechanism handshake failed: Broker: "
        "Unsupported SASL mechanism: broker's supported mechanisms: PLAIN,SCRAM-SHA-512 (after "
        "301ms in state AUTH_HANDSHAKE)");
    assert_string_equal(r.reason, "authentication");
    assert_string_equal(
        r.todo, "set sasl.mechanism under `kafka:` to one that it has: PLAIN,SCRAM-SHA-512");
}

static void a_certificate_that_openssl_takes_is_taken_and_no_other(void **unused)
{
    (void)unused;
    char why[256] = "";
    int x509 = 0;
    assert_int_equal(
        kafka_refusal_verify(NULL, "k1:9093", 1, &x509, 0, NULL, 0, why, sizeof(why), NULL), 1);
    for (x509 = 1; x509 < 100; x509++) {
        int seen = x509;
        assert_int_equal(
            kafka_refusal_verify(NULL, "k1:9093", 1, &seen, 0, NULL, 0, why, sizeof(why), NULL), 0);
        assert_int_equal(seen, x509);
        assert_memory_equal(why, "the certificate of k1:9093 ", 27);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_denied_names_the_line_that_allows_it, about),
        cmocka_unit_test(other_errors_are_no_refusals),
        cmocka_unit_test_setup(each_refusal_is_said_however_many_there_are, about),
        cmocka_unit_test(a_mechanism_that_is_not_there_names_those_that_are),
        cmocka_unit_test(a_certificate_that_openssl_takes_is_taken_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
