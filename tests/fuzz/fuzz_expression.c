/*
 * Any bytes as a condition: read within its limits or refused with a column, and what it says without
 * values is what it says with any.
 */
#include "operators/expression.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds) abort();
}

static const int64_t windows[] = {60000000000, 300000000000, 0};
static const char *const dimensions[] = {"service", "operation", "http.route", NULL};
static struct columns columns = {.name = {[COLUMN_SPANS] = "spans",
                                     [COLUMN_ERROR_RATIO] = "error_ratio",
                                     [COLUMN_QUANTILE] = "latency_p99_ms",
                                     [COLUMN_SCORE] = "latency_p99_ms_z",
                                     [COLUMN_SCORE + 1] = "latency_level"}};

static bool within(struct bytes part, struct bytes whole)
{
    return part.size == 0 ||
           (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void check_node(
    const struct expression *e, uint32_t i, const struct terms *terms, struct bytes text)
{
    const struct expression_node *node = &e->node[i];
    expect(node->text.size > 0 && within(node->text, text));
    expect(within(node->dimension, text) && within(node->pattern, text));
    if (node->kind == EXPRESSION_OR || node->kind == EXPRESSION_AND)
        expect(node->left < i && node->right < i);
    if (node->kind == EXPRESSION_NOT) expect(node->left < i);
    if (node->kind == EXPRESSION_ABSENT) expect(node->term < terms->count);
    for (int s = 0; s < 2 && node->kind == EXPRESSION_COMPARE; s++)
        expect(!node->side[s].is_term || node->side[s].term < terms->count);
}

/* Values from the bytes themselves: absent, small, or anything. */
static void values_of(struct bytes text, double value[TERMS_MAX])
{
    for (size_t t = 0; t < TERMS_MAX; t++) {
        uint8_t byte = text.data[(7 * t) % text.size];
        value[t] = byte % 3 == 0 ? NAN : byte % 3 == 1 ? byte & 3 : ldexp(byte, byte % 60);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vocabulary v = {.columns = &columns,
        .pane_ns = 10000000000,
        .windows_ns = windows,
        .score_ns = 60000000000,
        .dimension = dimensions};
    static struct expression e;
    struct bytes text = {data, size};
    struct terms terms;
    struct error err = {.text = ""};
    terms_init(&terms, &v);
    enum status status = expression_read(&e, text, &v, &terms, &err);
    if (status != ST_OK) {
        bool placed = strncmp(err.text, "column ", 7) == 0 || size > EXPRESSION_BYTES_MAX;
        expect(status == ST_FATAL && placed);
        return 0;
    }
    expect(e.count > 0 && e.count <= EXPRESSION_NODES_MAX && terms.count <= TERMS_MAX);
    for (uint32_t i = 0; i < e.count; i++)
        check_node(&e, i, &terms, text);

    double value[TERMS_MAX], unknown[TERMS_MAX];
    struct bytes series = bytes_of("service=check%20out;operation=GET%20%2F");
    values_of(text, value);
    for (size_t t = 0; t < TERMS_MAX; t++)
        unknown[t] = NAN;
    enum truth without = expression_evaluate(&e, unknown, series, NULL);
    enum truth with = expression_evaluate(&e, value, series, NULL);
    expect(without == TRUTH_UNKNOWN || without == with);
    return 0;
}
