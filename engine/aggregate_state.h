/* What aggregate holds between partials: shared by its two halves, folding and saving. */
#ifndef ENGINE_AGGREGATE_STATE_H
#define ENGINE_AGGREGATE_STATE_H

#include "engine/aggregate.h"
#include "engine/series.h"
#include "engine/windows.h"

enum { AGGREGATE_TOPICS_MAX = 64 };

/* A late cell that waits for its arrival pane to close. */
struct late_cell {
    struct series *series;
    int64_t pane, arrival;
    void *cell;
};

struct aggregate {
    const struct plan *plan;
    struct pool pool;
    void *empty; /* a cell without spans */
    int64_t watermark_ns;
    int64_t next_pane; /* all panes before it are closed; PANE_NONE: nothing is yet */
    bool ended;
    int64_t sent_ms, record_ms; /* newest seen in partials */
    uint64_t budget;            /* provisional rows x 1000 */
    uint32_t topics;
    uint32_t partitions[AGGREGATE_TOPICS_MAX];
    struct source_clock *clock;
    size_t clocks;
    struct totals totals;
    struct series_table series;
    struct late_cell *late;
    size_t lates, lates_max;
    struct late_cell *due; /* scratch of one closing */
    size_t dues_max;
    struct aggregate_counts counts;
};

#endif
