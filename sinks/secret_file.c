#include "sinks/secret_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_usable(const char *secret, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)secret[i] < ' ' || secret[i] == 0x7f) return false;
    }
    return size > 0 && size < SECRET_BYTES;
}

enum status secret_file_read(const char *path, char secret[SECRET_BYTES], struct error *err)
{
    char text[SECRET_BYTES + 1];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(err, ST_RETRY, errno, "%.200s: cannot be read: %s", path, strerror(errno));
    size_t size = fread(text, 1, sizeof(text), file);
    bool failed = ferror(file) != 0;
    fclose(file);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    if (failed || !is_usable(text, size))
        return error_set(err, ST_RETRY, 0,
            "%.200s: want 1 to %d bytes in one line, without control characters", path,
            SECRET_BYTES - 1);
    memcpy(secret, text, size);
    secret[size] = '\0';
    return ST_OK;
}
