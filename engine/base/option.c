#include "engine/base/option.h"

#include "engine/base/duration.h"
#include "engine/base/quantity.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 2 * NODE_KEY_BYTES_MAX + 2 };

const char option_origin_default[] = "built-in default";

/* What a value of each type looks like, as the end of "...is not". */
static const char *const type_wanted[] = {
    [OPTION_COUNT] = "a count; write a whole number, as in 5000, 5k or 2M",
    [OPTION_BYTES] =
        "a size; write a number and a unit (B, KiB, MiB, GiB, kB, MB, GB), as in 64MiB",
    [OPTION_NUMBER] = "a number; write it as in 0.5 or 2%",
    [OPTION_DURATION] = "a duration; write a number and a unit (ns, us, ms, s, m, h, d), as in 30s",
    [OPTION_FLAG] = "a flag; write true or false",
};

static const char *kind_name(const struct node *node)
{
    if (node->kind == NODE_LIST) return "a list";
    if (node->kind == NODE_MAP) return "a map of keys";
    return "a single value";
}

static enum status refuse_kind(
    const char *key, const struct node *node, const char *want, struct error *err)
{
    return node_error(node, key, err, "this is %s, want %s", kind_name(node), want);
}

static enum status refuse_value(
    const char *key, enum option_type type, const struct node *node, struct error *err)
{
    return node_error(
        node, key, err, "\"%s\" is not %s", node_show(node->text).text, type_wanted[type]);
}

/* One value of a type that is written as one text. */
static bool value_parse(enum option_type type, const char *text, void *field)
{
    switch (type) {
    case OPTION_COUNT:
        return quantity_count(text, field);
    case OPTION_BYTES:
        return quantity_bytes(text, field);
    case OPTION_NUMBER:
        return quantity_number(text, field);
    case OPTION_DURATION:
        return duration_parse(text, field);
    case OPTION_FLAG:
        *(bool *)field = strcmp(text, "true") == 0;
        return *(bool *)field || strcmp(text, "false") == 0;
    default:
        return false;
    }
}

static enum status set_choice(
    const struct option *option, const struct node *node, int *field, struct error *err)
{
    char names[160] = "";
    for (int i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], node->text) == 0) {
            *field = i;
            return ST_OK;
        }
        size_t used = strlen(names);
        snprintf(
            names + used, sizeof(names) - used, "%s%s", i == 0 ? "" : ", ", option->choices[i]);
    }
    return node_error(
        node, option->key, err, "\"%s\" is not one of: %s", node_show(node->text).text, names);
}

/* Lists are checked and counted first: a text counts as a list of itself. */
static enum status list_check(
    const char *key, const struct node *node, size_t *count, struct error *err)
{
    if (node->kind == NODE_MAP) return refuse_kind(key, node, "a list, as in [a, b]", err);
    *count = node->kind == NODE_TEXT ? 1 : node->count;
    if (*count > OPTION_LIST_MAX)
        return node_error(
            node, key, err, "%zu entries, at most %d are taken", *count, OPTION_LIST_MAX);
    for (const struct node *entry = node->first; entry != NULL; entry = entry->next) {
        if (entry->kind != NODE_TEXT) return refuse_kind(key, entry, "a single value", err);
        if (node_is_null(entry)) return node_error(entry, key, err, "an entry without a value");
    }
    return ST_OK;
}

static const struct node *list_first(const struct node *node)
{
    return node->kind == NODE_TEXT ? node : node->first;
}

enum status option_read_texts(const char *key, const struct node *node, struct texts *out,
    struct pool *pool, struct error *err)
{
    size_t count, i = 0;
    enum status status = list_check(key, node, &count, err);
    if (status != ST_OK) return status;

    const char **text = pool_take(pool, (count + 1) * sizeof(*text));
    const struct node *entry = list_first(node);
    for (; i < count; i++, entry = entry->next)
        text[i] = entry->text;
    text[count] = NULL;
    *out = (struct texts){text, count};
    return ST_OK;
}

/* DURATIONS and NUMBERS: 8 bytes an entry, and a pointer and a count to them. */
static enum status set_values(const struct option *option, const struct node *node, void *field,
    struct pool *pool, struct error *err)
{
    size_t count, i = 0;
    enum status status = list_check(option->key, node, &count, err);
    if (status != ST_OK) return status;

    bool durations = option->type == OPTION_DURATIONS;
    enum option_type type = durations ? OPTION_DURATION : OPTION_NUMBER;
    int64_t *ns = pool_take(pool, (count + 1) * sizeof(*ns));
    double *number = pool_take(pool, (count + 1) * sizeof(*number));
    const struct node *entry = list_first(node);
    for (; i < count; i++, entry = entry->next) {
        void *value = durations ? (void *)&ns[i] : (void *)&number[i];
        if (!value_parse(type, entry->text, value))
            return refuse_value(option->key, type, entry, err);
    }
    if (durations)
        *(struct durations *)field = (struct durations){ns, count};
    else
        *(struct numbers *)field = (struct numbers){number, count};
    return ST_OK;
}

static enum status set_pairs(const struct option *option, const struct node *node,
    struct pairs *field, struct pool *pool, struct error *err)
{
    if (node->kind != NODE_MAP)
        return refuse_kind(option->key, node, "names with texts, as in {team: shop}", err);
    if (node->count > OPTION_LIST_MAX)
        return node_error(node, option->key, err, "%zu entries, at most %d are taken", node->count,
            OPTION_LIST_MAX);
    struct pairs pairs = {.key = pool_take(pool, (node->count + 1) * sizeof(char *)),
        .text = pool_take(pool, (node->count + 1) * sizeof(char *))};
    for (const struct node *entry = node->first; entry != NULL; entry = entry->next) {
        if (entry->kind != NODE_TEXT) return refuse_kind(option->key, entry, "a single value", err);
        if (node_is_null(entry))
            return node_error_at_key(entry, err, "%s: %s has no value; write '' for an empty one",
                option->key, node_show(entry->key).text);
        pairs.key[pairs.count] = entry->key;
        pairs.text[pairs.count++] = entry->text;
    }
    *field = pairs;
    return ST_OK;
}

static enum status option_set(const struct option *option, const struct node *node, void *self,
    struct pool *pool, struct error *err)
{
    void *field = (char *)self + option->offset;
    switch (option->type) {
    case OPTION_NODE:
        return ST_OK;
    case OPTION_TEXTS:
        return option_read_texts(option->key, node, field, pool, err);
    case OPTION_DURATIONS:
    case OPTION_NUMBERS:
        return set_values(option, node, field, pool, err);
    case OPTION_PAIRS:
        return set_pairs(option, node, field, pool, err);
    default:
        break;
    }
    if (node->kind != NODE_TEXT) return refuse_kind(option->key, node, "a single value", err);
    if (option->type == OPTION_CHOICE) return set_choice(option, node, field, err);
    if (option->type == OPTION_TEXT) {
        *(const char **)field = node->text;
        return ST_OK;
    }
    if (value_parse(option->type, node->text, field)) return ST_OK;
    return refuse_value(option->key, option->type, node, err);
}

/* "series" alone may be meant for "limits.series". */
static size_t distance_to(const char *key, const char *known)
{
    size_t distance = text_distance(key, known);
    const char *last = strrchr(known, '.');
    if (last == NULL || strchr(key, '.') != NULL) return distance;
    size_t from_last = text_distance(key, last + 1);
    return from_last < distance ? from_last : distance;
}

const char *option_nearest(const struct option *options, const char *key)
{
    const char *best = NULL;
    size_t best_distance = text_distance_max(key) + 1;
    for (const struct option *o = options; o->key != NULL; o++) {
        size_t distance = distance_to(key, o->key);
        if (distance >= best_distance || o->is_old) continue;
        best = o->key;
        best_distance = distance;
    }
    return best;
}

static enum status refuse_unknown(
    const struct option *options, const char *key, const struct node *entry, struct error *err)
{
    const char *nearest = option_nearest(options, key);
    if (nearest != NULL)
        return node_error_at_key(
            entry, err, "unknown key \"%s\"; did you mean \"%s\"?", node_show(key).text, nearest);

    char known[200] = "";
    for (const struct option *o = options; o->key != NULL; o++) {
        if (o->is_old) continue;
        size_t used = strlen(known), left = sizeof(known) - used;
        if (left < strlen(o->key) + sizeof(", , ...")) {
            snprintf(known + used, left, ", ...");
            break;
        }
        snprintf(known + used, left, "%s%s", used == 0 ? "" : ", ", o->key);
    }
    return node_error_at_key(
        entry, err, "unknown key \"%s\"; known are %s", node_show(key).text, known);
}

struct chooser {
    const struct option *options;
    const struct node **chosen;
    const struct node *seen[OPTIONS_MAX]; /* in this map */
    struct error *err;
};

/* Whether "key." starts a known key. */
static bool is_group(const struct option *options, const char *key)
{
    size_t size = strlen(key);
    for (const struct option *o = options; o->key != NULL; o++) {
        if (strncmp(o->key, key, size) == 0 && o->key[size] == '.') return true;
    }
    return false;
}

static enum status choose_map(struct chooser *c, const struct node *map, const char *prefix);

static enum status choose_one(struct chooser *c, const char *key, const struct node *entry)
{
    size_t i = 0;
    while (c->options[i].key != NULL && strcmp(c->options[i].key, key) != 0)
        i++;
    bool group = c->options[i].key == NULL && is_group(c->options, key);
    if (c->options[i].key == NULL && !group) return refuse_unknown(c->options, key, entry, c->err);
    if (node_is_null(entry))
        return node_error_at_key(
            entry, c->err, "%s: no value; write one, or leave the key out", key);
    if (group) return choose_map(c, entry, key);
    if (c->seen[i] != NULL)
        return node_error_at_key(entry, c->err, "%s is given twice; keep one", key);
    c->seen[i] = entry;
    c->chosen[i] = entry;
    return ST_OK;
}

static enum status choose_map(struct chooser *c, const struct node *map, const char *prefix)
{
    bool top = *prefix == '\0';
    if (map->kind != NODE_MAP)
        return refuse_kind(
            top ? NULL : prefix, map, "keys with values, as in `key: value`", c->err);
    for (const struct node *entry = map->first; entry != NULL; entry = entry->next) {
        char key[KEY_BYTES];
        snprintf(key, sizeof(key), "%s%s%s", prefix, top ? "" : ".", entry->key);
        enum status status = choose_one(c, key, entry);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

enum status options_choose(const struct option *options, const struct node *map,
    const struct node **chosen, struct error *err)
{
    struct chooser c = {.options = options, .chosen = chosen, .err = err};
    return choose_map(&c, map, "");
}

/* Written as YAML even in a table; the others are their text, whatever characters it has. */
static bool is_shaped(enum option_type type)
{
    return type == OPTION_TEXTS || type == OPTION_DURATIONS || type == OPTION_NUMBERS ||
           type == OPTION_PAIRS || type == OPTION_NODE;
}

static enum status choose_fallback(const struct option *option, const struct node *map,
    const struct node **chosen, struct pool *pool, struct error *err)
{
    if (option->fallback == NULL) {
        if (map != NULL) return node_error(map, option->key, err, "is missing and has no default");
        return error_set(err, ST_FATAL, 0, "%s: is missing and has no default", option->key);
    }
    if (!is_shaped(option->type)) {
        *chosen = node_of_text(option->fallback, option_origin_default, pool);
        return ST_OK;
    }
    struct node *root;
    enum status status =
        node_read(bytes_of(option->fallback), option_origin_default, false, pool, &root, err);
    if (status == ST_OK) *chosen = root;
    return status;
}

enum status options_fill(const struct option *options, void *self, const struct node *map,
    const struct node **chosen, struct pool *pool, struct error *err)
{
    for (size_t i = 0; options[i].key != NULL; i++) {
        enum status status = ST_OK;
        if (chosen[i] == NULL) status = choose_fallback(&options[i], map, &chosen[i], pool, err);
        if (status == ST_OK) status = option_set(&options[i], chosen[i], self, pool, err);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

enum status options_read(const struct option *options, void *self, const struct node *map,
    struct pool *pool, struct error *err)
{
    const struct node *chosen[OPTIONS_MAX] = {NULL};
    enum status status = map == NULL ? ST_OK : options_choose(options, map, chosen, err);
    if (status != ST_OK) return status;
    return options_fill(options, self, map, chosen, pool, err);
}
