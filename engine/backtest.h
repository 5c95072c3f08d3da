/*
 * What the operators of a config would have said, had they run over rows that others made.
 *
 * Rows of one partition of the rows topic come in, in order; each series' rows go through the real
 * operators of the config, pane by pane, as aggregate would have stepped and settled them. What cannot
 * be worked out from rows is taken from them: scores, as what they are scored on is not recorded.
 *
 *   1. Columns go by their names. A row's own scores are there before the operators run.
 *   2. A pane without spans has no row; it is made up for as long as aggregate would close it, that
 *      is while slices of the series are kept and while an operator is awake.
 *   3. Late spans come as the difference between a pane's revised row and the one before it.
 *   4. States begin empty: windows, histories and `for` fill from the first row on.
 *   5. What may become one alert with others is told, and decided over all partitions at the end.
 */
#ifndef ENGINE_BACKTEST_H
#define ENGINE_BACKTEST_H

#include "engine/backtest_tellings.h"
#include "engine/episodes.h"
#include "engine/plan.h"

struct backtest;

struct backtest_counts {
    uint64_t rows, revised, alerts; /* taken */
    size_t series;
};

/*
 * Of one partition.
 *
 * plan      of the config that is tried; outlives the backtest, as does
 * episodes  where alerts go, those of the log and those that are raised here; and
 * tellings  those of rule 5: for tellings_decide, once all partitions are finished
 */
struct backtest *backtest_new(
    const struct plan *plan, struct episodes *episodes, struct tellings *tellings);
void backtest_free(struct backtest *b); /* NULL is fine */

/*
 * Take the next record.
 *
 * returns  ST_OK; ST_SKIP, malformed; ST_FATAL, made under another plan, or by a newer weir
 */
enum status backtest_take(struct backtest *b, struct bytes record, struct error *err) MUST_USE;

/* Event time of the newest row taken; 0: none was. */
int64_t backtest_newest(const struct backtest *b);
/* There are no more records: close all panes up to `until_ns`. */
void backtest_finish(struct backtest *b, int64_t until_ns);

void backtest_counts(const struct backtest *b, struct backtest_counts *counts);
/* Whether any row had this column, from the log or by an operator. */
bool backtest_saw(const struct backtest *b, int column);

#endif
