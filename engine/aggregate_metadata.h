/* What aggregate commits beside its offset: where its snapshot is and how far it has come. */
#ifndef ENGINE_AGGREGATE_METADATA_H
#define ENGINE_AGGREGATE_METADATA_H

#include "engine/watermark.h"

struct aggregate_metadata {
    int64_t manifest;     /* offset of the newest snapshot's manifest in <name>.state; -1: none */
    int64_t watermark_ns; /* or WATERMARK_NONE */
    bool ended;           /* batch mode: every pane is closed */
};

/* "weir1 aggregate MANIFEST NS ENDED" */
void aggregate_metadata_write(
    const struct aggregate_metadata *metadata, char text[METADATA_BYTES_MAX]);
bool aggregate_metadata_read(struct aggregate_metadata *metadata, const char *text);

#endif
