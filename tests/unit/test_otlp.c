/*
 * The OTLP reader keeps the rules of schemas/otlp.c: each on a message made by hand, all of them
 * together against protobuf-c on a real capture, on random messages and on damaged ones.
 */
#include "engine/base/memory.h"
#include "otlp.pb-c.h"
#include "schemas/decoder.h"
#include "schemas/otlp_write.h"
#include "schemas/wire.h"
#include "tests/support/capture.h"
#include "tests/support/otlp_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { START = 1000, END = 3500 };

static const uint8_t trace_id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t span_id[8] = {21, 22, 23, 24, 25, 26, 27, 28};
static const uint8_t zero_id[16];

/* One message being made, and what was decoded from it. */
struct fixture {
    struct buffer message;
    struct spans spans;
    struct projection wanted;
    struct error err;
};

static int fixture_begin(void **state)
{
    *state = memory_zeroed(1, sizeof(struct fixture));
    return 0;
}

static int fixture_end(void **state)
{
    struct fixture *f = *state;
    buffer_release(&f->message);
    spans_release(&f->spans);
    free(f);
    return 0;
}

static void want(struct fixture *f, const char *key)
{
    f->wanted.key[f->wanted.count++] = bytes_of(key);
    f->spans.wanted = &f->wanted;
}

static enum status decode_bytes(struct fixture *f, struct bytes message)
{
    return decoder_find("otlp_proto")->decode(message, &f->spans, &f->err);
}

/* Decode what was made, which must be taken, and by protobuf-c just so where it takes it too. */
static void decode(struct fixture *f)
{
    spans_reset(&f->spans);
    assert_int_equal(decode_bytes(f, buffer_bytes(&f->message)), ST_OK);
    assert_null(reference_disagreement(buffer_bytes(&f->message), f->spans.wanted));
}

static struct span *decode_one(struct fixture *f)
{
    decode(f);
    assert_int_equal(f->spans.count, 1);
    return &f->spans.span[0];
}

static void expect_text(struct bytes bytes, const char *text)
{
    if (!bytes_are(bytes, text))
        fail_msg("\"%.*s\" is not \"%s\"", (int)bytes.size, (const char *)bytes.data, text);
}

static void expect_attribute(const struct fixture *f, uint32_t span, uint32_t key, const char *text)
{
    struct bytes got = f->spans.attribute[f->spans.span[span].attributes + key];
    if (text == NULL) {
        assert_null(got.data);
    } else {
        assert_non_null(got.data);
        expect_text(got, text);
    }
}

static void put_id(struct buffer *out, uint32_t field, const uint8_t *id, size_t size)
{
    wire_put_bytes(out, field, (struct bytes){id, size});
}

/* The fields that every span needs. */
static void put_needed(struct buffer *out)
{
    put_id(out, 1, trace_id, 16);
    put_id(out, 2, span_id, 8);
    wire_put_fixed64(out, 7, START);
    wire_put_fixed64(out, 8, END);
}

static void put_pair(struct buffer *out, uint32_t field, const char *key, const char *text)
{
    size_t pair = wire_open(out, field);
    wire_put_bytes(out, 1, bytes_of(key));
    size_t value = wire_open(out, 2);
    wire_put_bytes(out, 1, bytes_of(text));
    wire_close(out, value);
    wire_close(out, pair);
}

static void put_service(struct buffer *out, const char *service)
{
    size_t resource = wire_open(out, 1);
    put_pair(out, 1, "service.name", service);
    wire_close(out, resource);
}

static void put_named_span(struct buffer *out, const char *name)
{
    size_t span = wire_open(out, 2);
    put_needed(out);
    wire_put_bytes(out, 5, bytes_of(name));
    wire_close(out, span);
}

/* Marks of what lies around a span: ResourceSpans, ScopeSpans, Span. */
struct around {
    size_t outer, scope, span;
};

static struct around open_span(struct buffer *out)
{
    struct around a;
    a.outer = wire_open(out, 1);
    a.scope = wire_open(out, 2);
    a.span = wire_open(out, 2);
    return a;
}

static void close_span(struct buffer *out, struct around a)
{
    wire_close(out, a.span);
    wire_close(out, a.scope);
    wire_close(out, a.outer);
}

static void what_the_writer_writes_is_read(void **state)
{
    struct fixture *f = *state;
    struct otlp_attribute pod = {bytes_of("pod"), bytes_of("p-1")};
    struct otlp_attribute code = {bytes_of("code"), bytes_of("200")};
    struct otlp_exception exception = {bytes_of("Boom"), bytes_of("at 0x7f00")};
    struct otlp_span span = {.name = bytes_of("GET /"),
        .kind = KIND_SERVER,
        .start_ns = START,
        .end_ns = END,
        .failed = true,
        .status_message = bytes_of("boom"),
        .exception = &exception,
        .attribute = &code,
        .attributes = 1};
    memcpy(span.trace_id, trace_id, sizeof(trace_id));
    memcpy(span.span_id, span_id, sizeof(span_id));
    memcpy(span.parent_id, trace_id, sizeof(span.parent_id));
    struct otlp_resource marks;
    otlp_resource_open(&f->message, bytes_of("cart"), &pod, 1, &marks);
    otlp_write_span(&f->message, &span);
    otlp_resource_close(&f->message, &marks);
    want(f, "pod");
    want(f, "code");

    struct span *got = decode_one(f);
    expect_text(got->service, "cart");
    expect_text(got->operation, "GET /");
    assert_memory_equal(got->trace_id, trace_id, 16);
    assert_memory_equal(got->span_id, span_id, 8);
    assert_int_equal(got->start_ns, START);
    assert_int_equal(got->end_ns, END);
    assert_int_equal(got->duration_ns, END - START);
    assert_int_equal(got->kind, KIND_SERVER);
    assert_true(got->failed);
    expect_text(got->error->type, "Boom");
    expect_text(got->error->message, "at <hex>");
    expect_attribute(f, 0, 0, "p-1");
    expect_attribute(f, 0, 1, "200");
}

static void protobuf_c_reads_all_that_the_writer_writes(void **state)
{
    struct fixture *f = *state;
    struct otlp_attribute code = {bytes_of("code"), bytes_of("200")};
    struct otlp_exception exception = {bytes_of("Boom"), bytes_of("at 0x7f00")};
    struct otlp_span span = {.name = bytes_of("GET /"),
        .kind = KIND_CLIENT,
        .start_ns = START,
        .end_ns = END,
        .failed = true,
        .status_message = bytes_of("boom"),
        .exception = &exception,
        .attribute = &code,
        .attributes = 1,
        .parent_id = {9}};
    struct otlp_resource marks;
    otlp_resource_open(&f->message, bytes_of(""), NULL, 0, &marks);
    otlp_write_span(&f->message, &span);
    span.parent_id[0] = 0;
    otlp_write_span(&f->message, &span);
    otlp_resource_close(&f->message, &marks);

    Weir__Otlp__TracesData *traces =
        weir__otlp__traces_data__unpack(NULL, f->message.size, f->message.data);
    assert_non_null(traces);
    const Weir__Otlp__ResourceSpans *resource = traces->resource_spans[0];
    assert_int_equal(resource->resource->n_attributes, 0);
    const Weir__Otlp__Span *child = resource->scope_spans[0]->spans[0];
    assert_int_equal(child->trace_id.len, 16);
    assert_int_equal(child->span_id.len, 8);
    assert_int_equal(child->parent_span_id.len, 8);
    assert_string_equal(child->name, "GET /");
    assert_int_equal(child->kind, WEIR__OTLP__SPAN_KIND__SPAN_KIND_CLIENT);
    assert_int_equal(child->start_time_unix_nano, START);
    assert_int_equal(child->end_time_unix_nano, END);
    assert_int_equal(child->n_attributes, 1);
    assert_string_equal(child->attributes[0]->value->string_value, "200");
    assert_int_equal(child->status->code, WEIR__OTLP__STATUS_CODE__STATUS_CODE_ERROR);
    assert_string_equal(child->status->message, "boom");
    assert_int_equal(child->n_events, 1);
    assert_string_equal(child->events[0]->name, "exception");
    assert_int_equal(child->events[0]->time_unix_nano, END);
    assert_string_equal(child->events[0]->attributes[0]->key, "exception.type");
    assert_string_equal(child->events[0]->attributes[0]->value->string_value, "Boom");
    assert_string_equal(child->events[0]->attributes[1]->key, "exception.message");
    assert_string_equal(child->events[0]->attributes[1]->value->string_value, "at 0x7f00");
    assert_int_equal(resource->scope_spans[0]->spans[1]->parent_span_id.len, 0);
    weir__otlp__traces_data__free_unpacked(traces, NULL);
}

static void an_empty_message_has_no_spans(void **state)
{
    struct fixture *f = *state;
    decode(f);
    assert_int_equal(f->spans.count, 0);
}

static void spans_are_appended_to_those_of_earlier_messages(void **state)
{
    struct fixture *f = *state;
    struct around a = open_span(&f->message);
    put_needed(&f->message);
    close_span(&f->message, a);
    want(f, "k");
    assert_int_equal(decode_bytes(f, buffer_bytes(&f->message)), ST_OK);
    assert_int_equal(decode_bytes(f, buffer_bytes(&f->message)), ST_OK);
    assert_int_equal(f->spans.count, 2);
    assert_int_equal(f->spans.span[1].attributes, 1);
}

static void a_service_without_a_name_is_unknown(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    struct around a = open_span(out);
    put_needed(out);
    close_span(out, a);
    expect_text(decode_one(f)->service, "unknown_service");
    expect_text(f->spans.span[0].operation, "");

    out->size = 0;
    size_t outer = wire_open(out, 1);
    put_service(out, "");
    size_t resource = wire_open(out, 1);
    size_t pair = wire_open(out, 1);
    wire_put_bytes(out, 1, bytes_of("service.name"));
    size_t value = wire_open(out, 2);
    wire_put_uint(out, 3, 7);
    wire_close(out, value);
    wire_close(out, pair);
    wire_close(out, resource);
    size_t scope = wire_open(out, 2);
    put_named_span(out, "x");
    wire_close(out, scope);
    wire_close(out, outer);
    expect_text(decode_one(f)->service, "unknown_service");
}

static void each_resource_names_its_own_spans(void **state)
{
    struct fixture *f = *state;
    static const char *const service[] = {"cart", NULL, "shop"};
    for (size_t i = 0; i < 3; i++) {
        size_t outer = wire_open(&f->message, 1);
        if (service[i] != NULL) put_service(&f->message, service[i]);
        size_t scope = wire_open(&f->message, 2);
        put_named_span(&f->message, "x");
        wire_close(&f->message, scope);
        wire_close(&f->message, outer);
    }
    decode(f);
    expect_text(f->spans.span[0].service, "cart");
    expect_text(f->spans.span[1].service, "unknown_service");
    expect_text(f->spans.span[2].service, "shop");
}

static void a_resource_may_follow_its_scopes_and_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    size_t outer = wire_open(out, 1);
    size_t piece = wire_open(out, 1);
    put_pair(out, 1, "pod", "p-1");
    wire_close(out, piece);
    size_t scope = wire_open(out, 2);
    put_named_span(out, "x");
    wire_close(out, scope);
    put_service(out, "cart");
    put_service(out, "late");
    wire_close(out, outer);
    want(f, "pod");

    expect_text(decode_one(f)->service, "cart");
    expect_attribute(f, 0, 0, "p-1");
}

static void a_scope_may_follow_its_spans_and_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    size_t outer = wire_open(out, 1);
    for (int s = 0; s < 2; s++) {
        size_t scope = wire_open(out, 2);
        put_named_span(out, "x");
        for (int i = 0; s == 0 && i < 2; i++) {
            size_t piece = wire_open(out, 1);
            put_pair(out, 3, i == 0 ? "a" : "b", i == 0 ? "1" : "2");
            wire_close(out, piece);
        }
        wire_close(out, scope);
    }
    wire_close(out, outer);
    want(f, "a");
    want(f, "b");

    decode(f);
    expect_attribute(f, 0, 0, "1");
    expect_attribute(f, 0, 1, "2");
    expect_attribute(f, 1, 0, NULL);
    expect_attribute(f, 1, 1, NULL);
}

static void a_status_may_come_in_pieces_of_which_the_last_code_wins(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t code[3]; /* 9: a piece with a message only */
        bool failed;
    } cases[] = {{{2, 9, 9}, true}, {{9, 1, 2}, true}, {{2, 2, 0}, false}, {{1, 9, 9}, false}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        f->message.size = 0;
        struct around a = open_span(&f->message);
        for (int i = 0; i < 3; i++) {
            size_t status = wire_open(&f->message, 15);
            if (cases[c].code[i] == 9) wire_put_bytes(&f->message, 2, bytes_of("boom"));
            if (cases[c].code[i] != 9) wire_put_uint(&f->message, 3, cases[c].code[i]);
            wire_close(&f->message, status);
        }
        put_needed(&f->message);
        close_span(&f->message, a);
        assert_int_equal(decode_one(f)->failed, cases[c].failed);
    }
}

static void of_a_scalar_given_twice_the_last_wins(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    struct around a = open_span(out);
    put_id(out, 1, zero_id, 16);
    put_id(out, 2, span_id, 3);
    wire_put_bytes(out, 5, bytes_of("first"));
    wire_put_uint(out, 6, 1);
    wire_put_fixed64(out, 7, 1);
    wire_put_fixed64(out, 8, 0);
    wire_put_uint(out, 6, 4);
    wire_put_bytes(out, 5, bytes_of("last"));
    put_needed(out);
    close_span(out, a);

    struct span *span = decode_one(f);
    expect_text(span->operation, "last");
    assert_int_equal(span->kind, KIND_PRODUCER);
    assert_int_equal(span->start_ns, START);
    assert_int_equal(span->end_ns, END);
}

static void field_1000_is_read_only_without_field_2(void **state)
{
    struct fixture *f = *state;
    for (int both = 0; both <= 1; both++) {
        f->message.size = 0;
        size_t outer = wire_open(&f->message, 1);
        size_t old = wire_open(&f->message, 1000);
        put_named_span(&f->message, "old");
        put_named_span(&f->message, "older");
        wire_close(&f->message, old);
        put_service(&f->message, "cart");
        if (both) {
            size_t scope = wire_open(&f->message, 2);
            put_named_span(&f->message, "new");
            wire_close(&f->message, scope);
        }
        wire_close(&f->message, outer);
        decode(f);
        assert_int_equal(f->spans.count, both ? 1 : 2);
        expect_text(f->spans.span[0].operation, both ? "new" : "old");
        expect_text(f->spans.span[0].service, "cart");
    }
}

/* Unknown fields of every wire type, and a group with a group in it. */
static void put_unknown(struct buffer *out)
{
    static const uint8_t groups[] = {0xab, 0x06, 0x0b, 0x08, 0x05, 0x0c, 0xac, 0x06};
    static const uint8_t fixed32[] = {0xb5, 0x06, 1, 2, 3, 4};
    wire_put_uint(out, 99, 5);
    wire_put_fixed64(out, 98, 5);
    wire_put_bytes(out, 97, bytes_of("\xff\xff\xff"));
    buffer_append(out, groups, sizeof(groups));
    buffer_append(out, fixed32, sizeof(fixed32));
}

static void unknown_fields_and_groups_are_passed_over(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    put_unknown(out);
    struct around a;
    a.outer = wire_open(out, 1);
    put_unknown(out);
    put_service(out, "cart");
    a.scope = wire_open(out, 2);
    put_unknown(out);
    a.span = wire_open(out, 2);
    put_unknown(out);
    put_needed(out);
    put_unknown(out);
    put_pair(out, 9, "k", "v");
    close_span(out, a);
    put_unknown(out);
    want(f, "k");

    expect_text(decode_one(f)->service, "cart");
    expect_attribute(f, 0, 0, "v");
}

static void a_known_number_under_another_wire_type_is_unknown(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    wire_put_uint(out, 1, 5);
    size_t outer = wire_open(out, 1);
    wire_put_uint(out, 1, 5);
    wire_put_fixed64(out, 2, 5);
    size_t old = wire_open(out, 1000);
    wire_put_uint(out, 1, 5);
    wire_put_uint(out, 2, 5);
    size_t span = wire_open(out, 2);
    put_needed(out);
    wire_put_uint(out, 1, 5);
    wire_put_uint(out, 2, 5);
    wire_put_uint(out, 5, 5);
    wire_put_bytes(out, 6, bytes_of("\x02"));
    wire_put_uint(out, 7, 5);
    wire_put_bytes(out, 8, bytes_of("12345678"));
    wire_put_uint(out, 9, 5);
    wire_put_fixed64(out, 15, 5);
    wire_close(out, span);
    wire_close(out, old);
    wire_close(out, outer);

    struct span *got = decode_one(f);
    assert_int_equal(got->start_ns, START);
    assert_int_equal(got->end_ns, END);
    assert_int_equal(got->kind, KIND_UNSPECIFIED);
    assert_memory_equal(got->trace_id, trace_id, 16);
}

static void expect_drop(struct fixture *f, enum span_drop drop)
{
    decode(f);
    assert_int_equal(f->spans.count, 1); /* the good one */
    for (int d = 0; d < DROP_COUNT; d++)
        assert_int_equal(f->spans.dropped[d], d == (int)drop);
    f->message.size = 0;
}

/* A good span, then one with other ids. */
static void put_ids(struct fixture *f, struct bytes trace, struct bytes span)
{
    struct around a = open_span(&f->message);
    put_needed(&f->message);
    wire_close(&f->message, a.span);
    a.span = wire_open(&f->message, 2);
    put_needed(&f->message);
    wire_put_bytes(&f->message, 1, trace);
    wire_put_bytes(&f->message, 2, span);
    close_span(&f->message, a);
}

static void spans_with_bad_ids_are_dropped_and_counted(void **state)
{
    struct fixture *f = *state;
    struct bytes trace = {trace_id, 16}, span = {span_id, 8};
    static const size_t trace_sizes[] = {0, 8, 15}, span_sizes[] = {0, 7};
    for (size_t i = 0; i < 3; i++) {
        put_ids(f, (struct bytes){trace_id, trace_sizes[i]}, span);
        expect_drop(f, DROP_TRACE_ID);
    }
    put_ids(f, (struct bytes){zero_id, 16}, span);
    expect_drop(f, DROP_TRACE_ID);
    for (size_t i = 0; i < 2; i++) {
        put_ids(f, trace, (struct bytes){span_id, span_sizes[i]});
        expect_drop(f, DROP_SPAN_ID);
    }
    put_ids(f, trace, (struct bytes){trace_id, 16});
    expect_drop(f, DROP_SPAN_ID);
    put_ids(f, trace, (struct bytes){zero_id, 8});
    expect_drop(f, DROP_SPAN_ID);
}

static void spans_without_ids_are_dropped(void **state)
{
    struct fixture *f = *state;
    struct around a = open_span(&f->message);
    close_span(&f->message, a);
    decode(f);
    assert_int_equal(f->spans.count, 0);
    assert_int_equal(f->spans.dropped[DROP_TRACE_ID], 1);
}

static void put_times(struct buffer *out, uint64_t start_ns, uint64_t end_ns)
{
    struct around a = open_span(out);
    put_id(out, 1, trace_id, 16);
    put_id(out, 2, span_id, 8);
    if (start_ns != 0) wire_put_fixed64(out, 7, start_ns);
    if (end_ns != 0) wire_put_fixed64(out, 8, end_ns);
    close_span(out, a);
}

static void spans_with_bad_times_are_dropped_and_counted(void **state)
{
    struct fixture *f = *state;
    static const uint64_t times[][2] = {
        {0, END}, {START, 0}, {UINT64_C(1) << 63, END}, {START, UINT64_MAX}};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        put_times(&f->message, START, END);
        put_times(&f->message, times[i][0], times[i][1]);
        expect_drop(f, DROP_TIME);
    }
}

static void durations_are_from_0_to_the_limit(void **state)
{
    struct fixture *f = *state;
    static const uint64_t limit = SPAN_DURATION_NS_MAX;
    static const uint64_t cases[][3] = {{5, 4, 0}, {5, 5, 0}, {5, 6, 1}, {1, INT64_MAX, limit},
        {INT64_MAX, 1, 0}, {1, limit, limit - 1}, {1, limit + 1, limit}, {1, limit + 2, limit}};
    enum { CASES = sizeof(cases) / sizeof(cases[0]) };
    for (size_t i = 0; i < CASES; i++)
        put_times(&f->message, cases[i][0], cases[i][1]);
    decode(f);
    assert_int_equal(f->spans.count, CASES);
    for (size_t i = 0; i < CASES; i++) {
        assert_true(f->spans.span[i].duration_ns == cases[i][2]);
        assert_true((uint64_t)f->spans.span[i].end_ns == cases[i][1]);
    }
}

static void kinds_that_do_not_exist_are_unspecified(void **state)
{
    struct fixture *f = *state;
    static const uint64_t cases[][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}, {6, 0},
        {UINT64_MAX, 0}, {(UINT64_C(1) << 32) + 2, 2}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->message.size = 0;
        struct around a = open_span(&f->message);
        put_needed(&f->message);
        wire_put_uint(&f->message, 6, cases[i][0]);
        close_span(&f->message, a);
        assert_int_equal(decode_one(f)->kind, cases[i][1]);
    }
}

static void long_texts_are_cut(void **state)
{
    struct fixture *f = *state;
    char text[SPAN_TEXT_MAX + 2];
    for (size_t size = SPAN_TEXT_MAX - 1; size <= SPAN_TEXT_MAX + 1; size++) {
        memset(text, 'x', size);
        text[size] = '\0';
        f->message.size = 0;
        f->wanted.count = 0;
        want(f, "k");
        struct around a;
        a.outer = wire_open(&f->message, 1);
        put_service(&f->message, text);
        a.scope = wire_open(&f->message, 2);
        a.span = wire_open(&f->message, 2);
        put_needed(&f->message);
        wire_put_bytes(&f->message, 5, bytes_of(text));
        put_pair(&f->message, 9, "k", text);
        close_span(&f->message, a);
        size_t cut = size < SPAN_TEXT_MAX ? size : SPAN_TEXT_MAX;
        assert_int_equal(decode_one(f)->service.size, cut);
        assert_int_equal(f->spans.span[0].operation.size, cut);
        assert_int_equal(f->spans.attribute[0].size, cut);
    }
}

/* A pair whose value is `size` bytes of AnyValue. */
static void put_value(struct buffer *out, uint32_t field, const char *key, struct bytes value)
{
    size_t pair = wire_open(out, field);
    wire_put_bytes(out, 2, value);
    wire_put_bytes(out, 1, bytes_of(key));
    wire_close(out, pair);
}

static void attributes_are_those_of_span_then_scope_then_resource(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    struct around a;
    a.outer = wire_open(out, 1);
    size_t resource = wire_open(out, 1);
    put_pair(out, 1, "a", "resource");
    put_pair(out, 1, "b", "resource");
    put_pair(out, 1, "c", "resource");
    put_pair(out, 1, "c", "again");
    put_pair(out, 1, "d", "resource");
    wire_close(out, resource);
    a.scope = wire_open(out, 2);
    size_t scope = wire_open(out, 1);
    put_pair(out, 3, "a", "scope");
    put_pair(out, 3, "b", "scope");
    put_pair(out, 3, "b", "again");
    wire_close(out, scope);
    a.span = wire_open(out, 2);
    put_needed(out);
    put_pair(out, 9, "a", "span");
    put_pair(out, 9, "a", "again");
    put_value(out, 9, "d", (struct bytes){(const uint8_t *)"\x2a\x00", 2}); /* an array */
    put_pair(out, 9, "", "no key");
    close_span(out, a);
    static const char *const keys[] = {"a", "b", "c", "d", "e", "a", ""};
    static const char *const texts[] = {
        "span", "scope", "resource", "resource", NULL, "span", "no key"};
    for (size_t k = 0; k < 7; k++)
        want(f, keys[k]);

    decode_one(f);
    for (uint32_t k = 0; k < 7; k++)
        expect_attribute(f, 0, k, texts[k]);
}

static void put_any(struct buffer *out, uint32_t field, enum wire_type type, uint64_t value)
{
    if (type == WIRE_VARINT) wire_put_uint(out, field, value);
    if (type == WIRE_FIXED64) wire_put_fixed64(out, field, value);
    if (type == WIRE_BYTES) wire_put_bytes(out, field, bytes_of("text"));
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

static void values_are_written_out_as_text(void **state)
{
    struct fixture *f = *state;
    const struct {
        uint32_t field;
        enum wire_type type;
        uint64_t value;
        const char *text;
    } cases[] = {
        {1, WIRE_BYTES, 0, "text"},
        {2, WIRE_VARINT, 0, "false"},
        {2, WIRE_VARINT, 1, "true"},
        {2, WIRE_VARINT, UINT64_C(1) << 40, "true"},
        {3, WIRE_VARINT, 0, "0"},
        {3, WIRE_VARINT, 404, "404"},
        {3, WIRE_VARINT, UINT64_MAX, "-1"},
        {3, WIRE_VARINT, INT64_MAX, "9223372036854775807"},
        {3, WIRE_VARINT, UINT64_C(1) << 63, "-9223372036854775808"},
        {4, WIRE_FIXED64, bits_of(0.0), "0"},
        {4, WIRE_FIXED64, bits_of(0.1), "0.1"},
        {4, WIRE_FIXED64, bits_of(-12.5), "-12.5"},
        {4, WIRE_FIXED64, bits_of(0.1 + 0.2), "0.30000000000000004"},
        {4, WIRE_FIXED64, bits_of(-1.7976931348623157e308), "-1.7976931348623157e+308"},
        {4, WIRE_FIXED64, bits_of(1.0 / 3), "0.3333333333333333"},
        {5, WIRE_BYTES, 0, NULL},
        {6, WIRE_BYTES, 0, NULL},
        {7, WIRE_BYTES, 0, NULL},
        {8, WIRE_VARINT, 3, NULL},
        {9, WIRE_VARINT, 3, NULL},
    };
    want(f, "k");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer value = {0};
        put_any(&value, cases[i].field, cases[i].type, cases[i].value);
        f->message.size = 0;
        struct around a = open_span(&f->message);
        put_needed(&f->message);
        put_value(&f->message, 9, "k", buffer_bytes(&value));
        close_span(&f->message, a);
        decode_one(f);
        expect_attribute(f, 0, 0, cases[i].text);
        buffer_release(&value);
    }
}

static void a_value_in_pieces_is_what_was_set_last(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    struct around a = open_span(out);
    put_needed(out);
    size_t pair = wire_open(out, 9);
    wire_put_bytes(out, 1, bytes_of("other"));
    size_t value = wire_open(out, 2);
    wire_put_bytes(out, 1, bytes_of("text"));
    wire_put_uint(out, 3, 5);
    wire_close(out, value);
    value = wire_open(out, 2);
    wire_put_bytes(out, 5, bytes_of(""));
    wire_put_bytes(out, 1, bytes_of("set last"));
    wire_close(out, value);
    value = wire_open(out, 2);
    wire_close(out, value);
    wire_put_bytes(out, 1, bytes_of("k"));
    wire_close(out, pair);
    close_span(out, a);
    want(f, "k");
    want(f, "other");

    decode_one(f);
    expect_attribute(f, 0, 0, "set last");
    expect_attribute(f, 0, 1, NULL);
}

static void put_event(struct buffer *out, const char *name, const char *type, const char *message)
{
    size_t event = wire_open(out, 11);
    if (type != NULL) put_pair(out, 3, "exception.type", type);
    if (message != NULL) put_pair(out, 3, "exception.message", message);
    wire_put_bytes(out, 2, bytes_of(name)); /* behind its attributes */
    wire_close(out, event);
}

static void put_status(struct buffer *out, uint64_t code, const char *message)
{
    size_t status = wire_open(out, 15);
    if (message != NULL) wire_put_bytes(out, 2, bytes_of(message));
    wire_put_uint(out, 3, code);
    wire_close(out, status);
}

static void put_number(struct buffer *out, const char *key, uint64_t number)
{
    struct buffer value = {0};
    wire_put_uint(&value, 3, number);
    put_value(out, 9, key, buffer_bytes(&value));
    buffer_release(&value);
}

/* type NULL: the span has no error at all */
static void expect_error(struct fixture *f, struct around a, const char *type, const char *message)
{
    put_needed(&f->message);
    close_span(&f->message, a);
    const struct span_error *error = decode_one(f)->error;
    if (type == NULL) {
        assert_null(error);
    } else {
        assert_non_null(error);
        expect_text(error->type, type);
        expect_text(error->message, message);
        assert_true(error->hash == span_error_hash(error->type, error->message));
    }
    f->message.size = 0;
}

static void a_failed_span_says_why_in_any_order_of_its_fields(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    struct around a = open_span(out);
    put_status(out, 2, "status");
    put_event(out, "exception", "TimeoutError", "no answer within 250 ms");
    put_event(out, "retry", "NotThis", "nor this");
    expect_error(f, a, "TimeoutError", "no answer within <num> ms");

    a = open_span(out);
    put_event(out, "exception", "First", "first");
    put_event(out, "exception", "Last", NULL);
    put_number(out, "http.status_code", 500);
    put_status(out, 2, "the status of order 17");
    expect_error(f, a, "Last", "the status of order <num>");

    a = open_span(out);
    put_event(out, "exception", NULL, "only a message");
    put_number(out, "rpc.grpc.status_code", 14);
    put_status(out, 2, NULL);
    expect_error(f, a, "14", "only a message");
}

static void a_code_stands_in_for_an_exception_type(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    static const char *const keys[] = {
        "rpc.grpc.status_code", "http.status_code", "http.response.status_code", "error.type"};
    for (size_t upto = 1; upto <= 4; upto++) { /* each is better than those before it */
        char text[8];
        struct around a = open_span(out);
        for (size_t i = 0; i < upto; i++)
            put_number(out, keys[i], 500 + i);
        put_pair(out, 9, keys[upto - 1], "not the first of its key");
        put_status(out, 2, NULL);
        snprintf(text, sizeof(text), "%zu", 500 + upto - 1);
        expect_error(f, a, text, "");
    }
    struct around a = open_span(out);
    put_pair(out, 9, "error.type", "");
    put_pair(out, 9, "error.type", "java.net.ConnectException");
    put_status(out, 2, NULL);
    expect_error(f, a, "java.net.ConnectException", "");

    a = open_span(out);
    put_number(out, "http.status_code", UINT64_MAX); /* -1 */
    put_status(out, 2, NULL);
    expect_error(f, a, "-1", "");
}

static void a_span_that_did_not_fail_or_says_nothing_has_no_error(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    struct around a = open_span(out);
    put_event(out, "exception", "Handled", "it went on");
    put_number(out, "http.status_code", 404);
    put_status(out, 1, "fine");
    expect_error(f, a, NULL, NULL);

    a = open_span(out);
    put_event(out, "exception", NULL, NULL);
    put_status(out, 2, "");
    expect_error(f, a, NULL, NULL);
}

static void events_are_only_looked_into_where_a_span_failed(void **state)
{
    struct fixture *f = *state;
    for (uint64_t code = 1; code <= 2; code++) {
        struct around a = open_span(&f->message);
        put_needed(&f->message);
        put_status(&f->message, code, NULL);
        size_t at = f->message.size + 2 + 3; /* behind its tag and length, and three more lengths */
        wire_put_bytes(&f->message, 11, bytes_of("\x1a\x05oops"));
        close_span(&f->message, a);
        spans_reset(&f->spans);
        enum status status = decode_bytes(f, buffer_bytes(&f->message));
        assert_int_equal(status, code == 1 ? ST_OK : ST_SKIP);
        if (status == ST_SKIP) assert_int_equal(f->spans.refused_at, at);
        f->message.size = 0;
    }
}

static void what_is_nested_deep_is_not_entered(void **state)
{
    struct fixture *f = *state;
    enum { DEEP = 20000 };
    struct buffer array = {0}, around = {0};
    for (int depth = 0; depth < DEEP; depth++) {
        around.size = 0;
        wire_put_bytes(&around, depth % 2 == 0 ? 1 : 5, buffer_bytes(&array));
        struct buffer swap = array;
        array = around;
        around = swap;
    }
    struct around a = open_span(&f->message);
    put_needed(&f->message);
    put_value(&f->message, 9, "k", buffer_bytes(&array));
    close_span(&f->message, a);
    want(f, "k");

    decode_one(f);
    expect_attribute(f, 0, 0, NULL);
    buffer_release(&array);
    buffer_release(&around);
}

static void a_message_over_the_limit_of_spans_is_set_aside(void **state)
{
    struct fixture *f = *state;
    struct buffer *out = &f->message;
    size_t outer = wire_open(out, 1);
    size_t scope = wire_open(out, 2);
    for (int i = 0; i < SPANS_MAX; i++)
        put_named_span(out, "x");
    wire_close(out, scope);
    wire_close(out, outer);
    assert_int_equal(decode_bytes(f, buffer_bytes(out)), ST_OK);
    assert_int_equal(f->spans.count, SPANS_MAX);

    spans_reset(&f->spans);
    struct around a = open_span(out);
    put_needed(out);
    close_span(out, a);
    assert_int_equal(decode_bytes(f, buffer_bytes(out)), ST_SKIP);
    assert_int_equal(f->spans.count, 0);
    assert_non_null(strstr(f->err.text, "over 262144 spans"));
}

static void a_malformed_message_is_set_aside_whole_and_its_byte_named(void **state)
{
    struct fixture *f = *state;
    struct around a = open_span(&f->message);
    put_needed(&f->message);
    wire_close(&f->message, a.span);
    a.span = wire_open(&f->message, 2);
    wire_close(&f->message, a.span);
    wire_close(&f->message, a.scope);
    wire_close(&f->message, a.outer);
    assert_int_equal(decode_bytes(f, buffer_bytes(&f->message)), ST_OK);
    assert_int_equal(f->spans.dropped[DROP_TRACE_ID], 1);

    char named[32];
    snprintf(named, sizeof(named), "at byte %zu of", f->message.size);
    buffer_append(&f->message, "\x0a\x05oops", 6);
    assert_int_equal(decode_bytes(f, buffer_bytes(&f->message)), ST_SKIP);
    assert_int_equal(f->err.status, ST_SKIP);
    assert_int_equal(f->spans.count, 1); /* as before the call */
    assert_int_equal(f->spans.dropped[DROP_TRACE_ID], 1);
    assert_non_null(strstr(f->err.text, named));
}

static void messages_of_other_encodings_are_set_aside(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(decode_bytes(f, bytes_of("{\"resourceSpans\":[]}")), ST_SKIP);
    assert_non_null(strstr(f->err.text, "otlp_proto: malformed field at byte 0 of 20"));
    assert_int_equal(decode_bytes(f, bytes_of("not a message")), ST_SKIP);
    assert_int_equal(f->spans.count, 0);
}

/* source  S. Vigna, splitmix64.c, 2015 (public domain) */
static uint64_t draw(uint64_t *seed, uint64_t below)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static const char *const dealt_keys[] = {"a", "b", "", "service.name", "ab", "error.type",
    "http.response.status_code", "http.status_code", "rpc.grpc.status_code", "exception.type",
    "exception.message"};
enum { DEALT_KEYS = sizeof(dealt_keys) / sizeof(dealt_keys[0]) };

static void deal_value(struct buffer *out, uint64_t *seed)
{
    for (uint64_t left = draw(seed, 3); left > 0; left--) {
        uint32_t field = (uint32_t)draw(seed, 10);
        static const enum wire_type type[] = {WIRE_VARINT, WIRE_BYTES, WIRE_VARINT, WIRE_VARINT,
            WIRE_FIXED64, WIRE_BYTES, WIRE_BYTES, WIRE_BYTES, WIRE_VARINT, WIRE_BYTES};
        put_any(out, field == 0 ? 20 : field, type[field], draw(seed, 1000));
    }
}

static void deal_pair(struct buffer *out, uint64_t *seed)
{
    for (uint64_t left = 1 + draw(seed, 4); left > 0; left--) {
        if (draw(seed, 2) == 0) {
            wire_put_bytes(out, 1, bytes_of(dealt_keys[draw(seed, DEALT_KEYS)]));
        } else {
            size_t value = wire_open(out, 2);
            deal_value(out, seed);
            wire_close(out, value);
        }
    }
}

static void deal_pairs(struct buffer *out, uint64_t *seed, uint32_t field)
{
    for (uint64_t left = draw(seed, 4); left > 0; left--) {
        size_t pair = wire_open(out, field);
        deal_pair(out, seed);
        wire_close(out, pair);
    }
}

static void deal_status(struct buffer *out, uint64_t *seed)
{
    size_t status = wire_open(out, 15);
    if (draw(seed, 2) == 0) wire_put_bytes(out, 2, bytes_of(draw(seed, 4) == 0 ? "" : "boom 7"));
    if (draw(seed, 2) == 0) wire_put_uint(out, 3, draw(seed, 2) == 0 ? 2 : draw(seed, 4));
    wire_close(out, status);
}

static void deal_event(struct buffer *out, uint64_t *seed)
{
    size_t event = wire_open(out, 11);
    for (uint64_t left = draw(seed, 4); left > 0; left--) {
        if (draw(seed, 2) == 0) wire_put_fixed64(out, 1, START);
        if (draw(seed, 2) == 0)
            wire_put_bytes(out, 2, bytes_of(draw(seed, 4) == 0 ? "retry" : "exception"));
        if (draw(seed, 2) == 0) deal_pairs(out, seed, 3);
    }
    wire_close(out, event);
}

static void deal_span(struct buffer *out, uint64_t *seed)
{
    size_t span = wire_open(out, 2);
    for (uint64_t left = draw(seed, 8); left > 0; left--) {
        if (draw(seed, 2) == 0) put_needed(out);
        if (draw(seed, 3) == 0)
            wire_put_bytes(out, 5, bytes_of(dealt_keys[draw(seed, DEALT_KEYS)]));
        if (draw(seed, 3) == 0) wire_put_uint(out, 6, draw(seed, 8));
        if (draw(seed, 20) == 0) wire_put_fixed64(out, 7, draw(seed, 3));
        if (draw(seed, 20) == 0)
            put_id(out, (uint32_t)(1 + draw(seed, 4)), trace_id, draw(seed, 17));
        if (draw(seed, 3) == 0) deal_pairs(out, seed, 9);
        if (draw(seed, 3) == 0) deal_status(out, seed);
        if (draw(seed, 3) == 0) deal_event(out, seed);
    }
    wire_close(out, span);
}

static void deal_scope_spans(struct buffer *out, uint64_t *seed, uint32_t field)
{
    size_t scope_spans = wire_open(out, field);
    for (uint64_t left = draw(seed, 5); left > 0; left--) {
        if (draw(seed, 3) != 0) {
            deal_span(out, seed);
        } else {
            size_t scope = wire_open(out, 1);
            wire_put_bytes(out, 1, bytes_of("scope"));
            deal_pairs(out, seed, 3);
            wire_close(out, scope);
        }
    }
    wire_close(out, scope_spans);
}

/* Fields of every message in any order and number. */
static void deal_message(struct buffer *out, uint64_t *seed)
{
    for (uint64_t resources = 1 + draw(seed, 3); resources > 0; resources--) {
        size_t outer = wire_open(out, 1);
        uint32_t scopes = draw(seed, 4) == 0 ? 1000 : 2;
        for (uint64_t left = draw(seed, 6); left > 0; left--) {
            if (draw(seed, 2) == 0) {
                size_t resource = wire_open(out, 1);
                deal_pairs(out, seed, 1);
                wire_close(out, resource);
            } else {
                deal_scope_spans(out, seed, draw(seed, 9) == 0 ? 1000 : scopes);
            }
        }
        wire_close(out, outer);
    }
}

static struct projection dealt_projection(uint64_t *seed)
{
    struct projection wanted = {.count = (uint32_t)draw(seed, ATTRIBUTES_MAX + 1)};
    for (uint32_t k = 0; k < wanted.count; k++)
        wanted.key[k] = bytes_of(dealt_keys[k]);
    return wanted;
}

/* In a block of its own, so that reading past its end is noticed. */
static void agree_on(struct bytes message, const struct projection *wanted, uint64_t seed)
{
    uint8_t *copy = memory_take(message.size + (message.size == 0));
    if (message.size != 0) memcpy(copy, message.data, message.size);
    const char *difference = reference_disagreement((struct bytes){copy, message.size}, wanted);
    free(copy);
    if (difference != NULL)
        fail_msg("seed %llu, %zu bytes: %s", (unsigned long long)seed, message.size, difference);
}

static void random_messages_are_read_as_protobuf_c_reads_them(void **state)
{
    struct fixture *f = *state;
    uint64_t spans = 0, errors = 0, types = 0;
    for (uint64_t start = 1; start <= 5000; start++) {
        uint64_t seed = start;
        f->message.size = 0;
        deal_message(&f->message, &seed);
        struct projection wanted = dealt_projection(&seed);
        agree_on(buffer_bytes(&f->message), &wanted, start);
        f->spans.count = 0;
        assert_int_equal(decode_bytes(f, buffer_bytes(&f->message)), ST_OK);
        spans += f->spans.count;
        for (uint32_t s = 0; s < f->spans.count; s++) {
            const struct span_error *error = f->spans.span[s].error;
            errors += error != NULL;
            types += error != NULL && error->type.size != 0;
        }
    }
    assert_true(spans > 5000 && errors > 500 && types > 200); /* the dice are not loaded */
}

static void messages_cut_at_every_byte_are_read_as_protobuf_c_reads_them(void **state)
{
    struct fixture *f = *state;
    for (uint64_t start = 1; start <= 40; start++) {
        uint64_t seed = start;
        f->message.size = 0;
        deal_message(&f->message, &seed);
        struct projection wanted = dealt_projection(&seed);
        for (size_t cut = 0; cut < f->message.size; cut++)
            agree_on((struct bytes){f->message.data, cut}, &wanted, start);
    }
}

static void damage(struct buffer *message, uint64_t *seed)
{
    for (uint64_t left = 1 + draw(seed, 4); left > 0 && message->size > 1; left--) {
        uint8_t *at = message->data + draw(seed, message->size);
        size_t after = (size_t)(message->data + message->size - at) - 1;
        switch (draw(seed, 4)) {
        case 0:
            *at = (uint8_t)draw(seed, 256);
            break;
        case 1:
            *at ^= (uint8_t)(1U << draw(seed, 8));
            break;
        case 2:
            *at = (uint8_t)(*at + 1);
            break;
        case 3:
            memmove(at, at + 1, after);
            message->size--;
            break;
        }
    }
}

static void damaged_messages_are_read_as_protobuf_c_reads_them(void **state)
{
    struct fixture *f = *state;
    for (uint64_t start = 1; start <= 30000; start++) {
        uint64_t seed = start;
        f->message.size = 0;
        deal_message(&f->message, &seed);
        struct projection wanted = dealt_projection(&seed);
        damage(&f->message, &seed);
        agree_on(buffer_bytes(&f->message), &wanted, start);
    }
}

static struct capture astronomy(void)
{
    struct capture capture;
    const char *path = capture_path("otlp/astronomy-oteltraces.zst");
    if (path == NULL) skip();
    assert_true(capture_read(path, &capture));
    return capture;
}

static void a_real_capture_is_read_as_protobuf_c_reads_it(void **state)
{
    (void)state;
    struct capture capture = astronomy();
    static const char *const keys[ATTRIBUTES_MAX] = {"http.status_code", "rpc.system",
        "service.namespace", "telemetry.sdk.language", "net.peer.name", "app.payment.charged",
        "host.name", "app.order.amount"};
    static const uint32_t counts[] = {0, 2, ATTRIBUTES_MAX};
    for (size_t c = 0; c < 3; c++) {
        struct projection wanted = {.count = counts[c]};
        for (uint32_t k = 0; k < wanted.count; k++)
            wanted.key[k] = bytes_of(keys[k]);
        for (size_t i = 0; i < capture.count; i++)
            agree_on(capture.message[i], &wanted, i);
    }
    capture_release(&capture);
}

/* Two of the kinds that there are: a code alone, and an exception. */
static void note_failure(const struct span *span, uint64_t *failed, uint64_t kinds[2])
{
    static const char unavailable[] =
        "<num> UNAVAILABLE: Name resolution failed for target dns:cartservice:<num>";
    const struct span_error *error = span->error;
    *failed += span->failed;
    if (error == NULL) return;
    kinds[0] += bytes_are(error->type, "500") && error->message.size == 0;
    kinds[1] += bytes_are(error->type, "14") && bytes_are(error->message, unavailable);
}

static void a_real_capture_is_read_in_full(void **state)
{
    struct fixture *f = *state;
    struct capture capture = astronomy();
    uint64_t spans = 0, failed = 0, kinds[2] = {0};
    for (size_t i = 0; i < capture.count; i++) {
        spans_reset(&f->spans);
        assert_int_equal(decode_bytes(f, capture.message[i]), ST_OK);
        spans += f->spans.count;
        for (uint32_t s = 0; s < f->spans.count; s++)
            note_failure(&f->spans.span[s], &failed, kinds);
        for (int d = 0; d < DROP_COUNT; d++)
            assert_int_equal(f->spans.dropped[d], 0);
    }
    assert_int_equal(capture.count, 465);
    assert_int_equal(spans, 64151);
    assert_int_equal(failed, 3869);
    assert_int_equal(kinds[0], 1332);
    assert_int_equal(kinds[1], 1238);
    capture_release(&capture);
}

static void decoders_are_found_by_name(void **unused)
{
    (void)unused;
    for (const struct decoder *const *d = decoders; *d != NULL; d++)
        assert_ptr_equal(decoder_find((*d)->name), *d);
    assert_non_null(decoder_find("otlp_proto"));
    assert_null(decoder_find("otlp"));
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(what_the_writer_writes_is_read),
        FACT(protobuf_c_reads_all_that_the_writer_writes),
        FACT(an_empty_message_has_no_spans),
        FACT(spans_are_appended_to_those_of_earlier_messages),
        FACT(a_service_without_a_name_is_unknown),
        FACT(each_resource_names_its_own_spans),
        FACT(a_resource_may_follow_its_scopes_and_come_in_pieces),
        FACT(a_scope_may_follow_its_spans_and_come_in_pieces),
        FACT(a_status_may_come_in_pieces_of_which_the_last_code_wins),
        FACT(of_a_scalar_given_twice_the_last_wins),
        FACT(field_1000_is_read_only_without_field_2),
        FACT(unknown_fields_and_groups_are_passed_over),
        FACT(a_known_number_under_another_wire_type_is_unknown),
        FACT(spans_with_bad_ids_are_dropped_and_counted),
        FACT(spans_without_ids_are_dropped),
        FACT(spans_with_bad_times_are_dropped_and_counted),
        FACT(durations_are_from_0_to_the_limit),
        FACT(kinds_that_do_not_exist_are_unspecified),
        FACT(long_texts_are_cut),
        FACT(attributes_are_those_of_span_then_scope_then_resource),
        FACT(values_are_written_out_as_text),
        FACT(a_value_in_pieces_is_what_was_set_last),
        FACT(a_failed_span_says_why_in_any_order_of_its_fields),
        FACT(a_code_stands_in_for_an_exception_type),
        FACT(a_span_that_did_not_fail_or_says_nothing_has_no_error),
        FACT(events_are_only_looked_into_where_a_span_failed),
        FACT(what_is_nested_deep_is_not_entered),
        FACT(a_message_over_the_limit_of_spans_is_set_aside),
        FACT(a_malformed_message_is_set_aside_whole_and_its_byte_named),
        FACT(messages_of_other_encodings_are_set_aside),
        FACT(random_messages_are_read_as_protobuf_c_reads_them),
        FACT(messages_cut_at_every_byte_are_read_as_protobuf_c_reads_them),
        FACT(damaged_messages_are_read_as_protobuf_c_reads_them),
        FACT(a_real_capture_is_read_as_protobuf_c_reads_it),
        FACT(a_real_capture_is_read_in_full),
        FACT(decoders_are_found_by_name),
    };
    return cmocka_run_group_tests_name("otlp", tests, NULL, NULL);
}
