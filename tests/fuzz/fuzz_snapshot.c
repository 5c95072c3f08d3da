/*
 * Any bytes as a snapshot: refused with a reason, or a state that goes on.
 *
 * The version and the plan are put before the input, so that what is behind them is reached; without
 * operators, whose states are their own.
 */
#include "engine/aggregate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char yaml[] =
    "time: records\npane: 1s\nwindows: [4s, 12s]\nallowed_lateness: 10s\npartitions: 1\n"
    "limits: {series_idle: 1m}\nprovisional: 0s\nzscore: []\n"
    "history: [{resolution: 1s, retain: 1h, sketches: true}]\n";

#define NOW_NS INT64_C(1700000000000000000)

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

/* Clocks go on by some hours, and end: every pane closes, idle series are forgotten. */
static void go_on(struct aggregate *a)
{
    struct buffer partial = {0};
    struct records records = {.silent = true};
    for (int64_t step = 0; step < 3; step++) {
        const struct partial_header header = {
            .plan = plan.fingerprint, .sent_ms = NOW_NS / 1000000, .last = true};
        const struct partial_topic topic = {bytes_of("t"), 1};
        const struct partial_clock clock = {.watermark_ns = NOW_NS + step * 100 * 1000000000,
            .newest_pane = NOW_NS / 1000000000 + 400,
            .ended = step == 2};
        struct error err;
        buffer_reset(&partial);
        partial_put_header(&partial, &header);
        partial_put_topic(&partial, &topic);
        partial_put_clock(&partial, &clock);
        expect(aggregate_apply(a, buffer_bytes(&partial), &records, &err) == ST_OK);
    }
    records_release(&records);
    buffer_release(&partial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer saved = {0};
    struct error err = {.text = ""};
    plan_once();
    wire_put_uint(&saved, 1, 1);
    wire_put_fixed64(&saved, 2, plan.fingerprint);
    buffer_append(&saved, data, size);

    struct aggregate *a = aggregate_new(&plan, 0);
    enum status status = aggregate_load(a, buffer_bytes(&saved), &err);
    expect(status == ST_OK || (status == ST_FATAL && err.text[0] != '\0'));
    if (status == ST_OK) go_on(a);
    aggregate_free(a);
    buffer_release(&saved);
    return 0;
}
