/*
 * Conditions over a series' values, as rules and `weir query` have them:
 *
 *     service=check* and (p99[5m] > 500ms and spans[5m] >= 100 or error_ratio > 2%)
 *
 *     condition   = conjunction {"or" conjunction}
 *     conjunction = test {"and" test}
 *     test        = "not" test | "(" condition ")" | match | absence | side comparison side
 *     match       = dimension ("=" | "!=") pattern         service=check*, operation!="GET /"
 *     absence     = "absent" window                        absent[10m]
 *     comparison  = ">" | ">=" | "<" | "<=" | "=" | "!="
 *     side        = term | number | level                  see operators/term.h; 500ms 2% 1k; page
 *
 *   1. Logic has three values. A comparison with what is absent is neither true nor false but unknown,
 *      as is an absence that cannot be told yet. `not` leaves unknown as it is; `and` is unknown unless
 *      one side is false; `or` is unknown unless one side is true (Kleene's logic).
 *   2. A number has the unit of what it is compared with, or none where a column's full name says it.
 *   3. A pattern matches as in operators/glob.h; what has spaces or parentheses is quoted by ' or ". A
 *      series that does not have the dimension is matched by the empty pattern only.
 *
 * A condition is read once into nodes, those below before those above; evaluating it allocates nothing.
 */
#ifndef OPERATORS_EXPRESSION_H
#define OPERATORS_EXPRESSION_H

#include "operators/term.h"

enum {
    EXPRESSION_BYTES_MAX = 2048,
    EXPRESSION_NODES_MAX = 64,
    EXPRESSION_DEPTH_MAX = 24, /* of parentheses and nots */
};

enum truth { TRUTH_NO = 0, TRUTH_UNKNOWN, TRUTH_YES };
extern const char *const truth_name[]; /* "no", "unknown", "yes" */

enum expression_kind {
    EXPRESSION_OR,
    EXPRESSION_AND,
    EXPRESSION_NOT,
    EXPRESSION_COMPARE,
    EXPRESSION_MATCH,
    EXPRESSION_ABSENT,
};

enum comparison {
    COMPARE_MORE,
    COMPARE_AT_LEAST,
    COMPARE_LESS,
    COMPARE_AT_MOST,
    COMPARE_SAME,
    COMPARE_OTHER,
};

/* One side of a comparison: a term's value, or a number in its unit. */
struct expression_side {
    bool is_term;
    uint32_t term;
    double number;
    struct bytes text; /* as written */
};

struct expression_node {
    enum expression_kind kind;
    uint32_t left, right;            /* OR, AND: nodes before this one; NOT: left alone */
    enum comparison comparison;      /* COMPARE; MATCH: SAME or OTHER */
    struct expression_side side[2];  /* COMPARE */
    uint32_t term;                   /* ABSENT */
    struct bytes dimension, pattern; /* MATCH */
    struct bytes text;               /* as written; all borrowed from the text that was read */
};

struct expression {
    struct expression_node node[EXPRESSION_NODES_MAX];
    uint32_t count; /* the last is the whole */
};

/*
 * text   outlives the expression
 * terms  what it reads is added to
 * fails  ST_FATAL, beginning with the column: "column 14: \"p98\" is no column; the nearest are p95, p99"
 */
enum status expression_read(struct expression *e, struct bytes text, const struct vocabulary *v,
    struct terms *terms, struct error *err) MUST_USE;

/*
 * value   by number of term; NaN: absent. Of TERM_ABSENT: 1 it is so, 0 it is not, NaN: unknown
 * series  as schemas/series_name.h spells it
 * each    the truth of every node, or NULL
 */
enum truth expression_evaluate(const struct expression *e, const double *value, struct bytes series,
    enum truth each[EXPRESSION_NODES_MAX]);

/* Whether a pattern matches a dimension of a series, by rule 3. */
bool expression_matches(struct bytes series, struct bytes dimension, struct bytes pattern);

/* The first term of the condition that has a number, or -1. */
int expression_first(const struct expression *e);
/* What that is compared with; NULL: there is none. */
const struct expression_side *expression_limit(const struct expression *e);

#endif
