/* Labels and annotations: what is filled in, that text from spans stays text, and what is refused. */
#include "operators/wording.h"
#include "tests/support/operator_bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct columns columns;
static const char *const dimensions[] = {"service", "operation", "kind", "name", NULL};

static struct vocabulary names(void)
{
    operator_bench_name(&columns);
    return (struct vocabulary){.columns = &columns,
        .pane_ns = BENCH_PANE_NS,
        .windows_ns = operator_bench_windows,
        .slices_ns = operator_bench_slices,
        .dimension = dimensions};
}

static const char *filled_over(const char *text, const char *condition, const char *series)
{
    static struct buffer out;
    const struct vocabulary v = names();
    struct terms terms;
    struct expression e;
    struct wording wording;
    struct error err;
    terms_init(&terms, &v);
    if (expression_read(&e, bytes_of(condition), &v, &terms, &err) != ST_OK ||
        wording_read(&wording, bytes_of(text), &v, &terms, &err) != ST_OK)
        fail_msg("%s: %s", text, err.text);
    double value[TERMS_MAX] = {612, 0.25, NAN};
    const struct wording_facts facts = {.name = bytes_of("slow"),
        .series = bytes_of(series),
        .since_ns = 1714564800 * BENCH_SECOND_NS,
        .terms = &terms,
        .value = value,
        .condition = &e};
    buffer_reset(&out);
    wording_fill(&wording, &facts, &out);
    buffer_append(&out, "", 1);
    return (const char *)out.data;
}

static const char *filled(const char *text)
{
    return filled_over(text, "p95[5m] > 500ms and error_ratio < 50%",
        "service=check%20out;operation=GET%20%2F;kind=SERVER;name=x");
}

static void what_stands_between_braces_is_filled_in(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", ""},
        {"nothing to fill in } } {", "nothing to fill in } } {"},
        {"{{ service }} {{ operation }}: p95 is {{ p95[5m] }}, limit {{ limit }}",
            "check out GET /: p95 is 612ms, limit 500ms"},
        {"{{value}}{{ error_ratio }}{{spans}}", "612ms25%absent"},
        {"{{ name }} {{ 'name' }} {{\"kind\"}}", "slow x SERVER"},
        {"{{ series }}", "service=check%20out;operation=GET%20%2F;kind=SERVER;name=x"},
        {"since {{ since }}.", "since 2024-05-01T12:00:00Z."},
        {"\xc3\xbc {{ service }}", "\xc3\xbc check out"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(filled(cases[i].text), cases[i].wanted);
}

static void a_dimension_that_is_not_there_is_empty(void **unused)
{
    (void)unused;
    assert_string_equal(filled_over("<{{ operation }}>", "spans > 1", "service=checkout"), "<>");
}

static void limits_may_be_values_or_none(void **unused)
{
    (void)unused;
    assert_string_equal(
        filled_over("{{ limit }} {{ value }}", "100 < spans", "service=a"), "100 612");
    assert_string_equal(
        filled_over("{{ limit }} {{ value }}", "p95 > p95[1m]", "service=a"), "250us 612ms");
    assert_string_equal(
        filled_over("{{ limit }} {{ value }}", "absent[5m]", "service=a"), "absent absent");
}

static void names_from_spans_steer_nothing(void **unused)
{
    (void)unused;
    assert_string_equal(filled_over("{{ service }}", "spans > 1",
                            "service=a%1B%5B2J%22%E2%80%AE%FF%7B%7B%20name%20%7D%7D"),
        "a\\x1b[2J\"\\xe2\\x80\\xae\\xff{{ name }}");
}

static void what_is_filled_in_is_bounded(void **unused)
{
    (void)unused;
    static char series[4 * WORDING_BYTES_MAX];
    size_t size = (size_t)snprintf(series, sizeof(series), "service=x");
    while (size < sizeof(series) - 7)
        size += (size_t)snprintf(series + size, sizeof(series) - size, "%%C3%%BC");
    const char *text = filled_over("{{ service }}{{ service }}{{ service }}", "spans > 1", series);
    size_t bytes = strlen(text);
    assert_true(bytes <= WORDING_BYTES_MAX && bytes >= WORDING_BYTES_MAX - 2);
    assert_string_equal(text + bytes - 5, "\xc3\xbc...");
}

static void what_is_wrong_is_said_with_its_column(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"{{ p98 }}", "column 4: \"p98\" is no column; the nearest are p95, p50"},
        {"p95 of {{ servic }}", "column 11: \"servic\" is no column; the nearest is service"},
        {"{{ p95[2m] }}", "column 8: there is no window of 2m"},
        {"{{ service", "column 11: want }} to end what {{ began, not the end"},
        {"{{ service }", "column 12: want }} to end what {{ began, not \"}\""},
        {"{{ service | upper }}", "column 12: want }} to end what {{ began, not \"|\""},
        {"{{ }}", "column 4: want a column, not \"}\""},
        {"{{", "column 3: want a column, not the end"},
        {"{{ 'host' }}", "column 4: there is no dimension \"host\""},
        {"{{ absent[10m] }}", "column 4: an absence has no value to show"},
        {"{{ anomaly(any) }}", "column 12: nothing is scored"},
        {"{{{ service }}", "column 3: want a column, not \"{\""},
    };
    const struct vocabulary v = names();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct terms terms;
        struct wording wording;
        struct error err = {.text = ""};
        terms_init(&terms, &v);
        if (wording_read(&wording, bytes_of(cases[i].text), &v, &terms, &err) != ST_FATAL)
            fail_msg("%s is read", cases[i].text);
        if (strncmp(err.text, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s\n  %s\n  %s", cases[i].text, err.text, cases[i].error);
    }
}

static void wordings_are_bounded(void **unused)
{
    (void)unused;
    static char text[WORDING_BYTES_MAX + 2];
    const struct vocabulary v = names();
    struct terms terms;
    struct wording wording;
    struct error err;
    terms_init(&terms, &v);
    memset(text, 'x', WORDING_BYTES_MAX);
    assert_int_equal(wording_read(&wording, bytes_of(text), &v, &terms, &err), ST_OK);
    text[WORDING_BYTES_MAX] = 'x';
    assert_int_equal(wording_read(&wording, bytes_of(text), &v, &terms, &err), ST_FATAL);
    assert_string_equal(err.text, "the text has 2049 bytes, at most 2048 are taken");
    size_t size = 0;
    for (int i = 0; i < WORDING_PIECES_MAX + 1; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "{{kind}}");
    assert_int_equal(wording_read(&wording, bytes_of(text), &v, &terms, &err), ST_FATAL);
    assert_string_equal(err.text, "column 195: at most 24 texts and values are taken");
}

static void labels_take_only_what_stays(void **unused)
{
    (void)unused;
    static const char *const refused[] = {"{{ p95 }}", "{{ value }}", "{{ limit }}"};
    const struct vocabulary v = names();
    struct wording wording;
    struct error err;
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_int_equal(wording_read(&wording, bytes_of(refused[i]), &v, NULL, &err), ST_FATAL);
        assert_non_null(strstr(err.text, "column 4: a label stays as it is while an alert fires"));
    }
    assert_int_equal(
        wording_read(&wording, bytes_of("{{ service }} {{ name }} {{ since }}"), &v, NULL, &err),
        ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_between_braces_is_filled_in),
        cmocka_unit_test(a_dimension_that_is_not_there_is_empty),
        cmocka_unit_test(limits_may_be_values_or_none),
        cmocka_unit_test(names_from_spans_steer_nothing),
        cmocka_unit_test(what_is_filled_in_is_bounded),
        cmocka_unit_test(what_is_wrong_is_said_with_its_column),
        cmocka_unit_test(wordings_are_bounded),
        cmocka_unit_test(labels_take_only_what_stays),
    };
    return cmocka_run_group_tests_name("wording", tests, NULL, NULL);
}
