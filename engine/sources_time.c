/* How the clocks of a thread's partitions move without records, and when they must not. */
#include "engine/aggregate_metadata.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/sources.h"

#include <stdlib.h>

enum { IDLE_ASK_MS = 1000, AHEAD_ASK_MS = 200, BEHIND_ASK_MS = 1000 };

int64_t sources_published_watermark(const struct sources *s)
{
    uint32_t count = s->worker->plan->partitions;
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    int64_t least = INT64_MAX;
    struct error err;
    enum status status = kafka_group_committed(
        s->worker->observer, "aggregate", s->worker->partials, count, committed, &err);
    for (uint32_t p = 0; p < count; p++) {
        struct aggregate_metadata metadata;
        bool known = status == ST_OK && aggregate_metadata_read(&metadata, committed[p].metadata);
        int64_t watermark_ns = known ? metadata.watermark_ns : WATERMARK_NONE;
        if (watermark_ns < least) least = watermark_ns;
    }
    free(committed);
    return least;
}

void sources_ask_idle(struct sources *s)
{
    struct worker *w = s->worker;
    int64_t now_ns = clock_ns();
    if (w->config->time != TIME_LIVE || now_ns - s->idle_asked_ns < IDLE_ASK_MS * NS_PER_MS) return;
    s->idle_asked_ns = now_ns;
    for (uint32_t t = 0; t < w->config->topics.count; t++) {
        uint32_t count = s->topic[t].partitions;
        bool *wanted = memory_zeroed(count, sizeof(*wanted));
        int64_t *end = memory_zeroed(count, sizeof(*end));
        bool any = false;
        for (size_t i = 0; i < s->count; i++) {
            const struct source *source = &s->source[i];
            if (source->clock.topic != t || source->idle_at != source->clock.position) continue;
            wanted[source->clock.partition] = any = true;
        }
        struct error err;
        int64_t asked_ns = clock_wall_ns();
        const char *topic = w->config->topics.text[t];
        enum status status =
            any ? kafka_offsets_at(w->observer, topic, count, wanted, KAFKA_AT_END, end, &err)
                : ST_RETRY;
        for (size_t i = 0; i < s->count && status == ST_OK; i++) {
            struct source *source = &s->source[i];
            if (source->clock.topic != t || !wanted[source->clock.partition]) continue;
            if (end[source->clock.partition] != source->idle_at) continue;
            int64_t before_ns = source->clock.watermark_ns;
            source_clock_raise(&source->clock, asked_ns - w->config->lateness_ns);
            source->changed = source->changed || source->clock.watermark_ns != before_ns;
        }
        free(wanted);
        free(end);
    }
}

/* Whether it is time to hear from aggregate: often while somebody is far ahead, else now and then. */
static bool hold_ask(const struct sources *s, int64_t now_ns)
{
    int64_t since_ns = now_ns - s->ahead_asked_ns;
    if (since_ns < AHEAD_ASK_MS * NS_PER_MS) return false;
    if (since_ns >= BEHIND_ASK_MS * NS_PER_MS) return true;
    for (size_t i = 0; i < s->count; i++) {
        const struct source *source = &s->source[i];
        if (source->clock.watermark_ns == WATERMARK_NONE || source->clock.ended) continue;
        if (source->paused || s->published_ns == WATERMARK_NONE) return true;
        if (source->clock.watermark_ns - s->published_ns > s->worker->config->max_ahead_ns / 2)
            return true;
    }
    return false;
}

/*
 * While aggregate has panes left to close it needs partials to go on with, also when there is nothing
 * to say: an epoch without spans is sent.
 */
static void nudge(struct sources *s)
{
    int64_t least = INT64_MAX;
    bool ended = s->count != 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct source_clock *clock = &s->source[i].clock;
        ended = ended && clock->ended;
        if (!clock->ended && clock->watermark_ns < least) least = clock->watermark_ns;
    }
    bool known = least != INT64_MAX && least != WATERMARK_NONE && s->published_ns != WATERMARK_NONE;
    bool behind = known && s->published_ns + s->worker->config->pane_ns <= least;
    if (ended || behind) s->source[0].changed = true;
}

void sources_hold_ahead(struct sources *s, struct kafka *kafka)
{
    int64_t now_ns = clock_ns();
    if (s->count == 0 || !hold_ask(s, now_ns)) return;
    s->ahead_asked_ns = now_ns;
    s->published_ns = sources_published_watermark(s);
    nudge(s);

    int64_t base = s->published_ns;
    for (size_t i = 0; base == WATERMARK_NONE && i < s->count; i++) {
        int64_t own = s->source[i].clock.watermark_ns;
        if (own != WATERMARK_NONE && (base == WATERMARK_NONE || own < base)) base = own;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct source *source = &s->source[i];
        if (source->clock.ended || source->clock.watermark_ns == WATERMARK_NONE) continue;
        bool ahead = source->clock.watermark_ns - base > s->worker->config->max_ahead_ns;
        int32_t partition = (int32_t)source->clock.partition;
        if (ahead && !source->paused)
            source->paused = kafka_pause(kafka, source->clock.topic, partition);
        if (!ahead && source->paused)
            source->paused = !kafka_resume(kafka, source->clock.topic, partition);
        if (s->published_ns != WATERMARK_NONE)
            metric_set(source->ahead, (double)(source->clock.watermark_ns - s->published_ns) / 1e9);
    }
    sources_say_slowest(s);
}
