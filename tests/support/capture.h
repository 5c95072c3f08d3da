/*
 * Captured messages from a file: {u32 big-endian length, message} over and over, plain or in zstd.
 */
#ifndef TESTS_SUPPORT_CAPTURE_H
#define TESTS_SUPPORT_CAPTURE_H

#include "engine/base/bytes.h"

struct capture {
    struct bytes *message; /* [count], in file order; they point into `data` */
    size_t count;
    uint8_t *data;
};

/* Read the whole file; false: it cannot be read or is not such a file, and stderr says why. */
bool capture_read(const char *path, struct capture *out);
void capture_release(struct capture *capture);

/*
 * The path of a file under WEIR_TEST_DATA, good until the next call; NULL, said on stderr, where
 * that is not set, so that the caller skips. With CI=true it must be set: the process ends.
 */
const char *capture_path(const char *relative);

#endif
