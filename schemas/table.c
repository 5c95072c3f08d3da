/* Every span format there is. Adding one is its file and its line here. */
#include "schemas/decoder.h"

extern const struct decoder decoder_otlp_proto;

const struct decoder *const decoders[] = {
    &decoder_otlp_proto,
    NULL,
};

const struct decoder *decoder_find(const char *name)
{
    for (const struct decoder *const *d = decoders; *d != NULL; d++) {
        if (strcmp((*d)->name, name) == 0) return *d;
    }
    return NULL;
}
