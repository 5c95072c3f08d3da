/* Lines are read back through a pipe in place of standard error. */
#include "engine/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

enum { THREADS = 4, LINES_A_THREAD = 200 };

static int stderr_before, reading;

static void capture_start(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    stderr_before = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reading = ends[0];
}

/* Put standard error back, so that the pipe's writing end is closed. */
static void capture_end(void)
{
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
}

/* What was written since capture_start. */
static const char *captured(void)
{
    static char text[2 * LOG_LINE_BYTES_MAX];
    capture_end();
    size_t size = 0;
    ssize_t got;
    while ((got = read(reading, text + size, sizeof(text) - 1 - size)) > 0)
        size += (size_t)got;
    text[size] = '\0';
    close(reading);
    return text;
}

/* What follows the time, which has a fixed form. */
static const char *after_time(const char *line)
{
    int year, month, day, hour, minute, second, ms, end = 0;
    int read = sscanf(line, "ts=%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day, &hour,
        &minute, &second, &ms, &end);
    assert_int_equal(read, 7);
    assert_int_equal(end, strlen("ts=2026-01-02T03:04:05.678Z "));
    return line + end;
}

static json_t *captured_json(void)
{
    json_error_t error;
    json_t *line = json_loads(captured(), 0, &error);
    assert_non_null(line);
    return line;
}

static void a_line_has_time_level_part_message_and_fields(void **unused)
{
    (void)unused;
    capture_start();
    log_info("combine", "epoch committed", "spans=%d topic=%s", 17, "otlp_spans");
    assert_string_equal(after_time(captured()),
        "level=info part=combine msg=\"epoch committed\" spans=17 topic=otlp_spans\n");
}

static void fields_may_be_none(void **unused)
{
    (void)unused;
    capture_start();
    log_error("weir", "stopping", NULL);
    assert_string_equal(after_time(captured()), "level=error part=weir msg=\"stopping\"\n");
}

static void values_are_quoted_when_they_must_be(void **unused)
{
    (void)unused;
    capture_start();
    log_warn("kafka", "said \"no\"", "a=%s b=%s c=%s d=%s", "", "x=y", "\"", "back\\slash");
    assert_string_equal(after_time(captured()),
        "level=warn part=kafka msg=\"said \\\"no\\\"\" "
        "a=\"\" b=\"x=y\" c=\"\\\"\" d=\"back\\\\slash\"\n");
}

static void the_last_value_runs_to_the_end_of_the_line(void **unused)
{
    (void)unused;
    capture_start();
    log_info("sink", "failed", "code=%d error=cannot send to %s", 5, "a=b c=d e");
    assert_string_equal(after_time(captured()),
        "level=info part=sink msg=\"failed\" code=5 error=\"cannot send to a=b c=d e\"\n");
}

static void a_value_cannot_add_a_field_or_a_line(void **unused)
{
    (void)unused;
    capture_start();
    log_info("top", "seen", "service=%s spans=%d", "a\nts=0 level=error admin=1\x1b[2J\x7f", 3);
    assert_string_equal(after_time(captured()),
        "level=info part=top msg=\"seen\" "
        "service=\"a\\nts=0 level=error admin=1\\u001b[2J\\u007f\" spans=3\n");
}

static void bytes_that_are_not_text_are_replaced(void **unused)
{
    (void)unused;
    capture_start();
    log_info("top", "seen", "a=%s b=%s c=%s", "caf\xc3\xa9", "\xff\xc3", "\xc2\x9b[2J");
    assert_string_equal(after_time(captured()),
        "level=info part=top msg=\"seen\" a=\"caf\xc3\xa9\" b=\"\xef\xbf\xbd\xef\xbf\xbd\" "
        "c=\"\\u009b[2J\"\n");
}

static void fields_without_keys_are_kept_as_detail(void **unused)
{
    (void)unused;
    capture_start();
    log_info("weir", "odd", "%s", "no key here");
    assert_string_equal(
        after_time(captured()), "level=info part=weir msg=\"odd\" detail=\"no key here\"\n");
}

static void lines_below_the_level_are_not_written(void **unused)
{
    (void)unused;
    capture_start();
    log_debug("weir", "at first debug is off", NULL);
    log_open(LOG_WARN, LOG_LOGFMT);
    log_info("weir", "now info is, too", NULL);
    log_warn("weir", "only this", NULL);
    log_open(LOG_INFO, LOG_LOGFMT);
    assert_string_equal(after_time(captured()), "level=warn part=weir msg=\"only this\"\n");
}

static void json_holds_the_same(void **unused)
{
    (void)unused;
    log_open(LOG_INFO, LOG_JSON);
    capture_start();
    log_info("combine", "a \"quoted\"\tthing", "lag=%d share=%.2f id=%s error=%s", -5, 0.25, "17",
        "two\nlines \xff");
    log_open(LOG_INFO, LOG_LOGFMT);
    json_t *line = captured_json();
    assert_int_equal(strlen(json_string_value(json_object_get(line, "ts"))), 24);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "info");
    assert_string_equal(json_string_value(json_object_get(line, "part")), "combine");
    assert_string_equal(json_string_value(json_object_get(line, "msg")), "a \"quoted\"\tthing");
    assert_int_equal(json_integer_value(json_object_get(line, "lag")), -5);
    assert_true(json_real_value(json_object_get(line, "share")) == 0.25);
    assert_string_equal(json_string_value(json_object_get(line, "id")), "17");
    assert_string_equal(
        json_string_value(json_object_get(line, "error")), "two\nlines \xef\xbf\xbd");
    assert_int_equal(json_object_size(line), 8);
    json_decref(line);
}

static void json_numbers_are_only_what_json_takes(void **unused)
{
    (void)unused;
    log_open(LOG_INFO, LOG_JSON);
    capture_start();
    log_info("x", "y", "a=%f b=%03d c=%g d=%ds e=%u%% f=%d.", 0.0 / 0.0, 7, 1e30, 5, 6U, 8);
    log_open(LOG_INFO, LOG_LOGFMT);
    json_t *line = captured_json();
    assert_true(json_is_string(json_object_get(line, "a")));
    assert_true(json_is_string(json_object_get(line, "b")));
    assert_true(json_is_real(json_object_get(line, "c")));
    assert_string_equal(json_string_value(json_object_get(line, "d")), "5s");
    assert_string_equal(json_string_value(json_object_get(line, "e")), "6%");
    assert_string_equal(json_string_value(json_object_get(line, "f")), "8.");
    json_decref(line);
}

static void a_long_line_is_cut_and_still_well_formed(void **unused)
{
    (void)unused;
    char text[3000]; /* six bytes each when escaped */
    memset(text, '\x01', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    log_open(LOG_INFO, LOG_JSON);
    for (size_t bytes = 600; bytes <= 720; bytes++) {
        text[sizeof(text) - 1 - bytes] = '\0';
        const char *tail = text + sizeof(text) - bytes;
        capture_start();
        log_info("x", tail, "a=%s b=%d c=%s", tail, 1, "end");
        const char *line = captured();
        assert_true(strlen(line) <= LOG_LINE_BYTES_MAX);
        assert_int_equal(line[strlen(line) - 1], '\n');
        json_error_t error;
        json_t *parsed = json_loads(line, 0, &error);
        assert_non_null(parsed);
        json_decref(parsed);
        text[sizeof(text) - 1 - bytes] = '\x01';
    }
    log_open(LOG_INFO, LOG_LOGFMT);
}

static void what_is_longer_than_a_line_is_cut(void **unused)
{
    (void)unused;
    char text[2 * LOG_LINE_BYTES_MAX];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    capture_start();
    log_info("x", text, "b=%d", 1);
    const char *line = captured();
    assert_true(strlen(line) <= LOG_LINE_BYTES_MAX);
    assert_string_equal(line + strlen(line) - 6, "a...\"\n");

    capture_start();
    log_info("x", "y", "b=%s", text);
    line = captured();
    assert_true(strlen(line) <= LOG_LINE_BYTES_MAX);
    assert_string_equal(line + strlen(line) - 6, "a...\"\n");
}

static void errno_stays_as_it_was(void **unused)
{
    (void)unused;
    int closed = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = ENOENT;
    log_info("x", "nobody reads this", NULL);
    int after = errno;
    dup2(closed, STDERR_FILENO);
    close(closed);
    assert_int_equal(after, ENOENT);
}

static void *write_lines(void *name)
{
    for (int i = 0; i < LINES_A_THREAD; i++)
        log_info("thread", "one of many lines that share a pipe", "name=%s", (const char *)name);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **unused)
{
    (void)unused;
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    capture_start();
    FILE *lines = fdopen(reading, "r");
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, write_lines, names[i]);

    int seen[THREADS] = {0}, odd = 0;
    for (int i = 0; i < THREADS * LINES_A_THREAD; i++) {
        char line[256] = "", want[128];
        char *got = fgets(line, sizeof(line), lines);
        const char *rest = got == NULL ? NULL : strstr(line, "level=");
        int name = rest == NULL ? -1 : line[strlen(line) - 2] - 'a';
        if (name < 0 || name >= THREADS) {
            odd++;
            continue;
        }
        snprintf(want, sizeof(want),
            "level=info part=thread msg=\"one of many lines that share a pipe\" name=%s\n",
            names[name]);
        if (strcmp(rest, want) != 0) odd++;
        seen[name]++;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    capture_end();
    fclose(lines);
    assert_int_equal(odd, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(seen[i], LINES_A_THREAD);
}

static void a_gate_opens_once_in_a_while(void **unused)
{
    (void)unused;
    struct log_gate gate = {0};
    assert_true(log_every(&gate, INT64_MAX));
    assert_false(log_every(&gate, INT64_MAX));
    assert_false(log_every(&gate, 0));

    struct log_gate open = {0};
    assert_true(log_every(&open, 0));
    assert_true(log_every(&open, 0));
}

static struct log_gate shared_gate;

static void *try_gate(void *unused)
{
    (void)unused;
    return log_every(&shared_gate, INT64_MAX) ? &shared_gate : NULL;
}

static void of_many_threads_one_passes_a_gate(void **unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    int passed = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, try_gate, NULL);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        passed += result != NULL;
    }
    assert_int_equal(passed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_part_message_and_fields),
        cmocka_unit_test(fields_may_be_none),
        cmocka_unit_test(values_are_quoted_when_they_must_be),
        cmocka_unit_test(the_last_value_runs_to_the_end_of_the_line),
        cmocka_unit_test(a_value_cannot_add_a_field_or_a_line),
        cmocka_unit_test(bytes_that_are_not_text_are_replaced),
        cmocka_unit_test(fields_without_keys_are_kept_as_detail),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(json_holds_the_same),
        cmocka_unit_test(json_numbers_are_only_what_json_takes),
        cmocka_unit_test(a_long_line_is_cut_and_still_well_formed),
        cmocka_unit_test(what_is_longer_than_a_line_is_cut),
        cmocka_unit_test(errno_stays_as_it_was),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(a_gate_opens_once_in_a_while),
        cmocka_unit_test(of_many_threads_one_passes_a_gate),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
