/*
 * What an objective costs a series and pane: counting its spans, showing the columns, looking at the
 * conditions. Series are taken in turn, so that with many of them no state is in the cache.
 */
#include "bench/micro/rounds.h"
#include "operators/operator.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    SERIES_FEW = 100,
    SERIES_MANY = 50000,
    STEPS = 400000, /* of a round */
};

#define PANE_NS INT64_C(10000000000)
#define FROM_NS INT64_C(1770000000000000000)

struct bench {
    const struct window_operator *op;
    struct columns columns;
    struct pool pool;
    void *self;
    unsigned char *states;
    size_t state_bytes, series;
    int64_t end_ns;
};

static void bench_open(struct bench *b, const char *config)
{
    struct operator_context context = {
        .columns = &b->columns, .pane_ns = PANE_NS, .score_ns = 6 * PANE_NS};
    struct node *map;
    struct error err;
    enum status status = node_read(bytes_of(config), "bench", false, &b->pool, &map, &err);
    if (status == ST_OK) status = options_read(b->op->options, b->self, map, &b->pool, &err);
    if (status == ST_OK) status = b->op->prepare(b->self, &context, &err);
    if (status == ST_OK) return;
    fprintf(stderr, "bench_slo: %s\n", err.text);
    exit(EXIT_FAILURE);
}

static void one_pane(struct bench *b, size_t series)
{
    struct transition out = {0};
    struct row row = {.start_ns = b->end_ns - PANE_NS, .end_ns = b->end_ns, .status = ROW_FINAL};
    struct closing_moment moment = {.end_ns = b->end_ns};
    void *state = b->states + series * b->state_bytes;
    row_set_integer(&row, COLUMN_SPANS, 50);
    row_set_integer(&row, COLUMN_ERRORS, (b->end_ns / PANE_NS + (int64_t)series) % 20 == 0);
    b->op->step(b->self, state, &row);
    b->op->settle(b->self, state, &moment, &out);
}

static double round_ns(struct bench *b)
{
    double begin = cpu_ns();
    for (size_t i = 0; i < STEPS;) {
        b->end_ns += PANE_NS;
        for (size_t s = 0; s < b->series && i < STEPS; s++, i++)
            one_pane(b, s);
    }
    return (cpu_ns() - begin) / STEPS;
}

static void bench_series(const struct window_operator *op, const char *config, size_t series)
{
    struct bench b = {.op = op, .series = series, .end_ns = FROM_NS};
    double ns[ROUNDS];
    b.self = calloc(1, op->self_bytes);
    bench_open(&b, config);
    b.state_bytes = op->state_bytes(b.self);
    b.states = calloc(series, b.state_bytes);
    round_ns(&b);
    for (int i = 0; i < ROUNDS; i++)
        ns[i] = round_ns(&b);
    struct rounds r = rounds_of(ns);
    printf("  %-48s %8zu %8zu %8.0f %8.0f\n", config, series, b.state_bytes, r.least, r.median);
    free(b.states);
    free(b.self);
    pool_release(&b.pool);
}

int main(void)
{
    static const char *const configs[] = {"{name: s, match: {}, objective: 99.9%}",
        "{name: s, match: {}, objective: 99%, window: month}"};
    const struct window_operator *op = NULL;
    for (size_t i = 0; window_operators[i] != NULL; i++) {
        if (strcmp(window_operators[i]->name, "slos") == 0) op = window_operators[i];
    }
    printf("an objective, a series and pane of 10s; the row itself is made and filled too\n");
    printf("  %-48s %8s %8s %8s %8s\n", "", "series", "bytes", "ns min", "median");
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        bench_series(op, configs[i], SERIES_FEW);
        bench_series(op, configs[i], SERIES_MANY);
    }
    return 0;
}
