#include "engine/backtest_tellings.h"

#include "engine/base/memory.h"
#include "engine/fleet.h"

#include <stdio.h>
#include <stdlib.h>

void tellings_add(struct tellings *t, const struct alert *alert, uint64_t plan)
{
    if (t->count == t->capacity) {
        t->capacity = t->capacity == 0 ? 64 : 2 * t->capacity;
        t->telling = memory_resize(t->telling, t->capacity, sizeof(*t->telling));
    }
    struct alert told = *alert;
    snprintf(told.id, sizeof(told.id), "backtest"); /* an alert has one; incidents get their own */
    size_t at = t->text.size;
    fleet_tell(&told, plan, &t->text);
    t->telling[t->count++] =
        (struct telling){.at_ns = alert->at_ns, .at = at, .bytes = t->text.size - at};
}

void tellings_release(struct tellings *t)
{
    free(t->telling);
    buffer_release(&t->text);
    *t = (struct tellings){0};
}

/* By time; those of one moment as they were told. */
static int telling_order(const void *left, const void *right)
{
    const struct telling *a = left, *b = right;
    if (a->at_ns != b->at_ns) return a->at_ns < b->at_ns ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static void episodes_take(struct episodes *episodes, const struct records *records)
{
    struct output *out = memory_zeroed(1, sizeof(*out));
    struct error unused;
    for (size_t i = 0; i < records->count; i++) {
        struct bytes key, value;
        records_get(records, i, &key, &value);
        if (output_decode(value, out, &unused) == ST_OK)
            episodes_turn(episodes, EPISODE_TESTED, &out->alert);
    }
    free(out);
}

/* Tell the fleet all of one moment; the first of the next one. */
static size_t tell_moment(
    const struct tellings *t, size_t first, struct fleet *fleet, struct buffer *alerts)
{
    int64_t at_ns = t->telling[first].at_ns;
    size_t next = first;
    struct error unused;
    buffer_reset(alerts);
    for (; next < t->count && t->telling[next].at_ns == at_ns; next++)
        buffer_append(alerts, t->text.data + t->telling[next].at, t->telling[next].bytes);
    struct partial_telling telling = {.closed_ns = at_ns, .alerts = buffer_bytes(alerts)};
    enum status status = fleet_take(fleet, &telling, &unused);
    (void)status; /* what was written here can be read here */
    return next;
}

void tellings_decide(struct tellings *t, uint64_t plan, struct episodes *episodes)
{
    struct fleet *fleet = fleet_new(1);
    struct records records = {0};
    struct buffer alerts = {0};
    if (t->count > 0) qsort(t->telling, t->count, sizeof(*t->telling), telling_order);
    for (size_t i = 0; i < t->count;) {
        i = tell_moment(t, i, fleet, &alerts);
        fleet_decide(fleet, 0, plan, &records);
        episodes_take(episodes, &records);
        records_reset(&records);
    }
    buffer_release(&alerts);
    records_release(&records);
    fleet_free(fleet);
    tellings_release(t);
}
