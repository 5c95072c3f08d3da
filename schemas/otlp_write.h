/*
 * OTLP traces being written: what the traffic generator, tests and benchmarks send.
 *
 *     otlp_resource_open(&out, service, attribute, attributes, &marks);
 *     otlp_write_span(&out, &span); ...
 *     otlp_resource_close(&out, &marks);
 *
 * As many resources as one likes, one after the other, make one TracesData.
 *
 * source   opentelemetry-proto, trace/v1/trace.proto
 */
#ifndef SCHEMAS_OTLP_WRITE_H
#define SCHEMAS_OTLP_WRITE_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"

struct otlp_attribute {
    struct bytes key, value; /* a string value */
};

/* An event called `exception`, at the span's end. */
struct otlp_exception {
    struct bytes type, message; /* either is left out where it is empty */
};

struct otlp_span {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t parent_id[8]; /* all zero: a root */
    struct bytes name;
    uint8_t kind;     /* enum span_kind */
    int64_t start_ns; /* since the Unix epoch */
    int64_t end_ns;
    bool failed;                            /* status code ERROR; else the status is left unset */
    struct bytes status_message;            /* written where it is not empty */
    const struct otlp_exception *exception; /* NULL: none */
    const struct otlp_attribute *attribute;
    size_t attributes;
};

/* Where the open messages began, for otlp_resource_close. */
struct otlp_resource {
    size_t outer, scope;
};

/*
 * Begin one ResourceSpans: its Resource, then the one ScopeSpans that the spans go into.
 *
 * out        appended to
 * service    becomes service.name, before `attribute`; empty: left out
 * attribute  more attributes of the resource; borrowed for the call
 * marks      filled in; nothing but spans may be written to `out` until it is closed
 */
void otlp_resource_open(struct buffer *out, struct bytes service,
    const struct otlp_attribute *attribute, size_t attributes, struct otlp_resource *marks);
void otlp_write_span(struct buffer *out, const struct otlp_span *span);
void otlp_resource_close(struct buffer *out, const struct otlp_resource *marks);

#endif
