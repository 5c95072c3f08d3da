#include "schemas/otlp_write.h"

#include "schemas/wire.h"

static void write_attribute(
    struct buffer *out, uint32_t field, const struct otlp_attribute *attribute)
{
    size_t pair = wire_open(out, field);
    wire_put_bytes(out, 1, attribute->key);
    size_t value = wire_open(out, 2);
    wire_put_bytes(out, 1, attribute->value);
    wire_close(out, value);
    wire_close(out, pair);
}

void otlp_resource_open(struct buffer *out, struct bytes service,
    const struct otlp_attribute *attribute, size_t attributes, struct otlp_resource *marks)
{
    marks->outer = wire_open(out, 1);
    size_t resource = wire_open(out, 1);
    struct otlp_attribute name = {.key = bytes_of("service.name"), .value = service};
    if (service.size != 0) write_attribute(out, 1, &name);
    for (size_t i = 0; i < attributes; i++)
        write_attribute(out, 1, &attribute[i]);
    wire_close(out, resource);
    marks->scope = wire_open(out, 2);
}

void otlp_resource_close(struct buffer *out, const struct otlp_resource *marks)
{
    wire_close(out, marks->scope);
    wire_close(out, marks->outer);
}

static bool is_root(const struct otlp_span *span)
{
    static const uint8_t none[sizeof(span->parent_id)];
    return memcmp(span->parent_id, none, sizeof(none)) == 0;
}

static void write_exception(struct buffer *out, const struct otlp_span *span)
{
    if (span->exception == NULL) return;
    struct otlp_attribute type = {bytes_of("exception.type"), span->exception->type};
    struct otlp_attribute message = {bytes_of("exception.message"), span->exception->message};
    size_t event = wire_open(out, 11);
    wire_put_fixed64(out, 1, (uint64_t)span->end_ns);
    wire_put_bytes(out, 2, bytes_of("exception"));
    if (type.value.size != 0) write_attribute(out, 3, &type);
    if (message.value.size != 0) write_attribute(out, 3, &message);
    wire_close(out, event);
}

static void write_status(struct buffer *out, const struct otlp_span *span)
{
    if (!span->failed && span->status_message.size == 0) return;

    size_t status = wire_open(out, 15);
    if (span->status_message.size != 0) wire_put_bytes(out, 2, span->status_message);
    if (span->failed) wire_put_uint(out, 3, 2);
    wire_close(out, status);
}

void otlp_write_span(struct buffer *out, const struct otlp_span *span)
{
    size_t mark = wire_open(out, 2);
    wire_put_bytes(out, 1, (struct bytes){span->trace_id, sizeof(span->trace_id)});
    wire_put_bytes(out, 2, (struct bytes){span->span_id, sizeof(span->span_id)});
    if (!is_root(span))
        wire_put_bytes(out, 4, (struct bytes){span->parent_id, sizeof(span->parent_id)});
    wire_put_bytes(out, 5, span->name);
    if (span->kind != 0) wire_put_uint(out, 6, span->kind);
    wire_put_fixed64(out, 7, (uint64_t)span->start_ns);
    wire_put_fixed64(out, 8, (uint64_t)span->end_ns);
    for (size_t i = 0; i < span->attributes; i++)
        write_attribute(out, 9, &span->attribute[i]);
    write_exception(out, span);
    write_status(out, span);
    wire_close(out, mark);
}
