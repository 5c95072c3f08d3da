/* Masked texts are alike where failures are, bounded, and UTF-8 whatever came in. */
#include "engine/base/text.h"
#include "schemas/mask.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void expect(const char *text, const char *masked)
{
    uint8_t out[MASK_BYTES_MAX];
    struct bytes got = {out, mask_literals(bytes_of(text), out)};
    if (!bytes_are(got, masked))
        fail_msg("%s\n  gives %.*s\n  not   %s", text, (int)got.size, (const char *)out, masked);
}

static void plain_text_stays(void **unused)
{
    (void)unused;
    expect("", "");
    expect("connection refused", "connection refused");
    expect("no such host", "no such host");
    expect("utf8 decoding failed in http2 stream", "utf8 decoding failed in http2 stream");
    expect("std::bad_alloc", "std::bad_alloc");
    expect("can't open the door, won't try", "can't open the door, won't try");
    expect("größer als erlaubt: 世界", "größer als erlaubt: 世界");
}

static void numbers_become_one_placeholder(void **unused)
{
    (void)unused;
    expect("timeout after 2500ms", "timeout after <num>ms");
    expect("timeout after 2.5 s", "timeout after <num> s");
    expect("1,234,567.89 is too much", "<num> is too much");
    expect("12.5ms", "<num>ms");
    expect("order 17 of user_9912", "order <num> of user_<num>");
    expect("worker12345 died", "worker<num> died");
    expect("HTTP/1.1 503 Service Unavailable", "HTTP/<num> Service Unavailable");
    expect("[1, 2, 3]", "[<num>]");
    expect("[1, 2, 3, 4, 5]", "[<num>]");
    expect("1, x", "<num>, x");
    expect("5,6abc7 left", "<num>,<id> left");
}

static void ids_become_one_placeholder(void **unused)
{
    (void)unused;
    expect("no order 550e8400-e29b-41d4-a716-446655440000.", "no order <uuid>.");
    expect(
        "no order 550E8400-E29B-41D4-A716-446655440000x", "no order <id>-E29B-<id>-A<num>-<num>x");
    expect("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace <id>");
    expect("commit 1a2b3c", "commit <id>");
    expect("pod checkout-7d9fgb6c5-x2x4z", "pod checkout-<id>-<id>");
    expect("pod checkout-6d5f8c7b9-x2x7k", "pod checkout-<id>-<id>");
    expect("user_9a3f and i18n and a1b", "user_<id> and i18n and a1b");
    expect("at 0x7ffee4b2", "at <hex>");
    expect("at 0xZZ", "at <num>xZZ");
    expect("token eyJhbGciOiJIUzI1NiIsInR5cCI6", "token <id>");
    expect("a facade of deadbeef", "a facade of deadbeef");
    expect("/users/42/orders/9f8e7d6c", "/users/<num>/orders/<id>");
}

static void addresses_become_placeholders(void **unused)
{
    (void)unused;
    expect("dial tcp 10.0.3.17:6379: connect: connection refused",
        "dial tcp <ip>: connect: connection refused");
    expect("lookup cart on 127.0.0.11:53: no such host", "lookup cart on <ip>: no such host");
    expect("from 10.0.0.1.", "from <ip>.");
    expect("version 1.2.3.4.5", "version <num>");
    expect("from 2001:db8::ff00:42:8329: refused", "from <ip>: refused");
    expect("from [::1]:8080", "from [<ip>]:<num>");
    expect("from ::ffff:10.0.0.1", "from <ip>");
    expect("1:2:3:4:5:6:7:8", "<ip>");
    expect("cafe::bad", "cafe::bad");
    expect("mail to jane.doe+x@shop.example.com bounced", "mail to <email> bounced");
    expect("<jane@example.org>", "<<email>>");
    expect("jane@localhost", "jane@localhost");
}

static void times_become_placeholders(void **unused)
{
    (void)unused;
    expect("since 2026-11-21T14:27:12.123Z", "since <time>");
    expect("since 2026-11-21T14:27:12+01:00,", "since <time>,");
    expect("since 2026-11-21 14:27:12,123 +0100", "since <time> +<num>");
    expect("since 2026/11/21 14:27", "since <time>");
    expect("on 2026-11-21, later", "on <time>, later");
    expect("at 14:27:12.5", "at <time>");
    expect("at 14:27", "at <num>:<num>");
    expect("2026-11-21x", "<num>-<num>-<num>x");
}

static void quoted_values_become_placeholders_and_prose_is_read(void **unused)
{
    (void)unused;
    expect("Duplicate entry 'jane' for key 'users.name'", "Duplicate entry <str> for key <str>");
    expect("unexpected token \"}\" in `x y`", "unexpected token <str> in <str>");
    expect("expected one of 'a', 'b', 'c'", "expected one of <str>");
    expect("''", "<str>");
    expect("it's the dog's 'x'", "it's the dog's <str>");
    expect("an 'open quote", "an 'open quote");
    expect("desc = \"transport: error while dialing 10.0.0.1\" at 5",
        "desc = \"transport: error while dialing <ip>\" at <num>");
    expect("said \"she told 'x' to the man\" \"y\"", "said \"she told <str> to the man\" <str>");
    expect("{\"id\":5,\"name\":\"x\"}", "{<str>:<num>,<str>:<str>}");
}

static void blanks_are_one_and_steering_characters_go(void **unused)
{
    (void)unused;
    expect("  two\t\r\n lines \n", "two lines");
    expect("a\x1b[31mred", "a[<num>mred");
    expect("a\xe2\x80\xaetxt", "atxt");
    expect("bad \xff\xc3(\xed\xa0\x80)",
        "bad \xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd)");
}

static void nothing_is_cut_in_half(void **unused)
{
    (void)unused;
    char text[300];
    uint8_t out[MASK_BYTES_MAX];
    for (int fill = 100; fill <= MASK_BYTES_MAX; fill++) {
        memset(text, 'x', (size_t)fill);
        text[fill - 1] = ' ';
        snprintf(text + fill, sizeof(text) - (size_t)fill, "550e8400-e29b-41d4-a716-446655440000");
        size_t size = mask_literals(bytes_of(text), out);
        bool fits = fill + 6 <= MASK_BYTES_MAX;
        assert_int_equal(size, fits ? fill + 6 : fill - 1);
        snprintf(text + fill, sizeof(text) - (size_t)fill, "世界 x");
        size = mask_literals(bytes_of(text), out);
        assert_true(size <= MASK_BYTES_MAX);
        for (size_t at = 0, bytes; at < size; at += bytes) {
            bytes = text_character((struct bytes){out + at, size - at});
            assert_true(bytes > 0);
        }
    }
}

static void types_and_codes_are_only_cleaned(void **unused)
{
    (void)unused;
    uint8_t out[MASK_BYTES_MAX];
    const char *text = " java.lang.Error\n'500'  2026-11-21 ";
    struct bytes got = {out, mask_nothing(bytes_of(text), out)};
    assert_true(bytes_are(got, "java.lang.Error '500' 2026-11-21"));
    assert_int_equal(mask_nothing((struct bytes){0}, out), 0);
}

/* Pieces that shapes are made of, so that random texts are full of what is nearly one. */
static size_t random_text(struct random *random, char *text, size_t size)
{
    static const char *const piece[] = {"0", "7", "a", "f", "Z", "-", ":", "::", ".", "@", "/", "'",
        "\"", "`", " ", ",", "0x", "2026-11-21", "T", "10.0.0.1", "\xff", "\xc3", "世", "\n",
        "550e8400", "-e29b-41d4-a716-446655440000", "x y z w", "\x1b", "1,2"};
    size_t used = 0;
    for (uint64_t left = random_below(random, 60); left > 0; left--) {
        const char *next = piece[random_below(random, sizeof(piece) / sizeof(piece[0]))];
        if (used + strlen(next) > size) break;
        memcpy(text + used, next, strlen(next));
        used += strlen(next);
    }
    return used;
}

/* What is masked once is bounded, clean, and nothing is read behind the end of the text. */
static void any_text_becomes_clean_and_bounded(void **unused)
{
    (void)unused;
    enum { TEXTS = 50000, BYTES = 400 };
    struct random random = random_from(1);
    char text[BYTES];
    for (int i = 0; i < TEXTS; i++) {
        size_t size = random_text(&random, text, sizeof(text));
        char *exact = malloc(size + 1); /* so that a sanitizer sees its end */
        memcpy(exact, text, size);
        char *only = realloc(exact, size == 0 ? 1 : size);
        uint8_t out[MASK_BYTES_MAX + 1];
        out[MASK_BYTES_MAX] = 0xa5;
        struct bytes masked = {out, mask_literals((struct bytes){(uint8_t *)only, size}, out)};
        assert_true(masked.size <= MASK_BYTES_MAX);
        assert_int_equal(out[MASK_BYTES_MAX], 0xa5);
        for (size_t at = 0, bytes; at < masked.size; at += bytes) {
            struct bytes rest = {out + at, masked.size - at};
            bytes = text_character(rest);
            assert_true(bytes > 0);
            assert_int_equal(text_steering((struct bytes){rest.data, bytes}), -1);
        }
        free(only);
    }
}

static double masking_ms(const char *piece, size_t bytes)
{
    char *text = malloc(bytes);
    uint8_t out[MASK_BYTES_MAX];
    struct timespec begin, end;
    for (size_t i = 0; i < bytes; i++)
        text[i] = piece[i % strlen(piece)];
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    mask_literals((struct bytes){(uint8_t *)text, bytes}, out);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    free(text);
    return (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
}

/* A megabyte of what never ends well: quadratic time would be hours. */
static void time_is_in_proportion_to_the_text(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "1,", "1 ", "'", "'x", "' '\"", "a@a-", "1.1.1.1.1", "::", "1:", "\n", "\x1b", "' x x x x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(masking_ms(bad[i], 1 << 20) < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(numbers_become_one_placeholder),
        cmocka_unit_test(ids_become_one_placeholder),
        cmocka_unit_test(addresses_become_placeholders),
        cmocka_unit_test(times_become_placeholders),
        cmocka_unit_test(quoted_values_become_placeholders_and_prose_is_read),
        cmocka_unit_test(blanks_are_one_and_steering_characters_go),
        cmocka_unit_test(nothing_is_cut_in_half),
        cmocka_unit_test(types_and_codes_are_only_cleaned),
        cmocka_unit_test(any_text_becomes_clean_and_bounded),
        cmocka_unit_test(time_is_in_proportion_to_the_text),
    };
    return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
