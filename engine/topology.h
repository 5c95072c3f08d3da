/*
 * The shop that is simulated: services, what their operations call, who asks, and what goes wrong.
 */
#ifndef ENGINE_TOPOLOGY_H
#define ENGINE_TOPOLOGY_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "schemas/otlp_write.h"

enum {
    TOPOLOGY_SERVICES_MAX = 64,
    TOPOLOGY_OPERATIONS_MAX = 512, /* of all services */
    TOPOLOGY_CALLS_MAX = 32,       /* of one operation */
    TOPOLOGY_CALL_TIMES_MAX = 100,
    TOPOLOGY_ENTRIES_MAX = 32,
    TOPOLOGY_FAULTS_MAX = 64,
    TOPOLOGY_ATTRIBUTES_MAX = 16,      /* of one service, and of one operation */
    TOPOLOGY_REQUEST_SPANS_MAX = 1000, /* of one request, at most */
    TOPOLOGY_NAME_BYTES_MAX = 200,
    TOPOLOGY_COLLECTORS_MAX = 16,
    TOPOLOGY_BATCH_SPANS_MAX = 8192,
};

#define TOPOLOGY_RATE_MAX 1e6 /* requests a second, of one entry */

struct topology_service {
    const char *name;
    struct otlp_attribute *attribute; /* of its resource */
    size_t attributes;
};

struct topology_call {
    uint32_t operation;
    double times;     /* a call; the fraction is a chance: 1.5 is once or twice */
    bool optional;    /* its failure does not fail the caller */
    bool queued;      /* PRODUCER and CONSUMER instead of CLIENT and SERVER; nobody waits for it */
    int64_t queue_ns; /* mean time in the queue */
};

struct topology_operation {
    const char *name;
    uint32_t service;
    int64_t latency_ns;         /* median of its own time, without its calls; lognormal */
    double spread;              /* deviation of the logarithm of its own time */
    double errors;              /* 0..1: share that fails by itself */
    struct topology_call *call; /* one after the other */
    size_t calls;
    struct otlp_attribute *attribute; /* of its spans on both sides */
    size_t attributes;
    uint32_t spans; /* that one request of it makes, at most; 0: not yet worked out */
};

struct topology_entry {
    uint32_t operation;
    double rate_per_s;
};

#define FAULT_ANY_OPERATION UINT32_MAX

struct topology_fault {
    uint32_t service;
    uint32_t operation; /* or FAULT_ANY_OPERATION */
    int64_t from_ns;    /* since the reference time, may be negative; inclusive */
    int64_t to_ns;      /* exclusive */
    int64_t every_ns;   /* 0: once; else again after each multiple of this */
    double latency;     /* factor on its own time */
    double errors;      /* share that fails by itself, where that is more than usual */
};

enum deviation { DEVIATION_LATE, DEVIATION_OUT_OF_ORDER, DEVIATION_SKEWED, DEVIATION_BAD_IDS };
enum { DEVIATIONS = 4 };
extern const char *const deviation_name[DEVIATIONS]; /* "late", "out_of_order", ... */

/* A span that misbehaves does so by a time drawn evenly from from_ns .. to_ns. */
struct topology_deviation {
    double share; /* 0..1 of all spans; a span has one deviation at most */
    int64_t from_ns, to_ns;
};

struct topology {
    int64_t batch_ns;     /* a collector sends what it got in this time as one message */
    uint64_t batch_spans; /* and sooner when it has this many */
    uint64_t collectors;  /* each serves some of the services */
    int64_t network_ns;   /* mean time of one way between services */
    struct topology_service service[TOPOLOGY_SERVICES_MAX];
    struct topology_operation operation[TOPOLOGY_OPERATIONS_MAX];
    struct topology_entry entry[TOPOLOGY_ENTRIES_MAX];
    struct topology_fault fault[TOPOLOGY_FAULTS_MAX];
    struct topology_deviation deviation[DEVIATIONS];
    uint32_t services, operations, entries, faults;
    struct pool pool; /* everything above that is pointed to */
};

/*
 * text     YAML, as in config/shop.yaml; borrowed for the call
 * origin   of it, for errors
 * returns  ST_OK; ST_FATAL, `err` saying file:line:column, the key, what is wrong
 */
enum status topology_read(
    struct topology **out, struct bytes text, const char *origin, struct error *err) MUST_USE;
void topology_free(struct topology *topology); /* NULL is fine */

/* Of that name, or -1. */
int topology_service(const struct topology *topology, const char *name);
int topology_operation(const struct topology *topology, uint32_t service, const char *name);

extern const char topology_shop[]; /* the built-in one, the text of config/shop.yaml */

#endif
