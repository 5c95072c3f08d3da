/*
 * Traces to measure with: OTLP messages of 300 spans, made from a seed, as many as outgrow any cache.
 *
 * A span has about 400 bytes and seven attributes. All end within the same half second, so in one
 * pane, as the spans do that a worker reads in one epoch.
 */
#ifndef BENCH_MICRO_CORPUS_H
#define BENCH_MICRO_CORPUS_H

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "schemas/otlp_write.h"
#include "tests/support/random.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CORPUS_RESOURCES = 3, /* in one message */
    CORPUS_SPANS = 100,   /* in one resource */
    CORPUS_MESSAGE_SPANS = CORPUS_RESOURCES * CORPUS_SPANS,
    CORPUS_SERVICES = 40,
    CORPUS_ATTRIBUTES = 7,
    CORPUS_TEXT_BYTES = 96,
};

#define CORPUS_FROM_NS  (1700000000 * NS_PER_S) /* the first spans end here */
#define CORPUS_WIDTH_NS (NS_PER_S / 2)          /* the last ones that much later */

enum { CORPUS_FAILED_ONCE_IN = 50 }; /* spans, usually */

struct corpus {
    uint32_t names; /* of each service; a name has one kind, so it is one series */
    uint32_t failed_once_in;
    uint32_t messages;
    struct buffer data;
    size_t *end; /* [messages] of each in `data` */
    struct random random;
};

static inline struct bytes corpus_text(char *text, const char *format, uint64_t number)
{
    snprintf(text, CORPUS_TEXT_BYTES, format, (unsigned)number);
    return bytes_of(text);
}

static inline void corpus_id(struct corpus *corpus, uint8_t *id, size_t size)
{
    for (size_t i = 0; i < size; i++)
        id[i] = (uint8_t)(1 + random_below(&corpus->random, 255));
}

/* The last attribute is there in half of the spans, so that their number is not always the same. */
static inline size_t corpus_attributes(struct corpus *corpus,
    struct otlp_attribute attribute[CORPUS_ATTRIBUTES + 1],
    char text[CORPUS_ATTRIBUTES + 1][CORPUS_TEXT_BYTES])
{
    static const char *const key[CORPUS_ATTRIBUTES + 1] = {"http.request.method",
        "http.response.status_code", "url.path", "server.address", "network.protocol.version",
        "rpc.system", "thread.name", "thread.id"};
    static const char *const format[CORPUS_ATTRIBUTES + 1] = {"METHOD%u", "2%02u",
        "/api/v1/customers/current/products/%02u/detail?expand=prices,stock,reviews",
        "host-%02u.checkout.eu-west-1.compute.internal", "1.%u", "grpc-%02u",
        "http-nio-8080-exec-%02u-worker", "%u"};
    size_t count = CORPUS_ATTRIBUTES - 1;
    count += random_coin(&corpus->random);
    count += random_coin(&corpus->random);
    for (size_t a = 0; a < count; a++) {
        uint64_t number = random_below(&corpus->random, 100);
        attribute[a] =
            (struct otlp_attribute){bytes_of(key[a]), corpus_text(text[a], format[a], number)};
    }
    return count;
}

/* Why a span failed: a few types, and a message whose numbers are hardly ever the same. */
static inline void corpus_failure(struct corpus *corpus, char text[CORPUS_TEXT_BYTES],
    struct otlp_exception *exception, struct otlp_span *span)
{
    static const char *const type[] = {"java.net.SocketTimeoutException", "OrderClosed", "500"};
    uint64_t drawn = random_next(&corpus->random);
    snprintf(text, CORPUS_TEXT_BYTES, "order %u of user_%u: no answer from 10.3.%u.%u within %u ms",
        (unsigned)(drawn >> 40), (unsigned)(drawn & 0xffff), (unsigned)(drawn >> 16 & 0xff),
        (unsigned)(drawn >> 24 & 0xff), (unsigned)(drawn >> 32 & 0xff));
    *exception = (struct otlp_exception){bytes_of(type[drawn % 3]), bytes_of(text)};
    span->failed = true;
    span->exception = exception;
    span->status_message = exception->message;
}

static inline void corpus_span(struct corpus *corpus, uint64_t service, struct buffer *out)
{
    struct otlp_attribute attribute[CORPUS_ATTRIBUTES + 1];
    struct otlp_exception exception;
    char text[CORPUS_ATTRIBUTES + 1][CORPUS_TEXT_BYTES], name[CORPUS_TEXT_BYTES];
    char why[CORPUS_TEXT_BYTES];
    uint64_t number = random_below(&corpus->random, corpus->names);
    struct otlp_span span = {
        .name = corpus_text(name, "GET /service/operation/%u", service * corpus->names + number),
        .kind = (uint8_t)(1 + number % (KIND_COUNT - 1)),
        .end_ns = CORPUS_FROM_NS + (int64_t)random_below(&corpus->random, CORPUS_WIDTH_NS),
        .attribute = attribute,
        .attributes = corpus_attributes(corpus, attribute, text),
    };
    span.start_ns = span.end_ns - (int64_t)random_lognormal_ns(&corpus->random, 40e6, 0.8);
    corpus_id(corpus, span.trace_id, sizeof(span.trace_id));
    corpus_id(corpus, span.span_id, sizeof(span.span_id));
    if (!random_once_in(&corpus->random, 4))
        corpus_id(corpus, span.parent_id, sizeof(span.parent_id));
    if (random_once_in(&corpus->random, corpus->failed_once_in))
        corpus_failure(corpus, why, &exception, &span);
    otlp_write_span(out, &span);
}

static inline void corpus_resource(struct corpus *corpus, struct buffer *out)
{
    static const struct otlp_attribute usual[] = {
        {{(const uint8_t *)"telemetry.sdk.language", 22}, {(const uint8_t *)"java", 4}},
        {{(const uint8_t *)"k8s.namespace.name", 18}, {(const uint8_t *)"production", 10}},
        {{(const uint8_t *)"k8s.pod.name", 12}, {(const uint8_t *)"shop-6d5f8c7b9-x2x7k", 20}},
    };
    char name[CORPUS_TEXT_BYTES];
    uint64_t service = random_below(&corpus->random, CORPUS_SERVICES);
    struct otlp_resource marks;
    otlp_resource_open(out, corpus_text(name, "service-%u", service), usual, 3, &marks);
    for (int i = 0; i < CORPUS_SPANS; i++)
        corpus_span(corpus, service, out);
    otlp_resource_close(out, &marks);
}

/*
 * series          CORPUS_SERVICES times the names of each
 * failed_once_in  CORPUS_FAILED_ONCE_IN; 1: every span failed
 */
static inline void corpus_make(
    struct corpus *corpus, uint32_t messages, uint32_t series, uint32_t failed_once_in)
{
    struct buffer message = {0};
    *corpus = (struct corpus){.names = series / CORPUS_SERVICES,
        .messages = messages,
        .failed_once_in = failed_once_in,
        .end = memory_zeroed(messages, sizeof(*corpus->end)),
        .random = random_from(1)};
    for (uint32_t m = 0; m < messages; m++) {
        buffer_reset(&message);
        for (int r = 0; r < CORPUS_RESOURCES; r++)
            corpus_resource(corpus, &message);
        buffer_append(&corpus->data, message.data, message.size);
        corpus->end[m] = corpus->data.size;
    }
    buffer_release(&message);
}

static inline void corpus_release(struct corpus *corpus)
{
    buffer_release(&corpus->data);
    free(corpus->end);
}

static inline struct bytes corpus_message(const struct corpus *corpus, uint32_t m)
{
    size_t start = m == 0 ? 0 : corpus->end[m - 1];
    return (struct bytes){corpus->data.data + start, corpus->end[m] - start};
}

static inline double corpus_spans(const struct corpus *corpus)
{
    return (double)corpus->messages * CORPUS_MESSAGE_SPANS;
}

#endif
