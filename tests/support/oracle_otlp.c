/* OTLP messages, read whole by protobuf-c. */
#include "oracle.h"
#include "otlp.pb-c.h"

#include <inttypes.h>
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

/* The first text of that key with anything in it, or "". */
static const char *text_of(Weir__Otlp__KeyValue **attribute, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        const Weir__Otlp__AnyValue *value = attribute[i]->value;
        if (value == NULL || strcmp(attribute[i]->key, key) != 0) continue;
        if (value->value_case == WEIR__OTLP__ANY_VALUE__VALUE_STRING_VALUE &&
            *value->string_value != '\0')
            return value->string_value;
    }
    return "";
}

/* The first text or whole number of that key; number [32] is room for it. */
static const char *code_of(const Weir__Otlp__Span *span, const char *key, char *number)
{
    for (size_t i = 0; i < span->n_attributes; i++) {
        const Weir__Otlp__AnyValue *value = span->attributes[i]->value;
        if (value == NULL || strcmp(span->attributes[i]->key, key) != 0) continue;
        if (value->value_case == WEIR__OTLP__ANY_VALUE__VALUE_INT_VALUE) {
            snprintf(number, 32, "%" PRId64, value->int_value);
            return number;
        }
        if (value->value_case == WEIR__OTLP__ANY_VALUE__VALUE_STRING_VALUE &&
            *value->string_value != '\0')
            return value->string_value;
    }
    return "";
}

/*
 * Rule 14: a failed span's type is that of its last exception, else the first of four attributes that
 * it has; its message that of its last exception, else of its status.
 */
static void error_read(const Weir__Otlp__Span *span, struct seen_span *seen, char *number)
{
    static const char *const codes[] = {
        "error.type", "http.response.status_code", "http.status_code", "rpc.grpc.status_code"};
    seen->error_type = seen->error_message = "";
    for (size_t i = 0; i < span->n_events; i++) {
        const Weir__Otlp__Event *event = span->events[i];
        if (strcmp(event->name, "exception") != 0) continue;
        seen->error_type = text_of(event->attributes, event->n_attributes, "exception.type");
        seen->error_message = text_of(event->attributes, event->n_attributes, "exception.message");
    }
    for (size_t i = 0; i < 4 && *seen->error_type == '\0'; i++)
        seen->error_type = code_of(span, codes[i], number);
    if (*seen->error_message == '\0') seen->error_message = span->status->message;
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
            .trace_id = span->trace_id.data,
        };
        char number[32];
        if (seen.failed) error_read(span, &seen, number);
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
