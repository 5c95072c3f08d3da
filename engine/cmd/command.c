#include "engine/base/node.h"
#include "engine/base/text.h"
#include "engine/cmd/cmd.h"
#include "engine/cmd/sheet.h"
#include "engine/kafka_version.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ERROR_BYTES_MAX = 1024 };

/* A file's or a server's words are quoted in errors, and standard error is a terminal. Lines stay lines. */
static void print_shown(const char *text)
{
    struct buffer shown = {0};
    for (size_t size; *text != '\0'; text += size) {
        size = strcspn(text, "\n");
        sheet_escape((struct bytes){(const uint8_t *)text, size}, &shown);
        if (text[size] == '\0') continue;
        buffer_append(&shown, "\n", 1);
        size++;
    }
    fwrite(shown.data, 1, shown.size, stderr);
    buffer_release(&shown);
}

int command_misused(const struct command *command, const char *format, ...)
{
    char text[ERROR_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "weir %s: ", command->name);
    print_shown(text);
    fprintf(stderr, "\nTry `weir %s --help`.\n", command->name);
    return EXIT_USAGE;
}

int command_failed(const struct command *command, const struct error *err, int exit_code)
{
    fprintf(stderr, "weir %s: ", command->name);
    print_shown(err->text);
    fputc('\n', stderr);
    return exit_code;
}

static const struct command *command_find(const struct command *const *table, const char *name)
{
    for (; *table != NULL; table++) {
        if (strcmp((*table)->name, name) == 0) return *table;
    }
    return NULL;
}

/* The command that `wrote` begins, or that is nearest to it and near enough; or NULL. */
static const struct command *command_guess(const struct command *const *table, const char *wrote)
{
    const struct command *best = NULL;
    size_t best_distance = text_distance_max(wrote) + 1;
    for (; *table != NULL; table++) {
        if (wrote[0] != '\0' && strncmp((*table)->name, wrote, strlen(wrote)) == 0) return *table;
        size_t distance = text_distance(wrote, (*table)->name);
        if (distance >= best_distance) continue;
        best = *table;
        best_distance = distance;
    }
    return best;
}

static void print_commands(FILE *out, const struct command *const *table)
{
    fprintf(out, "weir counts OpenTelemetry spans from Kafka into rolling numbers in Redis.\n\n"
                 "Usage: weir COMMAND [OPTION]...\n\nCommands:\n");
    for (; *table != NULL; table++)
        fprintf(out, "  %-10s %s\n", (*table)->name, (*table)->summary);
    fprintf(out, "\n`weir COMMAND --help` tells more of one; `weir --version` prints the version.\n"
                 "Exit codes: 0 done, 1 failed, 2 wrong usage or wrong config.\n");
}

static int command_unknown(const struct command *const *table, const char *wrote)
{
    const struct command *guess = command_guess(table, wrote);
    fprintf(stderr, "weir: there is no command `%s`.", node_show(wrote).text);
    if (guess != NULL) fprintf(stderr, " Did you mean `%s`?", guess->name);
    fprintf(stderr, "\nTry `weir --help`.\n");
    return EXIT_USAGE;
}

static int command_print_help(const struct command *command)
{
    size_t bytes = strlen(command->help);
    bool ended = bytes > 0 && command->help[bytes - 1] == '\n';
    printf("%s%s", command->help, ended ? "" : "\n");
    return EXIT_DONE;
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* --help may stand anywhere before `--`; -h only first, as elsewhere it may be an option. */
static bool asks_for_help(int argc, char **argv)
{
    if (argc > 1 && is_help(argv[1])) return true;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0) return true;
    }
    return false;
}

/* argv[0] is what should be a command. */
static int command_run(const struct command *const *table, int argc, char **argv)
{
    const struct command *command = command_find(table, argv[0]);
    if (command == NULL) return command_unknown(table, argv[0]);
    if (asks_for_help(argc, argv)) return command_print_help(command);
    return command->run(argc, argv);
}

static int command_dispatch(const struct command *const *table, int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr, table);
        return EXIT_USAGE;
    }
    bool help = is_help(argv[1]) || strcmp(argv[1], "help") == 0;
    if (help && argc > 2) {
        const struct command *command = command_find(table, argv[2]);
        return command == NULL ? command_unknown(table, argv[2]) : command_print_help(command);
    }
    if (help) {
        print_commands(stdout, table);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("weir %s, librdkafka %s\n", WEIR_VERSION, kafka_version());
        return EXIT_DONE;
    }
    return command_run(table, argc - 1, argv + 1);
}

/* A reader that went away, as in `weir query | head`, needs no words. */
static bool output_written(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return true;
    if (errno != EPIPE)
        fprintf(stderr, "weir: cannot write standard output: %s\n",
            errno == 0 ? "an earlier write failed" : strerror(errno));
    return false;
}

int command_main(const struct command *const *table, int argc, char **argv)
{
    int exit_code = command_dispatch(table, argc, argv);
    return output_written() || exit_code != EXIT_DONE ? exit_code : EXIT_FAILED;
}
