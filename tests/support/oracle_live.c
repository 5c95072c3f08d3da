/* The last word on every pane of a live run, whatever the wall clock made late. */
#include "oracle.h"
#include "oracle_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 20, KEY_BYTES = 16384 };

/* What was counted of a pane, or of a series over all panes. */
struct sum {
    uint64_t spans, errors, sum_ns, threshold[THRESHOLDS_MAX];
};

/* A pane that was told, or is expected; of rows told, a revised one stands before a final one. */
struct pane {
    struct sum told, due;
    char *told_traces, *due_traces; /* in words; NULL: none */
    enum row_status status;
    bool is_told;
};

struct live {
    const struct plan *plan;
    struct book keys; /* only its table of names */
    struct pane *pane;
    size_t panes, capacity;
    int64_t until_ns; /* 0: panes do not matter, only what each series adds up to */
    uint64_t equal, differ;
};

static struct pane *pane_at(struct live *live, const char *series, int64_t end_ns)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof(key), "%s\t%" PRId64, series, end_ns / NS_PER_MS);
    uint32_t at = book_find(&live->keys, key, true);
    if (at == live->panes) {
        live->pane = array_room(live->pane, at, &live->capacity, sizeof(*live->pane));
        live->pane[live->panes++] = (struct pane){0};
    }
    return &live->pane[at];
}

static bool is_compared(const struct live *live, bool rolling, int64_t start_ns, int64_t end_ns)
{
    if (rolling || end_ns - start_ns != live->plan->pane_ns) return false;
    return live->until_ns == 0 || end_ns <= live->until_ns;
}

static uint64_t integer_of(const Weir__Row *row, const char *name)
{
    const Weir__RowColumn *column = row_column(row, name);
    return column == NULL ? 0 : column->integer;
}

static void keep(char **words, const struct traces_text *text)
{
    free(*words);
    *words = strdup(text->text);
    if (*words == NULL) die("no memory for traces in words");
}

static void row_take(void *self, const Weir__Row *row)
{
    char column[64];
    struct traces_text traces;
    struct live *live = self;
    if (!is_compared(live, row->rolling, row->start_ns, row->end_ns)) return;
    struct pane *pane = pane_at(live, row->series, row->end_ns);
    enum row_status status = (enum row_status)row->status;
    if (pane->is_told && status < pane->status) return;
    pane->is_told = true;
    pane->status = status;
    pane->told = (struct sum){.spans = integer_of(row, "spans"),
        .errors = integer_of(row, "errors"),
        .sum_ns = integer_of(row, "latency_sum_ns")};
    for (size_t t = 0; t < live->plan->thresholds; t++) {
        snprintf(column, sizeof(column), "latency_le_%s", live->plan->threshold_text[t]);
        pane->told.threshold[t] = integer_of(row, column);
    }
    row_traces_print(row, &traces);
    keep(&pane->told_traces, &traces);
}

static void expected_take(void *self, const struct expected *e)
{
    struct live *live = self;
    if (!is_compared(live, e->rolling, e->start_ns, e->end_ns) || e->status != ROW_FINAL) return;
    struct traces_text traces;
    struct pane *pane = pane_at(live, e->series, e->end_ns);
    pane->due = (struct sum){.spans = e->spans, .errors = e->errors, .sum_ns = e->sum_ns};
    memcpy(pane->due.threshold, e->threshold, sizeof(pane->due.threshold));
    traces_print(e, &traces);
    keep(&pane->due_traces, &traces);
}

static void sum_add(struct sum *sum, const struct sum *other)
{
    sum->spans += other->spans;
    sum->errors += other->errors;
    sum->sum_ns += other->sum_ns;
    for (size_t t = 0; t < THRESHOLDS_MAX; t++)
        sum->threshold[t] += other->threshold[t];
}

static const char *words_of(const char *words)
{
    return words == NULL ? "" : words;
}

static bool are_same(const char *due, const char *told)
{
    return strcmp(words_of(due), words_of(told)) == 0;
}

static void pane_compare(struct live *live, const char *key, const struct pane *pane)
{
    const struct sum *due = &pane->due, *told = &pane->told;
    bool same_sums = memcmp(due, told, sizeof(*due)) == 0;
    if (same_sums && are_same(pane->due_traces, pane->told_traces)) {
        live->equal++;
        return;
    }
    if (live->differ++ >= SHOWN_MAX) return;
    if (same_sums)
        printf("differs: %s: traces: expected%s\n  got%s\n", key, words_of(pane->due_traces),
            words_of(pane->told_traces));
    else
        printf("differs: %s: expected %" PRIu64 " spans, %" PRIu64 " errors, sum %" PRIu64
               "; got %" PRIu64 ", %" PRIu64 ", %" PRIu64 "\n",
            key, due->spans, due->errors, due->sum_ns, told->spans, told->errors, told->sum_ns);
}

/* Panes aside: what each series adds up to. */
static void series_compare(struct live *live)
{
    struct live series = {.plan = live->plan};
    for (size_t i = 0; i < live->panes; i++) {
        char *tab = strchr(live->keys.series[i], '\t');
        *tab = '\0';
        struct pane *all = pane_at(&series, live->keys.series[i], 0);
        sum_add(&all->told, &live->pane[i].told);
        sum_add(&all->due, &live->pane[i].due);
    }
    for (size_t i = 0; i < series.panes; i++)
        pane_compare(&series, series.keys.series[i], &series.pane[i]);
    live->equal = series.equal;
    live->differ = series.differ;
    free(series.pane);
    book_release(&series.keys);
}

bool live_compare(struct book *book, const char *brokers, const char *topic, int64_t until_ms)
{
    struct live live = {.plan = book->plan, .until_ns = until_ms * NS_PER_MS};
    struct rows *rows = rows_open(brokers, topic);
    rows_each(rows, row_take, &live);
    book->last_pane = INT64_MAX / book->plan->pane_ns - 1; /* all of them count */
    expect_rows(book, expected_take, &live);
    if (until_ms == 0) {
        series_compare(&live);
    } else {
        for (size_t i = 0; i < live.panes; i++)
            pane_compare(&live, live.keys.series[i], &live.pane[i]);
    }
    printf("live: %" PRIu64 " spans, %" PRIu64 " %s equal, %" PRIu64 " differ\n", book->spans,
        live.equal, until_ms == 0 ? "series" : "panes", live.differ);
    for (size_t i = 0; i < live.panes; i++) {
        free(live.pane[i].told_traces);
        free(live.pane[i].due_traces);
    }
    free(live.pane);
    book_release(&live.keys);
    rows_close(rows);
    return live.equal > 0 && live.differ == 0;
}
