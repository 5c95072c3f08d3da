/*
 * Versions: what version 1 wrote is read, what a later weir added is passed over, and what it says must
 * not be passed over is refused.
 */
#include "engine/settings.h"
#include "engine/watermark.h"
#include "schemas/format.h"
#include "schemas/plan_entry.h"
#include "tests/fixtures/fixtures.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void fixture_read(const char *name, struct buffer *out)
{
    char path[256];
    snprintf(path, sizeof(path), "tests/fixtures/%s.v1", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail_msg("%s is missing", path);
    buffer_reset(out);
    out->size += fread(buffer_room(out, 1 << 16), 1, 1 << 16, file);
    fclose(file);
}

static void apply_fixture(struct aggregate *a, const char *name, struct records *records)
{
    struct buffer partial = {0};
    struct error err;
    fixture_read(name, &partial);
    if (aggregate_apply(a, buffer_bytes(&partial), records, &err) != ST_OK)
        fail_msg("%s: %s", name, err.text);
    buffer_release(&partial);
}

static double first_pane(const struct records *records, enum row_status status, const char *column)
{
    return bench_value(
        records, "operation=op", FIXTURE_AT(10), 10 * BENCH_S, false, status, column);
}

/* What make.c put into them, as rows. */
static void rows_are_right(const struct records *records)
{
    assert_true(first_pane(records, ROW_FINAL, "spans") == 3);
    assert_true(first_pane(records, ROW_FINAL, "errors") == 1);
    assert_true(first_pane(records, ROW_FINAL, "latency_max_ms") == 200);
    assert_true(first_pane(records, ROW_FINAL, "latency_le_100ms") == 2);
    assert_true(first_pane(records, ROW_REVISED, "spans") == 4);
    assert_true(first_pane(records, ROW_REVISED, "late") == 1);
}

static void partials_of_version_1_are_aggregated(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct records records = {0};
    bench_plan_init(&bench, fixture_yaml);
    struct aggregate *a = aggregate_new(&bench.plan, 0);
    apply_fixture(a, "settings", &records);
    apply_fixture(a, "partial", &records);
    apply_fixture(a, "partial_next", &records);
    rows_are_right(&records);
    aggregate_free(a);
    records_release(&records);
    bench_plan_release(&bench);
}

static void a_snapshot_of_version_1_goes_on(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct records records = {0};
    struct buffer saved = {0};
    struct error err;
    bench_plan_init(&bench, fixture_yaml);
    struct aggregate *a = aggregate_new(&bench.plan, 0);
    fixture_read("snapshot", &saved);
    if (aggregate_load(a, buffer_bytes(&saved), &err) != ST_OK) fail_msg("%s", err.text);
    apply_fixture(a, "partial_next", &records);
    rows_are_right(&records);
    aggregate_free(a);
    buffer_release(&saved);
    records_release(&records);
    bench_plan_release(&bench);
}

static void rows_and_alerts_of_version_1_are_read(void **unused)
{
    (void)unused;
    struct buffer record = {0};
    struct output out;
    struct error err;
    fixture_read("row", &record);
    assert_int_equal(output_decode(buffer_bytes(&record), &out, &err), ST_OK);
    assert_false(out.is_alert);
    assert_true(bytes_are(out.row.series, "operation=op"));
    assert_int_equal(out.row.end_ns, FIXTURE_AT(10));
    assert_true(out.row.sketch.size > 0);
    fixture_read("alert", &record);
    assert_int_equal(output_decode(buffer_bytes(&record), &out, &err), ST_OK);
    assert_true(out.is_alert);
    assert_true(bytes_are(out.alert.rule, "slow"));
    assert_int_equal(out.alert.state, ALERT_FIRING);
    assert_true(out.alert.value == 200);
    buffer_release(&record);
}

static void a_plan_entry_of_version_1_is_read(void **unused)
{
    (void)unused;
    struct buffer record = {0};
    struct plan_entry entry;
    struct error err;
    fixture_read("plan_entry", &record);
    assert_int_equal(plan_entry_decode(buffer_bytes(&record), &entry, &err), ST_OK);
    assert_int_equal(entry.from, 42);
    assert_true(bytes_are(entry.topic[0], "otlp_spans"));
    buffer_release(&record);
}

static void only_later_metadata_of_ours_is_newer(void **unused)
{
    (void)unused;
    assert_true(metadata_is_newer("weir2 clock 5 6 1 2"));
    assert_true(metadata_is_newer("weir17 aggregate x"));
    assert_false(metadata_is_newer("weir1 clock 5 6 1 2"));
    assert_false(metadata_is_newer(""));
    assert_false(metadata_is_newer("checkpoint"));
    assert_false(metadata_is_newer("weird 2"));
}

/* One of each that is written, as a build of WEIR_TEST_FORMAT `format` writes it. */
struct written {
    struct bench_log log;
    struct records records;
    struct buffer state, plan;
};

static void written_make(struct written *w, const struct bench_plan *bench, const char *format)
{
    struct bench_worker worker;
    struct bench_span span = {"s", "op", KIND_SERVER, FIXTURE_AT(1), 90000000, false};
    *w = (struct written){0};
    setenv("WEIR_TEST_FORMAT", format, 1);
    bench_worker_init(&worker, bench, 0, 1, 1, 0);
    bench_record(&worker, 0, FIXTURE_AT(1), &span, 1);
    bench_record(&worker, 0, FIXTURE_AT(40), NULL, 0);
    bench_flush(&worker, 5, &w->log);
    struct aggregate *a = aggregate_new(&bench->plan, 0);
    bench_apply(a, &w->log, 0, 0, &w->records);
    aggregate_save(a, &w->state);
    struct plan_entry entry = {
        .plan = 1, .text = bytes_of("x"), .partitions = 1, .topic = {bytes_of("t")}, .topics = 1};
    plan_entry_encode(&entry, &w->plan);
    aggregate_free(a);
    bench_worker_release(&worker);
    unsetenv("WEIR_TEST_FORMAT");
}

static void written_release(struct written *w)
{
    bench_log_release(&w->log);
    records_release(&w->records);
    buffer_release(&w->state);
    buffer_release(&w->plan);
}

/* Read all of it; every one must give `want`, and say the same. */
static void written_is(struct written *w, const struct bench_plan *bench, enum status want)
{
    struct error err = {.text = ""};
    struct records records = {0};
    struct output out;
    struct plan_entry entry;
    struct bytes key, value;
    struct aggregate *a = aggregate_new(&bench->plan, 0), *b = aggregate_new(&bench->plan, 0);
    enum status said[4];
    records_get(&w->records, 0, &key, &value);
    char texts[4][sizeof(err.text)];
    for (int i = 0; i < 4; i++) {
        if (i == 0) said[i] = aggregate_apply(a, bench_log_get(&w->log, 0), &records, &err);
        if (i == 1) said[i] = aggregate_load(b, buffer_bytes(&w->state), &err);
        if (i == 2) said[i] = output_decode(value, &out, &err);
        if (i == 3) said[i] = plan_entry_decode(buffer_bytes(&w->plan), &entry, &err);
        snprintf(texts[i], sizeof(texts[i]), "%s", err.text);
        if (said[i] != want) fail_msg("record %d: status %d, %s", i, said[i], texts[i]);
        if (want == ST_OK) continue;
        assert_non_null(strstr(texts[i], "version 2"));
        assert_non_null(strstr(texts[i], "up to version 1"));
        assert_non_null(strstr(texts[i], "Nothing is lost"));
    }
    if (want == ST_OK) assert_true(first_pane(&records, ROW_FINAL, "spans") == 1);
    aggregate_free(a);
    aggregate_free(b);
    records_release(&records);
}

/* A build without failpoints cannot play its own successor. */
static bool has_successor(void)
{
    setenv("WEIR_TEST_FORMAT", "2", 1);
    bool has = format_version(1) == 2;
    unsetenv("WEIR_TEST_FORMAT");
    return has;
}

static void what_a_later_weir_added_is_passed_over(void **unused)
{
    (void)unused;
    if (!has_successor()) skip();
    struct bench_plan bench;
    struct written plain, added;
    bench_plan_init(&bench, fixture_yaml);
    written_make(&plain, &bench, "");
    written_make(&added, &bench, "added");
    assert_true(added.state.size > plain.state.size);
    assert_true(added.records.bytes.size > plain.records.bytes.size);
    written_is(&added, &bench, ST_OK);
    written_release(&plain);
    written_release(&added);
    bench_plan_release(&bench);
}

static void what_a_later_version_wrote_is_refused_by_this_one_and_read_by_that(void **unused)
{
    (void)unused;
    if (!has_successor()) skip();
    struct bench_plan bench;
    struct written first, second;
    bench_plan_init(&bench, fixture_yaml);
    written_make(&first, &bench, "");
    written_make(&second, &bench, "2");
    written_is(&first, &bench, ST_OK);
    written_is(&second, &bench, ST_FATAL);
    setenv("WEIR_TEST_FORMAT", "2", 1);
    written_is(&first, &bench, ST_OK);
    written_is(&second, &bench, ST_OK);
    unsetenv("WEIR_TEST_FORMAT");
    written_release(&first);
    written_release(&second);
    bench_plan_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partials_of_version_1_are_aggregated),
        cmocka_unit_test(a_snapshot_of_version_1_goes_on),
        cmocka_unit_test(rows_and_alerts_of_version_1_are_read),
        cmocka_unit_test(a_plan_entry_of_version_1_is_read),
        cmocka_unit_test(only_later_metadata_of_ours_is_newer),
        cmocka_unit_test(what_a_later_weir_added_is_passed_over),
        cmocka_unit_test(what_a_later_version_wrote_is_refused_by_this_one_and_read_by_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
