/* Conditions: what they mean, in three values, and what is said of those that cannot be read. */
#include "operators/expression.h"
#include "operators/literal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS INT64_C(1000000000)
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

static const int64_t windows[] = {60 * SECOND_NS, 300 * SECOND_NS, 0};
static const int64_t slices[] = {10 * SECOND_NS, 60 * SECOND_NS, 3600 * SECOND_NS, 0};
static const char *const dimensions[] = {
    "service", "operation", "kind", "http.route", "my key", NULL};
static struct columns columns;

static struct vocabulary plan_names(void)
{
    static const struct {
        int column;
        const char *name;
    } names[] = {{COLUMN_SPANS, "spans"}, {COLUMN_ERRORS, "errors"},
        {COLUMN_LATENCY_SUM_NS, "latency_sum_ns"}, {COLUMN_THRESHOLD, "latency_le_250ms"},
        {COLUMN_RATE_PER_S, "rate_per_s"}, {COLUMN_ERROR_RATIO, "error_ratio"},
        {COLUMN_LATENCY_MEAN_MS, "latency_mean_ms"}, {COLUMN_LATENCY_MIN_MS, "latency_min_ms"},
        {COLUMN_LATENCY_MAX_MS, "latency_max_ms"}, {COLUMN_QUANTILE, "latency_p50_ms"},
        {COLUMN_QUANTILE + 1, "latency_p95_ms"}, {COLUMN_QUANTILE + 2, "latency_p99_ms"},
        {COLUMN_QUANTILE + 3, "latency_p99.9_ms"}, {COLUMN_SCORE, "latency_p95_ms_z"},
        {COLUMN_SCORE + 1, "latency_level"}, {COLUMN_SCORE + 2, "errors_level"},
        {COLUMN_SCORE + 3, "latency_expected"}, {COLUMN_SCORE + 4, "errors_expected"}};
    columns = (struct columns){0};
    for (size_t i = 0; i < COUNT(names); i++)
        memcpy(columns.name[names[i].column], names[i].name, strlen(names[i].name));
    return (struct vocabulary){.columns = &columns,
        .pane_ns = 10 * SECOND_NS,
        .windows_ns = windows,
        .slices_ns = slices,
        .score_ns = 60 * SECOND_NS,
        .dimension = dimensions};
}

struct read {
    struct expression e;
    struct terms terms;
};

static void read_text(struct read *r, const char *text)
{
    const struct vocabulary v = plan_names();
    struct error err;
    terms_init(&r->terms, &v);
    if (expression_read(&r->e, bytes_of(text), &v, &r->terms, &err) != ST_OK)
        fail_msg("%s\n%s", text, err.text);
}

static enum truth truth_over(const char *text, const double *value, const char *series)
{
    struct read r;
    read_text(&r, text);
    return expression_evaluate(&r.e, value, bytes_of(series), NULL);
}

static void assert_truth(const char *text, double value, enum truth wanted)
{
    double values[TERMS_MAX] = {value, value, value};
    enum truth found = truth_over(text, values, "service=checkout");
    if (found != wanted)
        fail_msg("%s of %g is %s, not %s", text, value, truth_name[found], truth_name[wanted]);
}

static void comparisons_compare(void **unused)
{
    (void)unused;
    static const struct {
        const char *sign;
        enum truth below, at, above;
    } signs[] = {{">", TRUTH_NO, TRUTH_NO, TRUTH_YES}, {">=", TRUTH_NO, TRUTH_YES, TRUTH_YES},
        {"<", TRUTH_YES, TRUTH_NO, TRUTH_NO}, {"<=", TRUTH_YES, TRUTH_YES, TRUTH_NO},
        {"=", TRUTH_NO, TRUTH_YES, TRUTH_NO}, {"!=", TRUTH_YES, TRUTH_NO, TRUTH_YES}};
    for (size_t i = 0; i < COUNT(signs); i++) {
        char text[64];
        snprintf(text, sizeof(text), "spans %s 100", signs[i].sign);
        assert_truth(text, 99, signs[i].below);
        assert_truth(text, 100, signs[i].at);
        assert_truth(text, 101, signs[i].above);
        assert_truth(text, NAN, TRUTH_UNKNOWN);
        snprintf(text, sizeof(text), "100%sspans", signs[i].sign);
        assert_truth(text, 101, signs[i].below); /* the other way round */
        assert_truth(text, 100, signs[i].at);
        assert_truth(text, 99, signs[i].above);
    }
}

static void two_columns_are_compared(void **unused)
{
    (void)unused;
    double value[TERMS_MAX] = {300, 200};
    assert_int_equal(truth_over("p99[1m] > p99[5m]", value, ""), TRUTH_YES);
    assert_int_equal(truth_over("p99[1m] < p99[5m]", value, ""), TRUTH_NO);
    value[1] = NAN;
    assert_int_equal(truth_over("p99[1m] > p99[5m]", value, ""), TRUTH_UNKNOWN);
}

/* All of Kleene's tables: a and b are a value each, absent is unknown. */
static void logic_has_three_values(void **unused)
{
    (void)unused;
    static const double values[] = {0, NAN, 1};
    for (int a = 0; a < 3; a++) {
        for (int b = 0; b < 3; b++) {
            double value[TERMS_MAX] = {values[a], values[b]};
            enum truth both = truth_over("spans = 1 and errors = 1", value, "");
            enum truth either = truth_over("spans = 1 or errors = 1", value, "");
            assert_int_equal(both, a < b ? a : b);
            assert_int_equal(either, a > b ? a : b);
        }
        double value[TERMS_MAX] = {values[a]};
        assert_int_equal(truth_over("not spans = 1", value, ""), 2 - a);
        assert_int_equal(truth_over("not not (spans = 1)", value, ""), a);
    }
}

static void and_binds_closer_than_or_and_not_closest(void **unused)
{
    (void)unused;
    double value[TERMS_MAX] = {1, 0, 0};
    static const char *const yes[] = {"spans = 1 or errors = 1 and p99 = 1ms",
        "not (errors = 1 and spans = 1)", "spans = 1 and (errors = 1 or not p99 = 1ms)",
        "((spans=1))"};
    static const char *const no[] = {"(spans = 1 or errors = 1) and p99 = 1ms",
        "not spans = 1 or errors = 1", "not (spans = 1 or errors = 1)",
        "not spans = 0 and errors = 1", "spans = 1 and errors = 1 or p99 = 1ms"};
    for (size_t i = 0; i < COUNT(yes); i++)
        assert_int_equal(truth_over(yes[i], value, ""), TRUTH_YES);
    for (size_t i = 0; i < COUNT(no); i++) {
        double other[TERMS_MAX] = {1, 0, 0};
        if (truth_over(no[i], other, "") != TRUTH_NO) fail_msg("%s", no[i]);
    }
}

static void absences_are_told_or_not(void **unused)
{
    (void)unused;
    assert_truth("absent[10m]", 1, TRUTH_YES);
    assert_truth("absent[10m]", 0, TRUTH_NO);
    assert_truth("absent[10m]", NAN, TRUTH_UNKNOWN);
    assert_truth("not absent[10m]", NAN, TRUTH_UNKNOWN);
    assert_truth("absent[10m] or service=checkout", NAN, TRUTH_YES);
}

static void patterns_match_dimensions(void **unused)
{
    (void)unused;
    static const char series[] =
        "service=checkout;operation=GET%20%2Fa%3Db;kind=SERVER;my%20key=%28x%29";
    static const struct {
        const char *text;
        enum truth truth;
    } cases[] = {
        {"service=checkout", TRUTH_YES},
        {"service=check*", TRUTH_YES},
        {"service = 'che?k??t'", TRUTH_YES},
        {"service=cart", TRUTH_NO},
        {"service!=cart", TRUTH_YES},
        {"service!=check*", TRUTH_NO},
        {"operation=\"GET /a=b\"", TRUTH_YES},
        {"operation='GET *'", TRUTH_YES},
        {"operation=GET*", TRUTH_YES},
        {"operation!=\"GET /\"", TRUTH_YES},
        {"'my key'='(x)'", TRUTH_YES},
        {"\"my key\" != '(x)'", TRUTH_NO},
        {"http.route=*", TRUTH_NO}, /* there is none, not even an empty one */
        {"http.route!=*", TRUTH_YES},
        {"http.route=''", TRUTH_YES},
        {"service=''", TRUTH_NO},
        {"(service=checkout)", TRUTH_YES},
        {"not service=cart", TRUTH_YES},
    };
    double none[TERMS_MAX] = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (truth_over(cases[i].text, none, series) != cases[i].truth)
            fail_msg("%s", cases[i].text);
    }
}

static void a_number_takes_the_unit_of_its_column(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        double limit;
    } cases[] = {
        {"p99 > 500ms", 500},
        {"p99 > 1.5s", 1500},
        {"p99 > 1m30s", 90000},
        {"p99 > 250us", 0.25},
        {"latency_p99_ms > 500", 500},
        {"latency_p99_ms > 1s", 1000},
        {"mean > 1s", 1000},
        {"min > 1s", 1000},
        {"max > 1s", 1000},
        {"p99.9 > 1s", 1000},
        {"latency_sum_ns > 2s", 2e9},
        {"latency_expected > 2s", 2000},
        {"error_ratio > 2%", 0.02},
        {"error_ratio > 0.02", 0.02},
        {"errors > 1k", 1000},
        {"spans > 2.5M", 2.5e6},
        {"errors_expected > 2.5", 2.5},
        {"latency_le_250ms > 3", 3},
        {"latency_p95_ms_z < -3", -3},
        {"latency_p95_ms_z < -3e-1", -0.3},
        {"rate_per_s > .5", 0.5},
        {"anomaly(latency) >= page", 2},
        {"anomaly(any) >= notice", 1},
        {"latency_level > none", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct read r;
        read_text(&r, cases[i].text);
        const struct expression_side *limit = expression_limit(&r.e);
        if (limit->is_term || limit->number != cases[i].limit)
            fail_msg("%s: %.17g", cases[i].text, limit->number);
    }
}

static void windows_are_the_pane_or_rolling_or_slices(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        int64_t width_s;
        bool rolling;
    } cases[] = {
        {"spans > 1", 10, false},
        {"spans[10s] > 1", 10, false},
        {"spans[1m] > 1", 60, true}, /* a slice is as wide: the window goes first */
        {"spans [ 5m ] > 1", 300, true},
        {"spans[300s] > 1", 300, true},
        {"spans[1h] > 1", 3600, false},
        {"latency_p95_ms_z > 1", 0, false},
        {"latency_p95_ms_z[1m] > 1", 60, false},
        {"anomaly(any) > none", 0, false},
        {"absent[10m]", 600, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct read r;
        read_text(&r, cases[i].text);
        assert_int_equal(r.terms.count, 1);
        assert_int_equal(r.terms.term[0].window_ns, cases[i].width_s * SECOND_NS);
        assert_int_equal(r.terms.term[0].rolling, cases[i].rolling);
    }
}

static void each_value_is_read_once(void **unused)
{
    (void)unused;
    struct read r;
    read_text(&r, "p99[5m] > 1s or p99[300s] < 1ms or latency_p99_ms[5m] = 3 or p99[1m] > 2s or "
                  "absent[5m] or absent[300s] or anomaly(latency) = page or latency_level = page");
    assert_int_equal(r.terms.count, 4);
    assert_int_equal(expression_first(&r.e), 0);
    assert_true(bytes_are(r.terms.term[0].text, "p99[5m]"));
    read_text(&r, "absent[5m] and service=x");
    assert_int_equal(expression_first(&r.e), -1);
    assert_null(expression_limit(&r.e));
}

static void rows_say_something_of_their_terms(void **unused)
{
    (void)unused;
    struct read r;
    read_text(&r, "spans[1m] > 1 or p99 > 1s or latency_p95_ms_z > 1 or anomaly(any) > none");
    struct row pane = {.start_ns = 0, .end_ns = 10 * SECOND_NS};
    struct row rolling = {.start_ns = 0, .end_ns = 60 * SECOND_NS, .rolling = true};
    struct row scored = {.start_ns = 0, .end_ns = 60 * SECOND_NS, .scored = true};
    row_set_integer(&rolling, COLUMN_SPANS, 7);
    row_set_number(&scored, COLUMN_SCORE + 1, 1);
    row_set_number(&scored, COLUMN_SCORE + 2, 2);
    const struct row *rows[] = {&pane, &rolling, &scored};
    static const bool reads[3][4] = {
        {false, true, false, false}, {true, false, false, false}, {false, false, false, true}};
    for (int row = 0; row < 3; row++) {
        for (uint32_t t = 0; t < 4; t++)
            assert_int_equal(term_reads(&r.terms, &r.terms.term[t], rows[row]), reads[row][t]);
    }
    assert_true(term_value(&r.terms, &r.terms.term[0], &rolling) == 7);
    assert_true(isnan(term_value(&r.terms, &r.terms.term[1], &pane)));
    assert_true(term_value(&r.terms, &r.terms.term[3], &scored) == 2);
    row_set_number(&pane, COLUMN_SCORE, -3.5);
    assert_true(term_reads(&r.terms, &r.terms.term[2], &pane));
    assert_true(term_value(&r.terms, &r.terms.term[2], &pane) == -3.5);
}

static void what_is_wrong_is_said_with_its_column(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "column 1: there is no condition"},
        {"  ", "column 1: there is no condition"},
        {"spans > 5 and p98 > 1s", "column 15: \"p98\" is no column; the nearest are p95, p99"},
        {"servce=check*", "column 1: \"servce\" is no column; the nearest is service"},
        {"error_ration > 2%",
            "column 1: \"error_ration\" is no column; the nearest is error_ratio"},
        {"service=\xc3\xa9* and p98 > 1s", "column 16: \"p98\""},
        {"p99[5m > 1s", "column 8: the [ before it is not closed; want ]"},
        {"p99[5m", "column 7: the [ before it is not closed; want ]"},
        {"p99[5] > 1s", "column 5: \"5\" is no window; write a duration, as in [5m]"},
        {"p99[] > 1s", "column 5: \"\" is no window"},
        {"p99[0s] > 1s", "column 5: \"0s\" is no window"},
        {"p99[2m] > 1s", "column 5: there is no window of 2m; there are 10s, 1m, 5m"},
        {"latency_p95_ms_z[5m] > 3",
            "column 18: scores are of slices, not of rolling windows: leave [5m] out"},
        {"absent", "column 7: say for how long, as in absent[10m]"},
        {"absent and spans > 1", "column 7: say for how long"},
        {"absent[5s]", "column 8: absence is told by panes, which are 10s wide"},
        {"absent[10m] > 1", "column 13: want and, or, or the end, not \">\""},
        {"spans > absent[10m]", "column 9: an absence is true or false by itself"},
        {"anomaly(spans) >= page",
            "column 9: \"spans\" is not scored; scored are latency, errors, and any"},
        {"anomaly() >= page", "column 9: \"\" is not scored"},
        {"anomaly(latency >= page", "column 17: the ( before it is not closed; want )"},
        {"anomaly(latency) >= 2",
            "column 21: \"anomaly(latency)\" is a level: write none, notice or page"},
        {"spans >= page", "column 10: \"spans\" has no levels"},
        {"p99 > 500", "column 7: \"p99\" is a time: write it as in 500ms or 2s"},
        {"p99 > 5%", "column 7: \"p99\" is a time"},
        {"spans > 500ms", "column 9: \"spans\" is a count: write it as in 100 or 1k"},
        {"errors > 2%", "column 10: \"errors\" is a count"},
        {"rate_per_s > 1s", "column 14: \"rate_per_s\" is a plain number"},
        {"error_ratio > 2", "column 15: \"error_ratio\" is never beyond 0 to 100%"},
        {"error_ratio > 100%", "column 15: \"error_ratio\" is never more than this: want >= or"},
        {"0 > error_ratio", "column 1: \"error_ratio\" is never less than this: want <= or"},
        {"anomaly(latency) > page",
            "column 20: \"anomaly(latency)\" is never more than this: want >= or another"},
        {"anomaly(any) < none", "column 16: \"anomaly(any)\" is never less than this"},
        {"latency_p95_ms_z[10s] > 3", "column 18: scores are of slices"},
        {"error_ratio < -1%", "column 15: \"error_ratio\" is never beyond"},
        {"error_ratio > 2s", "column 15: \"error_ratio\" is a share: write it as in 2%"},
        {"spans > 5x", "column 9: \"5x\" is no number; write it as in 100, 1k, 2% or 500ms"},
        {"spans > nan", "column 9: \"nan\" is no column"},
        {"spans > -", "column 9: \"-\" is no number"},
        {"spans > 1%k", "column 9: \"1%k\" is no number"},
        {"1 > 2", "column 1: both sides are fixed, so this never changes"},
        {"page > notice", "column 1: both sides are fixed"},
        {"p99 > spans", "column 7: \"p99\" and \"spans\" are not of the same unit"},
        {"spans", "column 6: want a comparison (> >= < <= = !=), not the end"},
        {"spans 5", "column 7: want a comparison (> >= < <= = !=), not \"5\""},
        {"spans == 5", "column 7: == is written ="},
        {"service == x", "column 9: == is written ="},
        {"spans >", "column 8: want a column, not the end"},
        {"spans > 5 errors > 5", "column 11: want and, or, or the end, not \"errors\""},
        {"spans > 5 AND errors > 5", "column 11: want and, or, or the end, not \"AND\""},
        {"spans > 5 and", "column 14: want a column, not the end"},
        {"spans > 5)", "column 10: want and, or, or the end, not \")\""},
        {"(spans > 5",
            "column 11: want and, or, or the ) for the ( before \"spans > 5\", not the end"},
        {"()", "column 2: want a column, not \")\""},
        {"not", "column 4: want a column, not the end"},
        {"service > x", "column 9: \"service\" is a dimension, it can only be = or != a pattern"},
        {"5 > service", "column 5: \"service\" is a dimension, want a column"},
        {"service[5m]=x", "column 8: want a comparison"},
        {"service=", "column 9: want a text or a pattern, as in check* or 'GET /', not the end"},
        {"service='x", "column 9: the quote is not closed"},
        {"service=x y", "column 11: want and, or, or the end, not \"y\""},
        {"'your key'=x", "column 1: there is no dimension \"your key\": see `views:`"},
        {"'service", "column 1: want a column, not \"'service\""},
        {"service=x and\tspans\n>\r\n5 %", "column 26: want and, or"},
        {"\x1b[31m > 5", "column 1: want a column, not \"?\""},
    };
    const struct vocabulary v = plan_names();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct read r;
        struct error err = {.text = ""};
        terms_init(&r.terms, &v);
        enum status status = expression_read(&r.e, bytes_of(cases[i].text), &v, &r.terms, &err);
        if (status != ST_FATAL) fail_msg("%s is read", cases[i].text);
        if (strncmp(err.text, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s\n  %s\n  %s", cases[i].text, err.text, cases[i].error);
    }
}

static enum status read_repeated(
    const char *begin, const char *part, size_t count, const char *end, struct error *err)
{
    static char text[EXPRESSION_BYTES_MAX + 64];
    const struct vocabulary v = plan_names();
    struct read r;
    size_t size = (size_t)snprintf(text, sizeof(text), "%s", begin);
    for (size_t i = 0; i < count && size < sizeof(text); i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, part, i);
    if (size < sizeof(text)) snprintf(text + size, sizeof(text) - size, "%s", end);
    terms_init(&r.terms, &v);
    return expression_read(&r.e, bytes_of(text), &v, &r.terms, err);
}

static void conditions_are_bounded(void **unused)
{
    (void)unused;
    struct error err = {.text = ""};
    assert_int_equal(read_repeated("", "not ", EXPRESSION_DEPTH_MAX - 1, "spans>1", &err), ST_OK);
    assert_int_equal(read_repeated("", "not ", EXPRESSION_DEPTH_MAX, "spans>1", &err), ST_FATAL);
    assert_non_null(
        strstr(err.text, "column 97: parentheses and nots are nested more than 24 deep"));
    assert_int_equal(read_repeated("", "(", 500, "spans>1", &err), ST_FATAL);
    assert_non_null(strstr(err.text, "column 25: "));

    assert_int_equal(read_repeated("spans>1", " or spans>%zu", 31, "", &err), ST_OK);
    assert_int_equal(read_repeated("spans>1", " or spans>%zu", 32, "", &err), ST_FATAL);
    assert_non_null(strstr(err.text, "the condition is too long"));

    assert_int_equal(read_repeated("spans>1", " ", EXPRESSION_BYTES_MAX - 7, "", &err), ST_OK);
    assert_int_equal(read_repeated("spans>1", " ", EXPRESSION_BYTES_MAX - 6, "", &err), ST_FATAL);
    assert_non_null(strstr(err.text, "has 2049 bytes, at most 2048"));
}

static void terms_are_bounded(void **unused)
{
    (void)unused;
    struct error err = {.text = ""};
    assert_int_equal(read_repeated("spans>1", " or absent[%zum]", 31, "", &err), ST_FATAL); /* 0m */
    assert_int_equal(read_repeated("spans>1", " or absent[1%zum]", 31, "", &err), ST_OK);
    assert_int_equal(read_repeated("", "absent[1%zum] or ", 31, "spans>errors", &err), ST_FATAL);
    assert_non_null(strstr(err.text, "this is one value too many; at most 32 different ones"));
}

static void without_scores_or_dimensions_errors_say_so(void **unused)
{
    (void)unused;
    struct vocabulary v = plan_names();
    struct read r;
    struct error err = {.text = ""};
    memset(columns.name[COLUMN_SCORE], 0, sizeof(columns.name[0]) * 5);
    v.dimension = NULL;
    terms_init(&r.terms, &v);
    assert_int_equal(
        expression_read(&r.e, bytes_of("anomaly(any) > none"), &v, &r.terms, &err), ST_FATAL);
    assert_string_equal(
        err.text, "column 9: nothing is scored for anomalies: list what shall be under `anomaly:`");
    assert_int_equal(expression_read(&r.e, bytes_of("service=x"), &v, &r.terms, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "column 1: \"service\" is no column"));
    columns = (struct columns){0};
    assert_int_equal(expression_read(&r.e, bytes_of("spans>1"), &v, &r.terms, &err), ST_FATAL);
    assert_string_equal(err.text, "column 1: there is no column \"spans\"");
}

static void nodes_know_their_text(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"p99 > 1s", "spans>=5", "p99 > 1s or spans>=5",
        "service=check*", "not service=check*", "(p99 > 1s or spans>=5) and not service=check*"};
    struct read r;
    read_text(&r, " (p99 > 1s or spans>=5) and not service=check* ");
    assert_int_equal(r.e.count, COUNT(texts));
    for (uint32_t i = 0; i < r.e.count; i++) {
        if (!bytes_are(r.e.node[i].text, texts[i]))
            fail_msg("%.*s", (int)r.e.node[i].text.size, (const char *)r.e.node[i].text.data);
    }
    enum truth each[EXPRESSION_NODES_MAX];
    double value[TERMS_MAX] = {2000, NAN};
    assert_int_equal(expression_evaluate(&r.e, value, bytes_of("service=cart"), each), TRUTH_YES);
    static const enum truth wanted[] = {
        TRUTH_YES, TRUTH_UNKNOWN, TRUTH_YES, TRUTH_NO, TRUTH_YES, TRUTH_YES};
    for (uint32_t i = 0; i < r.e.count; i++)
        assert_int_equal(each[i], wanted[i]);
}

static void values_are_shown_with_their_unit(void **unused)
{
    (void)unused;
    static const struct {
        double value;
        enum unit unit;
        const char *text;
    } cases[] = {
        {NAN, UNIT_MS, "absent"},
        {612.34, UNIT_MS, "612ms"},
        {1234.5, UNIT_MS, "1.23s"},
        {999.7, UNIT_MS, "1s"},
        {0.25, UNIT_MS, "250us"},
        {0.0000005, UNIT_MS, "0.5ns"},
        {90000, UNIT_MS, "90s"},
        {1800000, UNIT_MS, "30m"},
        {86400000, UNIT_MS, "24h"},
        {0, UNIT_MS, "0ns"},
        {-5, UNIT_MS, "-5"},
        {2e9, UNIT_NS, "2s"},
        {0.0345, UNIT_RATIO, "3.45%"},
        {1, UNIT_RATIO, "100%"},
        {123456789, UNIT_COUNT, "123456789"},
        {12.3456, UNIT_NUMBER, "12.35"},
        {123456.7, UNIT_NUMBER, "123457"},
        {1e300, UNIT_COUNT, "1e+300"},
        {2, UNIT_LEVEL, "page"},
        {0, UNIT_LEVEL, "none"},
        {3, UNIT_LEVEL, "3"},
        {INFINITY, UNIT_MS, "inf"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer out = {0};
        value_show(cases[i].value, cases[i].unit, &out);
        buffer_append(&out, "", 1);
        assert_string_equal((const char *)out.data, cases[i].text);
        buffer_release(&out);
    }
}

static void literals_have_units(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        enum literal_kind kind;
        double number;
    } good[] = {{"1", LITERAL_NUMBER, 1}, {"-1.5", LITERAL_NUMBER, -1.5}, {"+2", LITERAL_NUMBER, 2},
        {"1e3", LITERAL_NUMBER, 1000}, {"2%", LITERAL_SHARE, 0.02}, {"1k", LITERAL_NUMBER, 1000},
        {"1.5G", LITERAL_NUMBER, 1.5e9}, {"5m", LITERAL_TIME, 300e9}, {"-5ms", LITERAL_TIME, -5e6},
        {"1h30m", LITERAL_TIME, 5400e9}};
    static const char *const bad[] = {"", "k", "%", "1kk", "1 k", "nan", "inf", "0x10", "1e999",
        "--1", "1%%", "12345678901234567890123456789012345", "1m5", "m"};
    for (size_t i = 0; i < COUNT(good); i++) {
        struct literal literal = {.kind = LITERAL_LEVEL};
        if (!literal_parse(bytes_of(good[i].text), &literal)) fail_msg("%s", good[i].text);
        assert_int_equal(literal.kind, good[i].kind);
        assert_true(fabs(literal.number - good[i].number) <= 1e-12 * fabs(good[i].number));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct literal literal = {.kind = LITERAL_LEVEL, .number = 42};
        if (literal_parse(bytes_of(bad[i]), &literal)) fail_msg("%s", bad[i]);
        assert_true(literal.kind == LITERAL_LEVEL && literal.number == 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_compare),
        cmocka_unit_test(two_columns_are_compared),
        cmocka_unit_test(logic_has_three_values),
        cmocka_unit_test(and_binds_closer_than_or_and_not_closest),
        cmocka_unit_test(absences_are_told_or_not),
        cmocka_unit_test(patterns_match_dimensions),
        cmocka_unit_test(a_number_takes_the_unit_of_its_column),
        cmocka_unit_test(windows_are_the_pane_or_rolling_or_slices),
        cmocka_unit_test(each_value_is_read_once),
        cmocka_unit_test(rows_say_something_of_their_terms),
        cmocka_unit_test(what_is_wrong_is_said_with_its_column),
        cmocka_unit_test(conditions_are_bounded),
        cmocka_unit_test(terms_are_bounded),
        cmocka_unit_test(without_scores_or_dimensions_errors_say_so),
        cmocka_unit_test(nodes_know_their_text),
        cmocka_unit_test(values_are_shown_with_their_unit),
        cmocka_unit_test(literals_have_units),
    };
    return cmocka_run_group_tests_name("expression", tests, NULL, NULL);
}
