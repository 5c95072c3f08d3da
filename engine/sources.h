/*
 * The source partitions that one combine thread owns: where each starts, its clock, its end, and
 * whether it must wait for the others.
 */
#ifndef ENGINE_SOURCES_H
#define ENGINE_SOURCES_H

#include "engine/metrics.h"
#include "engine/watermark.h"
#include "engine/worker.h"

/* A source partition that this thread owns. */
struct source {
    struct source_clock clock;
    int64_t idle_at;           /* position at which its end was reached; -1: not idle */
    int64_t end;               /* batch mode: where it ends; INT64_MAX: never */
    uint32_t partitions_first; /* that its topic had when this group began to read it */
    bool paused;
    bool changed; /* since the last commit */
    struct metric *lag_records, *lag_seconds, *watermark, *ahead;
};

struct sources {
    struct worker *worker;
    struct source *source;
    size_t count;
    struct partial_topic *topic; /* every input topic, with its partitions as last heard */
    int64_t idle_asked_ns;       /* when the ends of idle partitions were asked last, by clock_ns */
    int64_t ahead_asked_ns;      /* when aggregate's watermark was asked last */
    int64_t published_ns;        /* aggregate's watermark as last heard */
};

void sources_init(struct sources *sources, struct worker *worker);
void sources_release(struct sources *sources);
void sources_forget(struct sources *sources); /* own none */

/* After KAFKA_ASSIGNED: take over what was assigned, at its committed clock, and start reading. */
enum status sources_assign(
    struct sources *sources, struct kafka *kafka, struct error *err) MUST_USE;

struct source *sources_find(
    struct sources *sources, uint32_t topic, int32_t partition); /* or NULL */
bool sources_changed(const struct sources *sources);             /* since the last commit */

/* Batch mode: a partition that was read to its end is ended, and not read any further. */
void source_end_check(struct source *source, struct kafka *kafka);

/*
 * In live time a partition without new records lets its clock follow the wall clock, once Kafka
 * confirms that the end at which we are is its end. Asks at most once a second.
 */
void sources_ask_idle(struct sources *sources);

/*
 * A partition whose clock is more than max_ahead past what aggregate has closed waits, so that open
 * panes stay bounded. Until aggregate has a watermark, the least of our own clocks stands in for it.
 */
void sources_hold_ahead(struct sources *sources, struct kafka *kafka);

/*
 * While one of our partitions is more than half of max_ahead past aggregate: say, once in a while,
 * which partition of all workers holds the watermark, by how much, and what helps.
 */
void sources_say_slowest(const struct sources *sources);

/* Aggregate's watermark as committed: the least of all partitions; WATERMARK_NONE until all have one. */
int64_t sources_published_watermark(const struct sources *sources);

#endif
