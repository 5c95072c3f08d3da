/* Any text is masked to one that is short and clean. */
#include "engine/base/text.h"
#include "schemas/mask.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_clean(struct bytes text)
{
    if (text.size > MASK_BYTES_MAX) abort();
    while (text.size > 0) {
        size_t bytes = text_character(text);
        if (bytes == 0 || text_steering((struct bytes){text.data, bytes}) >= 0) abort();
        text = (struct bytes){text.data + bytes, text.size - bytes};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t out[MASK_BYTES_MAX];
    struct bytes text = {data, size};
    expect_clean((struct bytes){out, mask_literals(text, out)});
    expect_clean((struct bytes){out, mask_nothing(text, out)});
    return 0;
}
