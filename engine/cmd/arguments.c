/*
 * Arguments become a map of nodes, as if they had been written in a file, and go the same way.
 */
#include "engine/cmd/arguments.h"

#include "engine/base/expand.h"
#include "engine/base/node.h"

#include <stdio.h>

static const char origin[] = "command line";

struct reader {
    struct arguments *arguments;
    const struct option *options;
    struct node map;
    struct node **last; /* where the next entry of the map goes */
    struct error *err;
};

static const struct option *option_find(const struct option *options, struct bytes key)
{
    for (; options->key != NULL; options++) {
        if (bytes_are(key, options->key)) return options;
    }
    return NULL;
}

static struct node *entry_find(const struct reader *r, const char *key)
{
    for (struct node *entry = r->map.first; entry != NULL; entry = entry->next) {
        if (strcmp(entry->key, key) == 0) return entry;
    }
    return NULL;
}

static struct node *entry_new(struct reader *r, enum node_kind kind, const char *key)
{
    struct node *entry = pool_take(&r->arguments->pool, sizeof(*entry));
    *entry = (struct node){.kind = kind, .key = key, .text = "", .origin = origin};
    return entry;
}

static struct node *text_new(struct reader *r, const char *key, const char *text)
{
    struct node *entry = entry_new(r, NODE_TEXT, key);
    entry->text = text;
    return entry;
}

static void map_add(struct reader *r, struct node *entry)
{
    *r->last = entry;
    r->last = &entry->next;
    r->map.count++;
}

static void list_add(struct reader *r, const char *key, const char *value)
{
    struct node *list = entry_find(r, key);
    if (list == NULL) {
        list = entry_new(r, NODE_LIST, key);
        map_add(r, list);
    }
    struct node **end = &list->first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = text_new(r, key, value);
    list->count++;
}

static enum status take_value(
    struct reader *r, const struct option *option, const char *value, struct error *err)
{
    if (option->type == OPTION_TEXTS) {
        list_add(r, option->key, value);
        return ST_OK;
    }
    if (entry_find(r, option->key) != NULL)
        return error_set(err, ST_FATAL, 0, "--%s is given twice; keep one", option->key);
    map_add(r, text_new(r, option->key, value));
    return ST_OK;
}

static enum status refuse_unknown(const struct reader *r, const char *wrote, struct error *err)
{
    char key[NODE_KEY_BYTES_MAX + 1];
    size_t dashes = strspn(wrote, "-");
    snprintf(key, sizeof(key), "%.*s", (int)strcspn(wrote + dashes, "="), wrote + dashes);
    const char *nearest = option_nearest(r->options, key);
    if (nearest == NULL)
        return error_set(err, ST_FATAL, 0, "there is no option %s", node_show(wrote).text);
    return error_set(err, ST_FATAL, 0, "there is no option %s; did you mean --%s?",
        node_show(wrote).text, nearest);
}

/* argv[at] begins an option; `used` is how many arguments it has. */
static enum status take_option(struct reader *r, int argc, char **argv, int at, int *used)
{
    const char *key = argv[at] + 2, *equals = strchr(argv[at], '=');
    size_t size = equals == NULL ? strlen(argv[at]) - 2 : (size_t)(equals - key);
    const struct option *option = NULL;
    if (argv[at][1] == '-')
        option = option_find(r->options, (struct bytes){(const uint8_t *)key, size});
    if (option == NULL) return refuse_unknown(r, argv[at], r->err);

    *used = 1;
    if (equals != NULL) return take_value(r, option, equals + 1, r->err);
    if (option->type == OPTION_FLAG) return take_value(r, option, "true", r->err);
    if (at + 1 == argc)
        return error_set(r->err, ST_FATAL, 0, "--%s needs a value: %s", option->key, option->help);
    *used = 2;
    return take_value(r, option, argv[at + 1], r->err);
}

static enum status take_all(struct reader *r, int argc, char **argv)
{
    bool only_rest = false;
    int used = 1;
    for (int at = 1; at < argc; at += used) {
        used = 1;
        bool is_option = !only_rest && argv[at][0] == '-' && argv[at][1] != '\0';
        if (is_option && strcmp(argv[at], "--") == 0) {
            only_rest = true;
        } else if (is_option) {
            enum status status = take_option(r, argc, argv, at, &used);
            if (status != ST_OK) return status;
        } else {
            r->arguments->rest[r->arguments->count++] = argv[at];
        }
    }
    return ST_OK;
}

enum status arguments_read(struct arguments *arguments, const struct option *options, void *self,
    int argc, char **argv, struct error *err)
{
    struct reader reader = {
        .arguments = arguments,
        .options = options,
        .map = {.kind = NODE_MAP, .text = "", .origin = origin},
        .err = err,
    };
    reader.last = &reader.map.first;
    if (argc > ARGUMENTS_MAX)
        return error_set(
            err, ST_FATAL, 0, "%d arguments, at most %d are taken", argc, ARGUMENTS_MAX);
    arguments->rest = pool_take(&arguments->pool, (size_t)argc * sizeof(*arguments->rest));
    enum status status = take_all(&reader, argc, argv);
    if (status != ST_OK) return status;
    return options_read(options, self, &reader.map, &arguments->pool, err);
}

/* So that a password need not stand on the command line, where others can see it. */
static enum status expand_value(
    struct arguments *arguments, const char *text, const char **value, struct error *err)
{
    struct buffer out = {0};
    enum status status = expand(bytes_of(text), &out, err);
    if (status == ST_OK) {
        char *copy = pool_take(&arguments->pool, out.size + 1);
        if (out.size > 0) memcpy(copy, out.data, out.size);
        copy[out.size] = '\0';
        *value = copy;
    }
    buffer_release(&out);
    return status;
}

enum status arguments_settings(struct arguments *arguments, const struct texts *texts,
    struct kafka_setting *setting, struct error *err)
{
    for (size_t i = 0; i < texts->count; i++) {
        const char *text = texts->text[i], *equals = strchr(text, '=');
        if (equals == NULL || equals == text)
            return error_set(err, ST_FATAL, 0, "--kafka %s: want key=value, as in linger.ms=5",
                node_show(text).text);
        size_t size = (size_t)(equals - text);
        char *key = pool_take(&arguments->pool, size + 1);
        memcpy(key, text, size);
        key[size] = '\0';
        const char *value;
        enum status status = expand_value(arguments, equals + 1, &value, err);
        if (status == ST_OK) status = config_kafka_secure(key, value, err);
        if (status != ST_OK) return status;
        setting[i] = (struct kafka_setting){key, value};
    }
    return ST_OK;
}

void arguments_release(struct arguments *arguments)
{
    pool_release(&arguments->pool);
}
