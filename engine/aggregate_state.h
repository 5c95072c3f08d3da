/* What aggregate holds between partials: shared by the files that are one state machine. */
#ifndef ENGINE_AGGREGATE_STATE_H
#define ENGINE_AGGREGATE_STATE_H

#include "engine/aggregate.h"
#include "engine/fleet.h"
#include "engine/series.h"
#include "engine/settings.h"
#include "engine/windows.h"

enum { AGGREGATE_TOPICS_MAX = 64, AGGREGATE_SAVED_VERSION = 1 };

/* A late cell that waits for its arrival pane to close. */
struct late_cell {
    struct series *series;
    int64_t pane, arrival;
    void *cell;
};

struct aggregate {
    const struct plan *plan;   /* in force: the worker's, or that of `settings` */
    const struct plan *base;   /* the worker's */
    struct settings *settings; /* the newest that the log brought; NULL: none yet */
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
    struct fleet *fleet;   /* of the partition that looks at all series; NULL: another's */
    struct late_cell *due; /* scratch of one closing */
    size_t dues_max;
    struct aggregate_counts counts;
};

/* The pane that the watermark is in: all before it are closed, or will be. */
static inline int64_t aggregate_watermark_pane(const struct aggregate *a)
{
    return floor_div(a->watermark_ns, a->plan->pane_ns);
}

/* Names an operator and how it is configured, so that a state is not taken over by another one. */
uint64_t aggregate_signature(const struct operator_instance *o);
/* Of the value of one option of an operator's. */
uint64_t aggregate_option_signature(const struct operator_instance *o, const struct option *option);

/*
 * Take the parts of a partial over: cells into open panes or the queue of late ones, clocks, totals,
 * settings.
 */
enum status aggregate_take(
    struct aggregate *a, struct wire *parts, struct records *records, struct error *err) MUST_USE;

/*
 * Go by other settings from here on. States stay with the operators that are configured as before;
 * an alert of a rule that is not is resolved.
 *
 * returns  ST_OK; ST_FATAL, not settings that this build knows
 */
enum status aggregate_settle(
    struct aggregate *a, struct bytes text, struct records *records, struct error *err) MUST_USE;

/* What a closing needs to know of the state: see engine/windows.h. */
struct closing aggregate_closing(struct aggregate *a, struct records *records);

#endif
