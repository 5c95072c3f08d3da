#include "sinks/redis_key.h"

#include "engine/base/clock.h"
#include "engine/base/duration.h"

#include <stdio.h>

struct bytes redis_key(
    struct buffer *scratch, const char *prefix, const char *kind, struct bytes name)
{
    buffer_reset(scratch);
    buffer_print(scratch, "%s:%s", prefix, kind);
    if (name.data != NULL) {
        buffer_append(scratch, ":", 1);
        buffer_append(scratch, name.data, name.size);
    }
    return buffer_bytes(scratch);
}

struct bytes redis_key_bucket(struct buffer *scratch, const char *prefix, const char *kind,
    int64_t resolution_ns, struct bytes series, int64_t bucket_ms)
{
    buffer_reset(scratch);
    buffer_print(scratch, "%s:%s:%s:", prefix, kind, duration_print(resolution_ns).text);
    buffer_append(scratch, series.data, series.size);
    buffer_print(scratch, ":%lld", (long long)bucket_ms);
    return buffer_bytes(scratch);
}

int64_t redis_bucket_ms(int64_t start_ms, int64_t resolution_ns)
{
    int64_t span_ms = resolution_ns / NS_PER_MS * REDIS_BUCKET_SLICES;
    return span_ms == 0 ? start_ms : start_ms - start_ms % span_ms;
}

struct redis_field redis_refill_field(int32_t partition)
{
    struct redis_field field;
    snprintf(field.text, sizeof(field.text), REDIS_REFILL_FIELD "%d", partition);
    return field;
}
