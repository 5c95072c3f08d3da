/*
 * An open-addressing table over a flat array of cells.
 *
 *   1. A slot holds 96 bits of a secretly seeded hash; they are trusted, names are not compared.
 *   2. Cells never move while the table is filled: the array is reserved at its largest and the
 *      system hands out pages as they are touched.
 *   3. Spans go in by batches, so that the cache misses of a batch overlap.
 */
#include "engine/panes.h"

#include "engine/base/hash.h"
#include "engine/base/memory.h"

#include <assert.h>
#include <stdlib.h>

enum {
    BATCH = 32, /* spans whose memory is fetched at the same time */
    SLOTS_FIRST = 1 << 14,
    CELL_GROWTH = 256, /* bytes of sketch, traces and names to expect beside each cell */
    LINE_BYTES = 64,   /* of the cache */
    AHEAD = 8,         /* cells fetched ahead in the walk of a sorted table */
    NEAR = 8,          /* cells whose part of the pool is fetched ahead of folding */
};

struct slot {
    uint64_t hash;
    uint32_t finger;
    uint32_t cell; /* index + 1; 0: free */
};

struct pane_cell {
    size_t names; /* where its dimensions begin in panes->names */
    int64_t pane;
    uint64_t late_by;
    uint32_t partition; /* by the stable hash of view and dimensions */
    uint32_t view;
    uint32_t dimensions;
    _Alignas(16) unsigned char state[];
};

struct panes {
    const struct plan *plan;
    uint64_t seed;
    size_t memory_bytes;
    struct slot *slot;
    size_t slots; /* a power of two, at least twice `cells` */
    unsigned char *cell;
    size_t cell_bytes;
    size_t cells, cells_soft, cells_max;
    struct pool pool;    /* what sketches outgrow */
    struct buffer names; /* u16 length and bytes, one after the other */
    uint32_t *order;     /* cells by partition, after panes_sort */
};

struct panes *panes_new(const struct plan *plan, uint64_t memory_bytes, uint64_t seed)
{
    struct panes *panes = memory_zeroed(1, sizeof(*panes));
    panes->plan = plan;
    panes->seed = seed;
    panes->memory_bytes = memory_bytes;
    panes->cell_bytes = (sizeof(struct pane_cell) + plan->layout.bytes + 15) & ~(size_t)15;
    panes->cells_soft = memory_bytes / (panes->cell_bytes + CELL_GROWTH + 2 * sizeof(struct slot));
    panes->cells_max = panes->cells_soft + (size_t)SPANS_MAX * plan->views;
    panes->cell = memory_reserve(panes->cells_max * panes->cell_bytes);
    panes->slots = SLOTS_FIRST;
    panes->slot = memory_zeroed(panes->slots, sizeof(*panes->slot));
    return panes;
}

void panes_free(struct panes *panes)
{
    if (panes == NULL) return;
    memory_unreserve(panes->cell, panes->cells_max * panes->cell_bytes);
    free(panes->slot);
    free(panes->order);
    pool_release(&panes->pool);
    buffer_release(&panes->names);
    free(panes);
}

void panes_reset(struct panes *panes)
{
    if (panes->cells != 0) memset(panes->slot, 0, panes->slots * sizeof(*panes->slot));
    panes->cells = 0;
    pool_reset(&panes->pool);
    buffer_reset(&panes->names);
}

size_t panes_count(const struct panes *panes)
{
    return panes->cells;
}

bool panes_room(const struct panes *panes, size_t spans)
{
    if (panes->cells == 0) return true;
    size_t worst = panes->cells + spans * panes->plan->views;
    size_t grown = panes->pool.bytes + panes->names.size + panes->cells * panes->cell_bytes;
    return worst <= panes->cells_max && panes->cells < panes->cells_soft &&
           grown < panes->memory_bytes;
}

static struct pane_cell *cell_at(const struct panes *panes, size_t index)
{
    return (struct pane_cell *)(void *)(panes->cell + index * panes->cell_bytes);
}

static void panes_widen(struct panes *panes)
{
    size_t slots = panes->slots * 2;
    struct slot *wider = memory_zeroed(slots, sizeof(*wider));
    for (size_t i = 0; i < panes->slots; i++) {
        if (panes->slot[i].cell == 0) continue;
        size_t at = panes->slot[i].hash & (slots - 1);
        while (wider[at].cell != 0)
            at = (at + 1) & (slots - 1);
        wider[at] = panes->slot[i];
    }
    free(panes->slot);
    panes->slot = wider;
    panes->slots = slots;
}

/* A span on its way into one view. */
struct pending {
    uint64_t hash;
    uint32_t finger;
    uint32_t view;
    const struct span *span;
    struct pane_cell *cell;
};

static struct bytes dimension_value(
    const struct plan_view *view, uint32_t d, const struct spans *spans, const struct span *span)
{
    switch (view->dimension[d].source) {
    case DIMENSION_SERVICE:
        return span->service;
    case DIMENSION_OPERATION:
        return span->operation;
    case DIMENSION_KIND:
        return bytes_of(span_kind_name[span->kind]);
    case DIMENSION_ATTRIBUTE:
        return spans->attribute[span->attributes + view->dimension[d].attribute];
    }
    return (struct bytes){0};
}

static void cell_name(
    struct panes *panes, struct pane_cell *cell, const struct spans *spans, const struct span *span)
{
    const struct plan_view *view = &panes->plan->view[cell->view];
    cell->names = panes->names.size;
    cell->dimensions = view->dimensions;
    for (uint32_t d = 0; d < view->dimensions; d++) {
        struct bytes value = dimension_value(view, d, spans, span);
        if (value.size > SPAN_TEXT_MAX) value.size = SPAN_TEXT_MAX;
        uint16_t size = (uint16_t)value.size;
        buffer_append(&panes->names, &size, sizeof(size));
        buffer_append(&panes->names, value.data, value.size);
    }
    struct bytes names = {panes->names.data + cell->names, panes->names.size - cell->names};
    uint64_t place = hash_mix(hash_stable(names), cell->view);
    cell->partition = (uint32_t)(place % panes->plan->partitions);
}

static struct pane_cell *cell_add(
    struct panes *panes, struct slot *slot, const struct pending *p, const struct spans *spans)
{
    assert(panes->cells < panes->cells_max);
    struct pane_cell *cell = cell_at(panes, panes->cells);
    memset(cell, 0, panes->cell_bytes);
    cell->pane = p->span->pane;
    cell->late_by = p->span->late_by;
    cell->view = p->view;
    cell_name(panes, cell, spans, p->span);
    *slot = (struct slot){p->hash, p->finger, (uint32_t)++panes->cells};
    return cell;
}

/* What only prefetches has no effect in gcc's eyes, and calls of it are dropped. */
#define PREFETCHES static inline __attribute__((always_inline)) void

/* A state is two or three lines long, and may begin at the end of one. */
PREFETCHES cell_prefetch(const struct panes *panes, const struct pane_cell *cell)
{
    const unsigned char *last = cell->state + panes->plan->layout.bytes - 1;
    for (const unsigned char *at = cell->state; at < last; at += LINE_BYTES)
        __builtin_prefetch(at, 1);
    __builtin_prefetch(last, 1);
}

/* What a cell keeps in the pool; the cell itself has come by now. */
PREFETCHES outgrown_prefetch(
    const struct panes *panes, const struct pane_cell *cell, const struct span *span)
{
    struct bytes piece[MEASURES_MAX];
    uint32_t pieces = cell_outgrown(&panes->plan->layout, cell->state, span, piece);
    for (uint32_t i = 0; i < pieces; i++) {
        for (size_t at = 0; at < piece[i].size; at += LINE_BYTES)
            __builtin_prefetch(piece[i].data + at, 1);
    }
}

static struct pane_cell *panes_find(
    struct panes *panes, const struct pending *p, const struct spans *spans)
{
    if (panes->cells * 2 >= panes->slots) panes_widen(panes);
    size_t at = p->hash & (panes->slots - 1);
    for (;; at = (at + 1) & (panes->slots - 1)) {
        struct slot *slot = &panes->slot[at];
        if (slot->cell == 0) return cell_add(panes, slot, p, spans);
        if (slot->hash == p->hash && slot->finger == p->finger) {
            return cell_at(panes, slot->cell - 1);
        }
    }
}

/* The hashes of a span's names, made once for all views. */
struct names_hash {
    const uint8_t *service_at; /* spans of one resource share it */
    size_t service_size;
    struct hash_pair service, operation;
};

static struct hash_pair dimension_hash(const struct panes *panes, const struct plan_view *view,
    uint32_t d, const struct names_hash *names, const struct spans *spans, const struct span *span)
{
    switch (view->dimension[d].source) {
    case DIMENSION_SERVICE:
        return names->service;
    case DIMENSION_OPERATION:
        return names->operation;
    case DIMENSION_KIND:
        return (struct hash_pair){span->kind, span->kind};
    case DIMENSION_ATTRIBUTE:
        break;
    }
    return hash_seeded(dimension_value(view, d, spans, span), panes->seed);
}

static struct hash_pair series_hash(const struct panes *panes, const struct plan_view *view,
    const struct names_hash *names, const struct spans *spans, const struct span *span)
{
    struct hash_pair hash = {panes->seed, ~panes->seed};
    for (uint32_t d = 0; d < view->dimensions; d++) {
        hash = hash_pair_mix(hash, dimension_hash(panes, view, d, names, spans, span));
    }
    return hash;
}

static void names_hash_of(
    const struct panes *panes, struct names_hash *names, const struct span *span)
{
    if (span->service.data != names->service_at || span->service.size != names->service_size) {
        names->service_at = span->service.data;
        names->service_size = span->service.size;
        names->service = hash_seeded(span->service, panes->seed);
    }
    names->operation = hash_seeded(span->operation, panes->seed);
}

static bool view_counts(const struct plan_view *view, const struct span *span)
{
    return !view->entry_only || span->kind == KIND_SERVER || span->kind == KIND_CONSUMER;
}

static size_t batch_hash(struct panes *panes, struct names_hash *names, const struct spans *spans,
    const struct span *span, struct pending *pending)
{
    size_t count = 0;
    names_hash_of(panes, names, span);
    for (uint32_t v = 0; v < panes->plan->views; v++) {
        const struct plan_view *view = &panes->plan->view[v];
        if (!view_counts(view, span)) continue;
        struct hash_pair series = series_hash(panes, view, names, spans, span);
        /* A pane number has fewer than 37 bits, the panes of allowed_lateness fewer than 24. */
        uint64_t when = ((uint64_t)span->pane << 3 | v) ^ span->late_by << 40;
        struct hash_pair cell = hash_pair_mix(series, (struct hash_pair){when, when});
        pending[count++] = (struct pending){cell.low, (uint32_t)(cell.high >> 32), v, span, NULL};
        __builtin_prefetch(&panes->slot[cell.low & (panes->slots - 1)]);
    }
    return count;
}

void panes_fold(struct panes *panes, const struct spans *spans)
{
    struct pending pending[BATCH * VIEWS_MAX];
    struct names_hash names = {0};
    for (uint32_t first = 0; first < spans->count; first += BATCH) {
        uint32_t end = first + BATCH < spans->count ? first + BATCH : spans->count;
        size_t count = 0;
        for (uint32_t i = first; i < end; i++) {
            count += batch_hash(panes, &names, spans, &spans->span[i], pending + count);
        }
        for (size_t i = 0; i < count; i++) {
            pending[i].cell = panes_find(panes, &pending[i], spans);
            cell_prefetch(panes, pending[i].cell);
        }
        for (size_t i = 0; i < count && i < NEAR; i++)
            outgrown_prefetch(panes, pending[i].cell, pending[i].span);
        for (size_t i = 0; i < count; i++) {
            if (i + NEAR < count)
                outgrown_prefetch(panes, pending[i + NEAR].cell, pending[i + NEAR].span);
            cell_fold(&panes->plan->layout, pending[i].cell->state, pending[i].span, &panes->pool);
        }
    }
}

static uint32_t cell_partition(const struct panes *panes, size_t index)
{
    return cell_at(panes, index)->partition;
}

/* Counting sort, so that cells of a partition keep the order they came in. */
void panes_sort(struct panes *panes)
{
    uint32_t partitions = panes->plan->partitions;
    size_t *next = memory_zeroed((size_t)partitions + 1, sizeof(*next));
    panes->order = memory_resize(panes->order, panes->cells + 1, sizeof(*panes->order));
    for (size_t i = 0; i < panes->cells; i++)
        next[cell_partition(panes, i) + 1]++;
    for (uint32_t p = 0; p < partitions; p++)
        next[p + 1] += next[p];
    for (size_t i = 0; i < panes->cells; i++) {
        panes->order[next[cell_partition(panes, i)]++] = (uint32_t)i;
    }
    free(next);
}

/* What the walk will read soon; the names half way there, as only then it is known where they are. */
PREFETCHES panes_prefetch(const struct panes *panes, size_t i)
{
    if (i >= panes->cells) return;
    const struct pane_cell *cell = cell_at(panes, panes->order[i]);
    __builtin_prefetch(cell);
    cell_prefetch(panes, cell);
    const struct pane_cell *nearer = cell_at(panes, panes->order[i - AHEAD / 2]);
    __builtin_prefetch(panes->names.data + nearer->names);
    outgrown_prefetch(panes, nearer, NULL);
}

uint32_t panes_cell(
    const struct panes *panes, size_t i, struct partial_cell *cell, const void **state)
{
    const struct pane_cell *from = cell_at(panes, panes->order[i]);
    panes_prefetch(panes, i + AHEAD);
    const uint8_t *at = panes->names.data + from->names;
    cell->view = from->view;
    cell->dimensions = from->dimensions;
    cell->pane = from->pane;
    cell->late_by = from->late_by;
    for (uint32_t d = 0; d < from->dimensions; d++) {
        uint16_t size;
        memcpy(&size, at, sizeof(size));
        cell->dimension[d] = (struct bytes){at + sizeof(size), size};
        at += sizeof(size) + size;
    }
    *state = from->state;
    return from->partition;
}
