#include "schemas/exemplar.h"

enum { EXEMPLAR_KIND = 1, EXEMPLAR_TRACE_ID, EXEMPLAR_DURATION_NS };
enum { ERROR_KIND_TYPE = 1, ERROR_KIND_MESSAGE, ERROR_KIND_COUNT, ERROR_KIND_TRACE_ID };
enum { TRACE_BYTES = sizeof(((struct exemplar *)0)->trace_id) };

void exemplar_encode(const struct exemplar *exemplar, uint32_t field, struct buffer *out)
{
    size_t mark = wire_open(out, field);
    if (exemplar->kind != EXEMPLAR_SLOW) wire_put_uint(out, EXEMPLAR_KIND, exemplar->kind);
    wire_put_bytes(out, EXEMPLAR_TRACE_ID, (struct bytes){exemplar->trace_id, TRACE_BYTES});
    if (exemplar->duration_ns != 0) wire_put_uint(out, EXEMPLAR_DURATION_NS, exemplar->duration_ns);
    wire_close(out, mark);
}

void error_kind_encode(const struct error_kind *kind, uint32_t field, struct buffer *out)
{
    size_t mark = wire_open(out, field);
    if (kind->type.size != 0) wire_put_bytes(out, ERROR_KIND_TYPE, kind->type);
    if (kind->message.size != 0) wire_put_bytes(out, ERROR_KIND_MESSAGE, kind->message);
    wire_put_uint(out, ERROR_KIND_COUNT, kind->count);
    wire_put_bytes(out, ERROR_KIND_TRACE_ID, (struct bytes){kind->trace_id, TRACE_BYTES});
    wire_close(out, mark);
}

static bool trace_read(const struct wire_field *field, uint8_t trace_id[TRACE_BYTES])
{
    if (field->type != WIRE_BYTES || field->bytes.size != TRACE_BYTES) return false;
    memcpy(trace_id, field->bytes.data, TRACE_BYTES);
    return true;
}

static bool text_read(const struct wire_field *field, struct bytes *text)
{
    *text = field->bytes;
    return field->type == WIRE_BYTES && field->bytes.size <= ERROR_KIND_TEXT_MAX;
}

static bool exemplar_field(const struct wire_field *field, struct exemplar *exemplar)
{
    switch (field->number) {
    case EXEMPLAR_KIND:
        exemplar->kind = (uint8_t)field->value;
        return field->type == WIRE_VARINT && field->value <= EXEMPLAR_TYPICAL;
    case EXEMPLAR_TRACE_ID:
        return trace_read(field, exemplar->trace_id);
    case EXEMPLAR_DURATION_NS:
        exemplar->duration_ns = field->value;
        return field->type == WIRE_VARINT;
    }
    return true;
}

bool exemplar_decode(struct wire wire, struct exemplar *exemplar)
{
    struct wire_field field = {0};
    bool traced = false;
    int more;
    *exemplar = (struct exemplar){0};
    while ((more = wire_next(&wire, &field)) > 0) {
        if (!exemplar_field(&field, exemplar)) return false;
        traced = traced || field.number == EXEMPLAR_TRACE_ID;
    }
    return more == 0 && traced;
}

static bool error_kind_field(const struct wire_field *field, struct error_kind *kind)
{
    switch (field->number) {
    case ERROR_KIND_TYPE:
        return text_read(field, &kind->type);
    case ERROR_KIND_MESSAGE:
        return text_read(field, &kind->message);
    case ERROR_KIND_COUNT:
        kind->count = field->value;
        return field->type == WIRE_VARINT;
    case ERROR_KIND_TRACE_ID:
        return trace_read(field, kind->trace_id);
    }
    return true;
}

bool error_kind_decode(struct wire wire, struct error_kind *kind)
{
    struct wire_field field = {0};
    bool traced = false;
    int more;
    *kind = (struct error_kind){0};
    while ((more = wire_next(&wire, &field)) > 0) {
        if (!error_kind_field(&field, kind)) return false;
        traced = traced || field.number == ERROR_KIND_TRACE_ID;
    }
    return more == 0 && traced;
}
