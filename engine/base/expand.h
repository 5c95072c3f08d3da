/* Environment variables in the values of a config: `${NAME}` and `${NAME:-default}`. */
#ifndef ENGINE_BASE_EXPAND_H
#define ENGINE_BASE_EXPAND_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"

enum { EXPAND_BYTES_MAX = 64 << 10 }; /* of one value once expanded */

/*
 * Append `text` to `out` with its variables replaced. `:-` also stands in for an empty variable,
 * as in a shell; `$${` is a literal `${`; what was put in is not looked through again.
 *
 * returns  ST_OK; ST_FATAL, naming the variable that is not set and has no default
 */
enum status expand(struct bytes text, struct buffer *out, struct error *err) MUST_USE;

#endif
