/* How aggregate goes over to other settings, at the offset of the log that brings them. */
#include "engine/aggregate_state.h"
#include "engine/base/memory.h"

#include <stdlib.h>

enum { NOWHERE = -1 };

/* Which of the old operators each new one is, and which of the old are no more. */
struct moving {
    const struct config *before, *after;
    int from[OPERATORS_MAX];     /* of each new one, in the old list; NOWHERE: it begins anew */
    bool stays[OPERATORS_MAX];   /* each old one */
    bool renamed[OPERATORS_MAX]; /* each old one that stays: what it said has other labels now */
};

static size_t state_bytes(const struct operator_instance *o)
{
    return o->operator_->state_bytes(o->self);
}

static bool configured_alike(const struct operator_instance *a, const struct operator_instance *b)
{
    return a->operator_ == b->operator_ && state_bytes(a) == state_bytes(b) &&
           aggregate_signature(a) == aggregate_signature(b);
}

static const struct option *labels_of(const struct operator_instance *o)
{
    const struct option *option = o->operator_->options;
    while (option->key != NULL && strcmp(option->key, "labels") != 0)
        option++;
    return option->key == NULL ? NULL : option;
}

/* By their labels alerts are known elsewhere. */
static bool labelled_alike(const struct operator_instance *a, const struct operator_instance *b)
{
    const struct option *labels = labels_of(a);
    if (labels == NULL) return true;
    return aggregate_option_signature(a, labels) == aggregate_option_signature(b, labels);
}

static int moved_from(struct moving *m, const struct operator_instance *o)
{
    for (size_t i = 0; i < m->before->operator_count; i++) {
        if (m->stays[i] || !configured_alike(&m->before->operators[i], o)) continue;
        m->stays[i] = true;
        m->renamed[i] = !labelled_alike(&m->before->operators[i], o);
        return (int)i;
    }
    return NOWHERE;
}

static void moving_init(struct moving *m, const struct config *before, const struct config *after)
{
    *m = (struct moving){.before = before, .after = after};
    for (size_t i = 0; i < after->operator_count; i++)
        m->from[i] = moved_from(m, &after->operators[i]);
}

/* What the operators that go have said of a series and would never take back, or under other labels. */
static void states_leave(const struct moving *m, struct closing *closing, struct series *series)
{
    int64_t pane = closing->pane == PANE_NONE ? 0 : closing->pane;
    const struct closing_moment moment = {
        .series = series->name, .end_ns = pane * closing->plan->pane_ns};
    struct states_walk walk = states_begin(m->before, series->concerned, series->states);
    while (states_next(&walk)) {
        bool goes = !m->stays[walk.index] || m->renamed[walk.index];
        if (!goes || walk.operator_->leave == NULL) continue;
        for (;;) {
            struct transition out = {.text = closing->records->silent ? NULL : &closing->text};
            walk.operator_->leave(walk.self, walk.state, &moment, &out);
            if (out.happened) windows_say_alert(closing, series, &out.alert, moment.end_ns);
            if (out.text != NULL) buffer_reset(out.text);
            if (!out.happened) break;
        }
    }
}

/* The state of an old operator; NULL: it had none here. */
static const void *state_before(const struct moving *m, const struct series *series, int index)
{
    struct states_walk walk = states_begin(m->before, series->concerned, series->states);
    while (index != NOWHERE && states_next(&walk)) {
        if (walk.index == (size_t)index) return walk.state;
    }
    return NULL;
}

static void states_move(const struct moving *m, struct series *series, int64_t pane_ns)
{
    uint64_t concerned = states_concerned(m->after, series->name);
    void *states = memory_zeroed(1, states_bytes(m->after, concerned) + 1);
    struct states_walk walk = states_begin(m->after, concerned, states);
    while (states_next(&walk)) {
        const void *before = state_before(m, series, m->from[walk.index]);
        if (before != NULL)
            memcpy(walk.state, before, walk.operator_->state_bytes(walk.self));
        else if (walk.operator_->begin != NULL && series->closed_pane != PANE_NONE)
            walk.operator_->begin(walk.self, walk.state, (series->closed_pane + 1) * pane_ns);
    }
    free(series->states);
    series->states = states;
    series->concerned = concerned;
    series->awake = states_awake(m->after, concerned, states);
}

enum status aggregate_settle(
    struct aggregate *a, struct bytes text, struct records *records, struct error *err)
{
    if (a->settings != NULL && bytes_equal(buffer_bytes(&a->settings->text), text)) return ST_OK;
    struct settings *settings;
    enum status status = settings_read(&settings, a->base, text, err);
    if (status != ST_OK) return status;

    struct moving moving;
    struct closing closing = aggregate_closing(a, records);
    moving_init(&moving, a->plan->config, &settings->config);
    series_table_settle(&a->series, &settings->plan);
    for (size_t i = 0; i < a->series.count; i++) {
        states_leave(&moving, &closing, a->series.series[i]);
        states_move(&moving, a->series.series[i], a->plan->pane_ns);
        if (a->series.series[i]->awake) series_activate(&a->series, a->series.series[i]);
    }
    buffer_release(&closing.text);
    settings_free(a->settings);
    a->settings = settings;
    a->plan = &settings->plan;
    return ST_OK;
}
