/* Source partitions that are gone for good: what `without` in the config names. */
#ifndef ENGINE_WITHOUT_H
#define ENGINE_WITHOUT_H

#include "engine/config.h"

/* Read "topic/3", the topic being one of `topics`. false, and nothing written, for anything else. */
bool without_read(
    const struct texts *topics, const char *text, uint32_t *topic, uint32_t *partition);

/* Whether `without` names this partition of the topic at index `topic`. */
bool without_has(const struct config *config, uint32_t topic, uint32_t partition);

#endif
