/*
 * The protobuf wire format: reading field by field without copying, writing into a buffer.
 *
 * Our own messages (partials, rows, snapshots) are written by these few functions and described by
 * the .proto files beside them; tests hold both against protobuf-c.
 */
#ifndef SCHEMAS_WIRE_H
#define SCHEMAS_WIRE_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* A cursor over one message. */
struct wire {
    const uint8_t *at, *end;
    const uint8_t *start; /* of the outermost message, so that errors name its byte */
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;     /* varint and fixed types */
    struct bytes bytes; /* WIRE_BYTES */
};

static inline struct wire wire_of(struct bytes message)
{
    return (struct wire){
        message.data, message.size == 0 ? message.data : message.data + message.size, message.data};
}

/* A cursor over an embedded message. */
static inline struct wire wire_inside(const struct wire *outer, struct bytes message)
{
    return (struct wire){message.data, message.data + message.size, outer->start};
}

/* As wire_next, for any field. */
int wire_next_any(struct wire *wire, struct wire_field *field);

/*
 * Read the next field; groups are skipped.
 *
 * Nearly all fields of traces are texts and small messages: a tag and a length of one byte each.
 * Those are read here, in the caller's loop.
 *
 * returns  1 a field; 0 the end; -1 malformed: `wire->at` is the byte
 */
static inline int wire_next(struct wire *wire, struct wire_field *field)
{
    const uint8_t *at = wire->at;
    if (wire->end - at >= 2 && (at[0] & 0x87) == WIRE_BYTES && at[0] >= 8 && at[1] < 0x80 &&
        at[1] <= wire->end - at - 2) {
        field->number = at[0] >> 3;
        field->type = WIRE_BYTES;
        field->bytes = (struct bytes){at + 2, at[1]};
        wire->at = at + 2 + at[1];
        return 1;
    }
    return wire_next_any(wire, field);
}

/* A bare varint, as inside a packed field; false: cut short or over 64 bits. */
bool wire_varint(struct wire *wire, uint64_t *value);

/* Offset of the byte the cursor is at, for error texts. */
static inline size_t wire_offset(const struct wire *wire)
{
    return (size_t)(wire->at - wire->start);
}

static inline int64_t wire_zigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

double wire_double(uint64_t bits);

/* Writing. Zero values are written too; the caller leaves out what is default. */
void wire_put_varint(struct buffer *out, uint64_t value); /* bare, as inside a packed field */
void wire_put_uint(struct buffer *out, uint32_t field, uint64_t value);
void wire_put_sint(struct buffer *out, uint32_t field, int64_t value); /* zigzag */
void wire_put_fixed64(struct buffer *out, uint32_t field, uint64_t value);
void wire_put_double(struct buffer *out, uint32_t field, double value);
void wire_put_bytes(struct buffer *out, uint32_t field, struct bytes bytes);

/* An embedded message: open, write its fields, close with the mark that open gave. */
size_t wire_open(struct buffer *out, uint32_t field);
void wire_close(struct buffer *out, size_t mark);

#endif
