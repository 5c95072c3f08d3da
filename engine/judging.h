/* The scores of one closed window, looked at together: what is out of the ordinary in a whole fleet. */
#ifndef ENGINE_JUDGING_H
#define ENGINE_JUDGING_H

#include "engine/windows.h"

/*
 * Observe the slice of every series in the closing, then control the false discoveries among them.
 *
 * Of each view and each scorer by itself, over the series of this partition; overflow series are a
 * mixture of others and are scored, but not among those that are compared.
 */
void judging_score(struct closing *closing, struct series_table *table);

#endif
