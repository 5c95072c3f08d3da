/*
 * A table of text for people: columns as wide as they need, narrower where the terminal ends.
 *
 * Cells hold text from anywhere. Control characters, what would turn the direction of text around,
 * and what is not UTF-8 are shown escaped, so no name can move the cursor or hide another.
 */
#ifndef ENGINE_CMD_SHEET_H
#define ENGINE_CMD_SHEET_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"

#include <stdbool.h>
#include <stdio.h>

enum { SHEET_COLUMNS_MAX = 32, SHEET_ELASTIC_MIN = 8 };

enum sheet_align { SHEET_LEFT, SHEET_RIGHT };

struct sheet {
    struct {
        const char *title; /* the caller's */
        enum sheet_align align;
        bool elastic; /* gives way where there is no room for all */
    } column[SHEET_COLUMNS_MAX];
    size_t columns;
    struct buffer text; /* of all cells, escaped */
    size_t *end;        /* of each cell in `text` */
    size_t cells, capacity;
};

/* A zeroed sheet is empty. Columns first, then cell by cell, row by row. */
void sheet_column(struct sheet *sheet, const char *title, enum sheet_align align, bool elastic);
void sheet_cell(struct sheet *sheet, struct bytes text);
void sheet_number(struct sheet *sheet, int decimals, double number); /* NaN: an empty cell */
void sheet_print_cell(struct sheet *sheet, const char *format, ...) PRINTF_LIKE(2, 3);
size_t sheet_rows(const struct sheet *sheet);

/*
 * Append the title line and the first `rows` rows, each ended by `line_end`.
 *
 * width  characters of a line; 0: as many as it takes
 */
void sheet_write(
    const struct sheet *sheet, size_t width, size_t rows, const char *line_end, struct buffer *out);
void sheet_reset(struct sheet *sheet); /* no columns, no cells; memory kept */
void sheet_release(struct sheet *sheet);

/* Append `text` as it may be shown; or print it so. */
void sheet_escape(struct bytes text, struct buffer *out);
void sheet_print(struct bytes text);

#endif
