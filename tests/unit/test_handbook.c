/*
 * The examples of config/RULES.md are the files under config/rules/, every one of them, to the letter;
 * and each does what it says.
 */
#include "engine/base/buffer.h"
#include "tests/support/run_command.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

extern const struct command command_rules;

enum { EXAMPLES_LEAST = 8 };

static const char handbook[] = "config/RULES.md", files[] = "config/rules/*.yaml";
static const char block_begin[] = "```yaml test\n", block_end[] = "```\n";

static void read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail_msg("%s cannot be read", path);
    buffer_reset(out);
    out->size += fread(buffer_room(out, 1 << 18), 1, (1 << 18) - 1, file);
    buffer_append(out, "", 1);
    fclose(file);
}

static void every_file_is_an_example(void **unused)
{
    (void)unused;
    struct buffer text = {0}, example = {0}, block = {0};
    glob_t found = {0};
    read_file(handbook, &text);
    assert_int_equal(glob(files, 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= EXAMPLES_LEAST);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        read_file(found.gl_pathv[i], &example);
        buffer_reset(&block);
        buffer_print(&block, "%s:\n\n%s%s%s", found.gl_pathv[i], block_begin,
            (const char *)example.data, block_end);
        buffer_append(&block, "", 1);
        if (strstr((const char *)text.data, (const char *)block.data) == NULL)
            fail_msg("%s does not hold %s as it is", handbook, found.gl_pathv[i]);
    }
    globfree(&found);
    buffer_release(&text);
    buffer_release(&example);
    buffer_release(&block);
}

static void every_example_is_a_file(void **unused)
{
    (void)unused;
    struct buffer text = {0};
    glob_t found = {0};
    size_t blocks = 0;
    read_file(handbook, &text);
    assert_int_equal(glob(files, 0, NULL, &found), 0);
    for (const char *at = (const char *)text.data; (at = strstr(at, block_begin)) != NULL; at++)
        blocks++;
    assert_int_equal(blocks, found.gl_pathc);
    globfree(&found);
    buffer_release(&text);
}

static void every_example_does_what_it_says(void **unused)
{
    (void)unused;
    glob_t found = {0};
    assert_int_equal(glob(files, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *const words[] = {"test", found.gl_pathv[i], NULL};
        const struct said *said = run_command(&command_rules, words);
        if (said->exit_code != EXIT_DONE)
            fail_msg("%s:\n%s%s", found.gl_pathv[i], said->out, said->complaint);
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_is_an_example),
        cmocka_unit_test(every_example_is_a_file),
        cmocka_unit_test(every_example_does_what_it_says),
    };
    return cmocka_run_group_tests_name("handbook", tests, NULL, NULL);
}
