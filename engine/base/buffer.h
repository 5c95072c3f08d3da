/* Bytes being written: grows at the end, is emptied and used again. */
#ifndef ENGINE_BASE_BUFFER_H
#define ENGINE_BASE_BUFFER_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* Room for `bytes` more, 0 too; the pointer is good until the next call. Does not move `size`. */
uint8_t *buffer_room(struct buffer *buffer, size_t bytes);
void buffer_append(struct buffer *buffer, const void *data, size_t bytes);
void buffer_print(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3)
    __attribute__((nonnull(2)));
void buffer_release(struct buffer *buffer); /* frees, leaves an empty buffer */

static inline void buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
}

/* What was written so far: borrowed until the next write. */
static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}

#endif
