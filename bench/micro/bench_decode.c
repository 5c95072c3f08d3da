/*
 * What decoding costs: OTLP messages made from a seed, more of them than any cache holds, decoded
 * one after the other.
 */
#include "bench/micro/corpus.h"
#include "bench/micro/rounds.h"
#include "schemas/decoder.h"

enum { MESSAGES = 600, NAMES = 35, CACHE_LINE_BYTES = 64 };

static uint64_t decode_all(const struct corpus *corpus, const struct projection *wanted)
{
    static struct spans spans;
    const struct decoder *decoder = decoder_find("otlp_proto");
    struct error err;
    uint64_t count = 0;
    if (spans.wanted != wanted) spans_release(&spans);
    spans.wanted = wanted;
    for (uint32_t m = 0; m < corpus->messages; m++) {
        spans_reset(&spans);
        if (decoder->decode(corpus_message(corpus, m), &spans, &err) != ST_OK) {
            fprintf(stderr, "bench_decode: %s\n", err.text);
            exit(EXIT_FAILURE);
        }
        count += spans.count;
    }
    return count;
}

/* The least that any reader must do. */
static uint64_t touch_all(const struct corpus *corpus, const struct projection *wanted)
{
    (void)wanted;
    const volatile uint8_t *data = corpus->data.data;
    uint64_t sum = 0;
    for (size_t at = 0; at < corpus->data.size; at += CACHE_LINE_BYTES)
        sum += data[at];
    return sum;
}

typedef uint64_t pass(const struct corpus *corpus, const struct projection *wanted);

/* ns a span; one more round at first only warms up. */
static struct rounds measure(
    pass *run, const struct corpus *corpus, const struct projection *wanted)
{
    double ns[ROUNDS];
    run(corpus, wanted);
    for (int round = 0; round < ROUNDS; round++) {
        double begin = cpu_ns();
        run(corpus, wanted);
        ns[round] = (cpu_ns() - begin) / corpus_spans(corpus);
    }
    return rounds_of(ns);
}

static void print(const char *what, struct rounds ns, double bytes)
{
    printf("%-44s %9.1f %9.1f %9.1f %9.1f\n", what, ns.least, ns.median, 1e3 / ns.median,
        bytes / ns.median);
}

/* Every span says why it failed, each time with other literals. */
static void measure_failed(void)
{
    struct corpus corpus;
    corpus_make(&corpus, MESSAGES, CORPUS_SERVICES * NAMES, 1);
    print("decode, every span failed", measure(decode_all, &corpus, NULL),
        (double)corpus.data.size / corpus_spans(&corpus));
    corpus_release(&corpus);
}

int main(void)
{
    struct corpus corpus;
    corpus_make(&corpus, MESSAGES, CORPUS_SERVICES * NAMES, CORPUS_FAILED_ONCE_IN);
    double bytes = (double)corpus.data.size / corpus_spans(&corpus);
    struct projection two = {
        .key = {bytes_of("http.request.method"), bytes_of("rpc.system")},
        .count = 2,
    };
    printf("%.0f MB of OTLP, %.0f B and %d attributes a span\n", (double)corpus.data.size / 1e6,
        bytes, CORPUS_ATTRIBUTES);
    printf(
        "ns of CPU a span                                   min    median  M/s/core      GB/s\n");
    print("touch every cache line once", measure(touch_all, &corpus, NULL), bytes);
    print("decode", measure(decode_all, &corpus, NULL), bytes);
    print("decode, 2 attributes wanted", measure(decode_all, &corpus, &two), bytes);
    corpus_release(&corpus);
    measure_failed();
    return 0;
}
