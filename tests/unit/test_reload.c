/* A config read again: what may change does, what may not is left, and a bad file changes nothing. */
#include "engine/reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char path[64];
    struct config config;
    struct plan plan;
    struct live *live;
};

static void file_write(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

static void fixture_init(struct fixture *f, const char *text, const char *const *settings)
{
    struct error err;
    snprintf(f->path, sizeof(f->path), "/tmp/weir-reload-%d.yaml", (int)getpid());
    file_write(f, text);
    if (config_load(&f->config, f->path, settings, &err) != ST_OK) fail_msg("%s", err.text);
    if (plan_init(&f->plan, &f->config, &err) != ST_OK) fail_msg("%s", err.text);
    f->live = live_new(&f->plan);
}

static void fixture_release(struct fixture *f)
{
    unlink(f->path);
    live_free(f->live);
    config_release(&f->config);
}

static const char begin[] = "quantiles: [0.5, 0.95]\nlimits: {series: 10, message_bytes: 1MiB}\n";

static void what_may_change_does_and_the_rest_stays(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    fixture_init(&f, begin, NULL);
    file_write(&f, "quantiles: [0.9, 0.95]\nlimits: {series: 20, message_bytes: 2MiB}\npane: 5s\n"
                   "lateness: 40s\n"
                   "threads: {combine: 3}\nlog: {level: debug}\n"
                   "rules: [{name: slow, when: p90 > 1ms}]\nzscore: []\n");
    struct live *before = f.live;
    assert_int_equal(live_reload(&f.live, &f.plan, f.live, &err), ST_OK);
    assert_ptr_not_equal(f.live, before);
    const struct config *now = f.live->plan->config;
    assert_int_equal(now->limits.series, 20);
    assert_int_equal(now->limits.message_bytes, 2 << 20);
    assert_int_equal(now->log.level, 0);
    assert_int_equal(now->operator_count, 4); /* three that score */
    assert_true(now->quantiles.number[0] == 0.9);
    assert_int_equal(now->pane_ns, f.config.pane_ns);
    assert_int_equal(now->lateness_ns, f.config.lateness_ns);
    assert_int_equal(now->threads.combine, 1);
    assert_int_equal(f.live->plan->fingerprint, f.plan.fingerprint);
    fixture_release(&f);
}

static void the_same_again_is_no_change_however_it_is_written(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    fixture_init(&f, begin, NULL);
    file_write(&f, "limits:\n  message_bytes: 1024KiB\n  series: '10'\nquantiles: [0.5, 0.95]\n");
    struct live *before = f.live;
    assert_int_equal(live_reload(&f.live, &f.plan, f.live, &err), ST_OK);
    assert_ptr_equal(f.live, before);
    fixture_release(&f);
}

static void a_bad_file_changes_nothing_and_names_the_place(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"quantiles: [0.9, 0.95]\nlimits: {series: none}\n",
        "limits: {series: 20}\nrules: [{name: slow, when: p42 > 1ms}]\n",
        "quantiles: [0.9, 0.95]\nlimits: {seriess: 3}\n", "quantiles: [0.9, 0.95\nlimits: {\n"};
    static const char *const where[] = {":2:18: ", ":2:9: ", ":2:10: ", ":2:"};
    for (size_t i = 0; i < 4; i++) {
        struct fixture f;
        struct error err;
        fixture_init(&f, begin, NULL);
        file_write(&f, bad[i]);
        struct live *before = f.live;
        assert_int_equal(live_reload(&f.live, &f.plan, f.live, &err), ST_FATAL);
        assert_ptr_equal(f.live, before);
        assert_int_equal(f.live->plan->config->limits.series, 10);
        assert_non_null(strstr(err.text, f.path));
        if (strstr(err.text, where[i]) == NULL) fail_msg("no %s in: %s", where[i], err.text);
        fixture_release(&f);
    }
}

/* The rule is right for the file, whose window this worker does not have before it is restarted. */
static void a_rule_on_a_window_that_is_not_there_yet_changes_nothing(void **unused)
{
    (void)unused;
    struct fixture f;
    struct error err;
    fixture_init(&f, begin, NULL);
    file_write(&f, "windows: [2m]\nlimits: {series: 20}\n"
                   "rules: [{name: slow, when: 'errors[2m] > 1'}]\n");
    assert_int_equal(live_reload(&f.live, &f.plan, f.live, &err), ST_FATAL);
    assert_int_equal(f.live->plan->config->limits.series, 10);
    assert_non_null(strstr(err.text, "2m"));
    fixture_release(&f);
}

static void the_command_line_still_goes_before_the_file(void **unused)
{
    (void)unused;
    static const char *const settings[] = {"limits.series=7", NULL};
    struct fixture f;
    struct error err;
    fixture_init(&f, begin, settings);
    file_write(&f, "limits: {series: 20, alerts: 5}\n");
    assert_int_equal(live_reload(&f.live, &f.plan, f.live, &err), ST_OK);
    assert_int_equal(f.live->plan->config->limits.series, 7);
    assert_int_equal(f.live->plan->config->limits.alerts, 5);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_change_does_and_the_rest_stays),
        cmocka_unit_test(the_same_again_is_no_change_however_it_is_written),
        cmocka_unit_test(a_bad_file_changes_nothing_and_names_the_place),
        cmocka_unit_test(a_rule_on_a_window_that_is_not_there_yet_changes_nothing),
        cmocka_unit_test(the_command_line_still_goes_before_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
