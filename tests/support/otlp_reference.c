#include "tests/support/otlp_reference.h"

#include "otlp_check.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef Weir__Check__TracesData Traces;
typedef Weir__Check__ResourceSpans ResourceSpans;
typedef Weir__Check__ScopeSpans ScopeSpans;
typedef Weir__Check__Span Span;
typedef Weir__Check__Event Event;
typedef Weir__Check__KeyValue KeyValue;
typedef Weir__Check__AnyValue AnyValue;

static struct bytes view(const ProtobufCBinaryData *data)
{
    /* protobuf-c has no data where the size is 0; a span's empty value is there all the same. */
    if (data->len == 0) return bytes_of("");
    return (struct bytes){data->data, data->len < SPAN_TEXT_MAX ? data->len : SPAN_TEXT_MAX};
}

static struct bytes keep(struct spans *spans, const char *text)
{
    size_t size = strlen(text);
    return (struct bytes){memcpy(pool_take(&spans->text, size + 1), text, size + 1), size};
}

static struct bytes double_text(struct spans *spans, double number)
{
    char text[64];
    double back = 0;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, number);
        if (sscanf(text, "%lf", &back) == 1 && back == number) break;
    }
    return keep(spans, text);
}

/* The piece that set a member last is the value. */
static const AnyValue *value_of(const KeyValue *pair)
{
    for (size_t i = pair->n_value; i > 0; i--) {
        if (pair->value[i - 1]->value_case != 0) return pair->value[i - 1];
    }
    return NULL;
}

static struct bytes text_of(struct spans *spans, const AnyValue *value)
{
    char text[64];
    if (value == NULL) return (struct bytes){0};
    switch ((int)value->value_case) {
    case WEIR__CHECK__ANY_VALUE__VALUE_STRING_VALUE:
        return view(&value->string_value);
    case WEIR__CHECK__ANY_VALUE__VALUE_BOOL_VALUE:
        return bytes_of(value->bool_value ? "true" : "false");
    case WEIR__CHECK__ANY_VALUE__VALUE_INT_VALUE:
        snprintf(text, sizeof(text), "%" PRId64, value->int_value);
        return keep(spans, text);
    case WEIR__CHECK__ANY_VALUE__VALUE_DOUBLE_VALUE:
        return double_text(spans, value->double_value);
    }
    return (struct bytes){0};
}

static bool has_key(const KeyValue *pair, struct bytes key)
{
    return bytes_equal((struct bytes){pair->key.data, pair->key.len}, key);
}

/* The first pair of that key whose value has a text. */
static struct bytes look_up(
    struct spans *spans, KeyValue *const *pair, size_t pairs, struct bytes key)
{
    for (size_t i = 0; i < pairs; i++) {
        if (!has_key(pair[i], key)) continue;
        struct bytes text = text_of(spans, value_of(pair[i]));
        if (text.data != NULL) return text;
    }
    return (struct bytes){0};
}

static struct bytes attribute_of(struct spans *spans, const ResourceSpans *resource,
    const ScopeSpans *scope, const Span *span, struct bytes key)
{
    struct bytes text = look_up(spans, span->attributes, span->n_attributes, key);
    for (size_t i = 0; text.data == NULL && i < scope->n_scope; i++)
        text = look_up(spans, scope->scope[i]->attributes, scope->scope[i]->n_attributes, key);
    for (size_t i = 0; text.data == NULL && i < resource->n_resource; i++)
        text = look_up(
            spans, resource->resource[i]->attributes, resource->resource[i]->n_attributes, key);
    return text;
}

static struct bytes service_of(const ResourceSpans *resource)
{
    for (size_t i = 0; i < resource->n_resource; i++) {
        for (size_t a = 0; a < resource->resource[i]->n_attributes; a++) {
            const KeyValue *pair = resource->resource[i]->attributes[a];
            const AnyValue *value = value_of(pair);
            if (!has_key(pair, bytes_of("service.name")) || value == NULL) continue;
            if (value->value_case != WEIR__CHECK__ANY_VALUE__VALUE_STRING_VALUE) continue;
            if (value->string_value.len != 0) return view(&value->string_value);
        }
    }
    return bytes_of("unknown_service");
}

static bool is_zero(const ProtobufCBinaryData *id)
{
    for (size_t i = 0; i < id->len; i++) {
        if (id->data[i] != 0) return false;
    }
    return true;
}

static bool is_failed(const Span *span)
{
    int32_t code = 0;
    for (size_t i = 0; i < span->n_status; i++) {
        if (span->status[i]->has_code) code = span->status[i]->code;
    }
    return code == 2;
}

/* The first pair of that key whose value is a text with something in it. */
static struct bytes first_text(KeyValue *const *pair, size_t pairs, const char *key)
{
    for (size_t i = 0; i < pairs; i++) {
        const AnyValue *value = value_of(pair[i]);
        if (value == NULL || !has_key(pair[i], bytes_of(key))) continue;
        if (value->value_case == WEIR__CHECK__ANY_VALUE__VALUE_STRING_VALUE &&
            value->string_value.len != 0)
            return view(&value->string_value);
    }
    return bytes_of("");
}

/* The first attribute of that key that is a text with something in it, or a whole number. */
static struct bytes code_of(struct spans *spans, const Span *span, const char *key)
{
    for (size_t i = 0; i < span->n_attributes; i++) {
        const AnyValue *value = value_of(span->attributes[i]);
        if (value == NULL || !has_key(span->attributes[i], bytes_of(key))) continue;
        if (value->value_case != WEIR__CHECK__ANY_VALUE__VALUE_STRING_VALUE &&
            value->value_case != WEIR__CHECK__ANY_VALUE__VALUE_INT_VALUE)
            continue;
        struct bytes text = text_of(spans, value);
        if (text.size != 0) return text;
    }
    return bytes_of("");
}

static struct bytes status_message(const Span *span)
{
    for (size_t i = span->n_status; i > 0; i--) {
        if (span->status[i - 1]->has_message) return view(&span->status[i - 1]->message);
    }
    return bytes_of("");
}

static const struct span_error *error_of(struct spans *spans, const Span *span)
{
    static const char *const codes[] = {
        "error.type", "http.response.status_code", "http.status_code", "rpc.grpc.status_code"};
    struct bytes type = {0}, message = {0};
    for (size_t i = span->n_events; i > 0 && type.data == NULL; i--) {
        const Event *event = span->events[i - 1];
        if (event->name.len != 9 || memcmp(event->name.data, "exception", 9) != 0) continue;
        type = first_text(event->attributes, event->n_attributes, "exception.type");
        message = first_text(event->attributes, event->n_attributes, "exception.message");
    }
    for (size_t i = 0; i < 4 && type.size == 0; i++)
        type = code_of(spans, span, codes[i]);
    return spans_error(spans, type, message.size != 0 ? message : status_message(span));
}

static enum span_drop judge(const Span *span)
{
    if (span->trace_id.len != 16 || is_zero(&span->trace_id)) return DROP_TRACE_ID;
    if (span->span_id.len != 8 || is_zero(&span->span_id)) return DROP_SPAN_ID;
    if ((int64_t)span->start_time_unix_nano <= 0) return DROP_TIME;
    if ((int64_t)span->end_time_unix_nano <= 0) return DROP_TIME;
    return DROP_COUNT;
}

static void take_span(
    struct spans *out, const ResourceSpans *resource, const ScopeSpans *scope, const Span *in)
{
    if (judge(in) != DROP_COUNT) {
        out->dropped[judge(in)]++;
        return;
    }
    struct span *span = spans_append(out);
    if (span == NULL) return;
    span->service = service_of(resource);
    span->operation = view(&in->name);
    span->trace_id = in->trace_id.data;
    span->span_id = in->span_id.data;
    span->start_ns = (int64_t)in->start_time_unix_nano;
    span->end_ns = (int64_t)in->end_time_unix_nano;
    int64_t duration_ns = span->end_ns - span->start_ns;
    if (duration_ns > SPAN_DURATION_NS_MAX) duration_ns = SPAN_DURATION_NS_MAX;
    span->duration_ns = duration_ns < 0 ? 0 : (uint64_t)duration_ns;
    span->kind = in->kind >= 0 && in->kind <= 5 ? (uint8_t)in->kind : 0;
    span->failed = is_failed(in);
    if (span->failed) span->error = error_of(out, in);
    for (uint32_t k = 0; out->wanted != NULL && k < out->wanted->count; k++) {
        out->attribute[span->attributes + k] =
            attribute_of(out, resource, scope, in, out->wanted->key[k]);
    }
}

static void take_scopes(
    struct spans *out, const ResourceSpans *resource, ScopeSpans *const *scope, size_t scopes)
{
    for (size_t s = 0; s < scopes; s++) {
        for (size_t i = 0; i < scope[s]->n_spans; i++)
            take_span(out, resource, scope[s], scope[s]->spans[i]);
    }
}

bool reference_decode(struct bytes message, const struct projection *wanted, struct reference *out)
{
    Traces *traces = weir__check__traces_data__unpack(NULL, message.size, message.data);
    *out = (struct reference){.spans.wanted = wanted, .unpacked = traces};
    if (traces == NULL) return false;

    for (size_t r = 0; r < traces->n_resource_spans; r++) {
        const ResourceSpans *resource = traces->resource_spans[r];
        if (resource->n_scope_spans != 0) {
            take_scopes(&out->spans, resource, resource->scope_spans, resource->n_scope_spans);
        } else {
            take_scopes(&out->spans, resource, resource->instrumentation_library_spans,
                resource->n_instrumentation_library_spans);
        }
    }
    return true;
}

void reference_release(struct reference *reference)
{
    spans_release(&reference->spans);
    weir__check__traces_data__free_unpacked(reference->unpacked, NULL);
    reference->unpacked = NULL;
}

static const char *error_difference(const struct span_error *a, const struct span_error *b)
{
    if ((a == NULL) != (b == NULL)) return "presence of an error";
    if (a == NULL) return NULL;
    if (!bytes_equal(a->type, b->type)) return "type of an error";
    if (!bytes_equal(a->message, b->message)) return "message of an error";
    return a->hash == b->hash ? NULL : "hash of an error";
}

static const char *span_difference(const struct span *a, const struct span *b)
{
    if (!bytes_equal(a->service, b->service)) return "service";
    if (!bytes_equal(a->operation, b->operation)) return "operation";
    if (memcmp(a->trace_id, b->trace_id, 16) != 0) return "trace_id";
    if (memcmp(a->span_id, b->span_id, 8) != 0) return "span_id";
    if (a->start_ns != b->start_ns) return "start_ns";
    if (a->end_ns != b->end_ns) return "end_ns";
    if (a->duration_ns != b->duration_ns) return "duration_ns";
    if (a->kind != b->kind) return "kind";
    if (a->failed != b->failed) return "failed";
    if (a->verdict != 0 || a->skewed) return "verdict or skewed is set";
    return error_difference(a->error, b->error);
}

static const char *attributes_differ(
    const struct bytes *ours, const struct bytes *theirs, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        if ((ours[k].data == NULL) != (theirs[k].data == NULL)) return "presence of an attribute";
        if (!bytes_equal(ours[k], theirs[k])) return "text of an attribute";
    }
    return NULL;
}

const char *reference_difference(const struct spans *ours, const struct spans *theirs)
{
    uint32_t keys = ours->wanted == NULL ? 0 : ours->wanted->count;
    if (ours->count != theirs->count) return "number of spans";
    for (int d = 0; d < DROP_COUNT; d++) {
        if (ours->dropped[d] != theirs->dropped[d]) return "number of dropped spans";
    }
    for (uint32_t i = 0; i < ours->count; i++) {
        const struct span *a = &ours->span[i], *b = &theirs->span[i];
        const char *difference = span_difference(a, b);
        if (difference == NULL && keys != 0)
            difference = attributes_differ(
                ours->attribute + a->attributes, theirs->attribute + b->attributes, keys);
        if (difference != NULL) return difference;
    }
    return NULL;
}

/* Bytes of the varint at `at`, with no regard to its value; 0: it does not end. */
static size_t varint_bytes(const uint8_t *at, const uint8_t *end)
{
    for (size_t i = 0; i < 10 && at + i < end; i++) {
        if (at[i] < 0x80) return i + 1;
    }
    return 0;
}

bool reference_minds_not(struct bytes message, size_t offset)
{
    const uint8_t *at = message.data + offset, *end = message.data + message.size;
    size_t tag = varint_bytes(at, end);
    if (tag == 0 || tag > 5) return false;
    if (tag == 5 && at[4] > 0x0f) return true;
    if (tag == 1 && at[0] < 8) return true;

    bool zero = (at[0] & 0x78) == 0;
    for (size_t i = 1; i < tag; i++)
        zero = zero && (at[i] & 0x7f) == 0;
    if (zero) return true;
    return (at[0] & 7) == 0 && varint_bytes(at + tag, end) == 10 && at[tag + 9] > 1;
}

/* The number after "at byte", where our reader names one; SIZE_MAX: it names none. */
static size_t byte_named(const struct error *err)
{
    const char *at = strstr(err->text, "at byte ");
    return at == NULL ? SIZE_MAX : (size_t)strtoull(at + strlen("at byte "), NULL, 10);
}

static const char *compare(enum status status, const struct spans *ours, const struct error *err,
    struct bytes message, const struct reference *theirs)
{
    if (status == ST_OK)
        return theirs->unpacked == NULL ? NULL : reference_difference(ours, &theirs->spans);
    if (status != ST_SKIP || err->status != ST_SKIP)
        return "refused by another status than ST_SKIP";
    if (ours->count != 0) return "spans left behind by a refused message";
    if (byte_named(err) >= message.size) return "the byte named is outside of the message";
    if (theirs->unpacked == NULL || reference_minds_not(message, byte_named(err))) return NULL;
    return "refused by us, taken by protobuf-c";
}

const char *reference_disagreement(struct bytes message, const struct projection *wanted)
{
    struct spans ours = {.wanted = wanted};
    struct error err = {0};
    struct reference theirs;
    enum status status = decoder_find("otlp_proto")->decode(message, &ours, &err);
    reference_decode(message, wanted, &theirs);
    const char *difference = compare(status, &ours, &err, message, &theirs);
    reference_release(&theirs);
    spans_release(&ours);
    return difference;
}
