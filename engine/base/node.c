#include "engine/base/node.h"

#include "engine/base/buffer.h"
#include "engine/base/expand.h"
#include "engine/base/memory.h"
#include "engine/base/secret.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    const char *origin;
    bool lines;
    struct pool *pool;
    size_t nodes;
    struct buffer scratch;
    struct error *err;
};

struct node_shown node_show(const char *foreign)
{
    struct node_shown out;
    char *text = memory_text(foreign, strlen(foreign));
    secret_mask(text);
    const size_t room = sizeof(out.text) - sizeof("...");
    size_t size = strlen(text);
    bool cut = size > room;
    if (cut) {
        size = room;
        while (size > 0 && ((uint8_t)text[size] & 0xC0) == 0x80) /* not inside a character */
            size--;
    }
    for (size_t i = 0, bytes; i < size; i += bytes) {
        struct bytes rest = {(const uint8_t *)text + i, size - i};
        bytes = text_character(rest);
        bool shown = bytes != 0 && text_steering((struct bytes){rest.data, bytes}) < 0;
        if (bytes == 0) bytes = 1;
        memcpy(out.text + i, text + i, bytes);
        if (!shown) memset(out.text + i, '?', bytes);
    }
    memcpy(out.text + size, cut ? "..." : "", cut ? sizeof("...") : 1);
    free(text);
    return out;
}

static enum status error_at(const char *origin, size_t line, size_t column, const char *key,
    struct error *err, const char *format, va_list args)
{
    char said[sizeof(err->text)], place[sizeof(err->text) / 2];
    vsnprintf(said, sizeof(said), format, args);
    if (line == 0)
        snprintf(place, sizeof(place), "%s: ", origin);
    else
        snprintf(place, sizeof(place), "%s:%zu:%zu: ", origin, line, column);
    return error_set(
        err, ST_FATAL, 0, "%s%s%s%s", place, key == NULL ? "" : key, key == NULL ? "" : ": ", said);
}

enum status node_error_list(
    const struct node *node, const char *key, struct error *err, const char *format, va_list args)
{
    return error_at(node->origin, node->line, node->column, key, err, format, args);
}

enum status node_error(
    const struct node *node, const char *key, struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum status status = node_error_list(node, key, err, format, args);
    va_end(args);
    return status;
}

enum status node_error_at_key(const struct node *node, struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum status status =
        error_at(node->origin, node->key_line, node->key_column, NULL, err, format, args);
    va_end(args);
    return status;
}

struct node *node_of_text(const char *text, const char *origin, struct pool *pool)
{
    struct node *node = pool_take(pool, sizeof(*node));
    *node = (struct node){.kind = NODE_TEXT, .text = text, .origin = origin};
    return node;
}

bool node_is_null(const struct node *node)
{
    if (node->kind != NODE_TEXT || !node->plain) return false;
    const char *text = node->text;
    return *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

static enum status refuse(struct reader *r, yaml_mark_t mark, const char *format, ...)
    PRINTF_LIKE(3, 4);

static enum status refuse(struct reader *r, yaml_mark_t mark, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum status status = error_at(
        r->origin, r->lines ? mark.line + 1 : 0, mark.column + 1, NULL, r->err, format, args);
    va_end(args);
    return status;
}

static enum status refuse_syntax(struct reader *r)
{
    const char *problem = r->parser.problem == NULL ? "unreadable" : r->parser.problem;
    const char *hint = "";
    if (strstr(problem, "cannot start any token") != NULL)
        hint = "; indent with spaces, not tabs, and quote a value that starts with @, ` or %";
    if (strstr(problem, "alphabetic or numeric") != NULL)
        hint = "; quote a value that starts with *, & or !";
    if (r->parser.error == YAML_READER_ERROR) hint = "; the text must be UTF-8";
    if (r->parser.context == NULL)
        return refuse(r, r->parser.problem_mark, "not YAML: %s%s", problem, hint);
    return refuse(r, r->parser.problem_mark, "not YAML: %s %s%s", r->parser.context, problem, hint);
}

static enum status next_event(struct reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->parser, event) ? ST_OK : refuse_syntax(r);
}

static const char *pool_text(struct pool *pool, struct bytes text)
{
    char *copy = pool_take(pool, text.size + 1);
    if (text.size != 0) memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

static struct node *node_new(struct reader *r, enum node_kind kind, yaml_mark_t mark)
{
    struct node *node = pool_take(r->pool, sizeof(*node));
    *node = (struct node){
        .kind = kind,
        .text = "",
        .origin = r->origin,
        .line = r->lines ? mark.line + 1 : 0,
        .column = mark.column + 1,
    };
    return node;
}

static struct bytes scalar_bytes(const yaml_event_t *event)
{
    return (struct bytes){event->data.scalar.value, event->data.scalar.length};
}

static enum status read_text(struct reader *r, const yaml_event_t *event, struct node **out)
{
    yaml_mark_t mark = event->start_mark;
    if (event->data.scalar.tag != NULL) return refuse(r, mark, "a tag (!...) is not taken here");

    struct error why;
    buffer_reset(&r->scratch);
    if (expand(scalar_bytes(event), &r->scratch, &why) != ST_OK)
        return refuse(r, mark, "%s", why.text);
    struct bytes text = buffer_bytes(&r->scratch);
    if (text.size != 0 && memchr(text.data, '\0', text.size) != NULL)
        return refuse(r, mark, "the value holds a NUL byte; leave it out");

    *out = node_new(r, NODE_TEXT, mark);
    (*out)->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    (*out)->text = pool_text(r->pool, text);
    return ST_OK;
}

static enum status read_key(
    struct reader *r, const yaml_event_t *event, const struct node *map, const char **out)
{
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(r, event->start_mark, "a key must be one text, as in `pane: 10s`");
    struct bytes key = scalar_bytes(event);
    if (key.size == 0 || key.size > NODE_KEY_BYTES_MAX || memchr(key.data, 0, key.size) != NULL)
        return refuse(r, event->start_mark, "a key has 1 to %d characters", NODE_KEY_BYTES_MAX);

    *out = pool_text(r->pool, key);
    for (const struct node *other = map->first; other != NULL; other = other->next) {
        if (strcmp(other->key, *out) != 0) continue;
        return refuse(r, event->start_mark, "%s is given twice; keep one", node_show(*out).text);
    }
    return ST_OK;
}

static enum status read_value(
    struct reader *r, const yaml_event_t *event, int depth, struct node **out);

/* One entry, whose first event has been read: a value, in a map preceded by its key. */
static enum status read_entry(
    struct reader *r, yaml_event_t *event, int depth, const struct node *parent, struct node **out)
{
    yaml_mark_t mark = event->start_mark;
    if (parent->kind == NODE_LIST) return read_value(r, event, depth, out);

    const char *key = NULL;
    enum status status = read_key(r, event, parent, &key);
    if (status != ST_OK) return status;
    yaml_event_t value;
    status = next_event(r, &value);
    if (status != ST_OK) return status;
    status = read_value(r, &value, depth, out);
    yaml_event_delete(&value);
    if (status != ST_OK) return status;
    (*out)->key = key;
    (*out)->key_line = r->lines ? mark.line + 1 : 0;
    (*out)->key_column = mark.column + 1;
    return ST_OK;
}

static enum status read_entries(struct reader *r, int depth, struct node *parent)
{
    struct node **last = &parent->first;
    for (;;) {
        yaml_event_t event;
        enum status status = next_event(r, &event);
        if (status != ST_OK) return status;
        bool end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        if (!end && parent->count == NODE_ENTRIES_MAX)
            status = refuse(r, event.start_mark, "more than %d entries", NODE_ENTRIES_MAX);
        else if (!end)
            status = read_entry(r, &event, depth, parent, last);
        yaml_event_delete(&event);
        if (end || status != ST_OK) return status;
        last = &(*last)->next;
        parent->count++;
    }
}

static enum status read_value(
    struct reader *r, const yaml_event_t *event, int depth, struct node **out)
{
    yaml_mark_t mark = event->start_mark;
    if (++r->nodes > NODES_MAX) return refuse(r, mark, "more than %d values", NODES_MAX);
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_text(r, event, out);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        break;
    case YAML_ALIAS_EVENT:
        return refuse(r, mark, "an alias (*%s) is not taken here; write the value out",
            node_show((const char *)event->data.alias.anchor).text);
    default:
        return refuse(r, mark, "a value is missing");
    }
    if (depth == NODE_DEPTH_MAX)
        return refuse(r, mark, "nested deeper than %d levels", NODE_DEPTH_MAX);
    bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
    *out = node_new(r, is_list ? NODE_LIST : NODE_MAP, mark);
    return read_entries(r, depth + 1, *out);
}

/* The first event after the stream and document start, or the stream's end. */
static enum status skip_to_document(struct reader *r, yaml_event_t *event)
{
    for (;;) {
        enum status status = next_event(r, event);
        if (status != ST_OK) return status;
        bool start =
            event->type == YAML_STREAM_START_EVENT || event->type == YAML_DOCUMENT_START_EVENT;
        if (!start) return ST_OK;
        yaml_event_delete(event);
    }
}

static enum status expect_end(struct reader *r)
{
    for (;;) {
        yaml_event_t event;
        enum status status = next_event(r, &event);
        if (status != ST_OK) return status;
        yaml_event_type_t type = event.type;
        yaml_mark_t mark = event.start_mark;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT) return ST_OK;
        if (type == YAML_DOCUMENT_START_EVENT)
            return refuse(r, mark, "a second document (---) is not taken here; keep one");
    }
}

static enum status read_document(struct reader *r, struct node **out)
{
    yaml_event_t event;
    enum status status = skip_to_document(r, &event);
    if (status != ST_OK) return status;
    if (event.type == YAML_STREAM_END_EVENT) {
        *out = node_new(r, NODE_MAP, event.start_mark);
    } else {
        status = read_value(r, &event, 0, out);
        if (status == ST_OK) status = expect_end(r);
    }
    yaml_event_delete(&event);
    return status;
}

enum status node_read(struct bytes text, const char *origin, bool lines, struct pool *pool,
    struct node **root, struct error *err)
{
    if (text.size > NODE_INPUT_BYTES_MAX)
        return error_set(err, ST_FATAL, 0, "%s: larger than 1 MiB; it is not a config", origin);

    struct reader r = {.origin = origin, .lines = lines, .pool = pool, .err = err};
    if (!yaml_parser_initialize(&r.parser))
        return error_set(err, ST_FATAL, 0, "%s: no memory for the YAML parser", origin);
    yaml_parser_set_input_string(
        &r.parser, text.size == 0 ? (const uint8_t *)"" : text.data, text.size);
    struct node *found = NULL;
    enum status status = read_document(&r, &found);
    if (status == ST_OK) *root = found;
    yaml_parser_delete(&r.parser);
    buffer_release(&r.scratch);
    return status;
}
