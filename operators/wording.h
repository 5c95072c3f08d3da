/*
 * Texts with values in them, for labels and annotations:
 *
 *     {{ service }} {{ operation }}: p99 is {{ p99[5m] }}, limit {{ limit }}
 *
 * Between {{ and }} stands a term (operators/term.h), a dimension of the series, or one of
 *
 *     name    of the rule                  value   the condition's first value
 *     series  as it is spelled             limit   what that is compared with
 *     since   when the condition began to hold, RFC 3339 in UTC
 *
 * A dimension that is called like one of these, or like a column, is quoted: {{ "name" }}. One that
 * the series does not have is empty. What comes from spans is shown as text_show has it.
 */
#ifndef OPERATORS_WORDING_H
#define OPERATORS_WORDING_H

#include "engine/base/buffer.h"
#include "operators/expression.h"

enum {
    WORDING_BYTES_MAX = 2048, /* written, and again once filled in; the rest is cut off */
    WORDING_PIECES_MAX = 24,
};

enum wording_piece_kind {
    PIECE_TEXT,
    PIECE_TERM,
    PIECE_DIMENSION,
    PIECE_NAME,
    PIECE_SERIES,
    PIECE_VALUE,
    PIECE_LIMIT,
    PIECE_SINCE,
};

struct wording_piece {
    enum wording_piece_kind kind;
    uint32_t term;     /* PIECE_TERM */
    struct bytes text; /* PIECE_TEXT, PIECE_DIMENSION; borrowed */
};

struct wording {
    struct wording_piece piece[WORDING_PIECES_MAX];
    uint32_t count;
};

/*
 * text    outlives the wording
 * terms   what it reads is added to; NULL: it may read nothing that changes while an alert fires
 * fails   ST_FATAL, beginning with the column
 */
enum status wording_read(struct wording *t, struct bytes text, const struct vocabulary *v,
    struct terms *terms, struct error *err) MUST_USE;

/* What there is to fill in. */
struct wording_facts {
    struct bytes name, series;
    int64_t since_ns;
    const struct terms *terms;
    const double *value; /* by number of term */
    const struct expression *condition;
};

void wording_fill(const struct wording *t, const struct wording_facts *facts, struct buffer *out);

#endif
