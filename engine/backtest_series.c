#include "engine/backtest_series.h"

#include "engine/base/hash.h"
#include "engine/base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_LEAST = 256, PANES_MAX = 1024 };

void backtest_table_init(struct backtest_table *table, const struct plan *plan)
{
    size_t panes = (size_t)(plan->allowed_lateness_ns / plan->pane_ns) + 2;
    *table = (struct backtest_table){.plan = plan, .slots = SLOTS_LEAST};
    table->panes = panes < PANES_MAX ? panes : PANES_MAX;
    table->slot = memory_zeroed(table->slots, sizeof(*table->slot));
}

void backtest_table_release(struct backtest_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->series[i]->states);
        free(table->series[i]->pane);
        free(table->series[i]->evidence);
        free(table->series[i]);
    }
    free(table->series);
    free(table->slot);
    pool_release(&table->pool);
    *table = (struct backtest_table){0};
}

static void put(struct backtest_table *table, uint64_t hash, uint32_t index)
{
    size_t at = hash & (table->slots - 1);
    while (table->slot[at] != 0)
        at = (at + 1) & (table->slots - 1);
    table->slot[at] = index + 1;
}

static void grow(struct backtest_table *table)
{
    free(table->slot);
    table->slots *= 2;
    table->slot = memory_zeroed(table->slots, sizeof(*table->slot));
    for (size_t i = 0; i < table->count; i++)
        put(table, table->series[i]->hash, (uint32_t)i);
}

static bool amends(const struct config *config, uint64_t concerned)
{
    for (size_t i = 0; i < config->operator_count; i++) {
        if ((concerned >> i & 1) != 0 && config->operators[i].operator_->amend != NULL) return true;
    }
    return false;
}

static struct backtest_series *add(struct backtest_table *table, struct bytes name, uint64_t hash)
{
    const struct config *config = table->plan->config;
    struct backtest_series *series = memory_zeroed(1, sizeof(*series));
    uint8_t *copy = pool_take(&table->pool, name.size + 1);
    memcpy(copy, name.data, name.size);
    series->name = (struct bytes){copy, name.size};
    series->hash = hash;
    series->concerned = states_concerned(config, series->name);
    series->states = memory_zeroed(1, states_bytes(config, series->concerned) + 1);
    if (amends(config, series->concerned))
        series->pane = memory_zeroed(table->panes, sizeof(*series->pane));
    if (table->count == table->capacity) {
        table->capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
        table->series = memory_resize(table->series, table->capacity, sizeof(*table->series));
    }
    table->series[table->count] = series;
    put(table, hash, (uint32_t)table->count++);
    if (2 * table->count > table->slots) grow(table);
    return series;
}

struct backtest_series *backtest_series_of(struct backtest_table *table, struct bytes name)
{
    uint64_t hash = hash_stable(name);
    for (size_t at = hash & (table->slots - 1); table->slot[at] != 0;
         at = (at + 1) & (table->slots - 1)) {
        struct backtest_series *series = table->series[table->slot[at] - 1];
        if (series->hash == hash && bytes_equal(series->name, name)) return series;
    }
    return add(table, name, hash);
}

void backtest_series_show(
    const struct backtest_table *table, struct backtest_series *series, const struct row *row)
{
    if (!table->plan->scored) return;
    if (series->evidence == NULL) series->evidence = memory_take(sizeof(*series->evidence));
    *series->evidence = *row;
    series->evidence->sketch = (struct bytes){NULL, 0};
    series->evidence->error_kinds = 0; /* their texts are the record's */
}

static struct backtest_pane *pane_of(
    const struct backtest_table *table, const struct backtest_series *series, int64_t end_ns)
{
    return &series->pane[(size_t)(end_ns / table->plan->pane_ns) % table->panes];
}

void backtest_series_remember(
    const struct backtest_table *table, struct backtest_series *series, const struct row *row)
{
    if (series->pane == NULL) return;
    struct backtest_pane *pane = pane_of(table, series, row->end_ns);
    *pane = (struct backtest_pane){.end_ns = row->end_ns};
    for (int c = 0; c < COLUMN_INTEGERS; c++) {
        if (row_has(row, c)) pane->integer[c] = row->value[c].integer;
    }
}

bool backtest_series_difference(const struct backtest_table *table, struct backtest_series *series,
    const struct row *row, int64_t closed_ns, struct row *late)
{
    if (series->pane == NULL) return false;
    int64_t behind = (closed_ns - row->end_ns) / table->plan->pane_ns;
    if (behind >= (int64_t)table->panes) return false;
    struct backtest_pane before = *pane_of(table, series, row->end_ns);
    if (before.end_ns != row->end_ns) before = (struct backtest_pane){0}; /* it had no spans */
    *late = (struct row){.series = series->name,
        .start_ns = row->start_ns,
        .end_ns = row->end_ns,
        .status = ROW_REVISED};
    for (int c = 0; c < COLUMN_INTEGERS; c++) {
        if (row_has(row, c)) row_set_integer(late, c, row->value[c].integer - before.integer[c]);
    }
    backtest_series_remember(table, series, row);
    return true;
}
