/* weir generate against librdkafka's mock broker. */
#include "engine/base/clock.h"
#include "engine/cmd/cmd.h"
#include "engine/stop.h"
#include "schemas/decoder.h"
#include "tests/support/mock_broker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

extern const struct command command_generate;

enum { MOCK_PARTITIONS = 4 };

static struct mock_broker broker;

static int generate(const char *topic, const char *const *more)
{
    const char *argv[32] = {"generate", "--brokers", broker.brokers, "--topic", topic};
    int argc = 5;
    while (*more != NULL) {
        argv[argc++] = *more++;
    }
    return command_generate.run(argc, (char **)(uintptr_t)argv);
}

static size_t spans_in(const struct mock_records *records)
{
    struct spans spans = {0};
    struct error err;
    size_t count = 0;
    for (size_t i = 0; i < records->count; i++) {
        const struct bytes value = {records->record[i].value, records->record[i].bytes};
        spans_reset(&spans);
        assert_int_equal(decoder_find("otlp_proto")->decode(value, &spans, &err), ST_OK);
        count += spans.count;
    }
    spans_release(&spans);
    return count;
}

static void history_lies_in_the_past_and_in_all_partitions(void **unused)
{
    (void)unused;
    const char *const more[] = {"--since", "10m", "--no-live", "--seed", "3", NULL};
    int64_t before_ms = clock_wall_ns() / NS_PER_MS;
    assert_int_equal(generate("history", more), EXIT_DONE);
    int64_t after_ms = clock_wall_ns() / NS_PER_MS;

    struct mock_records records = mock_broker_read(&broker, "history", MOCK_PARTITIONS);
    size_t in[MOCK_PARTITIONS] = {0};
    int64_t oldest_ms = after_ms;
    for (size_t i = 0; i < records.count; i++) {
        const struct mock_record *record = &records.record[i];
        assert_in_range(record->timestamp_ms, before_ms - 600000, after_ms);
        if (record->timestamp_ms < oldest_ms) oldest_ms = record->timestamp_ms;
        assert_false(record->keyed);
        in[record->partition]++;
    }
    assert_in_range(oldest_ms, before_ms - 600000, after_ms - 590000);
    for (int p = 0; p < MOCK_PARTITIONS; p++) {
        assert_in_range(in[p], records.count / 4, records.count / 4 + 1);
    }
    assert_true(spans_in(&records) > 10000);
    mock_records_release(&records);
}

static void it_stops_after_so_many_spans(void **unused)
{
    (void)unused;
    const char *const more[] = {"--since=1h", "--spans", "1k", "--names=50", "--late=10%", NULL};
    assert_int_equal(generate("few", more), EXIT_DONE);
    struct mock_records records = mock_broker_read(&broker, "few", MOCK_PARTITIONS);
    assert_in_range(spans_in(&records), 1000, 2000);
    mock_records_release(&records);
}

static void live_ends_with_the_duration(void **unused)
{
    (void)unused;
    const char *const more[] = {"--duration", "1500ms", "--rate", "20", NULL};
    assert_int_equal(generate("live", more), EXIT_DONE);
    struct mock_records records = mock_broker_read(&broker, "live", MOCK_PARTITIONS);
    assert_true(spans_in(&records) > 0);
    mock_records_release(&records);
}

static void wrong_usage_is_told_by_the_exit_code(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {"--sinse=2h", "--since=2", "--late=200%", "--late=-5%",
        "--no-live", "--rate=0", "--partitions=0", "--speed=-1", "--config=/no/such/file", "extra",
        "--bad-ids", "-x"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *const more[] = {wrong[i], NULL};
        assert_int_equal(generate("wrong", more), EXIT_USAGE);
    }
}

/* Last: nothing takes a stop back. */
static void a_stop_ends_it(void **unused)
{
    (void)unused;
    const char *const more[] = {"--since=1m", NULL};
    stop_ask();
    assert_int_equal(generate("stopped", more), EXIT_DONE);
}

static int open_broker(void **unused)
{
    (void)unused;
    mock_broker_open(&broker);
    return 0;
}

static int close_broker(void **unused)
{
    (void)unused;
    mock_broker_close(&broker);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_lies_in_the_past_and_in_all_partitions),
        cmocka_unit_test(it_stops_after_so_many_spans),
        cmocka_unit_test(live_ends_with_the_duration),
        cmocka_unit_test(wrong_usage_is_told_by_the_exit_code),
        cmocka_unit_test(a_stop_ends_it),
    };
    return cmocka_run_group_tests_name("generate", tests, open_broker, close_broker);
}
