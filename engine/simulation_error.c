#include "engine/simulation_error.h"

#include "engine/base/hash.h"
#include "schemas/span.h"

#include <stdio.h>

/* Each with up to four literals. */
static const struct reason {
    const char *type;
    const char *format;
    const char *code, *code_name; /* of gRPC */
} reasons[] = {
    {"TimeoutError", "no answer from 10.3.%u.%u:8080 within %u ms", "4", "DeadlineExceeded"},
    {"ConnectionError", "dial tcp 10.3.%u.%u:5432: connect: connection refused", "14",
        "Unavailable"},
    {"DatabaseError", "duplicate entry '%u-%u' for key 'PRIMARY'", "13", "Internal"},
    {"java.lang.IllegalStateException", "order %u%u%u is closed, item 0x%08x cannot be added", "9",
        "FailedPrecondition"},
    {"ValidationError", "amount %u.%02u of customer_%u is out of range", "3", "InvalidArgument"},
    {"RateLimitError", "quota used up until 2024-05-01T12:%02u:%02uZ, request %08x%08x", "8",
        "ResourceExhausted"},
};
enum { REASONS = sizeof(reasons) / sizeof(reasons[0]) };

/* An operation fails for three reasons: mostly for one, now and then for another, seldom for a third. */
static const struct reason *reason_of(const struct simulation_span *span)
{
    uint64_t drawn = hash_mix(span->trace_id[0], span->trace_id[1]) % 10;
    unsigned nth = drawn < 6 ? 0 : drawn < 9 ? 1 : 2;
    return &reasons[(span->culprit + nth) % REASONS];
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void print_reason(const struct reason *reason, uint64_t drawn, char *out, size_t bytes)
{
    snprintf(out, bytes, reason->format, (unsigned)(drawn % 60), (unsigned)(drawn / 60 % 60),
        (unsigned)(drawn >> 16 & 0xffff), (unsigned)(drawn >> 32));
}
#pragma GCC diagnostic pop

void simulation_error_make(const struct topology *topology, const struct simulation_span *span,
    struct simulation_error *out)
{
    const struct reason *reason = reason_of(span);
    const struct topology_operation *culprit = &topology->operation[span->culprit];
    const char *who = topology->service[culprit->service].name;
    char why[SIMULATION_ERROR_TEXT_BYTES / 2];
    print_reason(reason, hash_mix(span->span_id, span->trace_id[0]), why, sizeof(why));
    bool own = span->culprit == span->operation;
    out->asked = span->kind == KIND_CLIENT || span->kind == KIND_PRODUCER;
    out->code = (struct otlp_attribute){bytes_of("rpc.grpc.status_code"), bytes_of(reason->code)};
    if (out->asked)
        snprintf(out->message, sizeof(out->message), "rpc error: code = %s desc = %s",
            reason->code_name, why);
    else
        snprintf(out->message, sizeof(out->message), own ? "%s%s" : "%s failed: %s", own ? "" : who,
            why);
    out->exception = (struct otlp_exception){
        bytes_of(own ? reason->type : "UpstreamError"), bytes_of(out->message)};
}
