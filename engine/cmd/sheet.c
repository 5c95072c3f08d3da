#include "engine/cmd/sheet.h"

#include "engine/base/memory.h"
#include "engine/base/text.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

enum { CELL_PRINT_BYTES = 128 };

static const char gap[] = "  ";

void sheet_escape(struct bytes text, struct buffer *out)
{
    text_show(text, out);
}

void sheet_print(struct bytes text)
{
    struct buffer shown = {0};
    sheet_escape(text, &shown);
    printf("%.*s", (int)shown.size, shown.size == 0 ? "" : (const char *)shown.data);
    buffer_release(&shown);
}

void sheet_column(struct sheet *sheet, const char *title, enum sheet_align align, bool elastic)
{
    assert(sheet->columns < SHEET_COLUMNS_MAX);
    sheet->column[sheet->columns].title = title;
    sheet->column[sheet->columns].align = align;
    sheet->column[sheet->columns].elastic = elastic;
    sheet->columns++;
}

void sheet_cell(struct sheet *sheet, struct bytes text)
{
    if (sheet->cells == sheet->capacity) {
        sheet->capacity = sheet->capacity == 0 ? 256 : 2 * sheet->capacity;
        sheet->end = memory_resize(sheet->end, sheet->capacity, sizeof(*sheet->end));
    }
    sheet_escape(text, &sheet->text);
    sheet->end[sheet->cells++] = sheet->text.size;
}

void sheet_print_cell(struct sheet *sheet, const char *format, ...)
{
    char text[CELL_PRINT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sheet_cell(sheet, bytes_of(text));
}

void sheet_number(struct sheet *sheet, int decimals, double number)
{
    char text[CELL_PRINT_BYTES] = "";
    if (!isnan(number)) snprintf(text, sizeof(text), "%.*f", decimals, number);
    sheet_cell(sheet, bytes_of(text));
}

size_t sheet_rows(const struct sheet *sheet)
{
    return sheet->columns == 0 ? 0 : sheet->cells / sheet->columns;
}

static struct bytes cell_at(const struct sheet *sheet, size_t row, size_t column)
{
    size_t cell = row * sheet->columns + column;
    size_t begin = cell == 0 ? 0 : sheet->end[cell - 1];
    return (struct bytes){sheet->text.data + begin, sheet->end[cell] - begin};
}

/* Characters, not bytes; continuation bytes are not counted. */
static size_t characters(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

static size_t widest(const struct sheet *sheet, size_t column, size_t rows)
{
    size_t width = characters(bytes_of(sheet->column[column].title));
    for (size_t row = 0; row < rows; row++) {
        size_t wanted = characters(cell_at(sheet, row, column));
        if (wanted > width) width = wanted;
    }
    return width;
}

/* Take from the widest elastic column, one character at a time, until the line fits. */
static void squeeze(const struct sheet *sheet, size_t *width, size_t most)
{
    size_t sum = strlen(gap) * (sheet->columns - 1);
    for (size_t c = 0; c < sheet->columns; c++)
        sum += width[c];
    while (sum > most) {
        size_t victim = SHEET_COLUMNS_MAX;
        for (size_t c = 0; c < sheet->columns; c++) {
            if (!sheet->column[c].elastic || width[c] <= SHEET_ELASTIC_MIN) continue;
            if (victim == SHEET_COLUMNS_MAX || width[c] > width[victim]) victim = c;
        }
        if (victim == SHEET_COLUMNS_MAX) return;
        width[victim]--;
        sum--;
    }
}

/* The bytes of the first `count` characters. */
static struct bytes first_characters(struct bytes text, size_t count)
{
    size_t size = 0;
    for (; size < text.size; size++) {
        if ((text.data[size] & 0xc0) == 0x80) continue;
        if (count-- == 0) break;
    }
    return (struct bytes){text.data, size};
}

static void write_cell(
    struct bytes text, size_t width, enum sheet_align align, bool last, struct buffer *out)
{
    size_t wanted = characters(text);
    if (wanted > width) {
        text = first_characters(text, width - 1);
        buffer_append(out, text.data, text.size);
        buffer_append(out, "…", strlen("…"));
        return;
    }
    if (align == SHEET_RIGHT) buffer_print(out, "%*s", (int)(width - wanted), "");
    buffer_append(out, text.data, text.size);
    if (align == SHEET_LEFT && !last) buffer_print(out, "%*s", (int)(width - wanted), "");
}

void sheet_write(
    const struct sheet *sheet, size_t width, size_t rows, const char *line_end, struct buffer *out)
{
    size_t of[SHEET_COLUMNS_MAX] = {0};
    size_t count = sheet_rows(sheet);
    if (rows > count) rows = count;
    if (sheet->columns == 0) return;
    for (size_t c = 0; c < sheet->columns; c++)
        of[c] = widest(sheet, c, rows);
    if (width != 0) squeeze(sheet, of, width);

    for (size_t line = 0; line <= rows; line++) {
        size_t begin = out->size;
        for (size_t c = 0; c < sheet->columns; c++) {
            struct bytes text =
                line == 0 ? bytes_of(sheet->column[c].title) : cell_at(sheet, line - 1, c);
            bool last = c + 1 == sheet->columns;
            write_cell(text, of[c], sheet->column[c].align, last, out);
            if (!last) buffer_append(out, gap, strlen(gap));
        }
        struct bytes whole = {out->data + begin, out->size - begin};
        if (width != 0) out->size = begin + first_characters(whole, width).size;
        buffer_append(out, line_end, strlen(line_end));
    }
}

void sheet_reset(struct sheet *sheet)
{
    sheet->columns = 0;
    sheet->cells = 0;
    buffer_reset(&sheet->text);
}

void sheet_release(struct sheet *sheet)
{
    buffer_release(&sheet->text);
    free(sheet->end);
    *sheet = (struct sheet){0};
}
