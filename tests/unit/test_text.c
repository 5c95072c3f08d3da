#include "engine/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static size_t character(const char *text)
{
    return text_character(bytes_of(text));
}

static void characters_are_as_long_as_their_first_byte_says(void **unused)
{
    (void)unused;
    assert_int_equal(character("a"), 1);
    assert_int_equal(character("\xc2\x80"), 2);
    assert_int_equal(character("\xdf\xbf!"), 2);
    assert_int_equal(character("\xe0\xa0\x80"), 3);
    assert_int_equal(character("\xef\xbf\xbf"), 3);
    assert_int_equal(character("\xf0\x90\x80\x80"), 4);
    assert_int_equal(character("\xf4\x8f\xbf\xbf"), 4);
    assert_int_equal(text_character((struct bytes){(const uint8_t *)"\0", 1}), 1);
}

static void what_is_not_utf8_is_no_character(void **unused)
{
    (void)unused;
    assert_int_equal(character(""), 0);
    assert_int_equal(character("\x80"), 0);             /* a tail alone */
    assert_int_equal(character("\xc0\xaf"), 0);         /* overlong */
    assert_int_equal(character("\xc1\xbf"), 0);         /* overlong */
    assert_int_equal(character("\xe0\x9f\xbf"), 0);     /* overlong */
    assert_int_equal(character("\xf0\x8f\xbf\xbf"), 0); /* overlong */
    assert_int_equal(character("\xed\xa0\x80"), 0);     /* a surrogate */
    assert_int_equal(character("\xf4\x90\x80\x80"), 0); /* beyond U+10FFFF */
    assert_int_equal(character("\xf5\x80\x80\x80"), 0);
    assert_int_equal(character("\xe2\x82"), 0); /* cut short */
    assert_int_equal(character("\xe2\x82!"), 0);
}

static void distance_counts_single_mistakes(void **unused)
{
    (void)unused;
    assert_int_equal(text_distance("replay", "replay"), 0);
    assert_int_equal(text_distance("replay", "rplay"), 1);
    assert_int_equal(text_distance("replay", "reeplay"), 1);
    assert_int_equal(text_distance("replay", "repley"), 1);
    assert_int_equal(text_distance("replay", "repaly"), 1);
    assert_int_equal(text_distance("replay", "repalys"), 2);
    assert_int_equal(text_distance("", "top"), 3);
    assert_int_equal(text_distance("top", ""), 3);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
}

static void words_that_are_too_long_are_far_from_everything(void **unused)
{
    (void)unused;
    char longer[TEXT_WORD_BYTES_MAX + 2], longest[TEXT_WORD_BYTES_MAX + 1];
    memset(longer, 'a', sizeof(longer));
    memset(longest, 'a', sizeof(longest));
    longer[sizeof(longer) - 1] = longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(text_distance(longer, longer), TEXT_WORD_BYTES_MAX);
    assert_int_equal(text_distance(longest, longest), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_as_long_as_their_first_byte_says),
        cmocka_unit_test(what_is_not_utf8_is_no_character),
        cmocka_unit_test(distance_counts_single_mistakes),
        cmocka_unit_test(words_that_are_too_long_are_far_from_everything),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
