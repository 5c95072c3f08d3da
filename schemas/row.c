#include "schemas/row.h"

#include "schemas/exemplar.h"
#include "schemas/format.h"
#include "schemas/series_name.h"
#include "schemas/standout.h"
#include "schemas/wire.h"

#include <stdio.h>

/* Field numbers of schemas/row.proto. */
enum { OUTPUT_VERSION = 1, OUTPUT_PLAN, OUTPUT_ROW, OUTPUT_ALERT };
enum { COLUMN_NAME = 1, COLUMN_INTEGER, COLUMN_NUMBER };
enum {
    ROW_SERIES = 1,
    ROW_START_NS,
    ROW_END_NS,
    ROW_ROLLING,
    ROW_STATUS,
    ROW_COLUMN,
    ROW_SKETCH,
    ROW_RECORD_MS,
    ROW_SENT_MS,
    ROW_EXEMPLAR,
    ROW_ERROR_KIND,
    ROW_ERRORS_ELSE
};
enum {
    ALERT_ID = 1,
    ALERT_RULE,
    ALERT_SERIES,
    ALERT_STATE,
    ALERT_SEVERITY,
    ALERT_COLUMN, /* read as the condition, never written: see schemas/row.proto */
    ALERT_VALUE,
    ALERT_SINCE_NS = 9,
    ALERT_AT_NS,
    ALERT_SENT_MS,
    ALERT_CONDITION,
    ALERT_LABELS,
    ALERT_ANNOTATIONS,
    ALERT_SIGNAL,
    ALERT_EXEMPLAR,
    ALERT_ERROR_KIND,
    ALERT_ERRORS_ELSE,
    ALERT_TOGETHER,
    ALERT_CHANGED,
    ALERT_MEMBER,
    ALERT_MEMBERS
};

enum {
    ROWS_VERSION = 1,
    ROW_SKETCH_BYTES_MAX =
        256 << 10,              /* one is some 500 bytes; scale 7 filled end to end is 80 kB */
    ALERT_TEXT_MAX = 4096,      /* a rule name, a severity, a condition */
    ALERT_JSON_MAX = 256 << 10, /* labels, annotations */
};

const char *const row_status_name[] = {"provisional", "final", "revised"};
const char *const exemplar_kind_name[] = {"slow", "error", "typical"};
const char *const alert_state_name[] = {"inactive", "pending", "firing", "resolved"};

int columns_find(const struct columns *columns, struct bytes name)
{
    if (name.size == 0) return -1;
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (bytes_are(name, columns->name[c])) return c;
    }
    return -1;
}

/* Open a record with the fields that every version begins with. */
static size_t output_open(struct buffer *out, uint64_t plan, uint32_t what)
{
    wire_put_uint(out, OUTPUT_VERSION, format_version(ROWS_VERSION));
    wire_put_fixed64(out, OUTPUT_PLAN, plan);
    format_add(out);
    size_t mark = wire_open(out, what);
    format_add(out);
    return mark;
}

static void column_encode(
    const struct row *row, const struct columns *columns, int c, struct buffer *out)
{
    size_t mark = wire_open(out, ROW_COLUMN);
    wire_put_bytes(out, COLUMN_NAME, bytes_of(columns->name[c]));
    if (c < COLUMN_INTEGERS)
        wire_put_uint(out, COLUMN_INTEGER, row->value[c].integer);
    else
        wire_put_double(out, COLUMN_NUMBER, row->value[c].number);
    wire_close(out, mark);
}

void row_encode(
    const struct row *row, const struct columns *columns, uint64_t plan, struct buffer *out)
{
    size_t mark = output_open(out, plan, OUTPUT_ROW);
    wire_put_bytes(out, ROW_SERIES, row->series);
    wire_put_sint(out, ROW_START_NS, row->start_ns);
    wire_put_sint(out, ROW_END_NS, row->end_ns);
    if (row->rolling) wire_put_uint(out, ROW_ROLLING, 1);
    if (row->status != ROW_PROVISIONAL) wire_put_uint(out, ROW_STATUS, row->status);
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (row_has(row, c) && columns->name[c][0] != '\0') column_encode(row, columns, c, out);
    }
    if (row->sketch.size != 0) wire_put_bytes(out, ROW_SKETCH, row->sketch);
    if (row->record_ms != 0) wire_put_sint(out, ROW_RECORD_MS, row->record_ms);
    if (row->sent_ms != 0) wire_put_sint(out, ROW_SENT_MS, row->sent_ms);
    for (uint32_t i = 0; i < row->exemplars; i++)
        exemplar_encode(&row->exemplar[i], ROW_EXEMPLAR, out);
    for (uint32_t i = 0; i < row->error_kinds; i++)
        error_kind_encode(&row->error_kind[i], ROW_ERROR_KIND, out);
    if (row->errors_else != 0) wire_put_uint(out, ROW_ERRORS_ELSE, row->errors_else);
    wire_close(out, mark);
}

void alert_encode(const struct alert *alert, uint64_t plan, struct buffer *out)
{
    size_t mark = output_open(out, plan, OUTPUT_ALERT);
    wire_put_bytes(out, ALERT_ID, bytes_of(alert->id));
    wire_put_bytes(out, ALERT_RULE, alert->rule);
    wire_put_bytes(out, ALERT_SERIES, alert->series);
    wire_put_uint(out, ALERT_STATE, alert->state);
    wire_put_bytes(out, ALERT_SEVERITY, alert->severity);
    wire_put_double(out, ALERT_VALUE, alert->value);
    wire_put_sint(out, ALERT_SINCE_NS, alert->since_ns);
    wire_put_sint(out, ALERT_AT_NS, alert->at_ns);
    if (alert->sent_ms != 0) wire_put_sint(out, ALERT_SENT_MS, alert->sent_ms);
    wire_put_bytes(out, ALERT_CONDITION, alert->condition);
    if (alert->labels.size != 0) wire_put_bytes(out, ALERT_LABELS, alert->labels);
    if (alert->annotations.size != 0) wire_put_bytes(out, ALERT_ANNOTATIONS, alert->annotations);
    if (alert->signal.name.size != 0) standout_encode(&alert->signal, ALERT_SIGNAL, out);
    for (uint32_t i = 0; i < alert->exemplars; i++)
        exemplar_encode(&alert->exemplar[i], ALERT_EXEMPLAR, out);
    for (uint32_t i = 0; i < alert->error_kinds; i++)
        error_kind_encode(&alert->error_kind[i], ALERT_ERROR_KIND, out);
    if (alert->errors_else != 0) wire_put_uint(out, ALERT_ERRORS_ELSE, alert->errors_else);
    if (alert->together) wire_put_uint(out, ALERT_TOGETHER, 1);
    if (alert->changed) wire_put_uint(out, ALERT_CHANGED, 1);
    for (uint32_t i = 0; i < alert->members; i++)
        member_encode(&alert->member[i], ALERT_MEMBER, out);
    if (alert->members_in_all != 0) wire_put_uint(out, ALERT_MEMBERS, alert->members_in_all);
    wire_close(out, mark);
}

/* What a field's type must be, and where its value goes: one line a field in the tables below. */
enum slot_type {
    SLOT_NONE = 0,
    SLOT_TIME,
    SLOT_COUNT,
    SLOT_FLAG,
    SLOT_ENUM,
    SLOT_NUMBER,
    SLOT_BYTES,
    SLOT_ID
};

struct slot {
    enum slot_type type;
    size_t offset;
    uint64_t max; /* of an enum; bytes of a text */
};

static enum wire_type slot_wire(enum slot_type type)
{
    if (type == SLOT_NUMBER) return WIRE_FIXED64;
    return type == SLOT_BYTES || type == SLOT_ID ? WIRE_BYTES : WIRE_VARINT;
}

/* Put a field into its slot of `into`; false when it does not fit there. */
static bool slot_fill(const struct slot *slot, const struct wire_field *field, void *into)
{
    void *to = (char *)into + slot->offset;
    if (slot->type == SLOT_NONE) return true; /* a number that is no more */
    if (field->type != slot_wire(slot->type)) return false;
    switch (slot->type) {
    case SLOT_NONE:
        break;
    case SLOT_TIME:
        *(int64_t *)to = wire_zigzag(field->value);
        return *(int64_t *)to >= 0;
    case SLOT_COUNT:
        *(uint64_t *)to = field->value;
        return true;
    case SLOT_FLAG:
        *(bool *)to = field->value != 0;
        return true;
    case SLOT_ENUM:
        *(unsigned *)to = (unsigned)field->value;
        return field->value <= slot->max;
    case SLOT_NUMBER:
        *(double *)to = wire_double(field->value);
        return true;
    case SLOT_BYTES:
        *(struct bytes *)to = field->bytes;
        return field->bytes.size <= slot->max;
    case SLOT_ID:
        if (field->bytes.size > slot->max) return false;
        memcpy(to, field->bytes.data, field->bytes.size);
        ((char *)to)[field->bytes.size] = '\0';
        return true;
    }
    return false;
}

static const struct slot row_slots[] = {
    [ROW_SERIES] = {SLOT_BYTES, offsetof(struct row, series), SERIES_BYTES_MAX},
    [ROW_START_NS] = {SLOT_TIME, offsetof(struct row, start_ns), 0},
    [ROW_END_NS] = {SLOT_TIME, offsetof(struct row, end_ns), 0},
    [ROW_ROLLING] = {SLOT_FLAG, offsetof(struct row, rolling), 0},
    [ROW_STATUS] = {SLOT_ENUM, offsetof(struct row, status), ROW_REVISED},
    [ROW_SKETCH] = {SLOT_BYTES, offsetof(struct row, sketch), ROW_SKETCH_BYTES_MAX},
    [ROW_RECORD_MS] = {SLOT_TIME, offsetof(struct row, record_ms), 0},
    [ROW_SENT_MS] = {SLOT_TIME, offsetof(struct row, sent_ms), 0},
    [ROW_ERRORS_ELSE] = {SLOT_COUNT, offsetof(struct row, errors_else), 0},
};

static const struct slot alert_slots[] = {
    [ALERT_ID] = {SLOT_ID, offsetof(struct alert, id), sizeof(((struct alert *)0)->id) - 1},
    [ALERT_RULE] = {SLOT_BYTES, offsetof(struct alert, rule), ALERT_TEXT_MAX},
    [ALERT_SERIES] = {SLOT_BYTES, offsetof(struct alert, series), SERIES_BYTES_MAX},
    [ALERT_STATE] = {SLOT_ENUM, offsetof(struct alert, state), ALERT_RESOLVED},
    [ALERT_SEVERITY] = {SLOT_BYTES, offsetof(struct alert, severity), ALERT_TEXT_MAX},
    [ALERT_COLUMN] = {SLOT_BYTES, offsetof(struct alert, condition), ALERT_TEXT_MAX},
    [ALERT_VALUE] = {SLOT_NUMBER, offsetof(struct alert, value), 0},
    [ALERT_SINCE_NS] = {SLOT_TIME, offsetof(struct alert, since_ns), 0},
    [ALERT_AT_NS] = {SLOT_TIME, offsetof(struct alert, at_ns), 0},
    [ALERT_SENT_MS] = {SLOT_TIME, offsetof(struct alert, sent_ms), 0},
    [ALERT_CONDITION] = {SLOT_BYTES, offsetof(struct alert, condition), ALERT_TEXT_MAX},
    [ALERT_LABELS] = {SLOT_BYTES, offsetof(struct alert, labels), ALERT_JSON_MAX},
    [ALERT_ANNOTATIONS] = {SLOT_BYTES, offsetof(struct alert, annotations), ALERT_JSON_MAX},
    [ALERT_ERRORS_ELSE] = {SLOT_COUNT, offsetof(struct alert, errors_else), 0},
    [ALERT_TOGETHER] = {SLOT_FLAG, offsetof(struct alert, together), 0},
    [ALERT_CHANGED] = {SLOT_FLAG, offsetof(struct alert, changed), 0},
    [ALERT_MEMBERS] = {SLOT_COUNT, offsetof(struct alert, members_in_all), 0},
};
_Static_assert(sizeof(enum row_status) == sizeof(unsigned), "slot_fill writes enums as unsigned");
_Static_assert(sizeof(enum alert_state) == sizeof(unsigned), "slot_fill writes enums as unsigned");

static bool column_decode(struct wire wire, struct column_value *column)
{
    struct wire_field field;
    bool has_value = false;
    int more;
    *column = (struct column_value){0};
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number == COLUMN_NAME && field.type == WIRE_BYTES) {
            column->name = field.bytes;
        } else if (field.number == COLUMN_INTEGER && field.type == WIRE_VARINT) {
            column->is_integer = has_value = true;
            column->value.integer = field.value;
        } else if (field.number == COLUMN_NUMBER && field.type == WIRE_FIXED64) {
            column->is_integer = false;
            has_value = true;
            column->value.number = wire_double(field.value);
        } else if (field.number <= COLUMN_NUMBER) {
            return false;
        }
    }
    if (more < 0 || !has_value) return false;
    return column->name.size > 0 && column->name.size < COLUMN_NAME_BYTES;
}

static bool row_field(const struct wire *wire, const struct wire_field *field, struct output *out)
{
    struct row *row = &out->row;
    if (field->number >= sizeof(row_slots) / sizeof(row_slots[0])) return true;
    if (field->number != ROW_COLUMN && field->number != ROW_EXEMPLAR &&
        field->number != ROW_ERROR_KIND)
        return slot_fill(&row_slots[field->number], field, row);

    if (field->type != WIRE_BYTES) return false;
    struct wire inside = wire_inside(wire, field->bytes);
    if (field->number == ROW_EXEMPLAR)
        return row->exemplars < EXEMPLARS_MAX &&
               exemplar_decode(inside, &row->exemplar[row->exemplars++]);
    if (field->number == ROW_ERROR_KIND)
        return row->error_kinds < ERROR_KINDS_MAX &&
               error_kind_decode(inside, &row->error_kind[row->error_kinds++]);
    return out->columns < COLUMN_COUNT && column_decode(inside, &out->column[out->columns++]);
}

static bool alert_message(struct wire wire, uint32_t number, struct alert *alert)
{
    switch (number) {
    case ALERT_SIGNAL:
        return standout_decode(wire, &alert->signal);
    case ALERT_EXEMPLAR:
        return alert->exemplars < EXEMPLARS_MAX &&
               exemplar_decode(wire, &alert->exemplar[alert->exemplars++]);
    case ALERT_ERROR_KIND:
        return alert->error_kinds < ERROR_KINDS_MAX &&
               error_kind_decode(wire, &alert->error_kind[alert->error_kinds++]);
    default:
        return alert->members < MEMBERS_MAX &&
               member_decode(wire, &alert->member[alert->members++]);
    }
}

static bool alert_field(
    const struct wire *wire, const struct wire_field *field, struct alert *alert)
{
    if (field->number >= sizeof(alert_slots) / sizeof(alert_slots[0])) return true;
    bool message = (field->number >= ALERT_SIGNAL && field->number <= ALERT_ERROR_KIND) ||
                   field->number == ALERT_MEMBER;
    if (!message) return slot_fill(&alert_slots[field->number], field, alert);
    if (field->type != WIRE_BYTES) return false;
    return alert_message(wire_inside(wire, field->bytes), field->number, alert);
}

static bool row_is_whole(const struct row *row)
{
    return row->series.size > 0 && row->end_ns > row->start_ns;
}

static bool alert_is_whole(const struct alert *alert)
{
    if (alert->id[0] == '\0' || alert->series.size == 0) return false;
    return alert->state == ALERT_FIRING || alert->state == ALERT_RESOLVED;
}

static enum status malformed(const struct wire *wire, const char *what, struct error *err)
{
    return error_set(err, ST_SKIP, 0,
        "row: the record is malformed: bad %s before byte %zu. Does something else write to the "
        "rows topic?",
        what, wire_offset(wire));
}

static enum status body_decode(
    const struct wire *outer, const struct wire_field *body, struct output *out, struct error *err)
{
    struct wire wire = wire_inside(outer, body->bytes);
    struct wire_field field;
    int more;
    out->is_alert = body->number == OUTPUT_ALERT;
    while ((more = wire_next(&wire, &field)) > 0) {
        bool ok =
            out->is_alert ? alert_field(&wire, &field, &out->alert) : row_field(&wire, &field, out);
        if (!ok) return malformed(&wire, "field", err);
    }
    if (more < 0) return malformed(&wire, "field", err);
    if (out->is_alert ? alert_is_whole(&out->alert) : row_is_whole(&out->row)) return ST_OK;
    return malformed(&wire, out->is_alert ? "alert" : "row", err);
}

/* The version and the plan come first in thought though not on the wire: a newer body is not read. */
static enum status head_decode(
    struct wire wire, struct output *out, struct wire_field *body, struct error *err)
{
    struct wire_field field;
    uint64_t version = 0;
    unsigned bodies = 0;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number == OUTPUT_VERSION && field.type == WIRE_VARINT) version = field.value;
        if (field.number == OUTPUT_PLAN && field.type == WIRE_FIXED64) out->plan = field.value;
        if (field.type != WIRE_BYTES) continue;
        if (field.number == OUTPUT_ROW || field.number == OUTPUT_ALERT) {
            *body = field;
            bodies++;
        }
    }
    if (more < 0) return malformed(&wire, "field", err);
    if (version == 0) return malformed(&wire, "record", err);
    enum status status = format_check("row", version, ROWS_VERSION, err);
    if (status != ST_OK) return status;
    if (bodies != 1) return malformed(&wire, "record", err);
    return ST_OK;
}

enum status output_decode(struct bytes record, struct output *out, struct error *err)
{
    struct wire wire = wire_of(record);
    struct wire_field body = {0};
    out->columns = 0;
    out->row = (struct row){0};
    out->alert = (struct alert){.signal = standout_none()};

    enum status status = head_decode(wire, out, &body, err);
    if (status != ST_OK) return status;
    return body_decode(&wire, &body, out, err);
}
