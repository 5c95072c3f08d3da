#include "schemas/wire.h"

bool wire_varint(struct wire *wire, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 70 && wire->at < wire->end; shift += 7) {
        uint8_t byte = *wire->at++;
        if (shift == 63 && byte > 1) return false;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return true;
        }
    }
    return false;
}

static bool wire_fixed(struct wire *wire, unsigned bytes, uint64_t *value)
{
    if ((size_t)(wire->end - wire->at) < bytes) return false;
    *value = 0;
    memcpy(value, wire->at, bytes); /* little endian, as every machine we build for */
    wire->at += bytes;
    return true;
}

static bool wire_bytes(struct wire *wire, struct bytes *bytes)
{
    uint64_t size;
    if (!wire_varint(wire, &size) || size > (uint64_t)(wire->end - wire->at)) return false;
    *bytes = (struct bytes){wire->at, (size_t)size};
    wire->at += size;
    return true;
}

enum { GROUP_START = 3, GROUP_END = 4, GROUPS_MAX = 64 };

static bool wire_value(struct wire *wire, struct wire_field *field)
{
    switch (field->type) {
    case WIRE_VARINT:
        return wire_varint(wire, &field->value);
    case WIRE_FIXED64:
        return wire_fixed(wire, 8, &field->value);
    case WIRE_BYTES:
        return wire_bytes(wire, &field->bytes);
    case WIRE_FIXED32:
        return wire_fixed(wire, 4, &field->value);
    }
    return false;
}

static bool wire_tag(struct wire *wire, uint32_t *number, unsigned *type)
{
    uint64_t tag;
    if (!wire_varint(wire, &tag) || tag > UINT32_MAX || tag >> 3 == 0) return false;
    *number = (uint32_t)(tag >> 3);
    *type = (unsigned)(tag & 7);
    return true;
}

/* Skip to the end of the group `number`, whose start tag was just read. */
static bool wire_group(struct wire *wire, uint32_t number)
{
    uint32_t open[GROUPS_MAX] = {number};
    unsigned depth = 1;
    while (depth > 0) {
        struct wire_field field;
        unsigned type = GROUP_END;
        if (wire->at >= wire->end || !wire_tag(wire, &field.number, &type)) return false;
        if (type == GROUP_START) {
            if (depth == GROUPS_MAX) return false;
            open[depth++] = field.number;
        } else if (type == GROUP_END) {
            if (open[--depth] != field.number) return false;
        } else {
            field.type = (enum wire_type)type;
            if (!wire_value(wire, &field)) return false;
        }
    }
    return true;
}

int wire_next_any(struct wire *wire, struct wire_field *field)
{
    while (wire->at < wire->end) {
        const uint8_t *begin = wire->at;
        unsigned type = GROUP_END;
        bool ok = wire_tag(wire, &field->number, &type);
        if (ok && type == GROUP_START) {
            if (wire_group(wire, field->number)) continue;
            ok = false;
        }
        field->type = (enum wire_type)type;
        if (ok && type != GROUP_END && wire_value(wire, field)) return 1;
        wire->at = begin;
        return -1;
    }
    return 0;
}

double wire_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

void wire_put_varint(struct buffer *out, uint64_t value)
{
    uint8_t *at = buffer_room(out, 10);
    size_t size = 0;
    while (value >= 0x80) {
        at[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[size++] = (uint8_t)value;
    out->size += size;
}

static void wire_put_tag(struct buffer *out, uint32_t field, enum wire_type type)
{
    wire_put_varint(out, (uint64_t)field << 3 | type);
}

void wire_put_uint(struct buffer *out, uint32_t field, uint64_t value)
{
    wire_put_tag(out, field, WIRE_VARINT);
    wire_put_varint(out, value);
}

void wire_put_sint(struct buffer *out, uint32_t field, int64_t value)
{
    wire_put_uint(out, field, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void wire_put_fixed64(struct buffer *out, uint32_t field, uint64_t value)
{
    wire_put_tag(out, field, WIRE_FIXED64);
    buffer_append(out, &value, sizeof(value));
}

void wire_put_double(struct buffer *out, uint32_t field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    wire_put_fixed64(out, field, bits);
}

void wire_put_bytes(struct buffer *out, uint32_t field, struct bytes bytes)
{
    wire_put_tag(out, field, WIRE_BYTES);
    wire_put_varint(out, bytes.size);
    buffer_append(out, bytes.data, bytes.size);
}

size_t wire_open(struct buffer *out, uint32_t field)
{
    wire_put_tag(out, field, WIRE_BYTES);
    return out->size;
}

void wire_close(struct buffer *out, size_t mark)
{
    size_t size = out->size - mark;
    uint8_t length[10];
    size_t bytes = 0;
    for (size_t rest = size; rest >= 0x80; rest >>= 7)
        length[bytes++] = (uint8_t)(rest | 0x80);
    length[bytes] = (uint8_t)(size >> (7 * bytes));
    bytes++;

    buffer_room(out, bytes);
    memmove(out->data + mark + bytes, out->data + mark, size);
    memcpy(out->data + mark, length, bytes);
    out->size += bytes;
}
