#include "engine/base/text.h"

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The range of the second byte is what keeps out overlong forms, surrogates and U+110000 up. */
static bool is_second(uint8_t first, uint8_t second)
{
    if (first == 0xe0) return second >= 0xa0 && second <= 0xbf;
    if (first == 0xed) return second >= 0x80 && second <= 0x9f;
    if (first == 0xf0) return second >= 0x90 && second <= 0xbf;
    if (first == 0xf4) return second >= 0x80 && second <= 0x8f;
    return is_tail(second);
}

size_t text_character(struct bytes text)
{
    if (text.size == 0) return 0;
    uint8_t first = text.data[0];
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;

    size_t wanted = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (text.size < wanted || !is_second(first, text.data[1])) return 0;
    for (size_t i = 2; i < wanted; i++) {
        if (!is_tail(text.data[i])) return 0;
    }
    return wanted;
}

static int code_of(struct bytes character)
{
    const uint8_t *c = character.data;
    switch (character.size) {
    case 1:
        return c[0];
    case 2:
        return (c[0] & 0x1f) << 6 | (c[1] & 0x3f);
    case 3:
        return (c[0] & 0x0f) << 12 | (c[1] & 0x3f) << 6 | (c[2] & 0x3f);
    }
    return -1;
}

int text_steering(struct bytes character)
{
    static const struct {
        int first, last;
    } steering[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x200b, 0x200f}, {0x2028, 0x202e},
        {0x2060, 0x206f}, {0xfeff, 0xfeff}};
    int code = code_of(character);
    for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++) {
        if (code >= steering[i].first && code <= steering[i].last) return code;
    }
    return -1;
}

void text_show(struct bytes text, struct buffer *out)
{
    while (text.size > 0) {
        size_t bytes = text_character(text);
        bool shown = bytes != 0 && text_steering((struct bytes){text.data, bytes}) < 0;
        if (bytes == 0) bytes = 1;
        if (shown) buffer_append(out, text.data, bytes);
        for (size_t i = 0; i < bytes && !shown; i++)
            buffer_print(out, "\\x%02x", text.data[i]);
        text = (struct bytes){text.data + bytes, text.size - bytes};
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One cell of the table: `row[0]` is being filled, `row[1]` and `row[2]` are those before it. */
static size_t cell(size_t *const row[3], const char *a, const char *b, size_t i, size_t j)
{
    size_t best = row[1][j - 1] + (a[i - 1] != b[j - 1]);
    best = least(best, least(row[1][j], row[0][j - 1]) + 1);
    bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
    return swapped ? least(best, row[2][j - 2] + 1) : best;
}

size_t text_distance(const char *a, const char *b)
{
    size_t a_count = strlen(a), b_count = strlen(b);
    if (a_count > TEXT_WORD_BYTES_MAX || b_count > TEXT_WORD_BYTES_MAX) return TEXT_WORD_BYTES_MAX;

    size_t rows[3][TEXT_WORD_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_count; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_count; i++) {
        size_t *const row[3] = {rows[i % 3], rows[(i + 2) % 3], rows[(i + 1) % 3]};
        row[0][0] = i;
        for (size_t j = 1; j <= b_count; j++)
            row[0][j] = cell(row, a, b, i, j);
    }
    return rows[a_count % 3][b_count];
}

size_t text_distance_max(const char *wrote)
{
    return strlen(wrote) / 3;
}
