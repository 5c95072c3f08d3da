/* The registry is one for the process, so each test has metrics of its own. */
#include "engine/base/clock.h"
#include "engine/metrics.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, BUMPS = 20000 };

static char *page; /* the last one printed */

static const char *print_page(void)
{
    struct buffer out = {0};
    metrics_print(&out);
    free(page);
    page = strndup((const char *)out.data, out.size);
    buffer_release(&out);
    return page;
}

static int forget_page(void **unused)
{
    (void)unused;
    free(page);
    page = NULL;
    return 0;
}

static void assert_has(const char *text)
{
    if (strstr(print_page(), text) == NULL) fail_msg("not there: %s\nin:\n%s", text, page);
}

static void assert_has_not(const char *text)
{
    if (strstr(print_page(), text) != NULL) fail_msg("there, but should not be: %s", text);
}

static double value_of(const char *name)
{
    const char *at = strstr(print_page(), name);
    assert_non_null(at);
    return strtod(at + strlen(name), NULL);
}

static void the_same_name_and_labels_are_the_same_metric(void **unused)
{
    (void)unused;
    struct metric *one = metric_of(METRIC_COUNTER, "weir_same_total", "Help.", "a=\"%d\"", 1);
    struct metric *two = metric_of(METRIC_COUNTER, "weir_same_total", "Help.", "a=\"%d\"", 2);
    assert_ptr_equal(metric_of(METRIC_COUNTER, "weir_same_total", "Help.", "a=\"%d\"", 1), one);
    assert_ptr_not_equal(one, two);
    assert_ptr_not_equal(metric_of(METRIC_COUNTER, "weir_same_total", "Help.", NULL), one);
}

static void metrics_of_a_name_stand_together_under_one_header(void **unused)
{
    (void)unused;
    metric_add(metric_of(METRIC_COUNTER, "weir_group_total", "Things.", "k=\"b\""), 2);
    metric_add(metric_of(METRIC_COUNTER, "weir_group_after_total", "Others.", NULL), 7);
    metric_add(metric_of(METRIC_COUNTER, "weir_group_total", "Things.", "k=\"a\""), 1);
    assert_has("# HELP weir_group_after_total Others.\n"
               "# TYPE weir_group_after_total counter\n"
               "weir_group_after_total 7\n"
               "# HELP weir_group_total Things.\n"
               "# TYPE weir_group_total counter\n"
               "weir_group_total{k=\"a\"} 1\n"
               "weir_group_total{k=\"b\"} 2\n");
}

static void a_gauge_is_shown_while_it_applies(void **unused)
{
    (void)unused;
    struct metric *gauge = metric_of(METRIC_GAUGE, "weir_lag", "Lag.", "partition=\"%d\"", 3);
    assert_has_not("weir_lag");
    metric_set(gauge, 0.1);
    assert_has("# TYPE weir_lag gauge\nweir_lag{partition=\"3\"} 0.1\n");
    metric_clear(gauge);
    assert_has_not("weir_lag");
    metric_set(gauge, -2);
    assert_has("weir_lag{partition=\"3\"} -2\n");
    assert_true(metric_value(gauge) == -2);
}

static void numbers_are_exact(void **unused)
{
    (void)unused;
    struct metric *gauge = metric_of(METRIC_GAUGE, "weir_number", "A number.", NULL);
    static const struct {
        double number;
        const char *line;
    } cases[] = {
        {1764000000.123, "weir_number 1764000000.123\n"},
        {1.0 / 3, "weir_number 0.3333333333333333\n"},
        {9007199254740993.0, "weir_number 9007199254740992\n"},
        {1.0 / 0.0, "weir_number +Inf\n"},
        {-1.0 / 0.0, "weir_number -Inf\n"},
        {0.0 / 0.0, "weir_number NaN\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        metric_set(gauge, cases[i].number);
        assert_has(cases[i].line);
    }
    struct metric *counter = metric_of(METRIC_COUNTER, "weir_big_total", "Big.", NULL);
    metric_add(counter, UINT64_MAX);
    assert_has("weir_big_total 18446744073709551615\n");
}

static void a_summary_has_quantiles_sum_and_count(void **unused)
{
    (void)unused;
    struct metric *summary = metric_of(METRIC_SUMMARY, "weir_t_seconds", "Time.", "op=\"x\"");
    assert_has("weir_t_seconds{op=\"x\",quantile=\"0.5\"} NaN\n");
    for (int i = 0; i < 4; i++)
        metric_observe(summary, 0.5);
    metric_observe(summary, -1);
    assert_has("# TYPE weir_t_seconds summary\nweir_t_seconds{op=\"x\",quantile=\"0.5\"} ");
    assert_true(fabs(value_of("\nweir_t_seconds{op=\"x\",quantile=\"0.5\"} ") - 0.5) < 0.5 / 31);
    assert_has("weir_t_seconds_sum{op=\"x\"} 2\nweir_t_seconds_count{op=\"x\"} 5\n");

    metric_observe(metric_of(METRIC_SUMMARY, "weir_u_seconds", "Time.", NULL), 2);
    assert_true(fabs(value_of("\nweir_u_seconds{quantile=\"0.99\"} ") - 2) < 2.0 / 31);
    assert_has("weir_u_seconds_sum 2\nweir_u_seconds_count 1\n");
}

static void labels_from_outside_are_escaped(void **unused)
{
    (void)unused;
    assert_string_equal(metric_label("plain \xc3\xa9").text, "plain \xc3\xa9");
    assert_string_equal(metric_label("a\"b\\c\nd").text, "a\\\"b\\\\c\\nd");
    assert_string_equal(metric_label("\xff!").text, "\xef\xbf\xbd!");
    assert_string_equal(metric_label("").text, "");

    metric_add(metric_of(METRIC_COUNTER, "weir_out_total", "Out.", "topic=\"%s\"",
                   metric_label("x\"} 9\n").text),
        1);
    assert_has("weir_out_total{topic=\"x\\\"} 9\\n\"} 1\n");
}

static void long_labels_are_cut_between_characters(void **unused)
{
    (void)unused;
    char text[600];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, '"', sizeof(text));
        memset(text, 'a', lead);
        text[sizeof(text) - 1] = '\0';
        struct metric_label label = metric_label(text);
        size_t bytes = strlen(label.text);
        assert_in_range(bytes, METRIC_LABEL_BYTES_MAX - 3, METRIC_LABEL_BYTES_MAX - 1);
        assert_int_equal(label.text[bytes - 1], '"');
        assert_int_equal((bytes - lead) % 2, 0);
    }
}

static void the_process_tells_of_itself(void **unused)
{
    (void)unused;
    assert_true(value_of("\nprocess_resident_memory_bytes ") > 4096);
    assert_true(value_of("\nprocess_cpu_seconds_total ") >= 0);
    double age = (double)clock_wall_ns() / 1e9 - value_of("\nprocess_start_time_seconds ");
    assert_true(age > -1 && age < 3600);
    double before = value_of("\nprocess_open_fds ");
    FILE *file = fopen("/dev/null", "r");
    assert_true(value_of("\nprocess_open_fds ") == before + 1);
    fclose(file);
    assert_has("\nweir_build_info{version=\"" WEIR_VERSION "\"} 1\n");
}

static void *bump(void *unused)
{
    (void)unused;
    for (int i = 0; i < BUMPS; i++) {
        metric_add(metric_of(METRIC_COUNTER, "weir_threads_total", "Help.", "n=\"%d\"", i % 10), 1);
    }
    return NULL;
}

static void threads_lose_no_bumps(void **unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, bump, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    double sum = 0;
    for (int i = 0; i < 10; i++)
        sum +=
            metric_value(metric_of(METRIC_COUNTER, "weir_threads_total", "Help.", "n=\"%d\"", i));
    assert_true(sum == THREADS * BUMPS);
}

static void labels_that_are_too_long_are_refused(void **unused)
{
    (void)unused;
    struct metric *metric =
        metric_of(METRIC_GAUGE, "weir_long", "Help.", "a=\"%0*d\"", METRIC_LABELS_BYTES_MAX, 0);
    metric_set(metric, 1);
    assert_has_not("weir_long");
}

static void a_name_with_too_many_metrics_leaves_room_to_others(void **unused)
{
    (void)unused;
    static const char refused[] = "\nweir_metrics_refused_total ";
    static const char *const names[] = {
        "weir_source_a", "weir_source_b", "weir_source_c", "weir_source_d"};
    double before = value_of(refused);
    for (int i = 0; i < METRICS_OF_NAME_MAX; i++) {
        for (size_t n = 0; n < 4; n++)
            metric_set(metric_of(METRIC_GAUGE, names[n], "Many.", "partition=\"%d\"", i), 1);
    }
    assert_true(value_of(refused) == before);
    metric_set(metric_of(METRIC_GAUGE, names[0], "Many.", "partition=\"-1\""), 1);
    assert_true(value_of(refused) == before + 1);
    assert_has_not("weir_source_a{partition=\"-1\"}");
    metric_add(metric_of(METRIC_COUNTER, "weir_audit_total", "Later.", NULL), 1);
    assert_has("weir_audit_total 1\n");
}

/* The last: it fills the registry. */
static void what_is_beyond_the_limit_is_counted_and_not_shown(void **unused)
{
    (void)unused;
    static const char refused[] = "\nweir_metrics_refused_total ";
    static char names[METRICS_MAX / METRICS_OF_NAME_MAX][32];
    double before = value_of(refused);
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        snprintf(names[n], sizeof(names[n]), "weir_many_%zu_total", n);
        for (int i = 0; i < METRICS_OF_NAME_MAX; i++)
            metric_add(metric_of(METRIC_COUNTER, names[n], "Many.", "i=\"%d\"", i), 1);
    }
    assert_true(value_of(refused) > before);
    assert_has_not("weir_many_7_total{i=\"2047\"}");
    assert_has("weir_many_0_total{i=\"0\"} 1\n");

    metric_set(metric_of(METRIC_GAUGE, "weir_beyond", "Beyond.", NULL), 1);
    metric_observe(metric_of(METRIC_SUMMARY, "weir_beyond_seconds", "Beyond.", NULL), 1);
    assert_has_not("weir_beyond");
    metric_add(metric_of(METRIC_COUNTER, names[0], "Many.", "i=\"%d\"", 0), 1);
    assert_has("weir_many_0_total{i=\"0\"} 2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_name_and_labels_are_the_same_metric),
        cmocka_unit_test(metrics_of_a_name_stand_together_under_one_header),
        cmocka_unit_test(a_gauge_is_shown_while_it_applies),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(a_summary_has_quantiles_sum_and_count),
        cmocka_unit_test(labels_from_outside_are_escaped),
        cmocka_unit_test(long_labels_are_cut_between_characters),
        cmocka_unit_test(the_process_tells_of_itself),
        cmocka_unit_test(threads_lose_no_bumps),
        cmocka_unit_test(labels_that_are_too_long_are_refused),
        cmocka_unit_test(a_name_with_too_many_metrics_leaves_room_to_others),
        cmocka_unit_test(what_is_beyond_the_limit_is_counted_and_not_shown),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, forget_page);
}
