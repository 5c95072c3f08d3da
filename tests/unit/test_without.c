/* Partitions that the config says are gone for good. */
#include "engine/without.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void partitions_of_known_topics_are_read(void **unused)
{
    (void)unused;
    struct config config;
    struct error err;
    uint32_t topic = 9, partition = 9;
    const char *const settings[] = {"topics=[spans, more.spans]", "without=[more.spans/12]", NULL};
    assert_int_equal(config_load(&config, NULL, settings, &err), ST_OK);
    assert_true(without_read(&config.topics, "more.spans/12", &topic, &partition));
    assert_int_equal(topic, 1);
    assert_int_equal(partition, 12);
    assert_true(without_has(&config, 1, 12));
    assert_false(without_has(&config, 0, 12));
    assert_false(without_has(&config, 1, 1));
    config_release(&config);
}

static void what_is_no_partition_is_refused(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {"without=[spans]", "without=[spans/]", "without=[spans/x]",
        "without=[spans/-1]", "without=[other/1]", "without=[/1]", "without=[spans/99999999999]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct config config;
        struct error err;
        const char *const settings[] = {"topics=[spans]", wrong[i], NULL};
        if (config_load(&config, NULL, settings, &err) == ST_OK) fail_msg("taken: %s", wrong[i]);
        assert_non_null(strstr(err.text, "write it as spans/3"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_of_known_topics_are_read),
        cmocka_unit_test(what_is_no_partition_is_refused),
    };
    return cmocka_run_group_tests_name("without", tests, NULL, NULL);
}
