/*
 * What a graph of a scored signal needs of one row, in at most 64 bytes: what Redis keeps in a listpack.
 *
 *     z,expected,low,high,level
 *
 * z has two digits behind the point, expected, low and high four digits in all, in the signal's unit;
 * level is 0, 1 a notice, 2 a page.
 */
#ifndef SINKS_ROW_SCORES_H
#define SINKS_ROW_SCORES_H

#include "engine/base/buffer.h"
#include "schemas/row.h"

enum { SCORES_BYTES_MAX = 64 };

/* Whether the row is a slice that anomalies are looked for in, scored already or still learning. */
bool row_scores_any(const struct output *output);

/*
 * The next signal that is scored: `for (uint32_t at = 0; row_scores_next(output, &at, &signal, text);)`
 *
 * signal  out: as in `X_z`; a view into the row
 * text    out: emptied, then filled
 * returns false: there is none
 */
bool row_scores_next(
    const struct output *output, uint32_t *at, struct bytes *signal, struct buffer *text);

#endif
