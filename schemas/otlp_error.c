#include "schemas/otlp_error.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    SPAN_ATTRIBUTE = 9,
    SPAN_EVENT = 11,
    SPAN_STATUS = 15,
    EVENT_NAME = 2,
    EVENT_ATTRIBUTE = 3,
    STATUS_MESSAGE = 2,
    NUMBER_TEXT_BYTES = 24,
};

/* Attributes that tell a code, the best first. */
static const char *const code_keys[] = {
    "error.type", "http.response.status_code", "http.status_code", "rpc.grpc.status_code"};
enum { CODES = sizeof(code_keys) / sizeof(code_keys[0]) };

/* An attribute whose value is a text or a whole number. */
struct pair {
    struct bytes key, text; /* text.data NULL: no text */
    bool is_number;
    int64_t number;
};

struct failure {
    struct bytes status, type, message;
    struct pair code[CODES]; /* as found; key.data NULL: not */
};

static struct bytes cut(struct bytes text)
{
    if (text.size > SPAN_TEXT_MAX) text.size = SPAN_TEXT_MAX;
    return text;
}

/* An AnyValue: the member that was set last. */
static void value_read(struct wire wire, struct pair *pair)
{
    static const enum wire_type member[] = {[1] = WIRE_BYTES, WIRE_VARINT, WIRE_VARINT,
        WIRE_FIXED64, WIRE_BYTES, WIRE_BYTES, WIRE_BYTES, WIRE_VARINT};
    enum { TEXT = 1, INTEGER = 3, MEMBERS = sizeof(member) / sizeof(member[0]) };
    struct wire_field field;
    while (wire_next(&wire, &field) > 0) {
        if (field.number >= MEMBERS || field.type != member[field.number]) continue;
        pair->text = field.number == TEXT ? cut(field.bytes) : (struct bytes){0};
        pair->is_number = field.number == INTEGER;
        pair->number = pair->is_number ? (int64_t)field.value : 0;
    }
}

static struct pair pair_read(struct wire wire)
{
    struct pair pair = {0};
    struct wire_field field;
    while (wire_next(&wire, &field) > 0) {
        if (field.type != WIRE_BYTES) continue;
        if (field.number == 1) pair.key = field.bytes;
        if (field.number == 2) value_read(wire_inside(&wire, field.bytes), &pair);
    }
    return pair;
}

/* The first of a key wins. */
static void text_take(struct bytes *into, const struct pair *pair, const char *key)
{
    if (into->size == 0 && bytes_are(pair->key, key)) *into = pair->text;
}

static void event_read(struct wire wire, struct failure *f)
{
    struct bytes name = {0}, type = {0}, message = {0};
    struct wire_field field;
    while (wire_next(&wire, &field) > 0) {
        if (field.type != WIRE_BYTES) continue;
        if (field.number == EVENT_NAME) name = field.bytes;
        if (field.number != EVENT_ATTRIBUTE) continue;
        struct pair pair = pair_read(wire_inside(&wire, field.bytes));
        text_take(&type, &pair, "exception.type");
        text_take(&message, &pair, "exception.message");
    }
    if (!bytes_are(name, "exception")) return;
    f->type = type;
    f->message = message;
}

static void status_read(struct wire wire, struct failure *f)
{
    struct wire_field field;
    while (wire_next(&wire, &field) > 0) {
        if (field.number == STATUS_MESSAGE && field.type == WIRE_BYTES)
            f->status = cut(field.bytes);
    }
}

static void attribute_read(struct wire wire, struct failure *f)
{
    struct pair pair = pair_read(wire);
    if (pair.text.size == 0 && !pair.is_number) return;
    for (size_t i = 0; i < CODES; i++) {
        if (f->code[i].key.data == NULL && bytes_are(pair.key, code_keys[i])) f->code[i] = pair;
    }
}

static void failure_read(struct wire wire, struct failure *f)
{
    struct wire_field field;
    while (wire_next(&wire, &field) > 0) {
        if (field.type != WIRE_BYTES) continue;
        struct wire inside = wire_inside(&wire, field.bytes);
        if (field.number == SPAN_ATTRIBUTE) attribute_read(inside, f);
        if (field.number == SPAN_EVENT) event_read(inside, f);
        if (field.number == SPAN_STATUS) status_read(inside, f);
    }
}

/* The best code there is, as text. */
static struct bytes code_text(const struct failure *f, char number[NUMBER_TEXT_BYTES])
{
    for (size_t i = 0; i < CODES; i++) {
        const struct pair *pair = &f->code[i];
        if (pair->key.data == NULL) continue;
        if (!pair->is_number) return pair->text;
        snprintf(number, NUMBER_TEXT_BYTES, "%" PRId64, pair->number);
        return bytes_of(number);
    }
    return (struct bytes){0};
}

const struct span_error *otlp_error(struct wire span, struct spans *out)
{
    struct failure f = {0};
    char number[NUMBER_TEXT_BYTES];
    failure_read(span, &f);
    struct bytes type = f.type.size != 0 ? f.type : code_text(&f, number);
    return spans_error(out, type, f.message.size != 0 ? f.message : f.status);
}
