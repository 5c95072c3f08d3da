#include "engine/without.h"

#include <stdlib.h>
#include <string.h>

bool without_read(
    const struct texts *topics, const char *text, uint32_t *topic, uint32_t *partition)
{
    const char *slash = strrchr(text, '/');
    if (slash == NULL) return false;
    size_t digits = strspn(slash + 1, "0123456789");
    if (digits == 0 || digits > 6 || slash[1 + digits] != '\0') return false;
    for (uint32_t t = 0; t < topics->count; t++) {
        size_t size = strlen(topics->text[t]);
        if (size != (size_t)(slash - text) || memcmp(topics->text[t], text, size) != 0) continue;
        *topic = t;
        *partition = (uint32_t)strtoul(slash + 1, NULL, 10);
        return true;
    }
    return false;
}

bool without_has(const struct config *config, uint32_t topic, uint32_t partition)
{
    for (size_t i = 0; i < config->without.count; i++) {
        uint32_t t, p;
        if (!without_read(&config->topics, config->without.text[i], &t, &p)) continue;
        if (t == topic && p == partition) return true;
    }
    return false;
}
