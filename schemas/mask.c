#include "schemas/mask.h"

#include "engine/base/text.h"
#include "schemas/mask_shape.h"

enum {
    PROSE_BLANKS = 3,  /* in a quoted text that is read like all else */
    DIGITS_INSIDE = 3, /* a word that begins with a letter keeps fewer */
};

static const char quotes[] = "'\"`";
enum { QUOTES = sizeof(quotes) - 1 };

struct masking {
    struct place rest;
    const uint8_t *start;
    const uint8_t *prose_end[QUOTES]; /* the closing quote of prose: itself, when we come to it */
    bool none_closes[QUOTES];         /* none of this quote does from here on */
    bool email;                       /* there is an @ somewhere */
    uint8_t *out;
    size_t size;
    bool blank;              /* one is due before what comes next */
    bool full;               /* something did not fit: nothing comes after it */
    const char *placeholder; /* the last one */
    size_t placeholder_end;  /* where it ends in `out` */
};

static void put(struct masking *m, const void *bytes, size_t size)
{
    size_t blank = m->blank && m->size > 0;
    if (m->size + blank + size > MASK_BYTES_MAX) m->full = true;
    if (m->full) return;
    if (blank != 0) m->out[m->size++] = ' ';
    memcpy(m->out + m->size, bytes, size);
    m->size += size;
    m->blank = false;
}

/* Single bytes, as many as there is room for. */
static void put_run(struct masking *m, size_t size)
{
    size_t blank = m->blank && m->size > 0, left = MASK_BYTES_MAX - m->size;
    size_t fits = left <= blank ? 0 : left - blank < size ? left - blank : size;
    if (fits != 0) put(m, m->rest.at, fits);
    if (fits != size) m->full = true;
    m->rest.at += size;
}

/* Nothing but separators since the last placeholder. */
static bool goes_on(const struct masking *m)
{
    for (size_t i = m->placeholder_end; i < m->size; i++) {
        if (m->out[i] != ' ' && m->out[i] != ',' && m->out[i] != ';') return false;
    }
    return true;
}

static void put_placeholder(struct masking *m, const char *placeholder, size_t instead_of)
{
    bool again = m->placeholder != NULL && strcmp(m->placeholder, placeholder) == 0;
    if (again && goes_on(m)) {
        m->size = m->placeholder_end;
        m->blank = false;
    } else {
        put(m, placeholder, strlen(placeholder));
        m->placeholder = placeholder;
        m->placeholder_end = m->size;
    }
    m->rest = place_after(m->rest, instead_of);
}

/* A character that is more than one byte, is not seen, or is none at all. */
static void put_special(struct masking *m)
{
    struct bytes rest = {m->rest.at, (size_t)(m->rest.end - m->rest.at)};
    size_t bytes = text_character(rest);
    uint8_t c = rest.data[0];
    if (bytes == 0)
        put(m, "\xef\xbf\xbd", 3);
    else if (c == '\t' || c == '\n' || c == '\r')
        m->blank = true;
    else if (text_steering((struct bytes){rest.data, bytes}) < 0)
        put(m, rest.data, bytes);
    m->rest = place_after(m->rest, bytes == 0 ? 1 : bytes);
}

/* One character that is not masked. */
static void put_character(struct masking *m)
{
    uint8_t c = m->rest.at[0];
    if (c < ' ' || c > '~') {
        put_special(m);
        return;
    }
    if (c != ' ') {
        put_run(m, 1);
        return;
    }
    m->blank = true;
    m->rest.at++;
}

/* A word with digits in it that is no literal as a whole: only its numbers go. */
static void put_mixed(struct masking *m, const uint8_t *end)
{
    for (bool first = true; m->rest.at < end && !m->full; first = false) {
        size_t digits = shape_digits(m->rest);
        if (digits != 0 && (first || digits >= DIGITS_INSIDE))
            put_placeholder(m, "<num>", digits);
        else
            put_run(m, digits == 0 ? 1 : digits);
    }
}

/* Whether something longer than this word may begin with it: nearly all words are passed by this. */
static bool may_be_shape(const struct masking *m, const struct word *word)
{
    uint8_t next = place_peek(m->rest, word->bytes);
    return m->email || word->digits > 0 || (word->hex && (next == '-' || next == ':'));
}

static void put_word(struct masking *m)
{
    struct word word = shape_word(m->rest);
    size_t bytes;
    const char *placeholder = may_be_shape(m, &word) ? shape_at(m->rest, &bytes) : NULL;
    if (placeholder == NULL) placeholder = shape_of_word(m->rest, &word, &bytes);
    if (placeholder != NULL)
        put_placeholder(m, placeholder, bytes);
    else if (word.digits == 0)
        put_run(m, word.bytes);
    else
        put_mixed(m, m->rest.at + word.bytes);
}

/* The quote that closes the one here, or NULL. */
static const uint8_t *closing_quote(struct place place)
{
    uint8_t quote = place.at[0];
    for (place.at++; place.at < place.end; place.at++) {
        if (place.at[0] == quote && !shape_is_alnum(place_peek(place, 1))) return place.at;
    }
    return NULL;
}

static bool is_prose(const uint8_t *from, const uint8_t *to)
{
    int blanks = 0;
    for (; from < to; from++)
        blanks += *from == ' ';
    return blanks >= PROSE_BLANKS;
}

/* Texts in one kind of quote never overlap, so each byte is looked at once for each kind. */
static void put_quote(struct masking *m, size_t quote, bool after_word)
{
    const uint8_t *closing = NULL;
    bool inside = m->prose_end[quote] != NULL && m->rest.at <= m->prose_end[quote];
    if (!inside && !after_word && !m->none_closes[quote]) {
        closing = closing_quote(m->rest);
        m->none_closes[quote] = closing == NULL;
    }
    if (closing != NULL && !is_prose(m->rest.at, closing)) {
        put_placeholder(m, "<str>", (size_t)(closing + 1 - m->rest.at));
        return;
    }
    if (closing != NULL) m->prose_end[quote] = closing;
    put_character(m);
}

/* A sign between words, which an IPv6 address may begin with. */
static void put_colons(struct masking *m, bool after_word)
{
    size_t bytes;
    const char *placeholder =
        !after_word && place_peek(m->rest, 1) == ':' ? shape_at(m->rest, &bytes) : NULL;
    if (placeholder != NULL)
        put_placeholder(m, placeholder, bytes);
    else
        put_character(m);
}

static void put_next(struct masking *m)
{
    uint8_t c = m->rest.at[0];
    bool after_word = m->rest.at > m->start && shape_is_alnum(m->rest.at[-1]);
    if (shape_is_alnum(c) && !after_word)
        put_word(m);
    else if (c == ':')
        put_colons(m, after_word);
    else if (c == quotes[0] || c == quotes[1] || c == quotes[2])
        put_quote(m, c == quotes[0] ? 0 : c == quotes[1] ? 1 : 2, after_word);
    else
        put_character(m);
}

static size_t mask(struct bytes text, uint8_t *out, void (*next)(struct masking *m))
{
    if (text.size == 0) return 0;
    struct masking m = {.rest = {text.data, text.data + text.size},
        .start = text.data,
        .email = memchr(text.data, '@', text.size) != NULL,
        .out = out};
    while (m.rest.at < m.rest.end && !m.full)
        next(&m);
    return m.size;
}

size_t mask_literals(struct bytes text, uint8_t *out)
{
    return mask(text, out, put_next);
}

size_t mask_nothing(struct bytes text, uint8_t *out)
{
    return mask(text, out, put_character);
}
