#include "operators/measure.h"

#include "schemas/wire.h"

#include <assert.h>

extern const struct measure measure_latency;

void cell_layout_init(struct cell_layout *layout, const struct measuring *m)
{
    *layout = (struct cell_layout){.m = m};
    for (; measures[layout->count] != NULL; layout->count++) {
        assert(layout->count < MEASURES_MAX);
        layout->offset[layout->count] = layout->bytes;
        layout->bytes += (uint32_t)measures[layout->count]->state_bytes(m);
        if (measures[layout->count]->outgrown != NULL)
            layout->outgrowing[layout->outgrowings++] = layout->count;
    }
    assert(layout->bytes <= CELL_BYTES_MAX);
}

static void *state_of(const struct cell_layout *layout, void *cell, uint32_t i)
{
    return (unsigned char *)cell + layout->offset[i];
}

static const void *state_in(const struct cell_layout *layout, const void *cell, uint32_t i)
{
    return (const unsigned char *)cell + layout->offset[i];
}

uint32_t cell_outgrown(const struct cell_layout *layout, const void *cell, const struct span *span,
    struct bytes piece[MEASURES_MAX])
{
    uint32_t pieces = 0;
    for (uint32_t i = 0; i < layout->outgrowings; i++) {
        uint32_t which = layout->outgrowing[i];
        piece[pieces] = measures[which]->outgrown(state_in(layout, cell, which), span);
        pieces += piece[pieces].size != 0;
    }
    return pieces;
}

void *cell_new(const struct cell_layout *layout, struct pool *pool)
{
    void *cell = pool_take(pool, layout->bytes);
    memset(cell, 0, layout->bytes);
    return cell;
}

void cell_free(const struct cell_layout *layout, void *cell, struct pool *pool)
{
    if (cell == NULL) return;
    for (uint32_t i = 0; i < layout->count; i++) {
        if (measures[i]->release == NULL) continue;
        measures[i]->release(layout->m, state_of(layout, cell, i), pool);
    }
    pool_give(pool, cell, layout->bytes);
}

void cell_fold(
    const struct cell_layout *layout, void *cell, const struct span *span, struct pool *pool)
{
    bool too_late = span->verdict == SPAN_TOO_LATE;
    for (uint32_t i = 0; i < layout->count; i++) {
        if (too_late && !measures[i]->sees_too_late) continue;
        measures[i]->fold(layout->m, state_of(layout, cell, i), span, pool);
    }
}

void cell_merge(const struct cell_layout *layout, void *cell, const void *other, struct pool *pool)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        measures[i]->merge(layout->m, state_of(layout, cell, i), state_in(layout, other, i), pool);
    }
}

uint32_t cell_subtract(
    const struct cell_layout *layout, void *cell, const void *part, struct pool *pool)
{
    uint32_t again = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        void *state = state_of(layout, cell, i);
        bool left = measures[i]->subtract(layout->m, state, state_in(layout, part, i), pool);
        again |= (uint32_t)left << i;
    }
    return again;
}

static bool is_refolded(uint32_t which, uint32_t i)
{
    return (which >> i & 1) != 0 && measures[i]->refold != NULL;
}

void cell_refold_begin(
    const struct cell_layout *layout, void *cell, uint32_t which, struct pool *pool)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        if (!is_refolded(which, i)) continue;
        measures[i]->refold_begin(layout->m, state_of(layout, cell, i), pool);
    }
}

void cell_refold(const struct cell_layout *layout, void *cell, uint32_t which, const void *slice,
    struct pool *pool)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        if (!is_refolded(which, i)) continue;
        measures[i]->refold(layout->m, state_of(layout, cell, i), state_in(layout, slice, i), pool);
    }
}

void cell_encode(const struct cell_layout *layout, const void *cell, struct buffer *out)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        size_t before = out->size;
        size_t mark = wire_open(out, measures[i]->wire_id);
        measures[i]->encode(layout->m, state_in(layout, cell, i), out);
        if (out->size == mark)
            out->size = before; /* an empty state is not there at all */
        else
            wire_close(out, mark);
    }
}

enum status cell_merge_encoded(const struct cell_layout *layout, void *cell, uint32_t wire_id,
    struct bytes encoded, struct pool *pool, struct error *err)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        if (measures[i]->wire_id != wire_id) continue;
        return measures[i]->merge_encoded(layout->m, state_of(layout, cell, i), encoded, pool, err);
    }
    return error_set(err, ST_FATAL, 0,
        "cell: no measure of this build is numbered %u: a newer weir wrote it. Run that version "
        "here too.",
        wire_id);
}

void cell_report(const struct cell_layout *layout, const void *cell, struct row *row)
{
    for (uint32_t i = 0; i < layout->count; i++)
        measures[i]->report(layout->m, state_in(layout, cell, i), row);
}

void cell_sketch(const struct cell_layout *layout, const void *cell, struct buffer *out)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        if (measures[i] != &measure_latency) continue;
        latency_sketch_encode(layout->m, state_in(layout, cell, i), out);
    }
}

const struct sketch *cell_latency(const struct cell_layout *layout, const void *cell)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        if (measures[i] == &measure_latency) return latency_sketch(state_in(layout, cell, i));
    }
    return NULL;
}
