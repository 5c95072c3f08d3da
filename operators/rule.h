/*
 * rules: a condition over the values of a series, and how long it must hold before it is an alert.
 *
 * A series is inactive, pending while the condition has not held for long enough, or firing; all in
 * event time, so that a re-run raises the same alerts.
 *
 *   1. The condition is looked at as each pane closes, over the newest values there are. A value is that
 *      of the newest row of its window, until the next one of it: a rolling window moves by its hop, a
 *      slice by its width. Once that row is a whole width old, or lacks the column, it is absent.
 *   2. Only true counts. What is unknown neither begins an alert nor keeps one.
 *   3. A pane counts whole: what is true at its end is held to be so from its start, what is not, not.
 *   4. absent[10m] is unknown while event time is more than `lateness` and RULE_LAG_MAX_NS behind: then
 *      it may be we who are late. What fires already is not resolved by that.
 *   5. A series is forgotten after limits.series_idle; what fires for it is resolved before.
 */
#ifndef OPERATORS_RULE_H
#define OPERATORS_RULE_H

#include "operators/alert_wording.h"

enum {
    RULE_TEXT_MAX = 128,        /* bytes of a name or severity */
    RULE_PATTERN_MAX = 1024,    /* bytes of a pattern */
    RULE_FOR_MAX_S = 24 * 3600, /* a condition pends for no longer, and no absence is longer */
};

#define RULE_LAG_MAX_NS (90 * INT64_C(1000000000))

/* The form that rules had before there were conditions; logs still hold some. */
struct rule_old {
    const char *column, *service;
    double above, below; /* one of them is NaN */
    int64_t window_ns;   /* 0: the pane */
    uint64_t min_spans;
    char condition[512]; /* what it comes to */
};

struct rule {
    const char *name;
    struct pairs match;
    const char *when;
    int64_t for_ns, keep_ns;
    const char *severity;
    bool together;
    struct pairs labels, annotations;
    struct rule_old old;

    int64_t pane_ns;
    int64_t lag_ns_max;    /* behind by more, no absence is told */
    int64_t forget_ns;     /* silent for so long, a series is about to be forgotten; 0: never */
    int64_t absent_ns_max; /* of all absences; 0: there is none */
    struct bytes condition_text;
    struct expression condition;
    struct terms terms;
    struct alert_wording wording;
};

/* Put the old form's condition into `old->condition`. returns  ST_OK; ST_FATAL: it is not one */
enum status rule_old_read(struct rule *r, struct error *err) MUST_USE;

/* What a series' rule remembers: plain bytes, and zero is new. */
struct rule_value {
    double value;
    int64_t until_ns; /* good for panes that end before this */
};

struct rule_state {
    int64_t since_ns; /* pending, firing: start of the first pane of those that met the condition */
    int64_t met_ns;   /* end of the newest pane that did */
    int64_t
        seen_ns; /* end of the newest pane that held spans (absent: late ones too); 0: none did */
    uint64_t state; /* enum alert_state: inactive, pending, firing */
    uint64_t awake;
    struct rule_value term[]; /* by number */
};

bool rule_concerns(const void *self, struct bytes series);
size_t rule_state_bytes(const void *self);
void rule_step(const void *self, void *state, struct row *row);
void rule_settle(
    const void *self, void *state, const struct closing_moment *moment, struct transition *out);
void rule_begin(const void *self, void *state, int64_t seen_ns);
void rule_amend(const void *self, void *state, const struct row *late);
bool rule_awake(const void *self, const void *state);
void rule_leave(
    const void *self, void *state, const struct closing_moment *moment, struct transition *out);

#endif
