/* Who holds everybody back: of all source partitions of all workers, the one whose clock is the least. */
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/sources.h"

#include <inttypes.h>
#include <stdlib.h>

#define ASK_NS NS_PER_S
#define SAY_NS (30 * NS_PER_S)

/* While partitions are taken over each of them is the slowest for a moment. */
#define HOLDS_NS (2 * NS_PER_S)

struct slowest {
    uint32_t topic, partition;
    int64_t watermark_ns; /* INT64_MAX: none found */
    int64_t records;      /* that it has left */
};

/* How far the newest of our clocks is past aggregate, and how many partitions wait for that. */
static int64_t ahead_of(const struct sources *s, int64_t *newest_ns, size_t *waiting)
{
    *newest_ns = WATERMARK_NONE;
    *waiting = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct source *source = &s->source[i];
        if (source->clock.ended) continue;
        *waiting += source->paused;
        if (source->clock.watermark_ns > *newest_ns) *newest_ns = source->clock.watermark_ns;
    }
    bool known = *newest_ns != WATERMARK_NONE && s->published_ns != WATERMARK_NONE;
    return known ? *newest_ns - s->published_ns : 0;
}

/* Lower `slowest` to the slowest partition of a topic, as combine has committed them. */
static enum status look_at(const struct sources *s, uint32_t topic, struct slowest *slowest)
{
    struct worker *w = s->worker;
    const char *name = w->config->topics.text[topic];
    uint32_t count = s->topic[topic].partitions;
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    int64_t *end = memory_zeroed(count, sizeof(*end));
    struct error err;
    enum status status =
        kafka_group_committed(w->observer, "combine", name, count, committed, &err);
    if (status == ST_OK)
        status = kafka_offsets_at(w->observer, name, count, NULL, KAFKA_AT_END, end, &err);
    for (uint32_t p = 0; p < count && status == ST_OK; p++) {
        struct source_clock clock = {.watermark_ns = WATERMARK_NONE};
        uint32_t partitions;
        source_clock_read(&clock, &partitions, bytes_of(committed[p].metadata));
        bool known = clock.watermark_ns != WATERMARK_NONE && !clock.ended;
        if (!known || clock.watermark_ns >= slowest->watermark_ns) continue;
        int64_t left = end[p] - (committed[p].offset < 0 ? 0 : committed[p].offset);
        *slowest = (struct slowest){topic, p, clock.watermark_ns, left < 0 ? 0 : left};
    }
    free(committed);
    free(end);
    return status;
}

/* Whether this partition has been the slowest for a while. */
static bool holds_on(const struct slowest *slowest)
{
    static struct slowest last = {.watermark_ns = INT64_MAX};
    static int64_t since_ns;
    bool other = last.watermark_ns == INT64_MAX || last.topic != slowest->topic ||
                 last.partition != slowest->partition;
    int64_t now_ns = clock_ns();
    if (other) since_ns = now_ns;
    last = *slowest;
    return now_ns - since_ns >= HOLDS_NS;
}

void sources_say_slowest(const struct sources *s)
{
    static struct log_gate asking, saying;
    const struct config *config = s->worker->config;
    int64_t newest_ns;
    size_t waiting;
    if (ahead_of(s, &newest_ns, &waiting) <= config->max_ahead_ns / 2) return;
    if (!log_every(&asking, ASK_NS)) return;

    struct slowest slowest = {.watermark_ns = INT64_MAX};
    for (uint32_t t = 0; t < config->topics.count; t++) {
        if (look_at(s, t, &slowest) != ST_OK) return;
    }
    if (newest_ns - slowest.watermark_ns <= config->max_ahead_ns / 2) return;
    if (!holds_on(&slowest)) return;
    if (!log_every(&saying, SAY_NS)) return;
    log_warn("combine",
        slowest.records > 0
            ? "one partition holds the others back: more workers, so that its thread reads nothing "
              "else, or its keys spread over more partitions"
            : "one partition holds the others back, and has no more records: in `time: records` "
              "only those move time",
        "topic=%s partition=%" PRIu32 " behind=%s records=%" PRId64 " waiting=%zu max_ahead=%s",
        config->topics.text[slowest.topic], slowest.partition,
        duration_print((newest_ns - slowest.watermark_ns) / NS_PER_S * NS_PER_S).text,
        slowest.records, waiting, duration_print(config->max_ahead_ns).text);
}
