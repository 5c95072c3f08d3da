/*
 * Simulated spans that have not yet reached their collector, the next one first.
 */
#ifndef ENGINE_SIMULATION_QUEUE_H
#define ENGINE_SIMULATION_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct simulation_span {
    int64_t arrival_ns; /* at the collector */
    uint64_t number;    /* in order of making: decides among equal arrivals */
    int64_t start_ns, end_ns;
    uint64_t trace_id[2];
    uint64_t span_id;
    uint64_t parent_id; /* 0: a root */
    uint64_t name;      /* 0: the operation's; else of a random name */
    uint32_t operation; /* of the callee, on both sides */
    uint32_t service;   /* whose span it is */
    uint32_t culprit;   /* where it failed: the operation that did so by itself */
    uint8_t kind;       /* enum span_kind */
    uint8_t deviation;  /* enum deviation; DEVIATIONS: none */
    bool failed;
};

/* A binary heap. A zeroed one is empty. */
struct simulation_queue {
    struct simulation_span *span;
    size_t count, capacity;
};

void simulation_queue_push(struct simulation_queue *queue, const struct simulation_span *span);
/* The span that arrives first, if it does so before `before_ns`. */
bool simulation_queue_pop(
    struct simulation_queue *queue, int64_t before_ns, struct simulation_span *out);
void simulation_queue_release(struct simulation_queue *queue);

#endif
