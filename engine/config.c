/*
 * Loading: the file's entries and the command line's are sorted to the options of one table, what
 * was not given takes its fallback, and only then is anything read into the struct.
 */
#include "engine/config.h"

#include "engine/base/buffer.h"
#include "engine/base/memory.h"
#include "engine/base/secret.h"
#include "engine/base/zone.h"
#include "engine/config_receivers.h"
#include "engine/config_shapes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct config_memory {
    struct pool pool;
    struct option option[OPTIONS_MAX]; /* config_options[], then one per window operator */
    const struct node *chosen[OPTIONS_MAX];
    struct node kafka; /* --set kafka.KEY=VALUE, which goes beside and before the file's */
    struct node **kafka_last;
};

/* What each operator is when the config does not mention it; one not named here is off. */
static const struct {
    const char *name, *fallback;
} operator_fallbacks[] = {
    {"anomaly", "[{of: errors}, {of: latency}, {of: spans}]"},
};

static const char *operator_fallback(const char *name)
{
    for (size_t i = 0; i < sizeof(operator_fallbacks) / sizeof(operator_fallbacks[0]); i++) {
        if (strcmp(operator_fallbacks[i].name, name) == 0) return operator_fallbacks[i].fallback;
    }
    return "[]";
}

static struct config_memory *memory_new(void)
{
    struct config_memory *m = memory_zeroed(1, sizeof(*m));
    m->kafka = (struct node){.kind = NODE_MAP, .text = "", .origin = "command line"};
    m->kafka_last = &m->kafka.first;
    size_t count = 0;
    for (const struct option *o = config_options; o->key != NULL && count < OPTIONS_MAX - 1; o++)
        m->option[count++] = *o;
    for (const struct window_operator *const *op = window_operators; *op != NULL; op++) {
        if (count == OPTIONS_MAX - 1) break;
        m->option[count++] = (struct option){
            .key = (*op)->name,
            .type = OPTION_NODE,
            .fallback = operator_fallback((*op)->name),
            .help = (*op)->help,
        };
    }
    return m;
}

static const struct node *chosen_for(const struct config_memory *m, const char *key)
{
    for (size_t i = 0; m->option[i].key != NULL; i++) {
        if (strcmp(m->option[i].key, key) == 0) return m->chosen[i];
    }
    return NULL;
}

enum status config_error(
    const struct config *config, const char *key, struct error *err, const char *format, ...)
{
    const struct node *node = chosen_for(config->memory_owner, key);
    static const struct node nowhere = {.origin = "config"};
    va_list args;
    va_start(args, format);
    enum status status = node_error_list(node == NULL ? &nowhere : node, key, err, format, args);
    va_end(args);
    return status;
}

bool config_given(const struct config *config, const char *key)
{
    const struct node *node = chosen_for(config->memory_owner, key);
    return node != NULL && node->origin != option_origin_default;
}

/* `key=value` as a map of one entry, the value read as YAML so that lists can be written. */
static enum status setting_read(
    const char *setting, struct pool *pool, struct node *map, struct error *err)
{
    static const char origin[] = "command line";
    const char *equals = strchr(setting, '=');
    if (equals == NULL || equals == setting || equals - setting > NODE_KEY_BYTES_MAX)
        return error_set(err, ST_FATAL, 0, "%s: \"%s\" is not key=value, as in lateness=30s",
            origin, node_show(setting).text);

    char *key = pool_take(pool, (size_t)(equals - setting) + 1);
    memcpy(key, setting, (size_t)(equals - setting));
    key[equals - setting] = '\0';
    struct node *entry = node_of_text("", origin, pool); /* `key=` is an empty text */
    enum status status = ST_OK;
    if (equals[1] != '\0')
        status = node_read(bytes_of(equals + 1), origin, false, pool, &entry, err);
    if (status != ST_OK) return status;
    entry->key = key;
    *map =
        (struct node){.kind = NODE_MAP, .text = "", .origin = origin, .first = entry, .count = 1};
    return ST_OK;
}

/* librdkafka's keys have dots of their own, so they are not looked for in the table. */
static bool is_kafka_setting(struct config_memory *m, const struct node *map)
{
    static const char prefix[] = "kafka.";
    struct node *entry = map->first;
    if (strncmp(entry->key, prefix, strlen(prefix)) != 0) return false;
    entry->key += strlen(prefix);
    *m->kafka_last = entry;
    m->kafka_last = &entry->next;
    m->kafka.count++;
    return true;
}

/* Each goes before the file's and before earlier ones. */
static enum status settings_choose(
    struct config_memory *m, const char *const *settings, struct error *err)
{
    for (const char *const *s = settings; s != NULL && *s != NULL; s++) {
        struct node map;
        enum status status = setting_read(*s, &m->pool, &map, err);
        if (status == ST_OK && !is_kafka_setting(m, &map))
            status = options_choose(m->option, &map, m->chosen, err);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static enum status zone_choose(struct config *config, struct error *err)
{
    struct error why;
    if (zone_load(config->time_zone, &config->zone, &why) == ST_OK) return ST_OK;
    return config_error(config, "time_zone", err, "%s", why.text);
}

/* Not said otherwise: a minute, or the resolution of `history` that is nearest above it, or the coarsest. */
static void score_choose(struct config *config)
{
    if (config_given(config, "score_every")) return;
    int64_t usual_ns = config->score_ns, finest_ns = INT64_MAX, coarsest_ns = 0;
    for (size_t i = 0; i < config->histories; i++) {
        int64_t ns = config->history[i].resolution_ns;
        if (ns >= usual_ns && ns < finest_ns) finest_ns = ns;
        if (ns > coarsest_ns) coarsest_ns = ns;
    }
    if (config->histories != 0) config->score_ns = coarsest_ns < usual_ns ? coarsest_ns : finest_ns;
}

/* Without a history nothing can be scored; who asked for scores is told. */
static bool is_read(const struct config *config, const char *operators)
{
    bool scores = strcmp(operators, "anomaly") == 0;
    return !scores || config->histories != 0 || config_given(config, operators);
}

static enum status shapes_read(struct config *config, struct error *err)
{
    struct config_memory *m = config->memory_owner;
    enum status status = config_read_brokers(config, chosen_for(m, "brokers"), &m->pool, err);
    if (status == ST_OK) status = config_read_views(config, chosen_for(m, "views"), err);
    if (status == ST_OK)
        status = config_read_history(config, chosen_for(m, "history"), &m->pool, err);
    if (status == ST_OK) score_choose(config);
    if (status == ST_OK)
        status = config_read_kafka(config, chosen_for(m, "kafka"), &m->kafka, &m->pool, err);
    if (status == ST_OK)
        status = config_read_receivers(config, chosen_for(m, "notify.receivers"), &m->pool, err);
    for (const struct window_operator *const *op = window_operators; *op != NULL; op++) {
        if (status != ST_OK) break;
        if (!is_read(config, (*op)->name)) continue;
        status = config_read_operators(config, *op, chosen_for(m, (*op)->name), &m->pool, err);
    }
    return status;
}

static enum status fill(struct config *config, const char *origin, struct bytes text,
    const char *const *settings, struct error *err)
{
    struct config_memory *m = config->memory_owner;
    struct node *root;
    const char *named = memcpy(pool_take(&m->pool, strlen(origin) + 1), origin, strlen(origin) + 1);
    enum status status = node_read(text, named, true, &m->pool, &root, err);
    if (status == ST_OK) status = options_choose(m->option, root, m->chosen, err);
    if (status == ST_OK) status = settings_choose(m, settings, err);
    if (status == ST_OK) status = options_fill(m->option, config, NULL, m->chosen, &m->pool, err);
    if (status == ST_OK) status = zone_choose(config, err);
    if (status == ST_OK) status = shapes_read(config, err);
    if (status == ST_OK) status = config_check(config, err);
    if (status == ST_OK) config->path = named;
    if (status == ST_OK) config->settings = settings;
    return status;
}

enum status config_load_over(struct config *config, const struct config *base, const char *origin,
    struct bytes text, struct error *err)
{
    struct config loaded = {.memory_owner = memory_new()};
    struct config_memory *m = loaded.memory_owner;
    memcpy(m->chosen, base->memory_owner->chosen, sizeof(m->chosen));
    enum status status = fill(&loaded, origin, text, NULL, err);
    if (status == ST_OK)
        *config = loaded;
    else
        config_release(&loaded);
    return status;
}

void config_write_value(const struct config *config, const char *key, struct buffer *out)
{
    node_write(chosen_for(config->memory_owner, key), out);
}

static bool texts_same(const struct texts *a, const struct texts *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++)
        same = strcmp(a->text[i], b->text[i]) == 0;
    return same;
}

static bool written_same(const struct config *a, const struct config *b, const char *key)
{
    struct buffer left = {0}, right = {0};
    config_write_value(a, key, &left);
    config_write_value(b, key, &right);
    bool same = bytes_equal(buffer_bytes(&left), buffer_bytes(&right));
    buffer_release(&left);
    buffer_release(&right);
    return same;
}

bool config_same(const struct config *a, const struct config *b, const struct option *option)
{
    const void *left = (const char *)a + option->offset, *right = (const char *)b + option->offset;
    switch (option->type) {
    case OPTION_COUNT:
    case OPTION_BYTES:
    case OPTION_DURATION:
        return memcmp(left, right, sizeof(uint64_t)) == 0;
    case OPTION_CHOICE:
        return memcmp(left, right, sizeof(int)) == 0;
    case OPTION_TEXT:
        return strcmp(*(const char *const *)left, *(const char *const *)right) == 0;
    case OPTION_TEXTS:
        return texts_same(left, right);
    case OPTION_NUMBER:
    case OPTION_FLAG:
    case OPTION_DURATIONS:
    case OPTION_NUMBERS:
    case OPTION_PAIRS:
    case OPTION_NODE:
        break;
    }
    return written_same(a, b, option->key);
}

void config_keys(const struct config *config,
    void (*visit)(const struct option *option, void *opaque), void *opaque)
{
    for (const struct option *o = config->memory_owner->option; o->key != NULL; o++)
        visit(o, opaque);
}

enum status config_load_bytes(struct config *config, const char *origin, struct bytes text,
    const char *const *settings, struct error *err)
{
    struct config loaded = {.memory_owner = memory_new()};
    enum status status = fill(&loaded, origin, text, settings, err);
    if (status == ST_OK)
        *config = loaded;
    else
        config_release(&loaded);
    return status;
}

static enum status read_failed(const char *path, struct error *err)
{
    int code = errno;
    char *shown = memory_text(path, strlen(path)); /* it may be a URL by mistake */
    secret_mask(shown);
    error_set(err, ST_FATAL, code, "%.200s: cannot be read: %s", shown, strerror(code));
    free(shown);
    return ST_FATAL;
}

/* At most one byte more than is taken, so that the limit shows. */
enum status config_read_file(const char *path, struct buffer *out, struct error *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return read_failed(path, err);

    enum status status = ST_OK;
    size_t got = 1;
    while (got > 0 && out->size <= NODE_INPUT_BYTES_MAX) {
        enum { PIECE = 64 << 10 };
        got = fread(buffer_room(out, PIECE), 1, PIECE, file);
        out->size += got;
    }
    if (ferror(file)) status = read_failed(path, err);
    fclose(file);
    return status;
}

enum status config_load(
    struct config *config, const char *path, const char *const *settings, struct error *err)
{
    if (path == NULL) {
        enum status status =
            config_load_bytes(config, option_origin_default, bytes_of(""), settings, err);
        if (status == ST_OK) config->path = NULL;
        return status;
    }
    struct buffer text = {0};
    enum status status = config_read_file(path, &text, err);
    if (status == ST_OK)
        status = config_load_bytes(config, path, buffer_bytes(&text), settings, err);
    buffer_release(&text);
    return status;
}

void config_release(struct config *config)
{
    if (config->memory_owner != NULL) pool_release(&config->memory_owner->pool);
    free(config->memory_owner);
    zone_free(config->zone);
    *config = (struct config){0};
}
