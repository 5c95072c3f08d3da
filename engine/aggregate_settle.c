/* How aggregate goes over to other settings, at the offset of the log that brings them. */
#include "engine/aggregate_state.h"
#include "engine/base/memory.h"

#include <stdlib.h>

enum { NOWHERE = -1 };

/* Where each operator's state was, and which of the old operators are no more. */
struct moving {
    const struct config *before, *after;
    ptrdiff_t from[OPERATORS_MAX]; /* of each new one, in the old states; NOWHERE: it begins anew */
    size_t at[OPERATORS_MAX];      /* of each old one */
    bool stays[OPERATORS_MAX];     /* each old one */
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

static ptrdiff_t moved_from(struct moving *m, const struct operator_instance *o)
{
    for (size_t i = 0; i < m->before->operator_count; i++) {
        if (m->stays[i] || !configured_alike(&m->before->operators[i], o)) continue;
        m->stays[i] = true;
        return (ptrdiff_t)m->at[i];
    }
    return NOWHERE;
}

static void moving_init(struct moving *m, const struct config *before, const struct config *after)
{
    size_t at = 0;
    *m = (struct moving){.before = before, .after = after};
    for (size_t i = 0; i < before->operator_count; i++) {
        m->at[i] = at;
        at += state_bytes(&before->operators[i]);
    }
    for (size_t i = 0; i < after->operator_count; i++)
        m->from[i] = moved_from(m, &after->operators[i]);
}

/* What the operators that go have said of a series and would never take back. */
static void states_leave(const struct moving *m, struct closing *closing, struct series *series)
{
    int64_t pane = closing->pane == PANE_NONE ? 0 : closing->pane;
    const struct closing_moment moment = {
        .series = series->name, .end_ns = pane * closing->plan->pane_ns};
    struct buffer text = {0};
    for (size_t i = 0; i < m->before->operator_count; i++) {
        const struct operator_instance *o = &m->before->operators[i];
        struct transition transition = {.text = closing->records->silent ? NULL : &text};
        if (m->stays[i] || o->operator_->leave == NULL) continue;
        unsigned char *state = (unsigned char *)series->states + m->at[i];
        o->operator_->leave(o->self, state, &moment, &transition);
        if (transition.happened)
            windows_say_alert(closing, series, &transition.alert, moment.end_ns);
        buffer_reset(&text);
    }
    buffer_release(&text);
}

static void states_move(const struct moving *m, struct series *series, size_t bytes)
{
    unsigned char *states = memory_zeroed(1, bytes == 0 ? 1 : bytes), *to = states;
    for (size_t i = 0; i < m->after->operator_count; i++) {
        size_t size = state_bytes(&m->after->operators[i]);
        if (m->from[i] != NOWHERE)
            memcpy(to, (const unsigned char *)series->states + m->from[i], size);
        to += size;
    }
    free(series->states);
    series->states = states;
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
        states_move(&moving, a->series.series[i], a->series.states_bytes);
    }
    settings_free(a->settings);
    a->settings = settings;
    a->plan = &settings->plan;
    return ST_OK;
}
