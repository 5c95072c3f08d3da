#include "engine/cmd/past_burn.h"

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "sinks/row_compact.h"

#include <stdlib.h>

#define BEFORE_NS (3 * 86400 * NS_PER_S) /* the widest window of an alert */
#define STEP_NS   (30 * NS_PER_S)        /* the finest bucket of a window */
#define MANY      (UINT64_C(1) << 40)    /* beside which what is known of a window is nothing */

static void add(const struct slo *s, struct slo_state *state, int64_t end_ns, struct tally spans)
{
    burn_ring_add(slo_ring(state), (enum burn_budget)s->budget, slo_moment(s, end_ns), spans);
}

static struct slo_state *begin(const struct slo *s, int64_t from_ns, bool all_bad)
{
    static const enum slo_pair first[SLO_SEVERITIES] = {SLO_PAGE_1H, SLO_TICKET_1D};
    size_t bytes = sizeof(struct slo_state) + burn_ring_bytes((enum burn_budget)s->budget);
    struct slo_state *state = memory_zeroed(1, bytes);
    const struct tally before = {.all = MANY, .bad = all_bad ? MANY : 0};
    for (int64_t end_ns = from_ns - BEFORE_NS; end_ns <= from_ns; end_ns += STEP_NS)
        add(s, state, end_ns, before);
    for (int severity = 0; all_bad && severity < SLO_SEVERITIES; severity++) {
        state->alert[severity] = (struct slo_alert){
            .state = ALERT_FIRING, .pair = first[severity], .since_ns = from_ns, .met_ns = from_ns};
    }
    return state;
}

static void settle(
    const struct slo *s, struct slo_state *state, struct bytes series, int64_t end_ns)
{
    const struct closing_moment moment = {.series = series, .end_ns = end_ns};
    struct transition unsaid = {0};
    slo_settle(s, state, &moment, &unsaid);
}

/* As aggregate does it, slice by slice. */
static void replay_part(
    const struct slo *s, struct slo_state *state, struct bytes series, const struct past_part *part)
{
    size_t i = 0;
    for (int64_t end_ms = part->from_ms + part->width_ms; end_ms <= part->to_ms;
         end_ms += part->width_ms) {
        for (; i < part->rows.count && part->rows.item[i].at_ms <= end_ms; i++) {
            struct row_compact row;
            if (!row_compact_parse(part->rows.item[i].value, &row)) continue;
            add(s, state, end_ms * NS_PER_MS,
                (struct tally){
                    .all = row.spans, .bad = row.errors < row.spans ? row.errors : row.spans});
        }
        settle(s, state, series, end_ms * NS_PER_MS);
    }
}

static struct slo_state *replay(
    const struct slo *s, struct bytes series, const struct past_counts *counts, bool all_bad)
{
    struct slo_state *state = begin(s, counts->from_ms * NS_PER_MS, all_bad);
    for (size_t p = counts->parts; p > 0; p--)
        replay_part(s, state, series, &counts->part[p - 1]);
    return state;
}

void past_burn_replay(struct past_burn *burn, const struct slo *slo, struct bytes series,
    const struct past_counts *counts)
{
    burn->least = replay(slo, series, counts, false);
    burn->most = replay(slo, series, counts, true);
}

void past_burn_release(struct past_burn *burn)
{
    free(burn->least);
    free(burn->most);
    *burn = (struct past_burn){0};
}

bool past_burn_window(const struct past_burn *burn, enum burn_window window, struct tally *spans)
{
    *spans = slo_ring(burn->least)->window[window];
    bool known = spans->bad == slo_ring(burn->most)->window[window].bad;
    if (!known) spans->all = spans->bad;
    return known;
}
