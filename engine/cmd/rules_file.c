#include "engine/cmd/rules_file.h"

#include "engine/base/duration.h"
#include "engine/base/quantity.h"
#include "schemas/span.h"

#include <stdio.h>
#include <stdlib.h>

enum { VALUE_BYTES_MAX = 32 };

static const char *const states[] = {"firing", "resolved", NULL};

static const struct option test_options[] = {
    OPTION(TEXT, rules_case, name, NULL, "what it shows"),
    {.key = "until",
        .type = OPTION_DURATION,
        .offset = offsetof(struct rules_case, until_ns),
        .fallback = "0s",
        .help = "how long it runs; 0s: as long as there are values"},
    OPTION(TEXTS, rules_case, only, "[]", "rules whose alerts are looked at; none: all"),
    {.key = "series", .type = OPTION_NODE, .fallback = "[]", .help = "spans"},
    {.key = "alerts", .type = OPTION_NODE, .fallback = "[]", .help = "what is to be said"},
    {0},
};

#define TEXT_OF(named, field, usual, text)                                                   \
    {                                                                                        \
        .key = (named), .type = OPTION_TEXT, .offset = offsetof(struct rules_series, field), \
        .fallback = (usual), .help = (text)                                                  \
    }
static const struct option series_options[] = {
    OPTION(PAIRS, rules_series, of, NULL, "service, operation, kind, attributes"),
    TEXT_OF("spans", spans_text, NULL, "of each pane, as in 100x30 0x6"),
    TEXT_OF("errors", errors_text, "0", "of them, those that failed"),
    TEXT_OF("latency", latency_text, "10ms", "of each of them, as in 100msx12 2s"),
    {0},
};

static const struct option alert_options[] = {
    {.key = "at",
        .type = OPTION_DURATION,
        .offset = offsetof(struct rules_alert, at_ns),
        .help = "when, from the beginning"},
    {.key = "state",
        .type = OPTION_CHOICE,
        .offset = offsetof(struct rules_alert, state),
        .fallback = "firing",
        .choices = states,
        .help = "firing, resolved"},
    OPTION(TEXT, rules_alert, rule, NULL, "name of the rule"),
    OPTION(TEXT, rules_alert, series, "", "as `weir query series` spells it; empty: any"),
    OPTION(TEXT, rules_alert, severity, "", "empty: any"),
    OPTION(PAIRS, rules_alert, labels, "{}", "those that it must have"),
    OPTION(PAIRS, rules_alert, annotations, "{}", "likewise"),
    {0},
};

static const struct node *child(const struct node *map, const char *key)
{
    for (const struct node *e = map->first; e != NULL; e = e->next) {
        if (strcmp(e->key, key) == 0) return e;
    }
    return NULL;
}

int64_t sequence_at(const struct sequence *s, uint64_t pane, int64_t after)
{
    uint64_t until = 0;
    for (size_t i = 0; i < s->count; i++) {
        until += s->run[i].panes;
        if (pane < until) return s->run[i].value;
    }
    return after >= 0 || s->count == 0 ? after : s->run[s->count - 1].value;
}

static uint64_t sequence_panes(const struct sequence *s)
{
    uint64_t panes = 0;
    for (size_t i = 0; i < s->count; i++)
        panes += s->run[i].panes;
    return panes;
}

/* `100msx12` or `100ms`. */
static bool run_parse(const char *word, bool is_time, int64_t *value, uint64_t *panes)
{
    char text[VALUE_BYTES_MAX];
    const char *times = strrchr(word, 'x');
    size_t size = times == NULL ? strlen(word) : (size_t)(times - word);
    *panes = 1;
    if (size >= sizeof(text)) return false;
    snprintf(text, sizeof(text), "%.*s", (int)size, word);
    if (times != NULL && !quantity_count(times + 1, panes)) return false;
    if (*panes == 0 || *panes > RULES_PANES_MAX) return false;
    uint64_t count;
    if (is_time) return duration_parse(text, value);
    if (!quantity_count(text, &count) || count > INT64_MAX) return false;
    *value = (int64_t)count;
    return true;
}

static enum status sequence_read(struct sequence *s, const char *key, const char *text,
    bool is_time, const struct node *node, struct pool *pool, struct error *err)
{
    *s = (struct sequence){.run = pool_take(pool, RULES_RUNS_MAX * sizeof(*s->run))};
    const char *at = text + strspn(text, " \t\n");
    while (*at != '\0') {
        char word[2 * VALUE_BYTES_MAX];
        size_t size = strcspn(at, " \t\n");
        snprintf(word, sizeof(word), "%.*s", (int)size, at);
        if (s->count == RULES_RUNS_MAX)
            return node_error(node, key, err, "more than %d values", RULES_RUNS_MAX);
        bool read = size < sizeof(word) &&
                    run_parse(word, is_time, &s->run[s->count].value, &s->run[s->count].panes);
        if (!read)
            return node_error(node, key, err, "\"%s\" is no value; write %s", node_show(word).text,
                is_time ? "100ms, or 100msx12 for twelve panes"
                        : "100, or 100x12 for twelve panes");
        s->count++;
        at += size;
        at += strspn(at, " \t\n");
    }
    if (s->count == 0) return node_error(node, key, err, "there is no value");
    return ST_OK;
}

static enum status series_read(
    struct rules_series *s, const struct node *node, struct pool *pool, struct error *err)
{
    if (node->kind != NODE_MAP)
        return node_error(
            node, "series", err, "want keys with values, as in {of: ..., spans: 10x6}");
    s->written = node;
    enum status status = options_read(series_options, s, node, pool, err);
    if (status == ST_OK)
        status = sequence_read(&s->spans, "spans", s->spans_text, false, node, pool, err);
    if (status == ST_OK)
        status = sequence_read(&s->errors, "errors", s->errors_text, false, node, pool, err);
    if (status == ST_OK)
        status = sequence_read(&s->latency, "latency", s->latency_text, true, node, pool, err);
    return status;
}

static enum status want_list(
    const struct node *node, const char *key, size_t most, struct error *err)
{
    if (node->kind != NODE_LIST) return node_error(node, key, err, "want a list");
    if (node->count <= most) return ST_OK;
    return node_error(node, key, err, "%zu entries, at most %zu are taken", node->count, most);
}

static enum status serieses_read(
    struct rules_case *test, const struct node *list, struct pool *pool, struct error *err)
{
    enum status status = want_list(list, "series", RULES_SERIES_MAX, err);
    if (status != ST_OK) return status;
    test->series = pool_take(pool, (list->count + 1) * sizeof(*test->series));
    for (const struct node *e = list->first; e != NULL && status == ST_OK; e = e->next) {
        struct rules_series *s = &test->series[test->serieses++];
        *s = (struct rules_series){0};
        status = series_read(s, e, pool, err);
        uint64_t panes = sequence_panes(&s->spans);
        if (panes > test->panes) test->panes = panes;
    }
    return status;
}

static enum status alerts_read(
    struct rules_case *test, const struct node *list, struct pool *pool, struct error *err)
{
    enum status status = want_list(list, "alerts", RULES_ALERTS_MAX, err);
    if (status != ST_OK) return status;
    test->alert = pool_take(pool, (list->count + 1) * sizeof(*test->alert));
    for (const struct node *e = list->first; e != NULL && status == ST_OK; e = e->next) {
        struct rules_alert *a = &test->alert[test->alerts++];
        *a = (struct rules_alert){.written = e};
        status = options_read(alert_options, a, e, pool, err);
    }
    return status;
}

static enum status check_rule(const struct rules_file *file, const struct node *node,
    const char *key, const char *name, struct error *err)
{
    for (size_t i = 0; i < file->config.operator_count; i++) {
        const struct option *o = file->config.operators[i].operator_->options;
        while (o->key != NULL && strcmp(o->key, "name") != 0)
            o++;
        if (o->key == NULL) continue;
        const char *other =
            *(const char *const *)((const char *)file->config.operators[i].self + o->offset);
        if (strcmp(other, name) == 0) return ST_OK;
    }
    return node_error(node, key, err, "there is no rule \"%s\"", node_show(name).text);
}

static enum status case_check(
    const struct rules_file *file, struct rules_case *test, struct error *err)
{
    int64_t pane_ns = file->plan.pane_ns;
    if (test->until_ns != 0) test->panes = (uint64_t)((test->until_ns + pane_ns - 1) / pane_ns);
    if (test->panes == 0 || test->panes > RULES_PANES_MAX)
        return node_error(test->written, "until", err, "it runs for %llu panes, want 1 to %d",
            (unsigned long long)test->panes, RULES_PANES_MAX);
    enum status status = ST_OK;
    for (size_t i = 0; i < test->alerts && status == ST_OK; i++)
        status = check_rule(file, test->alert[i].written, "rule", test->alert[i].rule, err);
    for (size_t i = 0; i < test->only.count && status == ST_OK; i++)
        status = check_rule(file, test->written, "only", test->only.text[i], err);
    return status;
}

static enum status case_read(
    struct rules_file *file, struct rules_case *test, const struct node *node, struct error *err)
{
    static const struct node none = {.kind = NODE_LIST};
    if (node->kind != NODE_MAP)
        return node_error(
            node, "tests", err, "want keys with values, as in {name: ..., series: ...}");
    *test = (struct rules_case){.written = node};
    enum status status = options_read(test_options, test, node, &file->pool, err);
    const struct node *series = child(node, "series"), *alerts = child(node, "alerts");
    if (status == ST_OK)
        status = serieses_read(test, series == NULL ? &none : series, &file->pool, err);
    if (status == ST_OK)
        status = alerts_read(test, alerts == NULL ? &none : alerts, &file->pool, err);
    return status == ST_OK ? case_check(file, test, err) : status;
}

static enum status cases_read(struct rules_file *file, const struct node *root, struct error *err)
{
    const struct node *list = child(root, "tests");
    if (list == NULL) return node_error(root, "tests", err, "is missing: there is nothing to test");
    enum status status = want_list(list, "tests", RULES_TESTS_MAX, err);
    if (status != ST_OK) return status;
    file->test = pool_take(&file->pool, (list->count + 1) * sizeof(*file->test));
    for (const struct node *e = list->first; e != NULL && status == ST_OK; e = e->next)
        status = case_read(file, &file->test[file->tests++], e, err);
    return status;
}

/* Leave the lines of a key out, all others keep their numbers. */
static enum status blank(struct buffer *text, const struct node *entry, struct error *err)
{
    size_t last = entry->next == NULL ? SIZE_MAX : entry->next->key_line;
    if (entry->key_line == last)
        return node_error_at_key(entry, err, "write every key on a line of its own");
    size_t line = 1;
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] == '\n')
            line++;
        else if (line >= entry->key_line && line < last)
            text->data[i] = ' ';
    }
    return ST_OK;
}

/* Relative to the folder that the file is in. */
static const char *path_beside(const char *path, const char *other, struct pool *pool)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash == NULL || other[0] == '/' ? 0 : (size_t)(slash - path) + 1;
    char *out = pool_take(pool, folder + strlen(other) + 1);
    memcpy(out, path, folder);
    memcpy(out + folder, other, strlen(other) + 1);
    return out;
}

/* The config under test: the file that `config:` names, and over it what else stands here. */
static enum status config_read(
    struct rules_file *file, struct buffer *text, const struct node *root, struct error *err)
{
    static const char *const settings[] = {"provisional=0s", NULL};
    const struct node *config = child(root, "config"), *tests = child(root, "tests");
    const char *path = NULL;
    enum status status = ST_OK;
    if (config != NULL && config->kind != NODE_TEXT)
        return node_error(config, "config", err, "want the path of a file");
    if (config != NULL) path = path_beside(file->path, config->text, &file->pool);
    if (config != NULL) status = blank(text, config, err);
    if (status == ST_OK && tests != NULL) status = blank(text, tests, err);
    if (status == ST_OK) status = config_load(&file->base, path, settings, err);
    if (status == ST_OK)
        status = config_load_over(&file->config, &file->base, file->path, buffer_bytes(text), err);
    return status == ST_OK ? plan_init(&file->plan, &file->config, err) : status;
}

enum status rules_file_read(struct rules_file *file, const char *path, struct error *err)
{
    struct buffer text = {0};
    struct node *root = NULL;
    *file = (struct rules_file){.path = path};
    enum status status = config_read_file(path, &text, err);
    if (status == ST_OK)
        status = node_read(buffer_bytes(&text), path, true, &file->pool, &root, err);
    if (status == ST_OK && root->kind != NODE_MAP)
        status = node_error(root, NULL, err, "want keys with values: rules, tests");
    if (status == ST_OK) status = config_read(file, &text, root, err);
    if (status == ST_OK) status = cases_read(file, root, err);
    buffer_release(&text);
    return status;
}

void rules_file_release(struct rules_file *file)
{
    config_release(&file->config);
    config_release(&file->base);
    pool_release(&file->pool);
}
