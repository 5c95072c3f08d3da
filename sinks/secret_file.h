/* Secrets in files of their own, read anew each time, so that one that was renewed is taken up. */
#ifndef SINKS_SECRET_FILE_H
#define SINKS_SECRET_FILE_H

#include "engine/base/error.h"

#include <stddef.h>

enum { SECRET_BYTES = 4097 }; /* with its NUL */

/*
 * What the file holds, less the line end at its end.
 *
 * returns  ST_OK; ST_RETRY, it cannot be read, is empty, too long, or holds control characters: `err`
 *          names the file, never what is in it
 */
enum status secret_file_read(
    const char *path, char secret[SECRET_BYTES], struct error *err) MUST_USE;

#endif
