#include "engine/simulation_queue.h"

#include "engine/base/memory.h"

#include <stdlib.h>

static bool sooner(const struct simulation_span *a, const struct simulation_span *b)
{
    if (a->arrival_ns != b->arrival_ns) return a->arrival_ns < b->arrival_ns;
    return a->number < b->number;
}

void simulation_queue_push(struct simulation_queue *queue, const struct simulation_span *span)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 1024 : 2 * queue->capacity;
        queue->span = memory_resize(queue->span, queue->capacity, sizeof(*queue->span));
    }
    size_t at = queue->count++;
    while (at > 0 && sooner(span, &queue->span[(at - 1) / 2])) {
        queue->span[at] = queue->span[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->span[at] = *span;
}

/* Put `span` where the first one was, and down until both below it are later. */
static void sink_down(struct simulation_queue *queue, const struct simulation_span *span)
{
    size_t at = 0;
    for (;;) {
        size_t below = 2 * at + 1;
        if (below >= queue->count) break;
        bool right =
            below + 1 < queue->count && sooner(&queue->span[below + 1], &queue->span[below]);
        if (right) below++;
        if (!sooner(&queue->span[below], span)) break;
        queue->span[at] = queue->span[below];
        at = below;
    }
    queue->span[at] = *span;
}

bool simulation_queue_pop(
    struct simulation_queue *queue, int64_t before_ns, struct simulation_span *out)
{
    if (queue->count == 0 || queue->span[0].arrival_ns >= before_ns) return false;
    *out = queue->span[0];
    struct simulation_span last = queue->span[--queue->count];
    if (queue->count > 0) sink_down(queue, &last);
    return true;
}

void simulation_queue_release(struct simulation_queue *queue)
{
    free(queue->span);
    *queue = (struct simulation_queue){0};
}
