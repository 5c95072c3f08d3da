/*
 * A store keeps rows where people look for them, and knows how far into the log it has come.
 *
 * The log is the truth and a store is a view of it: it may lag, be emptied or be restored from a
 * backup. Asking it for its place and reading the log from there makes it whole again.
 */
#ifndef SINKS_STORE_H
#define SINKS_STORE_H

#include "engine/base/error.h"
#include "schemas/row.h"
#include "sinks/store_trouble.h"
#include "sinks/tls_files.h"

enum {
    STORE_BATCH_MAX = 200, /* records in one apply */
    STORE_POLICY_BYTES = 32,
};

/* Where a store keeps one resolution's closed slices. */
struct store_history {
    int64_t resolution_ns;
    int64_t retain_ns;
    bool sketches;
};

struct store_config {
    const char *url; /* as sinks/redis_address.h has it */
    struct tls_files tls;
    const char *prefix;
    const char *trace_link; /* as engine/base/trace_link.h has it; NULL or empty: none */
    int64_t timeout_ns;     /* of one command */
    uint64_t
        plan; /* fingerprint; a store filled under another one answers ST_LOST until refilled */
    int64_t pane_ns; /* the plan's: closed panes are shown among the newest rows too; 0: none */
    uint32_t sketch_scale; /* the plan's: who reads a stored sketch must know it */
    const struct store_history *history;
    size_t histories;
    uint64_t alerts_max;
};

/* Where a store is with one partition, and whether it still has what it was given. */
struct store_place {
    int64_t applied;  /* offset of the newest record applied; -1: none */
    uint64_t evicted; /* keys it threw away for lack of memory since the partition was filled from
                              the start of its log */
    uint64_t evicted_ever;           /* since the server started */
    uint64_t memory_max;             /* bytes; 0: no limit */
    char policy[STORE_POLICY_BYTES]; /* what it does when they are used up, in its own words */
};

struct store_batch {
    const struct output *output; /* in log order */
    size_t count;
    bool refill; /* below what was once applied: alert transitions are marked refilled */
    bool whole;  /* the first after that: what fires and what is applied agree again */
    bool
        from_start; /* the first of its log: what was thrown away before does not matter any more */
    int64_t prev;   /* offset of the last record sent before this batch; -1: none */
    int64_t last;   /* offset of the newest record of this batch */
    int64_t now_ms; /* wall clock at sending: for transfer_ms, analysis_ms and expiry */
};

struct store {
    const char *name; /* as the scheme of its URL */

    enum status (*open)(void **self, const struct store_config *config, struct error *err);

    enum status (*place)(
        void *self, int32_t partition, struct store_place *place, struct error *err);

    /*
     * Apply a batch in log order and remember `last`, together or not at all.
     *
     * applied  what the store holds afterwards; -1: none
     * returns  ST_OK     applied, now or before: the same call twice counts once
     *          ST_RETRY  the server is away, full, read-only or did not answer: send the same again
     *          ST_LOST   the store's place is not `prev`: nothing written; read the log from *applied + 1
     *          ST_FATAL  wrong password, no permission, Cluster: `err` says what to do
     * threads  one per `self`
     */
    enum status (*apply)(void *self, int32_t partition, const struct store_batch *batch,
        int64_t *applied, struct error *err);

    /* Hold nothing of `partition`: its log was made anew, and offsets start again. */
    enum status (*forget)(void *self, int32_t partition, struct error *err);

    /*
     * A refill of `partition` is over and no record follows: as the first batch after it would say.
     */
    enum status (*refilled)(void *self, int32_t partition, struct error *err);

    /* Why the newest call gave ST_RETRY or ST_FATAL. */
    enum store_trouble (*trouble)(const void *self);

    void (*close)(void *self); /* NULL is fine */
};

extern const struct store *const stores[]; /* ends with NULL */
extern const struct store store_redis;

#endif
