#include "tests/support/capture.h"

#include "engine/base/buffer.h"
#include "engine/base/memory.h"

#include <stdio.h>
#include <stdlib.h>

#include <zstd.h>

static bool complain(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    return false;
}

static bool read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return complain(path, "cannot be opened");
    size_t got;
    do {
        got = fread(buffer_room(out, 1 << 16), 1, 1 << 16, file);
        out->size += got;
    } while (got != 0);
    bool ok = ferror(file) == 0;
    fclose(file);
    return ok || complain(path, "cannot be read");
}

static bool decompress(const char *path, struct bytes packed, struct buffer *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed.data, packed.size, 0};
    size_t left = 1;
    while (left != 0 && !ZSTD_isError(left)) {
        ZSTD_outBuffer room = {buffer_room(out, 1 << 20), 1 << 20, 0};
        size_t before = in.pos;
        left = ZSTD_decompressStream(stream, &room, &in);
        out->size += room.pos;
        if (in.pos == before && room.pos == 0) break;
        if (left == 0 && in.pos < in.size) left = 1; /* another frame follows */
    }
    ZSTD_freeDStream(stream);
    return left == 0 || complain(path, "zstd data is damaged or cut");
}

static bool is_zstd(const struct buffer *file)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    return file->size >= sizeof(magic) && memcmp(file->data, magic, sizeof(magic)) == 0;
}

static bool split(const char *path, struct bytes all, struct capture *out)
{
    size_t room = 0;
    for (size_t at = 0; at < all.size;) {
        if (all.size - at < 4) return complain(path, "ends inside a length");
        const uint8_t *p = all.data + at;
        size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        at += 4;
        if (size > all.size - at) return complain(path, "ends inside a message");
        if (out->count == room) {
            room = room == 0 ? 64 : room * 2;
            out->message = memory_resize(out->message, room, sizeof(*out->message));
        }
        out->message[out->count++] = (struct bytes){all.data + at, size};
        at += size;
    }
    return true;
}

bool capture_read(const char *path, struct capture *out)
{
    struct buffer file = {0}, plain = {0};
    *out = (struct capture){0};
    bool ok = read_file(path, &file);
    if (ok && is_zstd(&file)) {
        ok = decompress(path, buffer_bytes(&file), &plain);
        buffer_release(&file);
    } else {
        plain = file;
    }
    out->data = plain.data;
    ok = ok && split(path, buffer_bytes(&plain), out);
    if (!ok) capture_release(out);
    return ok;
}

void capture_release(struct capture *capture)
{
    free(capture->message);
    free(capture->data);
    *capture = (struct capture){0};
}

const char *capture_path(const char *relative)
{
    static char path[4096];
    const char *root = getenv("WEIR_TEST_DATA"), *ci = getenv("CI");
    if (root != NULL && root[0] != '\0') {
        snprintf(path, sizeof(path), "%s/%s", root, relative);
        return path;
    }
    bool required = ci != NULL && strcmp(ci, "true") == 0;
    fprintf(stderr, "%sno %s in the test data; WEIR_TEST_DATA names its folder\n",
        required ? "" : "SKIPPED: ", relative);
    if (required) exit(EXIT_FAILURE);
    return NULL;
}
