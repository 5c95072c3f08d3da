/*
 * What combine has folded since its last transaction: one cell per (series, pane, arrival pane).
 */
#ifndef ENGINE_PANES_H
#define ENGINE_PANES_H

#include "engine/plan.h"
#include "schemas/partial.h"

struct panes;

/*
 * memory_bytes  what cells, their growth and names may take before panes_room says no
 * seed          of the table's hash: secret, so that names cannot be chosen to collide
 */
struct panes *panes_new(const struct plan *plan, uint64_t memory_bytes, uint64_t seed);
void panes_free(struct panes *panes);
void panes_reset(struct panes *panes); /* empty, memory kept */

/* Whether a message of `spans` spans may still be folded; an empty table always has room. */
bool panes_room(const struct panes *panes, size_t spans);
size_t panes_count(const struct panes *panes); /* cells */

/* Fold every span into the cell of each view that counts it; pane and verdict are set. */
void panes_fold(struct panes *panes, const struct spans *spans);

/*
 * Walk all cells, partition by partition.
 *
 *     panes_sort(panes);
 *     for (size_t i = 0; i < panes_count(panes); i++) panes_cell(panes, i, &cell);
 *
 * `cell->message` is not set; dimensions are borrowed until panes_reset.
 * returns  the partition of partials that the cell goes to
 */
void panes_sort(struct panes *panes);
uint32_t panes_cell(
    const struct panes *panes, size_t i, struct partial_cell *cell, const void **state);

#endif
