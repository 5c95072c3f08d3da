#include "engine/otlp_shift.h"

#include "schemas/wire.h"

/* What stands at each level: the messages to go into, and the times to move. */
enum level { LEVEL_MESSAGE, LEVEL_RESOURCE, LEVEL_SCOPE, LEVEL_SPAN, LEVEL_EVENT };

static bool goes_deeper(enum level level, uint32_t field)
{
    switch (level) {
    case LEVEL_MESSAGE:
        return field == 1;
    case LEVEL_RESOURCE:
        return field == 2 || field == 1000; /* scope_spans, and as it was called */
    case LEVEL_SCOPE:
        return field == 2;
    case LEVEL_SPAN:
        return field == 11;
    case LEVEL_EVENT:
        return false;
    }
    return false;
}

static bool is_time(enum level level, uint32_t field)
{
    return (level == LEVEL_SPAN && (field == 7 || field == 8)) ||
           (level == LEVEL_EVENT && field == 1);
}

/* A time is the eight bytes before the cursor. Zero means that it was not given. */
static void time_move(uint8_t *message, const struct wire *wire, uint64_t time, int64_t by_ns)
{
    if (time == 0) return;
    time += (uint64_t)by_ns;
    memcpy(message + wire_offset(wire) - sizeof(time), &time, sizeof(time));
}

static enum status level_shift(
    uint8_t *message, struct wire wire, enum level level, int64_t by_ns, struct error *err)
{
    struct wire_field field;
    int more;
    while ((more = wire_next(&wire, &field)) == 1) {
        if (field.type == WIRE_BYTES && goes_deeper(level, field.number)) {
            enum status status =
                level_shift(message, wire_inside(&wire, field.bytes), level + 1, by_ns, err);
            if (status != ST_OK) return status;
        } else if (field.type == WIRE_FIXED64 && is_time(level, field.number)) {
            time_move(message, &wire, field.value, by_ns);
        }
    }
    if (more == 0) return ST_OK;
    return error_set(err, ST_SKIP, 0, "otlp: malformed at byte %zu", wire_offset(&wire));
}

enum status otlp_shift(uint8_t *message, size_t bytes, int64_t by_ns, struct error *err)
{
    struct wire wire = wire_of((struct bytes){message, bytes});
    return level_shift(message, wire, LEVEL_MESSAGE, by_ns, err);
}
