#include "engine/aggregate_metadata.h"

#include <inttypes.h>
#include <stdio.h>

void aggregate_metadata_write(
    const struct aggregate_metadata *metadata, char text[METADATA_BYTES_MAX])
{
    snprintf(text, METADATA_BYTES_MAX, "weir1 aggregate %" PRId64 " %" PRId64 " %d",
        metadata->manifest, metadata->watermark_ns, metadata->ended);
}

bool aggregate_metadata_read(struct aggregate_metadata *metadata, const char *text)
{
    struct aggregate_metadata read;
    int ended;
    if (sscanf(text, "weir1 aggregate %" SCNd64 " %" SCNd64 " %d", &read.manifest,
            &read.watermark_ns, &ended) != 3)
        return false;
    read.ended = ended != 0;
    *metadata = read;
    return true;
}
