/*
 * Any bytes as partials, one after the other into one aggregate: applied as far as they can be read.
 *
 * The input is a list of records, each a byte with how it is framed and two of length before it. Most
 * are given the header of the plan, so that what is behind it is reached.
 */
#include "engine/aggregate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char yaml[] =
    "time: live\npane: 1s\nwindows: [4s, 12s]\nallowed_lateness: 10s\npartitions: 1\n"
    "limits: {series: 6, series_per_service: 3, series_idle: 1m}\nprovisional: 100ms\n"
    "history: [{resolution: 1s, retain: 1h, sketches: true}]\n"
    "zscore: [{column: error_ratio, history: 4, warmup: 2}]\n"
    "rules: [{name: slow, when: 'p95[4s] > 60ms or absent[5s]', for: 2s}]\n";

enum { HEADED = 1, LAST = 2, SILENT = 4, RECORD_HEAD = 3, RECORDS_MAX = 64 };

static struct config config;
static struct plan plan;

static void expect(bool holds)
{
    if (!holds) abort();
}

static void plan_once(void)
{
    struct error err;
    if (plan.config != NULL) return;
    expect(config_load_bytes(&config, "fuzz.yaml", bytes_of(yaml), NULL, &err) == ST_OK);
    expect(plan_init(&plan, &config, &err) == ST_OK);
}

static void record_make(uint8_t how, struct bytes rest, struct buffer *out)
{
    const struct partial_header header = {
        .plan = plan.fingerprint, .sent_ms = 1700000000000, .last = (how & LAST) != 0};
    buffer_reset(out);
    if (how & HEADED) partial_put_header(out, &header);
    buffer_append(out, rest.data, rest.size);
}

/* What was said can be read back. */
static void check_records(const struct records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        struct bytes key, value;
        struct output output;
        struct error err;
        records_get(records, i, &key, &value);
        enum status status = output_decode(value, &output, &err);
        expect(status == ST_OK || status == ST_SKIP); /* a row before 1970 is not shown */
    }
}

/* The state can be saved, and loaded again to the same bytes. */
static void check_state(const struct aggregate *a)
{
    struct buffer saved = {0}, again = {0};
    struct error err;
    struct aggregate *b = aggregate_new(&plan, 0);
    aggregate_save(a, &saved);
    expect(aggregate_load(b, buffer_bytes(&saved), &err) == ST_OK);
    aggregate_save(b, &again);
    expect(bytes_equal(buffer_bytes(&saved), buffer_bytes(&again)));
    aggregate_free(b);
    buffer_release(&saved);
    buffer_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer record = {0};
    struct records records = {0};
    plan_once();
    struct aggregate *a = aggregate_new(&plan, 0);
    bool known = true;
    for (int i = 0; i < RECORDS_MAX && size >= RECORD_HEAD; i++) {
        uint8_t how = data[0];
        size_t bytes = (size_t)data[1] << 8 | data[2];
        data += RECORD_HEAD;
        size -= RECORD_HEAD;
        if (bytes > size) bytes = size;
        record_make(how, (struct bytes){data, bytes}, &record);
        records.silent = (how & SILENT) != 0;
        struct error err;
        enum status status = aggregate_apply(a, buffer_bytes(&record), &records, &err);
        expect(status == ST_OK || status == ST_SKIP || status == ST_FATAL);
        known = known && status != ST_FATAL;
        data += bytes;
        size -= bytes;
    }
    check_records(&records);
    if (known) check_state(a);
    aggregate_free(a);
    records_release(&records);
    buffer_release(&record);
    return 0;
}
