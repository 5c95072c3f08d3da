/*
 * The rows topic's records: what goes in comes out, protobuf-c reads the same, and what is malformed
 * is refused.
 */
#include "schemas/row.h"
#include "schemas/series_name.h"
#include "schemas/wire.h"
#include "tests/support/random.h"

#include <math.h>
#include <row.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SEEDS = 200 };

#define PLAN  UINT64_C(0xfedcba9876543210)
#define NOON  INT64_C(1714564800000000000)
#define S(ns) ((ns)*INT64_C(1000000000))

static const struct columns columns = {.name = {
                                           [COLUMN_SPANS] = "spans",
                                           [COLUMN_ERRORS] = "errors",
                                           [COLUMN_LATENCY_SUM_NS] = "latency_sum_ns",
                                           [COLUMN_RATE_PER_S] = "rate_per_s",
                                           [COLUMN_QUANTILE] = "latency_p50_ms",
                                           [COLUMN_SCORE] = "latency_p50_ms_z",
                                       }};

static void random_trace(struct random *random, uint8_t *id)
{
    for (int i = 0; i < 16; i++)
        id[i] = (uint8_t)random_next(random);
}

static void random_traces(struct random *random, struct row *row)
{
    row->exemplars = (uint32_t)random_below(random, EXEMPLARS_MAX + 1);
    for (uint32_t i = 0; i < row->exemplars; i++) {
        row->exemplar[i].kind = (uint8_t)random_below(random, 3);
        row->exemplar[i].duration_ns = random_octave_ns(random);
        random_trace(random, row->exemplar[i].trace_id);
    }
    row->error_kinds = (uint32_t)random_below(random, ERROR_KINDS_MAX + 1);
    for (uint32_t i = 0; i < row->error_kinds; i++) {
        row->error_kind[i].type = bytes_of(random_coin(random) ? "TimeoutError" : "");
        row->error_kind[i].message = bytes_of(random_coin(random) ? "after <num>ms" : "");
        row->error_kind[i].count = 1 + random_below(random, 1000);
        random_trace(random, row->error_kind[i].trace_id);
    }
    row->errors_else = random_coin(random) ? random_below(random, 1000) : 0;
}

static struct row random_row(struct random *random)
{
    struct row row = {
        .series = bytes_of("service=checkout;operation=GET%20%2F"),
        .start_ns = NOON,
        .end_ns = NOON + S(10),
        .rolling = random_coin(random),
        .status = (enum row_status)(random_next(random) % 3),
        .sketch = random_coin(random) ? bytes_of("\x01\x02sketch") : (struct bytes){0},
        .record_ms = random_coin(random) ? 1714564801234 : 0,
        .sent_ms = random_coin(random) ? 1714564802345 : 0,
    };
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (random_coin(random)) continue;
        if (c < COLUMN_INTEGERS)
            row_set_integer(&row, c, random_next(random) >> (random_next(random) % 64));
        else
            row_set_number(&row, c, (double)(int64_t)random_next(random) / 1e12);
    }
    random_traces(random, &row);
    return row;
}

static void assert_same_traces(const struct row *a, const struct row *b)
{
    assert_int_equal(a->exemplars, b->exemplars);
    for (uint32_t i = 0; i < a->exemplars; i++) {
        assert_int_equal(a->exemplar[i].kind, b->exemplar[i].kind);
        assert_int_equal(a->exemplar[i].duration_ns, b->exemplar[i].duration_ns);
        assert_memory_equal(a->exemplar[i].trace_id, b->exemplar[i].trace_id, 16);
    }
    assert_int_equal(a->error_kinds, b->error_kinds);
    for (uint32_t i = 0; i < a->error_kinds; i++) {
        assert_true(bytes_equal(a->error_kind[i].type, b->error_kind[i].type));
        assert_true(bytes_equal(a->error_kind[i].message, b->error_kind[i].message));
        assert_int_equal(a->error_kind[i].count, b->error_kind[i].count);
        assert_memory_equal(a->error_kind[i].trace_id, b->error_kind[i].trace_id, 16);
    }
    assert_int_equal(a->errors_else, b->errors_else);
}

static void assert_same_row(const struct row *row, const struct output *output)
{
    assert_same_traces(row, &output->row);
    assert_true(bytes_equal(row->series, output->row.series));
    assert_int_equal(row->start_ns, output->row.start_ns);
    assert_int_equal(row->end_ns, output->row.end_ns);
    assert_int_equal(row->rolling, output->row.rolling);
    assert_int_equal(row->status, output->row.status);
    assert_true(bytes_equal(row->sketch, output->row.sketch));
    assert_int_equal(row->record_ms, output->row.record_ms);
    assert_int_equal(row->sent_ms, output->row.sent_ms);
    uint32_t at = 0;
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (!row_has(row, c) || columns.name[c][0] == '\0') continue;
        assert_true(at < output->columns);
        assert_true(bytes_are(output->column[at].name, columns.name[c]));
        assert_int_equal(output->column[at].is_integer, c < COLUMN_INTEGERS);
        assert_int_equal(output->column[at].value.integer, row->value[c].integer);
        at++;
    }
    assert_int_equal(at, output->columns);
}

static void a_row_comes_back_as_it_was(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct random random = random_from(seed);
        struct row row = random_row(&random);
        struct output output;
        struct error err;
        buffer_reset(&out);
        row_encode(&row, &columns, PLAN, &out);
        assert_int_equal(output_decode(buffer_bytes(&out), &output, &err), ST_OK);
        assert_true(output.plan == PLAN);
        assert_false(output.is_alert);
        assert_same_row(&row, &output);
    }
    buffer_release(&out);
}

static void assert_protobuf_traces(const struct row *row, const Weir__Row *read)
{
    assert_int_equal(read->n_exemplar, row->exemplars);
    for (uint32_t i = 0; i < row->exemplars; i++) {
        assert_int_equal((int)read->exemplar[i]->kind, row->exemplar[i].kind);
        assert_int_equal(read->exemplar[i]->duration_ns, row->exemplar[i].duration_ns);
        assert_int_equal(read->exemplar[i]->trace_id.len, 16);
        assert_memory_equal(read->exemplar[i]->trace_id.data, row->exemplar[i].trace_id, 16);
    }
    assert_int_equal(read->n_error_kind, row->error_kinds);
    for (uint32_t i = 0; i < row->error_kinds; i++) {
        assert_true(bytes_are(row->error_kind[i].type, read->error_kind[i]->type));
        assert_true(bytes_are(row->error_kind[i].message, read->error_kind[i]->message));
        assert_int_equal(read->error_kind[i]->count, row->error_kind[i].count);
        assert_int_equal(read->error_kind[i]->trace_id.len, 16);
        assert_memory_equal(read->error_kind[i]->trace_id.data, row->error_kind[i].trace_id, 16);
    }
    assert_int_equal(read->errors_else, row->errors_else);
}

static void protobuf_reads_the_same_row(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct random random = random_from(seed);
        struct row row = random_row(&random);
        buffer_reset(&out);
        row_encode(&row, &columns, PLAN, &out);
        Weir__Output *read = weir__output__unpack(NULL, out.size, out.data);
        assert_non_null(read);
        assert_int_equal(read->version, 1);
        assert_true(read->plan == PLAN);
        assert_int_equal(read->what_case, WEIR__OUTPUT__WHAT_ROW);
        assert_true(bytes_are(row.series, read->row->series));
        assert_int_equal(read->row->start_ns, row.start_ns);
        assert_int_equal(read->row->end_ns, row.end_ns);
        assert_int_equal(read->row->rolling, row.rolling);
        assert_int_equal((int)read->row->status, (int)row.status);
        assert_int_equal(read->row->sketch.len, row.sketch.size);
        assert_int_equal(read->row->sent_ms, row.sent_ms);
        assert_protobuf_traces(&row, read->row);
        struct output output;
        struct error err;
        assert_int_equal(output_decode(buffer_bytes(&out), &output, &err), ST_OK);
        assert_int_equal(read->row->n_column, output.columns);
        for (size_t c = 0; c < read->row->n_column; c++) {
            const Weir__RowColumn *column = read->row->column[c];
            assert_true(bytes_are(output.column[c].name, column->name));
            if (output.column[c].is_integer)
                assert_true(column->integer == output.column[c].value.integer);
            else
                assert_true(column->number == output.column[c].value.number);
        }
        weir__output__free_unpacked(read, NULL);
    }
    buffer_release(&out);
}

static struct alert some_alert(void)
{
    return (struct alert){
        .id = "0123456789abcdef0123456789abcdef",
        .rule = bytes_of("checkout is slow"),
        .series = bytes_of("service=checkout"),
        .state = ALERT_FIRING,
        .severity = bytes_of("page"),
        .condition = bytes_of("p99 > 500ms"),
        .value = 1234.5,
        .labels = bytes_of("{\"team\":\"shop\"}"),
        .annotations = bytes_of("{}"),
        .since_ns = NOON,
        .at_ns = NOON + S(30),
        .sent_ms = 1714564802345,
    };
}

static void an_alert_comes_back_as_it_was_and_protobuf_reads_it(void **unused)
{
    (void)unused;
    struct alert alert = some_alert();
    struct buffer out = {0};
    struct output output;
    struct error err;
    alert_encode(&alert, PLAN, &out);
    assert_int_equal(output_decode(buffer_bytes(&out), &output, &err), ST_OK);
    assert_true(output.is_alert);
    assert_string_equal(output.alert.id, alert.id);
    assert_true(bytes_equal(output.alert.rule, alert.rule));
    assert_true(bytes_equal(output.alert.series, alert.series));
    assert_int_equal(output.alert.state, ALERT_FIRING);
    assert_true(bytes_equal(output.alert.severity, alert.severity));
    assert_true(bytes_equal(output.alert.condition, alert.condition));
    assert_true(bytes_equal(output.alert.labels, alert.labels));
    assert_true(bytes_equal(output.alert.annotations, alert.annotations));
    assert_true(output.alert.value == alert.value);
    assert_int_equal(output.alert.since_ns, alert.since_ns);
    assert_int_equal(output.alert.at_ns, alert.at_ns);
    assert_int_equal(output.alert.sent_ms, alert.sent_ms);

    Weir__Output *read = weir__output__unpack(NULL, out.size, out.data);
    assert_non_null(read);
    assert_int_equal(read->what_case, WEIR__OUTPUT__WHAT_ALERT);
    assert_string_equal(read->alert->id, alert.id);
    assert_true(bytes_are(alert.rule, read->alert->rule));
    assert_int_equal(read->alert->state, WEIR__ALERT_STATE__FIRING);
    assert_true(read->alert->value == alert.value);
    assert_true(bytes_are(alert.condition, read->alert->condition));
    assert_true(bytes_are(alert.labels, read->alert->labels));
    assert_int_equal(read->alert->at_ns, alert.at_ns);
    weir__output__free_unpacked(read, NULL);
    buffer_release(&out);
}

static void an_alert_without_a_value_keeps_none(void **unused)
{
    (void)unused;
    struct alert alert = some_alert();
    struct buffer out = {0};
    struct output output;
    struct error err;
    alert.value = NAN;
    alert.state = ALERT_RESOLVED;
    alert_encode(&alert, PLAN, &out);
    assert_int_equal(output_decode(buffer_bytes(&out), &output, &err), ST_OK);
    assert_true(isnan(output.alert.value));
    buffer_release(&out);
}

static void a_newer_version_is_fatal_and_none_is_malformed(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    struct output output;
    struct error err;
    wire_put_uint(&out, 1, 2);
    wire_put_uint(&out, 99, 5); /* whatever it may hold */
    assert_int_equal(output_decode(buffer_bytes(&out), &output, &err), ST_FATAL);
    assert_int_equal(output_decode((struct bytes){0}, &output, &err), ST_SKIP);
    buffer_release(&out);
}

static void a_record_cut_anywhere_is_refused(void **unused)
{
    (void)unused;
    struct random random = random_from(7);
    struct row row = random_row(&random);
    struct alert alert = some_alert();
    struct buffer out = {0};
    struct output output;
    struct error err;
    row_encode(&row, &columns, PLAN, &out);
    for (size_t size = 0; size < out.size; size++)
        assert_int_equal(output_decode((struct bytes){out.data, size}, &output, &err), ST_SKIP);
    buffer_reset(&out);
    alert_encode(&alert, PLAN, &out);
    for (size_t size = 0; size < out.size; size++)
        assert_int_equal(output_decode((struct bytes){out.data, size}, &output, &err), ST_SKIP);
    buffer_release(&out);
}

static enum status decode_row(const struct row *row)
{
    struct buffer out = {0};
    struct output output;
    struct error err;
    row_encode(row, &columns, PLAN, &out);
    enum status status = output_decode(buffer_bytes(&out), &output, &err);
    buffer_release(&out);
    return status;
}

static void a_row_that_cannot_be_is_refused(void **unused)
{
    (void)unused;
    struct random random = random_from(3);
    const struct row good = random_row(&random);
    struct row row = good;
    row.series = (struct bytes){0};
    assert_int_equal(decode_row(&row), ST_SKIP);
    row = good;
    row.end_ns = row.start_ns;
    assert_int_equal(decode_row(&row), ST_SKIP);
    row = good;
    row.start_ns = -1;
    assert_int_equal(decode_row(&row), ST_SKIP);
    row = good;
    row.status = (enum row_status)3;
    assert_int_equal(decode_row(&row), ST_SKIP);
    assert_int_equal(decode_row(&good), ST_OK);
}

/* A row with `count` fields of that number. */
static enum status decode_with(uint32_t field, struct bytes content, int count)
{
    struct buffer out = {0};
    struct output output;
    struct error err;
    wire_put_uint(&out, 1, 1);
    size_t mark = wire_open(&out, 3);
    wire_put_bytes(&out, 1, bytes_of("service=a"));
    wire_put_sint(&out, 3, 5);
    for (int c = 0; c < count; c++)
        wire_put_bytes(&out, field, content);
    wire_close(&out, mark);
    enum status status = output_decode(buffer_bytes(&out), &output, &err);
    buffer_release(&out);
    return status;
}

#define TRACE "0123456789abcdef"

static void what_is_beyond_the_limits_is_refused(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t field;
        const char *content;
        int most;
    } cases[] = {
        {6, "\x0a\x05spans\x10\x01", COLUMN_COUNT},
        {10, "\x08\x01\x12\x10" TRACE "\x18\x05", EXEMPLARS_MAX},
        {11, "\x0a\x01t\x12\x01m\x18\x05\x22\x10" TRACE, ERROR_KINDS_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes content = bytes_of(cases[i].content);
        assert_int_equal(decode_with(cases[i].field, content, cases[i].most), ST_OK);
        assert_int_equal(decode_with(cases[i].field, content, cases[i].most + 1), ST_SKIP);
    }
}

static void traces_that_cannot_be_are_refused(void **unused)
{
    (void)unused;
    char long_text[1100] = "\x22\x10" TRACE "\x0a\x81\x08";
    static const struct {
        uint32_t field;
        const char *content;
        enum status status;
    } cases[] = {
        {10, "\x12\x10" TRACE, ST_OK},            /* slow, 0 ns */
        {10, "\x12\x10" TRACE "\x38\x05", ST_OK}, /* what a later weir added */
        {10, "", ST_SKIP},                        /* no trace */
        {10,
            "\x12\x0f"
            "0123456789abcde",
            ST_SKIP},                                /* a short one */
        {10, "\x08\x03\x12\x10" TRACE, ST_SKIP},     /* an unknown kind */
        {10, "\x12\x10" TRACE "\x1a\x01x", ST_SKIP}, /* a duration of text */
        {11, "\x22\x10" TRACE, ST_OK}, {11, "\x22\x10" TRACE "\x38\x05", ST_OK},
        {11, "\x18\x05", ST_SKIP},
        {11, "\x22\x10" TRACE "\x08\x05", ST_SKIP},  /* a type of number */
        {11, "\x22\x10" TRACE "\x1a\x01x", ST_SKIP}, /* a count of text */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            decode_with(cases[i].field, bytes_of(cases[i].content), 1), cases[i].status);
    memset(long_text + 21, 'x', 1025); /* a byte too many */
    assert_int_equal(decode_with(11, (struct bytes){(uint8_t *)long_text, 21 + 1025}, 1), ST_SKIP);
    long_text[19] = (char)0x80;
    assert_int_equal(decode_with(11, (struct bytes){(uint8_t *)long_text, 21 + 1024}, 1), ST_OK);
}

static void unknown_fields_are_passed_over(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    struct output output;
    struct error err;
    wire_put_uint(&out, 200, 1);
    wire_put_uint(&out, 1, 1);
    size_t mark = wire_open(&out, 3);
    wire_put_bytes(&out, 1, bytes_of("service=a"));
    wire_put_sint(&out, 3, 5);
    wire_put_bytes(&out, 77, bytes_of("later"));
    wire_close(&out, mark);
    assert_int_equal(output_decode(buffer_bytes(&out), &output, &err), ST_OK);
    assert_true(bytes_are(output.row.series, "service=a"));
    buffer_release(&out);
}

static void a_column_is_found_by_its_name(void **unused)
{
    (void)unused;
    assert_int_equal(columns_find(&columns, bytes_of("rate_per_s")), COLUMN_RATE_PER_S);
    assert_int_equal(columns_find(&columns, bytes_of("rate_per")), -1);
    assert_int_equal(columns_find(&columns, bytes_of("")), -1);
}

static void a_series_is_spelled_without_syntax_and_read_back(void **unused)
{
    (void)unused;
    struct buffer series = {0}, text = {0};
    struct bytes raw = {(const uint8_t *)"a;b=c%\0\n\xc3\xa9", 10};
    series_name_append(&series, bytes_of("kind"), bytes_of("SERVER"), true);
    series_name_append(&series, bytes_of("service"), raw, false);
    assert_true(bytes_are(buffer_bytes(&series), "kind=SERVER;service=a%3Bb%3Dc%25%00%0A%C3%A9"));
    struct bytes service = series_name_service(buffer_bytes(&series));
    assert_true(bytes_are(service, "a%3Bb%3Dc%25%00%0A%C3%A9"));
    series_name_decode(service, &text);
    assert_true(bytes_equal(buffer_bytes(&text), raw));
    assert_int_equal(series_name_service(bytes_of("kind=SERVER")).size, 0);
    buffer_reset(&text);
    series_name_decode(bytes_of("100%zz%4"), &text);
    assert_true(bytes_are(buffer_bytes(&text), "100%zz%4"));
    buffer_release(&series);
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_comes_back_as_it_was),
        cmocka_unit_test(protobuf_reads_the_same_row),
        cmocka_unit_test(an_alert_comes_back_as_it_was_and_protobuf_reads_it),
        cmocka_unit_test(an_alert_without_a_value_keeps_none),
        cmocka_unit_test(a_newer_version_is_fatal_and_none_is_malformed),
        cmocka_unit_test(a_record_cut_anywhere_is_refused),
        cmocka_unit_test(a_row_that_cannot_be_is_refused),
        cmocka_unit_test(what_is_beyond_the_limits_is_refused),
        cmocka_unit_test(traces_that_cannot_be_are_refused),
        cmocka_unit_test(unknown_fields_are_passed_over),
        cmocka_unit_test(a_column_is_found_by_its_name),
        cmocka_unit_test(a_series_is_spelled_without_syntax_and_read_back),
    };
    return cmocka_run_group_tests_name("row", tests, NULL, NULL);
}
