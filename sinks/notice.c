#include "sinks/notice.h"

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/text.h"
#include "schemas/series_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const notice_state_name[] = {
    [NOTICE_FIRING] = "firing",
    [NOTICE_RESOLVED] = "resolved",
};

/* What a member holds. A stream's entry has texts only, so each can be read from one. */
enum member_kind { MEMBER_TEXT, MEMBER_NUMBER, MEMBER_INTEGER, MEMBER_OBJECT, MEMBER_ARRAY };

static const struct member {
    const char *name;
    enum member_kind kind;
} members[] = {
    {"id", MEMBER_TEXT},
    {"rule", MEMBER_TEXT},
    {"series", MEMBER_TEXT},
    {"severity", MEMBER_TEXT},
    {"condition", MEMBER_TEXT},
    {"value", MEMBER_NUMBER},
    {"since_ms", MEMBER_INTEGER},
    {"at_ms", MEMBER_INTEGER},
    {"labels", MEMBER_OBJECT},
    {"annotations", MEMBER_OBJECT},
    {"exemplars", MEMBER_ARRAY},
    {"errors", MEMBER_ARRAY},
    {"members", MEMBER_ARRAY},
};
enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

/* Without NUL bytes, which no receiver takes in a text. */
static json_t *text_new(struct bytes text)
{
    struct buffer out = {0};
    buffer_room(&out, text.size);
    while (text.size > 0) {
        size_t bytes = text_character(text);
        if (bytes == 0 || text.data[0] == '\0')
            buffer_append(&out, "\xef\xbf\xbd", 3);
        else
            buffer_append(&out, text.data, bytes);
        if (bytes == 0) bytes = 1;
        text = (struct bytes){text.data + bytes, text.size - bytes};
    }
    json_t *made = json_stringn((const char *)out.data, out.size);
    buffer_release(&out);
    return made;
}

static json_t *number_new(const char *text, enum member_kind kind)
{
    char *end;
    if (*text == '\0') return NULL;
    if (kind == MEMBER_INTEGER) {
        long long integer = strtoll(text, &end, 10);
        return *end == '\0' ? json_integer(integer) : NULL;
    }
    double number = strtod(text, &end);
    return *end == '\0' ? json_real(number) : NULL; /* NULL for what JSON has no number for */
}

/* A new reference, or NULL: it does not hold what it should. */
static json_t *member_from_text(const struct member *member, const char *text)
{
    if (member->kind == MEMBER_TEXT) return json_string(text);
    if (member->kind == MEMBER_NUMBER || member->kind == MEMBER_INTEGER)
        return number_new(text, member->kind);
    json_t *made = json_loads(text, 0, NULL);
    bool right = member->kind == MEMBER_OBJECT ? json_is_object(made) : json_is_array(made);
    if (!right) json_decref(made);
    return right ? made : NULL;
}

static json_t *member_from(const struct member *member, json_t *given)
{
    if (json_is_string(given)) return member_from_text(member, json_string_value(given));
    bool right = false;
    if (member->kind == MEMBER_NUMBER) right = json_is_number(given);
    if (member->kind == MEMBER_INTEGER) right = json_is_integer(given);
    if (member->kind == MEMBER_OBJECT) right = json_is_object(given);
    if (member->kind == MEMBER_ARRAY) right = json_is_array(given);
    return right ? json_incref(given) : NULL;
}

/* `labels` and `annotations` hold texts only; whatever else stands there is made one or left out. */
static void keep_texts(json_t *object)
{
    const char *name;
    json_t *value;
    void *next;
    size_t kept = 0;
    json_object_foreach_safe(object, next, name, value)
    {
        char number[32];
        bool keep = kept < NOTICE_LABELS_MAX;
        if (keep && json_is_string(value)) {
            kept++;
        } else if (keep && json_is_number(value)) {
            snprintf(number, sizeof(number), "%.17g", json_number_value(value));
            json_object_set_new(object, name, json_string(number));
            kept++;
        } else {
            json_object_del(object, name);
        }
    }
}

static void label_set(json_t *labels, const char *name, json_t *value)
{
    if (json_string_length(value) != 0 && json_object_get(labels, name) == NULL &&
        json_object_size(labels) < NOTICE_LABELS_MAX)
        json_object_set(labels, name, value);
}

/* Dimensions are percent-encoded; as labels they are what was meant. */
static void labels_from_series(json_t *labels, struct bytes series)
{
    struct buffer name = {0}, value = {0};
    struct bytes dimension, encoded;
    while (series_name_next(&series, &dimension, &encoded)) {
        buffer_reset(&name);
        buffer_reset(&value);
        series_name_decode(dimension, &name);
        series_name_decode(encoded, &value);
        json_t *key = text_new(buffer_bytes(&name)), *text = text_new(buffer_bytes(&value));
        if (json_string_length(key) != 0) label_set(labels, json_string_value(key), text);
        json_decref(key);
        json_decref(text);
    }
    buffer_release(&name);
    buffer_release(&value);
}

/* Receivers tell alerts apart by labels, so there is no notice without. */
static void settle_labels(struct notice *notice)
{
    json_t *labels = json_object_get(notice->alert, "labels");
    bool given = labels != NULL && json_object_size(labels) != 0;
    if (labels == NULL) {
        labels = json_object();
        json_object_set_new(notice->alert, "labels", labels);
    }
    keep_texts(labels);
    label_set(labels, "alertname", json_object_get(notice->alert, "rule"));
    label_set(labels, "severity", json_object_get(notice->alert, "severity"));
    if (!given) labels_from_series(labels, bytes_of(notice_text(notice, "series")));
    if (json_object_size(labels) == 0)
        json_object_set_new(labels, "alertname", json_string(notice->id));
}

static void summary_write(const struct notice *notice, struct buffer *out)
{
    const json_t *value = json_object_get(notice->alert, "value");
    buffer_print(out, "%s", notice_text(notice, "condition"));
    if (value != NULL) buffer_print(out, ", now %.4g", json_number_value(value));
}

/* A rule without annotations still says what it is about. */
static void settle_annotations(struct notice *notice)
{
    json_t *annotations = json_object_get(notice->alert, "annotations");
    if (annotations != NULL) {
        keep_texts(annotations);
        return;
    }
    struct buffer summary = {0};
    annotations = json_object();
    summary_write(notice, &summary);
    if (summary.size != 0)
        json_object_set_new(
            annotations, "summary", json_stringn((const char *)summary.data, summary.size));
    json_object_set_new(notice->alert, "annotations", annotations);
    buffer_release(&summary);
}

static enum status id_take(struct notice *notice, struct error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const char *id = notice_text(notice, "id");
    size_t size = strlen(id);
    if (size == 0 || size >= sizeof(notice->id) || strspn(id, allowed) != size)
        return error_set(err, ST_SKIP, 0, "notice: the alert has no id that can be used");
    memcpy(notice->id, id, size + 1);
    return ST_OK;
}

static enum status state_take(
    struct notice *notice, const char *state, enum notice_state usual, struct error *err)
{
    if (state == NULL) {
        notice->state = usual;
        return ST_OK;
    }
    for (int s = NOTICE_FIRING; s <= NOTICE_RESOLVED; s++) {
        notice->state = (enum notice_state)s;
        if (strcmp(state, notice_state_name[s]) == 0) return ST_OK;
    }
    return error_set(err, ST_SKIP, 0, "notice: alert %s neither fires nor is resolved: %.40s",
        notice->id, state);
}

static int64_t time_of(const struct notice *notice, const char *member)
{
    int64_t ms = json_integer_value(json_object_get(notice->alert, member));
    return ms < 0 || ms > INT64_MAX / NS_PER_MS ? 0 : ms;
}

static enum status notice_of(
    struct notice *notice, json_t *given, enum notice_state usual, struct error *err)
{
    *notice = (struct notice){.alert = json_object()};
    for (size_t m = 0; m < MEMBERS; m++) {
        json_t *member = member_from(&members[m], json_object_get(given, members[m].name));
        if (member != NULL) json_object_set_new(notice->alert, members[m].name, member);
    }
    enum status status = id_take(notice, err);
    if (status == ST_OK)
        status = state_take(notice, json_string_value(json_object_get(given, "state")), usual, err);
    if (status != ST_OK) {
        notice_release(notice);
        return status;
    }
    notice->again = json_is_true(json_object_get(given, "again"));
    notice->since_ms = time_of(notice, "since_ms");
    notice->at_ms = time_of(notice, "at_ms");
    settle_labels(notice);
    settle_annotations(notice);
    return ST_OK;
}

enum status notice_of_fields(
    struct notice *notice, const struct notice_field *fields, size_t count, struct error *err)
{
    json_t *given = json_object();
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value.size > NOTICE_MEMBER_BYTES_MAX || fields[i].name.size >= 32) continue;
        char name[32] = "";
        if (fields[i].name.size != 0) memcpy(name, fields[i].name.data, fields[i].name.size);
        json_object_set_new(given, name, text_new(fields[i].value));
    }
    /* An entry that does not say its state says nothing. */
    if (json_object_get(given, "state") == NULL)
        json_object_set_new(given, "state", json_string(""));
    enum status status = notice_of(notice, given, NOTICE_FIRING, err);
    json_decref(given);
    return status;
}

enum status notice_of_json(
    struct notice *notice, struct bytes json, enum notice_state usual, struct error *err)
{
    json_t *given = json_loadb((const char *)json.data, json.size, 0, NULL);
    *notice = (struct notice){.alert = NULL};
    if (!json_is_object(given)) {
        json_decref(given);
        return error_set(err, ST_SKIP, 0, "notice: an alert that is no JSON object");
    }
    enum status status = notice_of(notice, given, usual, err);
    json_decref(given);
    return status;
}

void notice_release(struct notice *notice)
{
    json_decref(notice->alert);
    *notice = (struct notice){.alert = NULL};
}

static int append(const char *text, size_t bytes, void *out)
{
    buffer_append(out, text, bytes);
    return 0;
}

void notice_write(const struct notice *notice, struct buffer *out)
{
    json_t *written = json_copy(notice->alert);
    if (notice->again) json_object_set_new(written, "again", json_true());
    json_dump_callback(written, append, out, JSON_COMPACT);
    json_decref(written);
}

void notice_set_at(struct notice *notice, int64_t at_ms)
{
    notice->at_ms = at_ms;
    json_object_set_new(notice->alert, "at_ms", json_integer(at_ms));
}

const char *notice_text(const struct notice *notice, const char *member)
{
    const char *text = json_string_value(json_object_get(notice->alert, member));
    return text == NULL ? "" : text;
}

const char *notice_label(const struct notice *notice, const char *name)
{
    return json_string_value(json_object_get(json_object_get(notice->alert, "labels"), name));
}

uint64_t notice_fingerprint(const struct notice *notice)
{
    struct buffer text = {0};
    json_dump_callback(
        json_object_get(notice->alert, "labels"), append, &text, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t hash = hash_stable(buffer_bytes(&text));
    buffer_release(&text);
    return hash;
}
