/* Values as a person writes them, and tables of options filled from YAML. */
#include "engine/base/duration.h"
#include "engine/base/expand.h"
#include "engine/base/option.h"
#include "engine/base/quantity.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void durations_are_a_number_and_a_unit(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"0s", 0},
        {"1ns", 1},
        {"7us", 7000},
        {"250ms", 250000000},
        {"10s", 10000000000},
        {"5m", 300000000000},
        {"1h", 3600000000000},
        {"2d", 172800000000000},
        {"1h30m", 5400000000000},
        {"1.5s", 1500000000},
        {"0.25ms", 250000},
        {"106751d", INT64_C(106751) * 86400000000000},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ns = -1;
        assert_true(duration_parse(good[i].text, &ns));
        assert_int_equal(ns, good[i].ns);
    }
}

static void what_is_not_a_duration_is_refused(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"", "s", "10", "30 sec", "-1s", "+1s", "1.s", ".5s", "1s ",
        " 1s", "1.5ns", "1x", "1min", "106752d", "9223372036854775808ns", "1.1234567891s", "00"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ns = 42;
        assert_false(duration_parse(bad[i], &ns));
        assert_int_equal(ns, 42);
    }
}

static void a_printed_duration_reads_back(void **unused)
{
    (void)unused;
    assert_string_equal(duration_print(0).text, "0s");
    assert_string_equal(duration_print(90000000000).text, "90s");
    assert_string_equal(duration_print(300000000000).text, "5m");
    assert_string_equal(duration_print(1500000000).text, "1500ms");
    assert_string_equal(duration_print(INT64_MAX).text, "9223372036854775807ns");
    for (int64_t ns = 1; ns < INT64_MAX / 7; ns *= 6) {
        int64_t back;
        assert_true(duration_parse(duration_print(ns).text, &back));
        assert_int_equal(back, ns);
    }
}

static void counts_sizes_and_numbers(void **unused)
{
    (void)unused;
    uint64_t value = 0;
    assert_true(quantity_count("5k", &value));
    assert_int_equal(value, 5000);
    assert_true(quantity_count("18446744073709551615", &value));
    assert_true(value == UINT64_MAX);
    assert_true(quantity_bytes("64MiB", &value));
    assert_int_equal(value, 64 << 20);
    assert_true(quantity_bytes("10kB", &value));
    assert_int_equal(value, 10000);
    double number = 0;
    assert_true(quantity_number("2%", &number));
    assert_true(fabs(number - 0.02) < 1e-15);
    assert_true(quantity_number("-1.5e3", &number));
    assert_true(number < -1499 && number > -1501);
    assert_true(quantity_number("nan", &number));
    assert_true(isnan(number));
}

static void what_is_not_a_quantity_is_refused(void **unused)
{
    (void)unused;
    uint64_t value = 42;
    double number = 42;
    static const char *const counts[] = {
        "", "k", "-1", "5 k", "1.5", "5K", "18446744073709551616", "18446744073709552k"};
    for (size_t i = 0; i < COUNT(counts); i++)
        assert_false(quantity_count(counts[i], &value));
    assert_false(quantity_bytes("64mb", &value));
    assert_false(quantity_bytes("99999999TiB", &value));
    assert_int_equal(value, 42);
    static const char *const numbers[] = {"", "x", "inf", "0x10", "1e999", "1 ", "%", "2%%", "e"};
    for (size_t i = 0; i < COUNT(numbers); i++)
        assert_false(quantity_number(numbers[i], &number));
    assert_true(number > 41 && number < 43);
}

static void sizes_print_in_three_digits(void **unused)
{
    (void)unused;
    assert_string_equal(quantity_print_bytes(0).text, "0 B");
    assert_string_equal(quantity_print_bytes(999).text, "999 B");
    assert_string_equal(quantity_print_bytes(1 << 20).text, "1 MiB");
    assert_string_equal(quantity_print_bytes(324000).text, "316 KiB");
    assert_string_equal(quantity_print_bytes(2.95 * (1 << 30)).text, "2.95 GiB");
}

static const char *expanded(const char *text, struct buffer *out, struct error *err)
{
    buffer_reset(out);
    if (expand(bytes_of(text), out, err) != ST_OK) return NULL;
    buffer_append(out, "", 1);
    return (const char *)out->data;
}

static void variables_are_expanded(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    struct error err;
    setenv("WEIR_TEST_HOST", "kafka-1", 1);
    setenv("WEIR_TEST_EMPTY", "", 1);
    setenv("WEIR_TEST_NESTED", "${WEIR_TEST_HOST}", 1);
    unsetenv("WEIR_TEST_UNSET");
    static const struct {
        const char *text, *want;
    } good[] = {
        {"plain", "plain"},
        {"${WEIR_TEST_HOST}:9092", "kafka-1:9092"},
        {"${WEIR_TEST_UNSET:-a:-b}", "a:-b"},
        {"${WEIR_TEST_EMPTY:-x}", "x"},
        {"[${WEIR_TEST_EMPTY}]", "[]"},
        {"$${WEIR_TEST_HOST}", "${WEIR_TEST_HOST}"},
        {"$5 and $$", "$5 and $$"},
        {"${WEIR_TEST_NESTED}", "${WEIR_TEST_HOST}"},
    };
    for (size_t i = 0; i < COUNT(good); i++)
        assert_string_equal(expanded(good[i].text, &out, &err), good[i].want);
    buffer_release(&out);
}

static void a_variable_that_is_not_set_is_named(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    struct error err;
    unsetenv("WEIR_TEST_UNSET");
    assert_null(expanded("a${WEIR_TEST_UNSET}b", &out, &err));
    assert_non_null(strstr(err.text, "WEIR_TEST_UNSET"));
    assert_null(expanded("${", &out, &err));
    assert_null(expanded("${WEIR_TEST_UNSET", &out, &err));
    assert_null(expanded("${}", &out, &err));
    assert_null(expanded("${1A:-x}", &out, &err));
    buffer_release(&out);
}

static const char *const colours[] = {"red", "green", NULL};

struct sample {
    uint64_t count, bytes;
    double number;
    int64_t wait_ns;
    bool flag;
    int colour;
    const char *text;
    struct texts texts;
    struct durations durations;
    struct numbers numbers;
    struct pairs pairs;
    uint64_t inner, former;
};

static const struct option sample_options[] = {
    OPTION(COUNT, sample, count, "7", "h"),
    OPTION(BYTES, sample, bytes, "1KiB", "h"),
    OPTION(NUMBER, sample, number, "0.5", "h"),
    {.key = "wait",
        .type = OPTION_DURATION,
        .offset = offsetof(struct sample, wait_ns),
        .fallback = "1s"},
    OPTION(FLAG, sample, flag, "false", "h"),
    {.key = "colour",
        .type = OPTION_CHOICE,
        .offset = offsetof(struct sample, colour),
        .fallback = "green",
        .choices = colours},
    OPTION(TEXT, sample, text, "*", "h"),
    OPTION(TEXTS, sample, texts, "[a, b]", "h"),
    OPTION(DURATIONS, sample, durations, "[1s, 2s]", "h"),
    OPTION(NUMBERS, sample, numbers, "[]", "h"),
    OPTION(PAIRS, sample, pairs, "{a: b}", "h"),
    {.key = "former",
        .type = OPTION_COUNT,
        .offset = offsetof(struct sample, former),
        .fallback = "5",
        .is_old = true},
    {.key = "group.inner",
        .type = OPTION_COUNT,
        .offset = offsetof(struct sample, inner),
        .fallback = "3",
        .help = "h"},
    {0},
};

static enum status sample_read(
    const char *yaml, struct sample *out, struct pool *pool, struct error *err)
{
    struct node *root;
    *out = (struct sample){0};
    enum status status = node_read(bytes_of(yaml), "s.yaml", true, pool, &root, err);
    return status == ST_OK ? options_read(sample_options, out, root, pool, err) : status;
}

static void an_empty_map_gives_the_fallbacks(void **unused)
{
    (void)unused;
    struct pool pool = {0};
    struct sample s;
    struct error err;
    assert_int_equal(sample_read("", &s, &pool, &err), ST_OK);
    assert_int_equal(s.count, 7);
    assert_int_equal(s.bytes, 1024);
    assert_int_equal(s.wait_ns, 1000000000);
    assert_false(s.flag);
    assert_int_equal(s.colour, 1);
    assert_string_equal(s.text, "*");
    assert_int_equal(s.texts.count, 2);
    assert_string_equal(s.texts.text[1], "b");
    assert_int_equal(s.durations.ns[1], 2000000000);
    assert_int_equal(s.numbers.count, 0);
    assert_int_equal(s.pairs.count, 1);
    assert_int_equal(s.inner, 3);
    assert_int_equal(s.former, 5);
    assert_int_equal(s.pairs.count, 1);
    assert_string_equal(s.pairs.key[0], "a");
    assert_string_equal(s.pairs.text[0], "b");
    pool_release(&pool);
}

static void pairs_keep_their_order_and_may_be_empty(void **unused)
{
    (void)unused;
    struct pool pool = {0};
    struct sample s;
    struct error err;
    assert_int_equal(
        sample_read("former: 6\npairs: {z.y: '', b: 2, 'a b': null-ish}", &s, &pool, &err), ST_OK);
    assert_int_equal(s.former, 6);
    assert_int_equal(s.pairs.count, 3);
    assert_string_equal(s.pairs.key[0], "z.y");
    assert_string_equal(s.pairs.text[0], "");
    assert_string_equal(s.pairs.text[1], "2");
    assert_string_equal(s.pairs.key[2], "a b");
    assert_int_equal(sample_read("pairs: {}", &s, &pool, &err), ST_OK);
    assert_int_equal(s.pairs.count, 0);
    pool_release(&pool);
}

static void what_is_written_goes_before(void **unused)
{
    (void)unused;
    struct pool pool = {0};
    struct sample s;
    struct error err;
    assert_int_equal(sample_read("count: 2k\nflag: true\ncolour: red\ntexts: one\n"
                                 "numbers: [1%, 2]\ngroup:\n  inner: 9\n"
                                 "pairs: {service: check*, kind: \"\"}\n",
                         &s, &pool, &err),
        ST_OK);
    assert_int_equal(s.count, 2000);
    assert_true(s.flag);
    assert_int_equal(s.colour, 0);
    assert_int_equal(s.texts.count, 1);
    assert_string_equal(s.texts.text[0], "one");
    assert_int_equal(s.numbers.count, 2);
    assert_int_equal(s.inner, 9);
    assert_int_equal(s.pairs.count, 2);
    assert_string_equal(s.pairs.key[0], "service");
    assert_string_equal(s.pairs.text[0], "check*");
    assert_string_equal(s.pairs.key[1], "kind");
    assert_string_equal(s.pairs.text[1], "");
    assert_int_equal(sample_read("group.inner: 10", &s, &pool, &err), ST_OK);
    assert_int_equal(s.inner, 10);
    pool_release(&pool);
}

static void every_refusal_says_where_and_what_would_be_right(void **unused)
{
    (void)unused;
    static const struct {
        const char *yaml, *want;
    } bad[] = {
        {"wait: 30 sec", "s.yaml:1:7: wait: \"30 sec\" is not a duration; write a number and a "
                         "unit (ns, us, ms, "
                         "s, m, h, d), as in 30s"},
        {"count: 1\ncuont: 2", "s.yaml:2:1: unknown key \"cuont\"; did you mean \"count\"?"},
        {"group: {iner: 2}",
            "s.yaml:1:9: unknown key \"group.iner\"; did you mean \"group.inner\"?"},
        {"formr: 2", "s.yaml:1:1: unknown key \"formr\"; known are"},
        {"pairs: [a]", "s.yaml:1:8: pairs: this is a list, want names with texts"},
        {"pairs: {a: [b]}", "s.yaml:1:12: pairs: this is a list, want a single value"},
        {"pairs: {a: }", "s.yaml:1:9: pairs: a has no value; write '' for an empty one"},
        {"inner: 2", "s.yaml:1:1: unknown key \"inner\"; did you mean \"group.inner\"?"},
        {"zzzzzz: 2", "s.yaml:1:1: unknown key \"zzzzzz\"; known are count, bytes, number"},
        {"count: 1\ncount: 2", "s.yaml:2:1: count is given twice; keep one"},
        {"group: {inner: 1}\ngroup.inner: 2", "s.yaml:2:1: group.inner is given twice"},
        {"count: [1]", "s.yaml:1:8: count: this is a list, want a single value"},
        {"texts: {a: b}", "s.yaml:1:8: texts: this is a map of keys, want a list"},
        {"texts: [[a]]", "s.yaml:1:9: texts: this is a list, want a single value"},
        {"pairs: [a]", "s.yaml:1:8: pairs: this is a list, want names with texts"},
        {"pairs: {a: [b]}", "s.yaml:1:12: pairs: this is a list, want a single value"},
        {"pairs: {a: }", "s.yaml:1:9: pairs: a has no value; write '' for an empty one"},
        {"group: 5", "s.yaml:1:8: group: this is a single value, want keys with values"},
        {"[a]", "s.yaml:1:1: this is a list, want keys with values"},
        {"count:\nflag: true", "s.yaml:1:1: count: no value; write one, or leave the key out"},
        {"flag: yes", "s.yaml:1:7: flag: \"yes\" is not a flag; write true or false"},
        {"colour: blue", "s.yaml:1:9: colour: \"blue\" is not one of: red, green"},
        {"durations: [1s, x]", "s.yaml:1:17: durations: \"x\" is not a duration"},
        {"text: ${WEIR_TEST_UNSET}", "s.yaml:1:7: the environment variable WEIR_TEST_UNSET"},
        {"text: &a x\ncount: *a", "s.yaml:2:8: an alias (*a) is not taken here"},
        {"text: !!str x", "s.yaml:1:7: a tag"},
        {"text: \"a\\0b\"", "s.yaml:1:7: the value holds a NUL byte"},
        {"a: 1\n---\nb: 2", "s.yaml:2:1: a second document"},
        {"\tcount: 1", "s.yaml:1:1: not YAML"},
        {"text: *", "; quote a value that starts with *, & or !"},
        {"text: @a", "; indent with spaces, not tabs, and quote a value that starts with @"},
        {"text: {", "s.yaml:2:1: not YAML"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "nested deeper than 16 levels"},
        {"{[a]: 1}", "s.yaml:1:2: a key must be one text"},
    };
    unsetenv("WEIR_TEST_UNSET");
    struct pool pool = {0};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct sample s;
        struct error err = {.text = ""};
        assert_int_equal(sample_read(bad[i].yaml, &s, &pool, &err), ST_FATAL);
        if (strstr(err.text, bad[i].want) == NULL)
            fail_msg("%s\ngave: %s\nwant: %s", bad[i].yaml, err.text, bad[i].want);
    }
    pool_release(&pool);
}

static void an_expanded_value_stays_one_value(void **unused)
{
    (void)unused;
    setenv("WEIR_TEST_TRICK", "a: [b, {c}] # d\ncount: 9", 1);
    struct pool pool = {0};
    struct sample s;
    struct error err;
    assert_int_equal(sample_read("text: ${WEIR_TEST_TRICK}", &s, &pool, &err), ST_OK);
    assert_string_equal(s.text, "a: [b, {c}] # d\ncount: 9");
    assert_int_equal(s.count, 7);
    pool_release(&pool);
}

static void too_much_is_refused(void **unused)
{
    (void)unused;
    struct pool pool = {0};
    struct buffer text = {0};
    struct node *root;
    struct error err;
    buffer_print(&text, "[");
    for (int i = 0; i < NODE_ENTRIES_MAX; i++)
        buffer_print(&text, "1,");
    buffer_print(&text, "2]");
    assert_int_equal(node_read(buffer_bytes(&text), "x", true, &pool, &root, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "more than 1024 entries"));

    buffer_reset(&text);
    memset(buffer_room(&text, NODE_INPUT_BYTES_MAX + 1), '#', NODE_INPUT_BYTES_MAX + 1);
    text.size = NODE_INPUT_BYTES_MAX + 1;
    assert_int_equal(node_read(buffer_bytes(&text), "x", true, &pool, &root, &err), ST_FATAL);
    text.size = NODE_INPUT_BYTES_MAX;
    assert_int_equal(node_read(buffer_bytes(&text), "x", true, &pool, &root, &err), ST_OK);

    memset(text.data, 'a', text.size);
    assert_int_equal(node_read(buffer_bytes(&text), "x", true, &pool, &root, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "longer than 65536 bytes"));
    buffer_release(&text);
    pool_release(&pool);
}

static void foreign_text_is_shown_in_one_short_line(void **unused)
{
    (void)unused;
    assert_string_equal(node_show("a\nb\x1b[1m").text, "a?b?[1m");
    char text[200];
    for (size_t i = 0; i + 1 < sizeof(text); i++)
        text[i] = i % 2 == 0 ? '\xc3' : '\xa9';
    text[sizeof(text) - 1] = '\0';
    struct node_shown shown = node_show(text);
    assert_int_equal(strlen(shown.text), 68 + 3);
    assert_string_equal(shown.text + 68, "...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_a_number_and_a_unit),
        cmocka_unit_test(what_is_not_a_duration_is_refused),
        cmocka_unit_test(a_printed_duration_reads_back),
        cmocka_unit_test(counts_sizes_and_numbers),
        cmocka_unit_test(what_is_not_a_quantity_is_refused),
        cmocka_unit_test(sizes_print_in_three_digits),
        cmocka_unit_test(variables_are_expanded),
        cmocka_unit_test(a_variable_that_is_not_set_is_named),
        cmocka_unit_test(an_empty_map_gives_the_fallbacks),
        cmocka_unit_test(pairs_keep_their_order_and_may_be_empty),
        cmocka_unit_test(what_is_written_goes_before),
        cmocka_unit_test(every_refusal_says_where_and_what_would_be_right),
        cmocka_unit_test(an_expanded_value_stays_one_value),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(foreign_text_is_shown_in_one_short_line),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
