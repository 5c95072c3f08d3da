/*
 * Any bytes as a wording, filled in for a series that is any bytes too: bounded, and nothing that steers
 * a terminal comes from the series.
 */
#include "engine/base/text.h"
#include "operators/wording.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds) abort();
}

static const char *const dimensions[] = {"service", "operation", NULL};
static struct columns columns = {
    .name = {[COLUMN_SPANS] = "spans", [COLUMN_QUANTILE] = "latency_p99_ms"}};
static const struct vocabulary v = {
    .columns = &columns, .pane_ns = 10000000000, .dimension = dimensions};

static void expect_clean(struct bytes text)
{
    while (text.size > 0) {
        size_t bytes = text_character(text);
        expect(bytes != 0 && text_steering((struct bytes){text.data, bytes}) < 0);
        text = (struct bytes){text.data + bytes, text.size - bytes};
    }
}

static bool is_clean(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') return false;
    }
    return true;
}

static void fill(
    const struct wording *wording, const struct terms *terms, struct bytes series, bool clean)
{
    static struct expression condition;
    static struct buffer out;
    double value[TERMS_MAX];
    for (size_t t = 0; t < TERMS_MAX; t++)
        value[t] = t % 2 == 0 ? NAN : 1e300;
    const struct wording_facts facts = {.name = bytes_of("rule"),
        .series = series,
        .since_ns = INT64_MAX,
        .terms = terms,
        .value = value,
        .condition = &condition};
    buffer_reset(&out);
    wording_fill(wording, &facts, &out);
    expect(out.size <= WORDING_BYTES_MAX);
    if (clean) expect_clean(buffer_bytes(&out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, 0, size);
    size_t written = end == NULL ? size : (size_t)(end - data);
    struct bytes text = {data, written};
    struct bytes series =
        end == NULL ? bytes_of("service=a%1B") : (struct bytes){end + 1, size - written - 1};
    static struct wording wording;
    struct terms terms;
    struct error err = {.text = ""};
    terms_init(&terms, &v);
    for (int label = 0; label < 2; label++) {
        if (wording_read(&wording, text, &v, label ? NULL : &terms, &err) != ST_OK) {
            expect(strncmp(err.text, "column ", 7) == 0 || written > WORDING_BYTES_MAX);
            continue;
        }
        expect(wording.count <= WORDING_PIECES_MAX);
        fill(&wording, &terms, series, is_clean(text));
    }
    return 0;
}
