#include "sinks/template.h"

#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "schemas/series_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char literal[] = "\"{{\"";

/* One {{...}}: what stands between, without spaces around it. */
struct place {
    struct bytes before; /* text up to it */
    struct bytes path;
    bool json;
    bool literal;
};

static const char *const roots[] = {"id", "state", "rule", "series", "severity", "condition",
    "value", "since", "at", "since_ms", "at_ms", "labels", "annotations", "exemplars", "errors",
    "members", NULL};

static struct bytes trimmed(struct bytes text)
{
    while (text.size > 0 && text.data[0] == ' ')
        text = (struct bytes){text.data + 1, text.size - 1};
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

/* The next place in `*at`, which moves behind it. false: none is left, or one is never closed. */
static bool place_next(const char **at, struct place *place)
{
    const char *begin = strstr(*at, "{{");
    if (begin == NULL) return false;
    bool is_literal = strncmp(begin + 2, literal, strlen(literal)) == 0;
    const char *end = strstr(begin + 2 + (is_literal ? strlen(literal) : 0), "}}");
    if (end == NULL) return false;
    *place = (struct place){.literal = is_literal};
    place->before = (struct bytes){(const uint8_t *)*at, (size_t)(begin - *at)};
    place->path = trimmed((struct bytes){(const uint8_t *)begin + 2, (size_t)(end - begin - 2)});
    place->json = place->path.size > 5 && memcmp(place->path.data, "json ", 5) == 0;
    if (place->json)
        place->path = trimmed((struct bytes){place->path.data + 5, place->path.size - 5});
    *at = end + 2;
    return true;
}

static bool is_known(struct bytes path)
{
    size_t size = 0;
    while (size < path.size && path.data[size] != '.')
        size++;
    for (const char *const *root = roots; *root != NULL; root++) {
        if (bytes_are((struct bytes){path.data, size}, *root)) return path.size != size + 1;
    }
    return false;
}

enum status template_check(const char *template, struct error *err)
{
    struct place place;
    const char *at = template;
    while (place_next(&at, &place)) {
        if (place.literal || is_known(place.path)) continue;
        return error_set(err, ST_FATAL, 0,
            "{{%.*s}} is nothing that an alert has; it has id, state, rule, series, severity, "
            "condition, value, since, at, labels.NAME, annotations.NAME, exemplars, errors, "
            "members",
            (int)(place.path.size < 40 ? place.path.size : 40), (const char *)place.path.data);
    }
    if (strstr(at, "{{") == NULL) return ST_OK;
    return error_set(err, ST_FATAL, 0, "{{ without }} in the template; a literal {{ is {{\"{{\"}}");
}

static void view_instant(json_t *view, const char *name, int64_t ms)
{
    if (ms != 0) json_object_set_new(view, name, json_string(instant_print(ms * NS_PER_MS).text));
}

json_t *template_view(const struct notice *notice)
{
    json_t *view = json_copy(notice->alert);
    json_object_set_new(view, "state", json_string(notice_state_name[notice->state]));
    view_instant(view, "since", notice->since_ms);
    view_instant(view, "at", notice->at_ms);
    return view;
}

/* A name may hold dots itself, so all that is left is tried as one before it is cut at a dot. */
static const json_t *lookup(const json_t *in, const char *path)
{
    const json_t *whole = json_object_get(in, path);
    const char *dot = strchr(path, '.');
    if (whole != NULL) return whole;
    char first[256];
    size_t size = dot == NULL ? strlen(path) : (size_t)(dot - path);
    if (size >= sizeof(first)) return NULL;
    memcpy(first, path, size);
    first[size] = '\0';
    const json_t *next = json_is_array(in) ? json_array_get(in, strtoul(first, NULL, 10))
                                           : json_object_get(in, first);
    return dot == NULL || next == NULL ? next : lookup(next, dot + 1);
}

static const json_t *find(const json_t *view, struct bytes path)
{
    char text[512];
    if (path.size >= sizeof(text)) return NULL;
    memcpy(text, path.data, path.size);
    text[path.size] = '\0';
    return lookup(view, text);
}

static int append(const char *text, size_t bytes, void *out)
{
    buffer_append(out, text, bytes);
    return 0;
}

/* As it stands between the quotes of a JSON string. */
static void put_escaped(const char *text, size_t bytes, struct buffer *out)
{
    struct buffer quoted = {0};
    json_t *string = json_stringn(text, bytes);
    json_dump_callback(string, append, &quoted, JSON_ENCODE_ANY);
    if (quoted.size >= 2) buffer_append(out, quoted.data + 1, quoted.size - 2);
    buffer_release(&quoted);
    json_decref(string);
}

static void put_value(const json_t *value, enum template_into into, struct buffer *out)
{
    struct buffer text = {0};
    if (json_is_string(value))
        buffer_append(&text, json_string_value(value), json_string_length(value));
    else if (json_is_real(value))
        buffer_print(&text, "%.6g", json_real_value(value));
    else if (value != NULL && !json_is_null(value))
        json_dump_callback(value, append, &text, JSON_COMPACT | JSON_ENCODE_ANY);
    if (into == TEMPLATE_JSON)
        put_escaped((const char *)text.data, text.size, out);
    else if (into == TEMPLATE_URL)
        series_name_encode(out, buffer_bytes(&text));
    else
        buffer_append(out, text.data, text.size);
    buffer_release(&text);
}

static void put_json(const json_t *value, struct buffer *out)
{
    if (value == NULL)
        buffer_print(out, "null");
    else
        json_dump_callback(value, append, out, JSON_COMPACT | JSON_ENCODE_ANY);
}

void template_render(
    const char *template, const json_t *view, enum template_into into, struct buffer *out)
{
    struct place place;
    const char *at = template;
    while (place_next(&at, &place)) {
        buffer_append(out, place.before.data, place.before.size);
        if (place.literal)
            buffer_append(out, "{{", 2);
        else if (place.json)
            put_json(find(view, place.path), out);
        else
            put_value(find(view, place.path), into, out);
    }
    buffer_append(out, at, strlen(at));
}
