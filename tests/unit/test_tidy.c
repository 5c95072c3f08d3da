/*
 * The source keeps its own rules: one reading of every file.
 *
 *   1. Includes point down: engine/base <- schemas <- operators, sinks <- engine, never sideways.
 *   2. Kafka lives in engine/kafka*.c and Redis in sinks/redis*.c.
 *   3. The oracle shares nothing with weir but generated protobuf.
 *   4. Operators have no I/O, clock, thread or allocation of their own.
 *   5. Calls that bite are not made, and nothing is left for later.
 *
 * Long functions and long files are named, but do not fail: some are right.
 */
#include <ctype.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LINE_BYTES = 2048, FUNCTION_LINES = 60, FILE_LINES = 400, FILES_LEAST = 50 };

/* A file under `layer` may include project headers from `below` only. */
static const struct {
    const char *layer;
    const char *below[5];
} layers[] = {
    {"engine/base/", {"engine/base/"}},
    {"schemas/", {"engine/base/", "schemas/"}},
    {"operators/", {"engine/base/", "schemas/", "operators/"}},
    {"sinks/", {"engine/base/", "schemas/", "sinks/"}},
    {"engine/", {"engine/", "schemas/", "operators/", "sinks/"}},
    {"tests/support/oracle", {"oracle", "otlp.pb-c.h", "row.pb-c.h"}},
};

/* A header that only files like `home` may include; tests and benchmarks look at anything. */
static const struct {
    const char *header;
    const char *home;
} homes[] = {
    {"<librdkafka/", "engine/kafka*"},
    {"<hiredis/", "sinks/redis*"},
    {"<microhttpd.h", "engine/http*"},
    {"<curl/", "sinks/http_post*"},
};

static const char *const banned[] = {"strcpy(", "strcat(", "sprintf(", "vsprintf(", "strtok(",
    "atoi(", "atof(", "gets(", "alloca(", NULL};

static const char *const banned_in_operators[] = {"malloc(", "calloc(", "realloc(", "free(",
    "memory_take(", "memory_zeroed(", "memory_resize(", "fopen(", "printf(", "fprintf(", "puts(",
    "clock_ns(", "clock_wall_ns(", "clock_gettime(", "time(", "rand(", "pthread_create(", NULL};

static const char *const left_for_later[] = {"TODO", "FIXME", "XXX", NULL};

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_size = strlen(text), end_size = strlen(end);
    return text_size >= end_size && strcmp(text + text_size - end_size, end) == 0;
}

static bool is_c(const char *path)
{
    return ends_with(path, ".c") || ends_with(path, ".h");
}

static int complain(const char *path, int line, const char *what, const char *which)
{
    print_error("%s:%d: %s %s\n", path, line, what, which);
    return 1;
}

/* `word` as a word of its own, not as a part of another. */
static bool has_word(const char *line, const char *word)
{
    size_t size = strlen(word);
    bool is_call = word[size - 1] == '(';
    for (const char *at = strstr(line, word); at != NULL; at = strstr(at + 1, word)) {
        bool begins = at == line || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        bool ends = is_call || !(isalnum((unsigned char)at[size]) || at[size] == '_');
        if (begins && ends) return true;
    }
    return false;
}

static int check_words(
    const char *path, int number, const char *line, const char *const *words, const char *what)
{
    int faults = 0;
    for (const char *const *word = words; *word != NULL; word++) {
        if (has_word(line, *word)) faults += complain(path, number, what, *word);
    }
    return faults;
}

static bool may_include(const char *path, const char *header)
{
    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
        if (!starts_with(path, layers[i].layer)) continue;
        for (const char *const *below = layers[i].below; *below != NULL; below++) {
            if (starts_with(header, *below)) return true;
        }
        return false;
    }
    return true; /* tests and benchmarks see everything */
}

static bool is_at_home(const char *path, const char *header)
{
    if (starts_with(path, "tests/") || starts_with(path, "bench/")) return true;
    for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++) {
        if (starts_with(header, homes[i].header)) return fnmatch(homes[i].home, path, 0) == 0;
    }
    return true;
}

static int check_include(const char *path, int number, const char *line)
{
    static const char directive[] = "#include ";
    if (!starts_with(line, directive)) return 0;
    const char *header = line + strlen(directive);
    if (header[0] == '"' && !may_include(path, header + 1))
        return complain(path, number, "may not include", header);
    if (!is_at_home(path, header)) return complain(path, number, "is not the place for", header);
    return 0;
}

static int check_line(const char *path, int number, const char *line)
{
    int faults = check_words(path, number, line, left_for_later, "leaves for later:");
    if (!is_c(path)) return faults;
    faults += check_include(path, number, line);
    faults += check_words(path, number, line, banned, "makes a banned call:");
    if (starts_with(path, "operators/"))
        faults += check_words(path, number, line, banned_in_operators, "an operator calls");
    return faults;
}

/* A body begins and ends with a brace in the first column. */
static void note_length(const char *path, int number, const char *line, int *opened)
{
    if (line[0] == '{') *opened = number;
    if (line[0] != '}' || *opened == 0) return;
    if (number - *opened - 1 > FUNCTION_LINES)
        print_message("%s:%d: a function of %d lines\n", path, *opened, number - *opened - 1);
    *opened = 0;
}

static int tidy_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) return complain(path, 0, "cannot be read", "");

    char line[LINE_BYTES];
    int number = 0, opened = 0, faults = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        faults += check_line(path, number, line);
        if (is_c(path)) note_length(path, number, line, &opened);
    }
    fclose(file);
    if (is_c(path) && number > FILE_LINES) print_message("%s: %d lines\n", path, number);
    return faults;
}

/* Every source file that `list` names; the rules themselves are left out, as they name what is banned. */
static int tidy_listed(const char *list, int *files)
{
    FILE *paths = popen(list, "r");
    char path[512];
    int faults = 0;
    assert_non_null(paths);
    *files = 0;
    while (fgets(path, sizeof(path), paths) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        const char *plain = starts_with(path, "./") ? path + 2 : path;
        if (strcmp(plain, "tests/unit/test_tidy.c") == 0) continue;
        faults += tidy_file(plain);
        (*files)++;
    }
    pclose(paths);
    return faults;
}

#define KINDS "'*.c' '*.h' '*.sh' '*.proto' '*.yaml' '*.txt'"
#define NAMES                                                                              \
    "\\( -name '*.c' -o -name '*.h' -o -name '*.sh' -o -name '*.proto' -o -name '*.yaml' " \
    "-o -name '*.txt' \\)"

/* From a clone git says what is source, also what is not committed yet; from a tarball the folders do. */
static void every_file_is_tidy(void **unused)
{
    (void)unused;
    static const char clone[] =
        "git ls-files --cached --others --exclude-standard --deduplicate " KINDS " 2>/dev/null";
    static const char tarball[] =
        "find engine schemas operators sinks tests bench config -type f " NAMES " 2>/dev/null";
    int files;
    int faults = tidy_listed(clone, &files);
    if (files == 0) faults = tidy_listed(tarball, &files);
    assert_true(files >= FILES_LEAST);
    assert_int_equal(faults, 0);
}

/* The rules themselves, on lines that keep or break them. */
static void the_rules_know_good_from_bad(void **unused)
{
    (void)unused;
    assert_true(may_include("operators/rule.c", "schemas/row.h\""));
    assert_false(may_include("operators/rule.c", "sinks/store.h\""));
    assert_false(may_include("sinks/redis.c", "operators/measure.h\""));
    assert_false(may_include("schemas/otlp.c", "engine/plan.h\""));
    assert_false(may_include("engine/base/log.c", "schemas/span.h\""));
    assert_true(may_include("tests/support/oracle_rows.c", "row.pb-c.h\""));
    assert_false(may_include("tests/support/oracle_rows.c", "schemas/row.h\""));
    assert_true(is_at_home("engine/kafka_writer.c", "<librdkafka/rdkafka.h>"));
    assert_false(is_at_home("engine/combine.c", "<librdkafka/rdkafka.h>"));
    assert_false(is_at_home("engine/cmd/top.c", "<hiredis/hiredis.h>"));
    assert_true(has_word("    strcpy(a, b);", "strcpy("));
    assert_false(has_word("    my_strcpy(a, b);", "strcpy("));
    assert_false(has_word("mkdtemp(\"/tmp/x.XXXXXX\")", "XXX"));
    assert_true(has_word("/* XXX: why? */", "XXX"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_know_good_from_bad),
        cmocka_unit_test(every_file_is_tidy),
    };
    return cmocka_run_group_tests_name("tidy", tests, NULL, NULL);
}
