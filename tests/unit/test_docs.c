/*
 * The documents name only what is there: commands and their options, config keys, metrics, Redis keys,
 * topics, files, tests, make targets, functions. What README.md shows in blocks is run by
 * tests/flow/test_readme.sh.
 *
 *   1. A word in code marks stands somewhere in the source.
 *   2. A path, in code marks or not, is there.
 *   3. A line that begins with `weir` is a command, its options are in that command's help.
 *   4. A block of YAML is a config that loads.
 *
 * What stands between `<!-- names of others -->` and `<!-- end -->` is of other programs.
 */
#include "engine/base/buffer.h"
#include "engine/cmd/cmd.h"
#include "engine/config.h"

#include <ctype.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LINE_BYTES = 4096, WORD_BYTES = 256, CLAIMS_LEAST = 300 };

static const char *const documents[] = {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md",
    "SECURITY.md", "CHANGELOG.md", "FAULTS.md", "LIMITS.md", "config/RULES.md", "config/SLO.md",
    "sinks/REDIS.md", "bench/README.md", NULL};

static const char sources_list[] =
    "find engine schemas operators sinks tests bench config Makefile CMakeLists.txt "
    "CMakePresets.json .ci -type f ! -name '*.md' ! -name test_docs.c -exec cat {} +";

static const char sinks_list[] = "cat sinks/*.c";

static struct buffer source, sinks; /* all of it, and what writes to Redis; each one text */

struct reading {
    const char *path;
    int line;
    int claims, faults;
};

static void claim(struct reading *r, bool holds, const char *what, const char *which)
{
    r->claims++;
    if (holds) return;
    r->faults++;
    print_error("%s:%d: there is no %s `%s`\n", r->path, r->line, what, which);
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Whether `word` stands in `text` as a word of its own. */
static bool has_word(const char *text, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        bool begins = at == text || !is_word_byte(at[-1]) || !is_word_byte(word[0]);
        if (begins && (!is_word_byte(at[size]) || !is_word_byte(word[size - 1]))) return true;
    }
    return false;
}

static bool in_source(const char *word)
{
    return has_word((const char *)source.data, word);
}

static bool is_quoted_in(const struct buffer *text, const char *word)
{
    char quoted[WORD_BYTES + 2];
    snprintf(quoted, sizeof(quoted), "\"%.200s\"", word);
    return strstr((const char *)text->data, quoted) != NULL;
}

static bool is_there(const char *path)
{
    glob_t found = {0};
    bool there = glob(path, GLOB_BRACE, NULL, &found) == 0;
    globfree(&found);
    return there;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static const struct command *command_called(const char *name)
{
    for (const struct command *const *c = commands; *c != NULL; c++) {
        if (strcmp((*c)->name, name) == 0) return *c;
    }
    return NULL;
}

static bool is_config_key(const char *key)
{
    for (const struct option *o = config_options; o->key != NULL; o++) {
        if (strcmp(o->key, key) == 0) return true;
    }
    for (const struct window_operator *const *o = window_operators; *o != NULL; o++) {
        if (strcmp((*o)->name, key) == 0) return true;
    }
    return false;
}

/* In `key=value`, as --set takes it, quoted for a shell or not. */
static void claim_setting(struct reading *r, const char *setting)
{
    char key[WORD_BYTES];
    if (*setting == '\'') setting++;
    snprintf(key, sizeof(key), "%.*s", (int)strcspn(setting, "="), setting);
    bool placeholder = strcmp(key, "key") == 0 || strcmp(key, "KEY") == 0;
    if (starts_with(key, "kafka.")) return; /* librdkafka's */
    if (!placeholder) claim(r, is_config_key(key), "config key", key);
}

/* A line that begins with `weir`: its command, that one's options and settings. */
static void claim_command(struct reading *r, const char *line)
{
    char copy[LINE_BYTES], *rest = NULL;
    snprintf(copy, sizeof(copy), "%s", line);
    strtok_r(copy, " ", &rest);
    const char *name = strtok_r(NULL, " ", &rest), *before = "";
    if (name == NULL || !islower((unsigned char)*name)) return;
    const struct command *command = command_called(name);
    claim(r, command != NULL, "command", name);
    if (command == NULL) return;
    for (char *word = strtok_r(NULL, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (strcmp(word, "#") == 0 || strcmp(word, "|") == 0 || strcmp(word, "&&") == 0) break;
        if (strcmp(before, "--set") == 0) claim_setting(r, word);
        bool first = strcmp(before, "") == 0;
        before = word;
        if (first && command == command_called("query") && islower((unsigned char)*word))
            claim(r, has_word(command->help, word), "question to query", word);
        if (!starts_with(word, "--") || strcmp(word, "--help") == 0) continue;
        word[strcspn(word, "=,")] = '\0';
        claim(r, has_word(command->help, word), "option", word);
    }
}

static void claim_target(struct reading *r, const char *make)
{
    char target[WORD_BYTES], line[WORD_BYTES];
    snprintf(target, sizeof(target), "%.*s", (int)strcspn(make, " "), make);
    snprintf(line, sizeof(line), "\n%.200s:", target);
    claim(r, strstr((const char *)source.data, line) != NULL, "make target", target);
}

/* `weir:kind:...` and `weir_metric` and `weir.topic` or `weir.header`, wherever they stand. */
static void claim_own_names(struct reading *r, const char *line)
{
    char name[WORD_BYTES];
    for (const char *at = strstr(line, "weir"); at != NULL; at = strstr(at + 4, "weir")) {
        if (at != line && (is_word_byte(at[-1]) || at[-1] == '/' || at[-1] == '-')) continue;
        const char *after = at + 5;
        size_t size = strspn(after, "abcdefghijklmnopqrstuvwxyz_");
        if (size == 0) continue;
        if (at[4] == ':') {
            if (starts_with(after, "alerts:active")) size = strlen("alerts:active");
            snprintf(name, sizeof(name), "%.*s", (int)size, after);
            claim(r, is_quoted_in(&sinks, name), "Redis key weir:", name);
        } else if (at[4] == '_') {
            snprintf(name, sizeof(name), "%.*s", (int)size + 5, at);
            bool known = is_quoted_in(&source, name) || strcmp(name, "weir_build_info") == 0;
            claim(r, known, "metric", name);
        } else if (at[4] == '.' && !starts_with(after, "yaml")) {
            snprintf(name, sizeof(name), "%.*s", (int)size, after);
            bool known = is_quoted_in(&source, name);
            snprintf(name, sizeof(name), "%.*s", (int)size + 5, at);
            claim(r, known || is_quoted_in(&source, name), "topic or header", name);
        }
    }
}

/* A path of this repository, as far as its first folder says that it is one. */
static void claim_path(struct reading *r, const char *word)
{
    static const char *const folders[] = {
        "engine/", "schemas/", "operators/", "sinks/", "tests/", "bench/", "config/", ".ci/", NULL};
    char path[2 * WORD_BYTES];
    for (const char *const *folder = folders; *folder != NULL; folder++) {
        if (starts_with(word, *folder)) claim(r, is_there(word), "file", word);
    }
    if (!starts_with(word, "unit/") && !starts_with(word, "flow/")) return;
    snprintf(path, sizeof(path), "tests/%.200s.*", word);
    claim(r, is_there(path), "test", word);
}

static bool is_placeholder(const char *word)
{
    return strstr(word, "NAME") != NULL || strstr(word, "FILE") != NULL ||
           strchr(word, '<') != NULL || starts_with(word, "noun");
}

static void claim_paths(struct reading *r, const char *line)
{
    char copy[LINE_BYTES], *rest = NULL;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok_r(copy, " `|()[],;\"'", &rest); word != NULL;
         word = strtok_r(NULL, " `|()[],;\"'", &rest)) {
        while (word[0] != '\0' && strchr(".:", word[strlen(word) - 1]) != NULL)
            word[strlen(word) - 1] = '\0';
        if (!is_placeholder(word)) claim_path(r, word);
    }
}

/* A word without spaces in code marks. */
static void claim_word(struct reading *r, const char *code)
{
    static const char *const groups[] = {"limits.", "threads.", "redis.", "http.", "log.", NULL};
    char word[WORD_BYTES];
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(code, "=("), code);
    for (const char *const *group = groups; *group != NULL; group++) {
        if (!starts_with(word, *group)) continue;
        claim(r, is_config_key(word), "config key", word);
        return;
    }
    bool is_own = starts_with(word, "weir:") || starts_with(word, "weir.");
    if (is_own || is_placeholder(word) || strpbrk(word, "/{}*~") != NULL) return;
    if (isdigit((unsigned char)word[0]) || word[strspn(word, "[]-._")] == '\0') return;
    size_t size = strlen(word);
    bool is_file =
        size > 3 && (strcmp(word + size - 2, ".c") == 0 || strcmp(word + size - 2, ".h") == 0);
    if (is_file) return;           /* beside the file that was named with its folder */
    bool is_part = word[0] == '_'; /* an ending, as in `_init` */
    bool known = is_part ? strstr((const char *)source.data, word) != NULL : in_source(word);
    claim(r, known || (word[0] == '.' && is_there(word)), "such word in the source:", word);
}

static void claim_code(struct reading *r, const char *code)
{
    const char *make = strstr(code, "make ");
    if (starts_with(code, "weir ")) {
        claim_command(r, code);
    } else if (make != NULL) {
        claim_target(r, make + strlen("make "));
    } else if (strchr(code, ' ') == NULL) {
        claim_word(r, code);
    }
}

/* What stands in code marks in one line of prose. */
static void read_prose(struct reading *r, const char *line)
{
    char code[LINE_BYTES];
    for (const char *begin = strchr(line, '`'); begin != NULL;) {
        const char *end = strchr(begin + 1, '`');
        if (end == NULL) return;
        snprintf(code, sizeof(code), "%.*s", (int)(end - begin - 1), begin + 1);
        if (code[0] != '\0') claim_code(r, code);
        begin = strchr(end + 1, '`');
    }
}

static void claim_config(struct reading *r, const struct buffer *yaml)
{
    struct config config;
    struct error err;
    enum status status = config_load_bytes(&config, r->path, buffer_bytes(yaml), NULL, &err);
    if (status == ST_OK) config_release(&config);
    claim(r, status == ST_OK, "config without fault:", status == ST_OK ? "" : err.text);
}

/* Where in the document the reading is. */
struct place {
    char fence[32]; /* the language of the block; "-" for none; "": in prose */
    bool foreign;
    struct buffer yaml;
};

static void read_fence(struct reading *r, struct place *at, const char *line)
{
    bool opens = at->fence[0] == '\0';
    bool was_yaml = strcmp(at->fence, "yaml") == 0;
    snprintf(at->fence, sizeof(at->fence), "%.30s", !opens ? "" : line[3] == '\0' ? "-" : line + 3);
    if (was_yaml) claim_config(r, &at->yaml);
    buffer_reset(&at->yaml);
}

static void read_line(struct reading *r, struct place *at, const char *line)
{
    if (strcmp(line, "<!-- names of others -->") == 0) at->foreign = true;
    if (strcmp(line, "<!-- end -->") == 0) at->foreign = false;
    if (at->foreign) return;
    if (starts_with(line, "```")) {
        read_fence(r, at, line);
        return;
    }
    claim_own_names(r, line);
    claim_paths(r, line);
    if (at->fence[0] == '\0') read_prose(r, line);
    if (strcmp(at->fence, "sh") == 0 && starts_with(line, "weir ")) claim_command(r, line);
    if (strcmp(at->fence, "yaml") == 0) buffer_print(&at->yaml, "%s\n", line);
}

static void read_document(struct reading *r, const char *path)
{
    char line[LINE_BYTES];
    struct place at = {.fence = ""};
    FILE *file = fopen(path, "r");
    if (file == NULL) fail_msg("%s cannot be read", path);
    r->path = path;
    r->line = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        r->line++;
        claim(r, strlen(line) < sizeof(line) - 1, "room for a line as long as", path);
        line[strcspn(line, "\n")] = '\0';
        read_line(r, &at, line);
    }
    fclose(file);
    claim(r, at.fence[0] == '\0' && !at.foreign, "end of what was begun in", path);
    buffer_release(&at.yaml);
}

static void the_documents_name_what_is_there(void **unused)
{
    (void)unused;
    struct reading r = {0};
    for (const char *const *path = documents; *path != NULL; path++)
        read_document(&r, *path);
    assert_int_equal(r.faults, 0);
    assert_true(r.claims >= CLAIMS_LEAST);
}

/* Lines that name what is not there, one fault each; and one that is right. */
static void what_is_not_there_is_found(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {
        "`weir rune`",
        "`weir top --sorted`",
        "`weir query nothing`",
        "`weir check --set lateniss=1s weir.yaml`",
        "`limits.serie`",
        "`weir_no_such_metric`",
        "HGET weir:nothing:x",
        "the topic weir.nonesuch",
        "see engine/no_such_file.c.",
        "flow/test_no_such_thing notices",
        "`make nonesuch`",
        "`no_such_function_anywhere`",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct reading r = {.path = "expected"};
        struct place at = {.fence = ""};
        read_line(&r, &at, wrong[i]);
        if (r.faults == 0) fail_msg("taken for right: %s", wrong[i]);
    }
    struct reading r = {.path = "right"};
    struct place at = {.fence = ""};
    read_line(&r, &at, "`weir top --sort z` reads `weir:now:x`; `limits.series`, engine/combine.c");
    assert_int_equal(r.faults, 0);
    assert_true(r.claims >= 5);
}

static bool read_all(struct buffer *text, const char *list)
{
    char part[4096];
    size_t size;
    FILE *all = popen(list, "r");
    if (all == NULL) return false;
    while ((size = fread(part, 1, sizeof(part), all)) > 0) {
        for (size_t i = 0; i < size; i++)
            if (part[i] == '\0') part[i] = ' ';
        buffer_append(text, part, size);
    }
    buffer_append(text, "", 1);
    return pclose(all) == 0;
}

static int source_open(void **unused)
{
    (void)unused;
    return read_all(&source, sources_list) && read_all(&sinks, sinks_list) ? 0 : -1;
}

static int source_close(void **unused)
{
    (void)unused;
    buffer_release(&source);
    buffer_release(&sinks);
    return 0;
}

int main(void)
{
    setenv("KAFKA_PASSWORD", "of an example", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_found),
        cmocka_unit_test(the_documents_name_what_is_there),
    };
    return cmocka_run_group_tests_name("docs", tests, source_open, source_close);
}
