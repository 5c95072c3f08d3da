/* Conditions being read: one function a rule of the grammar, numbers brought to the unit of the other side. */
#include "operators/expression.h"
#include "operators/literal.h"
#include "operators/operator.h"

struct reader {
    struct cursor c;
    struct expression *e;
    const struct vocabulary *v;
    struct terms *terms;
    struct error *err;
    uint32_t depth;
};

static enum status read_condition(struct reader *r, uint32_t *node);

static struct bytes text_since(const struct reader *r, size_t from)
{
    return (struct bytes){r->c.text.data + from, r->c.at - from};
}

static enum status add(
    struct reader *r, size_t from, const struct expression_node *node, uint32_t *number)
{
    if (r->e->count == EXPRESSION_NODES_MAX)
        return cursor_error(&r->c, from, r->err,
            "the condition is too long: at most %d comparisons, "
            "matches, ands, ors and nots are taken",
            EXPRESSION_NODES_MAX);
    *number = r->e->count++;
    r->e->node[*number] = *node;
    r->e->node[*number].text = text_since(r, from);
    return ST_OK;
}

static enum status take_comparison(struct reader *r, enum comparison *comparison)
{
    static const struct {
        const char *sign;
        enum comparison comparison;
    } signs[] = {{">=", COMPARE_AT_LEAST}, {"<=", COMPARE_AT_MOST}, {"!=", COMPARE_OTHER},
        {">", COMPARE_MORE}, {"<", COMPARE_LESS}, {"=", COMPARE_SAME}};
    cursor_skip(&r->c);
    size_t at = r->c.at;
    if (cursor_take(&r->c, "==")) return cursor_error(&r->c, at, r->err, "== is written =");
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!cursor_take(&r->c, signs[i].sign)) continue;
        *comparison = signs[i].comparison;
        return ST_OK;
    }
    return cursor_error(
        &r->c, at, r->err, "want a comparison (> >= < <= = !=), not %s", cursor_show(&r->c).text);
}

static enum status take_pattern(struct reader *r, struct bytes *pattern)
{
    cursor_skip(&r->c);
    size_t at = r->c.at;
    if (cursor_take_quoted(&r->c, pattern)) return ST_OK;
    if (cursor_is(&r->c, "'") || cursor_is(&r->c, "\""))
        return cursor_error(&r->c, at, r->err, "the quote is not closed");
    *pattern = cursor_take_until(&r->c, "()\"'");
    if (pattern->size != 0) return ST_OK;
    return cursor_error(&r->c, at, r->err,
        "want a text or a pattern, as in check* or 'GET /', not %s", cursor_show(&r->c).text);
}

/* After the dimension, which is called `name`. */
static enum status read_match(struct reader *r, size_t from, struct bytes name, uint32_t *number)
{
    struct expression_node node = {.kind = EXPRESSION_MATCH, .dimension = name};
    cursor_skip(&r->c);
    size_t at = r->c.at;
    enum status status = take_comparison(r, &node.comparison);
    if (status != ST_OK) return status;
    if (node.comparison != COMPARE_SAME && node.comparison != COMPARE_OTHER)
        return cursor_error(&r->c, at, r->err,
            "%s is a dimension, it can only be = or != a pattern", cursor_show_bytes(name).text);
    status = take_pattern(r, &node.pattern);
    return status == ST_OK ? add(r, from, &node, number) : status;
}

/* One side of a comparison while it is not known what the other one is. */
struct side {
    struct expression_side side;
    struct literal literal; /* where it is no term */
    bool short_form;
    size_t at;
};

static bool begins_number(struct reader *r)
{
    cursor_skip(&r->c);
    if (r->c.at == r->c.text.size) return false;
    uint8_t byte = r->c.text.data[r->c.at];
    return (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' || byte == '+';
}

static enum status read_side(struct reader *r, struct side *out)
{
    *out = (struct side){.literal = {.kind = LITERAL_NUMBER}};
    cursor_skip(&r->c);
    size_t from = out->at = r->c.at;
    enum status status = ST_OK;
    if (begins_number(r)) {
        struct bytes written = cursor_take_until(&r->c, "()<>=!");
        if (!literal_parse(written, &out->literal))
            return cursor_error(&r->c, from, r->err,
                "%s is no number; write it as in 100, 1k, 2%% or 500ms",
                cursor_show_bytes(written).text);
    } else if (!literal_take_level(&r->c, &out->literal)) {
        out->side.is_term = true;
        status = term_take(&r->c, r->v, r->terms, &out->side.term, &out->short_form, r->err);
    }
    out->side.text = text_since(r, from);
    return status;
}

/* The highest that there is has nothing above it, the lowest nothing below: a rule would wait for ever. */
static bool can_hold(const struct term *term, enum comparison comparison, double number)
{
    bool bounded = term->unit == UNIT_RATIO || term->unit == UNIT_LEVEL;
    double most = term->unit == UNIT_LEVEL ? SCORE_PAGE : 1;
    if (!bounded) return true;
    if (comparison == COMPARE_MORE) return number < most;
    return comparison != COMPARE_LESS || number > 0;
}

/* The comparison as it is with the sides changed over. */
static enum comparison turned(enum comparison comparison)
{
    switch (comparison) {
    case COMPARE_MORE:
        return COMPARE_LESS;
    case COMPARE_AT_LEAST:
        return COMPARE_AT_MOST;
    case COMPARE_LESS:
        return COMPARE_MORE;
    case COMPARE_AT_MOST:
        return COMPARE_AT_LEAST;
    default:
        return comparison;
    }
}

/* `comparison` is that of the term with the literal. */
static enum status fit(
    struct reader *r, const struct side *term, struct side *literal, enum comparison comparison)
{
    struct error why;
    const struct term *t = &r->terms->term[term->side.term];
    enum status status = literal_in_unit(
        &literal->literal, t->unit, term->short_form, t->text, &literal->side.number, &why);
    if (status != ST_OK) return cursor_error(&r->c, literal->at, r->err, "%s", why.text);
    if (can_hold(t, comparison, literal->side.number)) return ST_OK;
    return cursor_error(&r->c, literal->at, r->err,
        "%s is never %s than this: want %s= or another number", cursor_show_bytes(t->text).text,
        comparison == COMPARE_MORE ? "more" : "less", comparison == COMPARE_MORE ? ">" : "<");
}

static enum status fit_sides(
    struct reader *r, struct side *left, struct side *right, enum comparison comparison)
{
    if (!left->side.is_term && !right->side.is_term)
        return cursor_error(&r->c, left->at, r->err,
            "both sides are fixed, so this never changes; want a column on one of them");
    if (!left->side.is_term) return fit(r, right, left, turned(comparison));
    if (!right->side.is_term) return fit(r, left, right, comparison);
    const struct term *a = &r->terms->term[left->side.term];
    const struct term *b = &r->terms->term[right->side.term];
    if (a->unit == b->unit) return ST_OK;
    return cursor_error(&r->c, right->at, r->err, "%s and %s are not of the same unit",
        cursor_show_bytes(a->text).text, cursor_show_bytes(b->text).text);
}

static enum status read_comparison(struct reader *r, size_t from, uint32_t *number)
{
    struct expression_node node = {.kind = EXPRESSION_COMPARE};
    struct side left, right;
    enum status status = read_side(r, &left);
    if (status != ST_OK) return status;
    const struct term *term = &r->terms->term[left.side.term];
    if (left.side.is_term && term->kind == TERM_ABSENT) {
        node = (struct expression_node){.kind = EXPRESSION_ABSENT, .term = left.side.term};
        return add(r, from, &node, number);
    }
    status = take_comparison(r, &node.comparison);
    if (status == ST_OK) status = read_side(r, &right);
    if (status != ST_OK) return status;
    if (right.side.is_term && r->terms->term[right.side.term].kind == TERM_ABSENT)
        return cursor_error(
            &r->c, right.at, r->err, "an absence is true or false by itself, and is not compared");
    status = fit_sides(r, &left, &right, node.comparison);
    if (status != ST_OK) return status;
    node.side[0] = left.side;
    node.side[1] = right.side;
    return add(r, from, &node, number);
}

/* The name of a dimension: quoted, or a name that is no column. */
static bool take_dimension(struct reader *r, struct bytes *name)
{
    struct cursor ahead = r->c;
    int column;
    bool short_form;
    bool quoted = cursor_take_quoted(&ahead, name);
    if (!quoted) {
        *name = cursor_take_name(&ahead);
        if (vocabulary_find(r->v, *name, &column, &short_form) != NAMES_DIMENSION) return false;
    }
    r->c = ahead;
    return true;
}

static enum status check_dimension(struct reader *r, size_t from, struct bytes name)
{
    for (size_t i = 0; r->v->dimension != NULL && r->v->dimension[i] != NULL; i++) {
        if (bytes_are(name, r->v->dimension[i])) return ST_OK;
    }
    return cursor_error(&r->c, from, r->err, "there is no dimension %s: see `views:`",
        cursor_show_bytes(name).text);
}

static enum status read_plain(struct reader *r, size_t from, uint32_t *number)
{
    struct bytes name;
    if (!take_dimension(r, &name)) return read_comparison(r, from, number);
    enum status status = check_dimension(r, from, name);
    return status == ST_OK ? read_match(r, from, name, number) : status;
}

static enum status read_inside(struct reader *r, size_t from, uint32_t *number)
{
    enum status status = read_condition(r, number);
    if (status != ST_OK || cursor_take(&r->c, ")")) return status;
    cursor_skip(&r->c);
    return cursor_error(&r->c, r->c.at, r->err,
        "want and, or, or the ) for the ( before %s, not %s",
        cursor_show_bytes((struct bytes){r->c.text.data + from + 1, r->c.text.size - from - 1})
            .text,
        cursor_show(&r->c).text);
}

static enum status read_test(struct reader *r, uint32_t *number)
{
    enum status status;
    cursor_skip(&r->c);
    size_t from = r->c.at;
    if (r->depth == EXPRESSION_DEPTH_MAX)
        return cursor_error(&r->c, from, r->err,
            "parentheses and nots are nested more than %d deep", EXPRESSION_DEPTH_MAX);
    r->depth++;
    if (cursor_take_word(&r->c, "not")) {
        struct expression_node node = {.kind = EXPRESSION_NOT};
        status = read_test(r, &node.left);
        if (status == ST_OK) status = add(r, from, &node, number);
    } else if (cursor_take(&r->c, "(")) {
        status = read_inside(r, from, number);
    } else {
        status = read_plain(r, from, number);
    }
    r->depth--;
    return status;
}

/* `word` between what `below` reads: `and` between tests, `or` between those. */
static enum status read_chain(struct reader *r, const char *word, enum expression_kind kind,
    enum status (*below)(struct reader *r, uint32_t *number), uint32_t *number)
{
    cursor_skip(&r->c);
    size_t from = r->c.at;
    enum status status = below(r, number);
    while (status == ST_OK && cursor_take_word(&r->c, word)) {
        struct expression_node node = {.kind = kind, .left = *number};
        status = below(r, &node.right);
        if (status == ST_OK) status = add(r, from, &node, number);
    }
    return status;
}

static enum status read_conjunction(struct reader *r, uint32_t *number)
{
    return read_chain(r, "and", EXPRESSION_AND, read_test, number);
}

static enum status read_condition(struct reader *r, uint32_t *number)
{
    return read_chain(r, "or", EXPRESSION_OR, read_conjunction, number);
}

enum status expression_read(struct expression *e, struct bytes text, const struct vocabulary *v,
    struct terms *terms, struct error *err)
{
    struct reader r = {.c = {.text = text}, .e = e, .v = v, .terms = terms, .err = err};
    uint32_t whole;
    e->count = 0;
    if (text.size > EXPRESSION_BYTES_MAX)
        return error_set(err, ST_FATAL, 0, "the condition has %zu bytes, at most %d are taken",
            text.size, EXPRESSION_BYTES_MAX);
    if (cursor_ended(&r.c)) return cursor_error(&r.c, 0, err, "there is no condition");
    enum status status = read_condition(&r, &whole);
    if (status != ST_OK) return status;
    if (cursor_ended(&r.c)) return ST_OK;
    return cursor_error(
        &r.c, r.c.at, err, "want and, or, or the end, not %s", cursor_show(&r.c).text);
}
