#include "sinks/row_compact.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS = 7, DIGITS_MAX = 5 }; /* mean, min, max, three quantiles, z */

static bool begins(struct bytes name, const char *start)
{
    size_t size = strlen(start);
    return name.size >= size && memcmp(name.data, start, size) == 0;
}

static bool ends(struct bytes name, const char *end)
{
    size_t size = strlen(end);
    return name.size >= size && memcmp(name.data + name.size - size, end, size) == 0;
}

bool row_compact_is_score(struct bytes column)
{
    return ends(column, "_z");
}

static void put_integer(const struct column_value *column, struct row_compact *compact)
{
    if (bytes_are(column->name, "spans")) compact->spans = column->value.integer;
    if (bytes_are(column->name, "errors")) compact->errors = column->value.integer;
}

/* Gives how many of the quantiles have been found. */
static unsigned put_number(
    const struct column_value *column, unsigned quantiles, struct row_compact *compact)
{
    double number = column->value.number;
    if (bytes_are(column->name, "latency_mean_ms")) {
        compact->mean_ms = number;
    } else if (bytes_are(column->name, "latency_min_ms")) {
        compact->min_ms = number;
    } else if (bytes_are(column->name, "latency_max_ms")) {
        compact->max_ms = number;
    } else if (row_compact_is_score(column->name)) {
        if (isnan(compact->z) || fabs(number) > fabs(compact->z)) compact->z = number;
    } else if (begins(column->name, "latency_p") && ends(column->name, "_ms")) {
        if (quantiles < COMPACT_QUANTILES) compact->quantile_ms[quantiles++] = number;
    }
    return quantiles;
}

void row_compact_of(const struct output *output, struct row_compact *compact)
{
    unsigned quantiles = 0;
    *compact = (struct row_compact){
        .mean_ms = NAN, .min_ms = NAN, .max_ms = NAN, .quantile_ms = {NAN, NAN, NAN}, .z = NAN};
    for (uint32_t c = 0; c < output->columns; c++) {
        const struct column_value *column = &output->column[c];
        if (column->is_integer)
            put_integer(column, compact);
        else
            quantiles = put_number(column, quantiles, compact);
    }
}

static void numbers_of(const struct row_compact *compact, double number[NUMBERS])
{
    number[0] = compact->mean_ms;
    number[1] = compact->min_ms;
    number[2] = compact->max_ms;
    for (unsigned q = 0; q < COMPACT_QUANTILES; q++)
        number[3 + q] = compact->quantile_ms[q];
    number[NUMBERS - 1] = compact->z;
}

/* `1.5e+07` as `1.5e7`, `2e-05` as `2e-5`. */
static size_t squeeze(char *text)
{
    char *exponent = strchr(text, 'e');
    if (exponent == NULL) return strlen(text);
    char *from = exponent + 1, *to = exponent + 1;
    if (*from == '-') *to++ = *from;
    from += *from == '-' || *from == '+';
    while (from[0] == '0' && from[1] != '\0')
        from++;
    memmove(to, from, strlen(from) + 1);
    return strlen(text);
}

static void append_number(double number, int digits, struct buffer *out)
{
    char text[32];
    buffer_append(out, ",", 1);
    if (!isfinite(number)) return;
    snprintf(text, sizeof(text), "%.*g", digits, number);
    buffer_append(out, text, squeeze(text));
}

/* Append the first `count` numbers; false, and nothing appended, when the row gets too long. */
static bool append_row(
    const struct row_compact *compact, int digits, unsigned count, struct buffer *out)
{
    size_t begin = out->size;
    double number[NUMBERS];
    numbers_of(compact, number);
    buffer_print(
        out, "%llu,%llu", (unsigned long long)compact->spans, (unsigned long long)compact->errors);
    for (unsigned i = 0; i < count; i++)
        append_number(number[i], digits, out);
    if (out->size - begin <= COMPACT_BYTES_MAX) return true;
    out->size = begin;
    return false;
}

void row_compact_append(const struct row_compact *compact, struct buffer *out)
{
    for (int digits = DIGITS_MAX; digits >= 2; digits--) {
        if (append_row(compact, digits, NUMBERS, out)) return;
    }
    for (unsigned count = NUMBERS; !append_row(compact, 2, count, out);)
        count--;
}

/* Cut off what stands before the next comma. */
static struct bytes field_next(struct bytes *rest)
{
    struct bytes field = *rest;
    const uint8_t *comma = rest->size == 0 ? NULL : memchr(rest->data, ',', rest->size);
    if (comma == NULL) {
        *rest = (struct bytes){0};
        return field;
    }
    field.size = (size_t)(comma - rest->data);
    *rest = (struct bytes){comma + 1, rest->size - field.size - 1};
    return field;
}

static bool parse_count(struct bytes field, uint64_t *count)
{
    char text[32], *end;
    if (field.size == 0 || field.size >= sizeof(text)) return false;
    memcpy(text, field.data, field.size);
    text[field.size] = '\0';
    *count = strtoull(text, &end, 10);
    return *end == '\0' && text[0] != '-';
}

static bool parse_number(struct bytes field, double *number)
{
    char text[32], *end;
    *number = NAN;
    if (field.size == 0) return true;
    if (field.size >= sizeof(text)) return false;
    memcpy(text, field.data, field.size);
    text[field.size] = '\0';
    *number = strtod(text, &end);
    return *end == '\0';
}

bool row_compact_parse(struct bytes text, struct row_compact *compact)
{
    struct bytes rest = text;
    double number[NUMBERS];
    if (!parse_count(field_next(&rest), &compact->spans)) return false;
    if (!parse_count(field_next(&rest), &compact->errors)) return false;
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (!parse_number(field_next(&rest), &number[i])) return false;
    }
    compact->mean_ms = number[0];
    compact->min_ms = number[1];
    compact->max_ms = number[2];
    for (unsigned q = 0; q < COMPACT_QUANTILES; q++)
        compact->quantile_ms[q] = number[3 + q];
    compact->z = number[NUMBERS - 1];
    return true;
}
