/*
 * What stage 1 costs in memory, on one thread and without Kafka: messages in, the partials of an
 * epoch out, under the default plan.
 *
 * The corpus is gone through again and again. An epoch holds as many spans as come in half a second
 * at the rate that is said, for it is by spans per series and epoch that partials are dear or cheap.
 */
#include "bench/micro/corpus.h"
#include "bench/micro/rounds.h"
#include "engine/combine.h"

enum { MESSAGES = 1200, RECORD_MS = 1000 };

struct bench {
    struct corpus corpus;
    struct config config;
    struct plan plan;
    struct combine *combine;
    struct spans spans;
    struct source_clock clock;
    uint32_t epoch_messages;
    uint64_t partial_bytes, epochs, cells;
};

static void give_up(const char *what, const struct error *err)
{
    fprintf(stderr, "bench_combine: %s: %s\n", what, err->text);
    exit(EXIT_FAILURE);
}

static void decode_epoch(struct bench *b, uint32_t first)
{
    struct error err;
    const struct decoder *decoder = decoder_find("otlp_proto");
    for (uint32_t m = 0; m < b->epoch_messages; m++) {
        spans_reset(&b->spans);
        struct bytes message = corpus_message(&b->corpus, (first + m) % MESSAGES);
        if (decoder->decode(message, &b->spans, &err) != ST_OK) give_up("decode", &err);
    }
}

static void fold_epoch(struct bench *b, uint32_t first)
{
    struct error err;
    for (uint32_t m = 0; m < b->epoch_messages; m++) {
        struct combine_record record = {
            .value = corpus_message(&b->corpus, (first + m) % MESSAGES),
            .timestamp_ms = CORPUS_FROM_NS / NS_PER_MS + RECORD_MS,
        };
        if (combine_record(b->combine, &b->clock, &record, &err) != ST_OK) give_up("fold", &err);
    }
    b->cells += combine_cells(b->combine);
}

static void fold_only(struct bench *b, uint32_t first)
{
    fold_epoch(b, first);
    combine_reset(b->combine);
}

static void fold_and_flush(struct bench *b, uint32_t first)
{
    static const struct partial_topic topic = {{(const uint8_t *)"spans", 5}, 1};
    struct combine_flush flush = {.topic = &topic,
        .topics = 1,
        .clock = &b->clock,
        .clocks = 1,
        .sent_ms = CORPUS_FROM_NS / NS_PER_MS + RECORD_MS};
    struct bytes value;
    uint32_t partition;
    fold_epoch(b, first);
    combine_flush(b->combine, &flush);
    while (combine_next(b->combine, &flush, &partition, &value))
        b->partial_bytes += value.size;
    combine_reset(b->combine);
    b->epochs++;
}

/* ns a span over at least the whole corpus; one more round at first only warms up. */
static void measure(struct bench *b, const char *what, void (*epoch)(struct bench *, uint32_t))
{
    double ns[ROUNDS];
    for (int round = -1; round < ROUNDS; round++) {
        uint32_t messages = 0;
        double begin = cpu_ns();
        for (; messages < MESSAGES; messages += b->epoch_messages)
            epoch(b, messages);
        double spans = (double)messages * CORPUS_MESSAGE_SPANS;
        if (round >= 0) ns[round] = (cpu_ns() - begin) / spans;
    }
    struct rounds r = rounds_of(ns);
    printf("  %-42s %9.1f %9.1f %9.1f\n", what, r.least, r.median, 1e3 / r.median);
}

static void measure_rate(struct bench *b, uint32_t spans_per_s)
{
    b->epoch_messages = spans_per_s / 2 / CORPUS_MESSAGE_SPANS;
    b->partial_bytes = b->epochs = b->cells = 0;
    printf("%u series, %u spans/s\n", b->corpus.names * CORPUS_SERVICES, spans_per_s);
    measure(b, "decode", decode_epoch);
    measure(b, "decode, fold", fold_only);
    b->cells = 0;
    measure(b, "decode, fold, flush", fold_and_flush);
    double epochs = (double)b->epochs;
    double spans = (double)b->epoch_messages * CORPUS_MESSAGE_SPANS;
    printf("  %.1f bytes of partials a span; an epoch: %.0f spans, %.0f cells of %.0f B\n",
        (double)b->partial_bytes / epochs / spans, spans, (double)b->cells / epochs,
        (double)b->partial_bytes / (double)b->cells);
}

static void bench_open(struct bench *b, uint32_t series, uint32_t failed_once_in)
{
    struct error err;
    *b = (struct bench){.clock = {.watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE}};
    corpus_make(&b->corpus, MESSAGES, series, failed_once_in);
    if (config_load(&b->config, NULL, NULL, &err) != ST_OK) give_up("config", &err);
    if (plan_init(&b->plan, &b->config, &err) != ST_OK) give_up("plan", &err);
    b->combine = combine_new(&b->plan, decoder_find("otlp_proto"), b->config.memory, 1);
}

static void bench_close(struct bench *b)
{
    combine_free(b->combine);
    spans_release(&b->spans);
    config_release(&b->config);
    corpus_release(&b->corpus);
}

int main(void)
{
    static struct bench b;
    printf("views [service], [service, operation, kind]; epochs of 0.5 s\n");
    printf("ns of CPU a span                                   min    median  M/s/core\n");
    bench_open(&b, 1000, CORPUS_FAILED_ONCE_IN);
    measure_rate(&b, 2000000);
    bench_close(&b);
    bench_open(&b, 100000, CORPUS_FAILED_ONCE_IN);
    measure_rate(&b, 2000000);
    measure_rate(&b, 200000);
    bench_close(&b);
    printf("every span failed\n");
    bench_open(&b, 1000, 1);
    measure_rate(&b, 2000000);
    bench_close(&b);
    return 0;
}
