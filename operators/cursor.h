/*
 * A place in one line that a person wrote, a condition or a template: what stands there next, and
 * errors that name the column.
 *
 * White space between two things means nothing; columns count characters, from 1.
 */
#ifndef OPERATORS_CURSOR_H
#define OPERATORS_CURSOR_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"

struct cursor {
    struct bytes text; /* borrowed */
    size_t at;
};

void cursor_skip(struct cursor *c); /* white space */
bool cursor_ended(struct cursor *c);
/* Whether the next thing begins with `sign`; take it. */
bool cursor_is(struct cursor *c, const char *sign);
bool cursor_take(struct cursor *c, const char *sign);
/* Take `word` if it is the next name, and not only the beginning of one. */
bool cursor_take_word(struct cursor *c, const char *word);
/* Take a name: a letter or `_`, then letters, digits and `_ . -`; empty: there is none. */
struct bytes cursor_take_name(struct cursor *c);
/* Take what stands between two ' or two "; false: no quote here, or none that ends it. */
bool cursor_take_quoted(struct cursor *c, struct bytes *inside);
/* Take all up to white space or one of `ends`; may be empty. */
struct bytes cursor_take_until(struct cursor *c, const char *ends);

/* What stands next, for errors: a word, a sign, or "the end". */
struct cursor_shown {
    char text[80];
};
struct cursor_shown cursor_show(struct cursor *c);
struct cursor_shown cursor_show_bytes(struct bytes text); /* in quotes, not too long */

/* ST_FATAL, the text starting with the column of byte `at`: "column 14: ". */
enum status cursor_error(const struct cursor *c, size_t at, struct error *err, const char *format,
    ...) PRINTF_LIKE(4, 5);

#endif
