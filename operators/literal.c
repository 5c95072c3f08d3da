#include "operators/literal.h"

#include "engine/base/duration.h"
#include "engine/base/quantity.h"

#include <stdio.h>
#include <stdlib.h>

enum { LITERAL_BYTES_MAX = 32 };

static bool parse_number(const char *text, struct literal *out)
{
    size_t size = strlen(text);
    bool share = size > 0 && text[size - 1] == '%';
    if (!quantity_number(text, &out->number)) return false;
    out->kind = share ? LITERAL_SHARE : LITERAL_NUMBER;
    return true;
}

/* 1k, 2.5M, 1G; m is minutes. */
static bool parse_scaled(char *text, struct literal *out)
{
    size_t size = strlen(text);
    double factor = 0;
    if (size < 2) return false;
    if (text[size - 1] == 'k') factor = 1e3;
    if (text[size - 1] == 'M') factor = 1e6;
    if (text[size - 1] == 'G') factor = 1e9;
    if (factor == 0) return false;
    text[size - 1] = '\0';
    bool read = text[size - 2] != '%' && quantity_number(text, &out->number);
    out->number *= factor;
    out->kind = LITERAL_NUMBER;
    return read;
}

static bool parse_time(const char *text, struct literal *out)
{
    int64_t ns;
    bool negative = *text == '-';
    if (!duration_parse(text + negative, &ns)) return false;
    out->number = negative ? -(double)ns : (double)ns;
    out->kind = LITERAL_TIME;
    return true;
}

bool literal_parse(struct bytes text, struct literal *literal)
{
    char copy[LITERAL_BYTES_MAX];
    struct literal out = {.kind = LITERAL_NUMBER};
    if (text.size == 0 || text.size >= sizeof(copy)) return false;
    snprintf(copy, sizeof(copy), "%.*s", (int)text.size, (const char *)text.data);
    if (copy[0] == 'n') return false; /* nan is for options that are not given */
    if (!parse_number(copy, &out) && !parse_time(copy, &out) && !parse_scaled(copy, &out))
        return false;
    *literal = out;
    return true;
}

bool literal_take_level(struct cursor *c, struct literal *literal)
{
    for (int level = 0; level < 3; level++) {
        if (!cursor_take_word(c, level_name[level])) continue;
        *literal = (struct literal){.kind = LITERAL_LEVEL, .number = level};
        return true;
    }
    return false;
}

static enum status in_time(
    const struct literal *l, double ns, const char *name, double *number, struct error *err)
{
    if (l->kind == LITERAL_TIME) {
        *number = l->number / ns;
        return ST_OK;
    }
    return error_set(err, ST_FATAL, 0, "%s is a time: write it as in 500ms or 2s", name);
}

static enum status in_ratio(
    const struct literal *l, const char *name, double *number, struct error *err)
{
    bool fits = l->kind == LITERAL_NUMBER || l->kind == LITERAL_SHARE;
    if (!fits) return error_set(err, ST_FATAL, 0, "%s is a share: write it as in 2%%", name);
    if (l->number < 0 || l->number > 1)
        return error_set(
            err, ST_FATAL, 0, "%s is never beyond 0 to 100%%, which is 1: write 2%% or 0.02", name);
    *number = l->number;
    return ST_OK;
}

static enum status in_number(
    const struct literal *l, bool count, const char *name, double *number, struct error *err)
{
    bool fits = l->kind == LITERAL_NUMBER || (l->kind == LITERAL_SHARE && !count);
    if (!fits)
        return error_set(err, ST_FATAL, 0, "%s is a %s: write it as in %s", name,
            count ? "count" : "plain number", count ? "100 or 1k" : "3.5");
    *number = l->number;
    return ST_OK;
}

enum status literal_in_unit(const struct literal *l, enum unit unit, bool short_form,
    struct bytes column, double *number, struct error *err)
{
    const struct cursor_shown shown = cursor_show_bytes(column);
    bool bare = l->kind == LITERAL_NUMBER && !short_form;
    if (l->kind == LITERAL_LEVEL && unit != UNIT_LEVEL)
        return error_set(err, ST_FATAL, 0, "%s has no levels: only anomaly() has", shown.text);
    switch (unit) {
    case UNIT_MS:
    case UNIT_NS:
        if (!bare) return in_time(l, unit == UNIT_MS ? 1e6 : 1, shown.text, number, err);
        break;
    case UNIT_RATIO:
        return in_ratio(l, shown.text, number, err);
    case UNIT_LEVEL:
        if (l->kind != LITERAL_LEVEL)
            return error_set(
                err, ST_FATAL, 0, "%s is a level: write none, notice or page", shown.text);
        break;
    case UNIT_COUNT:
    case UNIT_NUMBER:
    case UNIT_SHARE:
        return in_number(l, unit == UNIT_COUNT, shown.text, number, err);
    }
    *number = l->number;
    return ST_OK;
}
