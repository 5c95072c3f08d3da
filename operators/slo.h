/* What the files of the operator `slos` share: one objective as configured, and its state. */
#ifndef OPERATORS_SLO_H
#define OPERATORS_SLO_H

#include "operators/alert_wording.h"
#include "operators/burn_ring.h"

enum {
    SLO_NAME_MAX = 32,
    SLO_ALERT_NAME_BYTES = SLO_NAME_MAX + sizeof("_ticket"),
    SLO_SHORT_BAD_LEAST = 2, /* bad spans that a short window must hold for its alert to fire */
};

enum slo_severity { SLO_PAGE, SLO_TICKET, SLO_SEVERITIES };

/* A budget burns when it does over a long window, and still does over a short one. */
enum slo_pair { SLO_PAGE_1H, SLO_PAGE_6H, SLO_TICKET_1D, SLO_TICKET_3D, SLO_PAIRS };

struct slo_pair_shape {
    const char *key; /* in config */
    enum burn_window long_window, short_window;
    int long_hours;
    double budget_share; /* that is gone after the long window at the usual rate */
    enum slo_severity severity;
};
extern const struct slo_pair_shape slo_pairs[SLO_PAIRS];

/* Which columns are written: the budget alone, with the long windows' burn rates, or with all. */
enum slo_columns { SLO_COLUMNS_BUDGET, SLO_COLUMNS_LONG, SLO_COLUMNS_ALL };

struct slo {
    const char *name;
    struct pairs match;
    double objective;       /* share of spans that must be good, 0..1 */
    int64_t latency_ns;     /* good is no slower than this; 0: good is without error */
    int budget;             /* enum burn_budget */
    double burn[SLO_PAIRS]; /* rates that are alerts; NaN: the usual; 0: none */
    uint64_t min_spans, min_bad;
    int64_t for_ns, keep_firing_ns;
    struct pairs labels, annotations;
    int columns; /* enum slo_columns */

    /* Worked out by prepare. */
    int64_t pane_ns;
    const struct zone *zone; /* whose months they are; NULL: UTC */
    double allowed;          /* share of spans that may be bad */
    int threshold_column;    /* spans that are fast enough; -1: bad are the errors */
    int budget_column;
    int burn_column[BURN_BUDGET]; /* -1: not written */
    char burn_name[BURN_BUDGET][COLUMN_NAME_BYTES];
    char alert_name[SLO_SEVERITIES][SLO_ALERT_NAME_BYTES];
    char condition_text[SLO_PAIRS][2 * COLUMN_NAME_BYTES + 64]; /* as alerts say it */
    struct expression condition[SLO_PAIRS];                     /* the same, for wordings */
    struct terms terms;                                         /* what those read */
    struct alert_wording wording;
};

/* One of the two alerts of an objective. */
struct slo_alert {
    uint64_t state;   /* enum alert_state: inactive, pending, firing */
    uint64_t pair;    /* enum slo_pair: whose windows burned as it fired */
    int64_t since_ns; /* start of the first pane in which it was */
    int64_t met_ns;   /* end of the newest pane in which one was */
};

/* Plain bytes, followed by the ring. */
struct slo_state {
    struct slo_alert alert[SLO_SEVERITIES];
};

static inline struct burn_ring *slo_ring(struct slo_state *state)
{
    return (struct burn_ring *)(state + 1);
}

/* How many times faster than allowed a window's spans were bad; NaN without spans. */
double slo_burn(const struct slo *slo, struct tally window);
/* Whether a window burns faster than a pair's rate. */
bool slo_is_faster(const struct slo *slo, int pair, struct tally window);

/* The operator's prepare, concerns, settle, awake and leave: see operators/operator.h. */
enum status slo_prepare(void *self, const struct operator_context *context, struct error *err);
bool slo_concerns(const void *self, struct bytes series);
void slo_settle(
    const void *self, void *state, const struct closing_moment *moment, struct transition *out);
bool slo_awake(const void *self, const void *state);
void slo_leave(
    const void *self, void *state, const struct closing_moment *moment, struct transition *out);

/* Read labels, annotations and what they may name: the objective's own columns. ST_FATAL names which. */
enum status slo_wording_read(
    struct slo *slo, const struct operator_context *context, struct error *err);
/* Write labels and annotations of an alert that has turned into `out`. */
void slo_wording_fill(const struct slo *slo, int severity, const struct slo_alert *alert,
    const struct burn_ring *ring, struct bytes series, struct transition *out);

/* The moment that is the last of a pane, or of anything that ends at `end_ns`. */
struct burn_moment slo_moment(const struct slo *slo, int64_t end_ns);

#endif
