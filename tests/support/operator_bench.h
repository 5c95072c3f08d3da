/* An operator set up from config text, over a plan of a few columns, for tests. */
#ifndef TESTS_SUPPORT_OPERATOR_BENCH_H
#define TESTS_SUPPORT_OPERATOR_BENCH_H

#include "operators/operator.h"

#include <stdlib.h>

#define BENCH_SECOND_NS INT64_C(1000000000)
#define BENCH_PANE_NS   (10 * BENCH_SECOND_NS)

struct operator_bench {
    const struct window_operator *op;
    struct columns columns;
    struct pool pool; /* owns what options point to */
    void *self;
    void *state; /* of one series */
};

static const int64_t operator_bench_windows[] = {60 * BENCH_SECOND_NS, 300 * BENCH_SECOND_NS, 0};

static const int64_t operator_bench_slices[] = {BENCH_PANE_NS, 60 * BENCH_SECOND_NS, 0};
static const char *const operator_bench_dimensions[] = {"service", "operation", "kind", NULL};

static inline void operator_bench_name(struct columns *columns)
{
    static const struct {
        int column;
        const char *name;
    } names[] = {{COLUMN_SPANS, "spans"}, {COLUMN_ERRORS, "errors"},
        {COLUMN_ERROR_RATIO, "error_ratio"}, {COLUMN_RATE_PER_S, "rate_per_s"},
        {COLUMN_QUANTILE, "latency_p50_ms"}, {COLUMN_QUANTILE + 1, "latency_p95_ms"}};
    *columns = (struct columns){0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        memcpy(columns->name[names[i].column], names[i].name, strlen(names[i].name));
}

static inline struct operator_context operator_bench_context(struct operator_bench *b)
{
    static const uint64_t threshold_ns[] = {50000000, 250000000};
    return (struct operator_context){
        .columns = &b->columns,
        .pane_ns = BENCH_PANE_NS,
        .windows_ns = operator_bench_windows,
        .slices_ns = operator_bench_slices,
        .dimension = operator_bench_dimensions,
        .lateness_ns = 30 * BENCH_SECOND_NS,
        .series_idle_ns = 24 * 3600 * BENCH_SECOND_NS,
        .score_ns = 60 * BENCH_SECOND_NS,
        .sketch_scale = 6,
        .thresholds = 2,
        .threshold_ns = threshold_ns,
    };
}

/* Read the options from `config`, as they stand in a config file, and prepare. */
static inline enum status operator_bench_read(
    struct operator_bench *b, const char *config, struct error *err)
{
    struct node *map = NULL;
    enum status status = node_read(bytes_of(config), "test", false, &b->pool, &map, err);
    if (status == ST_OK) status = options_read(b->op->options, b->self, map, &b->pool, err);
    if (status != ST_OK) return status;
    struct operator_context context = operator_bench_context(b);
    status = b->op->prepare(b->self, &context, err);
    if (status == ST_OK) b->state = calloc(1, b->op->state_bytes(b->self));
    return status;
}

static inline enum status operator_bench_open(
    struct operator_bench *b, const char *name, const char *config, struct error *err)
{
    *b = (struct operator_bench){0};
    operator_bench_name(&b->columns);
    for (size_t i = 0; window_operators[i] != NULL; i++) {
        if (strcmp(window_operators[i]->name, name) == 0) b->op = window_operators[i];
    }
    if (b->op == NULL) return error_set(err, ST_FATAL, 0, "no operator is called %s", name);
    b->self = calloc(1, b->op->self_bytes);
    return operator_bench_read(b, config, err);
}

static inline void operator_bench_close(struct operator_bench *b)
{
    free(b->state);
    free(b->self);
    pool_release(&b->pool);
}

#endif
