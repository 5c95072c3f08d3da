/* Troubles: on /readyz, in the metrics and in the log at once; and the table of them in README.md. */
#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/kafka_answers.h"
#include "engine/metrics.h"
#include "engine/trouble.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool has_line(const struct buffer *text, const char *line)
{
    return text->size != 0 && strstr((const char *)text->data, line) != NULL;
}

static bool ready_says(const char *line)
{
    struct buffer out = {0};
    ready_print(&out);
    buffer_append(&out, "", 1);
    bool says = has_line(&out, line);
    buffer_release(&out);
    return says;
}

static bool is_ready(void)
{
    struct buffer out = {0};
    bool ready = ready_print(&out);
    buffer_release(&out);
    return ready;
}

static double places(const char *part, const char *state)
{
    return metric_value(metric_of(METRIC_GAUGE, "weir_troubles",
        "Places where this trouble is now.", "part=\"%s\",state=\"%s\"", part, state));
}

static double begun(const char *part, const char *state)
{
    return metric_value(metric_of(METRIC_COUNTER, "weir_troubles_total",
        "How often this trouble began.", "part=\"%s\",state=\"%s\"", part, state));
}

/* What `doing` writes to standard error, as text. */
static char *said(void (*doing)(void))
{
    static char text[65536];
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int before = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    doing();
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static size_t times(const char *text, const char *words)
{
    size_t count = 0;
    for (const char *at = strstr(text, words); at != NULL; at = strstr(at + 1, words))
        count++;
    return count;
}

static void come_and_go(void)
{
    for (int i = 0; i < 100; i++) {
        trouble_begin(TROUBLE_TOPIC, "flapping", "gone for the %dth time", i);
        trouble_begin(TROUBLE_TOPIC, "flapping", "gone for the %dth time", i);
        trouble_end(TROUBLE_TOPIC, "flapping");
    }
}

static void a_trouble_that_comes_and_goes_does_not_flood_the_log(void **unused)
{
    (void)unused;
    const char *log = said(come_and_go);
    assert_int_equal(times(log, "msg=\"topic missing: make it, or correct `topics`;"), 1);
    assert_int_equal(times(log, "where=flapping what=\"gone for the 0th time\""), 1);
    assert_int_equal(times(log, "msg=\"topic missing: over\""), 1);
    assert_true(begun("kafka", "topic missing") == 100);
}

static void a_trouble_is_shown_until_it_ends(void **unused)
{
    (void)unused;
    ready_set("kafka", NULL);
    assert_true(is_ready());
    trouble_begin(TROUBLE_PARTITION, "spans", "it has 1 partition\nand had 2");
    trouble_begin(TROUBLE_PARTITION, "other", "as well");
    assert_false(is_ready());
    assert_true(trouble_is(TROUBLE_PARTITION));
    assert_true(ready_says("kafka: partition missing: spans: it has 1 partition and had 2\n"));
    assert_true(ready_says("kafka: partition missing: other: as well\n"));
    assert_false(ready_says("kafka: ready\n"));
    assert_true(places("kafka", "partition missing") == 2);

    trouble_end(TROUBLE_PARTITION, "spans");
    trouble_end(TROUBLE_PARTITION, "spans");
    trouble_end(TROUBLE_PARTITION, "never began");
    assert_false(is_ready());
    assert_true(places("kafka", "partition missing") == 1);
    trouble_end(TROUBLE_PARTITION, "other");
    assert_true(is_ready());
    assert_false(trouble_is(TROUBLE_PARTITION));
    assert_true(ready_says("kafka: ready\n"));
    assert_true(places("kafka", "partition missing") == 0);
    assert_true(begun("kafka", "partition missing") == 2);
}

static void what_has_happened_is_shown_for_a_while(void **unused)
{
    (void)unused;
    int64_t before_ns = clock_ns();
    trouble_happened(TROUBLE_SPANS_DELETED, "spans/3", "%d lost", 7);
    trouble_tick(before_ns + (TROUBLE_HAPPENED_S - 1) * NS_PER_S);
    assert_true(ready_says("spans: deleted unread: spans/3: 7 lost\n"));
    trouble_tick(clock_ns() + (TROUBLE_HAPPENED_S + 1) * NS_PER_S);
    assert_true(is_ready());
    assert_true(places("spans", "deleted unread") == 0);
    assert_true(begun("spans", "deleted unread") == 1);
}

static void begin_many(void)
{
    char where[32];
    for (int i = 0; i < TROUBLE_PLACES_MAX + 10; i++) {
        snprintf(where, sizeof(where), "spans/%d", i);
        trouble_begin(TROUBLE_TRANSACTION, where, "open");
    }
}

static void of_very_many_places_all_are_counted_and_some_are_said(void **unused)
{
    (void)unused;
    char where[32];
    size_t lines = times(said(begin_many), "\n");
    assert_true(lines >= 1 && lines < 20);
    assert_true(places("kafka", "transaction left open") == TROUBLE_PLACES_MAX);
    assert_true(begun("kafka", "transaction left open") == TROUBLE_PLACES_MAX + 10);
    for (int i = 0; i < TROUBLE_PLACES_MAX + 10; i++) {
        snprintf(where, sizeof(where), "spans/%d", i);
        trouble_end(TROUBLE_TRANSACTION, where);
    }
    assert_true(is_ready());
}

static void a_broker_is_unreachable_until_the_same_question_is_answered(void **unused)
{
    (void)unused;
    struct config config = {.brokers = "one:9092,two:9092"};
    kafka_outcome(&config, RD_KAFKA_RESP_ERR__TIMED_OUT, "list offsets of topic", "spans");
    assert_true(ready_says("kafka: broker unreachable: one:9092,two:9092: cannot list offsets of "
                           "topic spans: Local: Timed out\n"));
    kafka_outcome(&config, RD_KAFKA_RESP_ERR_NO_ERROR, "list offsets of topic", "rows");
    assert_false(is_ready());
    /* That there is no such topic is an answer. */
    kafka_outcome(
        &config, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "list offsets of topic", "spans");
    assert_true(is_ready());
}

static char *file_read(const char *path)
{
    static char text[1 << 17];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static bool is_kind(const char *part_and_state)
{
    for (int i = 0; i < TROUBLES; i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s: %s", trouble_kinds[i].part, trouble_kinds[i].state);
        if (strcmp(name, part_and_state) == 0) return true;
    }
    return false;
}

/* A line of the table begins with "| `PART: STATE` |", and a counter that it names is in the source. */
static void the_table_in_readme_is_that_of_the_code(void **unused)
{
    (void)unused;
    char *readme = file_read("README.md"), *rest = NULL;
    char *begin = strstr(readme, "<!-- troubles -->");
    assert_non_null(begin);
    char *end = strstr(begin, "<!-- troubles end -->");
    assert_non_null(end);
    *end = '\0';
    size_t listed = 0;
    for (char *line = strtok_r(begin, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char name[128];
        if (sscanf(line, "| `%127[^`]` |", name) != 1 || strncmp(name, "redis:", 6) == 0) continue;
        if (!is_kind(name)) fail_msg("README.md lists `%s`, which no trouble is called", name);
        listed++;
    }
    if (listed != TROUBLES) fail_msg("README.md lists %zu troubles of %d", listed, TROUBLES);
}

static void every_kind_says_what_to_do(void **unused)
{
    (void)unused;
    for (int i = 0; i < TROUBLES; i++) {
        const struct trouble_kind *kind = &trouble_kinds[i];
        assert_non_null(kind->part);
        assert_non_null(kind->state);
        assert_true(strlen(kind->todo) > 20);
        assert_null(strpbrk(kind->state, ":\"\\")); /* it is a label, and ends at a colon */
        for (int j = 0; j < i; j++) {
            bool same = strcmp(kind->part, trouble_kinds[j].part) == 0 &&
                        strcmp(kind->state, trouble_kinds[j].state) == 0;
            assert_false(same);
        }
    }
}

static int troubles_open(void **unused)
{
    (void)unused;
    trouble_open();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trouble_is_shown_until_it_ends),
        cmocka_unit_test(a_trouble_that_comes_and_goes_does_not_flood_the_log),
        cmocka_unit_test(what_has_happened_is_shown_for_a_while),
        cmocka_unit_test(of_very_many_places_all_are_counted_and_some_are_said),
        cmocka_unit_test(a_broker_is_unreachable_until_the_same_question_is_answered),
        cmocka_unit_test(every_kind_says_what_to_do),
        cmocka_unit_test(the_table_in_readme_is_that_of_the_code),
    };
    return cmocka_run_group_tests_name("trouble", tests, troubles_open, NULL);
}
