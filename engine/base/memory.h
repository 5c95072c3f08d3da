/*
 * Heap memory that is there, or the process is not.
 *
 * Every table has a limit, so running out means that a limit was set too high for the machine.
 * The log is the truth and a restarted worker goes on from it, so dying aloud is the recovery.
 */
#ifndef ENGINE_BASE_MEMORY_H
#define ENGINE_BASE_MEMORY_H

#include <stddef.h>

void *memory_take(size_t bytes);                            /* uninitialised */
void *memory_zeroed(size_t count, size_t bytes);            /* as calloc */
void *memory_resize(void *old, size_t count, size_t bytes); /* as reallocarray; `old` is consumed */
char *memory_text(const char *text, size_t bytes);          /* a NUL-terminated copy */

/* Address space of zeroed pages that cost nothing until touched; ended by memory_unreserve. */
void *memory_reserve(size_t bytes);
void memory_unreserve(void *memory, size_t bytes);

#endif
