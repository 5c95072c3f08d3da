/*
 * When a budget that burns becomes an alert, and when that is over.
 *
 * An objective has two alerts, NAME_page and NAME_ticket, each of two pairs of windows: the long one
 * says that enough of the budget is gone to matter, the short one that it still burns.
 *
 *   1. To fire, both windows of a pair must burn faster than its rate: the long one on no less than
 *      min_bad bad spans, the short one on no less than min_spans spans, two of them bad. A series
 *      of less traffic is left to wider windows.
 *   2. What fires goes on until one of the windows, from the short one up to the long one, is clearly
 *      slower than the rate: by more than chance alone would make it. Else a series that burns at
 *      just about the rate would go over it and back many times a day, and more often the less
 *      traffic it has. A window of few spans is never clearly slower, nor is one of none: an alert
 *      does not end because somebody failed and then nobody came.
 *   3. One transition a call, the page's first; the ticket's then comes with the next pane.
 */
#include "operators/slo.h"

#include <math.h>

const struct slo_pair_shape slo_pairs[SLO_PAIRS] = {
    {"page_1h", BURN_1H, BURN_5M, 1, 0.02, SLO_PAGE},
    {"page_6h", BURN_6H, BURN_30M, 6, 0.05, SLO_PAGE},
    {"ticket_1d", BURN_1D, BURN_2H, 24, 0.1, SLO_TICKET},
    {"ticket_3d", BURN_3D, BURN_6H, 72, 0.1, SLO_TICKET},
};

static const char *const severity_names[SLO_SEVERITIES] = {"page", "ticket"};

enum { SHORT_BAD_LEAST = 2 }; /* rule 1 */

/* Rule 2. */
#define CLEAR_SHARE      0.1
#define CLEAR_DEVIATIONS 2

/* How many spans would be bad at a pair's rate. */
static double bad_at_rate(const struct slo *s, int p, struct tally window)
{
    return s->burn[p] * s->allowed * (double)window.all;
}

static bool is_faster(const struct slo *s, int p, struct tally window)
{
    return (double)window.bad > bad_at_rate(s, p, window);
}

/* Counts of what is rare deviate by the root of what is expected (Poisson). */
static bool is_clearly_slower(const struct slo *s, int p, struct tally window)
{
    double limit = bad_at_rate(s, p, window);
    double clear = fmax(CLEAR_SHARE * limit, CLEAR_DEVIATIONS * sqrt(limit));
    return (double)window.bad < limit - clear;
}

/* Rule 1. */
static bool pair_fires(const struct slo *s, int p, const struct burn_ring *ring)
{
    struct tally wide = ring->window[slo_pairs[p].long_window];
    struct tally narrow = ring->window[slo_pairs[p].short_window];
    bool enough =
        wide.bad >= s->min_bad && narrow.all >= s->min_spans && narrow.bad >= SHORT_BAD_LEAST;
    return enough && is_faster(s, p, wide) && is_faster(s, p, narrow);
}

/* Rule 2. */
static bool pair_goes_on(const struct slo *s, int p, const struct burn_ring *ring)
{
    if (ring->window[slo_pairs[p].long_window].bad < s->min_bad) return false;
    for (int w = (int)slo_pairs[p].short_window; w <= (int)slo_pairs[p].long_window; w++) {
        if (is_clearly_slower(s, p, ring->window[w])) return false;
    }
    return true;
}

/* Whether a severity's condition holds, and by which pair. */
static bool severity_burns(const struct slo *s, int severity, const struct slo_alert *alert,
    const struct burn_ring *ring, uint64_t *pair)
{
    for (int p = 0; p < SLO_PAIRS; p++) {
        if ((int)slo_pairs[p].severity != severity || s->burn[p] == 0) continue;
        bool burns =
            alert->state == ALERT_FIRING ? pair_goes_on(s, p, ring) : pair_fires(s, p, ring);
        if (!burns) continue;
        *pair = (uint64_t)p;
        return true;
    }
    return false;
}

static void turn(const struct slo *s, int severity, const struct slo_alert *alert,
    const struct burn_ring *ring, const struct closing_moment *moment, struct transition *out)
{
    out->happened = true;
    out->alert = (struct alert){
        .rule = bytes_of(s->alert_name[severity]),
        .state = (enum alert_state)alert->state,
        .severity = bytes_of(severity_names[severity]),
        .condition = bytes_of(s->condition_text[alert->pair]),
        .value = slo_burn(s, ring->window[slo_pairs[alert->pair].long_window]),
        .since_ns = alert->since_ns,
        .at_ns = moment->end_ns,
    };
    slo_wording_fill(s, severity, alert, ring, moment->series, out);
}

static void resolve(const struct slo *s, int severity, struct slo_alert *alert,
    const struct burn_ring *ring, const struct closing_moment *moment, struct transition *out)
{
    alert->state = ALERT_RESOLVED;
    turn(s, severity, alert, ring, moment, out);
    *alert = (struct slo_alert){.state = ALERT_INACTIVE};
}

static void look(const struct slo *s, int severity, struct slo_alert *alert, struct burn_ring *ring,
    int64_t end_ns)
{
    uint64_t pair = alert->pair;
    bool burns = severity_burns(s, severity, alert, ring, &pair);
    if (alert->state == ALERT_FIRING) {
        if (burns) alert->met_ns = end_ns;
        return;
    }
    if (!burns) {
        *alert = (struct slo_alert){.state = ALERT_INACTIVE};
        return;
    }
    if (alert->state == ALERT_INACTIVE) alert->since_ns = end_ns - s->pane_ns;
    alert->state = ALERT_PENDING;
    alert->pair = pair;
    alert->met_ns = end_ns;
}

/* What is due and could not be said yet is due again after the next pane. */
static void say(const struct slo *s, int severity, struct slo_alert *alert,
    const struct burn_ring *ring, const struct closing_moment *moment, struct transition *out)
{
    int64_t end_ns = moment->end_ns;
    if (alert->state == ALERT_PENDING && end_ns - alert->since_ns >= s->for_ns) {
        alert->state = ALERT_FIRING;
        turn(s, severity, alert, ring, moment, out);
    } else if (alert->state == ALERT_FIRING && end_ns > alert->met_ns &&
               end_ns - alert->met_ns >= s->keep_firing_ns) {
        resolve(s, severity, alert, ring, moment, out);
    }
}

void slo_settle(
    const void *self, void *state, const struct closing_moment *moment, struct transition *out)
{
    const struct slo *s = self;
    struct slo_state *now = state;
    struct burn_ring *ring = slo_ring(now);
    burn_ring_advance(ring, (enum burn_budget)s->budget, slo_moment(s, moment->end_ns));
    for (int severity = 0; severity < SLO_SEVERITIES; severity++) {
        struct slo_alert *alert = &now->alert[severity];
        look(s, severity, alert, ring, moment->end_ns);
        if (!out->happened) say(s, severity, alert, ring, moment, out);
    }
}

bool slo_awake(const void *self, const void *state)
{
    (void)self;
    const struct slo_state *now = state;
    return now->alert[SLO_PAGE].state != ALERT_INACTIVE ||
           now->alert[SLO_TICKET].state != ALERT_INACTIVE;
}

/* One a call, so it is called until there is nothing more. */
void slo_leave(
    const void *self, void *state, const struct closing_moment *moment, struct transition *out)
{
    struct slo_state *now = state;
    struct burn_ring *ring = slo_ring(now);
    for (int severity = 0; severity < SLO_SEVERITIES && !out->happened; severity++) {
        struct slo_alert *alert = &now->alert[severity];
        if (alert->state == ALERT_FIRING)
            resolve(self, severity, alert, ring, moment, out);
        else
            *alert = (struct slo_alert){.state = ALERT_INACTIVE};
    }
}
