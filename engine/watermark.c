#include "engine/watermark.h"

#include "schemas/format.h"

#include <inttypes.h>
#include <stdio.h>

void source_clock_write(
    const struct source_clock *clock, uint32_t partitions, char text[METADATA_BYTES_MAX])
{
    snprintf(text, METADATA_BYTES_MAX,
        "weir%" PRIu64 " clock %" PRId64 " %" PRId64 " %d %" PRIu32 " %016" PRIx64,
        format_version(METADATA_VERSION), clock->watermark_ns, clock->newest_pane, clock->ended,
        partitions, clock->plan);
}

bool source_clock_read(struct source_clock *clock, uint32_t *partitions, struct bytes metadata)
{
    char text[METADATA_BYTES_MAX];
    if (metadata.size == 0 || metadata.size >= sizeof(text)) return false;
    memcpy(text, metadata.data, metadata.size);
    text[metadata.size] = '\0';

    struct source_clock read = *clock;
    int ended;
    uint64_t version = 0;
    read.plan = 0; /* the first weirs did not write it */
    uint32_t count;
    if (sscanf(text, "weir%" SCNu64 " clock %" SCNd64 " %" SCNd64 " %d %" SCNu32 " %" SCNx64,
            &version, &read.watermark_ns, &read.newest_pane, &ended, &count, &read.plan) < 5)
        return false;
    if (version != METADATA_VERSION && version != format_version(METADATA_VERSION)) return false;
    *partitions = count;
    read.ended = ended != 0;
    *clock = read;
    return true;
}

bool metadata_is_newer(const char *text)
{
    uint64_t version;
    return sscanf(text, "weir%" SCNu64 " ", &version) == 1 &&
           version > format_version(METADATA_VERSION);
}
