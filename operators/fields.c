#include "operators/fields.h"

#include "operators/measure.h"

void fields_encode(const uint64_t *value, uint32_t values, struct buffer *out)
{
    for (uint32_t i = 0; i < values; i++) {
        if (value[i] != 0) wire_put_uint(out, i + 1, value[i]);
    }
}

static bool fields_take(const struct wire_field *field, uint64_t *value, uint32_t values)
{
    if (field->type != WIRE_VARINT || field->number > values) return false;
    value[field->number - 1] = field->value;
    return field->value <= MEASURE_COUNT_MAX;
}

enum status fields_decode(
    struct bytes encoded, const char *measure, uint64_t *value, uint32_t values, struct error *err)
{
    uint64_t read[FIELDS_MAX] = {0};
    struct wire wire = wire_of(encoded);
    struct wire_field field;
    int found;
    while ((found = wire_next(&wire, &field)) == 1) {
        if (fields_take(&field, read, values)) continue;
        return error_set(err, ST_SKIP, 0,
            "%s: field %u before byte %zu of the state is unknown or too large. It was damaged or "
            "written by something else.",
            measure, field.number, wire_offset(&wire));
    }
    if (found < 0) {
        return error_set(err, ST_SKIP, 0, "%s: the state is malformed at byte %zu of %zu", measure,
            wire_offset(&wire), encoded.size);
    }
    memcpy(value, read, values * sizeof(*value));
    return ST_OK;
}
