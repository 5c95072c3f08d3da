/*
 * The program's frame, run as children with a small table of commands of the test's own.
 */
#include "engine/cmd/cmd.h"
#include "engine/stop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGUMENTS_MAX = 8, OUTPUT_BYTES_MAX = 8192 };

struct outcome {
    int exit_code;
    char out[OUTPUT_BYTES_MAX];
    char err[OUTPUT_BYTES_MAX];
};

static int echo_run(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("[%s]", argv[i]);
    return argc > 3 ? EXIT_FAILED : EXIT_DONE;
}

static const struct command command_echo = {.name = "echo",
    .summary = "say it again",
    .help = "Usage: weir echo [WORD]...\n",
    .run = echo_run};

static int fail_run(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct error err;
    error_set(&err, ST_FATAL, 0, "it broke: mend it");
    return command_failed(&command_echo, &err, EXIT_USAGE);
}

static const struct command command_fail = {
    .name = "fail", .summary = "never works", .help = "Usage: weir fail", .run = fail_run};

static const struct command *const table[] = {&command_echo, &command_fail, NULL};

static void read_back(FILE *file, char *text)
{
    rewind(file);
    text[fread(text, 1, OUTPUT_BYTES_MAX - 1, file)] = '\0';
    fclose(file);
}

/* What happens in a child: descriptors and signals of the test stay as they are. */
static void child(const char *const *words, int out, int err)
{
    char *argv[ARGUMENTS_MAX + 1] = {0};
    int argc = 0;
    while (words[argc] != NULL && argc < ARGUMENTS_MAX) {
        argv[argc] = strdup(words[argc]);
        argc++;
    }
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    signal(SIGPIPE, SIG_IGN);
    int exit_code = command_main(table, argc, argv);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    _exit(exit_code);
}

static int run_child(const char *const *words, int out, int err)
{
    fflush(stdout);
    fflush(stderr);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) child(words, out, err);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static struct outcome weir_words(const char *const *words)
{
    static struct outcome outcome;
    FILE *out = tmpfile(), *err = tmpfile();
    outcome.exit_code = run_child(words, fileno(out), fileno(err));
    read_back(out, outcome.out);
    read_back(err, outcome.err);
    return outcome;
}

#define weir(...) weir_words((const char *const[]){"weir", __VA_ARGS__, NULL})

static void a_command_gets_its_arguments_and_gives_the_exit_code(void **unused)
{
    (void)unused;
    struct outcome o = weir("echo", "a", "b c");
    assert_string_equal(o.out, "[echo][a][b c]");
    assert_string_equal(o.err, "");
    assert_int_equal(o.exit_code, EXIT_DONE);
    assert_int_equal(weir("echo", "1", "2", "3").exit_code, EXIT_FAILED);
}

static void help_lists_the_commands(void **unused)
{
    (void)unused;
    struct outcome o = weir("--help");
    assert_int_equal(o.exit_code, EXIT_DONE);
    assert_non_null(strstr(o.out, "  echo       say it again\n  fail       never works\n"));
    assert_string_equal(weir("-h").out, o.out);
    assert_string_equal(weir("help").out, o.out);
}

static void no_command_is_wrong_usage(void **unused)
{
    (void)unused;
    struct outcome o = weir_words((const char *const[]){"weir", NULL});
    assert_int_equal(o.exit_code, EXIT_USAGE);
    assert_string_equal(o.out, "");
    assert_non_null(strstr(o.err, "  echo       say it again\n"));
}

static void a_command_has_help_of_its_own(void **unused)
{
    (void)unused;
    assert_string_equal(weir("echo", "--help").out, "Usage: weir echo [WORD]...\n");
    assert_string_equal(weir("echo", "x", "--help").out, "Usage: weir echo [WORD]...\n");
    assert_string_equal(weir("echo", "-h").out, "Usage: weir echo [WORD]...\n");
    assert_string_equal(weir("help", "fail").out, "Usage: weir fail\n");
    assert_string_equal(weir("echo", "x", "-h").out, "[echo][x][-h]");
    assert_string_equal(weir("echo", "--", "--help").out, "[echo][--][--help]");
}

static void the_version_names_the_kafka_library(void **unused)
{
    (void)unused;
    struct outcome o = weir("--version");
    assert_int_equal(o.exit_code, EXIT_DONE);
    int major, minor, patch;
    assert_int_equal(
        sscanf(o.out, "weir " WEIR_VERSION ", librdkafka %d.%d.%d", &major, &minor, &patch), 3);
}

static void an_unknown_command_is_answered_with_the_nearest(void **unused)
{
    (void)unused;
    struct outcome o = weir("ehco");
    assert_int_equal(o.exit_code, EXIT_USAGE);
    assert_string_equal(
        o.err, "weir: there is no command `ehco`. Did you mean `echo`?\nTry `weir --help`.\n");
    assert_non_null(strstr(weir("f").err, "Did you mean `fail`?"));
    assert_non_null(strstr(weir("help", "fial").err, "Did you mean `fail`?"));
    assert_null(strstr(weir("frobnicate").err, "Did you mean"));
    assert_null(strstr(weir("").err, "Did you mean"));
    assert_int_equal(weir("--frobnicate").exit_code, EXIT_USAGE);
}

static void a_failure_is_told_with_the_commands_name(void **unused)
{
    (void)unused;
    struct outcome o = weir("fail");
    assert_int_equal(o.exit_code, EXIT_USAGE);
    assert_string_equal(o.err, "weir echo: it broke: mend it\n");
}

static void output_that_cannot_be_written_is_a_failure(void **unused)
{
    (void)unused;
    static const char *const words[][3] = {
        {"weir", "--help"}, {"weir", "--version"}, {"weir", "echo"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        FILE *err = tmpfile();
        assert_int_equal(run_child(words[i], full, fileno(err)), EXIT_FAILED);
        close(full);
        char text[OUTPUT_BYTES_MAX];
        read_back(err, text);
        assert_string_equal(text, "weir: cannot write standard output: No space left on device\n");
    }
}

static void a_reader_that_went_away_is_a_failure_without_words(void **unused)
{
    (void)unused;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    FILE *err = tmpfile();
    assert_int_equal(run_child((const char *const[]){"weir", "--help", NULL}, ends[1], fileno(err)),
        EXIT_FAILED);
    close(ends[1]);
    char text[OUTPUT_BYTES_MAX];
    read_back(err, text);
    assert_string_equal(text, "");
}

static void misuse_names_the_command_and_the_way_to_help(void **unused)
{
    (void)unused;
    FILE *err = tmpfile();
    int before = dup(STDERR_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    int exit_code = command_misused(&command_echo, "what is `%s`?", "--x");
    dup2(before, STDERR_FILENO);
    close(before);
    char text[OUTPUT_BYTES_MAX];
    read_back(err, text);
    assert_int_equal(exit_code, EXIT_USAGE);
    assert_string_equal(text, "weir echo: what is `--x`?\nTry `weir echo --help`.\n");
}

static int wait_for_signal(int number)
{
    stop_on_signals();
    if (stop_asked()) return 10;
    raise(number);
    return stop_asked() ? 0 : 11;
}

static void signals_ask_to_stop(void **unused)
{
    (void)unused;
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        pid_t pid = fork();
        if (pid == 0) _exit(wait_for_signal(numbers[i]));
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_false(stop_asked());
    stop_ask();
    assert_true(stop_asked());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_gets_its_arguments_and_gives_the_exit_code),
        cmocka_unit_test(help_lists_the_commands),
        cmocka_unit_test(no_command_is_wrong_usage),
        cmocka_unit_test(a_command_has_help_of_its_own),
        cmocka_unit_test(the_version_names_the_kafka_library),
        cmocka_unit_test(an_unknown_command_is_answered_with_the_nearest),
        cmocka_unit_test(a_failure_is_told_with_the_commands_name),
        cmocka_unit_test(output_that_cannot_be_written_is_a_failure),
        cmocka_unit_test(a_reader_that_went_away_is_a_failure_without_words),
        cmocka_unit_test(misuse_names_the_command_and_the_way_to_help),
        cmocka_unit_test(signals_ask_to_stop),
    };
    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
