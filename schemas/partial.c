/* The codec of schemas/partial.proto. Absent fields have proto3's defaults, and clocks say "none". */
#include "schemas/partial.h"

#include "schemas/format.h"

void partial_put_header(struct buffer *out, const struct partial_header *header)
{
    wire_put_uint(out, 1, format_version(PARTIAL_VERSION));
    wire_put_fixed64(out, 2, header->plan);
    wire_put_uint(out, 3, (uint64_t)header->sent_ms);
    if (header->record_ms != 0) wire_put_uint(out, 4, (uint64_t)header->record_ms);
    if (header->last) wire_put_uint(out, 5, 1);
    format_add(out);
}

size_t partial_open_cell(struct buffer *out, const struct partial_cell *cell)
{
    size_t mark = wire_open(out, 6);
    if (cell->view != 0) wire_put_uint(out, 1, cell->view);
    for (uint32_t d = 0; d < cell->dimensions; d++)
        wire_put_bytes(out, 2, cell->dimension[d]);
    wire_put_sint(out, 3, cell->pane);
    if (cell->late_by != 0) wire_put_uint(out, 4, cell->late_by);
    return mark;
}

void partial_put_topic(struct buffer *out, const struct partial_topic *topic)
{
    size_t mark = wire_open(out, 7);
    wire_put_bytes(out, 1, topic->name);
    wire_put_uint(out, 2, topic->partitions);
    wire_close(out, mark);
}

void partial_put_clock(struct buffer *out, const struct partial_clock *clock)
{
    size_t mark = wire_open(out, 8);
    if (clock->topic != 0) wire_put_uint(out, 1, clock->topic);
    wire_put_uint(out, 2, clock->partition);
    if (clock->watermark_ns != WATERMARK_NONE) wire_put_sint(out, 3, clock->watermark_ns);
    if (clock->newest_pane != PANE_NONE) wire_put_sint(out, 4, clock->newest_pane);
    wire_put_uint(out, 5, (uint64_t)clock->from);
    wire_put_uint(out, 6, (uint64_t)clock->to);
    if (clock->ended) wire_put_uint(out, 7, 1);
    format_add(out);
    wire_close(out, mark);
}

void partial_put_total(struct buffer *out, const struct partial_total *total)
{
    size_t mark = wire_open(out, 9);
    wire_put_sint(out, 1, total->pane);
    if (total->messages != 0) wire_put_uint(out, 2, total->messages);
    if (total->malformed != 0) wire_put_uint(out, 3, total->malformed);
    if (total->spans != 0) wire_put_uint(out, 4, total->spans);
    if (total->dropped != 0) wire_put_uint(out, 5, total->dropped);
    wire_close(out, mark);
}

void partial_put_settings(struct buffer *out, struct bytes text)
{
    wire_put_bytes(out, 10, text);
}

void partial_put_telling(struct buffer *out, const struct partial_telling *telling)
{
    size_t mark = wire_open(out, 11);
    wire_put_uint(out, 1, telling->partition);
    if (telling->closed_ns != WATERMARK_NONE) wire_put_sint(out, 2, telling->closed_ns);
    if (telling->ended) wire_put_uint(out, 3, 1);
    if (telling->alerts.size != 0) wire_put_bytes(out, 4, telling->alerts);
    wire_close(out, mark);
}

/* As wire_next; text where a number should be reads as 0. */
static int field_next(struct wire *wire, struct wire_field *field)
{
    field->value = 0;
    return wire_next(wire, field);
}

enum status partial_open(
    struct bytes record, struct partial_header *header, struct wire *parts, struct error *err)
{
    struct wire wire = wire_of(record);
    struct wire_field field;
    uint64_t version = 0;
    int more;
    *header = (struct partial_header){0};
    *parts = wire;
    while ((more = field_next(&wire, &field)) > 0) {
        if (field.number == 1) version = field.value;
        if (field.number == 2) header->plan = field.value;
        if (field.number == 3) header->sent_ms = (int64_t)field.value;
        if (field.number == 4) header->record_ms = (int64_t)field.value;
        if (field.number == 5) header->last = field.value != 0;
    }
    if (more < 0) {
        return error_set(
            err, ST_SKIP, 0, "partial: malformed field at byte %zu", wire_offset(&wire));
    }
    return format_check("partial", version, PARTIAL_VERSION, err);
}

static bool cell_read(struct wire wire, struct partial_cell *cell)
{
    struct wire_field field;
    int more;
    *cell = (struct partial_cell){.message = {wire.at, (size_t)(wire.end - wire.at)}};
    while ((more = field_next(&wire, &field)) > 0) {
        if (field.number >= PARTIAL_MEASURE_FIRST && field.type != WIRE_BYTES) return false;
        if (field.number == 1) cell->view = (uint32_t)field.value;
        if (field.number == 3) cell->pane = wire_zigzag(field.value);
        if (field.number == 4) cell->late_by = field.value;
        if (field.number != 2) continue;
        if (field.type != WIRE_BYTES || cell->dimensions == PARTIAL_DIMENSIONS_MAX) return false;
        cell->dimension[cell->dimensions++] = field.bytes;
    }
    return more == 0;
}

static bool topic_read(struct wire wire, struct partial_topic *topic)
{
    struct wire_field field;
    int more;
    *topic = (struct partial_topic){0};
    while ((more = field_next(&wire, &field)) > 0) {
        if (field.number == 1 && field.type == WIRE_BYTES) topic->name = field.bytes;
        if (field.number == 2) topic->partitions = (uint32_t)field.value;
    }
    return more == 0;
}

static bool clock_read(struct wire wire, struct partial_clock *clock)
{
    struct wire_field field;
    int more;
    *clock = (struct partial_clock){.watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE};
    while ((more = field_next(&wire, &field)) > 0) {
        if (field.number == 1) clock->topic = (uint32_t)field.value;
        if (field.number == 2) clock->partition = (uint32_t)field.value;
        if (field.number == 3) clock->watermark_ns = wire_zigzag(field.value);
        if (field.number == 4) clock->newest_pane = wire_zigzag(field.value);
        if (field.number == 5) clock->from = (int64_t)field.value;
        if (field.number == 6) clock->to = (int64_t)field.value;
        if (field.number == 7) clock->ended = field.value != 0;
    }
    return more == 0;
}

static bool total_read(struct wire wire, struct partial_total *total)
{
    struct wire_field field;
    int more;
    *total = (struct partial_total){0};
    while ((more = field_next(&wire, &field)) > 0) {
        if (field.number == 1) total->pane = wire_zigzag(field.value);
        if (field.number == 2) total->messages = field.value;
        if (field.number == 3) total->malformed = field.value;
        if (field.number == 4) total->spans = field.value;
        if (field.number == 5) total->dropped = field.value;
    }
    return more == 0;
}

static bool telling_read(struct wire wire, struct partial_telling *telling)
{
    struct wire_field field;
    int more;
    *telling = (struct partial_telling){.closed_ns = WATERMARK_NONE};
    while ((more = field_next(&wire, &field)) > 0) {
        if (field.number == 1) telling->partition = (uint32_t)field.value;
        if (field.number == 2) telling->closed_ns = wire_zigzag(field.value);
        if (field.number == 3) telling->ended = field.value != 0;
        if (field.number == 4 && field.type == WIRE_BYTES) telling->alerts = field.bytes;
    }
    return more == 0;
}

enum partial_part partial_next(struct wire *parts, struct partial_item *item)
{
    struct wire_field field;
    int more;
    while ((more = wire_next(parts, &field)) > 0) {
        if (field.number < 6 || field.number > 11) continue; /* what a newer weir added */
        if (field.type != WIRE_BYTES) return PARTIAL_BAD;
        if (field.number == 10) {
            item->settings = field.bytes;
            return PARTIAL_SETTINGS;
        }
        struct wire inside = wire_inside(parts, field.bytes);
        if (field.number == 6) return cell_read(inside, &item->cell) ? PARTIAL_CELL : PARTIAL_BAD;
        if (field.number == 7)
            return topic_read(inside, &item->topic) ? PARTIAL_TOPIC : PARTIAL_BAD;
        if (field.number == 8)
            return clock_read(inside, &item->clock) ? PARTIAL_CLOCK : PARTIAL_BAD;
        if (field.number == 9)
            return total_read(inside, &item->total) ? PARTIAL_TOTAL : PARTIAL_BAD;
        return telling_read(inside, &item->telling) ? PARTIAL_TELLING : PARTIAL_BAD;
    }
    return more == 0 ? PARTIAL_DONE : PARTIAL_BAD;
}

bool partial_measure(struct wire *cell, uint32_t *wire_id, struct bytes *content)
{
    struct wire_field field;
    while (wire_next(cell, &field) > 0) {
        if (field.number < PARTIAL_MEASURE_FIRST || field.type != WIRE_BYTES) continue;
        *wire_id = field.number;
        *content = field.bytes;
        return true;
    }
    return false;
}
