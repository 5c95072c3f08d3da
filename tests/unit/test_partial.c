/* The codec of partials, held against protobuf-c, and what it refuses. */
#include "partial.pb-c.h"
#include "schemas/partial.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct partial_header header = {
    .plan = UINT64_C(0x8877665544332211), .sent_ms = 1700000000123, .record_ms = 1700000000001};

static const struct partial_cell late_cell = {.view = 1,
    .dimensions = 3,
    .dimension = {{(const uint8_t *)"checkout", 8}, {(const uint8_t *)"", 0},
        {(const uint8_t *)"\0\xff", 2}},
    .pane = 170000000,
    .late_by = 7};

static void put_cell(struct buffer *out, const struct partial_cell *cell)
{
    size_t mark = partial_open_cell(out, cell);
    wire_put_bytes(out, 16, bytes_of("counted"));
    wire_put_bytes(out, 18, bytes_of("measured"));
    wire_close(out, mark);
}

/* A record with everything in it, the header's fields on both sides of the parts. */
static void put_record(struct buffer *out)
{
    const struct partial_topic topic = {bytes_of("otlp_spans"), 6};
    const struct partial_clock clocks[] = {
        {.topic = 1, .partition = 5, .watermark_ns = -3, .newest_pane = 9, .from = 10, .to = 20},
        {.watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE, .ended = true},
    };
    const struct partial_total total = {
        .pane = 4, .messages = 1, .malformed = 2, .spans = 3, .dropped = 4};
    partial_put_header(out, &header);
    put_cell(out, &late_cell);
    partial_put_topic(out, &topic);
    partial_put_clock(out, &clocks[0]);
    partial_put_clock(out, &clocks[1]);
    partial_put_total(out, &total);
    wire_put_uint(out, 5, 1);
}

static struct wire open_ok(struct bytes record, struct partial_header *read)
{
    struct wire parts;
    struct error err;
    if (partial_open(record, read, &parts, &err) != ST_OK) fail_msg("%s", err.text);
    return parts;
}

static void protobuf_reads_what_is_written(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    put_record(&out);
    Weir__Partial *read = weir__partial__unpack(NULL, out.size, out.data);
    assert_non_null(read);
    assert_int_equal(read->version, PARTIAL_VERSION);
    assert_true(read->plan == header.plan);
    assert_int_equal(read->sent_ms, header.sent_ms);
    assert_int_equal(read->record_ms, header.record_ms);
    assert_true(read->last);

    assert_int_equal(read->n_cell, 1);
    const Weir__Cell *cell = read->cell[0];
    assert_int_equal(cell->view, 1);
    assert_int_equal(cell->n_dimension, 3);
    assert_memory_equal(cell->dimension[0].data, "checkout", 8);
    assert_int_equal(cell->dimension[1].len, 0);
    assert_memory_equal(cell->dimension[2].data, "\0\xff", 2);
    assert_int_equal(cell->pane, late_cell.pane);
    assert_int_equal(cell->late_by, late_cell.late_by);
    assert_int_equal(cell->count.len, 7);
    assert_int_equal(cell->errors.len, 0);
    assert_memory_equal(cell->latency.data, "measured", 8);

    assert_int_equal(read->n_topic, 1);
    assert_string_equal(read->topic[0]->name, "otlp_spans");
    assert_int_equal(read->topic[0]->partitions, 6);
    assert_int_equal(read->n_clock, 2);
    assert_int_equal(read->clock[0]->topic, 1);
    assert_int_equal(read->clock[0]->partition, 5);
    assert_int_equal(read->clock[0]->watermark_ns, -3);
    assert_int_equal(read->clock[0]->newest_pane, 9);
    assert_int_equal(read->clock[0]->from, 10);
    assert_int_equal(read->clock[0]->to, 20);
    assert_false(read->clock[0]->ended);
    assert_true(read->clock[1]->ended);
    assert_int_equal(read->n_total, 1);
    assert_int_equal(read->total[0]->pane, 4);
    assert_int_equal(read->total[0]->messages, 1);
    assert_int_equal(read->total[0]->malformed, 2);
    assert_int_equal(read->total[0]->spans, 3);
    assert_int_equal(read->total[0]->dropped, 4);
    weir__partial__free_unpacked(read, NULL);
    buffer_release(&out);
}

static void check_cell(const struct partial_cell *cell)
{
    uint32_t wire_id;
    struct bytes content;
    struct wire measures = wire_of(cell->message);
    assert_int_equal(cell->view, late_cell.view);
    assert_int_equal(cell->pane, late_cell.pane);
    assert_int_equal(cell->late_by, late_cell.late_by);
    assert_int_equal(cell->dimensions, late_cell.dimensions);
    for (uint32_t d = 0; d < cell->dimensions; d++)
        assert_true(bytes_equal(cell->dimension[d], late_cell.dimension[d]));
    assert_true(partial_measure(&measures, &wire_id, &content));
    assert_int_equal(wire_id, 16);
    assert_true(bytes_are(content, "counted"));
    assert_true(partial_measure(&measures, &wire_id, &content));
    assert_int_equal(wire_id, 18);
    assert_true(bytes_are(content, "measured"));
    assert_false(partial_measure(&measures, &wire_id, &content));
}

static void what_is_written_is_read_back(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    put_record(&out);
    struct partial_header read;
    struct partial_item item;
    struct wire parts = open_ok(buffer_bytes(&out), &read);
    assert_true(read.plan == header.plan);
    assert_int_equal(read.sent_ms, header.sent_ms);
    assert_int_equal(read.record_ms, header.record_ms);
    assert_true(read.last);

    assert_int_equal(partial_next(&parts, &item), PARTIAL_CELL);
    check_cell(&item.cell);
    assert_int_equal(partial_next(&parts, &item), PARTIAL_TOPIC);
    assert_true(bytes_are(item.topic.name, "otlp_spans"));
    assert_int_equal(item.topic.partitions, 6);
    assert_int_equal(partial_next(&parts, &item), PARTIAL_CLOCK);
    assert_int_equal(item.clock.watermark_ns, -3);
    assert_int_equal(item.clock.to, 20);
    assert_int_equal(partial_next(&parts, &item), PARTIAL_CLOCK);
    assert_true(item.clock.watermark_ns == WATERMARK_NONE);
    assert_true(item.clock.newest_pane == PANE_NONE);
    assert_true(item.clock.ended);
    assert_int_equal(partial_next(&parts, &item), PARTIAL_TOTAL);
    assert_int_equal(item.total.dropped, 4);
    assert_int_equal(partial_next(&parts, &item), PARTIAL_DONE);
    buffer_release(&out);
}

static void what_protobuf_writes_is_read(void **unused)
{
    (void)unused;
    Weir__Cell cell = WEIR__CELL__INIT;
    Weir__Clock clock = WEIR__CLOCK__INIT;
    Weir__Partial partial = WEIR__PARTIAL__INIT;
    Weir__Cell *cells[] = {&cell};
    Weir__Clock *clocks[] = {&clock};
    ProtobufCBinaryData dimension = {5, (uint8_t *)"basic"};
    cell.n_dimension = 1;
    cell.dimension = &dimension;
    cell.pane = -2;
    cell.errors = (ProtobufCBinaryData){1, (uint8_t *)"e"};
    clock.watermark_ns = 77;
    clock.to = INT64_MAX;
    partial.version = PARTIAL_VERSION;
    partial.sent_ms = 5;
    partial.n_cell = partial.n_clock = 1;
    partial.cell = cells;
    partial.clock = clocks;
    uint8_t packed[256];
    struct bytes record = {packed, weir__partial__pack(&partial, packed)};

    struct partial_header read;
    struct partial_item item;
    struct wire parts = open_ok(record, &read);
    assert_int_equal(read.sent_ms, 5);
    assert_false(read.last);
    assert_int_equal(partial_next(&parts, &item), PARTIAL_CELL);
    assert_int_equal(item.cell.view, 0);
    assert_int_equal(item.cell.pane, -2);
    assert_true(bytes_are(item.cell.dimension[0], "basic"));
    assert_int_equal(partial_next(&parts, &item), PARTIAL_CLOCK);
    assert_int_equal(item.clock.watermark_ns, 77);
    assert_true(item.clock.to == INT64_MAX);
    assert_int_equal(partial_next(&parts, &item), PARTIAL_DONE);
}

static void a_later_version_is_refused_with_the_way_out(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    struct partial_header read;
    struct wire parts;
    struct error err;
    wire_put_uint(&out, 1, PARTIAL_VERSION + 1);
    assert_int_equal(partial_open(buffer_bytes(&out), &read, &parts, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "version 2"));
    assert_int_equal(partial_open((struct bytes){0}, &read, &parts, &err), ST_FATAL);
    buffer_release(&out);
}

/* A version is a number: text in its place is not one, whatever was read before it. */
static void a_number_written_as_text_is_not_believed(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    struct partial_header read;
    struct wire parts;
    struct error err;
    wire_put_bytes(&out, 1, bytes_of("1"));
    assert_int_equal(partial_open(buffer_bytes(&out), &read, &parts, &err), ST_FATAL);
    buffer_reset(&out);
    wire_put_uint(&out, 1, PARTIAL_VERSION);
    wire_put_bytes(&out, 5, bytes_of("last"));
    open_ok(buffer_bytes(&out), &read);
    assert_false(read.last);
    buffer_release(&out);
}

/* Every cut of a record is refused as a whole or in its last part, and read within its bytes. */
static void a_cut_record_is_never_read_past_its_end(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    put_record(&out);
    for (size_t size = 0; size < out.size; size++) {
        uint8_t *cut = test_malloc(size + 1);
        memcpy(cut, out.data, size);
        struct partial_header read;
        struct wire parts;
        struct error err;
        enum status status = partial_open((struct bytes){cut, size}, &read, &parts, &err);
        assert_true(status == ST_OK || status == ST_SKIP || status == ST_FATAL);
        if (status == ST_SKIP) assert_non_null(strstr(err.text, "byte"));
        test_free(cut);
    }
    buffer_release(&out);
}

static enum partial_part first_part(const struct buffer *out)
{
    struct partial_header read;
    struct partial_item item;
    struct wire parts = open_ok(buffer_bytes(out), &read);
    return partial_next(&parts, &item);
}

static void a_malformed_part_is_bad(void **unused)
{
    (void)unused;
    for (uint32_t field = 6; field <= 9; field++) {
        struct buffer out = {0};
        wire_put_uint(&out, 1, PARTIAL_VERSION);
        wire_put_bytes(&out, field, (struct bytes){(const uint8_t *)"\x12\x7f", 2});
        assert_int_equal(first_part(&out), PARTIAL_BAD);
        buffer_reset(&out);
        wire_put_uint(&out, 1, PARTIAL_VERSION);
        wire_put_uint(&out, field, 3);
        assert_int_equal(first_part(&out), PARTIAL_BAD);
        buffer_release(&out);
    }
}

static void a_cell_has_no_more_dimensions_than_a_view(void **unused)
{
    (void)unused;
    for (uint32_t dimensions = 7; dimensions <= 9; dimensions++) {
        struct buffer out = {0};
        wire_put_uint(&out, 1, PARTIAL_VERSION);
        size_t mark = wire_open(&out, 6);
        for (uint32_t d = 0; d < dimensions; d++)
            wire_put_bytes(&out, 2, bytes_of("x"));
        wire_close(&out, mark);
        assert_int_equal(
            first_part(&out), dimensions <= PARTIAL_DIMENSIONS_MAX ? PARTIAL_CELL : PARTIAL_BAD);
        buffer_release(&out);
    }
}

static void a_measure_is_bytes(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    wire_put_uint(&out, 1, PARTIAL_VERSION);
    size_t mark = wire_open(&out, 6);
    wire_put_uint(&out, 16, 3);
    wire_close(&out, mark);
    assert_int_equal(first_part(&out), PARTIAL_BAD);

    uint32_t wire_id;
    struct bytes content;
    buffer_reset(&out);
    wire_put_uint(&out, 16, 3);
    wire_put_bytes(&out, 17, bytes_of("errors"));
    struct wire cell = wire_of(buffer_bytes(&out));
    assert_true(partial_measure(&cell, &wire_id, &content));
    assert_int_equal(wire_id, 17);
    assert_true(bytes_are(content, "errors"));
    buffer_release(&out);
}

static void fields_of_a_later_minor_version_are_passed_over(void **unused)
{
    (void)unused;
    struct buffer out = {0};
    struct partial_header read;
    struct partial_item item;
    wire_put_uint(&out, 1, PARTIAL_VERSION);
    wire_put_bytes(&out, 99, bytes_of("new"));
    wire_put_uint(&out, 100, 1);
    partial_put_topic(&out, &(struct partial_topic){bytes_of("t"), 1});
    struct wire parts = open_ok(buffer_bytes(&out), &read);
    assert_int_equal(partial_next(&parts, &item), PARTIAL_TOPIC);
    assert_int_equal(partial_next(&parts, &item), PARTIAL_DONE);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protobuf_reads_what_is_written),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(what_protobuf_writes_is_read),
        cmocka_unit_test(a_later_version_is_refused_with_the_way_out),
        cmocka_unit_test(a_number_written_as_text_is_not_believed),
        cmocka_unit_test(a_cut_record_is_never_read_past_its_end),
        cmocka_unit_test(a_malformed_part_is_bad),
        cmocka_unit_test(a_cell_has_no_more_dimensions_than_a_view),
        cmocka_unit_test(a_measure_is_bytes),
        cmocka_unit_test(fields_of_a_later_minor_version_are_passed_over),
    };
    return cmocka_run_group_tests_name("partial", tests, NULL, NULL);
}
