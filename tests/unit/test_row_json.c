/*
 * Rows as people read them: JSON that parses, numbers that come back, history rows that fit.
 */
#include "sinks/row_compact.h"
#include "sinks/row_json.h"
#include "sinks/row_scores.h"
#include "tests/support/random.h"
#include "tests/support/sample_output.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

enum { SEEDS = 2000 };

static struct bytes written(struct buffer *out)
{
    buffer_append(out, "", 1);
    out->size--;
    return buffer_bytes(out);
}

static void a_row_reads_as_documented(void **unused)
{
    (void)unused;
    struct output output = sample_row("service=a", 1714564800000, 10000, 120);
    struct buffer out = {0};
    output.row.record_ms = 1714564811000;
    output.row.sent_ms = 1714564811250;
    output.columns = 4;
    row_json(&output, 1714564811300, &out);
    assert_true(bytes_are(written(&out),
        "{\"start_ms\":1714564800000,\"end_ms\":1714564810000,\"status\":\"final\",\"spans\":120,"
        "\"errors\":12,\"latency_sum_ms\":1500,\"rate_per_s\":12,\"transfer_ms\":250,"
        "\"analysis_ms\":50}"));
    buffer_release(&out);
}

static void traces_and_error_kinds_read_as_documented(void **unused)
{
    (void)unused;
    struct output output = sample_row("service=a", 1714564800000, 10000, 10);
    struct row *row = &output.row;
    struct buffer out = {0};
    output.columns = 1;
    row->exemplars = 4;
    for (uint8_t i = 0; i < 4; i++)
        row->exemplar[i] = (struct exemplar){.kind = i < 2    ? EXEMPLAR_SLOW
                                                     : i == 2 ? EXEMPLAR_ERROR
                                                              : EXEMPLAR_TYPICAL,
            .trace_id = {[15] = (uint8_t)(0xa0 + i)},
            .duration_ns = 1500000 + i};
    row->error_kinds = 1;
    row->error_kind[0] = (struct error_kind){.type = bytes_of("E\"1"),
        .message = bytes_of("after <num>ms \xff"),
        .count = 3,
        .trace_id = {1}};
    row->errors_else = 2;
    row_json(&output, 0, &out);
#define ID(last) "000000000000000000000000000000" last
    assert_true(bytes_are(written(&out),
        "{\"start_ms\":1714564800000,\"end_ms\":1714564810000,\"status\":\"final\",\"spans\":10,"
        "\"trace_id_slow\":\"" ID("a0") "\",\"trace_id_error\":\"" ID(
            "a2") "\","
                  "\"trace_id_typical\":\"" ID(
                      "a3") "\",\"exemplars\":["
                            "{\"kind\":\"slow\",\"trace_id\":\"" ID(
                                "a0") "\",\"duration_ms\":1.5},"
                                      "{\"kind\":\"slow\",\"trace_id\":\"" ID(
                                          "a1") "\",\"duration_ms\":1.500001},"
                                                "{\"kind\":\"error\",\"trace_id\":\"" ID(
                                                    "a2") "\",\"duration_ms\":1.500002},"
                                                          "{\"kind\":\"typical\",\"trace_id\":"
                                                          "\"" ID(
                                                              "a3") "\",\"duration_ms\":1.500003}],"
                                                                    "\"error_kinds\":[{\"type\":"
                                                                    "\"E\\\"1\",\"message\":"
                                                                    "\"after <num>ms "
                                                                    "\xef\xbf\xbd\","
                                                                    "\"count\":3,\"trace_id\":"
                                                                    "\"0100000000000000000000000000"
                                                                    "0000\"}],\"errors_else\":2}"));
    buffer_reset(&out);
    row_json_exemplars(&row->exemplar[2], 1, "http://x/{trace_id}", &out);
    assert_true(bytes_are(written(&out),
        "[{\"kind\":\"error\",\"trace_id\":\"" ID("a2") "\",\"duration_ms\":1.500002,"
                                                        "\"link\":\"http://x/" ID("a2") "\"}]"));
    buffer_release(&out);
}

static void delays_are_absent_where_they_are_unknown(void **unused)
{
    (void)unused;
    struct output output = sample_row("service=a", 0, 10000, 1);
    struct buffer out = {0};
    row_json(&output, 5, &out);
    written(&out);
    assert_null(strstr((char *)out.data, "transfer_ms"));
    assert_null(strstr((char *)out.data, "analysis_ms"));
    buffer_release(&out);
}

static void a_latency_sum_is_exact_beyond_what_doubles_hold(void **unused)
{
    (void)unused;
    static const struct {
        uint64_t ns;
        const char *shown;
    } cases[] = {
        {0, "\"latency_sum_ms\":0,"},
        {1, "\"latency_sum_ms\":0.000001,"},
        {12345678901, "\"latency_sum_ms\":12345.678901,"},
        {UINT64_MAX, "\"latency_sum_ms\":18446744073709.551615,"},
        {1500000, "\"latency_sum_ms\":1.5,"},
    };
    struct buffer out = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct output output = {.row = {.end_ns = 1}};
        sample_integer(&output, "latency_sum_ns", cases[i].ns);
        sample_integer(&output, "spans", 1);
        buffer_reset(&out);
        row_json(&output, 0, &out);
        written(&out);
        assert_non_null(strstr((char *)out.data, cases[i].shown));
    }
    buffer_release(&out);
}

static void every_double_comes_back(void **unused)
{
    (void)unused;
    struct random random = random_from(11);
    struct buffer out = {0};
    for (int i = 0; i < SEEDS; i++) {
        uint64_t bits = random_next(&random);
        double number;
        memcpy(&number, &bits, sizeof(number));
        if (!isfinite(number)) continue;
        buffer_reset(&out);
        row_json_number(number, &out);
        written(&out);
        assert_true(strtod((char *)out.data, NULL) == number);
    }
    buffer_reset(&out);
    row_json_number(0.1, &out);
    assert_true(bytes_are(written(&out), "0.1"));
    buffer_reset(&out);
    row_json_number(NAN, &out);
    assert_true(bytes_are(written(&out), "null"));
    buffer_release(&out);
}

static void any_bytes_as_text_are_json(void **unused)
{
    (void)unused;
    struct random random = random_from(5);
    struct buffer out = {0};
    for (int i = 0; i < SEEDS; i++) {
        uint8_t bytes[24];
        for (size_t b = 0; b < sizeof(bytes); b++)
            bytes[b] = (uint8_t)random_next(&random);
        buffer_reset(&out);
        row_json_text((struct bytes){bytes, sizeof(bytes)}, &out);
        json_t *read =
            json_loadb((char *)out.data, out.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(read);
        json_decref(read);
    }
    buffer_reset(&out);
    row_json_text(bytes_of("a\"b\\c\n\xc3\xa9\xff"), &out);
    assert_true(bytes_are(written(&out), "\"a\\\"b\\\\c\\u000a\xc3\xa9\xef\xbf\xbd\""));
    buffer_release(&out);
}

static void an_alert_parses_with_every_member(void **unused)
{
    (void)unused;
    struct output output = sample_alert("0abc", "service=a", ALERT_FIRING);
    struct buffer out = {0};
    row_json_alert(&output.alert, "", &out);
    json_t *read = json_loadb((char *)out.data, out.size, 0, NULL);
    assert_non_null(read);
    assert_string_equal(json_string_value(json_object_get(read, "id")), "0abc");
    assert_string_equal(json_string_value(json_object_get(read, "state")), "firing");
    assert_true(json_number_value(json_object_get(read, "value")) == 750.5);
    assert_int_equal(json_integer_value(json_object_get(read, "at_ms")), 1714564830000);
    assert_string_equal(json_string_value(json_object_get(read, "condition")), "p99 > 500ms");
    const json_t *labels = json_object_get(read, "labels");
    assert_string_equal(json_string_value(json_object_get(labels, "alertname")), "slow");
    const json_t *annotations = json_object_get(read, "annotations");
    assert_string_equal(json_string_value(json_object_get(annotations, "summary")), "p99 is 751ms");
    json_decref(read);

    output.alert.value = NAN;
    output.alert.labels = bytes_of("[1");
    output.alert.annotations = (struct bytes){0};
    buffer_reset(&out);
    row_json_alert(&output.alert, "", &out);
    read = json_loadb((char *)out.data, out.size, 0, NULL);
    assert_true(json_is_null(json_object_get(read, "value")));
    assert_int_equal(json_object_size(json_object_get(read, "labels")), 0);
    assert_int_equal(json_object_size(json_object_get(read, "annotations")), 0);
    json_decref(read);
    buffer_release(&out);
}

static void a_history_row_reads_as_documented(void **unused)
{
    (void)unused;
    struct output output = sample_row("service=a", 0, 10000, 120);
    struct row_compact compact;
    struct buffer out = {0};
    sample_number(&output, "latency_p99_ms_z", -1.5);
    sample_number(&output, "rate_per_s_z", 1.25);
    row_compact_of(&output, &compact);
    row_compact_append(&compact, &out);
    assert_true(bytes_are(buffer_bytes(&out), "120,12,12.5,1.25,99.5,12,55,90,-1.5"));

    struct output empty = {.row = {.end_ns = 1}};
    sample_integer(&empty, "spans", 0);
    buffer_reset(&out);
    row_compact_of(&empty, &compact);
    row_compact_append(&compact, &out);
    assert_true(bytes_are(buffer_bytes(&out), "0,0,,,,,,,"));
    buffer_release(&out);
}

static void scores_of_a_slice_read_as_documented(void **unused)
{
    (void)unused;
    struct output output = sample_row("service=a", 0, 60000, 120);
    struct buffer out = {0};
    struct bytes signal;
    uint32_t at = 0;
    sample_number(&output, "rate_per_s_z", 9);
    assert_false(row_scores_any(&output));
    assert_false(row_scores_next(&output, &at, &signal, &out));

    output.columns--;
    sample_number(&output, "errors_z", -4.125);
    sample_number(&output, "errors_expected", 123456);
    sample_number(&output, "errors_low", 0.00012346);
    sample_number(&output, "errors_high", -1e-300);
    sample_number(&output, "errors_level", 2);
    sample_number(&output, "errors_windows_needed", 60);
    sample_number(&output, "spans_expected", 7);
    assert_true(row_scores_any(&output));
    at = 0;
    assert_true(row_scores_next(&output, &at, &signal, &out));
    assert_true(bytes_are(signal, "errors"));
    assert_true(bytes_are(buffer_bytes(&out), "-4.12,1.235e+05,0.0001235,-1e-300,2"));
    assert_true(row_scores_next(&output, &at, &signal, &out));
    assert_true(bytes_are(signal, "spans"));
    assert_true(bytes_are(buffer_bytes(&out), ",7,,,"));
    assert_false(row_scores_next(&output, &at, &signal, &out));
    buffer_release(&out);
}

/* A number as latencies and scores may be: over many orders of magnitude, now and then none. */
static double random_number(struct random *random)
{
    if (random_next(random) % 10 == 0) return NAN;
    double magnitude = (double)(random_next(random) % 1600) / 100 - 6;
    return pow(10, magnitude) * (random_coin(random) ? 1 : -1);
}

static bool is_near(double wrote, double read)
{
    if (isnan(wrote)) return isnan(read);
    return fabs(wrote - read) <= 0.05 * fabs(wrote);
}

static void a_history_row_fits_and_comes_back(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct random random = random_from(seed);
        struct row_compact wrote = {0}, read;
        wrote.spans = random_next(&random) >> (24 + random_next(&random) % 40);
        wrote.errors = wrote.spans / 3;
        wrote.mean_ms = random_number(&random);
        wrote.min_ms = random_number(&random);
        wrote.max_ms = random_number(&random);
        for (int q = 0; q < COMPACT_QUANTILES; q++)
            wrote.quantile_ms[q] = random_number(&random);
        wrote.z = random_number(&random);

        buffer_reset(&out);
        row_compact_append(&wrote, &out);
        assert_true(out.size <= COMPACT_BYTES_MAX);
        assert_true(row_compact_parse(buffer_bytes(&out), &read));
        assert_true(read.spans == wrote.spans && read.errors == wrote.errors);
        assert_true(is_near(wrote.mean_ms, read.mean_ms));
        assert_true(is_near(wrote.min_ms, read.min_ms));
        assert_true(is_near(wrote.quantile_ms[0], read.quantile_ms[0]));
    }
    buffer_release(&out);
}

static void the_longest_counts_are_exact_and_the_rest_gives_way(void **unused)
{
    (void)unused;
    struct row_compact wrote = {
        UINT64_MAX, UINT64_MAX, 1e-5, 1e-5, 1e15, {1e15, 1e15, 1e15}, -1e15};
    struct row_compact read;
    struct buffer out = {0};
    row_compact_append(&wrote, &out);
    assert_true(out.size <= COMPACT_BYTES_MAX);
    assert_true(row_compact_parse(buffer_bytes(&out), &read));
    assert_true(read.spans == UINT64_MAX && read.errors == UINT64_MAX);
    assert_true(isnan(read.z));
    buffer_release(&out);
}

static void what_is_no_history_row_is_refused(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"", "1", "x,1", "1,,2", "1,2,x", "-1,0", "1,2,3e"};
    struct row_compact read;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(row_compact_parse(bytes_of(bad[i]), &read));
    assert_true(row_compact_parse(bytes_of("1,0"), &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_reads_as_documented),
        cmocka_unit_test(traces_and_error_kinds_read_as_documented),
        cmocka_unit_test(delays_are_absent_where_they_are_unknown),
        cmocka_unit_test(a_latency_sum_is_exact_beyond_what_doubles_hold),
        cmocka_unit_test(every_double_comes_back),
        cmocka_unit_test(any_bytes_as_text_are_json),
        cmocka_unit_test(an_alert_parses_with_every_member),
        cmocka_unit_test(a_history_row_reads_as_documented),
        cmocka_unit_test(scores_of_a_slice_read_as_documented),
        cmocka_unit_test(a_history_row_fits_and_comes_back),
        cmocka_unit_test(the_longest_counts_are_exact_and_the_rest_gives_way),
        cmocka_unit_test(what_is_no_history_row_is_refused),
    };
    return cmocka_run_group_tests_name("row_json", tests, NULL, NULL);
}
