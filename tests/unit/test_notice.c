/* What receivers are told: read from the stream's fields and the active hash, old and new; templates. */
#include "sinks/notice.h"
#include "sinks/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SERIES "service=check%20out;operation=GET%20%2F;kind=SERVER"

static struct notice_field field(const char *name, const char *value)
{
    return (struct notice_field){bytes_of(name), bytes_of(value)};
}

static void assert_label(const struct notice *notice, const char *name, const char *value)
{
    assert_non_null(notice_label(notice, name));
    assert_string_equal(notice_label(notice, name), value);
}

static void an_entry_without_labels_gets_them_from_rule_severity_and_series(void **unused)
{
    (void)unused;
    const struct notice_field fields[] = {field("id", "f00d"), field("rule", "slow"),
        field("series", SERIES), field("state", "firing"), field("severity", "page"),
        field("condition", "p95[5m] > 500ms"), field("value", "750.5"),
        field("since_ms", "1714564800000"), field("at_ms", "1714564830000")};
    struct notice notice;
    struct error err;
    assert_int_equal(notice_of_fields(&notice, fields, 9, &err), ST_OK);
    assert_string_equal(notice.id, "f00d");
    assert_int_equal(notice.state, NOTICE_FIRING);
    assert_int_equal(notice.since_ms, 1714564800000);
    assert_int_equal(notice.at_ms, 1714564830000);
    assert_label(&notice, "alertname", "slow");
    assert_label(&notice, "severity", "page");
    assert_label(&notice, "service", "check out");
    assert_label(&notice, "operation", "GET /");
    assert_label(&notice, "kind", "SERVER");
    const json_t *annotations = json_object_get(notice.alert, "annotations");
    assert_string_equal(
        json_string_value(json_object_get(annotations, "summary")), "p95[5m] > 500ms, now 750.5");
    notice_release(&notice);
}

static void an_entry_with_everything_is_taken_as_it_is(void **unused)
{
    (void)unused;
    const struct notice_field fields[] = {field("id", "f00d"), field("state", "resolved"),
        field("rule", "slow"), field("series", SERIES), field("condition", "p95 > 500ms"),
        field("value", ""), field("labels", "{\"team\":\"web\",\"n\":3,\"deep\":{\"x\":1}}"),
        field("annotations", "{\"summary\":\"S\"}"),
        field("exemplars", "[{\"trace_id\":\"ab\",\"kind\":\"slow\",\"link\":\"http://t/ab\"}]"),
        field("errors", "no JSON"), field("members", "{}"), field("strange", "x")};
    struct notice notice;
    struct error err;
    assert_int_equal(notice_of_fields(&notice, fields, 12, &err), ST_OK);
    assert_int_equal(notice.state, NOTICE_RESOLVED);
    assert_label(&notice, "team", "web");
    assert_label(&notice, "n", "3");
    assert_label(&notice, "alertname", "slow");
    assert_null(notice_label(&notice, "deep"));
    assert_null(notice_label(&notice, "service"));
    assert_int_equal(json_array_size(json_object_get(notice.alert, "exemplars")), 1);
    assert_null(json_object_get(notice.alert, "errors"));
    assert_null(json_object_get(notice.alert, "members"));
    assert_null(json_object_get(notice.alert, "value"));
    assert_null(json_object_get(notice.alert, "strange"));
    assert_null(json_object_get(notice.alert, "state"));
    notice_release(&notice);
}

static void what_has_no_id_or_state_is_refused(void **unused)
{
    (void)unused;
    static const char *const ids[] = {"", "a b", "a:b", "../x", NULL};
    struct notice notice;
    struct error err;
    for (size_t i = 0; ids[i] != NULL; i++) {
        const struct notice_field fields[] = {field("id", ids[i]), field("state", "firing")};
        assert_int_equal(notice_of_fields(&notice, fields, 2, &err), ST_SKIP);
        assert_null(notice.alert);
    }
    const struct notice_field stateless[] = {field("id", "f00d")};
    assert_int_equal(notice_of_fields(&notice, stateless, 1, &err), ST_SKIP);
    const struct notice_field pending[] = {field("id", "f00d"), field("state", "pending")};
    assert_int_equal(notice_of_fields(&notice, pending, 2, &err), ST_SKIP);
    assert_int_equal(notice_of_fields(&notice, NULL, 0, &err), ST_SKIP);
    assert_int_equal(notice_of_json(&notice, bytes_of("[1]"), NOTICE_FIRING, &err), ST_SKIP);
    assert_int_equal(notice_of_json(&notice, bytes_of("{"), NOTICE_FIRING, &err), ST_SKIP);
}

static void bytes_that_are_no_text_become_one(void **unused)
{
    (void)unused;
    const struct notice_field fields[] = {field("id", "f00d"), field("state", "firing"),
        {bytes_of("rule"), {(const uint8_t *)"a\xff\0b", 4}}, field("series", "service=%FF%00x")};
    struct notice notice;
    struct error err;
    assert_int_equal(notice_of_fields(&notice, fields, 4, &err), ST_OK);
    assert_string_equal(notice_text(&notice, "rule"), "a\xef\xbf\xbd\xef\xbf\xbd"
                                                      "b");
    assert_label(&notice, "service", "\xef\xbf\xbd\xef\xbf\xbdx");
    notice_release(&notice);
}

static void a_notice_is_the_same_written_and_read_again(void **unused)
{
    (void)unused;
    const char *json = "{\"id\":\"f00d\",\"rule\":\"r\",\"state\":\"firing\",\"value\":0.5,"
                       "\"at_ms\":5,\"labels\":{\"b\":\"2\",\"a\":\"1\"},\"errors\":[1]}";
    struct notice first, second;
    struct error err;
    struct buffer one = {0};
    assert_int_equal(notice_of_json(&first, bytes_of(json), NOTICE_RESOLVED, &err), ST_OK);
    assert_int_equal(first.state, NOTICE_FIRING);
    notice_write(&first, &one);
    assert_int_equal(notice_of_json(&second, buffer_bytes(&one), NOTICE_RESOLVED, &err), ST_OK);
    assert_int_equal(second.state, NOTICE_RESOLVED);
    assert_false(second.again);
    assert_true(json_equal(first.alert, second.alert));
    assert_true(notice_fingerprint(&first) == notice_fingerprint(&second));
    notice_release(&second);

    first.again = true;
    notice_set_at(&first, 7);
    buffer_reset(&one);
    notice_write(&first, &one);
    assert_int_equal(notice_of_json(&second, buffer_bytes(&one), NOTICE_RESOLVED, &err), ST_OK);
    assert_true(second.again);
    assert_int_equal(second.at_ms, 7);
    assert_true(json_equal(first.alert, second.alert));
    buffer_release(&one);
    notice_release(&first);
    notice_release(&second);
}

static void a_fingerprint_is_of_the_labels_whatever_their_order(void **unused)
{
    (void)unused;
    static const char *const same[] = {
        "{\"id\":\"1\",\"labels\":{\"alertname\":\"r\",\"a\":\"1\"}}",
        "{\"id\":\"2\",\"labels\":{\"a\":\"1\",\"alertname\":\"r\"},\"value\":3}",
        "{\"id\":\"1\",\"labels\":{\"alertname\":\"r\",\"a\":\"2\"}}"};
    uint64_t print[3];
    struct error err;
    for (size_t i = 0; i < 3; i++) {
        struct notice notice;
        assert_int_equal(notice_of_json(&notice, bytes_of(same[i]), NOTICE_FIRING, &err), ST_OK);
        print[i] = notice_fingerprint(&notice);
        notice_release(&notice);
    }
    assert_true(print[0] == print[1]);
    assert_true(print[0] != print[2]);
}

static const char strange[] =
    "{\"id\":\"f00d\",\"rule\":\"a \\\"b\\\"\\n\",\"value\":0.25,\"at_ms\":1714564830000,"
    "\"labels\":{\"http.method\":\"GET /&?\",\"service\":\"s\"},"
    "\"exemplars\":[{\"link\":\"http://t/1\"},{\"link\":\"http://t/2\"}]}";

static const struct {
    const char *template;
    enum template_into into;
    const char *want;
} filled[] = {
    {"{{rule}}", TEMPLATE_TEXT, "a \"b\"\n"},
    {"{\"r\":\"{{ rule }}\"}", TEMPLATE_JSON, "{\"r\":\"a \\\"b\\\"\\n\"}"},
    {"x={{labels.http.method}}", TEMPLATE_URL, "x=GET%20%2F%26%3F"},
    {"{{state}} {{value}} {{json value}} {{at}} {{at_ms}}", TEMPLATE_TEXT,
        "firing 0.25 0.25 2024-05-01T12:00:30Z 1714564830000"},
    {"[{{labels.none}}]{{json labels.none}}[{{since}}]", TEMPLATE_TEXT, "[]null[]"},
    {"{{exemplars.1.link}} {{exemplars.7.link}}", TEMPLATE_TEXT, "http://t/2 "},
    {"{{json labels}}", TEMPLATE_TEXT,
        "{\"http.method\":\"GET /&?\",\"service\":\"s\","
        "\"alertname\":\"a \\\"b\\\"\\n\"}"},
    {"{{\"{{\"}}x}} { }", TEMPLATE_TEXT, "{{x}} { }"},
    {"no places", TEMPLATE_JSON, "no places"},
    {"", TEMPLATE_TEXT, ""},
};

static void templates_are_filled_in_for_where_they_go(void **unused)
{
    (void)unused;
    struct notice notice;
    struct error err;
    assert_int_equal(notice_of_json(&notice, bytes_of(strange), NOTICE_FIRING, &err), ST_OK);
    json_t *view = template_view(&notice);
    for (size_t i = 0; i < sizeof(filled) / sizeof(filled[0]); i++) {
        struct buffer out = {0};
        assert_int_equal(template_check(filled[i].template, &err), ST_OK);
        template_render(filled[i].template, view, filled[i].into, &out);
        buffer_append(&out, "", 1);
        assert_string_equal((const char *)out.data, filled[i].want);
        buffer_release(&out);
    }
    json_decref(view);
    notice_release(&notice);
}

static void templates_that_name_what_no_alert_has_are_refused(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {"{{", "{{rule", "{{service}}", "{{labels.}}", "{{}}",
        "{{json}}", "{{column}}", "{{threshold}}", "a {{rule}} {{x", "{{\"{{\"", NULL};
    struct error err;
    for (size_t i = 0; wrong[i] != NULL; i++) {
        if (template_check(wrong[i], &err) != ST_FATAL) fail_msg("taken for right: %s", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_without_labels_gets_them_from_rule_severity_and_series),
        cmocka_unit_test(an_entry_with_everything_is_taken_as_it_is),
        cmocka_unit_test(what_has_no_id_or_state_is_refused),
        cmocka_unit_test(bytes_that_are_no_text_become_one),
        cmocka_unit_test(a_notice_is_the_same_written_and_read_again),
        cmocka_unit_test(a_fingerprint_is_of_the_labels_whatever_their_order),
        cmocka_unit_test(templates_are_filled_in_for_where_they_go),
        cmocka_unit_test(templates_that_name_what_no_alert_has_are_refused),
    };
    return cmocka_run_group_tests_name("notice", tests, NULL, NULL);
}
