#include "engine/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *memory_checked(void *memory, size_t count, size_t bytes)
{
    if (memory != NULL || count == 0 || bytes == 0) return memory;
    fprintf(stderr,
        "weir: out of memory: %zu x %zu bytes refused by the system. Lower `limits` or `memory` "
        "in the config, or give the process more.\n",
        count, bytes);
    abort();
}

void *memory_take(size_t bytes)
{
    return memory_checked(malloc(bytes), 1, bytes);
}

void *memory_zeroed(size_t count, size_t bytes)
{
    return memory_checked(calloc(count, bytes), count, bytes);
}

void *memory_resize(void *old, size_t count, size_t bytes)
{
    return memory_checked(reallocarray(old, count, bytes), count, bytes);
}

char *memory_text(const char *text, size_t bytes)
{
    char *copy = memory_take(bytes + 1);
    if (bytes != 0) memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

void *memory_reserve(size_t bytes)
{
    void *memory = mmap(
        NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory_checked(memory == MAP_FAILED ? NULL : memory, 1, bytes);
    madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

void memory_unreserve(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}
