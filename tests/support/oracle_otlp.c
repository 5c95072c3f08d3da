/* OTLP messages, read whole by protobuf-c. */
#include "oracle.h"
#include "otlp.pb-c.h"

#include <string.h>

#define DURATION_NS_MAX (24 * 3600 * UINT64_C(1000000000))

static bool id_is_good(const ProtobufCBinaryData *id, size_t bytes)
{
    static const uint8_t zero[16];
    return id->len == bytes && memcmp(id->data, zero, bytes) != 0;
}

static bool time_is_good(uint64_t ns)
{
    return ns != 0 && ns <= INT64_MAX;
}

/* Rule 1: a span with a bad id or time is dropped; the others of its message are not. */
static bool span_is_good(const Weir__Otlp__Span *span)
{
    return id_is_good(&span->trace_id, 16) && id_is_good(&span->span_id, 8) &&
           time_is_good(span->start_time_unix_nano) && time_is_good(span->end_time_unix_nano);
}

/* Rule 2: a span lasts from 0 (also where it ends before it starts) to a day. */
static uint64_t duration_of(const Weir__Otlp__Span *span)
{
    if (span->end_time_unix_nano <= span->start_time_unix_nano) return 0;
    uint64_t duration_ns = span->end_time_unix_nano - span->start_time_unix_nano;
    return duration_ns > DURATION_NS_MAX ? DURATION_NS_MAX : duration_ns;
}

/* Rule 3: the service is the resource's first service.name with text in it, or unknown_service. */
static const char *service_of(const Weir__Otlp__Resource *resource)
{
    for (size_t i = 0; resource != NULL && i < resource->n_attributes; i++) {
        const Weir__Otlp__KeyValue *attribute = resource->attributes[i];
        const Weir__Otlp__AnyValue *value = attribute->value;
        if (strcmp(attribute->key, "service.name") != 0 || value == NULL) continue;
        if (value->value_case != WEIR__OTLP__ANY_VALUE__VALUE_STRING_VALUE) continue;
        if (*value->string_value != '\0') return value->string_value;
    }
    return "unknown_service";
}

struct reading {
    uint64_t *dropped;
    void (*take)(void *self, const struct seen_span *span);
    void *self;
};

static void scope_read(
    const struct reading *reading, const char *service, const Weir__Otlp__ScopeSpans *scope)
{
    for (size_t i = 0; i < scope->n_spans; i++) {
        const Weir__Otlp__Span *span = scope->spans[i];
        if (!span_is_good(span)) {
            (*reading->dropped)++;
            continue;
        }
        struct seen_span seen = {
            .service = service,
            .operation = span->name,
            .kind = (uint32_t)span->kind,
            .failed = span->status != NULL &&
                      span->status->code == WEIR__OTLP__STATUS_CODE__STATUS_CODE_ERROR,
            .end_ns = (int64_t)span->end_time_unix_nano,
            .duration_ns = duration_of(span),
        };
        reading->take(reading->self, &seen);
    }
}

static void resource_read(const struct reading *reading, const Weir__Otlp__ResourceSpans *resource)
{
    const char *service = service_of(resource->resource);
    for (size_t i = 0; i < resource->n_scope_spans; i++) {
        scope_read(reading, service, resource->scope_spans[i]);
    }
    size_t older = resource->n_scope_spans == 0 ? resource->n_instrumentation_library_spans : 0;
    for (size_t i = 0; i < older; i++) {
        scope_read(reading, service, resource->instrumentation_library_spans[i]);
    }
}

bool otlp_read(const void *message, size_t bytes, uint64_t *dropped,
    void (*take)(void *self, const struct seen_span *span), void *self)
{
    struct reading reading = {.dropped = dropped, .take = take, .self = self};
    Weir__Otlp__TracesData *data = weir__otlp__traces_data__unpack(NULL, bytes, message);
    if (data == NULL) return false;
    for (size_t i = 0; i < data->n_resource_spans; i++) {
        resource_read(&reading, data->resource_spans[i]);
    }
    weir__otlp__traces_data__free_unpacked(data, NULL);
    return true;
}
