#include "schemas/span.h"

#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "schemas/mask.h"

#include <stdlib.h>

const char *const span_kind_name[KIND_COUNT] = {
    "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};

const char *const refusal_name[REFUSED_COUNT] = {"malformed", "too_many_spans", "too_large"};

void spans_reset(struct spans *spans)
{
    spans->count = 0;
    spans->refusal = REFUSED_MALFORMED;
    spans->refused_at = -1;
    memset(spans->dropped, 0, sizeof(spans->dropped));
    if (spans->text.bytes != 0) pool_reset(&spans->text);
}

void spans_release(struct spans *spans)
{
    free(spans->span);
    free(spans->attribute);
    pool_release(&spans->text);
    *spans = (struct spans){.wanted = spans->wanted};
}

static void spans_grow(struct spans *spans, uint32_t keys)
{
    uint32_t capacity = spans->capacity == 0 ? 1024 : spans->capacity * 2;
    spans->span = memory_resize(spans->span, capacity, sizeof(*spans->span));
    if (keys != 0) {
        spans->attribute =
            memory_resize(spans->attribute, (size_t)capacity * keys, sizeof(*spans->attribute));
    }
    spans->capacity = capacity;
}

struct span *spans_append(struct spans *spans)
{
    uint32_t keys = spans->wanted == NULL ? 0 : spans->wanted->count;
    if (spans->count == SPANS_MAX) return NULL;
    if (spans->count == spans->capacity) spans_grow(spans, keys);

    struct span *span = &spans->span[spans->count];
    /* In halves, which gcc clears by plain stores; the whole it clears by a slow `rep stos`. */
    memset(span, 0, sizeof(*span) / 2);
    memset((uint8_t *)span + sizeof(*span) / 2, 0, sizeof(*span) - sizeof(*span) / 2);
    span->attributes = spans->count * keys;
    for (uint32_t k = 0; k < keys; k++)
        spans->attribute[span->attributes + k] = (struct bytes){0};
    spans->count++;
    return span;
}

uint64_t span_error_hash(struct bytes type, struct bytes message)
{
    uint8_t both[2 * MASK_BYTES_MAX + 1];
    size_t size = 0;
    if (type.size != 0) memcpy(both, type.data, type.size);
    size += type.size;
    both[size++] = 0;
    if (message.size != 0) memcpy(both + size, message.data, message.size);
    return hash_stable((struct bytes){both, size + message.size});
}

const struct span_error *spans_error(struct spans *spans, struct bytes type, struct bytes message)
{
    uint8_t masked[2 * MASK_BYTES_MAX];
    size_t type_size = mask_nothing(type, masked);
    size_t message_size = mask_literals(message, masked + type_size);
    if (type_size + message_size == 0) return NULL;

    struct span_error *error = pool_take(&spans->text, sizeof(*error) + type_size + message_size);
    uint8_t *text = memcpy(error + 1, masked, type_size + message_size);
    error->type = (struct bytes){text, type_size};
    error->message = (struct bytes){text + type_size, message_size};
    error->hash = span_error_hash(error->type, error->message);
    return error;
}
