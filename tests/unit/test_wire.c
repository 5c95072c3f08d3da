/* The wire format reads back what it wrote, and refuses what is malformed at the right byte. */
#include "schemas/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_C(1) << 32,
    UINT64_C(1) << 62, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX};
enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static const uint32_t fields[] = {1, 15, 16, 2047, 2048, 1000, (1U << 29) - 1};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static const size_t sizes[] = {0, 1, 126, 127, 128, 129, 16383, 16384, 70000};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void expect_field(struct wire *wire, uint32_t number, enum wire_type type, uint64_t value)
{
    struct wire_field field;
    assert_int_equal(wire_next(wire, &field), 1);
    assert_int_equal(field.number, number);
    assert_int_equal(field.type, type);
    if (type != WIRE_BYTES) assert_true(field.value == value);
}

/* Bytes from a literal, in a block of their own so that reading past them is noticed. */
static struct bytes heap_bytes(const void *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return (struct bytes){copy, size};
}

static void expect_malformed(const void *data, size_t size, size_t at)
{
    struct bytes bytes = heap_bytes(data, size);
    struct wire wire = wire_of(bytes);
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) > 0)
        continue;
    assert_int_equal(more, -1);
    assert_int_equal(wire_offset(&wire), at);
    free((void *)(uintptr_t)bytes.data);
}

static void numbers_of_any_size_read_back(void **unused)
{
    (void)unused;
    for (int n = 0; n < NUMBERS; n++) {
        for (int f = 0; f < FIELDS; f++) {
            struct buffer out = {0};
            wire_put_uint(&out, fields[f], numbers[n]);
            wire_put_fixed64(&out, fields[f], numbers[n]);
            wire_put_sint(&out, fields[f], (int64_t)numbers[n]);
            struct wire wire = wire_of(buffer_bytes(&out));
            expect_field(&wire, fields[f], WIRE_VARINT, numbers[n]);
            expect_field(&wire, fields[f], WIRE_FIXED64, numbers[n]);
            struct wire_field field;
            assert_int_equal(wire_next(&wire, &field), 1);
            assert_true(wire_zigzag(field.value) == (int64_t)numbers[n]);
            assert_int_equal(wire_next(&wire, &field), 0);
            buffer_release(&out);
        }
    }
}

static void doubles_read_back_to_the_bit(void **unused)
{
    (void)unused;
    static const double values[] = {0.0, -0.0, 1.5, -1e300, 5e-324};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buffer out = {0};
        wire_put_double(&out, 1, values[i]);
        struct wire wire = wire_of(buffer_bytes(&out));
        struct wire_field field;
        assert_int_equal(wire_next(&wire, &field), 1);
        double back = wire_double(field.value);
        assert_memory_equal(&back, &values[i], sizeof(back));
        buffer_release(&out);
    }
}

static void bytes_and_messages_of_any_size_read_back(void **unused)
{
    (void)unused;
    uint8_t *data = calloc(1, 70000);
    for (int s = 0; s < SIZES; s++) {
        struct buffer out = {0};
        struct bytes bytes = {data, sizes[s]};
        wire_put_uint(&out, 3, 7);
        size_t outer = wire_open(&out, 4);
        size_t inner = wire_open(&out, 5);
        wire_put_bytes(&out, 6, bytes);
        wire_close(&out, inner);
        wire_close(&out, outer);

        struct wire wire = wire_of(buffer_bytes(&out));
        struct wire_field field;
        expect_field(&wire, 3, WIRE_VARINT, 7);
        for (uint32_t number = 4; number <= 6; number++) {
            assert_int_equal(wire_next(&wire, &field), 1);
            assert_int_equal(field.number, number);
            if (number < 6) wire = wire_inside(&wire, field.bytes);
        }
        assert_true(bytes_equal(field.bytes, bytes));
        assert_int_equal(wire_offset(&wire), out.size);
        buffer_release(&out);
    }
    free(data);
}

static void a_message_cut_anywhere_ends_or_is_malformed_at_its_last_field(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    size_t starts[8], count = 0;
    starts[count++] = out.size;
    wire_put_uint(&out, 1, 300);
    starts[count++] = out.size;
    wire_put_fixed64(&out, 2, 5);
    starts[count++] = out.size;
    wire_put_bytes(&out, 3, bytes_of("text"));
    starts[count++] = out.size;
    wire_put_bytes(&out, 1000, bytes_of("far"));
    for (size_t cut = 0; cut <= out.size; cut++) {
        size_t begun = 0;
        bool clean = cut == out.size;
        for (size_t i = 0; i < count; i++) {
            if (starts[i] == cut) clean = true;
            if (starts[i] < cut) begun = starts[i];
        }
        if (!clean) expect_malformed(out.data, cut, begun);
        if (!clean) continue;
        struct wire wire = wire_of((struct bytes){out.data, cut});
        struct wire_field field;
        int more;
        while ((more = wire_next(&wire, &field)) > 0)
            continue;
        assert_int_equal(more, 0);
    }
    buffer_release(&out);
}

#define MALFORMED(at, text) expect_malformed((text), sizeof(text) - 1, (at))

static void numbers_that_do_not_fit_are_malformed(void **unused)
{
    (void)unused;
    MALFORMED(0, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");     /* 65 bits */
    MALFORMED(0, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"); /* 11 bytes */
    MALFORMED(0, "\x88\x80\x80\x80\x10\x01");                         /* a tag of 33 bits */
    MALFORMED(2, "\x08\x01\x00\x01");                                 /* field number 0 */
    MALFORMED(2, "\x08\x01\x02\x00");
}

static void lengths_beyond_the_message_are_malformed(void **unused)
{
    (void)unused;
    MALFORMED(0, "\x0a\x01");
    MALFORMED(0, "\x0a\x7fshort");
    MALFORMED(0, "\x0a\xff\xff\xff\xff\x0f");
    MALFORMED(0, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    MALFORMED(2, "\x08\x01\x0d\x01\x02\x03");
    MALFORMED(2, "\x08\x01\x09\x01\x02\x03\x04\x05\x06\x07");
}

static void wire_types_that_do_not_exist_are_malformed(void **unused)
{
    (void)unused;
    MALFORMED(0, "\x0e\x01");
    MALFORMED(0, "\x0f\x01");
    MALFORMED(0, "\x0c"); /* a group that ends without a beginning */
}

static void groups_are_passed_over(void **unused)
{
    (void)unused;
    /* Group 1 holds a varint, a text, a fixed32, a fixed64 and group 2; field 3 follows. */
    static const char message[] = "\x0b\x10\x05\x1a\x02hi\x25\x01\x02\x03\x04"
                                  "\x29\x01\x02\x03\x04\x05\x06\x07\x08\x13\x14\x0c\x18\x07";
    struct wire wire = wire_of((struct bytes){(const uint8_t *)message, sizeof(message) - 1});
    struct wire_field field;
    expect_field(&wire, 3, WIRE_VARINT, 7);
    assert_int_equal(wire_next(&wire, &field), 0);
}

static void groups_that_do_not_match_are_malformed(void **unused)
{
    (void)unused;
    MALFORMED(0, "\x0b");                  /* not closed */
    MALFORMED(0, "\x0b\x13\x14");          /* outer not closed */
    MALFORMED(0, "\x0b\x14");              /* closed by another number */
    MALFORMED(0, "\x0b\x0a\x09short\x0c"); /* broken inside */
}

static void groups_nest_to_a_limit(void **unused)
{
    (void)unused;
    uint8_t message[2 * 65];
    for (size_t depth = 64; depth <= 65; depth++) {
        memset(message, 0x0b, depth);
        memset(message + depth, 0x0c, depth);
        struct wire wire = wire_of((struct bytes){message, 2 * depth});
        struct wire_field field;
        assert_int_equal(wire_next(&wire, &field), depth == 64 ? 0 : -1);
    }
}

static void an_empty_message_has_no_field(void **unused)
{
    (void)unused;
    struct wire wire = wire_of((struct bytes){0});
    struct wire_field field;
    assert_int_equal(wire_next(&wire, &field), 0);
}

static void bare_varints_read_back(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    for (int n = 0; n < NUMBERS; n++)
        wire_put_varint(&out, numbers[n]);
    struct wire wire = wire_of(buffer_bytes(&out));
    uint64_t value;
    for (int n = 0; n < NUMBERS; n++) {
        assert_true(wire_varint(&wire, &value));
        assert_true(value == numbers[n]);
    }
    assert_false(wire_varint(&wire, &value));
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_any_size_read_back),
        cmocka_unit_test(doubles_read_back_to_the_bit),
        cmocka_unit_test(bytes_and_messages_of_any_size_read_back),
        cmocka_unit_test(a_message_cut_anywhere_ends_or_is_malformed_at_its_last_field),
        cmocka_unit_test(numbers_that_do_not_fit_are_malformed),
        cmocka_unit_test(lengths_beyond_the_message_are_malformed),
        cmocka_unit_test(wire_types_that_do_not_exist_are_malformed),
        cmocka_unit_test(groups_are_passed_over),
        cmocka_unit_test(groups_that_do_not_match_are_malformed),
        cmocka_unit_test(groups_nest_to_a_limit),
        cmocka_unit_test(an_empty_message_has_no_field),
        cmocka_unit_test(bare_varints_read_back),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
