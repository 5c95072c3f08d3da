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
#define KEY(text)                                    \
    {                                                \
        (const uint8_t *)(text), sizeof(text "") - 1 \
    }
static const struct bytes code_keys[] = {KEY("error.type"), KEY("http.response.status_code"),
    KEY("http.status_code"), KEY("rpc.grpc.status_code")};
enum { CODES = sizeof(code_keys) / sizeof(code_keys[0]) };

/* An attribute whose value is a text or a whole number. */
struct pair {
    struct bytes key, text;
    bool is_number; /* else it is the text, which may be empty */
    int64_t number;
};

struct failure {
    struct bytes status, type, message;
    struct pair code[CODES]; /* as found; key.data NULL: not */
    const uint8_t *fault;    /* the byte that is malformed; NULL: none */
};

/* The end of a loop over fields: true where it was the end of the message. */
static bool ended(struct failure *f, const struct wire *wire, int more)
{
    if (more < 0) f->fault = wire->at;
    return more == 0;
}

static struct bytes cut(struct bytes text)
{
    if (text.size > SPAN_TEXT_MAX) text.size = SPAN_TEXT_MAX;
    return text;
}

/* An AnyValue: the member that was set last. */
static bool value_read(struct failure *f, struct wire wire, struct pair *pair)
{
    static const enum wire_type member[] = {[1] = WIRE_BYTES,
        WIRE_VARINT,
        WIRE_VARINT,
        WIRE_FIXED64,
        WIRE_BYTES,
        WIRE_BYTES,
        WIRE_BYTES,
        WIRE_VARINT};
    enum { TEXT = 1, INTEGER = 3, MEMBERS = sizeof(member) / sizeof(member[0]) };
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number >= MEMBERS || field.type != member[field.number]) continue;
        pair->text = field.number == TEXT ? cut(field.bytes) : (struct bytes){0};
        pair->is_number = field.number == INTEGER;
        pair->number = pair->is_number ? (int64_t)field.value : 0;
    }
    return ended(f, &wire, more);
}

static bool pair_read(struct failure *f, struct wire wire, struct pair *pair)
{
    struct wire_field field;
    int more;
    *pair = (struct pair){0};
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.type != WIRE_BYTES) continue;
        if (field.number == 1) pair->key = field.bytes;
        if (field.number != 2) continue;
        if (!value_read(f, wire_inside(&wire, field.bytes), pair)) return false;
    }
    return ended(f, &wire, more);
}

static void text_take(struct bytes *into, const struct pair *pair, const char *key)
{
    if (into->size == 0 && bytes_are(pair->key, key)) *into = pair->text;
}

static bool event_read(struct failure *f, struct wire wire)
{
    struct bytes name = {0}, type = {0}, message = {0};
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        struct pair pair;
        if (field.type != WIRE_BYTES) continue;
        if (field.number == EVENT_NAME) name = field.bytes;
        if (field.number != EVENT_ATTRIBUTE) continue;
        if (!pair_read(f, wire_inside(&wire, field.bytes), &pair)) return false;
        text_take(&type, &pair, "exception.type");
        text_take(&message, &pair, "exception.message");
    }
    if (bytes_are(name, "exception")) {
        f->type = type;
        f->message = message;
    }
    return ended(f, &wire, more);
}

static bool status_read(struct failure *f, struct wire wire)
{
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number == STATUS_MESSAGE && field.type == WIRE_BYTES)
            f->status = cut(field.bytes);
    }
    return ended(f, &wire, more);
}

/* A pair as nearly all are, a key and then a value, whose key has the size of none that is asked for. */
static bool is_another(const struct wire *pair)
{
    enum { KEY_TAG = 1 << 3 | WIRE_BYTES, VALUE_TAG = 2 << 3 | WIRE_BYTES };
    const uint8_t *at = pair->at;
    size_t size = (size_t)(pair->end - at);
    if (size < 4 || at[0] != KEY_TAG || at[1] >= 0x80 || size < 4 + (size_t)at[1]) return false;
    const uint8_t *value = at + 2 + at[1];
    if (value[0] != VALUE_TAG || value[1] >= 0x80 || value + 2 + value[1] != pair->end)
        return false;
    for (size_t i = 0; i < CODES; i++) {
        if (at[1] == code_keys[i].size) return false;
    }
    return true;
}

static bool attribute_read(struct failure *f, struct wire wire)
{
    struct pair pair;
    if (is_another(&wire)) return true;
    if (!pair_read(f, wire, &pair)) return false;
    if (pair.text.size == 0 && !pair.is_number) return true;
    for (size_t i = 0; i < CODES; i++) {
        if (f->code[i].key.data == NULL && bytes_equal(pair.key, code_keys[i])) f->code[i] = pair;
    }
    return true;
}

static bool failure_read(struct failure *f, struct wire wire)
{
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        bool ok = true;
        if (field.type != WIRE_BYTES) continue;
        struct wire inside = wire_inside(&wire, field.bytes);
        if (field.number == SPAN_ATTRIBUTE) ok = attribute_read(f, inside);
        if (field.number == SPAN_EVENT) ok = event_read(f, inside);
        if (field.number == SPAN_STATUS) ok = status_read(f, inside);
        if (!ok) return false;
    }
    return ended(f, &wire, more);
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

const uint8_t *otlp_error(struct wire span, struct spans *out, const struct span_error **error)
{
    struct failure f = {0};
    char number[NUMBER_TEXT_BYTES];
    if (!failure_read(&f, span)) return f.fault;
    struct bytes type = f.type.size != 0 ? f.type : code_text(&f, number);
    *error = spans_error(out, type, f.message.size != 0 ? f.message : f.status);
    return NULL;
}
