/*
 * What decoding costs: OTLP messages made from a seed, more of them than any cache holds, decoded
 * one after the other. CPU time, median of the rounds.
 */
#include "engine/base/clock.h"
#include "schemas/decoder.h"
#include "schemas/otlp_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    MESSAGES = 600,
    RESOURCES = 3, /* in one message */
    SPANS = 100,   /* in one resource */
    SERVICES = 40,
    NAMES = 35,
    ATTRIBUTES = 7,
    ROUNDS = 7,
    CACHE_LINE_BYTES = 64,
    TEXT_BYTES = 96,
};

struct corpus {
    struct buffer data;
    size_t end[MESSAGES]; /* of each message in `data` */
};

/* source  S. Vigna, splitmix64.c, 2015 (public domain) */
static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
    uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static void draw_bytes(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(1 + draw(255));
}

static struct bytes print_number(char *text, const char *format, uint64_t number)
{
    snprintf(text, TEXT_BYTES, format, (unsigned)number);
    return bytes_of(text);
}

static void write_span(struct buffer *out, uint64_t service, uint64_t span_number)
{
    static const char *const key[ATTRIBUTES] = {"http.request.method", "http.response.status_code",
        "url.path", "server.address", "network.protocol.version", "rpc.system", "thread.name"};
    static const char *const format[ATTRIBUTES] = {"METHOD%u", "2%02u",
        "/api/v1/customers/current/products/%02u/detail?expand=prices,stock,reviews",
        "host-%02u.checkout.eu-west-1.compute.internal", "1.%u", "grpc-%02u",
        "http-nio-8080-exec-%02u-worker"};
    char name[TEXT_BYTES], text[ATTRIBUTES][TEXT_BYTES];
    struct otlp_attribute attribute[ATTRIBUTES];
    size_t attributes = ATTRIBUTES - 1 + draw(3) / 2;
    for (size_t a = 0; a < ATTRIBUTES; a++)
        attribute[a] =
            (struct otlp_attribute){bytes_of(key[a]), print_number(text[a], format[a], draw(100))};

    struct otlp_span span = {
        .name = print_number(name, "GET /service/operation/%u", service * NAMES + draw(NAMES)),
        .kind = (uint8_t)(1 + draw(5)),
        .start_ns = 1700000000 * NS_PER_S + (int64_t)span_number * 1000,
        .failed = draw(50) == 0,
        .attribute = attribute,
        .attributes = attributes,
    };
    span.end_ns = span.start_ns + (int64_t)draw(200 * NS_PER_MS);
    draw_bytes(span.trace_id, sizeof(span.trace_id));
    draw_bytes(span.span_id, sizeof(span.span_id));
    if (draw(4) != 0) draw_bytes(span.parent_id, sizeof(span.parent_id));
    otlp_write_span(out, &span);
}

static void write_resource(struct buffer *out)
{
    static const struct otlp_attribute usual[] = {
        {{(const uint8_t *)"telemetry.sdk.language", 22}, {(const uint8_t *)"java", 4}},
        {{(const uint8_t *)"k8s.namespace.name", 18}, {(const uint8_t *)"production", 10}},
        {{(const uint8_t *)"k8s.pod.name", 12}, {(const uint8_t *)"shop-6d5f8c7b9-x2x7k", 20}},
    };
    char name[TEXT_BYTES];
    uint64_t service = draw(SERVICES);
    struct otlp_resource marks;
    otlp_resource_open(out, print_number(name, "service-%u", service), usual, 3, &marks);
    for (uint64_t i = 0; i < SPANS; i++)
        write_span(out, service, i);
    otlp_resource_close(out, &marks);
}

static void corpus_make(struct corpus *corpus)
{
    for (int m = 0; m < MESSAGES; m++) {
        struct buffer message = {0};
        for (int r = 0; r < RESOURCES; r++)
            write_resource(&message);
        buffer_append(&corpus->data, message.data, message.size);
        corpus->end[m] = corpus->data.size;
        buffer_release(&message);
    }
}

static struct bytes corpus_message(const struct corpus *corpus, int m)
{
    size_t start = m == 0 ? 0 : corpus->end[m - 1];
    return (struct bytes){corpus->data.data + start, corpus->end[m] - start};
}

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t decode_all(const struct corpus *corpus, const struct projection *wanted)
{
    static struct spans spans;
    const struct decoder *decoder = decoder_find("otlp_proto");
    struct error err;
    uint64_t count = 0;
    if (spans.wanted != wanted) spans_release(&spans);
    spans.wanted = wanted;
    for (int m = 0; m < MESSAGES; m++) {
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

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef uint64_t pass(const struct corpus *corpus, const struct projection *wanted);

/* ns a span; the first round only warms up. */
static double measure(pass *run, const struct corpus *corpus, const struct projection *wanted)
{
    double took[ROUNDS];
    run(corpus, wanted);
    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_ns();
        run(corpus, wanted);
        took[round] = (cpu_ns() - start) / ((double)MESSAGES * RESOURCES * SPANS);
    }
    qsort(took, ROUNDS, sizeof(took[0]), ascending);
    return took[ROUNDS / 2];
}

int main(void)
{
    static struct corpus corpus;
    corpus_make(&corpus);
    double bytes = (double)corpus.data.size / ((double)MESSAGES * RESOURCES * SPANS);
    struct projection two = {
        .key = {bytes_of("http.request.method"), bytes_of("rpc.system")},
        .count = 2,
    };
    double touch = measure(touch_all, &corpus, NULL);
    double none = measure(decode_all, &corpus, NULL);
    double both = measure(decode_all, &corpus, &two);

    printf("corpus: %.0f MB, %.0f B/span, %d attributes\n", (double)corpus.data.size / 1e6, bytes,
        ATTRIBUTES);
    printf("touch:  %.0f ns/span, every cache line once\n", touch);
    printf("decode: %.0f ns/span, %.1f M spans/s, %.1f GB/s (%.1f x touch)\n", none, 1e3 / none,
        bytes / none, none / touch);
    printf("decode: %.0f ns/span, %.1f M spans/s, %.1f GB/s (%.1f x touch), 2 attributes wanted\n",
        both, 1e3 / both, bytes / both, both / touch);
    buffer_release(&corpus.data);
    return 0;
}
