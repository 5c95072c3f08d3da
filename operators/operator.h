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
#include "engine/base/zone.h"
#include "schemas/row.h"

enum { ALERT_NAMES_MAX = 128 };

/* What an operator may say besides columns: one alert transition a step. */
struct transition {
    bool happened;
    struct alert
        alert; /* texts borrowed from `self` or `text`; id, series, sent_ms left to the engine */
    struct buffer
        *text; /* the engine's, empty: room for what has to be written out; NULL: say nothing */
};

/* The names under which operators raise alerts: each is one operator's. */
struct alert_names {
    struct {
        const char *name, *owner;
    } taken[ALERT_NAMES_MAX];
    size_t count;
};

/* What an operator is made for: the plan around it. */
struct operator_context {
    struct alert_names *alerts; /* taken so far; NULL: nobody looks */
    struct columns *columns;    /* named so far; the operator names its own, see operator_claim */
    int64_t pane_ns;
    const int64_t *windows_ns;    /* rolling windows; ends with 0 */
    const int64_t *slices_ns;     /* resolutions of `history`; ends with 0; NULL: none */
    const char *const *dimension; /* of all views, each once; ends with NULL; NULL: none */
    int64_t score_ns;             /* of the slices that are scored: `score_every` */
    int64_t lateness_ns;          /* how long panes wait: event time is that much behind anyway */
    int64_t series_idle_ns;       /* a series without spans is forgotten after this; 0: never */
    uint32_t sketch_scale;
    uint32_t thresholds;
    const uint64_t *threshold_ns; /* [thresholds] ascending: COLUMN_THRESHOLD + i */
    const struct zone *zone; /* whose hours people live by; NULL: UTC; outlives the operators */
};

/* How far a score is out of the ordinary, with the whole fleet in view. */
enum score_level { SCORE_NONE = 0, SCORE_NOTICE, SCORE_PAGE };

/* What the engine knows as a pane of a series closes, besides its rows. */
struct closing_moment {
    struct bytes series;
    int64_t end_ns; /* of the pane */
    int64_t lag_ns; /* how far event time is behind the newest send time; 0 in batch mode */
    bool silent;    /* the pane held no spans */
};

struct window_operator {
    const char *name; /* as written in config: the key of its list, `zscore:`, `rules:` */
    const char *help;
    const struct option *options;
    size_t self_bytes; /* the configured operator, zeroed, then filled from options */

    /* Check the options once they are filled in, find the columns it reads, name those it writes. */
    enum status (*prepare)(void *self, const struct operator_context *context, struct error *err);

    /*
     * What its states mean: equal for two configs of which one can go on from the other's states,
     * as an objective goes on from counts however it is changed. NULL: only from an equal config's.
     */
    uint64_t (*meaning)(const void *self);

    /* Whether it has anything to do with a series, by its name. Without: it has no state there. NULL: with all. */
    bool (*concerns)(const void *self, struct bytes series);
    size_t (*state_bytes)(
        const void *self); /* per series, a multiple of 8; zeroed for a new one, plain bytes */

    /*
     * A new state of a series that is known: the operator has just come into the config. NULL: zeros will do.
     *
     * seen_ns  end of the newest pane that held spans
     */
    void (*begin)(const void *self, void *state, int64_t seen_ns);

    /*
     * Advance one series by one final row.
     *
     * row      of a pane, of a slice of history, or of a rolling window; an operator takes those that
     *          it was made for
     * fails    never: no allocation, no I/O, no clock, so a re-run gives the same bytes
     * threads  one at a time per series
     */
    void (*step)(const void *self, void *state, struct row *row);

    /*
     * Late spans of a pane that is closed, as a row of nothing but them; before any row of the pane
     * in which they arrived. NULL: they change nothing.
     */
    void (*amend)(const void *self, void *state, const struct row *late);

    /*
     * Scorers: all or none of the next three. Before any row of a closing is made, each series'
     * slice of `score_every` is observed, also one without spans; then the fleet is looked at; then
     * `step` gets the same row again and fills its columns from what `observe` and `judge` left.
     *
     * observe   score the window against what was learned, then learn from it
     * surprise  p of the window just observed, never too small (no mid-p); NaN: takes no part
     * judge     what false discovery control says of it
     */
    void (*observe)(const void *self, void *state, const struct row *row);
    double (*surprise)(const void *self, const void *state);
    void (*judge)(const void *self, void *state, enum score_level level);

    /* After all rows of a pane: where conditions over several windows are looked at. NULL: nowhere. */
    void (*settle)(
        const void *self, void *state, const struct closing_moment *moment, struct transition *out);
    /* Whether a silent series must be closed and observed on all the same. NULL: never. */
    bool (*awake)(const void *self, const void *state);

    /*
     * The operator is taken out of the config: end what `state` still says. Called until nothing
     * happens. NULL: there is nothing.
     */
    void (*leave)(
        const void *self, void *state, const struct closing_moment *moment, struct transition *out);
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

/*
 * For prepare: name a column in the first slot that is free.
 *
 * returns  ST_OK, `*column` its number; ST_FATAL: the name is taken or too long, or there is no room
 */
enum status operator_claim(
    const char *owner, const char *name, struct columns *columns, int *column, struct error *err);

/*
 * For prepare: raise alerts under a name, which is borrowed.
 *
 * owner    the operator, for the error
 * returns  ST_OK; ST_FATAL: there is one of that name
 */
enum status operator_claim_alert(
    const char *owner, const char *name, const struct operator_context *context, struct error *err);

#endif
