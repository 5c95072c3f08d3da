#include "engine/base/node.h"
#include "engine/base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text, *masked;
} cases[] = {
    {"redis://weir:hunter2@redis:6379/1", "redis://************@redis:6379/1"},
    {"--redis=redis://:p@ss@redis:6379", "--redis=redis://*****@redis:6379"},
    {"redis://redis:6379", "redis://redis:6379"},
    {"kafka.sasl.password=hunter2", "kafka.sasl.password=*******"},
    {"--set=kafka.ssl.key.password=a=b", "--set=kafka.ssl.key.password=***"},
    {"kafka={sasl.username: weir, SASL.Password: hunter2}",
        "kafka={sasl.username: weir, SASL.Password:*********"},
    {"http.token=0123456789abcdef", "http.token=****************"},
    {"ssl.key.pem=-----BEGIN", "ssl.key.pem=**********"},
    {"sasl.password", "sasl.password"},
    {"sasl.password=", "sasl.password="},
    {"lateness=30s", "lateness=30s"},
    {"a@b", "a@b"},
    {"@://", "@://"},
    {"", ""},
};

static void secrets_are_masked_and_nothing_else_is(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "%s", cases[i].text);
        bool masked = secret_mask(text);
        assert_string_equal(text, cases[i].masked);
        assert_int_equal(masked, strcmp(cases[i].text, cases[i].masked) != 0);
    }
}

static void arguments_are_masked_where_others_look_and_kept_for_us(void **unused)
{
    (void)unused;
    char command[] = "run", secret[] = "--redis=redis://:hunter2@h:1";
    char *argv[] = {command, secret, NULL};
    secret_hide_arguments(2, argv);
    assert_ptr_equal(argv[0], command);
    assert_string_equal(secret, "--redis=redis://********@h:1");
    assert_string_equal(argv[1], "--redis=redis://:hunter2@h:1");
    free(argv[1]); /* a program keeps it to its end */
}

static void errors_show_foreign_texts_without_their_secrets(void **unused)
{
    (void)unused;
    assert_string_equal(node_show("redis://:hunter2@h:1").text, "redis://********@h:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_masked_and_nothing_else_is),
        cmocka_unit_test(arguments_are_masked_where_others_look_and_kept_for_us),
        cmocka_unit_test(errors_show_foreign_texts_without_their_secrets),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
