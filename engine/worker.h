/*
 * One worker process: the threads of all three stages over one config and plan.
 */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "engine/kafka_observer.h"
#include "engine/plan.h"
#include "engine/reload.h"
#include "schemas/decoder.h"

#include <stdatomic.h>

enum { TOPIC_BYTES = 256 };

/* Batch mode: read from one time to another, then close everything and leave. */
struct batch {
    bool until_end;
    int64_t from_ms; /* KAFKA_AT_START: where the config says */
    int64_t to_ms;   /* KAFKA_AT_END: the ends seen at start */
};

struct worker {
    const struct config *config;
    const struct plan *plan;
    const struct decoder *decoder;
    struct batch batch;
    char instance[64];
    uint32_t generation; /* of the plan, and of the topics below */
    char partials[TOPIC_BYTES], rows[TOPIC_BYTES], state[TOPIC_BYTES]; /* topics */
    _Atomic(struct live *) live; /* what may change of config and plan, as it is now */
    struct kafka_observer *observer;
    uint32_t *source_partitions;  /* of each input topic, as seen at start */
    atomic_uint *source_expected; /* of each input topic, the most that anyone has heard of */
    int64_t **source_end;         /* batch mode: where each input partition ends */
    atomic_bool read_all;         /* batch mode: all is read, combine threads leave first */
    atomic_uint combining;        /* combine threads that have not left */
    atomic_uint sinks_drained;    /* sink threads whose store holds all that their partitions say */
    atomic_uint sinks_away;       /* sink threads whose store does not take rows */
    atomic_bool stopping;         /* finish the epoch and leave */
    atomic_bool failing;          /* some thread is the first one */
    atomic_bool failed;
    struct error failure; /* of the first thread that failed; written before `failed` */
};

/*
 * Run until a signal, a failure, or in batch mode until everything is applied.
 *
 * returns  ST_OK; ST_FATAL, `err` saying what failed
 */
enum status worker_run(
    const struct config *config, const struct batch *batch, struct error *err) MUST_USE;

/* A thread cannot go on: stop the process. */
void worker_fail(struct worker *worker, const struct error *err);

/* Wait out a broker or Redis that is away; ends early when the worker stops. */
void worker_pause(const struct worker *worker, int64_t for_ns);

static inline bool worker_stopping(const struct worker *worker)
{
    return atomic_load_explicit(&worker->stopping, memory_order_relaxed);
}

/* A stage's thread: runs until the worker stops. */
struct stage_thread {
    struct worker *worker;
    uint32_t thread; /* index within its stage */
};

void combine_stage(struct stage_thread *self);
void aggregate_stage(struct stage_thread *self);
void sink_stage(struct stage_thread *self);

/* Kafka has something to say that may pass: once in a while in the log. */
void stage_trouble(const char *stage, const struct error *err);

/*
 * After a failed epoch: abort and rewind, or open the handle anew, or end the process.
 *
 * kafka    in and out: closed and NULL where the handle is done for
 * fencing  the caller's memory of when it was fenced last
 */
struct fencing {
    int64_t last_ns;
    uint32_t count;
};
void stage_recover(struct worker *worker, struct kafka **kafka, enum status status,
    struct fencing *fencing, const char *stage, struct error *err);

#endif
