/*
 * A simulated shop whose services send OTLP spans through collectors, for demos and tests.
 *
 *   1. It is a function of its topology, its options and its faults: it reads no clock, and the
 *      same seed gives the same bytes, however the time asked for is cut into pieces.
 *   2. Spans form whole traces: the callee's SERVER span lies inside the caller's CLIENT span and
 *      names it as parent; over a queue it is CONSUMER after PRODUCER.
 *   3. Messages come in the order of their record timestamps, and a record's timestamp is when its
 *      newest span arrived at the collector: the span's end, unless that span is late or skewed.
 *
 * The built-in shop makes about 165 spans a second at rate 1, of 115 bytes each as OTLP. On a topic
 * a span takes 46 bytes after lz4 and 36 after zstd in messages of 80 spans or more, 59 and 50 in
 * messages of 17: two hours at rate 0.2 are 240 000 spans, about 14 MB by lz4.
 */
#ifndef ENGINE_SIMULATION_H
#define ENGINE_SIMULATION_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/topology.h"

enum {
    SIMULATION_PENDING_MAX = 1 << 21, /* spans not yet sent; more requests are left out */
};

struct simulation;

struct simulation_options {
    uint64_t seed;
    int64_t from_ns;          /* nobody asks before this; since the Unix epoch */
    int64_t reference_ns;     /* what the times of faults count from: "now" */
    double rate;              /* multiplies the rate of every entry */
    int64_t batch_ns;         /* 0: as the topology says */
    uint64_t names;           /* span names are one of so many random ones; 0: as they should be */
    double share[DEVIATIONS]; /* of the spans; negative: as the topology says */
};

/* A time in which one service is not well, as for topology_fault. */
struct simulation_fault {
    const char *service;
    const char *operation; /* NULL: all of the service's */
    int64_t from_ns, to_ns, every_ns;
    double latency, errors;
};

struct simulation_message {
    int64_t timestamp_ms; /* of the record */
    struct bytes value;   /* TracesData, borrowed until the next call */
    uint32_t spans;
};

struct simulation_counts {
    uint64_t requests;
    uint64_t requests_left_out; /* because SIMULATION_PENDING_MAX spans were waiting */
    uint64_t messages;
    uint64_t spans;
    uint64_t deviated[DEVIATIONS]; /* of `spans` */
};

/* Seed 1, rate 1, everything else as the topology says; times are 0. */
struct simulation_options simulation_usual(void);

/*
 * path     of a topology; NULL: the built-in shop
 * returns  ST_OK; ST_FATAL: it cannot be read, or an option is out of its range
 */
enum status simulation_open(struct simulation **out, const char *path,
    const struct simulation_options *options, struct error *err) MUST_USE;

/* The same from a text, which `origin` names in errors. */
enum status simulation_read(struct simulation **out, struct bytes text, const char *origin,
    const struct simulation_options *options, struct error *err) MUST_USE;

/* Add a fault, before or between messages. returns  ST_OK; ST_FATAL: no such service or operation */
enum status simulation_add_fault(struct simulation *simulation,
    const struct simulation_fault *fault, struct error *err) MUST_USE;

/*
 * Give the next message that had been sent by `until_ns`.
 *
 * returns  false: there is none
 */
bool simulation_next(
    struct simulation *simulation, int64_t until_ns, struct simulation_message *message);

/* From when on simulation_next can give more than it has: the end of the open batch. */
int64_t simulation_due_ns(const struct simulation *simulation);

const struct simulation_counts *simulation_counts(const struct simulation *simulation);

void simulation_close(struct simulation *simulation); /* NULL is fine */

#endif
