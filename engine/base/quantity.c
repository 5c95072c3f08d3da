#include "engine/base/quantity.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit count_units[] = {
    {"", 1},
    {"k", 1000},
    {"M", 1000000},
    {"G", 1000000000},
    {NULL, 0},
};

static const struct unit byte_units[] = {
    {"", 1},
    {"B", 1},
    {"kB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"KiB", 1 << 10},
    {"MiB", 1 << 20},
    {"GiB", 1 << 30},
    {"TiB", UINT64_C(1) << 40},
    {NULL, 0},
};

static bool integer_parse(const char *text, const struct unit *units, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value)) return false;
    }
    if (at == text) return false;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcmp(at, unit->name) != 0) continue;
        if (__builtin_mul_overflow(value, unit->factor, &value)) return false;
        *out = value;
        return true;
    }
    return false;
}

bool quantity_count(const char *text, uint64_t *count)
{
    return integer_parse(text, count_units, count);
}

bool quantity_bytes(const char *text, uint64_t *bytes)
{
    return integer_parse(text, byte_units, bytes);
}

bool quantity_number(const char *text, double *number)
{
    if (strcmp(text, "nan") == 0) {
        *number = NAN;
        return true;
    }
    /* strtod also takes spaces, hexadecimal, "inf" and "nan", which no option means. */
    if (*text == '\0' || strspn(text, "+-.0123456789eE%") != strlen(text)) return false;

    char *end;
    double value = strtod(text, &end);
    if (end == text || !isfinite(value)) return false;
    if (*end == '%') {
        value /= 100;
        end++;
    }
    if (*end != '\0') return false;
    *number = value;
    return true;
}

struct quantity_text quantity_print_bytes(double bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t i = 0;
    while (bytes >= 999.5 && i + 1 < sizeof(names) / sizeof(names[0])) {
        bytes /= 1024;
        i++;
    }
    struct quantity_text out;
    snprintf(
        out.text, sizeof(out.text), bytes < 100 && i > 0 ? "%.3g %s" : "%.0f %s", bytes, names[i]);
    return out;
}
