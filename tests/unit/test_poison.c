/*
 * Text that was made to do harm: what steers a terminal is escaped wherever people look, what breaks a
 * format is escaped in that format, and LIMITS.md says the numbers that the code has.
 */
#include "engine/base/log.h"
#include "engine/base/node.h"
#include "engine/base/text.h"
#include "engine/base/trace_link.h"
#include "engine/cmd/sheet.h"
#include "engine/combine.h"
#include "engine/config.h"
#include "engine/dead_letter.h"
#include "engine/fleet.h"
#include "engine/metrics.h"
#include "engine/notify_queue.h"
#include "operators/expression.h"
#include "schemas/decoder.h"
#include "schemas/mask.h"
#include "schemas/series_name.h"
#include "sinks/notice.h"
#include "sinks/notifier.h"
#include "sinks/redis_alerts.h"
#include "sinks/row_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#define NAME(text)                                   \
    {                                                \
        (const uint8_t *)(text), sizeof(text "") - 1 \
    }

static const struct bytes names[] = {
    NAME(""),
    NAME("nul\0nul"),
    NAME("line\nline\r\nline"),
    NAME("\r\n*1\r\n$8\r\nFLUSHALL\r\n"),
    NAME("\x1b[2J\x1b]0;title\x07"),
    NAME("del\x7f"),
    NAME("c1\xc2\x9b[31m"),
    NAME("bidi\xe2\x80\xae \xd8\x9c \xe2\x81\xa6"),
    NAME("separators\xe2\x80\xa8\xe2\x80\xa9"),
    NAME("not\xff\xfe utf\xc0\x80\x9b"),
    NAME("cut\xe2\x80"),
    NAME("\"\\{}=,;%"),
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* Nothing but line ends steers, and everything is UTF-8. */
static void assert_harmless(struct bytes text)
{
    while (text.size > 0) {
        size_t bytes = text_character(text);
        assert_int_not_equal(bytes, 0);
        assert_int_equal(text_steering((struct bytes){text.data, bytes}), -1);
        text = (struct bytes){text.data + bytes, text.size - bytes};
    }
}

static void what_steers_is_known_and_letters_are_not(void **unused)
{
    (void)unused;
    assert_int_equal(text_steering(bytes_of("\x1b")), 0x1b);
    assert_int_equal(text_steering(bytes_of("\x7f")), 0x7f);
    assert_int_equal(text_steering(bytes_of("\xc2\x80")), 0x80);
    assert_int_equal(text_steering(bytes_of("\xc2\x9f")), 0x9f);
    assert_int_equal(text_steering(bytes_of("\xe2\x80\x8b")), 0x200b);
    assert_int_equal(text_steering(bytes_of("\xe2\x80\xae")), 0x202e);
    assert_int_equal(text_steering(bytes_of("\xe2\x81\xa9")), 0x2069);
    assert_int_equal(text_steering(bytes_of(" ")), -1);
    assert_int_equal(text_steering(bytes_of("\xc2\xa0")), -1);
    assert_int_equal(text_steering(bytes_of("\xe2\x80\xaf")), -1);
    assert_int_equal(text_steering(bytes_of("\xf0\x9f\x98\x80")), -1);
}

static void any_name_is_harmless_in_a_sheet_in_json_and_in_a_label(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < NAMES; i++) {
        struct buffer out = {0};
        sheet_escape(names[i], &out);
        assert_harmless(buffer_bytes(&out));
        buffer_reset(&out);
        row_json_text(names[i], &out);
        assert_harmless(buffer_bytes(&out));
        json_t *read =
            json_loadb((char *)out.data, out.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(read);
        json_decref(read);
        buffer_release(&out);
        assert_harmless(bytes_of(metric_label((const char *)names[i].data).text));
        assert_null(strpbrk(metric_label((const char *)names[i].data).text, "\n"));
        assert_harmless(bytes_of(node_show((const char *)names[i].data).text));
    }
}

static void any_name_is_a_part_of_a_redis_key_and_comes_back(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < NAMES; i++) {
        struct buffer key = {0}, back = {0};
        series_name_encode(&key, names[i]);
        for (size_t b = 0; b < key.size; b++)
            assert_true(
                key.data[b] > ' ' && key.data[b] < 0x7f && strchr(";=:*{}", key.data[b]) == NULL);
        series_name_decode(buffer_bytes(&key), &back);
        assert_true(bytes_equal(buffer_bytes(&back), names[i]));
        buffer_release(&key);
        buffer_release(&back);
    }
}

static void lengths_of_gigabytes_are_refused_at_their_byte(void **unused)
{
    (void)unused;
    static const struct {
        struct bytes message;
        int64_t at;
    } bad[] = {
        {NAME("\x0a\xff\xff\xff\xff\x0f"), 0},
        {NAME("\x12\x00\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), 2},
        {NAME("\x12\x00\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 2},
        {NAME("\x0a\x05"), 0},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct spans spans = {0};
        struct error err;
        assert_int_equal(decoder_find("otlp_proto")->decode(bad[i].message, &spans, &err), ST_SKIP);
        assert_int_equal(spans.refusal, REFUSED_MALFORMED);
        assert_int_equal(spans.refused_at, bad[i].at);
        spans_release(&spans);
    }
}

#define LIMIT(name) \
    {               \
#name, name \
    }

static const struct {
    const char *name;
    int64_t value;
} limits[] = {
    LIMIT(SPANS_MAX),
    LIMIT(SPAN_TEXT_MAX),
    LIMIT(ATTRIBUTES_MAX),
    LIMIT(MASK_BYTES_MAX),
    LIMIT(EXEMPLARS_MAX),
    LIMIT(ERROR_KINDS_MAX),
    LIMIT(TRACE_LINK_BYTES_MAX),
    LIMIT(TOPICS_MAX),
    LIMIT(VIEWS_MAX),
    LIMIT(VIEW_DIMENSIONS_MAX),
    LIMIT(WINDOWS_MAX),
    LIMIT(HISTORIES_MAX),
    LIMIT(OPERATORS_MAX),
    LIMIT(KAFKA_SETTINGS_MAX),
    LIMIT(DEAD_LETTER_VALUE_MAX),
    LIMIT(DEAD_LETTER_KEY_MAX),
    LIMIT(DEAD_LETTER_HEADERS_MAX),
    LIMIT(DEAD_LETTER_HEADER_BYTES_MAX),
    LIMIT(DEAD_LETTERS_BYTES_MAX),
    LIMIT(COMBINE_TOTALS_MAX),
    LIMIT(METRICS_MAX),
    LIMIT(METRICS_OF_NAME_MAX),
    LIMIT(METRIC_LABEL_BYTES_MAX),
    LIMIT(LOG_LINE_BYTES_MAX),
    LIMIT(NODE_INPUT_BYTES_MAX),
    LIMIT(NODE_DEPTH_MAX),
    LIMIT(EXPRESSION_BYTES_MAX),
    LIMIT(EXPRESSION_NODES_MAX),
    LIMIT(EXPRESSION_DEPTH_MAX),
    LIMIT(FLEET_PENDING_MAX),
    LIMIT(INCIDENT_MEMBERS_MAX),
    LIMIT(RECEIVERS_MAX),
    LIMIT(NOTIFIER_PLACES_MAX),
    LIMIT(NOTIFY_PLACES_MAX),
    LIMIT(NOTIFY_QUEUE_MAX),
    LIMIT(ALERTS_LOOK_MAX),
    LIMIT(NOTICE_MEMBER_BYTES_MAX),
    LIMIT(NOTICE_LABELS_MAX),
};
enum { LIMITS = sizeof(limits) / sizeof(limits[0]) };

/* The number in the cell of LIMITS.md before the one with `name`; -1: there is none. */
static int64_t number_written(const char *page, const char *name)
{
    char mark[64];
    snprintf(mark, sizeof(mark), "| `%s` |", name);
    const char *at = strstr(page, mark);
    if (at == NULL) return -1;
    while (at > page && at[-1] != '|')
        at--;
    int64_t number = 0;
    for (; *at != '|'; at++) {
        if (*at >= '0' && *at <= '9') number = 10 * number + (*at - '0');
    }
    return number;
}

static void the_numbers_of_limits_md_are_those_of_the_code(void **unused)
{
    (void)unused;
    static char page[64 << 10];
    FILE *file = fopen("LIMITS.md", "r");
    assert_non_null(file);
    size_t size = fread(page, 1, sizeof(page) - 1, file);
    fclose(file);
    page[size] = '\0';
    for (size_t i = 0; i < LIMITS; i++) {
        int64_t written = number_written(page, limits[i].name);
        if (written != limits[i].value)
            fail_msg("LIMITS.md says %lld for %s, which is %lld", (long long)written,
                limits[i].name, (long long)limits[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_steers_is_known_and_letters_are_not),
        cmocka_unit_test(any_name_is_harmless_in_a_sheet_in_json_and_in_a_label),
        cmocka_unit_test(any_name_is_a_part_of_a_redis_key_and_comes_back),
        cmocka_unit_test(lengths_of_gigabytes_are_refused_at_their_byte),
        cmocka_unit_test(the_numbers_of_limits_md_are_those_of_the_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
