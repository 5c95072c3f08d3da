/*
 * Any bytes at all as a stored sketch: they are refused without a trace, or taken, and what was
 * taken has one spelling.
 *
 * The first byte chooses the scale; the rest is the wire form.
 */
#include "operators/sketch.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: a fuzzer finds nothing in a build without it. */
static void must(bool fact)
{
    if (!fact) abort();
}

static void must_encode_as(const struct sketch *sketch, uint32_t scale, struct bytes wanted)
{
    struct buffer out = {0};
    sketch_encode(sketch, scale, &out);
    must(bytes_equal(buffer_bytes(&out), wanted));
    buffer_release(&out);
}

static void must_have_quantiles(const struct sketch *sketch, uint32_t scale)
{
    static const double quantile[] = {0, 0.5, 0.99, 1};
    double ms[4];
    sketch_quantiles(sketch, scale, quantile, 4, ms);
    for (int i = 0; i < 4; i++) {
        must(isnan(ms[i]) == (sketch_count(sketch) == 0));
        must(sketch_count(sketch) == 0 || (ms[i] >= 0 && ms[i] < 1e8));
        must(i == 0 || !(ms[i] < ms[i - 1]));
    }
}

/* Decoded once more, merged onto itself and subtracted again: the same bytes each time. */
static void must_be_canonical(const struct sketch *sketch, uint32_t scale, struct pool *pool)
{
    struct sketch again = {0};
    struct buffer once = {0};
    struct error err;
    sketch_encode(sketch, scale, &once);
    must(sketch_merge_encoded(&again, scale, buffer_bytes(&once), pool, &err) == ST_OK);
    must_encode_as(&again, scale, buffer_bytes(&once));
    sketch_merge(&again, sketch, pool);
    must(sketch_count(&again) == 2 * sketch_count(sketch));
    sketch_subtract(&again, sketch, pool);
    must_encode_as(&again, scale, buffer_bytes(&once));
    sketch_release(&again, pool);
    buffer_release(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    uint32_t scale = SKETCH_SCALE_MIN + data[0] % (SKETCH_SCALE_MAX - SKETCH_SCALE_MIN + 1);
    struct bytes encoded = {data + 1, size - 1};
    struct sketch sketch = {0};
    struct pool pool = {0};
    struct error err = {0};
    if (sketch_merge_encoded(&sketch, scale, encoded, &pool, &err) == ST_OK) {
        must(sketch_count(&sketch) <= SKETCH_COUNT_MAX);
        must_have_quantiles(&sketch, scale);
        must_be_canonical(&sketch, scale, &pool);
    } else {
        must(err.status == ST_SKIP);
        must_encode_as(&sketch, scale, (struct bytes){0});
    }
    sketch_release(&sketch, &pool);
    must(pool.bytes == 0);
    pool_release(&pool);
    return 0;
}
