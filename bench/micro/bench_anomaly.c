/* What scoring costs: all default entries of `anomaly`, a series and scored window, in time and bytes. */
#include "bench/micro/rounds.h"
#include "engine/base/memory.h"
#include "operators/operator.h"
#include "operators/sketch.h"
#include "tests/support/random.h"

#include <stdio.h>
#include <string.h>

enum { SCALE = 6, SERIES = 10000, ROWS = 512, ENTRIES = 3, LEARN_WINDOWS = 100, WINDOWS = 20 };

#define WINDOW_NS INT64_C(60000000000)

struct entry {
    void *self;
    char *states; /* [SERIES] of bytes */
    size_t bytes;
};

struct bench {
    const struct window_operator *op;
    struct columns columns;
    struct pool pool;
    struct entry entry[ENTRIES];
    struct row row[ROWS]; /* drawn ahead, so that drawing is not measured */
    struct sketch sketch[ROWS];
    int64_t window;
    double sum; /* of results, so that none is left out */
};

static void entry_open(struct bench *b, struct entry *entry, const char *config)
{
    struct error err = {0};
    struct node *map = NULL;
    struct operator_context context = {.columns = &b->columns,
        .pane_ns = WINDOW_NS / 6,
        .score_ns = WINDOW_NS,
        .sketch_scale = SCALE};
    entry->self = memory_zeroed(1, b->op->self_bytes);
    enum status status = node_read(bytes_of(config), "bench", false, &b->pool, &map, &err);
    if (status == ST_OK) status = options_read(b->op->options, entry->self, map, &b->pool, &err);
    if (status == ST_OK) status = b->op->prepare(entry->self, &context, &err);
    if (status != ST_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    entry->bytes = b->op->state_bytes(entry->self);
    entry->states = memory_zeroed(SERIES, entry->bytes);
}

static void rows_draw(struct bench *b, uint64_t mean_spans)
{
    struct random random = random_from(1);
    for (int i = 0; i < ROWS; i++) {
        uint64_t spans = mean_spans / 2 + random_below(&random, mean_spans + 1), sum_ns = 0;
        sketch_release(&b->sketch[i], &b->pool);
        for (uint64_t k = 0; k < spans; k++) {
            uint64_t ns = random_lognormal_ns(&random, 40e6, 0.8);
            sum_ns += ns;
            sketch_add(&b->sketch[i], sketch_index(SCALE, ns), 1, &b->pool);
        }
        b->row[i] = (struct row){.scored = true, .latency = &b->sketch[i]};
        row_set_integer(&b->row[i], COLUMN_SPANS, spans);
        row_set_integer(&b->row[i], COLUMN_ERRORS, random_below(&random, 2 + spans / 20));
        row_set_integer(&b->row[i], COLUMN_LATENCY_SUM_NS, sum_ns);
    }
}

/* As the engine does: all series are observed, then all rows are made. */
static void score(struct bench *b, const struct entry *entry, uint32_t series, struct row *row)
{
    char *state = entry->states + series * entry->bytes;
    row->start_ns = b->window * WINDOW_NS;
    row->end_ns = row->start_ns + WINDOW_NS;
    b->op->observe(entry->self, state, row);
    b->sum += b->op->surprise(entry->self, state) < 1e-9;
}

static void fill(struct bench *b, const struct entry *entry, uint32_t series, struct row *row)
{
    char *state = entry->states + series * entry->bytes;
    row->start_ns = b->window * WINDOW_NS;
    row->end_ns = row->start_ns + WINDOW_NS;
    b->op->judge(entry->self, state, SCORE_NONE);
    b->op->step(entry->self, state, row);
}

static void score_window(struct bench *b, int first, int last)
{
    for (uint32_t series = 0; series < SERIES; series++) {
        struct row *row = &b->row[(series + (uint64_t)b->window * 7) % ROWS];
        for (int i = first; i <= last; i++)
            score(b, &b->entry[i], series, row);
    }
    for (uint32_t series = 0; series < SERIES; series++) {
        struct row *row = &b->row[(series + (uint64_t)b->window * 7) % ROWS];
        for (int i = first; i <= last; i++)
            fill(b, &b->entry[i], series, row);
    }
    b->window++;
}

static void measure(struct bench *b, const char *what, int first, int last)
{
    double ns[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double begin = cpu_ns();
        for (int i = 0; i < WINDOWS; i++)
            score_window(b, first, last);
        ns[round] = (cpu_ns() - begin) / ((double)SERIES * WINDOWS);
    }
    struct rounds rounds = rounds_of(ns);
    printf("%-44s %9.0f %9.0f\n", what, rounds.least, rounds.median);
}

int main(void)
{
    static const char *const configs[ENTRIES] = {"{of: latency}", "{of: errors}", "{of: spans}"};
    static const uint64_t spans[] = {10, 100, 3000};
    struct bench *b = memory_zeroed(1, sizeof(*b));
    size_t bytes = 0;
    memcpy(b->columns.name[COLUMN_SPANS], "spans", sizeof("spans"));
    for (size_t i = 0; window_operators[i] != NULL; i++)
        if (strcmp(window_operators[i]->name, "anomaly") == 0) b->op = window_operators[i];
    for (int i = 0; i < ENTRIES; i++) {
        entry_open(b, &b->entry[i], configs[i]);
        bytes += b->entry[i].bytes;
    }
    printf("%d series, a scored window; ns of CPU                  min    median\n", SERIES);
    for (size_t s = 0; s < sizeof(spans) / sizeof(spans[0]); s++) {
        char what[64];
        for (int i = 0; i < ENTRIES; i++)
            memset(b->entry[i].states, 0, SERIES * b->entry[i].bytes);
        rows_draw(b, spans[s]);
        for (int i = 0; i < LEARN_WINDOWS; i++)
            score_window(b, 0, ENTRIES - 1);
        snprintf(what, sizeof(what), "all entries, about %d spans", (int)spans[s]);
        measure(b, what, 0, ENTRIES - 1);
        measure(b, "  latency", 0, 0);
        measure(b, "  errors", 1, 1);
        measure(b, "  spans", 2, 2);
    }
    printf("state of all entries takes %zu bytes a series\n", bytes);
    return b->sum >= 0 ? 0 : 1;
}
