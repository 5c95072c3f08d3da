/*
 * Reading recordings: bytes come from the file through zstd or as they are, and are cut by length.
 */
#include "engine/recording.h"

#include "engine/base/buffer.h"
#include "engine/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <zstd.h>

enum {
    LENGTH_BYTES = 4,
    CHUNK_BYTES = 1 << 17,
};

static const uint8_t zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

struct recording {
    FILE *file;
    char *path;
    struct recording_progress progress;
    ZSTD_DStream *zstd; /* NULL: the file is plain */
    bool frame_open;    /* zstd expects more of a frame */
    uint8_t *chunk;     /* [CHUNK_BYTES] as read from the file */
    ZSTD_inBuffer input;
    struct buffer plain; /* decompressed, from `at` on not yet given out */
    size_t at;
    uint64_t offset; /* of plain.data[at] in the decompressed file */
};

static enum status chunk_read(struct recording *c, struct error *err)
{
    size_t bytes = fread(c->chunk, 1, CHUNK_BYTES, c->file);
    if (bytes == 0 && ferror(c->file)) {
        return error_set(err, ST_FATAL, errno, "%s: cannot be read after byte %llu: %s", c->path,
            (unsigned long long)c->progress.read, strerror(errno));
    }
    c->progress.read += bytes;
    c->input = (ZSTD_inBuffer){c->chunk, bytes, 0};
    return ST_OK;
}

static enum status recording_inflate(struct recording *c, struct error *err)
{
    ZSTD_outBuffer output = {buffer_room(&c->plain, CHUNK_BYTES), CHUNK_BYTES, 0};
    size_t left = ZSTD_decompressStream(c->zstd, &output, &c->input);
    if (ZSTD_isError(left)) {
        return error_set(err, ST_FATAL, 0, "%s: bad zstd before byte %llu of the file: %s", c->path,
            (unsigned long long)c->progress.read, ZSTD_getErrorName(left));
    }
    c->plain.size += output.pos;
    c->frame_open = left != 0;
    return ST_OK;
}

/* Add some bytes to `plain`; none at the end of the file. */
static enum status recording_fill(struct recording *c, struct error *err)
{
    size_t before = c->plain.size;
    for (;;) {
        bool fresh = c->input.pos == c->input.size;
        enum status status = fresh ? chunk_read(c, err) : ST_OK;
        if (status != ST_OK) return status;
        bool ended = c->input.size == 0;
        if (c->zstd == NULL) {
            buffer_append(&c->plain, c->chunk, c->input.size);
            c->input.pos = c->input.size;
            return ST_OK;
        }
        if (ended && !c->frame_open) return ST_OK;
        status = recording_inflate(c, err);
        if (status != ST_OK || c->plain.size > before) return status;
        if (ended && c->frame_open) {
            return error_set(err, ST_FATAL, 0,
                "%s: the file ends at byte %llu, inside a zstd frame: it was cut short", c->path,
                (unsigned long long)c->progress.read);
        }
    }
}

/* Have `bytes` ready at `at`, or as many as there are. */
static enum status recording_want(struct recording *c, size_t bytes, struct error *err)
{
    if (c->at > 0 && c->plain.size - c->at < bytes) {
        memmove(c->plain.data, c->plain.data + c->at, c->plain.size - c->at);
        c->plain.size -= c->at;
        c->at = 0;
    }
    while (c->plain.size - c->at < bytes) {
        size_t before = c->plain.size;
        enum status status = recording_fill(c, err);
        if (status != ST_OK) return status;
        if (c->plain.size == before) return ST_OK;
    }
    return ST_OK;
}

static enum status recording_cut_short(
    const struct recording *c, const char *length, struct error *err)
{
    size_t there = c->plain.size - c->at;
    return error_set(err, ST_FATAL, 0,
        "%s: the file ends at byte %llu, inside the message that begins at byte %llu and whose "
        "length %s: it was cut short",
        c->path, (unsigned long long)(c->offset + there), (unsigned long long)c->offset, length);
}

static uint32_t length_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

enum status recording_next(struct recording *c, struct bytes *message, struct error *err)
{
    enum status status = recording_want(c, LENGTH_BYTES, err);
    if (status != ST_OK) return status;
    size_t there = c->plain.size - c->at;
    if (there == 0) {
        *message = (struct bytes){NULL, 0};
        return ST_OK;
    }
    if (there < LENGTH_BYTES) return recording_cut_short(c, "is not whole", err);

    size_t length = length_at(c->plain.data + c->at);
    if (length > RECORDING_MESSAGE_BYTES_MAX) {
        return error_set(err, ST_FATAL, 0,
            "%s: the message at byte %llu says that it has %zu bytes, want at most %d. A recording "
            "is {u32 big-endian length, message} repeated; is this one?",
            c->path, (unsigned long long)c->offset, length, RECORDING_MESSAGE_BYTES_MAX);
    }
    status = recording_want(c, LENGTH_BYTES + length, err);
    if (status != ST_OK) return status;
    if (c->plain.size - c->at < LENGTH_BYTES + length) {
        char says[32];
        snprintf(says, sizeof(says), "is %zu", length);
        return recording_cut_short(c, says, err);
    }

    *message = (struct bytes){c->plain.data + c->at + LENGTH_BYTES, length};
    c->at += LENGTH_BYTES + length;
    c->offset += LENGTH_BYTES + length;
    return ST_OK;
}

static bool is_zstd(const struct recording *c)
{
    return c->input.size >= sizeof(zstd_magic) &&
           memcmp(c->chunk, zstd_magic, sizeof(zstd_magic)) == 0;
}

enum status recording_open(struct recording **out, const char *path, struct error *err)
{
    FILE *file = fopen(path, "rb");
    struct stat facts;
    if (file == NULL || fstat(fileno(file), &facts) != 0) {
        error_set(err, ST_FATAL, errno, "%s: cannot be opened: %s", path, strerror(errno));
        if (file != NULL) fclose(file);
        return err->status;
    }
    struct recording *c = memory_zeroed(1, sizeof(*c));
    c->file = file;
    c->path = memory_text(path, strlen(path));
    c->progress.size = (uint64_t)facts.st_size;
    c->chunk = memory_take(CHUNK_BYTES);
    enum status status = chunk_read(c, err);
    if (status != ST_OK) {
        recording_close(c);
        return status;
    }
    if (is_zstd(c) && (c->zstd = ZSTD_createDStream()) == NULL) {
        recording_close(c);
        return error_set(err, ST_FATAL, 0, "%s: no memory to decompress it", path);
    }
    *out = c;
    return ST_OK;
}

struct recording_progress recording_progress(const struct recording *c)
{
    return c->progress;
}

void recording_close(struct recording *c)
{
    if (c == NULL) return;
    ZSTD_freeDStream(c->zstd);
    buffer_release(&c->plain);
    fclose(c->file);
    free(c->chunk);
    free(c->path);
    free(c);
}
