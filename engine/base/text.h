/* What can be said of text from outside before it is shown, written or looked up. */
#ifndef ENGINE_BASE_TEXT_H
#define ENGINE_BASE_TEXT_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"

enum { TEXT_WORD_BYTES_MAX = 64 };

/*
 * How many bytes the UTF-8 character at the start of `text` has; 0 when there is none: overlong,
 * cut short, a surrogate, beyond U+10FFFF, or `text` is empty.
 *
 * source  RFC 3629, section 4
 */
size_t text_character(struct bytes text);

/*
 * The code point of a character that steers a terminal instead of being seen: C0, DEL, C1, line and
 * paragraph separators, invisible ones, marks and overrides of direction. -1: any other.
 *
 * character  one, as text_character measures it
 * source     UAX #9, section 2; ECMA-48
 */
int text_steering(struct bytes character);

/* Append `text` as it may be shown: steering characters and what is not UTF-8 byte by byte as \xNN. */
void text_show(struct bytes text, struct buffer *out);

/*
 * How many letters must be put in, left out, replaced or swapped with their neighbour to make one
 * word of the other: for hints at misspelt names. Words longer than TEXT_WORD_BYTES_MAX are that
 * far from everything.
 *
 * source  optimal string alignment distance
 */
size_t text_distance(const char *a, const char *b);

/* The largest distance at which a known word is still a helpful hint for `wrote`. */
size_t text_distance_max(const char *wrote);

#endif
