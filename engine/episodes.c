#include "engine/episodes.h"

#include "engine/base/memory.h"

#include <stdlib.h>
#include <string.h>

static struct bytes keep(struct episodes *e, struct bytes text)
{
    uint8_t *copy = pool_take(&e->texts, text.size + 1);
    memcpy(copy, text.data == NULL ? (const uint8_t *)"" : text.data, text.size);
    return (struct bytes){copy, text.size};
}

static struct episode *append(
    struct episodes *e, enum episode_side side, const struct alert *alert, int64_t fired_ns)
{
    if (e->count == e->capacity) {
        e->capacity = e->capacity == 0 ? 64 : 2 * e->capacity;
        e->episode = memory_resize(e->episode, e->capacity, sizeof(*e->episode));
    }
    struct episode *new = &e->episode[e->count++];
    *new = (struct episode){
        .side = side,
        .rule = keep(e, alert->rule),
        .series = keep(e, alert->series),
        .severity = keep(e, alert->severity),
        .fired_ns = fired_ns,
        .resolved_ns = EPISODE_OPEN,
    };
    return new;
}

static struct episode *open_one(
    struct episodes *e, enum episode_side side, const struct alert *alert)
{
    for (size_t i = e->count; i > 0; i--) {
        struct episode *at = &e->episode[i - 1];
        if (at->side == side && at->resolved_ns == EPISODE_OPEN &&
            bytes_equal(at->rule, alert->rule) && bytes_equal(at->series, alert->series))
            return at;
    }
    return NULL;
}

void episodes_turn(struct episodes *e, enum episode_side side, const struct alert *alert)
{
    struct episode *open = open_one(e, side, alert);
    if (alert->state == ALERT_FIRING) {
        if (open == NULL) append(e, side, alert, alert->at_ns); /* else it is said again */
        return;
    }
    if (alert->state != ALERT_RESOLVED) return;
    if (open == NULL) open = append(e, side, alert, EPISODE_OPEN);
    open->resolved_ns = alert->at_ns;
}

void episodes_release(struct episodes *e)
{
    free(e->episode);
    pool_release(&e->texts);
    *e = (struct episodes){0};
}

static int bytes_order(struct bytes a, struct bytes b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* EPISODE_OPEN is before all times where something begins, and after them where it ends. */
static int64_t begin_of(const struct episode *e)
{
    return e->fired_ns;
}

static int64_t end_of(const struct episode *e)
{
    return e->resolved_ns == EPISODE_OPEN ? INT64_MAX : e->resolved_ns;
}

static int episode_order(const void *left, const void *right)
{
    const struct episode *a = left, *b = right;
    int order = bytes_order(a->rule, b->rule);
    if (order == 0) order = bytes_order(a->series, b->series);
    if (order == 0) order = (begin_of(a) > begin_of(b)) - (begin_of(a) < begin_of(b));
    if (order == 0) order = (end_of(a) > end_of(b)) - (end_of(a) < end_of(b));
    return order != 0 ? order : (int)a->side - (int)b->side;
}

static bool goes_with(const struct episode *a, const struct episode *b)
{
    return a->side != b->side && bytes_equal(a->rule, b->rule) &&
           bytes_equal(a->series, b->series) && begin_of(a) <= end_of(b) &&
           begin_of(b) <= end_of(a);
}

static bool is_within(const struct episode *e, int64_t from_ns, int64_t to_ns)
{
    return end_of(e) >= from_ns && begin_of(e) < to_ns;
}

/* In order of time each takes the first of the other side that it overlaps and nobody has taken. */
size_t episodes_pair(
    struct episodes *e, int64_t from_ns, int64_t to_ns, struct episode_pair **pairs)
{
    size_t count = 0;
    bool *taken = memory_zeroed(e->count + 1, sizeof(*taken));
    *pairs = memory_zeroed(e->count + 1, sizeof(**pairs));
    if (e->count > 0) qsort(e->episode, e->count, sizeof(*e->episode), episode_order);
    for (size_t i = 0; i < e->count; i++) {
        const struct episode *one = &e->episode[i], *other = NULL;
        if (taken[i]) continue;
        for (size_t j = i + 1; j < e->count && other == NULL; j++) {
            if (bytes_order(e->episode[j].rule, one->rule) != 0 ||
                bytes_order(e->episode[j].series, one->series) != 0)
                break;
            if (taken[j] || !goes_with(one, &e->episode[j])) continue;
            other = &e->episode[j];
            taken[j] = true;
        }
        bool within =
            is_within(one, from_ns, to_ns) || (other != NULL && is_within(other, from_ns, to_ns));
        if (!within) continue;
        bool ran = one->side == EPISODE_RAN;
        (*pairs)[count++] = (struct episode_pair){ran ? one : other, ran ? other : one};
    }
    free(taken);
    return count;
}
