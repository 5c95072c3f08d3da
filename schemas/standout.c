#include "schemas/standout.h"

#include "schemas/series_name.h"

#include <math.h>

/* Field numbers of Standout and Member in schemas/row.proto. */
enum {
    SIGNAL_NAME = 1,
    SIGNAL_Z,
    SIGNAL_P,
    SIGNAL_VALUE,
    SIGNAL_EXPECTED,
    SIGNAL_SHIFT,
    SIGNAL_MEAN_MS
};
enum { MEMBER_SERIES = 1, MEMBER_SIGNAL };

static void put_number(struct buffer *out, uint32_t field, double number)
{
    if (!isnan(number)) wire_put_double(out, field, number);
}

void standout_encode(const struct standout *signal, uint32_t field, struct buffer *out)
{
    size_t mark = wire_open(out, field);
    if (signal->name.size != 0) wire_put_bytes(out, SIGNAL_NAME, signal->name);
    put_number(out, SIGNAL_Z, signal->z);
    put_number(out, SIGNAL_P, signal->p);
    put_number(out, SIGNAL_VALUE, signal->value);
    put_number(out, SIGNAL_EXPECTED, signal->expected);
    put_number(out, SIGNAL_SHIFT, signal->shift);
    put_number(out, SIGNAL_MEAN_MS, signal->mean_ms);
    wire_close(out, mark);
}

void member_encode(const struct member *member, uint32_t field, struct buffer *out)
{
    size_t mark = wire_open(out, field);
    wire_put_bytes(out, MEMBER_SERIES, member->series);
    standout_encode(&member->signal, MEMBER_SIGNAL, out);
    wire_close(out, mark);
}

bool standout_decode(struct wire wire, struct standout *signal)
{
    double *const number[] = {[SIGNAL_Z] = &signal->z,
        [SIGNAL_P] = &signal->p,
        [SIGNAL_VALUE] = &signal->value,
        [SIGNAL_EXPECTED] = &signal->expected,
        [SIGNAL_SHIFT] = &signal->shift,
        [SIGNAL_MEAN_MS] = &signal->mean_ms};
    struct wire_field field;
    int more;
    *signal = standout_none();
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number == SIGNAL_NAME) {
            if (field.type != WIRE_BYTES || field.bytes.size >= COLUMN_NAME_BYTES) return false;
            signal->name = field.bytes;
        } else if (field.number >= SIGNAL_Z && field.number <= SIGNAL_MEAN_MS) {
            if (field.type != WIRE_FIXED64) return false;
            *number[field.number] = wire_double(field.value);
        }
    }
    return more == 0;
}

bool member_decode(struct wire wire, struct member *member)
{
    struct wire_field field;
    int more;
    *member = (struct member){.signal = standout_none()};
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number > MEMBER_SIGNAL) continue;
        if (field.type != WIRE_BYTES) return false;
        if (field.number == MEMBER_SERIES) {
            if (field.bytes.size > SERIES_BYTES_MAX) return false;
            member->series = field.bytes;
        } else if (!standout_decode(wire_inside(&wire, field.bytes), &member->signal)) {
            return false;
        }
    }
    return more == 0 && member->series.size != 0;
}
