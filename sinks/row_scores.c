#include "sinks/row_scores.h"

#include <math.h>
#include <stdio.h>

static bool ends(struct bytes name, const char *end)
{
    size_t size = strlen(end);
    return name.size > size && memcmp(name.data + name.size - size, end, size) == 0;
}

bool row_scores_any(const struct output *output)
{
    for (uint32_t c = 0; c < output->columns; c++) {
        if (ends(output->column[c].name, "_windows_needed")) return true;
    }
    return false;
}

/* Of `<signal>_<part>`; NaN: it is not in the row. */
static double part_of(const struct output *output, struct bytes signal, const char *part)
{
    for (uint32_t c = 0; c < output->columns; c++) {
        struct bytes name = output->column[c].name;
        if (name.size != signal.size + strlen(part) || !ends(name, part)) continue;
        if (memcmp(name.data, signal.data, signal.size) == 0) return output->column[c].value.number;
    }
    return NAN;
}

static void append(double number, const char *format, struct buffer *out)
{
    char text[32];
    if (!isfinite(number)) return;
    snprintf(text, sizeof(text), format, number);
    buffer_append(out, text, strlen(text));
}

bool row_scores_next(
    const struct output *output, uint32_t *at, struct bytes *signal, struct buffer *text)
{
    static const char expected[] = "_expected";
    while (*at < output->columns && !ends(output->column[*at].name, expected))
        ++*at;
    if (*at == output->columns) return false;
    *signal = output->column[(*at)++].name;
    signal->size -= strlen(expected);
    buffer_reset(text);
    append(part_of(output, *signal, "_z"), "%.2f", text);
    static const char *const parts[] = {expected, "_low", "_high"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        buffer_append(text, ",", 1);
        append(part_of(output, *signal, parts[i]), "%.4g", text);
    }
    buffer_append(text, ",", 1);
    append(part_of(output, *signal, "_level"), "%.0f", text);
    return true;
}
