#include "engine/judging.h"

#include "engine/base/memory.h"
#include "operators/false_discovery.h"

#include <stdlib.h>

/* Of one scorer and one view. */
struct judged {
    size_t count;
    double *p;       /* [count] */
    double *scratch; /* [count] */
    void **state;    /* [count] */
};

/* The series whose window was observed, in order of the table. */
struct observed {
    struct series **series;
    size_t count;
};

static void judged_add(
    struct judged *judged, const struct config *config, struct series *series, size_t index)
{
    struct states_walk walk = states_begin(config, series->concerned, series->states);
    while (states_next(&walk)) {
        if (walk.index != index) continue;
        judged->p[judged->count] = walk.operator_->surprise(walk.self, walk.state);
        judged->state[judged->count++] = walk.state;
    }
}

static void judge(const struct operator_instance *o, const struct judged *judged)
{
    struct discovery limit = discovery_of(judged->p, judged->count, judged->scratch);
    for (size_t i = 0; i < judged->count; i++) {
        enum score_level level = SCORE_NONE;
        if (judged->p[i] <= limit.notice) level = SCORE_NOTICE;
        if (judged->p[i] <= limit.page) level = SCORE_PAGE;
        o->operator_->judge(o->self, judged->state[i], level);
    }
}

static void judge_all(
    const struct plan *plan, const struct observed *observed, struct judged *judged)
{
    const struct config *config = plan->config;
    for (size_t o = 0; o < config->operator_count; o++) {
        if (config->operators[o].operator_->observe == NULL) continue;
        for (uint32_t view = 0; view < plan->views; view++) {
            judged->count = 0;
            for (size_t i = 0; i < observed->count; i++) {
                if (series_view(observed->series[i]) == view)
                    judged_add(judged, config, observed->series[i], o);
            }
            judge(&config->operators[o], judged);
        }
    }
}

void judging_score(struct closing *closing, struct series_table *table)
{
    struct observed observed = {.series = memory_zeroed(table->actives + 1, sizeof(void *))};
    for (size_t i = 0; i < table->actives; i++) {
        if (!windows_concern(closing->plan, table->active[i], closing->pane)) continue;
        windows_observe(closing, table->active[i]);
        observed.series[observed.count++] = table->active[i];
    }
    struct judged judged = {.p = memory_zeroed(observed.count + 1, sizeof(double)),
        .scratch = memory_zeroed(observed.count + 1, sizeof(double)),
        .state = memory_zeroed(observed.count + 1, sizeof(void *))};
    judge_all(closing->plan, &observed, &judged);
    free(judged.p);
    free(judged.scratch);
    free(judged.state);
    free(observed.series);
}
