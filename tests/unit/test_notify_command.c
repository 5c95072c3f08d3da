/* Commands as receivers: what they are given, what ends them, and that nothing of an alert becomes syntax. */
#include "engine/base/clock.h"
#include "sinks/child_run.h"
#include "tests/support/receiver.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOON INT64_C(1714564800000)

static char folder[] = "/tmp/weir-command.XXXXXX";

static const char *file(const char *name)
{
    static char paths[8][160];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *out = fopen(file(name), "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    assert_int_equal(chmod(file(name), mode), 0);
}

static const char *read_file(const char *name)
{
    static char text[65536];
    FILE *in = fopen(file(name), "r");
    text[0] = '\0';
    if (in == NULL) return text;
    size_t size = fread(text, 1, sizeof(text) - 1, in);
    text[size] = '\0';
    fclose(in);
    return text;
}

static enum status tell(const char *yaml, const struct notice *notice,
    struct notify_failure *failure, struct error *err)
{
    struct config config;
    receiver_config(&config, "%s", yaml);
    err->text[0] = '\0';
    enum status status = receiver_tell(&config, notice, failure, err);
    config_release(&config);
    return status;
}

static struct notice notice_of(const char *json)
{
    struct notice notice;
    struct error err;
    if (notice_of_json(&notice, bytes_of(json), NOTICE_FIRING, &err) != ST_OK)
        fail_msg("%s", err.text);
    return notice;
}

static void arguments_stay_what_they_are_whatever_they_hold(void **unused)
{
    (void)unused;
    struct notice notice = notice_of(
        "{\"id\":\"f00d\",\"rule\":\"$(touch pwned); `touch pwned` | > pwned & \\\"'*\\n-x\","
        "\"labels\":{\"service\":\"a b\"}}");
    struct notify_failure failure;
    struct error err;
    char yaml[512];
    write_file("show",
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\nfor a in \"$@\"; do printf '<%s>' \"$a\"; "
        "done >shown\n",
        0755);
    snprintf(yaml, sizeof(yaml),
        "{name: c, command: ['%s', '{{rule}}', --, 'of {{labels.service}}', '{{labels.none}}']}",
        file("show"));
    assert_int_equal(tell(yaml, &notice, &failure, &err), ST_OK);
    assert_string_equal(
        read_file("shown"), "<$(touch pwned); `touch pwned` | > pwned & \"'*\n-x><--><of a b><>");
    assert_int_equal(access(file("pwned"), F_OK), -1);
    notice_release(&notice);
}

static void the_alert_is_on_standard_input_and_in_the_environment_and_secrets_are_not(void **unused)
{
    (void)unused;
    struct notice notice = receiver_notice("f00d", NOTICE_RESOLVED, NOON);
    struct notify_failure failure;
    struct error err;
    char yaml[512];
    setenv("WEIR_TEST_SECRET", "hunter2", 1);
    setenv("WEIR_TEST_WANTED", "passed on", 1);
    write_file("keep", "#!/bin/sh\ncd \"$(dirname \"$0\")\"\ncat >in\nenv >environment\n", 0755);
    snprintf(yaml, sizeof(yaml), "{name: c, command: '%s', environment: [WEIR_TEST_WANTED]}",
        file("keep"));
    assert_int_equal(tell(yaml, &notice, &failure, &err), ST_OK);
    json_t *in = json_loads(read_file("in"), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(in, "state")), "resolved");
    assert_string_equal(json_string_value(json_object_get(in, "condition")), "p99[5m] > 500ms");
    json_decref(in);
    const char *environment = read_file("environment");
    assert_non_null(strstr(environment, "WEIR_ALERT_ID=f00d\n"));
    assert_non_null(strstr(environment, "WEIR_ALERT_STATE=resolved\n"));
    assert_non_null(strstr(environment, "WEIR_ALERT_VALUE=750.5\n"));
    assert_non_null(strstr(environment, "WEIR_ALERT_AT=2024-05-01T12:00:00Z\n"));
    assert_non_null(strstr(environment, "WEIR_ALERT_LABEL_SERVICE=cart\n"));
    assert_non_null(strstr(environment, "WEIR_TEST_WANTED=passed on\n"));
    assert_non_null(strstr(environment, "PATH="));
    assert_null(strstr(environment, "hunter2"));
    notice_release(&notice);
}

static const struct {
    const char *script;
    enum notify_reason reason;
    const char *says;
} failures[] = {
    {"echo no credit; exit 3", NOTIFY_EXIT, "ended with exit code 3; it says: no credit"},
    {"echo no credit >&2; exit 1", NOTIFY_EXIT, "it says: no credit"},
    {"kill -SEGV $$", NOTIFY_EXIT, "was ended by signal 11"},
    {"sleep 60", NOTIFY_TIMEOUT, "did not end in time and was killed"},
    {"trap '' TERM; echo stubborn; sleep 60 & wait; sleep 60", NOTIFY_TIMEOUT, "stubborn"},
};

static void a_command_that_fails_or_hangs_is_tried_again(void **unused)
{
    (void)unused;
    struct notice notice = receiver_notice("f00d", NOTICE_FIRING, NOON);
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        struct notify_failure failure;
        struct error err;
        char yaml[512];
        int64_t begun_ns = clock_ns();
        snprintf(yaml, sizeof(yaml), "{name: c, timeout: 300ms, command: [sh, -c, \"%s\"]}",
            failures[i].script);
        assert_int_equal(tell(yaml, &notice, &failure, &err), ST_RETRY);
        assert_int_equal(failure.reason, failures[i].reason);
        if (strstr(err.text, failures[i].says) == NULL)
            fail_msg("%s: %s", failures[i].script, err.text);
        assert_true(clock_ns() - begun_ns < 10 * NS_PER_S);
    }
    notice_release(&notice);
}

static void a_command_that_cannot_be_started_is_said(void **unused)
{
    (void)unused;
    struct notice notice = receiver_notice("f00d", NOTICE_FIRING, NOON);
    struct notify_failure failure;
    struct error err;
    char yaml[512];
    assert_int_equal(
        tell("{name: c, command: /nonexistent/sms}", &notice, &failure, &err), ST_RETRY);
    assert_int_equal(failure.reason, NOTIFY_START);
    assert_non_null(strstr(err.text, "/nonexistent/sms cannot be started: No such file"));
    write_file("plain", "no program", 0644);
    snprintf(yaml, sizeof(yaml), "{name: c, command: '%s'}", file("plain"));
    assert_int_equal(tell(yaml, &notice, &failure, &err), ST_RETRY);
    assert_non_null(strstr(err.text, "Permission denied"));
    notice_release(&notice);
}

static const char *const no_environment[] = {"PATH=/usr/bin:/bin", NULL};

static bool never(void)
{
    return false;
}

static bool always(void)
{
    return true;
}

static void run_shell(
    const char *script, struct bytes in, bool (*stopping)(void), struct child_result *result)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct child_run run = {.argv = argv,
        .environment = no_environment,
        .in = in,
        .timeout_ns = 20 * NS_PER_S,
        .stopping = stopping};
    child_run(&run, result);
}

static void what_it_says_is_bounded_and_does_not_hold_it_up(void **unused)
{
    (void)unused;
    struct child_result result;
    run_shell("echo begins; head -c 3000000 /dev/zero | tr '\\0' x; exit 4", (struct bytes){0},
        never, &result);
    assert_int_equal(result.end, CHILD_EXITED);
    assert_int_equal(result.code, 4);
    assert_int_equal(strlen(result.said), CHILD_SAID_BYTES - 1);
    assert_memory_equal(result.said, "begins xxxx", 11);
}

static void what_it_does_not_read_does_not_hold_it_up(void **unused)
{
    (void)unused;
    struct child_result result;
    static uint8_t much[1 << 20];
    memset(much, 'a', sizeof(much));
    run_shell("exit 0", (struct bytes){much, sizeof(much)}, never, &result);
    assert_int_equal(result.end, CHILD_EXITED);
    assert_int_equal(result.code, 0);
    run_shell("wc -c", (struct bytes){much, sizeof(much)}, never, &result);
    assert_int_equal(strtol(result.said, NULL, 10), 1 << 20);
}

static void what_it_leaves_running_is_ended_and_not_waited_for(void **unused)
{
    (void)unused;
    struct child_result result;
    int64_t begun_ns = clock_ns();
    run_shell("sleep 30 & echo $!", (struct bytes){0}, never, &result);
    assert_int_equal(result.end, CHILD_EXITED);
    assert_true(clock_ns() - begun_ns < 5 * NS_PER_S);
    pid_t left = (pid_t)strtol(result.said, NULL, 10);
    assert_true(left > 1);
    for (int tries = 0; tries < 100 && kill(left, 0) == 0; tries++)
        clock_sleep(20 * NS_PER_MS);
    char state[64] = "", path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)left);
    FILE *stat = fopen(path, "r"); /* a zombie of somebody else's is as good as gone */
    if (stat != NULL) {
        assert_int_equal(fscanf(stat, "%*d %*s %63s", state), 1);
        fclose(stat);
        assert_string_equal(state, "Z");
    }
}

static void who_stops_does_not_wait_long_for_a_command(void **unused)
{
    (void)unused;
    struct child_result result;
    int64_t begun_ns = clock_ns();
    run_shell("sleep 15", (struct bytes){0}, always, &result);
    assert_int_equal(result.end, CHILD_TIMED_OUT);
    assert_true(clock_ns() - begun_ns < 8 * NS_PER_S);
}

/* Whoever started us may have SIGCHLD ignored. */
static void how_a_command_ended_that_nobody_knows_is_a_failure(void **unused)
{
    (void)unused;
    struct child_result result;
    signal(SIGCHLD, SIG_IGN);
    run_shell("exit 3", (struct bytes){0}, never, &result);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(result.end, CHILD_EXITED);
    assert_int_equal(result.code, 127);
}

/* config/to-nsca.sh, which config/notify.yaml shows. */
static void the_script_for_nagios_gives_send_nsca_its_four_fields(void **unused)
{
    (void)unused;
    struct notice notice = notice_of(
        "{\"id\":\"f00d\",\"rule\":\"a\\tb\",\"severity\":\"page\",\"since_ms\":1714564800000,"
        "\"annotations\":{\"summary\":\"all\\tis\\nlost\"},\"labels\":{\"service\":\"cart\"}}");
    struct notify_failure failure;
    struct error err;
    const char yaml[] = "{name: c, command: [config/to-nsca.sh, '{{labels.service}}', '{{rule}}'], "
                        "environment: [SEND_NSCA]}";
    write_file("send_nsca", "#!/bin/sh\ncat >\"$(dirname \"$0\")/sent\"\n", 0755);
    setenv("SEND_NSCA", file("send_nsca"), 1);
    if (tell(yaml, &notice, &failure, &err) != ST_OK) fail_msg("%s", err.text);
    assert_string_equal(
        read_file("sent"), "cart\ta b\t2\tall is lost since 2024-05-01T12:00:00Z\n");
    notice.state = NOTICE_RESOLVED;
    assert_int_equal(tell(yaml, &notice, &failure, &err), ST_OK);
    assert_non_null(strstr(read_file("sent"), "\t0\t"));
    notice_release(&notice);
}

/* The one of config/notify.yaml, which finds a program of that name. */
static void the_example_for_zabbix_gives_its_sender_what_it_wants(void **unused)
{
    (void)unused;
    struct notice notice = receiver_notice("f00d", NOTICE_RESOLVED, NOON);
    struct config config;
    struct notify_failure failure;
    struct error err;
    char path[512];
    const char *before = getenv("PATH");
    write_file(
        "zabbix_sender", "#!/bin/sh\nprintf '<%s>' \"$@\" >\"$(dirname \"$0\")/sent\"\n", 0755);
    snprintf(path, sizeof(path), "%s:%s", folder, before);
    if (config_load(&config, "config/notify.yaml", NULL, &err) != ST_OK) fail_msg("%s", err.text);
    size_t r = 0;
    while (r < config.receivers &&
           strcmp(((const struct notifier_keys *)config.receiver[r].self)->name, "zabbix") != 0)
        r++;
    assert_true(r < config.receivers);
    config.receiver[0] = config.receiver[r];
    char *was = strdup(before);
    setenv("PATH", path, 1);
    enum status status = receiver_tell(&config, &notice, &failure, &err);
    setenv("PATH", was, 1);
    free(was);
    if (status != ST_OK) fail_msg("%s", err.text);
    assert_string_equal(read_file("sent"), "<--zabbix-server=zabbix.example><--host=cart>"
                                           "<--key=weir.alert><--value=resolved>");
    config_release(&config);
    notice_release(&notice);
}

static int start(void **unused)
{
    (void)unused;
    signal(SIGPIPE, SIG_IGN);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int stop(void **unused)
{
    (void)unused;
    char command[256];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_stay_what_they_are_whatever_they_hold),
        cmocka_unit_test(the_alert_is_on_standard_input_and_in_the_environment_and_secrets_are_not),
        cmocka_unit_test(a_command_that_fails_or_hangs_is_tried_again),
        cmocka_unit_test(a_command_that_cannot_be_started_is_said),
        cmocka_unit_test(what_it_says_is_bounded_and_does_not_hold_it_up),
        cmocka_unit_test(what_it_does_not_read_does_not_hold_it_up),
        cmocka_unit_test(what_it_leaves_running_is_ended_and_not_waited_for),
        cmocka_unit_test(the_script_for_nagios_gives_send_nsca_its_four_fields),
        cmocka_unit_test(the_example_for_zabbix_gives_its_sender_what_it_wants),
        cmocka_unit_test(who_stops_does_not_wait_long_for_a_command),
        cmocka_unit_test(how_a_command_ended_that_nobody_knows_is_a_failure),
    };
    return cmocka_run_group_tests_name("notify_command", tests, start, stop);
}
