/* The series of a backtest: their operators' states, and their newest panes as they were said. */
#ifndef ENGINE_BACKTEST_SERIES_H
#define ENGINE_BACKTEST_SERIES_H

#include "engine/base/pool.h"
#include "engine/plan.h"
#include "engine/states.h"

/* The integer columns of a pane's newest row. */
struct backtest_pane {
    int64_t end_ns;
    uint64_t integer[COLUMN_INTEGERS];
};

struct backtest_series {
    struct bytes name;
    uint64_t hash;
    uint64_t concerned; /* bits of operators, see engine/states.h */
    void *states;
    bool awake;
    int64_t newest_ns;          /* end of its newest pane with spans */
    int64_t stepped_ns;         /* end of the newest pane whose row was stepped */
    int64_t settled_ns;         /* and of that which was settled */
    struct backtest_pane *pane; /* [panes of the table], by pane; NULL: nobody amends */
    struct row *evidence;       /* of its newest scored slice, without texts; NULL: none */
};

struct backtest_table {
    const struct plan *plan;
    struct backtest_series **series; /* in order of their first rows */
    size_t count, capacity;
    uint32_t *slot; /* index + 1 in `series`, by hash */
    size_t slots;
    size_t panes; /* remembered of a series: those that can still be revised */
    struct pool pool;
};

void backtest_table_init(struct backtest_table *table, const struct plan *plan);
void backtest_table_release(struct backtest_table *table);

/* The series of this name, there from now on. */
struct backtest_series *backtest_series_of(struct backtest_table *table, struct bytes name);

/* Keep a scored row, for what is to be told of the series. */
void backtest_series_show(
    const struct backtest_table *table, struct backtest_series *series, const struct row *row);

/* Remember a pane's row, for the difference to the next one of the same pane. */
void backtest_series_remember(
    const struct backtest_table *table, struct backtest_series *series, const struct row *row);

/*
 * What a revised row of a pane has more than the one before it, and remember it.
 *
 * closed_ns  end of the newest pane that is closed: what is too far behind it is not remembered
 * late       a row of nothing but the integer columns' differences
 * returns    false: nobody wants to know, or the row before is not known any more
 */
bool backtest_series_difference(const struct backtest_table *table, struct backtest_series *series,
    const struct row *row, int64_t closed_ns, struct row *late);

#endif
