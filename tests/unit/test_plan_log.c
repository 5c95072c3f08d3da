/* The plan log: what is in force is what follows, and everybody who reads it agrees. */
#include "engine/plan_log.h"
#include "engine/watermark.h"
#include "tests/support/pipeline_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void entry_of(uint64_t from, uint64_t plan, struct buffer *out)
{
    struct plan_entry entry = {.plan = plan,
        .from = from,
        .text = bytes_of("pane: 10s\n"),
        .partitions = 4,
        .topic = {bytes_of("a"), bytes_of("b")},
        .topics = 2};
    buffer_reset(out);
    plan_entry_encode(&entry, out);
}

static void what_is_written_is_read_back(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    struct plan_entry read;
    struct error err;
    entry_of(7, 9, &out);
    assert_int_equal(plan_entry_decode(buffer_bytes(&out), &read, &err), ST_OK);
    assert_int_equal(read.from, 7);
    assert_int_equal(read.plan, 9);
    assert_int_equal(read.partitions, 4);
    assert_int_equal(read.topics, 2);
    assert_true(bytes_are(read.topic[1], "b"));
    assert_true(bytes_are(read.text, "pane: 10s\n"));
    for (size_t size = 0; size < out.size;
         size++) { /* cut anywhere, it is never more than it was */
        struct bytes cut = {out.data, size};
        if (plan_entry_decode(cut, &read, &err) == ST_OK) assert_true(read.topics == 1);
    }
    buffer_release(&out);
}

static void two_that_say_the_first_plan_agree_on_the_first_in_the_log(void **unused)
{
    (void)unused;
    struct plan_log log = {0};
    struct buffer out = {0};
    struct error err;
    static const uint64_t said[][2] = {{0, 5}, {0, 6}, {5, 7}, {5, 8}, {6, 9}, {7, 5}};
    static const uint64_t in_force[] = {5, 5, 7, 7, 7, 5};
    static const uint32_t generation[] = {1, 1, 2, 2, 2, 3};
    for (size_t i = 0; i < 6; i++) {
        entry_of(said[i][0], said[i][1], &out);
        assert_int_equal(plan_log_take(&log, buffer_bytes(&out), &err), ST_OK);
        assert_int_equal(log.now.plan, in_force[i]);
        assert_int_equal(log.generation, generation[i]);
    }
    buffer_release(&out);
}

static void an_entry_of_a_newer_weir_is_refused(void **unused)
{
    (void)unused;
    struct plan_log log = {0};
    struct buffer out = {0};
    struct error err;
    wire_put_uint(&out, 1, PLAN_ENTRY_VERSION + 1);
    assert_int_equal(plan_log_take(&log, buffer_bytes(&out), &err), ST_FATAL);
    assert_non_null(strstr(err.text, "newer"));
    assert_int_equal(log.generation, 0);
    buffer_release(&out);
}

static void each_generation_has_topics_of_its_own(void **unused)
{
    (void)unused;
    char topic[64];
    plan_log_topic(topic, sizeof(topic), "weir", "rows", 1);
    assert_string_equal(topic, "weir.rows");
    plan_log_topic(topic, sizeof(topic), "weir", "rows", 12);
    assert_string_equal(topic, "weir.rows-12");
}

static void differences_are_the_lines_that_differ(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    struct bytes before = bytes_of("pane: 1s\nviews: [a]\n"),
                 after = bytes_of("pane: 2s\nviews: [a]\n");
    assert_false(plan_differences(before, before, &out));
    assert_true(plan_differences(before, after, &out));
    assert_true(bytes_are(buffer_bytes(&out), "- pane: 1s\n+ pane: 2s\n"));
    buffer_release(&out);
}

/* A position says under which plan it was read, and those of the first weirs said nothing. */
static void a_clock_carries_its_plan(void **unused)
{
    (void)unused;
    char text[METADATA_BYTES_MAX];
    uint32_t partitions;
    struct source_clock clock = {.watermark_ns = 5, .newest_pane = 6, .plan = 0xfedcba9876543210};
    struct source_clock read = {0};
    source_clock_write(&clock, 3, text);
    assert_string_equal(text, "weir1 clock 5 6 0 3 fedcba9876543210");
    assert_true(source_clock_read(&read, &partitions, bytes_of(text)));
    assert_int_equal(read.plan, clock.plan);
    assert_true(source_clock_read(&read, &partitions, bytes_of("weir1 clock 5 6 0 3")));
    assert_int_equal(read.plan, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(two_that_say_the_first_plan_agree_on_the_first_in_the_log),
        cmocka_unit_test(an_entry_of_a_newer_weir_is_refused),
        cmocka_unit_test(each_generation_has_topics_of_its_own),
        cmocka_unit_test(differences_are_the_lines_that_differ),
        cmocka_unit_test(a_clock_carries_its_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
