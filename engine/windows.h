/*
 * What happens to one series when a pane closes: slices, rolling sums, operators, rows.
 *
 *   1. Everything is a function of the slices that are closed. What lies ahead is not looked at, so
 *      no interleaving of partials can be seen in a row.
 *   2. A sum holds exactly the slices that its window covers: revisions go into both.
 */
#ifndef ENGINE_WINDOWS_H
#define ENGINE_WINDOWS_H

#include "engine/records.h"
#include "engine/series.h"

/* How much of what arrived was understood: shares of messages and spans over a stretch of panes. */
struct totals {
    struct partial_total *total; /* by ascending pane */
    size_t count, capacity;
};

void totals_add(struct totals *totals, const struct partial_total *total);
void totals_prune(struct totals *totals, int64_t before_pane);
double totals_captured(const struct totals *totals, int64_t from_pane, int64_t to_pane); /* 0..1 */

/* The closing of one pane, for all series. */
struct closing {
    const struct plan *plan;
    struct pool *pool;
    struct records *records;
    const void *empty; /* a cell without spans */
    int64_t pane;
    int64_t record_ms, sent_ms;
    int64_t lag_ns; /* how far the pane's end is behind the newest send time; 0 in batch mode */
    const struct totals *totals;
    double captured_level[LEVELS_MAX]; /* of the slice that ends with the pane; level 0: the pane */
    double captured_window[WINDOWS_MAX];
    uint64_t rows_final, rows_revised; /* counted here */
    struct buffer text;                /* scratch of alerts; the caller releases it */
};

/* Whether closing `pane` can change or show anything of the series: it holds something closed, or this pane. */
bool windows_concern(const struct plan *plan, const struct series *series, int64_t pane);

/*
 * Closing a pane, each step for all series before the next: merge it upwards; where it ends a slice
 * that is scored, observe that; roll the windows, step the operators, say the rows and what follows.
 */
void windows_merge(struct closing *closing, struct series *series);
bool windows_score(const struct closing *closing); /* whether it ends a slice that is scored */
void windows_observe(struct closing *closing, struct series *series);
void windows_say(struct closing *closing, struct series *series);

/* Add a late cell of `pane`, now that its arrival pane closes. */
void windows_add_late(
    struct closing *closing, struct series *series, int64_t pane, const void *cell);

/* Say the rows that a late cell of `pane` changed. */
void windows_say_revised(struct closing *closing, struct series *series, int64_t pane);

/* Say what an operator found; who and when are filled in, and the id that follows from them. */
void windows_say_alert(
    struct closing *closing, const struct series *series, struct alert *alert, int64_t at_ns);

/* Say what the newest open pane holds so far; false: there is none any more. */
bool windows_say_provisional(struct closing *closing, struct series *series);

/* Work out the sums of a series again from its slices, all panes before `next_pane` being closed. */
void windows_sum_again(
    const struct plan *plan, struct series *series, int64_t next_pane, struct pool *pool);

#endif
