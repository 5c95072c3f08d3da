#include "operators/wording.h"

#include "engine/base/instant.h"
#include "engine/base/text.h"
#include "schemas/series_name.h"

#include <math.h>

static const struct {
    const char *name;
    enum wording_piece_kind kind;
    bool changes; /* while an alert fires */
} words[] = {
    {"name", PIECE_NAME, false},
    {"series", PIECE_SERIES, false},
    {"value", PIECE_VALUE, true},
    {"limit", PIECE_LIMIT, true},
    {"since", PIECE_SINCE, false},
};

struct reader {
    struct cursor c;
    struct wording *t;
    const struct vocabulary *v;
    struct terms *terms;
    struct error *err;
};

static enum status add(struct reader *r, size_t at, struct wording_piece piece)
{
    if (piece.kind == PIECE_TEXT && piece.text.size == 0) return ST_OK;
    if (r->t->count == WORDING_PIECES_MAX)
        return cursor_error(
            &r->c, at, r->err, "at most %d texts and values are taken", WORDING_PIECES_MAX);
    r->t->piece[r->t->count++] = piece;
    return ST_OK;
}

static enum status refuse_change(struct reader *r, size_t at)
{
    return cursor_error(&r->c, at, r->err,
        "a label stays as it is while an alert fires, and this changes: put it into an annotation");
}

/* One of the words above. */
static bool take_word(struct reader *r, size_t at, enum status *status)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!cursor_take_word(&r->c, words[i].name)) continue;
        struct wording_piece piece = {.kind = words[i].kind};
        bool refused = words[i].changes && r->terms == NULL;
        *status = refused ? refuse_change(r, at) : add(r, at, piece);
        return true;
    }
    return false;
}

static bool is_dimension(const struct vocabulary *v, struct bytes name)
{
    for (size_t i = 0; v->dimension != NULL && v->dimension[i] != NULL; i++) {
        if (bytes_are(name, v->dimension[i])) return true;
    }
    return false;
}

static enum status take_dimension(struct reader *r, size_t at, struct bytes name)
{
    if (is_dimension(r->v, name))
        return add(r, at, (struct wording_piece){.kind = PIECE_DIMENSION, .text = name});
    return cursor_error(
        &r->c, at, r->err, "there is no dimension %s: see `views:`", cursor_show_bytes(name).text);
}

static enum status take_term(struct reader *r, size_t at)
{
    struct wording_piece piece = {.kind = PIECE_TERM};
    struct terms none;
    terms_init(&none, r->v);
    enum status status =
        term_take(&r->c, r->v, r->terms == NULL ? &none : r->terms, &piece.term, NULL, r->err);
    if (status != ST_OK) return status;
    if (r->terms == NULL) return refuse_change(r, at);
    if (r->terms->term[piece.term].kind == TERM_ABSENT)
        return cursor_error(&r->c, at, r->err, "an absence has no value to show");
    return add(r, at, piece);
}

/* After `{{`. */
static enum status take_placeholder(struct reader *r)
{
    struct bytes name;
    enum status status = ST_OK;
    cursor_skip(&r->c);
    size_t at = r->c.at;
    struct cursor ahead = r->c;
    int column;
    bool short_form;
    if (cursor_take_quoted(&r->c, &name)) {
        status = take_dimension(r, at, name);
    } else if (!take_word(r, at, &status)) {
        name = cursor_take_name(&ahead);
        bool dimension = vocabulary_find(r->v, name, &column, &short_form) == NAMES_DIMENSION;
        if (dimension) r->c = ahead;
        status = dimension ? take_dimension(r, at, name) : take_term(r, at);
    }
    if (status != ST_OK || cursor_take(&r->c, "}}")) return status;
    cursor_skip(&r->c);
    return cursor_error(
        &r->c, r->c.at, r->err, "want }} to end what {{ began, not %s", cursor_show(&r->c).text);
}

/* Where the next `{{` is, or the end. */
static size_t placeholder_at(const struct cursor *c)
{
    for (size_t i = c->at; i + 1 < c->text.size; i++) {
        if (c->text.data[i] == '{' && c->text.data[i + 1] == '{') return i;
    }
    return c->text.size;
}

enum status wording_read(struct wording *t, struct bytes text, const struct vocabulary *v,
    struct terms *terms, struct error *err)
{
    struct reader r = {.c = {.text = text}, .t = t, .v = v, .terms = terms, .err = err};
    t->count = 0;
    if (text.size > WORDING_BYTES_MAX)
        return error_set(err, ST_FATAL, 0, "the text has %zu bytes, at most %d are taken",
            text.size, WORDING_BYTES_MAX);
    while (r.c.at < text.size) {
        size_t from = r.c.at, to = placeholder_at(&r.c);
        struct bytes plain = {text.data + from, to - from};
        enum status status =
            add(&r, from, (struct wording_piece){.kind = PIECE_TEXT, .text = plain});
        if (status != ST_OK) return status;
        r.c.at = to;
        if (to == text.size) break;
        r.c.at += 2;
        status = take_placeholder(&r);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static void put_dimension(struct bytes series, struct bytes dimension, struct buffer *out)
{
    struct buffer plain = {0};
    series_name_decode(series_name_of(series, dimension), &plain);
    text_show(buffer_bytes(&plain), out);
    buffer_release(&plain);
}

static void put_term(const struct wording_facts *f, int term, struct buffer *out)
{
    if (term < 0)
        value_show(NAN, UNIT_NUMBER, out);
    else
        value_show(f->value[term], f->terms->term[term].unit, out);
}

static void put_limit(const struct wording_facts *f, struct buffer *out)
{
    const struct expression_side *limit = expression_limit(f->condition);
    if (limit == NULL)
        value_show(NAN, UNIT_NUMBER, out);
    else if (limit->is_term)
        put_term(f, (int)limit->term, out);
    else
        text_show(limit->text, out);
}

static void put_piece(
    const struct wording_piece *piece, const struct wording_facts *f, struct buffer *out)
{
    switch (piece->kind) {
    case PIECE_TEXT:
        buffer_append(out, piece->text.data, piece->text.size);
        break;
    case PIECE_TERM:
        put_term(f, (int)piece->term, out);
        break;
    case PIECE_DIMENSION:
        put_dimension(f->series, piece->text, out);
        break;
    case PIECE_NAME:
        buffer_append(out, f->name.data, f->name.size);
        break;
    case PIECE_SERIES:
        text_show(f->series, out);
        break;
    case PIECE_VALUE:
        put_term(f, expression_first(f->condition), out);
        break;
    case PIECE_LIMIT:
        put_limit(f, out);
        break;
    case PIECE_SINCE:
        buffer_print(out, "%s", instant_print(f->since_ns).text);
        break;
    }
}

/* Cut what was written since `from` down to the limit, at the end of a character. */
static void cut(struct buffer *out, size_t from)
{
    static const char more[] = "...";
    size_t most = from + WORDING_BYTES_MAX;
    if (out->size <= most) return;
    out->size = most - (sizeof(more) - 1);
    while (out->size > from && (out->data[out->size] & 0xc0) == 0x80)
        out->size--;
    buffer_append(out, more, sizeof(more) - 1);
}

void wording_fill(const struct wording *t, const struct wording_facts *f, struct buffer *out)
{
    size_t from = out->size;
    for (uint32_t i = 0; i < t->count && out->size - from <= WORDING_BYTES_MAX; i++)
        put_piece(&t->piece[i], f, out);
    cut(out, from);
}
