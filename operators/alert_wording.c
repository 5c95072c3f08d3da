#include "operators/alert_wording.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "schemas/series_name.h"

#include <stdio.h>

/* Labels that say what the rule and its severity say. */
static const char *const own_names[] = {"alertname", "severity"};

/* source  Prometheus, data model: label names */
static bool is_label_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return strspn(name, letters) > 0 && strspn(name, others) == strlen(name);
}

static bool is_own_name(struct bytes name)
{
    return bytes_are(name, own_names[0]) || bytes_are(name, own_names[1]);
}

static enum status check_label(const char *name, struct error *err)
{
    const char *shown = cursor_show_bytes(bytes_of(name)).text;
    if (is_own_name(bytes_of(name)))
        return error_set(err, ST_FATAL, 0, "labels: %s is given by the rule's %s", shown,
            strcmp(name, own_names[0]) == 0 ? "name" : "severity");
    if (is_label_name(name)) return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "labels: %s cannot be a label's name; write letters, digits and _, no digit first", shown);
}

static enum status read_one(struct wording *wording, const char *key, const char *name,
    const char *text, const struct vocabulary *v, struct terms *terms, struct error *err)
{
    struct error why;
    enum status status = wording_read(wording, bytes_of(text), v, terms, &why);
    if (status == ST_OK) return ST_OK;
    return error_set(err, ST_FATAL, 0, "%s: %.40s: %s", key, name, why.text);
}

static enum status check_count(const char *key, size_t count, size_t most, struct error *err)
{
    if (count <= most) return ST_OK;
    return error_set(
        err, ST_FATAL, 0, "%s: there are %zu, at most %zu are taken", key, count, most);
}

enum status alert_wording_read(struct alert_wording *w, const struct pairs *labels,
    const struct pairs *annotations, const struct vocabulary *v, struct terms *terms,
    struct error *err)
{
    w->labels = labels;
    w->annotations = annotations;
    enum status status = check_count("labels", labels->count, ALERT_LABELS_MAX, err);
    if (status == ST_OK)
        status = check_count("annotations", annotations->count, ALERT_ANNOTATIONS_MAX, err);
    for (size_t i = 0; status == ST_OK && i < labels->count; i++) {
        status = check_label(labels->key[i], err);
        if (status == ST_OK)
            status =
                read_one(&w->label[i], "labels", labels->key[i], labels->text[i], v, NULL, err);
    }
    for (size_t i = 0; status == ST_OK && i < annotations->count; i++)
        status = read_one(&w->annotation[i], "annotations", annotations->key[i],
            annotations->text[i], v, terms, err);
    return status;
}

static void put_member(struct bytes name, struct bytes value, struct buffer *out)
{
    json_put_name(name, out);
    json_put_text(value, out);
}

static bool is_given(const struct pairs *labels, struct bytes name)
{
    for (size_t i = 0; i < labels->count; i++) {
        if (bytes_are(name, labels->key[i])) return true;
    }
    return is_own_name(name);
}

/* Append `encoded` as it may be shown. */
static struct bytes shown(struct bytes encoded, struct buffer *plain, struct buffer *text)
{
    buffer_reset(plain);
    series_name_decode(encoded, plain);
    buffer_reset(text);
    text_show(buffer_bytes(plain), text);
    return buffer_bytes(text);
}

static void put_dimensions(const struct alert_wording *w, struct bytes series, struct buffer *out)
{
    struct buffer plain = {0}, name = {0}, value = {0};
    struct bytes dimension, encoded;
    while (series_name_next(&series, &dimension, &encoded)) {
        struct bytes is_called = shown(dimension, &plain, &name);
        if (is_given(w->labels, is_called)) continue;
        put_member(is_called, shown(encoded, &plain, &value), out);
    }
    buffer_release(&plain);
    buffer_release(&name);
    buffer_release(&value);
}

static void put_wordings(const struct pairs *pairs, const struct wording *wording,
    const struct wording_facts *facts, struct buffer *out)
{
    struct buffer text = {0};
    for (size_t i = 0; i < pairs->count; i++) {
        buffer_reset(&text);
        wording_fill(&wording[i], facts, &text);
        put_member(bytes_of(pairs->key[i]), buffer_bytes(&text), out);
    }
    buffer_release(&text);
}

void alert_wording_fill(const struct alert_wording *w, const struct wording_facts *facts,
    struct bytes severity, struct transition *out)
{
    struct buffer *text = out->text;
    if (text == NULL) return;
    size_t labels = text->size;
    buffer_append(text, "{", 1);
    put_member(bytes_of(own_names[0]), facts->name, text);
    put_member(bytes_of(own_names[1]), severity, text);
    put_dimensions(w, facts->series, text);
    put_wordings(w->labels, w->label, facts, text);
    buffer_append(text, "}", 1);
    size_t annotations = text->size;
    buffer_append(text, "{", 1);
    put_wordings(w->annotations, w->annotation, facts, text);
    buffer_append(text, "}", 1);
    /* Only now, as the text moves while it grows. */
    out->alert.labels = (struct bytes){text->data + labels, annotations - labels};
    out->alert.annotations = (struct bytes){text->data + annotations, text->size - annotations};
}
