/*
 * A file of captured messages: repeated {u32 big-endian length, message}, plain or zstd.
 */
#ifndef ENGINE_RECORDING_H
#define ENGINE_RECORDING_H

#include "engine/base/bytes.h"
#include "engine/base/error.h"

enum { RECORDING_MESSAGE_BYTES_MAX = 64 << 20 };

struct recording;

struct recording_progress {
    uint64_t read; /* bytes of the file, as it lies on disk */
    uint64_t size;
};

/* returns  ST_OK; ST_FATAL: it cannot be read. Whether it is zstd is told by its first bytes. */
enum status recording_open(struct recording **out, const char *path, struct error *err) MUST_USE;

/*
 * Read the next message.
 *
 * message  borrowed until the next call; `data` NULL at the end of the file
 * returns  ST_OK; ST_FATAL: a length over RECORDING_MESSAGE_BYTES_MAX, a file that ends inside a
 *          message, or bad zstd; `err` names the byte, counted after decompression
 */
enum status recording_next(
    struct recording *recording, struct bytes *message, struct error *err) MUST_USE;

struct recording_progress recording_progress(const struct recording *recording);

void recording_close(struct recording *recording); /* NULL is fine */

#endif
