/*
 * Counts, sizes and ratios as a person writes them: "5k", "64MiB", "2%".
 *
 * Each returns false, and leaves its output untouched, when the text is something else or too large.
 */
#ifndef ENGINE_BASE_QUANTITY_H
#define ENGINE_BASE_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

struct quantity_text {
    char text[24];
};

bool quantity_count(const char *text, uint64_t *count); /* "5000", "5k", "2M", "1G" */
bool quantity_bytes(const char *text, uint64_t *bytes); /* "512", "512B", "64KiB", "10MB" */
bool quantity_number(
    const char *text, double *number); /* "0.5", "-3", "1e-3", "2%"; "nan": not given */

/* Three digits and a binary unit, by value: "317 KiB", "2.95 GiB". */
struct quantity_text quantity_print_bytes(double bytes);

#endif
