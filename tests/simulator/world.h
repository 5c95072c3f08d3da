/*
 * The simulated world: one Kafka in memory, owners of its partitions that come and go, and a reference
 * that never does. A seed decides everything that happens in it.
 *
 * What runs in it is what runs in production: aggregate_stage, snapshot, aggregate and all below, and
 * combine to write the partials. Replaced are the things under them: kafka.h, kafka_observer.h, the
 * clock and the log.
 */
#ifndef TESTS_SIMULATOR_WORLD_H
#define TESTS_SIMULATOR_WORLD_H

#include "engine/aggregate.h"
#include "engine/kafka_observer.h"
#include "engine/worker.h"
#include "tests/support/pipeline_bench.h"
#include "tests/support/random.h"

#include <stdbool.h>
#include <ucontext.h>

enum {
    PARTITIONS_MAX = 3,
    OWNERS_MAX = 4,
    HANDLES_MAX = 64,
    SOURCE_WORKERS_MAX = 4,
    REASON_BYTES = 1024,
    SESSION_S = 10,     /* a process that is dead or stopped leaves the group after that */
    TRANSACTION_S = 10, /* and its open transaction ends */
};

/* What may go wrong; each kind can be left out with --without. */
enum fault {
    FAULT_CRASH,     /* an owner dies at any call */
    FAULT_ZOMBIE,    /* an owner stands still at any call, perhaps for longer than its session */
    FAULT_ABORT,     /* Kafka fails a send, a flush or a transaction */
    FAULT_UNKNOWN,   /* a commit's answer is lost: it was done, or not */
    FAULT_OBSERVER,  /* a question to Kafka is not answered */
    FAULT_REBALANCE, /* owners leave and join in an orderly way */
    FAULT_LOSS,      /* partials are lost: the audit must say how many offsets */
    FAULT_REPEAT,    /* partials come twice */
    FAULT_DAMAGE,    /* a partial cannot be read to its end */
    FAULTS
};
extern const char *const fault_name[FAULTS];

struct log_record {
    int64_t offset;
    uint8_t *data; /* NULL: trimmed */
    size_t size;
};

struct fake_log {
    struct log_record *record;
    size_t count, capacity;
    int64_t start, end; /* what is before start was deleted; markers leave gaps before end */
};

void fake_log_append(struct fake_log *log, struct bytes value);
/* The first record at or after an offset: an index; log->count where there is none. */
size_t fake_log_from(const struct fake_log *log, int64_t offset);
void fake_log_trim(struct fake_log *log, int64_t before);
void fake_log_release(struct fake_log *log);

/* Rows and alerts sent in an open transaction to one partition: key, value, one after the other. */
struct sent {
    struct buffer bytes;
    struct sent_place {
        size_t key, value; /* bytes */
    } * place;
    size_t count, capacity;
};

/* What a transaction said of one partition: its rows, and what all partitions told. */
struct said {
    const struct sent *rows, *told;
};

/* One partition of partials, and of rows and state. */
struct part {
    struct fake_log partials, state;
    int64_t committed; /* -1: nothing */
    char metadata[KAFKA_METADATA_MAX];
    struct kafka
        *pending; /* whose transaction has sent offsets and is not over: nobody may read them */
    int64_t pending_ns;
    /* The uninterrupted owner, led along by what is committed. */
    struct aggregate *reference;
    int64_t reference_position;
    int64_t told_ns; /* as of the newest commit */
    bool told_ended;
    int64_t manifest;     /* newest that was compared */
    uint64_t lost, twice; /* source offsets, as the faults made them */
};

/* A process with one aggregate thread. */
struct owner {
    bool used, finished;
    bool dead;         /* what it still does has no effect */
    int64_t paused_ns; /* stands still until then */
    uint32_t instance; /* its transactional id: two of the same fence each other */
    struct worker worker;
    atomic_uint source_expected[1]; /* of the one topic */
    ucontext_t context;
    void *stack;
};

struct source_worker {
    struct bench_worker bench;
    uint32_t first;
    bool known[PARTITIONS_MAX]; /* it has been heard there: from then on a loss can be seen */
    bool lost[PARTITIONS_MAX];  /* its newest epoch */
    uint64_t frozen_until;      /* epoch: it lags behind until then */
    struct bench_log newest;    /* of its newest epoch, for saying it again */
    uint64_t width;             /* source offsets that this one covered */
};

struct totals_of_round {
    uint64_t steps, partials, rows, states, crashes, zombies, commits, aborts, rebalances, trims,
        re_runs, offsets_lost, offsets_twice;
};

struct round_options {
    uint64_t seed;
    uint64_t epochs; /* of combine; 0: as the seed says */
    bool without[FAULTS];
    bool verbose;
};

struct world {
    struct round_options options;
    struct random random;        /* of the schedule */
    struct random source_random; /* of what is said: the same whatever the schedule */
    uint64_t once_in[FAULTS];    /* calls; 0: never */
    uint64_t yield_in;
    bool settling; /* no more faults: all must be read now */
    int64_t now_ns;
    struct bench_plan bench;
    uint32_t partitions;
    struct part part[PARTITIONS_MAX];
    struct owner owner[OWNERS_MAX];
    struct owner *running;
    ucontext_t scheduler;
    struct kafka *handle[HANDLES_MAX];
    int64_t generation;
    bool preparing;
    int64_t preparing_ns;
    struct source_worker source[SOURCE_WORKERS_MAX];
    size_t sources;
    uint32_t source_partitions;
    uint64_t epoch, epochs;
    int64_t time_ns; /* of events */
    bool until_end;  /* batch mode */
    bool wide;       /* many series: jumps of the watermark have to be spread */
    struct totals_of_round totals;
    bool failed;
    char reason[REASON_BYTES];
};

extern struct world world;

/* The first difference ends the round. */
void world_fail(const char *format, ...) PRINTF_LIKE(1, 2);

/* Whether `fault` strikes here. */
bool fault_strikes(enum fault fault);

/*
 * Every call of an owner into the world begins with this: it may die here, stand still, or others may
 * run in between. false: it is dead, and the call must do nothing.
 */
bool owner_step(void);
void owner_yield(void);

/* fake_kafka.c: the group's coordinator, and the transactions'. */
void group_tick(void);
void kafka_world_release(void);

/* source.c */
void source_open(void);
void source_epoch(void);
void source_end(void); /* every source partition has ended */
/* An empty epoch, as combine sends while aggregate is behind. */
void source_nudge(void);
void source_close(void);

/* judge.c: compare what a transaction commits with the reference. */
void judge_commit(
    struct part *part, const struct said *said, int64_t position, const char *metadata);
void judge_end(void);
void judge_audit_said(void);

/* owners.c */
void round_run(const struct round_options *options);

#endif
