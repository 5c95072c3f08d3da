/*
 * Combine: the rules by which spans are judged, and the partials that it makes of them.
 *
 * A pane is 10 s, lateness 30 s, skew 5 s and allowed_lateness 1 min. Times are seconds after T0. What
 * a partial says is read by protobuf-c.
 */
#include "engine/combine.h"
#include "measures.pb-c.h"
#include "partial.pb-c.h"
#include "tests/support/pipeline_bench.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define T0       BENCH_EPOCH_NS
#define PANE0    (T0 / (10 * BENCH_S))
#define AT(s)    (T0 + (s)*BENCH_S)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char usual[] = "pane: 10s\nlateness: 30s\nskew: 5s\nallowed_lateness: 1m\n"
                            "views: [[operation]]\npartitions: 1\nzscore: []\n";

struct fixture {
    struct bench_plan bench;
    struct bench_worker worker;
};

static void fixture_init(struct fixture *f, const char *yaml, uint64_t memory)
{
    bench_plan_init(&f->bench, yaml);
    bench_worker_init(&f->worker, &f->bench, 0, 2, 2, memory);
}

static void fixture_release(struct fixture *f)
{
    bench_worker_release(&f->worker);
    bench_plan_release(&f->bench);
}

static struct bench_span ends_at(int64_t end_ns)
{
    return (struct bench_span){"shop", "op", KIND_SERVER, end_ns, 1000, false};
}

/* Give source 0 a record with one span. */
static void give(struct fixture *f, int64_t timestamp_ns, int64_t end_ns)
{
    struct bench_span span = ends_at(end_ns);
    assert_int_equal(bench_record(&f->worker, 0, timestamp_ns, &span, 1), ST_OK);
}

/* Counts of the one cell of an epoch. */
struct told {
    int64_t pane;
    uint64_t late_by, spans, late, too_late, skewed;
    bool latency;
};

static void cell_told(const Weir__Cell *cell, struct told *told)
{
    *told = (struct told){
        .pane = cell->pane, .late_by = cell->late_by, .latency = cell->latency.len != 0};
    Weir__CountState *count = weir__count_state__unpack(NULL, cell->count.len, cell->count.data);
    assert_non_null(count);
    told->spans = count->spans;
    told->late = count->late;
    told->too_late = count->too_late;
    told->skewed = count->skewed;
    weir__count_state__free_unpacked(count, NULL);
}

static Weir__Partial *partial_of(struct fixture *f)
{
    struct bench_log log = {0};
    bench_flush(&f->worker, 1, &log);
    assert_int_equal(log.count, 1);
    Weir__Partial *partial = weir__partial__unpack(NULL, log.entry[0].size, log.entry[0].data);
    assert_non_null(partial);
    bench_log_release(&log);
    return partial;
}

static struct told told_of(struct fixture *f)
{
    struct told told;
    Weir__Partial *partial = partial_of(f);
    assert_int_equal(partial->n_cell, 1);
    cell_told(partial->cell[0], &told);
    weir__partial__free_unpacked(partial, NULL);
    return told;
}

static void forget(struct fixture *f)
{
    combine_reset(f->worker.combine);
}

static void the_first_record_of_a_partition_is_on_time(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, usual, 0);
    give(&f, AT(0), AT(-100000));
    struct told told = told_of(&f);
    assert_int_equal(told.pane, PANE0 - 10000);
    assert_int_equal(told.late_by, 0);
    assert_int_equal(told.spans, 1);
    assert_int_equal(told.late, 0);
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(-30));
    assert_true(f.worker.clock[1].watermark_ns == WATERMARK_NONE);
    fixture_release(&f);
}

/* Each row: W before the record, where the span ends, and what it is. The record itself is newer. */
static void a_span_is_judged_by_where_its_pane_stands(void **unused)
{
    (void)unused;
    static const struct {
        int64_t watermark, end; /* ns after T0 */
        int64_t pane;           /* after PANE0 */
        uint64_t late_by, spans, too_late;
    } cases[] = {
        {0, 0, 0, 0, 1, 0},                /* in the pane that the clock is in */
        {0, -1, -1, 1, 1, 0},              /* one ns before it */
        {10 * BENCH_S - 1, 0, 0, 0, 1, 0}, /* the pane's last ns */
        {10 * BENCH_S, 0, 0, 1, 1, 0},     /* closed */
        {10 * BENCH_S, 10 * BENCH_S - 1, 0, 1, 1, 0} /* by its end, not by a distance */,
        {70 * BENCH_S - 1, 0, 0, 6, 1, 0},       /* the last ns of allowed_lateness */
        {70 * BENCH_S, 0, 7, 0, 0, 1},           /* too late: counted where it arrived */
        {70 * BENCH_S, 9 * BENCH_S, 7, 0, 0, 1}, /* its pane's end decides */
        {79 * BENCH_S, 10 * BENCH_S, 1, 6, 1, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        fixture_init(&f, usual, 0);
        f.worker.clock[0].watermark_ns = T0 + cases[i].watermark;
        give(&f, AT(500), T0 + cases[i].end);
        struct told told = told_of(&f);
        assert_int_equal(told.pane - PANE0, cases[i].pane);
        assert_int_equal(told.late_by, cases[i].late_by);
        assert_int_equal(told.spans, cases[i].spans);
        assert_int_equal(told.late, cases[i].late_by != 0);
        assert_int_equal(told.too_late, cases[i].too_late);
        assert_int_equal(told.latency, cases[i].spans != 0);
        assert_int_equal(
            f.worker.clock[0].newest_pane, PANE0 + cases[i].pane + (int64_t)cases[i].late_by);
        fixture_release(&f);
    }
}

/* A span judged by a clock that its own record moved would be late here. */
static void the_clock_that_judges_is_the_one_before_the_record(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, usual, 0);
    give(&f, AT(0), AT(0));
    forget(&f);
    give(&f, AT(1000), AT(0));
    assert_int_equal(told_of(&f).late_by, 0);
    give(&f, AT(1000), AT(0));
    assert_int_equal(told_of(&f).too_late, 1);
    fixture_release(&f);
}

static void a_clock_never_goes_back_and_span_times_never_move_it(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, usual, 0);
    give(&f, AT(100), AT(104));
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(70));
    give(&f, AT(50), AT(50));
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(70));
    give(&f, AT(101), AT(101 - 3600));
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(71));
    fixture_release(&f);
}

static void a_span_that_ends_after_its_record_and_skew_is_moved_to_the_record(void **unused)
{
    (void)unused;
    static const struct {
        int64_t end, pane; /* ns after T0; after PANE0 */
        uint64_t skewed;
    } cases[] = {
        {8 * BENCH_S, 0, 0},
        {13 * BENCH_S, 1, 0},     /* record + skew exactly */
        {13 * BENCH_S + 1, 0, 1}, /* a ns more: where the record is */
        {INT64_MAX - T0, 0, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        fixture_init(&f, usual, 0);
        give(&f, AT(8), T0 + cases[i].end);
        struct told told = told_of(&f);
        assert_int_equal(told.pane - PANE0, cases[i].pane);
        assert_int_equal(told.skewed, cases[i].skewed);
        assert_int_equal(told.spans, 1);
        assert_int_equal(combine_counts(f.worker.combine)->skewed, cases[i].skewed);
        fixture_release(&f);
    }
}

/* An old record that also lies about the future is moved to its own time first, then judged there. */
static void a_skewed_span_of_an_old_record_is_late(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, usual, 0);
    f.worker.clock[0].watermark_ns = AT(40);
    give(&f, AT(0), AT(900));
    struct told told = told_of(&f);
    assert_int_equal(told.pane, PANE0);
    assert_int_equal(told.late_by, 4);
    assert_int_equal(told.skewed, 1);
    fixture_release(&f);
}

static enum status record_bytes(
    struct fixture *f, struct bytes value, int64_t timestamp_ms, int64_t now_ns, struct error *err)
{
    struct combine_record record = {.value = value, .timestamp_ms = timestamp_ms, .now_ns = now_ns};
    return combine_record(f->worker.combine, &f->worker.clock[0], &record, err);
}

static void a_record_without_a_timestamp_was_sent_when_its_newest_span_ended(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct buffer message = {0};
    fixture_init(&f, usual, 0);
    const struct bench_span spans[] = {ends_at(AT(40)), ends_at(AT(35))};
    bench_message(&message, spans, 2);
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), -1, 0, &err), ST_OK);
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(10));
    assert_int_equal(combine_counts(f.worker.combine)->skewed, 0);

    /* Spans that are older than the clock leave it where it is. */
    buffer_reset(&message);
    bench_message(&message, &spans[1], 1);
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), -1, 0, &err), ST_OK);
    assert_int_equal(record_bytes(&f, bytes_of("\xff"), -1, 0, &err), ST_SKIP);
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(10));
    buffer_release(&message);
    fixture_release(&f);
}

/* Nothing is known of when it was: it says nothing about time. */
static void an_unreadable_record_without_a_timestamp_does_not_start_the_clock(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    fixture_init(&f, usual, 0);
    assert_int_equal(record_bytes(&f, bytes_of("\xff"), -1, 0, &err), ST_SKIP);
    assert_true(f.worker.clock[0].watermark_ns == WATERMARK_NONE);
    assert_int_equal(combine_counts(f.worker.combine)->malformed, 1);
    fixture_release(&f);
}

static void a_record_ahead_of_the_wall_clock_is_counted_and_moves_nothing(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct buffer message = {0};
    fixture_init(&f, usual, 0);
    struct bench_span span = ends_at(AT(58));
    bench_message(&message, &span, 1);
    const int64_t ahead_ms = AT(60) / 1000000;
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), ahead_ms, AT(55), &err), ST_OK);
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(30)); /* now + skew exactly is not ahead */
    assert_int_equal(combine_counts(f.worker.combine)->ahead, 0);
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), ahead_ms + 1, AT(55), &err), ST_OK);
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(30));
    assert_int_equal(combine_counts(f.worker.combine)->ahead, 1);
    assert_int_equal(combine_counts(f.worker.combine)->spans, 2);
    /* Without a wall clock nothing is ahead. */
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), ahead_ms + 1, 0, &err), ST_OK);
    assert_int_equal(combine_counts(f.worker.combine)->ahead, 1);
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(30) + 1000000);
    buffer_release(&message);
    fixture_release(&f);
}

static void a_record_that_is_set_aside_still_moves_the_clock(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    fixture_init(&f,
        "limits: {message_bytes: 1KiB}\npane: 10s\nviews: [[operation]]\n"
        "partitions: 1\nzscore: []\n",
        0);
    struct bench_span spans[40];
    struct buffer message = {0};
    for (size_t i = 0; i < COUNT(spans); i++)
        spans[i] = ends_at(AT(0));
    bench_message(&message, spans, COUNT(spans));
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), AT(100) / 1000000, 0, &err), ST_SKIP);
    assert_non_null(strstr(err.text, "limits.message_bytes"));
    assert_int_equal(record_bytes(&f, bytes_of("\xff"), AT(101) / 1000000, 0, &err), ST_SKIP);
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(71));
    assert_int_equal(combine_counts(f.worker.combine)->malformed, 2);
    assert_int_equal(combine_counts(f.worker.combine)->spans, 0);

    Weir__Partial *partial = partial_of(&f);
    assert_int_equal(partial->n_cell, 0);
    assert_int_equal(partial->n_total, 1);
    assert_int_equal(partial->total[0]->pane, PANE0 + 10);
    assert_int_equal(partial->total[0]->messages, 2);
    assert_int_equal(partial->total[0]->malformed, 2);
    assert_int_equal(partial->record_ms, AT(101) / 1000000);
    weir__partial__free_unpacked(partial, NULL);
    buffer_release(&message);
    fixture_release(&f);
}

/* Times at both ends of what there is: nothing overflows, nothing is lost. */
static void hostile_times_are_counted_somewhere(void **unused)
{
    (void)unused;
    static const int64_t times[] = {0, 1, INT64_MAX / 2000000, INT64_MAX / 1000000, INT64_MAX};
    /* The third last is just before where the clock is at the latest time. */
    static const int64_t ends[] = {
        1, BENCH_S, T0, TIME_NS_MAX - 24 * 3601 * BENCH_S, INT64_MAX - 1, INT64_MAX};
    struct fixture f;
    struct error err;
    fixture_init(&f,
        "allowed_lateness: 7d\npane: 100ms\nskew: 1h\nlateness: 1d\n"
        "max_ahead: 2d\nviews: [[operation]]\npartitions: 1\nzscore: []\n",
        0);
    uint64_t given = 0;
    for (size_t t = 0; t < COUNT(times); t++) {
        for (size_t round = 0; round < 2; round++) {
            for (size_t e = 0; e < COUNT(ends); e++) {
                struct buffer message = {0};
                struct bench_span span = ends_at(ends[e]);
                span.duration_ns = 0;
                bench_message(&message, &span, 1);
                struct bytes value = buffer_bytes(&message);
                int64_t now_ns = round == 0 ? 0 : T0;
                assert_int_equal(record_bytes(&f, value, times[t], now_ns, &err), ST_OK);
                given++;
                buffer_release(&message);
            }
        }
    }
    Weir__Partial *partial = partial_of(&f);
    uint64_t counted = 0;
    for (size_t i = 0; i < partial->n_cell; i++) {
        struct told told;
        cell_told(partial->cell[i], &told);
        counted += told.spans + told.too_late;
    }
    assert_int_equal(counted, given);
    weir__partial__free_unpacked(partial, NULL);
    fixture_release(&f);
}

static void fill(struct buffer *message, size_t names)
{
    struct bench_span *spans = test_malloc(names * sizeof(*spans));
    char(*name)[24] = test_malloc(names * sizeof(*name));
    for (size_t i = 0; i < names; i++) {
        snprintf(name[i], sizeof(name[i]), "op%zu", i);
        spans[i] = ends_at(AT(1));
        spans[i].operation = name[i];
    }
    bench_message(message, spans, names);
    test_free(spans);
    test_free(name);
}

static void a_full_table_asks_for_another_epoch_and_nothing_has_happened(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct buffer message = {0};
    fixture_init(&f, usual, 16 << 10);
    fill(&message, 500);
    /* A message that alone is larger than the table is taken when the table is empty. */
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), AT(1) / 1000000, 0, &err), ST_OK);
    assert_int_equal(combine_cells(f.worker.combine), 500);

    struct source_clock clock = f.worker.clock[0];
    struct combine_counts counts = *combine_counts(f.worker.combine);
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), AT(60) / 1000000, 0, &err), ST_RETRY);
    assert_int_equal(record_bytes(&f, bytes_of("\xff"), AT(60) / 1000000, 0, &err), ST_RETRY);
    assert_memory_equal(&clock, &f.worker.clock[0], sizeof(clock));
    assert_memory_equal(&counts, combine_counts(f.worker.combine), sizeof(counts));
    assert_int_equal(combine_cells(f.worker.combine), 500);
    assert_int_equal(combine_epoch_spans(f.worker.combine), 500);

    forget(&f);
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), AT(60) / 1000000, 0, &err), ST_OK);
    assert_int_equal(f.worker.clock[0].watermark_ns, AT(30));
    assert_int_equal(combine_counts(f.worker.combine)->messages, 2);
    buffer_release(&message);
    fixture_release(&f);
}

static void every_destination_gets_a_batch_with_the_clocks(void **unused)
{
    (void)unused;
    enum { PARTITIONS = 7 };
    struct fixture f;
    struct bench_log log = {0};
    fixture_init(&f, "views: [[operation]]\npartitions: 7\nzscore: []\n", 0);
    f.worker.clock[0].committed = f.worker.clock[0].position = 40;
    give(&f, AT(0), AT(0));
    f.worker.clock[1].ended = true;
    bench_flush(&f.worker, 123, &log);
    assert_int_equal(log.count, PARTITIONS);
    size_t cells = 0;
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        assert_int_equal(log.entry[p].partition, p);
        Weir__Partial *partial = weir__partial__unpack(NULL, log.entry[p].size, log.entry[p].data);
        assert_non_null(partial);
        cells += partial->n_cell;
        assert_true(partial->last);
        assert_true(partial->plan == f.bench.plan.fingerprint);
        assert_int_equal(partial->sent_ms, 123);
        assert_int_equal(partial->record_ms, T0 / 1000000);
        assert_int_equal(partial->n_topic, 1);
        assert_int_equal(partial->topic[0]->partitions, 2);
        assert_int_equal(partial->n_clock, 2);
        assert_int_equal(partial->clock[0]->from, 40);
        assert_int_equal(partial->clock[0]->to, 41);
        assert_int_equal(partial->clock[0]->watermark_ns, AT(-30));
        assert_int_equal(partial->clock[0]->newest_pane, PANE0);
        assert_int_equal(partial->clock[1]->partition, 1);
        assert_true(partial->clock[1]->ended);
        assert_int_equal(partial->n_total, 1);
        assert_int_equal(partial->total[0]->spans, 1);
        weir__partial__free_unpacked(partial, NULL);
    }
    assert_int_equal(cells, 1);

    /* The next epoch goes on where this one ended, and has nothing of it left. */
    bench_log_release(&log);
    bench_flush(&f.worker, 124, &log);
    assert_int_equal(log.count, PARTITIONS);
    Weir__Partial *partial = weir__partial__unpack(NULL, log.entry[0].size, log.entry[0].data);
    assert_int_equal(partial->n_cell + partial->n_total, 0);
    assert_int_equal(partial->clock[0]->from, 41);
    assert_int_equal(partial->record_ms, 0);
    weir__partial__free_unpacked(partial, NULL);
    bench_log_release(&log);
    fixture_release(&f);
}

static void large_epochs_are_cut_into_fragments_and_the_last_has_the_clocks(void **unused)
{
    (void)unused;
    enum { SPANS = 30000, CELL_BYTES_MOST = 16 << 10 };
    struct fixture f;
    struct error err;
    struct bench_log log = {0};
    struct buffer message = {0};
    fixture_init(&f, "views: [[operation]]\npartitions: 2\nzscore: []\n", 0);
    fill(&message, SPANS);
    assert_int_equal(record_bytes(&f, buffer_bytes(&message), AT(1) / 1000000, 0, &err), ST_OK);
    bench_flush(&f.worker, 1, &log);
    size_t fragments[2] = {0}, cells = 0;
    bool ended[2] = {false};
    for (size_t i = 0; i < log.count; i++) {
        uint32_t p = log.entry[i].partition;
        assert_false(ended[p]);
        assert_true(log.entry[i].size <= PARTIAL_BYTES_MAX + CELL_BYTES_MOST);
        Weir__Partial *partial = weir__partial__unpack(NULL, log.entry[i].size, log.entry[i].data);
        assert_non_null(partial);
        if (!partial->last) {
            assert_true(log.entry[i].size >= PARTIAL_BYTES_MAX);
            assert_int_equal(partial->n_clock + partial->n_topic + partial->n_total, 0);
        }
        ended[p] = partial->last;
        fragments[p]++;
        cells += partial->n_cell;
        weir__partial__free_unpacked(partial, NULL);
    }
    assert_true(ended[0] && ended[1]);
    assert_true(fragments[0] > 1 && fragments[1] > 1);
    assert_int_equal(cells, SPANS);
    bench_log_release(&log);
    buffer_release(&message);
    fixture_release(&f);
}

/* Spans and messages that had no series are told by when their record arrived. */
static void totals_are_told_where_the_record_arrived(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    fixture_init(&f, usual, 0);
    f.worker.clock[0].watermark_ns = AT(100);
    assert_int_equal(record_bytes(&f, bytes_of("\xff"), AT(5) / 1000000, 0, &err), ST_SKIP);
    assert_int_equal(record_bytes(&f, bytes_of("\xff"), AT(125) / 1000000, 0, &err), ST_SKIP);
    assert_int_equal(record_bytes(&f, bytes_of("\xff"), AT(109) / 1000000, 0, &err), ST_SKIP);
    Weir__Partial *partial = partial_of(&f);
    assert_int_equal(partial->n_total, 2);
    assert_int_equal(partial->total[0]->pane, PANE0 + 10); /* the old one, and that of its time */
    assert_int_equal(partial->total[0]->messages, 2);
    assert_int_equal(partial->total[1]->pane, PANE0 + 12);
    weir__partial__free_unpacked(partial, NULL);
    fixture_release(&f);
}

static void records_of_too_many_panes_ask_for_another_epoch(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct bytes bad = bytes_of("\xff");
    fixture_init(&f, usual, 0);
    for (int64_t i = 0; i < COMBINE_TOTALS_MAX; i++)
        assert_int_equal(record_bytes(&f, bad, AT(10 * i) / 1000000, 0, &err), ST_SKIP);
    struct source_clock clock = f.worker.clock[0];
    struct combine_counts counts = *combine_counts(f.worker.combine);
    int64_t last_ms = AT(INT64_C(10) * (COMBINE_TOTALS_MAX - 1)) / 1000000;
    int64_t next_ms = last_ms + 10000;
    assert_int_equal(record_bytes(&f, bad, next_ms, 0, &err), ST_RETRY);
    assert_memory_equal(&clock, &f.worker.clock[0], sizeof(clock));
    assert_memory_equal(&counts, combine_counts(f.worker.combine), sizeof(counts));
    assert_int_equal(record_bytes(&f, bad, last_ms, 0, &err), ST_SKIP);

    Weir__Partial *partial = partial_of(&f);
    assert_int_equal(partial->n_total, COMBINE_TOTALS_MAX);
    assert_true(weir__partial__get_packed_size(partial) < PARTIAL_BYTES_MAX);
    weir__partial__free_unpacked(partial, NULL);
    forget(&f);
    assert_int_equal(record_bytes(&f, bad, next_ms, 0, &err), ST_SKIP);
    assert_int_equal(combine_counts(f.worker.combine)->messages, COMBINE_TOTALS_MAX + 2);
    fixture_release(&f);
}

static void dropped_spans_are_counted_by_reason_and_known_to_aggregate(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, usual, 0);
    const struct bench_span spans[] = {ends_at(AT(1)), ends_at(0), ends_at(-5)};
    assert_int_equal(bench_record(&f.worker, 0, AT(1), spans, 3), ST_OK);
    assert_int_equal(combine_counts(f.worker.combine)->spans, 1);
    assert_int_equal(combine_counts(f.worker.combine)->dropped[DROP_TIME], 2);
    Weir__Partial *partial = partial_of(&f);
    assert_int_equal(partial->total[0]->spans, 3);
    assert_int_equal(partial->total[0]->dropped, 2);
    weir__partial__free_unpacked(partial, NULL);
    fixture_release(&f);
}

static void how_far_spans_lag_is_known_in_seconds(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, usual, 0);
    give(&f, AT(0), AT(0));
    give(&f, AT(0), AT(-1));
    give(&f, AT(0), AT(-7));
    give(&f, AT(0), AT(-100000));
    give(&f, AT(0), AT(3));
    const uint64_t *behind = combine_counts(f.worker.combine)->behind;
    assert_int_equal(behind[0], 1); /* nothing was newer than the first record */
    assert_int_equal(behind[1], 1);
    assert_int_equal(behind[7], 1);
    assert_int_equal(behind[BEHIND_SECONDS], 1);
    fixture_release(&f);
}

static void a_clock_is_what_its_metadata_says(void **unused)
{
    (void)unused;
    const struct source_clock clocks[] = {
        {.watermark_ns = T0, .newest_pane = PANE0, .ended = true},
        {.watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE},
        {.watermark_ns = INT64_MAX, .newest_pane = -1},
    };
    for (size_t i = 0; i < COUNT(clocks); i++) {
        char text[METADATA_BYTES_MAX];
        struct source_clock read = {.topic = 3, .partition = 4, .position = 5};
        uint32_t partitions = 0;
        source_clock_write(&clocks[i], 12, text);
        assert_true(source_clock_read(&read, &partitions, bytes_of(text)));
        assert_int_equal(partitions, 12);
        assert_true(read.watermark_ns == clocks[i].watermark_ns);
        assert_true(read.newest_pane == clocks[i].newest_pane);
        assert_int_equal(read.ended, clocks[i].ended);
        assert_int_equal(read.topic, 3);
        assert_int_equal(read.position, 5);
    }
}

static void metadata_of_something_else_changes_nothing(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"", "weir1 clock", "weir1 clock 5", "weir1 clock 5 6 1",
        "weir2 clock 5 6 1 2", "weir1 aggregate 5 6 1", "checkpoint"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct source_clock clock = {.watermark_ns = 1, .newest_pane = 2, .ended = true};
        uint32_t partitions = 9;
        assert_false(source_clock_read(&clock, &partitions, bytes_of(texts[i])));
        assert_int_equal(clock.watermark_ns, 1);
        assert_int_equal(clock.newest_pane, 2);
        assert_true(clock.ended);
        assert_int_equal(partitions, 9);
    }
    char long_text[METADATA_BYTES_MAX + 20];
    memset(long_text, '1', sizeof(long_text));
    struct source_clock clock;
    uint32_t partitions;
    assert_false(source_clock_read(
        &clock, &partitions, (struct bytes){(uint8_t *)long_text, sizeof(long_text)}));
}

static void division_rounds_down_on_both_sides_of_zero(void **unused)
{
    (void)unused;
    assert_int_equal(floor_div(7, 3), 2);
    assert_int_equal(floor_div(6, 3), 2);
    assert_int_equal(floor_div(-1, 3), -1);
    assert_int_equal(floor_div(-3, 3), -1);
    assert_int_equal(floor_div(-4, 3), -2);
    assert_int_equal(floor_div(0, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_record_of_a_partition_is_on_time),
        cmocka_unit_test(a_span_is_judged_by_where_its_pane_stands),
        cmocka_unit_test(the_clock_that_judges_is_the_one_before_the_record),
        cmocka_unit_test(a_clock_never_goes_back_and_span_times_never_move_it),
        cmocka_unit_test(a_span_that_ends_after_its_record_and_skew_is_moved_to_the_record),
        cmocka_unit_test(a_skewed_span_of_an_old_record_is_late),
        cmocka_unit_test(a_record_without_a_timestamp_was_sent_when_its_newest_span_ended),
        cmocka_unit_test(an_unreadable_record_without_a_timestamp_does_not_start_the_clock),
        cmocka_unit_test(a_record_ahead_of_the_wall_clock_is_counted_and_moves_nothing),
        cmocka_unit_test(a_record_that_is_set_aside_still_moves_the_clock),
        cmocka_unit_test(hostile_times_are_counted_somewhere),
        cmocka_unit_test(a_full_table_asks_for_another_epoch_and_nothing_has_happened),
        cmocka_unit_test(every_destination_gets_a_batch_with_the_clocks),
        cmocka_unit_test(large_epochs_are_cut_into_fragments_and_the_last_has_the_clocks),
        cmocka_unit_test(totals_are_told_where_the_record_arrived),
        cmocka_unit_test(records_of_too_many_panes_ask_for_another_epoch),
        cmocka_unit_test(dropped_spans_are_counted_by_reason_and_known_to_aggregate),
        cmocka_unit_test(how_far_spans_lag_is_known_in_seconds),
        cmocka_unit_test(a_clock_is_what_its_metadata_says),
        cmocka_unit_test(metadata_of_something_else_changes_nothing),
        cmocka_unit_test(division_rounds_down_on_both_sides_of_zero),
    };
    return cmocka_run_group_tests_name("combine", tests, NULL, NULL);
}
