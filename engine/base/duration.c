#include "engine/base/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Coarsest first; "ms" is looked for before "m". */
static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"d", INT64_C(86400000000000)},
    {"h", INT64_C(3600000000000)},
    {"ms", INT64_C(1000000)},
    {"m", INT64_C(60000000000)},
    {"s", INT64_C(1000000000)},
    {"us", INT64_C(1000)},
    {"ns", INT64_C(1)},
};
enum { UNITS = sizeof(units) / sizeof(units[0]) };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool digits_parse(const char **at, int64_t *value)
{
    if (!is_digit(**at)) return false;
    *value = 0;
    for (; is_digit(**at); (*at)++) {
        if (__builtin_mul_overflow(*value, 10, value)) return false;
        if (__builtin_add_overflow(*value, **at - '0', value)) return false;
    }
    return true;
}

/* ".25" as 25 of 100; no more digits than a nanosecond in a second has. */
static bool fraction_parse(const char **at, int64_t *part, int64_t *whole)
{
    *part = 0;
    *whole = 1;
    if (**at != '.') return true;

    const char *start = ++*at;
    if (!digits_parse(at, part)) return false;
    if (*at - start > 9) return false;
    for (const char *digit = start; digit < *at; digit++)
        *whole *= 10;
    return true;
}

static bool unit_parse(const char **at, int64_t *unit_ns)
{
    for (size_t i = 0; i < UNITS; i++) {
        size_t size = strlen(units[i].name);
        if (strncmp(*at, units[i].name, size) != 0) continue;
        *at += size;
        *unit_ns = units[i].ns;
        return true;
    }
    return false;
}

static bool term_parse(const char **at, int64_t *ns)
{
    int64_t number, part, whole, unit_ns, part_ns;
    if (!digits_parse(at, &number)) return false;
    if (!fraction_parse(at, &part, &whole)) return false;
    if (!unit_parse(at, &unit_ns)) return false;

    if (__builtin_mul_overflow(number, unit_ns, ns)) return false;
    if (__builtin_mul_overflow(part, unit_ns, &part_ns)) return false;
    if (part_ns % whole != 0) return false;
    return !__builtin_add_overflow(*ns, part_ns / whole, ns);
}

bool duration_parse(const char *text, int64_t *ns)
{
    int64_t sum_ns = 0, term_ns;
    if (strcmp(text, "0") == 0) {
        *ns = 0;
        return true;
    }
    do {
        if (!term_parse(&text, &term_ns)) return false;
        if (__builtin_add_overflow(sum_ns, term_ns, &sum_ns)) return false;
    } while (*text != '\0');
    *ns = sum_ns;
    return true;
}

static const char *const printed_as[] = {"d", "h", "m", "s", "ms", "us", "ns"};

struct duration_text duration_print(int64_t ns)
{
    struct duration_text out = {"0s"};
    if (ns == 0) return out;
    for (size_t i = 0; i < UNITS; i++) {
        const char *name = printed_as[i];
        int64_t unit_ns = 1;
        unit_parse(&name, &unit_ns);
        if (ns % unit_ns != 0) continue;
        snprintf(out.text, sizeof(out.text), "%" PRId64 "%s", ns / unit_ns, printed_as[i]);
        break;
    }
    return out;
}
