/*
 * Aggregate, fed by combine: what it says is a function of the records alone, however their partials
 * come together, and its state can be saved and taken up again anywhere.
 */
#include "engine/aggregate.h"
#include "engine/base/memory.h"
#include "engine/fleet.h"
#include "tests/support/pipeline_bench.h"
#include "tests/support/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define T0       BENCH_EPOCH_NS
#define AT(s)    (T0 + (s)*BENCH_S)
#define SENT_MS  (T0 / 1000000) /* when partials are sent, where that matters */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { SOURCES = 4, PARTITIONS = 2, RECORDS = 150, SPANS_MOST = 6 };

/* Everything there is, small: levels of 1 s, 2 s, 6 s and 12 s, scores, rules over panes and windows. */
static const char busy[] =
    "time: records\npane: 1s\nwindows: [4s, 12s, 1m]\nlateness: 3s\nskew: 1s\n"
    "allowed_lateness: 10s\npartitions: 2\nprovisional: 0s\n"
    "views: [[service], [service, operation, kind]]\napdex: 50ms\n"
    "history: [{resolution: 1s, retain: 1h, sketches: true},\n"
    "          {resolution: 6s, retain: 1h, sketches: true}]\n"
    "zscore: [{column: error_ratio, history: 8, warmup: 3}]\n"
    "slos: [{name: good, match: {service: 'c*'}, objective: 99%, columns: all},\n"
    "       {name: fast, match: {}, objective: 99%, latency: 100ms, window: month}]\n"
    "rules: [{name: slow, when: p95 > 60ms, keep_firing_for: 2s},\n"
    "        {name: failing, when: 'error_ratio[4s] > 20% and spans[6s] > 0', for: 3s},\n"
    "        {name: gone, when: 'absent[5s]', annotations: {summary: '{{ series }}'}}]\n";

/* The records of one source partition, made from a seed, cut into epochs anywhere. */
struct source_record {
    int64_t timestamp_ns;
    struct bench_span span[SPANS_MOST];
    size_t spans;
};

static const char *const services[] = {"cart", "shop", "pay"};
static const char *const operations[] = {"GET", "POST", "poll"};

/* Usually a moment ago; sometimes late, too late, or at odds with the clock. */
static int64_t span_end(struct random *random, int64_t record_ns)
{
    switch (random_below(random, 12)) {
    case 0:
        return record_ns - (int64_t)random_below(random, 30) * BENCH_S;
    case 1:
        return record_ns + (int64_t)random_below(random, 5) * BENCH_S / 2;
    default:
        return record_ns - (int64_t)random_below(random, 4 * (uint64_t)BENCH_S);
    }
}

static void records_make(struct source_record *record, uint64_t seed)
{
    struct random random = random_from(seed);
    int64_t now_ns = AT(0);
    for (size_t r = 0; r < RECORDS; r++) {
        now_ns += (int64_t)random_below(&random, (uint64_t)BENCH_S);
        if (random_once_in(&random, 60)) now_ns += 25 * BENCH_S;
        record[r].timestamp_ns = now_ns - (int64_t)random_below(&random, 5) * BENCH_S / 5;
        record[r].spans = random_below(&random, SPANS_MOST + 1);
        for (size_t i = 0; i < record[r].spans; i++) {
            record[r].span[i] =
                (struct bench_span){.service = services[random_below(&random, COUNT(services))],
                    .operation = operations[random_below(&random, COUNT(operations))],
                    .kind = (uint8_t)random_below(&random, KIND_COUNT),
                    .end_ns = span_end(&random, record[r].timestamp_ns),
                    .duration_ns = (int64_t)random_lognormal_ns(&random, 30e6, 0.9),
                    .failed = random_once_in(&random, 8)};
        }
    }
}

/* One worker a source: the partials of all its epochs. `often`: how many records an epoch has, about. */
static void source_run(const struct bench_plan *bench, uint32_t source, uint64_t seed,
    uint64_t often, struct bench_log *log)
{
    struct source_record *record = test_malloc(RECORDS * sizeof(*record));
    struct random cut = random_from(seed * 1000 + often);
    struct bench_worker worker;
    bench_worker_init(&worker, bench, source, 1, SOURCES, 0);
    records_make(record, seed);
    for (size_t r = 0; r < RECORDS; r++) {
        bench_record(&worker, 0, record[r].timestamp_ns, record[r].span, record[r].spans);
        if (random_once_in(&cut, often)) bench_flush(&worker, 1000 + (int64_t)r, log);
    }
    worker.clock[0].ended = true;
    bench_flush(&worker, 5000, log);
    bench_worker_release(&worker);
    test_free(record);
}

/* The partials of all sources as one log: each source's stay in order, how they meet is drawn. */
static void interleave(const struct bench_log *source, uint64_t seed, struct bench_log *out)
{
    struct random random = random_from(seed);
    size_t at[SOURCES] = {0}, left = 0;
    for (size_t s = 0; s < SOURCES; s++)
        left += source[s].count;
    for (; left > 0; left--) {
        size_t s = random_below(&random, SOURCES);
        while (at[s] == source[s].count)
            s = (s + 1) % SOURCES;
        bench_log_add(out, source[s].entry[at[s]].partition, bench_log_get(&source[s], at[s]));
        at[s]++;
    }
}

static void log_make(
    const struct bench_plan *bench, uint64_t streams, uint64_t meeting, struct bench_log *out)
{
    struct bench_log source[SOURCES] = {{0}};
    for (uint32_t s = 0; s < SOURCES; s++)
        source_run(bench, s, streams * 10 + s, 1 + meeting % 7, &source[s]);
    interleave(source, meeting, out);
    for (uint32_t s = 0; s < SOURCES; s++)
        bench_log_release(&source[s]);
}

static void said_of(const struct bench_plan *bench, const struct bench_log *log,
    struct bench_lines *lines, struct aggregate_counts *counts)
{
    struct bench_log told = {0};
    *counts = (struct aggregate_counts){0};
    for (uint32_t p = PARTITIONS; p-- > 0;) {
        struct aggregate_counts some;
        struct records records = {0};
        struct aggregate *a = aggregate_new(&bench->plan, p);
        bench_apply(a, log, p, 0, &records);
        assert_int_equal(aggregate_ended(a), p != FLEET_PARTITION);
        bench_tell(bench, a, &records, &told);
        if (p == FLEET_PARTITION) bench_apply(a, &told, p, 0, &records);
        assert_true(aggregate_ended(a));
        aggregate_counts(a, &some);
        counts->rows_final += some.rows_final;
        counts->rows_revised += some.rows_revised;
        counts->repeated += some.repeated;
        counts->gap_offsets += some.gap_offsets;
        counts->overlap_offsets += some.overlap_offsets;
        bench_lines_add(lines, &records);
        records_release(&records);
        aggregate_free(a);
    }
    bench_log_release(&told);
    bench_lines_sort(lines);
}

static void the_rows_do_not_depend_on_how_partials_meet(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    bench_plan_init(&bench, busy);
    for (uint64_t streams = 1; streams <= 3; streams++) {
        struct bench_lines first = {0};
        for (uint64_t meeting = 0; meeting < 15; meeting++) {
            struct bench_log log = {0};
            struct bench_lines lines = {0};
            struct aggregate_counts counts;
            log_make(&bench, streams, meeting, &log);
            said_of(&bench, &log, &lines, &counts);
            assert_true(counts.rows_final > 500 && counts.rows_revised > 50);
            assert_int_equal(counts.repeated + counts.gap_offsets + counts.overlap_offsets, 0);
            bench_log_release(&log);
            if (meeting == 0) {
                first = lines;
                continue;
            }
            bench_lines_equal(&first, &lines);
            bench_lines_release(&lines);
        }
        bench_lines_release(&first);
    }
    bench_plan_release(&bench);
}

/* What a span is by the rules alone: in which pane it counts, and when that is known. */
struct judged {
    char series[64]; /* of the view of operations */
    int64_t pane, arrival;
    bool too_late;
    double duration_ms;
};

struct judgement {
    struct judged *span;
    size_t count, late, too_late;
};

static void judge(
    struct judgement *j, int64_t clock_ns, int64_t at_ns, const struct bench_span *span)
{
    int64_t end_ns = span->end_ns > at_ns + BENCH_S ? at_ns : span->end_ns;
    struct judged *judged = &j->span[j->count++];
    *judged = (struct judged){.pane = end_ns / BENCH_S,
        .arrival = end_ns / BENCH_S,
        .duration_ms = (double)span->duration_ns / 1e6};
    snprintf(judged->series, sizeof(judged->series), "service=%s;operation=%s;kind=%s",
        span->service, span->operation, span_kind_name[span->kind]);
    int64_t closes_ns = (judged->pane + 1) * BENCH_S;
    if (clock_ns < closes_ns) return;
    judged->arrival = clock_ns / BENCH_S;
    judged->too_late = clock_ns >= closes_ns + 10 * BENCH_S;
    *(judged->too_late ? &j->too_late : &j->late) += 1;
}

static void judge_source(struct judgement *j, uint64_t seed)
{
    struct source_record *record = test_malloc(RECORDS * sizeof(*record));
    int64_t clock_ns = INT64_MIN;
    records_make(record, seed);
    for (size_t r = 0; r < RECORDS; r++) {
        int64_t at_ns = record[r].timestamp_ns / 1000000 * 1000000;
        for (size_t i = 0; i < record[r].spans; i++)
            judge(j, clock_ns, at_ns, &record[r].span[i]);
        if (at_ns - 3 * BENCH_S > clock_ns) clock_ns = at_ns - 3 * BENCH_S;
    }
    test_free(record);
}

static void judge_all(struct judgement *j, uint64_t streams)
{
    *j = (struct judgement){
        .span = test_malloc(SOURCES * RECORDS * SPANS_MOST * sizeof(struct judged))};
    for (uint32_t s = 0; s < SOURCES; s++)
        judge_source(j, streams * 10 + s);
}

/* One decoded row of the view of operations. */
struct seen {
    char series[64];
    int64_t start, end; /* panes, half open */
    bool rolling, stale;
    double spans, too_late, late, min, max;
};

static void seen_fill(struct seen *seen, const struct output *out)
{
    const struct row *row = &out->row;
    *seen = (struct seen){
        .start = row->start_ns / BENCH_S, .end = row->end_ns / BENCH_S, .rolling = row->rolling};
    snprintf(seen->series, sizeof(seen->series), "%.*s", (int)row->series.size,
        (const char *)row->series.data);
    const struct {
        const char *name;
        double *to;
    } columns[] = {{"spans", &seen->spans}, {"too_late", &seen->too_late}, {"late", &seen->late},
        {"latency_min_ms", &seen->min}, {"latency_max_ms", &seen->max}};
    for (uint32_t c = 0; c < out->columns; c++) {
        for (size_t i = 0; i < COUNT(columns); i++) {
            const struct column_value *value = &out->column[c];
            if (!bytes_are(value->name, columns[i].name)) continue;
            *columns[i].to = value->is_integer ? (double)value->value.integer : value->value.number;
        }
    }
}

/* The rows of a log; of those for the same slice all but the newest are stale. */
static size_t see(const struct bench_plan *bench, const struct bench_log *log, struct seen **seen)
{
    size_t count = 0;
    *seen = NULL;
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        struct records records = {0};
        struct aggregate *a = aggregate_new(&bench->plan, p);
        bench_apply(a, log, p, 0, &records);
        *seen = memory_resize(*seen, count + records.count + 1, sizeof(**seen));
        for (size_t i = 0; i < records.count; i++) {
            struct bytes key, value;
            struct output out;
            struct error err;
            records_get(&records, i, &key, &value);
            assert_int_equal(output_decode(value, &out, &err), ST_OK);
            bool wanted = memmem(key.data, key.size, "operation", 9) != NULL;
            if (!out.is_alert && wanted) seen_fill(&(*seen)[count++], &out);
        }
        records_release(&records);
        aggregate_free(a);
    }
    for (size_t i = 0; i < count; i++) {
        struct seen *a = &(*seen)[i];
        for (size_t j = i + 1; j < count && !a->rolling && !a->stale; j++) {
            const struct seen *b = &(*seen)[j];
            a->stale = !b->rolling && a->end == b->end && a->start == b->start &&
                       strcmp(a->series, b->series) == 0;
        }
    }
    return count;
}

/* Nothing is lost and nothing counted twice: the newest row of each pane. */
static void every_span_is_in_one_row_of_its_pane(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct bench_log log = {0};
    struct judgement j;
    struct seen *seen, sum = {.spans = 0};
    bench_plan_init(&bench, busy);
    log_make(&bench, 7, 3, &log);
    judge_all(&j, 7);
    size_t count = see(&bench, &log, &seen);
    for (size_t i = 0; i < count; i++) {
        if (seen[i].rolling || seen[i].stale || seen[i].end - seen[i].start != 1) continue;
        sum.spans += seen[i].spans;
        sum.late += seen[i].late;
        sum.too_late += seen[i].too_late;
    }
    assert_true(j.late > 50 && j.too_late > 20);
    assert_true(sum.late == (double)j.late);
    assert_true(sum.too_late == (double)j.too_late);
    assert_true(sum.spans + sum.too_late == (double)j.count);
    free(seen);
    test_free(j.span);
    bench_log_release(&log);
    bench_plan_release(&bench);
}

/* What a row must hold: its panes' spans that had arrived by `known`. */
static void reckon(
    const struct judgement *j, const struct seen *row, int64_t known, struct seen *want)
{
    *want = (struct seen){.spans = 0};
    for (size_t i = 0; i < j->count; i++) {
        const struct judged *s = &j->span[i];
        if (s->too_late || s->pane < row->start || s->pane >= row->end || s->arrival >= known)
            continue;
        if (strcmp(s->series, row->series) != 0) continue;
        if (want->spans == 0 || s->duration_ms < want->min) want->min = s->duration_ms;
        if (want->spans == 0 || s->duration_ms > want->max) want->max = s->duration_ms;
        want->spans++;
        want->late += s->arrival != s->pane;
    }
}

/* A rolling row at T holds every span that had arrived by T; the newest row of a slice, all of them. */
static void a_row_holds_what_had_arrived_by_then(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    bench_plan_init(&bench, busy);
    for (uint64_t streams = 11; streams <= 13; streams++) {
        struct bench_log log = {0};
        struct judgement j;
        struct seen *seen;
        log_make(&bench, streams, streams, &log);
        judge_all(&j, streams);
        size_t count = see(&bench, &log, &seen), rolling = 0;
        for (size_t i = 0; i < count; i++) {
            struct seen want;
            if (seen[i].stale) continue;
            reckon(&j, &seen[i], seen[i].rolling ? seen[i].end : INT64_MAX, &want);
            if (seen[i].spans != want.spans || seen[i].late != want.late ||
                seen[i].min != want.min || seen[i].max != want.max)
                fail_msg("%s %lld..%lld rolling %d: %g spans, want %g; max %g, want %g",
                    seen[i].series, (long long)seen[i].start, (long long)seen[i].end,
                    seen[i].rolling, seen[i].spans, want.spans, seen[i].max, want.max);
            rolling += seen[i].rolling;
        }
        assert_true(rolling > 500);
        free(seen);
        test_free(j.span);
        bench_log_release(&log);
    }
    bench_plan_release(&bench);
}

static const char lively[] =
    "pane: 1s\nwindows: [4s, 12s]\nlateness: 3s\nskew: 1s\nallowed_lateness: 10s\npartitions: 2\n"
    "provisional: 100ms\nlimits: {provisional_rows: 100, series_idle: 1m, series: 12}\n"
    "history: [{resolution: 1s, retain: 1h, sketches: true}]\n"
    "rules: [{name: failing, when: 'error_ratio[4s] > 20%'}]\n";

static void the_same_log_says_the_same_bytes(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct bench_log log = {0};
    bench_plan_init(&bench, lively);
    log_make(&bench, 5, 4, &log);
    struct records records[2] = {{0}};
    struct buffer state[2] = {{0}};
    for (int run = 0; run < 2; run++) {
        struct aggregate *a = aggregate_new(&bench.plan, 1);
        struct aggregate_counts counts;
        bench_apply(a, &log, 1, 0, &records[run]);
        aggregate_save(a, &state[run]);
        aggregate_counts(a, &counts);
        assert_true(counts.rows_provisional > 10 && counts.overflowed > 0);
        assert_int_equal(bench_rows(&records[run], ROW_PROVISIONAL), counts.rows_provisional);
        assert_int_equal(bench_rows(&records[run], ROW_FINAL), counts.rows_final);
        assert_int_equal(bench_rows(&records[run], ROW_REVISED), counts.rows_revised);
        aggregate_free(a);
    }
    assert_int_equal(records[0].bytes.size, records[1].bytes.size);
    assert_memory_equal(records[0].bytes.data, records[1].bytes.data, records[0].bytes.size);
    assert_int_equal(state[0].size, state[1].size);
    assert_memory_equal(state[0].data, state[1].data, state[0].size);
    for (int run = 0; run < 2; run++) {
        records_release(&records[run]);
        buffer_release(&state[run]);
    }
    bench_log_release(&log);
    bench_plan_release(&bench);
}

/* Save after every single partial, load into a new one, go on from there: as if nothing had been. */
static void taken_up_anywhere(const char *yaml)
{
    struct bench_plan bench;
    struct bench_log log = {0};
    struct buffer final = {0}, state = {0};
    struct records all = {0};
    struct error err;
    bench_plan_init(&bench, yaml);
    log_make(&bench, 9, 6, &log);
    struct aggregate *whole = aggregate_new(&bench.plan, 0);
    bench_apply(whole, &log, 0, 0, &all);
    aggregate_save(whole, &final);
    aggregate_free(whole);

    struct aggregate *before = aggregate_new(&bench.plan, 0);
    struct records so_far = {0};
    for (size_t i = 0; i < log.count; i++) {
        if (log.entry[i].partition != 0) continue;
        if (aggregate_apply(before, bench_log_get(&log, i), &so_far, &err) != ST_OK)
            fail_msg("%s", err.text);
        buffer_reset(&state);
        aggregate_save(before, &state);
        struct aggregate *after = aggregate_new(&bench.plan, 0);
        struct buffer again = {0};
        struct records rest = {0};
        if (aggregate_load(after, buffer_bytes(&state), &err) != ST_OK) fail_msg("%s", err.text);
        aggregate_save(after, &again);
        assert_int_equal(again.size, state.size);
        assert_memory_equal(again.data, state.data, state.size);
        assert_int_equal(aggregate_watermark(after), aggregate_watermark(before));

        bench_apply(after, &log, 0, i + 1, &rest);
        assert_int_equal(so_far.bytes.size + rest.bytes.size, all.bytes.size);
        if (rest.bytes.size != 0)
            assert_memory_equal(
                rest.bytes.data, all.bytes.data + so_far.bytes.size, rest.bytes.size);
        buffer_reset(&again);
        aggregate_save(after, &again);
        assert_int_equal(again.size, final.size);
        assert_memory_equal(again.data, final.data, final.size);
        records_release(&rest);
        buffer_release(&again);
        aggregate_free(after);
    }
    aggregate_free(before);
    records_release(&so_far);
    records_release(&all);
    buffer_release(&final);
    buffer_release(&state);
    bench_log_release(&log);
    bench_plan_release(&bench);
}

static void a_saved_state_goes_on_as_if_never_saved(void **unused)
{
    (void)unused;
    taken_up_anywhere(busy);
}

static void a_saved_state_keeps_budgets_and_limits(void **unused)
{
    (void)unused;
    taken_up_anywhere(lively);
}

static void a_silent_re_run_ends_in_the_same_state(void **unused)
{
    (void)unused;
    struct bench_plan bench;
    struct bench_log log = {0};
    struct buffer state[2] = {{0}};
    bench_plan_init(&bench, lively);
    log_make(&bench, 2, 2, &log);
    for (int run = 0; run < 2; run++) {
        struct records records = {.silent = run == 1};
        struct aggregate *a = aggregate_new(&bench.plan, 0);
        bench_apply(a, &log, 0, 0, &records);
        assert_int_equal(records.count == 0, run == 1);
        aggregate_save(a, &state[run]);
        records_release(&records);
        aggregate_free(a);
    }
    assert_int_equal(state[0].size, state[1].size);
    assert_memory_equal(state[0].data, state[1].data, state[0].size);
    buffer_release(&state[0]);
    buffer_release(&state[1]);
    bench_log_release(&log);
    bench_plan_release(&bench);
}

/* One source, one destination, one view, panes of 10 s: where single rules are looked at. */
static const char plain[] =
    "pane: 10s\nwindows: [30s]\nlateness: 10s\nskew: 5s\nallowed_lateness: 1m\npartitions: 1\n"
    "provisional: 0s\nviews: [[operation]]\nzscore: []\nthresholds: [100ms]\n"
    "history: [{resolution: 10s, retain: 1h, sketches: false},\n"
    "          {resolution: 1m, retain: 1h, sketches: true}]\n";

struct fixture {
    struct bench_plan bench;
    struct bench_worker worker;
    struct aggregate *aggregate;
    struct bench_log log;
    struct records records;
    size_t applied;
};

static void fixture_init(struct fixture *f, const char *yaml, uint32_t sources)
{
    *f = (struct fixture){0};
    bench_plan_init(&f->bench, yaml);
    bench_worker_init(&f->worker, &f->bench, 0, sources, sources, 0);
    f->aggregate = aggregate_new(&f->bench.plan, 0);
}

static void fixture_release(struct fixture *f)
{
    bench_worker_release(&f->worker);
    bench_log_release(&f->log);
    records_release(&f->records);
    aggregate_free(f->aggregate);
    bench_plan_release(&f->bench);
}

/* A record with one span that took `ms`. */
static void give(struct fixture *f, size_t source, int64_t timestamp_ns, int64_t end_ns, int ms)
{
    struct bench_span span = {"s", "op", KIND_SERVER, end_ns, ms * 1000000, false};
    bench_record(&f->worker, source, timestamp_ns, &span, 1);
}

/* A record without spans: only the clock goes on. */
static void tick(struct fixture *f, size_t source, int64_t timestamp_ns)
{
    bench_record(&f->worker, source, timestamp_ns, NULL, 0);
}

static void epoch(struct fixture *f)
{
    bench_flush(&f->worker, 7, &f->log);
    bench_apply(f->aggregate, &f->log, 0, f->applied, &f->records);
    f->applied = f->log.count;
}

/* Its partition, which is the only one, tells itself what fires. */
static void hear(struct fixture *f)
{
    bench_tell(&f->bench, f->aggregate, &f->records, &f->log);
    bench_apply(f->aggregate, &f->log, 0, f->applied, &f->records);
    f->applied = f->log.count;
}

static double pane_value(
    const struct fixture *f, int64_t end_ns, enum row_status status, const char *column)
{
    return bench_value(&f->records, "operation=op", end_ns, 10 * BENCH_S, false, status, column);
}

static double rolling_value(const struct fixture *f, int64_t end_ns, const char *column)
{
    return bench_value(&f->records, "operation=op", end_ns, 30 * BENCH_S, true, ROW_FINAL, column);
}

static struct aggregate_counts counts_of(const struct fixture *f)
{
    struct aggregate_counts counts;
    aggregate_counts(f->aggregate, &counts);
    return counts;
}

static void a_pane_closes_when_the_slowest_partition_has_passed_it(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 2);
    give(&f, 0, AT(1), AT(1), 10);
    tick(&f, 0, AT(100));
    epoch(&f);
    assert_true(aggregate_watermark(f.aggregate) == WATERMARK_NONE); /* one clock is missing */
    tick(&f, 1, AT(19));
    epoch(&f);
    assert_int_equal(aggregate_watermark(f.aggregate), AT(9));
    assert_int_equal(f.records.count, 0);
    tick(&f, 1, AT(20));
    epoch(&f);
    assert_int_equal(aggregate_watermark(f.aggregate), AT(10));
    assert_true(pane_value(&f, AT(10), ROW_FINAL, "spans") == 1);
    assert_true(pane_value(&f, AT(10), ROW_FINAL, "latency_max_ms") == 10);
    assert_true(rolling_value(&f, AT(10), "spans") == 1);
    fixture_release(&f);
}

static void partitions_that_are_not_known_yet_hold_the_watermark(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    f.worker.partitions = 3;
    give(&f, 0, AT(0), AT(0), 1);
    tick(&f, 0, AT(1000));
    epoch(&f);
    assert_true(aggregate_watermark(f.aggregate) == WATERMARK_NONE);
    assert_int_equal(f.records.count, 0);
    fixture_release(&f);
}

static void a_late_span_revises_its_pane_and_joins_the_windows_that_still_cover_it(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    give(&f, 0, AT(1), AT(1), 10);
    tick(&f, 0, AT(35)); /* W = 25: pane 0 is closed, 20..30 is the arrival pane */
    give(&f, 0, AT(35), AT(2), 30);
    epoch(&f);
    assert_true(pane_value(&f, AT(10), ROW_FINAL, "spans") == 1);
    assert_true(isnan(pane_value(&f, AT(10), ROW_REVISED, "spans"))); /* not yet */
    assert_true(rolling_value(&f, AT(10), "spans") == 1);
    tick(&f, 0, AT(60));
    epoch(&f);
    assert_true(pane_value(&f, AT(10), ROW_REVISED, "spans") == 2);
    assert_true(pane_value(&f, AT(10), ROW_REVISED, "late") == 1);
    assert_true(pane_value(&f, AT(10), ROW_REVISED, "latency_max_ms") == 30);
    assert_true(rolling_value(&f, AT(20), "spans") == 1);
    assert_true(rolling_value(&f, AT(30), "spans") == 2);
    assert_true(rolling_value(&f, AT(30), "latency_max_ms") == 30);
    fixture_release(&f);
}

/* The first pane that is closed is the arrival pane of a late span, whether or not others are older. */
static void a_late_span_does_not_wait_for_a_second_epoch(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    tick(&f, 0, AT(35));
    give(&f, 0, AT(35), AT(2), 30);
    tick(&f, 0, AT(60));
    epoch(&f);
    assert_true(pane_value(&f, AT(10), ROW_REVISED, "spans") == 1);
    assert_true(rolling_value(&f, AT(30), "spans") == 1);
    fixture_release(&f);
}

/* A minute's slice that is still open takes the late span with its panes; a closed one is revised. */
static void coarse_slices_hold_late_spans_once(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    give(&f, 0, AT(1), AT(1), 10);
    tick(&f, 0, AT(35));
    give(&f, 0, AT(35), AT(2), 30); /* arrives while the minute is open */
    tick(&f, 0, AT(75));            /* W = 65 */
    give(&f, 0, AT(75), AT(3), 50); /* and after it has closed */
    tick(&f, 0, AT(150));
    epoch(&f);
    const struct records *r = &f.records;
    const int64_t minute = 60 * BENCH_S;
    assert_true(bench_value(r, "operation=op", AT(60), minute, false, ROW_FINAL, "spans") == 2);
    assert_true(bench_value(r, "operation=op", AT(60), minute, false, ROW_REVISED, "spans") == 3);
    assert_true(
        bench_value(r, "operation=op", AT(60), minute, false, ROW_REVISED, "latency_max_ms") == 50);
    fixture_release(&f);
}

static void what_is_too_late_lowers_the_capture_ratio_of_where_it_arrived(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    tick(&f, 0, AT(200)); /* W = 190 */
    give(&f, 0, AT(201), AT(1), 10);
    give(&f, 0, AT(201), AT(195), 10);
    tick(&f, 0, AT(300));
    epoch(&f);
    assert_true(pane_value(&f, AT(200), ROW_FINAL, "spans") == 1);
    assert_true(pane_value(&f, AT(200), ROW_FINAL, "too_late") == 1);
    assert_true(pane_value(&f, AT(200), ROW_FINAL, "capture_ratio") == 0.5);
    assert_int_equal(bench_rows(&f.records, ROW_REVISED), 0);
    fixture_release(&f);
}

/* Half of the messages of the first pane were unreadable; that is known for every slice over it. */
static void what_was_not_understood_lowers_the_capture_ratio(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    fixture_init(&f,
        "pane: 10s\nwindows: [30s]\nlateness: 10s\nallowed_lateness: 10s\n"
        "partitions: 1\nprovisional: 0s\nviews: [[operation]]\nzscore: []\n"
        "history: [{resolution: 10s, retain: 1h, sketches: false},\n"
        "          {resolution: 5m, retain: 1h, sketches: false}]\n",
        1);
    struct combine_record bad = {.value = bytes_of("\xff"), .timestamp_ms = AT(1) / 1000000};
    give(&f, 0, AT(1), AT(1), 10);
    assert_int_equal(combine_record(f.worker.combine, &f.worker.clock[0], &bad, &err), ST_SKIP);
    for (int64_t s = 10; s < 400; s += 10) {
        tick(&f, 0, AT(s));
        epoch(&f);
    }
    assert_true(pane_value(&f, AT(10), ROW_FINAL, "capture_ratio") == 0.5);
    assert_true(rolling_value(&f, AT(10), "capture_ratio") == 0.5);
    double whole = bench_value(
        &f.records, "operation=op", AT(300), 300 * BENCH_S, false, ROW_FINAL, "capture_ratio");
    assert_true(whole == 30.0 / 31.0); /* a message each 10 s, and the bad one */
    fixture_release(&f);
}

static void a_rolling_row_that_has_become_empty_is_said_once(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    give(&f, 0, AT(1), AT(1), 10);
    tick(&f, 0, AT(200));
    epoch(&f);
    assert_true(rolling_value(&f, AT(30), "spans") == 1);
    assert_true(rolling_value(&f, AT(40), "spans") == 0);
    assert_true(isnan(rolling_value(&f, AT(50), "spans")));
    assert_true(isnan(rolling_value(&f, AT(0), "spans")));
    assert_true(isnan(pane_value(&f, AT(20), ROW_FINAL, "spans")));
    fixture_release(&f);
}

/* Neither has an inverse, so both are taken again from the slices that are left. */
static void minimum_and_maximum_leave_the_window_with_their_slice(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    give(&f, 0, AT(1), AT(1), 900);
    give(&f, 0, AT(11), AT(11), 5);
    give(&f, 0, AT(21), AT(21), 50);
    give(&f, 0, AT(31), AT(31), 70);
    give(&f, 0, AT(41), AT(41), 60);
    tick(&f, 0, AT(200));
    epoch(&f);
    static const struct {
        int64_t end;
        double min, max, sum;
    } want[] = {{10, 900, 900, 900}, {20, 5, 900, 905}, {30, 5, 900, 955}, {40, 5, 70, 125},
        {50, 50, 70, 180}, {60, 60, 70, 130}, {70, 60, 60, 60}};
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_true(rolling_value(&f, AT(want[i].end), "latency_min_ms") == want[i].min);
        assert_true(rolling_value(&f, AT(want[i].end), "latency_max_ms") == want[i].max);
        assert_true(rolling_value(&f, AT(want[i].end), "latency_sum_ns") == want[i].sum * 1000000);
    }
    fixture_release(&f);
}

/* The rolling row that ends then; `out` borrows from the records. */
static void rolling_row(const struct fixture *f, int64_t end_ns, struct output *out)
{
    for (size_t i = 0; i < f->records.count; i++) {
        struct bytes key, value;
        struct error err;
        records_get(&f->records, i, &key, &value);
        assert_int_equal(output_decode(value, out, &err), ST_OK);
        if (!out->is_alert && out->row.rolling && out->row.end_ns == end_ns) return;
    }
    fail_msg("no rolling row ends at %lld", (long long)end_ns);
}

static void give_failed(struct fixture *f, int64_t at_ns, int ms)
{
    struct bench_span span = {"s", "op", KIND_SERVER, at_ns, ms * 1000000, true};
    bench_record(&f->worker, 0, at_ns, &span, 1);
}

/* Slices of 10 s in a window of 30 s: each row tells of three slices, also once the slowest has left. */
static void traces_and_error_kinds_leave_the_window_with_their_slice(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    give(&f, 0, AT(1), AT(1), 900);
    give_failed(&f, AT(2), 10);
    give(&f, 0, AT(11), AT(11), 5);
    give_failed(&f, AT(21), 20);
    give(&f, 0, AT(31), AT(31), 70);
    tick(&f, 0, AT(200));
    epoch(&f);
    static const struct {
        int64_t end;
        int slow_ms[3]; /* 0: no more */
        uint32_t failed;
    } want[] = {{10, {900, 10}, 1}, {20, {900, 10, 5}, 1}, {30, {900, 20, 10}, 2},
        {40, {70, 20, 5}, 1}, {50, {70, 20}, 1}, {60, {70}, 0}};
    for (size_t i = 0; i < COUNT(want); i++) {
        struct output out;
        uint32_t told = 0;
        rolling_row(&f, AT(want[i].end), &out);
        for (; told < 3 && want[i].slow_ms[told] != 0; told++) {
            assert_int_equal(out.row.exemplar[told].kind, EXEMPLAR_SLOW);
            assert_int_equal(out.row.exemplar[told].duration_ns, want[i].slow_ms[told] * 1000000);
        }
        for (uint32_t e = 0; e < want[i].failed; e++, told++)
            assert_int_equal(out.row.exemplar[told].kind, EXEMPLAR_ERROR);
        assert_int_equal(out.row.exemplar[told++].kind, EXEMPLAR_TYPICAL);
        assert_int_equal(out.row.exemplars, told);
        assert_int_equal(out.row.errors_else, 0);
        uint64_t errors = 0;
        for (uint32_t k = 0; k < out.row.error_kinds; k++) {
            assert_true(bytes_are(out.row.error_kind[k].message, "failed after <num> ns"));
            errors += out.row.error_kind[k].count;
        }
        assert_int_equal(errors, want[i].failed);
    }
    fixture_release(&f);
}

static void a_gap_of_years_costs_nothing(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    const int64_t years = INT64_C(200) * 365 * 24 * 3600;
    give(&f, 0, AT(1), AT(1), 10);
    give(&f, 0, AT(years), AT(years), 20);
    tick(&f, 0, AT(years + 100));
    epoch(&f);
    int64_t end_ns = (AT(years) / (10 * BENCH_S) + 1) * 10 * BENCH_S;
    assert_true(pane_value(&f, AT(10), ROW_FINAL, "spans") == 1);
    assert_true(pane_value(&f, end_ns, ROW_FINAL, "spans") == 1);
    assert_true(f.records.count < 20);
    fixture_release(&f);
}

/* Clocks go on for a day and a half, nothing but unreadable messages comes: nothing piles up. */
static void time_without_series_piles_nothing_up(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct buffer state[2] = {{0}};
    fixture_init(&f, plain, 1);
    for (int64_t pane = 0; pane < 12000; pane++) {
        struct combine_record bad = {
            .value = bytes_of("\xff"), .timestamp_ms = AT(pane * 10) / 1000000};
        assert_int_equal(combine_record(f.worker.combine, &f.worker.clock[0], &bad, &err), ST_SKIP);
        if (pane % 10 == 9) epoch(&f);
        if (pane == 1999) aggregate_save(f.aggregate, &state[0]);
    }
    aggregate_save(f.aggregate, &state[1]);
    assert_true(state[1].size < state[0].size + 100);
    buffer_release(&state[0]);
    buffer_release(&state[1]);
    fixture_release(&f);
}

static void at_the_end_every_pane_closes(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 2);
    give(&f, 0, AT(55), AT(55), 10);
    tick(&f, 1, AT(20));
    f.worker.clock[0].ended = true;
    epoch(&f);
    assert_false(aggregate_ended(f.aggregate));
    assert_int_equal(aggregate_watermark(f.aggregate), AT(10)); /* the open one's alone */
    f.worker.clock[1].ended = true;
    epoch(&f);
    assert_false(aggregate_ended(f.aggregate));
    hear(&f);
    assert_true(aggregate_ended(f.aggregate));
    assert_int_equal(aggregate_watermark(f.aggregate), AT(60));
    assert_true(pane_value(&f, AT(60), ROW_FINAL, "spans") == 1);
    size_t said = f.records.count;
    epoch(&f);
    assert_int_equal(f.records.count, said);
    fixture_release(&f);
}

/* Also spans that arrived late in the last pane that any clock is in. */
static void at_the_end_every_late_span_is_applied(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    give(&f, 0, AT(1), AT(1), 10);
    tick(&f, 0, AT(35));
    give(&f, 0, AT(35), AT(2), 30);
    give(&f, 0, AT(35), AT(-1000), 30);
    f.worker.clock[0].ended = true;
    epoch(&f);
    assert_true(pane_value(&f, AT(10), ROW_REVISED, "spans") == 2);
    assert_true(pane_value(&f, AT(30), ROW_FINAL, "too_late") == 1);
    fixture_release(&f);
}

static void an_empty_topic_ends(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 2);
    f.worker.clock[0].ended = f.worker.clock[1].ended = true;
    epoch(&f);
    hear(&f);
    assert_true(aggregate_ended(f.aggregate));
    assert_int_equal(f.records.count, 0);
    fixture_release(&f);
}

/* The first of `log` again, as a producer without transactions may send it. */
static void send_again(struct fixture *f, size_t i)
{
    struct error err;
    if (aggregate_apply(f->aggregate, bench_log_get(&f->log, i), &f->records, &err) != ST_OK)
        fail_msg("%s", err.text);
}

static void a_repeat_for_a_closed_pane_arrives_now_and_is_counted(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    give(&f, 0, AT(1), AT(1), 10);
    epoch(&f);
    tick(&f, 0, AT(45)); /* W = 35 */
    epoch(&f);
    assert_true(pane_value(&f, AT(10), ROW_FINAL, "spans") == 1);
    send_again(&f, 0);
    assert_int_equal(counts_of(&f).repeated, 1);
    assert_int_equal(counts_of(&f).overlap_offsets, 1);
    assert_int_equal(aggregate_watermark(f.aggregate), AT(35)); /* a clock never goes back */
    tick(&f, 0, AT(60));
    epoch(&f);
    assert_true(pane_value(&f, AT(10), ROW_REVISED, "spans") == 2);
    fixture_release(&f);
}

static void the_audit_counts_offsets_that_are_missing_or_counted_twice(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    f.worker.clock[0].committed = f.worker.clock[0].position = 1000; /* anywhere is a beginning */
    tick(&f, 0, AT(1));
    epoch(&f);
    tick(&f, 0, AT(2));
    tick(&f, 0, AT(3));
    epoch(&f);
    assert_int_equal(counts_of(&f).gap_offsets + counts_of(&f).overlap_offsets, 0);
    tick(&f, 0, AT(4));
    f.worker.clock[0].committed += 5; /* 5 offsets that no epoch covers */
    f.worker.clock[0].position += 5;
    epoch(&f);
    assert_int_equal(counts_of(&f).gap_offsets, 5);
    assert_int_equal(counts_of(&f).overlap_offsets, 0);
    f.worker.clock[0].committed -= 3;
    epoch(&f);
    assert_int_equal(counts_of(&f).gap_offsets, 5);
    assert_int_equal(counts_of(&f).overlap_offsets, 3);
    fixture_release(&f);
}

/* A zombie's old epoch comes after newer ones: each offset that is read again counts. */
static void the_audit_sees_every_offset_of_a_zombie(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, plain, 1);
    for (int i = 0; i < 3; i++) {
        tick(&f, 0, AT(i));
        tick(&f, 0, AT(i));
        epoch(&f);
    }
    send_again(&f, 0); /* 0..2, where 6 was next */
    assert_int_equal(counts_of(&f).overlap_offsets, 2);
    tick(&f, 0, AT(9)); /* the owner goes on at 6 */
    epoch(&f);
    assert_int_equal(counts_of(&f).overlap_offsets, 2);
    assert_int_equal(counts_of(&f).gap_offsets, 0);
    fixture_release(&f);
}

static void another_plan_is_refused(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct bench_plan other;
    struct buffer state = {0};
    fixture_init(&f, plain, 1);
    give(&f, 0, AT(1), AT(1), 10);
    epoch(&f);
    aggregate_save(f.aggregate, &state);
    bench_plan_init(&other, "pane: 20s\n");
    struct aggregate *a = aggregate_new(&other.plan, 0);
    assert_int_equal(aggregate_apply(a, bench_log_get(&f.log, 0), &f.records, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "weir plan"));
    assert_int_equal(aggregate_load(a, buffer_bytes(&state), &err), ST_FATAL);
    assert_non_null(strstr(err.text, "plan"));
    aggregate_free(a);
    bench_plan_release(&other);
    buffer_release(&state);
    fixture_release(&f);
}

static void a_series_that_comes_back_after_it_was_forgotten_is_new(void **unused)
{
    (void)unused;
    struct fixture f;
    char yaml[800];
    snprintf(yaml, sizeof(yaml), "%slimits: {series_idle: 1m}\n", plain);
    fixture_init(&f, yaml, 1);
    give(&f, 0, AT(1), AT(1), 10);
    epoch(&f);
    assert_int_equal(counts_of(&f).series, 1);
    struct bench_span other = {"s", "other", KIND_SERVER, 0, 1000, false};
    for (int64_t s = 10; s < 3000; s += 10) {
        other.end_ns = AT(s);
        bench_record(&f.worker, 0, AT(s), &other, 1);
        epoch(&f);
    }
    assert_int_equal(counts_of(&f).evicted, 1);
    assert_int_equal(counts_of(&f).series, 1);
    give(&f, 0, AT(3000), AT(3000), 30);
    tick(&f, 0, AT(3100));
    epoch(&f);
    assert_true(pane_value(&f, AT(3010), ROW_FINAL, "spans") == 1);
    fixture_release(&f);
}

/*
 * A repeat of long ago names a series that was forgotten: made anew with an old pane, its late cell
 * waits in the queue while other panes close and idle series are forgotten.
 */
static void a_series_is_not_forgotten_while_a_late_cell_waits_for_it(void **unused)
{
    (void)unused;
    struct fixture f;
    char yaml[800];
    snprintf(yaml, sizeof(yaml), "%slimits: {series_idle: 1m}\n", plain);
    fixture_init(&f, yaml, 2);
    give(&f, 0, AT(1), AT(1), 10);
    tick(&f, 1, AT(1));
    epoch(&f);
    struct bench_span other = {"s", "other", KIND_SERVER, 0, 1000, false};
    for (int64_t s = 10; s < 6000; s += 10) {
        other.end_ns = AT(s);
        bench_record(&f.worker, 0, AT(s), &other, 1);
        tick(&f, 1, AT(s));
        epoch(&f);
        if (s % 640 == 320) send_again(&f, 0);
    }
    assert_true(counts_of(&f).evicted > 2);
    assert_true(counts_of(&f).repeated > 5);
    fixture_release(&f);
}

static void provisional_rows_show_open_panes_within_the_budget(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f,
        "pane: 10s\nwindows: [30s]\nlateness: 10s\nallowed_lateness: 10s\n"
        "partitions: 1\nprovisional: 2s\nlimits: {provisional_rows: 3}\n"
        "views: [[operation]]\nzscore: []\n",
        1);
    char name[12][16];
    struct bench_span span[12];
    tick(&f, 0, AT(0));
    bench_flush(&f.worker, SENT_MS, &f.log);
    for (int i = 0; i < 12; i++) {
        snprintf(name[i], sizeof(name[i]), "o%d", i);
        span[i] = (struct bench_span){"s", name[i], KIND_SERVER, AT(5), 1000, false};
    }
    bench_record(&f.worker, 0, AT(5), span, 12);
    bench_flush(&f.worker, SENT_MS + 500, &f.log);
    bench_apply(f.aggregate, &f.log, 0, 0, &f.records);
    /* 4 a second, a partition's share rounded up, of half a second */
    assert_int_equal(bench_rows(&f.records, ROW_PROVISIONAL), 2);
    assert_int_equal(counts_of(&f).rows_provisional, 2);

    size_t from = f.log.count;
    for (int i = 0; i < 10; i++)
        bench_flush(&f.worker, SENT_MS + 1500 + i * 1000, &f.log);
    bench_apply(f.aggregate, &f.log, 0, from, &f.records);
    assert_int_equal(bench_rows(&f.records, ROW_PROVISIONAL), 12); /* changed ones, each once */
    assert_int_equal(counts_of(&f).rows_provisional, 12);
    fixture_release(&f);
}

/* A pane that has closed since has its final row: there is nothing more to say of it. */
static void a_closed_pane_uses_up_no_budget(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f,
        "pane: 10s\nwindows: [30s]\nlateness: 10s\nallowed_lateness: 10s\n"
        "partitions: 1\nprovisional: 2s\nlimits: {provisional_rows: 100}\n"
        "views: [[operation]]\nzscore: []\n",
        1);
    tick(&f, 0, AT(0));
    bench_flush(&f.worker, SENT_MS, &f.log);
    give(&f, 0, AT(5), AT(5), 10);
    tick(&f, 0, AT(60));
    bench_flush(&f.worker, SENT_MS + 1000, &f.log);
    bench_flush(&f.worker, SENT_MS + 8000, &f.log);
    bench_apply(f.aggregate, &f.log, 0, 0, &f.records);
    assert_int_equal(bench_rows(&f.records, ROW_PROVISIONAL), 0);
    assert_int_equal(counts_of(&f).rows_provisional, 0);
    assert_true(bench_value(&f.records, "operation=op", AT(10), 10 * BENCH_S, false, ROW_FINAL,
                    "spans") == 1);
    fixture_release(&f);
}

static enum status apply_bytes(struct fixture *f, const struct buffer *partial, struct error *err)
{
    return aggregate_apply(f->aggregate, buffer_bytes(partial), &f->records, err);
}

static void header_put(const struct fixture *f, struct buffer *out)
{
    const struct partial_header header = {
        .plan = f->bench.plan.fingerprint, .sent_ms = 1, .last = true};
    buffer_reset(out);
    partial_put_header(out, &header);
}

static void a_damaged_partial_is_applied_as_far_as_it_can_be_read(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct buffer out = {0};
    fixture_init(&f, plain, 1);
    give(&f, 0, AT(1), AT(1), 10);
    epoch(&f);
    header_put(&f, &out);
    wire_put_bytes(&out, 6, (struct bytes){(const uint8_t *)"\x12\x7f", 2});
    assert_int_equal(apply_bytes(&f, &out, &err), ST_SKIP);
    assert_int_equal(counts_of(&f).malformed, 1);
    buffer_append(&out, "\xff", 1);
    assert_int_equal(apply_bytes(&f, &out, &err), ST_SKIP);
    assert_int_equal(counts_of(&f).malformed, 2);
    tick(&f, 0, AT(60));
    epoch(&f);
    assert_true(pane_value(&f, AT(10), ROW_FINAL, "spans") == 1);
    buffer_release(&out);
    fixture_release(&f);
}

static void a_measure_of_a_newer_version_stops_the_worker(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct buffer out = {0};
    struct partial_cell cell = {
        .dimensions = 1, .dimension = {bytes_of("op")}, .pane = T0 / (10 * BENCH_S)};
    fixture_init(&f, plain, 1);
    header_put(&f, &out);
    size_t mark = partial_open_cell(&out, &cell);
    wire_put_bytes(&out, 99, bytes_of("?"));
    wire_close(&out, mark);
    assert_int_equal(apply_bytes(&f, &out, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "newer"));
    buffer_release(&out);
    fixture_release(&f);
}

/* Numbers that no combine writes: refused or clamped, never reckoned with. */
static void hostile_numbers_overflow_nothing(void **unused)
{
    (void)unused;
    static const int64_t numbers[] = {INT64_MIN, INT64_MIN + 1, INT64_MIN / 10, -1, 0, 1,
        INT64_MAX / 10, INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        for (size_t j = 0; j < COUNT(numbers); j++) {
            struct fixture f;
            struct buffer out = {0}, state = {0};
            struct error err;
            const struct partial_topic topic = {bytes_of("t"), 1};
            fixture_init(&f, plain, 1);
            for (int round = 0; round < 3; round++) {
                struct partial_cell cell = {.dimensions = 1,
                    .dimension = {bytes_of("op")},
                    .pane = numbers[i],
                    .late_by = round == 1 ? (uint64_t)numbers[j] : 0};
                struct partial_clock clock = {.watermark_ns = numbers[j],
                    .newest_pane = numbers[i],
                    .from = numbers[j],
                    .to = numbers[i],
                    .ended = round == 2};
                struct partial_total total = {.pane = numbers[i],
                    .messages = (uint64_t)numbers[j],
                    .malformed = (uint64_t)numbers[i]};
                header_put(&f, &out);
                wire_put_uint(&out, 3, (uint64_t)numbers[j]);
                size_t mark = partial_open_cell(&out, &cell);
                wire_put_bytes(&out, 16, (struct bytes){(const uint8_t *)"\x08\x01", 2});
                wire_close(&out, mark);
                partial_put_topic(&out, &topic);
                partial_put_clock(&out, &clock);
                partial_put_total(&out, &total);
                enum status status = apply_bytes(&f, &out, &err);
                assert_true(status == ST_OK || status == ST_SKIP);
            }
            aggregate_save(f.aggregate, &state);
            struct aggregate *again = aggregate_new(&f.bench.plan, 0);
            if (aggregate_load(again, buffer_bytes(&state), &err) != ST_OK)
                fail_msg("%s", err.text);
            aggregate_free(again);
            buffer_release(&out);
            buffer_release(&state);
            fixture_release(&f);
        }
    }
}

static enum status load(const struct fixture *f, struct bytes state, struct error *err)
{
    struct aggregate *a = aggregate_new(&f->bench.plan, 0);
    enum status status = aggregate_load(a, state, err);
    aggregate_free(a);
    return status;
}

/* A state of a little of everything, for reading it damaged. */
static void state_of_everything(struct fixture *f, struct buffer *state)
{
    give(f, 0, AT(1), AT(1), 10);
    give(f, 0, AT(35), AT(31), 10);
    give(f, 0, AT(35), AT(2), 30);
    epoch(f);
    aggregate_save(f->aggregate, state);
}

static void a_damaged_state_is_refused_or_read_and_never_more(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct buffer state = {0};
    fixture_init(&f, plain, 1);
    state_of_everything(&f, &state);
    for (size_t size = 0; size < state.size; size++) {
        uint8_t *cut = memory_take(size + 1);
        memcpy(cut, state.data, size);
        enum status status = load(&f, (struct bytes){cut, size}, &err);
        assert_true(status == ST_OK || status == ST_FATAL);
        free(cut);
    }
    struct random random = random_from(4);
    for (int i = 0; i < 3000; i++) {
        uint8_t *damaged = (uint8_t *)memory_text((const char *)state.data, state.size);
        for (uint64_t n = random_below(&random, 3) + 1; n > 0; n--)
            damaged[random_below(&random, state.size)] = (uint8_t)random_next(&random);
        enum status status = load(&f, (struct bytes){damaged, state.size}, &err);
        assert_true(status == ST_OK || status == ST_FATAL);
        free(damaged);
    }
    buffer_release(&state);
    fixture_release(&f);
}

static void state_begin(const struct fixture *f, struct buffer *out)
{
    buffer_reset(out);
    wire_put_uint(out, 1, 1);
    wire_put_fixed64(out, 2, f->bench.plan.fingerprint);
}

static void a_state_that_no_aggregate_wrote_is_refused_with_what_is_wrong(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    struct buffer out = {0};
    fixture_init(&f, plain, 1);

    wire_put_uint(&out, 1, 2);
    assert_int_equal(load(&f, buffer_bytes(&out), &err), ST_FATAL);
    assert_non_null(strstr(err.text, "version 2"));

    state_begin(&f, &out); /* a late cell of a series that is not there */
    size_t mark = wire_open(&out, 15);
    wire_put_uint(&out, 1, 7);
    wire_close(&out, mark);
    assert_int_equal(load(&f, buffer_bytes(&out), &err), ST_FATAL);
    assert_non_null(strstr(err.text, "late cell"));

    state_begin(&f, &out); /* a name larger than any */
    static uint8_t huge[2 << 20];
    mark = wire_open(&out, 13);
    wire_put_bytes(&out, 1, (struct bytes){huge, sizeof(huge)});
    wire_close(&out, mark);
    assert_int_equal(load(&f, buffer_bytes(&out), &err), ST_FATAL);
    assert_non_null(strstr(err.text, "key"));

    state_begin(&f, &out); /* a measure that is a number */
    mark = wire_open(&out, 13);
    wire_put_bytes(&out, 1, (struct bytes){(const uint8_t *)"\0\2\0op", 5});
    size_t slice = wire_open(&out, 7);
    wire_put_uint(&out, 16, UINT64_C(1) << 40);
    wire_close(&out, slice);
    wire_close(&out, mark);
    enum status status = load(&f, buffer_bytes(&out), &err);
    assert_true(status == ST_OK || status == ST_FATAL);

    state_begin(&f, &out); /* slices and clocks outside of time */
    wire_put_sint(&out, 3, INT64_MIN + 1);
    wire_put_sint(&out, 4, INT64_MAX);
    mark = wire_open(&out, 13);
    wire_put_bytes(&out, 1, (struct bytes){(const uint8_t *)"\0\2\0op", 5});
    slice = wire_open(&out, 7);
    wire_put_sint(&out, 2, INT64_MIN);
    wire_close(&out, slice);
    wire_close(&out, mark);
    assert_int_equal(load(&f, buffer_bytes(&out), &err), ST_FATAL);
    buffer_release(&out);
    fixture_release(&f);
}

/* Scores stay with the column that they were learned on, whatever was added before it. */
static void operator_states_go_to_the_same_operator_only(void **unused)
{
    (void)unused;
    static const char head[] = "pane: 10s\nwindows: [30s]\npartitions: 1\nprovisional: 0s\n"
                               "lateness: 10s\nviews: [[operation]]\n";
    static const char *const before = "zscore: [{column: rate_per_s, history: 4, warmup: 3}]\n";
    static const char *const after = "zscore: [{column: error_ratio, history: 9},\n"
                                     "         {column: rate_per_s, history: 4, warmup: 3}]\n";
    static const char *const changed = "zscore: [{column: rate_per_s, history: 5, warmup: 3}]\n";
    const char *const next[] = {before, after, changed};
    for (size_t i = 0; i < COUNT(next); i++) {
        struct fixture f, g;
        struct error err;
        struct buffer state = {0};
        char yaml[800];
        snprintf(yaml, sizeof(yaml), "%s%s", head, before);
        fixture_init(&f, yaml, 1);
        for (int64_t s = 0; s <= 60; s += 10) {
            for (int n = 0; n < 1 + s % 20 / 10; n++)
                give(&f, 0, AT(s), AT(s), 1);
        }
        epoch(&f);
        aggregate_save(f.aggregate, &state);
        snprintf(yaml, sizeof(yaml), "%s%s", head, next[i]);
        fixture_init(&g, yaml, 1);
        if (aggregate_load(g.aggregate, buffer_bytes(&state), &err) != ST_OK)
            fail_msg("%s", err.text);
        g.worker.clock[0] = f.worker.clock[0];
        tick(&g, 0, AT(90));
        epoch(&g);
        double score = pane_value(&g, AT(70), ROW_FINAL, "rate_per_s_z");
        assert_int_equal(isnan(score), i == 2);
        buffer_release(&state);
        fixture_release(&f);
        fixture_release(&g);
    }
}

static void alerts_are_said_with_the_rows_and_resolved(void **unused)
{
    (void)unused;
    struct fixture f;
    char yaml[900];
    snprintf(yaml, sizeof(yaml),
        "%srules: [{name: slow, when: 'max[30s] > 500ms', labels: {team: a}}]\n", plain);
    fixture_init(&f, yaml, 1);
    give(&f, 0, AT(1), AT(1), 10);
    give(&f, 0, AT(11), AT(11), 900);
    tick(&f, 0, AT(200));
    epoch(&f);
    int alerts = 0;
    char id[33] = "";
    for (size_t i = 0; i < f.records.count; i++) {
        struct bytes key, value;
        struct output out;
        struct error err;
        records_get(&f.records, i, &key, &value);
        assert_int_equal(output_decode(value, &out, &err), ST_OK);
        if (!out.is_alert) continue;
        assert_true(bytes_are(out.alert.rule, "slow"));
        assert_true(bytes_are(out.alert.series, "operation=op"));
        if (alerts++ == 0) {
            assert_int_equal(out.alert.state, ALERT_FIRING);
            assert_int_equal(out.alert.at_ns, AT(20));
            assert_int_equal(strlen(out.alert.id), 32);
            assert_true(
                bytes_are(out.alert.labels, "{\"alertname\":\"slow\",\"severity\":"
                                            "\"warning\",\"operation\":\"op\",\"team\":\"a\"}"));
            memcpy(id, out.alert.id, sizeof(id));
        } else {
            assert_int_equal(out.alert.state, ALERT_RESOLVED);
            assert_int_equal(out.alert.at_ns, AT(50));
            assert_string_equal(out.alert.id, id);
        }
    }
    assert_int_equal(alerts, 2);
    fixture_release(&f);
}

/*
 * Two failed spans of 900 ms at the beginning of a minute, after one of failed spans of 10 ms or of
 * none; and one of 10 ms in the pane after `told_s`.
 */
static void give_fault(struct fixture *f, bool known, int64_t told_s)
{
    struct bench_span span = {"s", "op", KIND_SERVER, AT(61), 900000000, true};
    struct bench_span usual = {"s", "op", KIND_SERVER, AT(1), 10000000, true};
    for (; known && usual.end_ns < AT(60); usual.end_ns += 10 * BENCH_S)
        bench_record(&f->worker, 0, usual.end_ns, &usual, 1);
    for (int i = 0; i < 2; i++, span.end_ns += BENCH_S)
        bench_record(&f->worker, 0, span.end_ns, &span, 1);
    usual.end_ns = AT(told_s + 1);
    bench_record(&f->worker, 0, usual.end_ns, &usual, 1);
    tick(f, 0, AT(300));
    epoch(f);
}

static void first_alert(const struct fixture *f, struct output *out)
{
    for (size_t i = 0; i < f->records.count; i++) {
        struct bytes key, value;
        struct error err;
        records_get(&f->records, i, &key, &value);
        assert_int_equal(output_decode(value, out, &err), ST_OK);
        if (out->is_alert) return;
    }
    fail_msg("no alert");
}

/*
 * A rule fires before the minute of the fault is over, while what is scored is the minute before.
 * Mutations: what came since taken from panes alone, which may be gone; or from the open pane too.
 */
static void an_alert_shows_traces_and_errors_of_the_fault(void **unused)
{
    (void)unused;
    static const struct {
        const char *windows, *when;
        int64_t at_s;
    } cases[] = {{"30s", "'max[30s] > 500ms'", 70}, {"3m", "'max[3m] > 500ms', for: 40s", 110}};
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        struct fixture f;
        struct output out;
        char yaml[600];
        snprintf(yaml, sizeof(yaml),
            "pane: 10s\nwindows: [%s]\nlateness: 10s\nallowed_lateness: 10s\npartitions: 1\n"
            "provisional: 0s\nviews: [[operation]]\n"
            "history: [{resolution: 1m, retain: 1h, sketches: false}]\n"
            "rules: [{name: slow, when: %s}]\n",
            cases[i / 2].windows, cases[i / 2].when);
        fixture_init(&f, yaml, 1);
        give_fault(&f, i % 2 == 1, cases[i / 2].at_s);
        first_alert(&f, &out);
        assert_int_equal(out.alert.at_ns, AT(cases[i / 2].at_s));
        assert_true(out.alert.exemplars != 0);
        for (uint32_t e = 0; e < out.alert.exemplars; e++)
            assert_int_equal(out.alert.exemplar[e].duration_ns, 900000000);
        uint64_t errors = out.alert.errors_else;
        for (uint32_t e = 0; e < out.alert.error_kinds; e++)
            errors += out.alert.error_kind[e].count;
        assert_int_equal(errors, 2);
        fixture_release(&f);
    }
}

/* Nothing of the series is left in any window long before it has been silent for two minutes. */
static void a_silent_series_is_closed_on_until_its_absence_is_told(void **unused)
{
    (void)unused;
    struct fixture f;
    char yaml[900];
    snprintf(yaml, sizeof(yaml), "%srules: [{name: gone, when: 'absent[3m]'}]\n", plain);
    fixture_init(&f, yaml, 1);
    give(&f, 0, AT(1), AT(1), 10);
    tick(&f, 0, AT(900));
    epoch(&f);
    give(&f, 0, AT(901), AT(901), 10);
    tick(&f, 0, AT(1000));
    epoch(&f);
    static const struct {
        enum alert_state state;
        int64_t at_s;
    } wanted[] = {{ALERT_FIRING, 190}, {ALERT_RESOLVED, 910}};
    size_t alerts = 0;
    for (size_t i = 0; i < f.records.count; i++) {
        struct bytes key, value;
        struct output out;
        struct error err;
        records_get(&f.records, i, &key, &value);
        assert_int_equal(output_decode(value, &out, &err), ST_OK);
        if (!out.is_alert) continue;
        assert_true(alerts < COUNT(wanted));
        assert_int_equal(out.alert.state, wanted[alerts].state);
        assert_int_equal(out.alert.at_ns, AT(wanted[alerts].at_s));
        alerts++;
    }
    assert_int_equal(alerts, COUNT(wanted));
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rows_do_not_depend_on_how_partials_meet),
        cmocka_unit_test(every_span_is_in_one_row_of_its_pane),
        cmocka_unit_test(a_row_holds_what_had_arrived_by_then),
        cmocka_unit_test(the_same_log_says_the_same_bytes),
        cmocka_unit_test(a_saved_state_goes_on_as_if_never_saved),
        cmocka_unit_test(a_saved_state_keeps_budgets_and_limits),
        cmocka_unit_test(a_silent_re_run_ends_in_the_same_state),
        cmocka_unit_test(a_pane_closes_when_the_slowest_partition_has_passed_it),
        cmocka_unit_test(partitions_that_are_not_known_yet_hold_the_watermark),
        cmocka_unit_test(a_late_span_revises_its_pane_and_joins_the_windows_that_still_cover_it),
        cmocka_unit_test(a_late_span_does_not_wait_for_a_second_epoch),
        cmocka_unit_test(coarse_slices_hold_late_spans_once),
        cmocka_unit_test(what_is_too_late_lowers_the_capture_ratio_of_where_it_arrived),
        cmocka_unit_test(what_was_not_understood_lowers_the_capture_ratio),
        cmocka_unit_test(a_rolling_row_that_has_become_empty_is_said_once),
        cmocka_unit_test(minimum_and_maximum_leave_the_window_with_their_slice),
        cmocka_unit_test(traces_and_error_kinds_leave_the_window_with_their_slice),
        cmocka_unit_test(a_gap_of_years_costs_nothing),
        cmocka_unit_test(time_without_series_piles_nothing_up),
        cmocka_unit_test(at_the_end_every_pane_closes),
        cmocka_unit_test(at_the_end_every_late_span_is_applied),
        cmocka_unit_test(an_empty_topic_ends),
        cmocka_unit_test(a_repeat_for_a_closed_pane_arrives_now_and_is_counted),
        cmocka_unit_test(the_audit_counts_offsets_that_are_missing_or_counted_twice),
        cmocka_unit_test(the_audit_sees_every_offset_of_a_zombie),
        cmocka_unit_test(another_plan_is_refused),
        cmocka_unit_test(a_series_that_comes_back_after_it_was_forgotten_is_new),
        cmocka_unit_test(a_series_is_not_forgotten_while_a_late_cell_waits_for_it),
        cmocka_unit_test(provisional_rows_show_open_panes_within_the_budget),
        cmocka_unit_test(a_closed_pane_uses_up_no_budget),
        cmocka_unit_test(a_damaged_partial_is_applied_as_far_as_it_can_be_read),
        cmocka_unit_test(a_measure_of_a_newer_version_stops_the_worker),
        cmocka_unit_test(hostile_numbers_overflow_nothing),
        cmocka_unit_test(a_damaged_state_is_refused_or_read_and_never_more),
        cmocka_unit_test(a_state_that_no_aggregate_wrote_is_refused_with_what_is_wrong),
        cmocka_unit_test(operator_states_go_to_the_same_operator_only),
        cmocka_unit_test(alerts_are_said_with_the_rows_and_resolved),
        cmocka_unit_test(an_alert_shows_traces_and_errors_of_the_fault),
        cmocka_unit_test(a_silent_series_is_closed_on_until_its_absence_is_told),
    };
    return cmocka_run_group_tests_name("aggregate", tests, NULL, NULL);
}
