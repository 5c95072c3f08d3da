#include "operators/expression.h"

#include "operators/glob.h"
#include "schemas/series_name.h"

#include <math.h>

const char *const truth_name[] = {"no", "unknown", "yes"};

bool expression_matches(struct bytes series, struct bytes dimension, struct bytes pattern)
{
    struct bytes value = series_name_of(series, dimension);
    return value.data == NULL ? pattern.size == 0 : glob_matches(pattern, value);
}

static enum truth truth_of(bool holds)
{
    return holds ? TRUTH_YES : TRUTH_NO;
}

static enum truth compare(const struct expression_node *node, const double *value)
{
    double side[2];
    for (int i = 0; i < 2; i++)
        side[i] = node->side[i].is_term ? value[node->side[i].term] : node->side[i].number;
    if (isnan(side[0]) || isnan(side[1])) return TRUTH_UNKNOWN;
    switch (node->comparison) {
    case COMPARE_MORE:
        return truth_of(side[0] > side[1]);
    case COMPARE_AT_LEAST:
        return truth_of(side[0] >= side[1]);
    case COMPARE_LESS:
        return truth_of(side[0] < side[1]);
    case COMPARE_AT_MOST:
        return truth_of(side[0] <= side[1]);
    case COMPARE_SAME:
        return truth_of(side[0] == side[1]);
    case COMPARE_OTHER:
        return truth_of(side[0] != side[1]);
    }
    return TRUTH_UNKNOWN;
}

static enum truth absent(double value)
{
    return isnan(value) ? TRUTH_UNKNOWN : truth_of(value != 0);
}

static enum truth match(const struct expression_node *node, struct bytes series)
{
    bool same = expression_matches(series, node->dimension, node->pattern);
    return truth_of(same == (node->comparison == COMPARE_SAME));
}

/* Of the two values, in the order no, unknown, yes: `and` is the least, `or` the most. */
static enum truth least(enum truth a, enum truth b)
{
    return a < b ? a : b;
}

static enum truth most(enum truth a, enum truth b)
{
    return a > b ? a : b;
}

enum truth expression_evaluate(const struct expression *e, const double *value, struct bytes series,
    enum truth each[EXPRESSION_NODES_MAX])
{
    enum truth own[EXPRESSION_NODES_MAX];
    if (each == NULL) each = own;
    for (uint32_t i = 0; i < e->count; i++) {
        const struct expression_node *node = &e->node[i];
        switch (node->kind) {
        case EXPRESSION_OR:
            each[i] = most(each[node->left], each[node->right]);
            break;
        case EXPRESSION_AND:
            each[i] = least(each[node->left], each[node->right]);
            break;
        case EXPRESSION_NOT:
            each[i] = (enum truth)(TRUTH_YES - each[node->left]);
            break;
        case EXPRESSION_COMPARE:
            each[i] = compare(node, value);
            break;
        case EXPRESSION_MATCH:
            each[i] = match(node, series);
            break;
        case EXPRESSION_ABSENT:
            each[i] = absent(value[node->term]);
            break;
        }
    }
    return e->count == 0 ? TRUTH_UNKNOWN : each[e->count - 1];
}

static const struct expression_node *first_comparison(const struct expression *e)
{
    for (uint32_t i = 0; i < e->count; i++) {
        if (e->node[i].kind == EXPRESSION_COMPARE) return &e->node[i];
    }
    return NULL;
}

int expression_first(const struct expression *e)
{
    const struct expression_node *node = first_comparison(e);
    if (node == NULL) return -1;
    return (int)node->side[node->side[0].is_term ? 0 : 1].term;
}

const struct expression_side *expression_limit(const struct expression *e)
{
    const struct expression_node *node = first_comparison(e);
    return node == NULL ? NULL : &node->side[node->side[0].is_term ? 1 : 0];
}
