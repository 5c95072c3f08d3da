/* Recordings, their way to a broker, and the line that says how far it is. */
#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/cmd/cmd.h"
#include "engine/otlp_shift.h"
#include "engine/progress.h"
#include "engine/recording.h"
#include "engine/simulation.h"
#include "otlp.pb-c.h"
#include "tests/support/mock_broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <zstd.h>

#define START_NS (1700000000 * NS_PER_S)

extern const struct command command_replay;

static struct mock_broker broker;
static char path[] = "/tmp/weir-test-replay-XXXXXX";

static void file_write(struct bytes bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (bytes.size > 0) assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
}

static void frame(struct buffer *out, struct bytes message)
{
    const uint8_t length[] = {(uint8_t)(message.size >> 24), (uint8_t)(message.size >> 16),
        (uint8_t)(message.size >> 8), (uint8_t)message.size};
    buffer_append(out, length, sizeof(length));
    buffer_append(out, message.data, message.size);
}

/* As one zstd frame, added to what is there. */
static void compress(struct buffer *out, struct bytes plain)
{
    size_t room = ZSTD_compressBound(plain.size);
    size_t size = ZSTD_compress(buffer_room(out, room), room, plain.data, plain.size, 1);
    assert_false(ZSTD_isError(size));
    out->size += size;
}

/* Read the file to its end or to an error, counting messages and adding up their bytes. */
static enum status read_all(size_t *messages, size_t *bytes, struct error *err)
{
    struct recording *recording;
    *messages = *bytes = 0;
    enum status status = recording_open(&recording, path, err);
    if (status != ST_OK) return status;
    struct bytes message;
    while ((status = recording_next(recording, &message, err)) == ST_OK && message.data != NULL) {
        for (size_t i = 0; i < message.size; i++) {
            assert_int_equal(message.data[i], (uint8_t)(*messages + i));
        }
        (*messages)++;
        *bytes += message.size;
    }
    if (status == ST_OK) {
        assert_int_equal(recording_progress(recording).read, recording_progress(recording).size);
    }
    recording_close(recording);
    return status;
}

/* Messages of 0, 1, 10, ... bytes, larger than any buffer in between; byte i of message n is n + i. */
static struct buffer some_messages(void)
{
    struct buffer out = {0}, message = {0};
    size_t sizes[] = {0, 1, 10, 1000, 1000000, 3};
    for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
        buffer_reset(&message);
        uint8_t *at = buffer_room(&message, sizes[n] + 1);
        for (size_t i = 0; i < sizes[n]; i++) {
            at[i] = (uint8_t)(n + i);
        }
        frame(&out, (struct bytes){at, sizes[n]});
    }
    buffer_release(&message);
    return out;
}

enum { SOME = 6, SOME_BYTES = 1001014 };

static void a_plain_recording_is_read_to_its_end(void **unused)
{
    (void)unused;
    struct buffer plain = some_messages();
    struct error err = {0};
    size_t messages, bytes;
    file_write(buffer_bytes(&plain));
    assert_int_equal(read_all(&messages, &bytes, &err), ST_OK);
    assert_int_equal(messages, SOME);
    assert_int_equal(bytes, SOME_BYTES);
    file_write((struct bytes){NULL, 0});
    assert_int_equal(read_all(&messages, &bytes, &err), ST_OK);
    assert_int_equal(messages, 0);
    buffer_release(&plain);
}

static void a_zstd_recording_may_have_many_frames(void **unused)
{
    (void)unused;
    struct buffer plain = some_messages(), packed = {0};
    struct error err = {0};
    size_t messages, bytes;
    compress(&packed, (struct bytes){plain.data, 7});
    compress(&packed, (struct bytes){plain.data + 7, plain.size - 7});
    file_write(buffer_bytes(&packed));
    assert_int_equal(read_all(&messages, &bytes, &err), ST_OK);
    assert_int_equal(messages, SOME);
    assert_int_equal(bytes, SOME_BYTES);
    buffer_release(&plain);
    buffer_release(&packed);
}

static void assert_refused(struct bytes file, size_t messages_before, const char *says)
{
    struct error err = {0};
    size_t messages, bytes;
    file_write(file);
    assert_int_equal(read_all(&messages, &bytes, &err), ST_FATAL);
    assert_int_equal(messages, messages_before);
    if (strstr(err.text, says) == NULL) fail_msg("\"%s\", want \"%s\"", err.text, says);
}

static void a_recording_cut_short_is_said_with_the_byte(void **unused)
{
    (void)unused;
    struct buffer plain = some_messages(), packed = {0};
    compress(&packed, buffer_bytes(&plain));
    assert_refused((struct bytes){plain.data, 2}, 0, "ends at byte 2, inside the message");
    assert_refused((struct bytes){plain.data, 7}, 1, "byte 4 and whose length is not whole");
    assert_refused((struct bytes){plain.data, 15}, 2,
        "ends at byte 15, inside the message that begins at byte 9 and whose length is 10");
    assert_refused((struct bytes){plain.data, plain.size - 1}, 5, "ends at byte 1001037");
    assert_refused((struct bytes){packed.data, packed.size - 1}, 4, "inside a zstd frame");
    buffer_release(&plain);
    buffer_release(&packed);
}

static void what_is_no_recording_is_refused(void **unused)
{
    (void)unused;
    struct error err = {0};
    size_t messages, bytes;
    static const uint8_t over[] = {4, 0, 0, 1, 0};
    assert_refused((struct bytes){over, sizeof(over)}, 0,
        "the message at byte 0 says that it has 67108865 bytes, want at most 67108864");
    static const uint8_t bad[64] = {0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    assert_refused((struct bytes){bad, sizeof(bad)}, 0, "bad zstd");
    unlink(path);
    assert_int_equal(read_all(&messages, &bytes, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "cannot be opened: No such file"));
}

/* Some seconds of the simulated shop, framed; the newest end of each message goes to `ends`. */
static struct buffer shop_recording(int64_t *end_ms, size_t *messages)
{
    struct simulation_options options = simulation_usual();
    options.from_ns = START_NS;
    struct simulation *simulation;
    struct simulation_message message;
    struct error err;
    struct buffer out = {0};
    assert_int_equal(simulation_open(&simulation, NULL, &options, &err), ST_OK);
    for (*messages = 0; simulation_next(simulation, START_NS + 10 * NS_PER_S, &message);) {
        frame(&out, message.value);
        end_ms[(*messages)++] = message.timestamp_ms;
    }
    simulation_close(simulation);
    return out;
}

static int replay(const char *topic, const char *more)
{
    const char *argv[] = {"replay", "--brokers", broker.brokers, "--topic", topic, path, more};
    return command_replay.run(more == NULL ? 6 : 7, (char **)(uintptr_t)argv);
}

enum { MOCK_PARTITIONS = 4, MESSAGES_MAX = 100 };

static void a_replay_dates_records_by_their_newest_span(void **unused)
{
    (void)unused;
    int64_t end_ms[MESSAGES_MAX];
    size_t messages;
    struct buffer file = shop_recording(end_ms, &messages);
    file_write(buffer_bytes(&file));
    assert_int_equal(replay("dated", NULL), EXIT_DONE);

    struct mock_records records = mock_broker_read(&broker, "dated", MOCK_PARTITIONS);
    assert_true(messages >= 15);
    assert_int_equal(records.count, messages);
    for (size_t i = 0; i < records.count; i++) {
        const struct mock_record *record = &records.record[i];
        int64_t number = record->offset * MOCK_PARTITIONS + record->partition;
        assert_int_equal(record->timestamp_ms, end_ms[number]);
        assert_false(record->keyed);
    }
    mock_records_release(&records);
    buffer_release(&file);
}

static int64_t newest_span_ns(const struct mock_record *record)
{
    Weir__Otlp__TracesData *data =
        weir__otlp__traces_data__unpack(NULL, record->bytes, record->value);
    assert_non_null(data);
    uint64_t newest_ns = 0;
    for (size_t r = 0; r < data->n_resource_spans; r++) {
        const Weir__Otlp__ScopeSpans *scope = data->resource_spans[r]->scope_spans[0];
        for (size_t i = 0; i < scope->n_spans; i++) {
            uint64_t end_ns = scope->spans[i]->end_time_unix_nano;
            newest_ns = end_ns > newest_ns ? end_ns : newest_ns;
        }
    }
    weir__otlp__traces_data__free_unpacked(data, NULL);
    return (int64_t)newest_ns;
}

static void now_moves_records_and_their_spans_alike(void **unused)
{
    (void)unused;
    int64_t end_ms[MESSAGES_MAX], before_ns = clock_wall_ns();
    size_t messages;
    struct buffer file = shop_recording(end_ms, &messages);
    file_write(buffer_bytes(&file));
    assert_int_equal(replay("moved", "--now"), EXIT_DONE);

    struct mock_records records = mock_broker_read(&broker, "moved", MOCK_PARTITIONS);
    assert_int_equal(records.count, messages);
    int64_t newest_ms = 0, by_ms = records.record[0].timestamp_ms - end_ms[0];
    for (size_t i = 0; i < records.count; i++) {
        const struct mock_record *record = &records.record[i];
        int64_t number = record->offset * MOCK_PARTITIONS + record->partition;
        assert_in_range(record->timestamp_ms - end_ms[number] - by_ms + 1, 0, 2); /* whole ms */
        assert_int_equal(newest_span_ns(record) / NS_PER_MS, record->timestamp_ms);
        if (record->timestamp_ms > newest_ms) newest_ms = record->timestamp_ms;
    }
    assert_in_range(newest_ms, before_ns / NS_PER_MS, clock_wall_ns() / NS_PER_MS);
    mock_records_release(&records);
    buffer_release(&file);
}

static void what_cannot_be_dated_is_as_old_as_the_one_before(void **unused)
{
    (void)unused;
    int64_t end_ms[MESSAGES_MAX];
    size_t messages;
    struct buffer shop = shop_recording(end_ms, &messages), file = {0};
    size_t first = 4 + ((size_t)shop.data[2] << 8 | shop.data[3]);
    buffer_append(&file, shop.data, first);
    frame(&file, bytes_of("not a span"));
    file_write(buffer_bytes(&file));
    assert_int_equal(replay("odd", NULL), EXIT_DONE);

    struct mock_records records = mock_broker_read(&broker, "odd", MOCK_PARTITIONS);
    assert_int_equal(records.count, 2);
    assert_int_equal(records.record[0].timestamp_ms, end_ms[0]);
    assert_int_equal(records.record[1].timestamp_ms, end_ms[0]);
    assert_string_equal((const char *)records.record[1].value, "not a span");
    mock_records_release(&records);
    buffer_release(&shop);
    buffer_release(&file);
}

static void a_replay_that_cannot_be_says_so_by_its_exit_code(void **unused)
{
    (void)unused;
    static const uint8_t cut[] = {0, 0, 0, 9, 1};
    file_write((struct bytes){cut, sizeof(cut)});
    assert_int_equal(replay("cut", NULL), EXIT_FAILED);
    assert_int_equal(replay("cut", "--partitons=3"), EXIT_USAGE);
    assert_int_equal(replay("cut", "--partitions=0"), EXIT_USAGE);
    assert_int_equal(replay("cut", "--speed=-1"), EXIT_USAGE);
    assert_int_equal(replay("cut", "--encoding=other"), EXIT_USAGE);
    assert_int_equal(replay("cut", "--kafka=linger.ms"), EXIT_USAGE);
    assert_int_equal(replay("cut", "--kafka=linger.mss=3"), EXIT_USAGE);
    assert_int_equal(replay("cut", "/no/such/file"), EXIT_USAGE);
    assert_int_equal(replay("cut", "--speed"), EXIT_USAGE);
    const char *none[] = {"replay"};
    assert_int_equal(command_replay.run(1, (char **)(uintptr_t)none), EXIT_USAGE);
}

static void a_shift_moves_every_time_that_is_given(void **unused)
{
    (void)unused;
    Weir__Otlp__Event event = WEIR__OTLP__EVENT__INIT, *events[] = {&event};
    Weir__Otlp__Span span = WEIR__OTLP__SPAN__INIT, open = WEIR__OTLP__SPAN__INIT;
    Weir__Otlp__Span *spans[] = {&span, &open};
    Weir__Otlp__ScopeSpans scope = WEIR__OTLP__SCOPE_SPANS__INIT, *scopes[] = {&scope};
    Weir__Otlp__ResourceSpans resource = WEIR__OTLP__RESOURCE_SPANS__INIT;
    Weir__Otlp__ResourceSpans *resources[] = {&resource};
    Weir__Otlp__TracesData data = WEIR__OTLP__TRACES_DATA__INIT;
    event.time_unix_nano = 150;
    span.start_time_unix_nano = 100;
    span.end_time_unix_nano = 200;
    span.n_events = 1;
    span.events = events;
    open.start_time_unix_nano = 300; /* its end is not given */
    scope.n_spans = 2;
    scope.spans = spans;
    resource.n_scope_spans = resource.n_instrumentation_library_spans = 1;
    resource.scope_spans = resource.instrumentation_library_spans = scopes;
    data.n_resource_spans = 1;
    data.resource_spans = resources;
    uint8_t message[512];
    size_t bytes = weir__otlp__traces_data__pack(&data, message);

    struct error err = {0};
    assert_int_equal(otlp_shift(message, bytes, 1000, &err), ST_OK);
    Weir__Otlp__TracesData *back = weir__otlp__traces_data__unpack(NULL, bytes, message);
    assert_non_null(back);
    for (int i = 0; i < 2; i++) {
        const Weir__Otlp__ScopeSpans *in =
            i == 0 ? back->resource_spans[0]->scope_spans[0]
                   : back->resource_spans[0]->instrumentation_library_spans[0];
        assert_int_equal(in->spans[0]->start_time_unix_nano, 1100);
        assert_int_equal(in->spans[0]->end_time_unix_nano, 1200);
        assert_int_equal(in->spans[0]->events[0]->time_unix_nano, 1150);
        assert_int_equal(in->spans[1]->start_time_unix_nano, 1300);
        assert_int_equal(in->spans[1]->end_time_unix_nano, 0);
    }
    weir__otlp__traces_data__free_unpacked(back, NULL);
    assert_int_equal(otlp_shift(message, bytes - 1, 1000, &err), ST_SKIP);
    assert_non_null(strstr(err.text, "malformed at byte 0"));
}

static void progress_says_rate_and_time_left(void **unused)
{
    (void)unused;
    char line[PROGRESS_BYTES];
    progress_line(line, "replay", "messages", 500, 0.25, 10);
    assert_string_equal(
        line, "replay: [######..................]  25% 500 messages, 50/s, 30 s left");
    progress_line(line, "generate", "spans", 1000, -1, 4);
    assert_string_equal(line, "generate: 1000 spans, 250/s");
    progress_line(line, "replay", "messages", 0, 0, 0);
    assert_string_equal(line, "replay: [........................]   0% 0 messages, 0/s, 0 s left");
}

static int open_broker(void **unused)
{
    (void)unused;
    int file = mkstemp(path);
    if (file < 0) return -1;
    close(file);
    mock_broker_open(&broker);
    return 0;
}

static int close_broker(void **unused)
{
    (void)unused;
    mock_broker_close(&broker);
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_recording_is_read_to_its_end),
        cmocka_unit_test(a_zstd_recording_may_have_many_frames),
        cmocka_unit_test(a_recording_cut_short_is_said_with_the_byte),
        cmocka_unit_test(what_is_no_recording_is_refused),
        cmocka_unit_test(a_replay_dates_records_by_their_newest_span),
        cmocka_unit_test(now_moves_records_and_their_spans_alike),
        cmocka_unit_test(what_cannot_be_dated_is_as_old_as_the_one_before),
        cmocka_unit_test(a_replay_that_cannot_be_says_so_by_its_exit_code),
        cmocka_unit_test(a_shift_moves_every_time_that_is_given),
        cmocka_unit_test(progress_says_rate_and_time_left),
    };
    return cmocka_run_group_tests_name("replay", tests, open_broker, close_broker);
}
