/*
 * What stage 2 costs in memory, on one thread and without Kafka: partials of combine in, rows out,
 * under the default plan with one partition.
 *
 * Each pane holds the same spans, ten a series, and comes as five partials; a sixth, without cells,
 * only moves the clock and so closes a pane. Before anything is measured an hour has gone by, so that
 * the widest window is full.
 */
#include "bench/micro/corpus.h"
#include "bench/micro/rounds.h"
#include "engine/aggregate.h"
#include "engine/combine.h"
#include "engine/otlp_shift.h"

#include <malloc.h>

enum {
    SPANS_A_SERIES = 10, /* in a pane */
    PARTIALS = 5,        /* of a pane */
    PANES_A_ROUND = 6,   /* a minute: each slice that closes then is in every round */
    PANES_BEFORE = 360,  /* an hour */
    RECORD_MS = 1000,
};

struct bench {
    struct corpus corpus;
    struct config config;
    struct plan plan;
    struct combine *combine;
    struct aggregate *aggregate;
    struct records records;
    struct source_clock read; /* combine's own clock */
    struct source_clock told; /* as partials say it */
    int64_t from_ns;          /* of the corpus, as it was moved */
    double apply_ns, close_ns;
    uint64_t cells, rows, row_bytes;
};

static void must(enum status status, const char *what, const struct error *err)
{
    if (status == ST_OK) return;
    fprintf(stderr, "bench_aggregate: %s: %s\n", what, err->text);
    exit(EXIT_FAILURE);
}

/* Messages first..end-1 become a partial each fragment, and those are applied. */
static double apply(struct bench *b, uint32_t first, uint32_t end)
{
    static const struct partial_topic topic = {{(const uint8_t *)"spans", 5}, 1};
    struct combine_flush flush = {
        .topic = &topic, .topics = 1, .clock = &b->told, .clocks = 1, .sent_ms = RECORD_MS};
    struct bytes value;
    uint32_t partition;
    struct error err;
    double ns = 0;
    for (uint32_t m = first; m < end; m++) {
        struct combine_record record = {.value = corpus_message(&b->corpus, m),
            .timestamp_ms = b->from_ns / NS_PER_MS + RECORD_MS};
        must(combine_record(b->combine, &b->read, &record, &err), "combine", &err);
    }
    b->cells += combine_cells(b->combine);
    combine_flush(b->combine, &flush);
    while (combine_next(b->combine, &flush, &partition, &value)) {
        double begin = cpu_ns();
        must(aggregate_apply(b->aggregate, value, &b->records, &err), "aggregate", &err);
        ns += cpu_ns() - begin;
    }
    combine_reset(b->combine);
    return ns;
}

static void corpus_move(struct bench *b)
{
    struct error err;
    struct buffer *data = &b->corpus.data;
    must(otlp_shift(data->data, data->size, b->plan.pane_ns, &err), "shift", &err);
    b->from_ns += b->plan.pane_ns;
}

/* One pane: its partials, then the clock that closes it. */
static void pane(struct bench *b, uint32_t partials)
{
    uint32_t messages = b->corpus.messages;
    for (uint32_t p = 0; p < partials; p++)
        b->apply_ns += apply(b, messages * p / partials, messages * (p + 1) / partials);
    b->told.newest_pane = floor_div(b->from_ns, b->plan.pane_ns);
    b->told.watermark_ns = (b->told.newest_pane + 1) * b->plan.pane_ns;
    b->close_ns += apply(b, 0, 0);
    b->rows += b->records.rows;
    b->row_bytes += b->records.bytes.size;
    records_reset(&b->records);
    b->records.rows = 0;
    corpus_move(b);
}

static void print(const char *what, double ns[ROUNDS])
{
    struct rounds r = rounds_of(ns);
    printf("  %-42s %9.0f %9.0f\n", what, r.least, r.median);
}

static void measure(struct bench *b)
{
    double apply_ns[ROUNDS], close_ns[ROUNDS];
    struct aggregate_counts counts;
    uint64_t rows = b->rows, row_bytes = b->row_bytes;
    aggregate_counts(b->aggregate, &counts);
    for (int round = 0; round < ROUNDS; round++) {
        b->apply_ns = b->close_ns = 0;
        b->cells = 0;
        for (int i = 0; i < PANES_A_ROUND; i++)
            pane(b, PARTIALS);
        apply_ns[round] = b->apply_ns / (double)b->cells;
        close_ns[round] = b->close_ns / PANES_A_ROUND / (double)counts.series;
    }
    print("apply a cell", apply_ns);
    print("close a pane, a series", close_ns);
    rows = b->rows - rows;
    row_bytes = b->row_bytes - row_bytes;
    printf("  that is %.1f rows a series and pane, of %.0f bytes each\n",
        (double)rows / ROUNDS / PANES_A_ROUND / (double)counts.series,
        (double)row_bytes / (double)rows);
}

static size_t memory_used(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void measure_state(struct bench *b)
{
    struct buffer saved = {0};
    struct aggregate_counts counts;
    aggregate_counts(b->aggregate, &counts);
    double begin = cpu_ns();
    aggregate_save(b->aggregate, &saved);
    double series = (double)counts.series, ns = cpu_ns() - begin, bytes = (double)saved.size;
    buffer_release(&saved);
    size_t used = memory_used();
    aggregate_free(b->aggregate);
    printf("  state of a series: %.0f bytes in memory; in a snapshot %.0f, written in %.0f ns\n",
        (double)(used - memory_used()) / series, bytes / series, ns / series);
}

static void bench_open(struct bench *b, uint32_t series)
{
    static const char *const settings[] = {"partitions=1", NULL};
    struct error err;
    *b = (struct bench){.from_ns = CORPUS_FROM_NS,
        .read = {.watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE},
        .told = {.watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE}};
    corpus_make(
        &b->corpus, series * SPANS_A_SERIES / CORPUS_MESSAGE_SPANS, series, CORPUS_FAILED_ONCE_IN);
    must(config_load(&b->config, NULL, settings, &err), "config", &err);
    must(plan_init(&b->plan, &b->config, &err), "plan", &err);
    b->combine = combine_new(&b->plan, decoder_find("otlp_proto"), b->config.memory, 1);
    b->aggregate = aggregate_new(&b->plan, 0);
}

static void bench_series(uint32_t series)
{
    static struct bench b;
    bench_open(&b, series);
    for (int i = 0; i < PANES_BEFORE; i++)
        pane(&b, 1);
    printf("%u series of operations, %d of services\n", series, CORPUS_SERVICES);
    measure(&b);
    measure_state(&b);
    combine_free(b.combine);
    records_release(&b.records);
    config_release(&b.config);
    corpus_release(&b.corpus);
}

int main(void)
{
    printf("%d spans a series and pane of 10 s; rolling windows 1m, 5m, 1h\n", SPANS_A_SERIES);
    printf("ns of CPU                                          min    median\n");
    bench_series(1000);
    bench_series(10000);
    return 0;
}
