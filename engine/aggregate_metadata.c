#include "engine/aggregate_metadata.h"

#include "schemas/format.h"

#include <inttypes.h>
#include <stdio.h>

void aggregate_metadata_write(
    const struct aggregate_metadata *metadata, char text[METADATA_BYTES_MAX])
{
    snprintf(text, METADATA_BYTES_MAX, "weir%" PRIu64 " aggregate %" PRId64 " %" PRId64 " %d",
        format_version(METADATA_VERSION), metadata->manifest, metadata->watermark_ns,
        metadata->ended);
}

bool aggregate_metadata_read(struct aggregate_metadata *metadata, const char *text)
{
    struct aggregate_metadata read;
    int ended;
    uint64_t version = 0;
    if (sscanf(text, "weir%" SCNu64 " aggregate %" SCNd64 " %" SCNd64 " %d", &version,
            &read.manifest, &read.watermark_ns, &ended) != 4)
        return false;
    if (version != METADATA_VERSION && version != format_version(METADATA_VERSION)) return false;
    read.ended = ended != 0;
    *metadata = read;
    return true;
}
