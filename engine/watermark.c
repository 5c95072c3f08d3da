#include "engine/watermark.h"

#include <inttypes.h>
#include <stdio.h>

void source_clock_write(
    const struct source_clock *clock, uint32_t partitions, char text[METADATA_BYTES_MAX])
{
    snprintf(text, METADATA_BYTES_MAX,
        "weir1 clock %" PRId64 " %" PRId64 " %d %" PRIu32 " %016" PRIx64, clock->watermark_ns,
        clock->newest_pane, clock->ended, partitions, clock->plan);
}

bool source_clock_read(struct source_clock *clock, uint32_t *partitions, struct bytes metadata)
{
    char text[METADATA_BYTES_MAX];
    if (metadata.size == 0 || metadata.size >= sizeof(text)) return false;
    memcpy(text, metadata.data, metadata.size);
    text[metadata.size] = '\0';

    struct source_clock read = *clock;
    int ended;
    read.plan = 0; /* the first weirs did not write it */
    if (sscanf(text, "weir1 clock %" SCNd64 " %" SCNd64 " %d %" SCNu32 " %" SCNx64,
            &read.watermark_ns, &read.newest_pane, &ended, partitions, &read.plan) < 4)
        return false;
    read.ended = ended != 0;
    *clock = read;
    return true;
}
