#include "engine/watch.h"

#include "engine/base/clock.h"
#include "engine/base/failpoint.h"
#include "engine/base/instant.h"
#include "engine/base/memory.h"
#include "engine/trouble.h"
#include "engine/without.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OWN_TOPICS = 3,
    ROUND_MS = 2000,
    MISSED_ROUNDS = 2, /* a broker that has just started may not know all topics yet */
};

/* A dead worker's transaction is ended by the broker within 20 s; what stands for longer needs somebody. */
#define OPEN_NS (30 * NS_PER_S)

/* How far a partition can be read with what is committed, and since when. */
struct stable {
    int64_t offset;
    int64_t since_ns, since_wall_ns;
};

struct watched {
    const char *topic;
    uint32_t partitions; /* as last heard */
    uint32_t missed;     /* rounds in which some were missing */
    struct stable *stable;
    uint32_t stables;
    int64_t patience_ns; /* how long a transaction may be open */
};

static void say_missing(struct watched *t, uint32_t expected, bool own)
{
    t->missed = t->partitions < expected ? t->missed + 1 : 0;
    if (t->missed == 0 || t->partitions != 0) trouble_end(TROUBLE_TOPIC, t->topic);
    if (t->missed == 0 || t->partitions == 0) trouble_end(TROUBLE_PARTITION, t->topic);
    if (t->missed < MISSED_ROUNDS) return;
    const char *waits = own ? "weir keeps its work in it" : "the watermark waits for it";
    if (t->partitions == 0) {
        trouble_begin(TROUBLE_TOPIC, t->topic,
            "there is no such topic any more; it had %" PRIu32 " partitions, and %s", expected,
            waits);
    } else {
        trouble_begin(TROUBLE_PARTITION, t->topic,
            "it has %" PRIu32 " partitions and had %" PRIu32 ": the watermark waits for partition "
            "%" PRIu32 " and those after it",
            t->partitions, expected, t->partitions);
    }
}

/*
 * Whether the last stable offset stands before the end. That the end moves is not asked: an idle
 * partition whose end cannot be read holds its clock as well.
 */
static void say_open(const struct watched *t, uint32_t p, int64_t stable, int64_t end)
{
    struct stable *s = &t->stable[p];
    char where[TOPIC_BYTES + 16];
    int64_t now_ns = clock_ns();
    snprintf(where, sizeof(where), "%s/%" PRIu32, t->topic, p);
    if (s->since_ns == 0 || stable != s->offset || stable >= end) {
        *s = (struct stable){stable, now_ns, clock_wall_ns()};
        trouble_end(TROUBLE_TRANSACTION, where);
    } else if (now_ns - s->since_ns >= t->patience_ns) {
        trouble_begin(TROUBLE_TRANSACTION, where,
            "readers stand at offset %" PRId64 " since %s, the log ends at %" PRId64, stable,
            instant_print(s->since_wall_ns).text, end);
    }
}

static void stables_resize(struct watched *t)
{
    for (uint32_t p = t->partitions; p < t->stables; p++)
        say_open(t, p, 0, 0);
    t->stable = memory_resize(t->stable, t->partitions + 1, sizeof(*t->stable));
    for (uint32_t p = t->stables; p < t->partitions; p++)
        t->stable[p] = (struct stable){0};
    t->stables = t->partitions;
}

static void watch_transactions(struct worker *w, struct watched *t)
{
    struct error err;
    int64_t *stable = memory_zeroed(t->partitions + 1, sizeof(*stable));
    int64_t *end = memory_zeroed(t->partitions + 1, sizeof(*end));
    stables_resize(t);
    enum status status = kafka_stable_ends(w->observer, t->topic, t->partitions, stable, &err);
    if (status == ST_OK) {
        status =
            kafka_offsets_at(w->observer, t->topic, t->partitions, NULL, KAFKA_AT_END, end, &err);
    }
    for (uint32_t p = 0; p < t->partitions && status == ST_OK; p++)
        say_open(t, p, stable[p], end[p]);
    free(stable);
    free(end);
}

/* How many partitions there should be: those there have ever been, but for the last ones in `without`. */
static uint32_t expected_of(struct worker *w, const struct watched *t, size_t i)
{
    if (i >= w->config->topics.count) return w->plan->partitions;
    uint32_t expected = atomic_load(&w->source_expected[i]);
    if (t->partitions > expected) {
        expected = t->partitions;
        atomic_store(&w->source_expected[i], expected);
    }
    while (expected > t->partitions && without_has(w->config, (uint32_t)i, expected - 1))
        expected--;
    return expected;
}

static void watch_round(struct worker *w, struct watched *topic, size_t topics)
{
    for (size_t i = 0; i < topics && !worker_stopping(w); i++) {
        struct watched *t = &topic[i];
        struct error err;
        if (kafka_partitions(w->observer, t->topic, &t->partitions, &err) != ST_OK) return;
        say_missing(t, expected_of(w, t, i), i >= w->config->topics.count);
        watch_transactions(w, t);
    }
}

void *watch_main(void *worker)
{
    struct worker *w = worker;
    size_t topics = w->config->topics.count + OWN_TOPICS;
    struct watched *topic = memory_zeroed(topics, sizeof(*topic));
    const char *const own[OWN_TOPICS] = {w->partials, w->rows, w->state};
    bool impatient = failpoint("watch", "impatient"); /* no test waits for half a minute */
    for (size_t i = 0; i < topics; i++) {
        size_t inputs = w->config->topics.count;
        topic[i].patience_ns = impatient ? OPEN_NS / 6 : OPEN_NS;
        topic[i].topic = i < inputs ? w->config->topics.text[i] : own[i - inputs];
    }
    while (!worker_stopping(w)) {
        watch_round(w, topic, topics);
        trouble_tick(clock_ns());
        worker_pause(w, ROUND_MS * NS_PER_MS);
    }
    for (size_t i = 0; i < topics; i++)
        free(topic[i].stable);
    free(topic);
    return NULL;
}
