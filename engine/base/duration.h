/*
 * Durations as a person writes them: a number and a unit, "250ms", "1h", "1h30m", "1.5s".
 */
#ifndef ENGINE_BASE_DURATION_H
#define ENGINE_BASE_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DURATION_TEXT_BYTES = 24 };

/* The written form of one duration, by value, so that it fits into one printf call. */
struct duration_text {
    char text[DURATION_TEXT_BYTES];
};

/*
 * text     units ns, us, ms, s, m, h, d; "0" alone needs none; no sign
 * returns  false, and `ns` untouched, for anything else and for more than 292 years
 */
bool duration_parse(const char *text, int64_t *ns);

/* The same duration always gives the same text, in the largest unit that divides it: "90s", "5m". */
struct duration_text duration_print(int64_t ns);

#endif
