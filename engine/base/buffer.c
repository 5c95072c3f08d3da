#include "engine/base/buffer.h"

#include "engine/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint8_t *buffer_room(struct buffer *buffer, size_t bytes)
{
    size_t wanted = buffer->size + bytes;
    if (wanted > buffer->capacity || buffer->data == NULL) {
        size_t capacity = buffer->capacity == 0 ? 256 : buffer->capacity;
        while (capacity < wanted)
            capacity *= 2;
        buffer->data = memory_resize(buffer->data, capacity, 1);
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t bytes)
{
    if (bytes == 0) return;
    memcpy(buffer_room(buffer, bytes), data, bytes);
    buffer->size += bytes;
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = 128;
    int wanted = vsnprintf((char *)buffer_room(buffer, room), room, format, args);
    va_end(args);
    if (wanted >= (int)room) {
        room = (size_t)wanted + 1;
        vsnprintf((char *)buffer_room(buffer, room), room, format, again);
    }
    if (wanted > 0) buffer->size += (size_t)wanted;
    va_end(again);
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
