/* One partition of a topic, in memory. */
#include "engine/base/memory.h"
#include "tests/simulator/world.h"

#include <stdlib.h>

void fake_log_append(struct fake_log *log, struct bytes value)
{
    if (log->count == log->capacity) {
        log->capacity = log->capacity == 0 ? 256 : log->capacity * 2;
        log->record = memory_resize(log->record, log->capacity, sizeof(*log->record));
    }
    log->record[log->count++] = (struct log_record){
        log->end++, (uint8_t *)memory_text((const char *)value.data, value.size), value.size};
}

size_t fake_log_from(const struct fake_log *log, int64_t offset)
{
    size_t low = 0, high = log->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (log->record[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void fake_log_trim(struct fake_log *log, int64_t before)
{
    if (before <= log->start) return;
    size_t from = fake_log_from(log, log->start), to = fake_log_from(log, before);
    for (size_t i = from; i < to; i++) {
        free(log->record[i].data);
        log->record[i].data = NULL;
    }
    log->start = before;
}

void fake_log_release(struct fake_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free(log->record[i].data);
    free(log->record);
    *log = (struct fake_log){0};
}
