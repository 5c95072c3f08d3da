/*
 * otlp_proto: OpenTelemetry traces as protobuf, read in place.
 *
 *   1. Only what a span keeps is read. All else is passed over by its length, so what is nested
 *      deeper is never entered, however deep, and is not checked either. A failed span keeps more:
 *      see schemas/otlp_error.h.
 *   2. Fields come in any order and messages in any number of pieces: the last scalar wins, the
 *      pieces of a message add up.
 *   3. A known field number under another wire type is an unknown field, and so passed over.
 *   4. Attributes are looked for in the span, then its scope, then its resource. In one list the
 *      first of a key wins. A value that has no text (array, list, bytes, nothing) is not there.
 *
 * source  opentelemetry-proto: trace/v1/trace.proto, common/v1/common.proto. Field 1000 was taken
 *         out of it after 0.18; it is read where scope_spans is absent, as the collector does.
 */
#include "schemas/decoder.h"
#include "schemas/otlp_error.h"
#include "schemas/wire.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SCOPE_SPANS = 2,
    INSTRUMENTATION_LIBRARY_SPANS = 1000,
    TRACE_ID_BYTES = 16,
    SPAN_ID_BYTES = 8,
    STATUS_ERROR = 2,
    NUMBER_TEXT_BYTES = 32, /* the longest double has 24 */
};

/* A field number and the wire type that it is known under (rule 3). */
#define TAG(number, type) ((uint32_t)(number) << 3 | (uint32_t)(type))

struct reader {
    struct spans *out;
    const struct bytes *key; /* [keys], the wanted attributes */
    uint32_t keys;
    uint64_t sizes;                           /* bit n: some wanted key has n bytes, modulo 64 */
    const uint8_t *fault;                     /* the byte that is malformed; NULL: too many spans */
    struct bytes service;                     /* of the resource being read */
    struct bytes of_resource[ATTRIBUTES_MAX]; /* as wanted; data NULL: absent */
    struct bytes of_scope[ATTRIBUTES_MAX];
    struct bytes of_span[ATTRIBUTES_MAX];
};

/* What one Span message says, before it is judged. */
struct fields {
    struct bytes trace_id, span_id, name;
    uint64_t start_ns, end_ns;
    uint32_t kind, code;
};

/* An AnyValue: the member that was set last. */
struct value {
    uint32_t tag; /* 0: none */
    uint64_t number;
    struct bytes bytes;
};

/* The end of a loop over fields: true where it was the end of the message. */
static bool ended(struct reader *r, const struct wire *wire, int more)
{
    if (more < 0) r->fault = wire->at;
    return more == 0;
}

static struct bytes text_cut(struct bytes text)
{
    if (text.size > SPAN_TEXT_MAX) text.size = SPAN_TEXT_MAX;
    return text;
}

/* A field as nearly all are: a tag and a length of one byte each. 0: it is not, or it is cut. */
static inline size_t plain_size(const uint8_t *at, const uint8_t *end, uint32_t tag)
{
    if (end - at < 2 || at[0] != tag || at[1] >= 0x80 || at[1] > end - at - 2) return 0;
    return 2 + (size_t)at[1];
}

static bool value_read(struct reader *r, struct wire wire, struct value *value)
{
    struct wire_field field = {0};
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        uint32_t tag = TAG(field.number, field.type);
        switch (tag) {
        case TAG(1, WIRE_BYTES):
        case TAG(2, WIRE_VARINT):
        case TAG(3, WIRE_VARINT):
        case TAG(4, WIRE_FIXED64):
        case TAG(5, WIRE_BYTES):
        case TAG(6, WIRE_BYTES):
        case TAG(7, WIRE_BYTES):
        case TAG(8, WIRE_VARINT):
            *value = (struct value){tag, field.value, field.bytes};
        }
    }
    return ended(r, &wire, more);
}

/* The text of a KeyValue that is a key and a text, and nothing else. */
static bool pair_text(const struct wire *pair, struct bytes *text)
{
    const uint8_t *at = pair->at;
    const uint8_t *value = at + plain_size(at, pair->end, TAG(1, WIRE_BYTES));
    size_t size = plain_size(value, pair->end, TAG(2, WIRE_BYTES));
    if (value == at || size < 4 || value + size != pair->end) return false;
    if (plain_size(value + 2, pair->end, TAG(1, WIRE_BYTES)) != size - 2) return false;
    *text = (struct bytes){value + 4, size - 4};
    return true;
}

/* The value of a KeyValue. */
static bool pair_value(struct reader *r, struct wire wire, struct value *value)
{
    struct wire_field field;
    int more;
    *value = (struct value){.tag = TAG(1, WIRE_BYTES)};
    if (pair_text(&wire, &value->bytes)) return true;
    *value = (struct value){0};
    while ((more = wire_next(&wire, &field)) > 0) {
        if (TAG(field.number, field.type) != TAG(2, WIRE_BYTES)) continue;
        if (!value_read(r, wire_inside(&wire, field.bytes), value)) return false;
    }
    return ended(r, &wire, more);
}

/* The key of a KeyValue; its value is passed over, as few are wanted. */
static bool pair_key(struct reader *r, struct wire wire, struct bytes *key)
{
    struct wire_field field;
    int more;
    *key = (struct bytes){0};
    while ((more = wire_next(&wire, &field)) > 0) {
        if (TAG(field.number, field.type) == TAG(1, WIRE_BYTES)) *key = field.bytes;
    }
    return ended(r, &wire, more);
}

static struct bytes text_kept(struct reader *r, const char *text, size_t size)
{
    uint8_t *kept = pool_take(&r->out->text, size);
    memcpy(kept, text, size);
    return (struct bytes){kept, size};
}

static struct bytes text_of_integer(struct reader *r, int64_t integer)
{
    char text[NUMBER_TEXT_BYTES];
    char *at = text + sizeof(text);
    uint64_t rest = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (integer < 0) *--at = '-';
    return text_kept(r, at, (size_t)(text + sizeof(text) - at));
}

/* The fewest digits that read back as the same number. */
static struct bytes text_of_double(struct reader *r, double number)
{
    char text[NUMBER_TEXT_BYTES];
    int size = 0;
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    return text_kept(r, text, (size_t)size);
}

static struct bytes text_of_value(struct reader *r, const struct value *value)
{
    switch (value->tag) {
    case TAG(1, WIRE_BYTES):
        return text_cut(value->bytes);
    case TAG(2, WIRE_VARINT):
        return bytes_of(value->number != 0 ? "true" : "false");
    case TAG(3, WIRE_VARINT):
        return text_of_integer(r, (int64_t)value->number);
    case TAG(4, WIRE_FIXED64):
        return text_of_double(r, wire_double(value->number));
    }
    return (struct bytes){0};
}

static bool is_wanted_size(const struct reader *r, size_t size)
{
    return (r->sizes >> (size & 63) & 1) != 0;
}

/* Keep the value of `pair` for each wanted key that is its own and not found yet. */
static bool pair_match(struct reader *r, struct wire pair, struct bytes key, struct bytes *found)
{
    for (uint32_t k = 0; k < r->keys; k++) {
        struct value value;
        if (found[k].data != NULL || !bytes_equal(key, r->key[k])) continue;
        if (!pair_value(r, pair, &value)) return false;
        found[k] = text_of_value(r, &value);
    }
    return true;
}

static bool pair_read_any(struct reader *r, struct wire pair, struct bytes *found)
{
    struct bytes key;
    if (!pair_key(r, pair, &key)) return false;
    return !is_wanted_size(r, key.size) || pair_match(r, pair, key, found);
}

/*
 * A pair as nearly all are: a key, then a value, and nothing else. Most attributes of most spans are
 * done with by this and the size of their key.
 */
static inline bool pair_read(struct reader *r, struct bytes pair, struct bytes *found)
{
    const uint8_t *end = pair.data + pair.size;
    size_t key = plain_size(pair.data, end, TAG(1, WIRE_BYTES));
    if (key == 0 || plain_size(pair.data + key, end, TAG(2, WIRE_BYTES)) != pair.size - key)
        return pair_read_any(r, wire_of(pair), found);
    if (!is_wanted_size(r, key - 2)) return true;
    return pair_match(r, wire_of(pair), (struct bytes){pair.data + 2, key - 2}, found);
}

static bool resource_pair_read(struct reader *r, struct wire pair)
{
    struct bytes key;
    struct value value;
    if (!pair_key(r, pair, &key)) return false;
    if (r->service.data == NULL && bytes_are(key, "service.name")) {
        if (!pair_value(r, pair, &value)) return false;
        if (value.tag == TAG(1, WIRE_BYTES) && value.bytes.size != 0)
            r->service = text_cut(value.bytes);
    }
    return pair_match(r, pair, key, r->of_resource);
}

static bool resource_read(struct reader *r, struct wire wire)
{
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (TAG(field.number, field.type) != TAG(1, WIRE_BYTES)) continue;
        if (!resource_pair_read(r, wire_inside(&wire, field.bytes))) return false;
    }
    return ended(r, &wire, more);
}

static bool scope_read(struct reader *r, struct wire wire)
{
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (TAG(field.number, field.type) != TAG(3, WIRE_BYTES)) continue;
        if (!pair_read(r, field.bytes, r->of_scope)) return false;
    }
    return ended(r, &wire, more);
}

static bool status_read(struct reader *r, struct wire wire, uint32_t *code)
{
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (TAG(field.number, field.type) == TAG(3, WIRE_VARINT)) *code = (uint32_t)field.value;
    }
    return ended(r, &wire, more);
}

/* The next field, if it is this one and plain. */
static inline bool take_bytes(struct wire *wire, uint32_t tag, struct bytes *bytes)
{
    size_t size = plain_size(wire->at, wire->end, tag);
    if (size == 0) return false;
    *bytes = (struct bytes){wire->at + 2, size - 2};
    wire->at += size;
    return true;
}

static inline void take_fixed64(struct wire *wire, uint32_t tag, uint64_t *value)
{
    const uint8_t *at = wire->at;
    if (wire->end - at < 9 || at[0] != tag) return;
    memcpy(value, at + 1, sizeof(*value)); /* little endian, as in schemas/wire.c */
    wire->at = at + 9;
}

static inline void take_small(struct wire *wire, uint32_t tag, uint32_t *value)
{
    const uint8_t *at = wire->at;
    if (wire->end - at < 2 || at[0] != tag || at[1] >= 0x80) return;
    *value = at[1];
    wire->at = at + 2;
}

/*
 * Nearly every exporter writes a span's fields by ascending number, so what is next is guessed rather
 * than looked up. Where a guess is wrong nothing is taken: the loop over fields reads what is left.
 */
static bool fields_guess(struct reader *r, struct wire *wire, struct fields *f)
{
    struct bytes other;
    take_bytes(wire, TAG(1, WIRE_BYTES), &f->trace_id);
    take_bytes(wire, TAG(2, WIRE_BYTES), &f->span_id);
    take_bytes(wire, TAG(3, WIRE_BYTES), &other); /* trace_state */
    take_bytes(wire, TAG(4, WIRE_BYTES), &other); /* parent_span_id */
    take_bytes(wire, TAG(5, WIRE_BYTES), &f->name);
    take_small(wire, TAG(6, WIRE_VARINT), &f->kind);
    take_fixed64(wire, TAG(7, WIRE_FIXED64), &f->start_ns);
    take_fixed64(wire, TAG(8, WIRE_FIXED64), &f->end_ns);
    while (take_bytes(wire, TAG(9, WIRE_BYTES), &other)) {
        if (r->keys != 0 && !pair_read(r, other, r->of_span)) return false;
    }
    return true;
}

static bool fields_read(struct reader *r, struct wire wire, struct fields *f)
{
    if (!fields_guess(r, &wire, f)) return false;
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        bool ok = true;
        switch (TAG(field.number, field.type)) {
        case TAG(1, WIRE_BYTES):
            f->trace_id = field.bytes;
            break;
        case TAG(2, WIRE_BYTES):
            f->span_id = field.bytes;
            break;
        case TAG(5, WIRE_BYTES):
            f->name = field.bytes;
            break;
        case TAG(6, WIRE_VARINT):
            f->kind = (uint32_t)field.value;
            break;
        case TAG(7, WIRE_FIXED64):
            f->start_ns = field.value;
            break;
        case TAG(8, WIRE_FIXED64):
            f->end_ns = field.value;
            break;
        case TAG(9, WIRE_BYTES):
            if (r->keys != 0) ok = pair_read(r, field.bytes, r->of_span);
            break;
        case TAG(15, WIRE_BYTES):
            ok = status_read(r, wire_inside(&wire, field.bytes), &f->code);
            break;
        }
        if (!ok) return false;
    }
    return ended(r, &wire, more);
}

static bool is_id(struct bytes id, size_t size)
{
    static const uint8_t zero[TRACE_ID_BYTES];
    return id.size == size && memcmp(id.data, zero, size) != 0;
}

static bool is_time(uint64_t ns)
{
    return ns != 0 && ns <= INT64_MAX;
}

static enum span_drop fields_judge(const struct fields *f)
{
    if (!is_id(f->trace_id, TRACE_ID_BYTES)) return DROP_TRACE_ID;
    if (!is_id(f->span_id, SPAN_ID_BYTES)) return DROP_SPAN_ID;
    if (!is_time(f->start_ns) || !is_time(f->end_ns)) return DROP_TIME;
    return DROP_COUNT;
}

static uint64_t duration_of(const struct fields *f)
{
    if (f->end_ns < f->start_ns) return 0;
    uint64_t duration_ns = f->end_ns - f->start_ns;
    return duration_ns < SPAN_DURATION_NS_MAX ? duration_ns : SPAN_DURATION_NS_MAX;
}

static void span_fill(const struct reader *r, const struct fields *f, struct span *span)
{
    span->service = r->service;
    span->operation = text_cut(f->name);
    span->trace_id = f->trace_id.data;
    span->span_id = f->span_id.data;
    span->start_ns = (int64_t)f->start_ns;
    span->end_ns = (int64_t)f->end_ns;
    span->duration_ns = duration_of(f);
    span->kind = f->kind < KIND_COUNT ? (uint8_t)f->kind : KIND_UNSPECIFIED;
    span->failed = f->code == STATUS_ERROR;
    for (uint32_t k = 0; k < r->keys; k++)
        r->out->attribute[span->attributes + k] = r->of_span[k];
}

static void attributes_clear(const struct reader *r, struct bytes *attribute)
{
    for (uint32_t k = 0; k < r->keys; k++)
        attribute[k] = (struct bytes){0};
}

/* What only failed spans are asked is read from the start again, so that others pay nothing for it. */
static bool error_read(struct reader *r, struct wire wire, struct span *span)
{
    const uint8_t *fault = otlp_error(wire, r->out, &span->error);
    if (fault != NULL) r->fault = fault;
    return fault == NULL;
}

static bool span_read(struct reader *r, struct wire wire)
{
    struct fields f = {.name = bytes_of("")};
    attributes_clear(r, r->of_span);
    if (!fields_read(r, wire, &f)) return false;
    enum span_drop drop = fields_judge(&f);
    if (drop != DROP_COUNT) {
        r->out->dropped[drop]++;
        return true;
    }
    struct span *span = spans_append(r->out);
    if (span == NULL) return false;
    span_fill(r, &f, span);
    return !span->failed || error_read(r, wire, span);
}

/* Spans of one scope: what they did not say themselves, the scope says, else the resource. */
static void scope_fill(struct reader *r, uint32_t first)
{
    for (uint32_t s = first; r->keys != 0 && s < r->out->count; s++) {
        struct bytes *attribute = &r->out->attribute[r->out->span[s].attributes];
        for (uint32_t k = 0; k < r->keys; k++) {
            if (attribute[k].data != NULL) continue;
            attribute[k] = r->of_scope[k].data != NULL ? r->of_scope[k] : r->of_resource[k];
        }
    }
}

/* The scope may follow its spans, so what it says is filled in at the end. */
static bool scope_spans_read(struct reader *r, struct wire wire)
{
    uint32_t first = r->out->count;
    struct wire_field field;
    int more;
    attributes_clear(r, r->of_scope);
    while ((more = wire_next(&wire, &field)) > 0) {
        bool ok = true;
        uint32_t tag = TAG(field.number, field.type);
        if (tag == TAG(2, WIRE_BYTES)) {
            ok = span_read(r, wire_inside(&wire, field.bytes));
        } else if (tag == TAG(1, WIRE_BYTES) && r->keys != 0) {
            ok = scope_read(r, wire_inside(&wire, field.bytes));
        }
        if (!ok) return false;
    }
    scope_fill(r, first);
    return ended(r, &wire, more);
}

/* The resource may follow its scopes, so all of it is read first; the scopes are hopped over. */
static bool resource_gather(struct reader *r, struct wire wire, uint32_t *scopes)
{
    struct wire_field field;
    int more;
    r->service = (struct bytes){0};
    attributes_clear(r, r->of_resource);
    *scopes = INSTRUMENTATION_LIBRARY_SPANS;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.type != WIRE_BYTES) continue;
        if (field.number == SCOPE_SPANS) *scopes = SCOPE_SPANS;
        if (field.number != 1) continue;
        if (!resource_read(r, wire_inside(&wire, field.bytes))) return false;
    }
    if (r->service.data == NULL) r->service = bytes_of("unknown_service");
    return ended(r, &wire, more);
}

static bool resource_spans_read(struct reader *r, struct wire wire)
{
    uint32_t scopes;
    if (!resource_gather(r, wire, &scopes)) return false;

    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (TAG(field.number, field.type) != TAG(scopes, WIRE_BYTES)) continue;
        if (!scope_spans_read(r, wire_inside(&wire, field.bytes))) return false;
    }
    return ended(r, &wire, more);
}

static bool traces_read(struct reader *r, struct wire wire)
{
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (TAG(field.number, field.type) != TAG(1, WIRE_BYTES)) continue;
        if (!resource_spans_read(r, wire_inside(&wire, field.bytes))) return false;
    }
    return ended(r, &wire, more);
}

static struct reader reader_of(struct spans *out)
{
    struct reader r = {.out = out};
    if (out->wanted == NULL) return r;
    r.key = out->wanted->key;
    r.keys = out->wanted->count;
    for (uint32_t k = 0; k < r.keys; k++)
        r.sizes |= UINT64_C(1) << (r.key[k].size & 63);
    return r;
}

static enum status otlp_refuse(const struct reader *r, struct bytes message, struct error *err)
{
    if (r->fault == NULL) {
        r->out->refusal = REFUSED_SPANS;
        return error_set(err, ST_SKIP, 0,
            "otlp_proto: over %d spans in one message; let the exporter send smaller batches",
            SPANS_MAX);
    }
    r->out->refusal = REFUSED_MALFORMED;
    r->out->refused_at = r->fault - message.data;
    return error_set(err, ST_SKIP, 0,
        "otlp_proto: malformed field at byte %zu of %zu; the message is damaged or in another "
        "encoding",
        (size_t)(r->fault - message.data), message.size);
}

static enum status otlp_decode(struct bytes message, struct spans *out, struct error *err)
{
    struct reader r = reader_of(out);
    uint32_t count = out->count;
    uint32_t dropped[DROP_COUNT];
    memcpy(dropped, out->dropped, sizeof(dropped));
    if (traces_read(&r, wire_of(message))) return ST_OK;

    out->count = count;
    memcpy(out->dropped, dropped, sizeof(dropped));
    return otlp_refuse(&r, message, err);
}

const struct decoder decoder_otlp_proto = {.name = "otlp_proto", .decode = otlp_decode};
