/*
 * An operator looks at one closed window of one series and fills in columns of its row.
 *
 * Operators run in config order over the same row: zscore, then rule. What one writes the next may
 * read. An operator instance is one entry of a list in config: its own options, its own state.
 */
#ifndef OPERATORS_OPERATOR_H
#define OPERATORS_OPERATOR_H

#include "engine/base/error.h"
#include "engine/base/option.h"
#include "schemas/row.h"

/* What an operator may say besides columns: one alert transition a step. */
struct transition {
    bool happened;
    struct alert
        alert; /* rule, severity, column borrowed from `self`; id, series, sent_ms left to the engine */
};

struct window_operator {
    const char *name; /* as written in config: the key of its list, `zscore:`, `rules:` */
    const char *help;
    const struct option *options;
    size_t self_bytes; /* the configured operator, zeroed, then filled from options */

    /*
     * Check the options once they are filled in, find the columns it reads, name those it writes.
     *
     * columns    named so far; the operator names its own in the free COLUMN_SCORE slots
     * pane_ns, windows  the plan's, to check a window option against: windows[] ends with 0
     */
    enum status (*prepare)(void *self, struct columns *columns, int64_t pane_ns,
        const int64_t *windows, struct error *err);
    size_t (*state_bytes)(
        const void *self); /* per series, a multiple of 8; zeroed for a new one, plain bytes */

    /*
     * Advance one series by one final row.
     *
     * row      a pane's row, or a rolling window's; an operator takes those that it was made for
     * out      zeroed by the caller; an operator with nothing to say leaves it alone
     * fails    never: no allocation, no I/O, no clock, so a re-run gives the same bytes
     * threads  one at a time per series
     */
    void (*step)(const void *self, void *state, struct row *row, struct transition *out);

    /* The operator is taken out of the config: end what `state` still says. NULL: there is nothing. */
    void (*leave)(const void *self, void *state, struct transition *out);
};

extern const struct window_operator *const window_operators[]; /* ends with NULL */

/*
 * For prepare: the column that an option names.
 *
 * owner    the operator, for the error
 * returns  ST_OK, `*column` its number; ST_FATAL, naming the nearest columns there are
 */
enum status operator_column(const char *owner, const char *wanted, const struct columns *columns,
    int *column, struct error *err);

#endif
