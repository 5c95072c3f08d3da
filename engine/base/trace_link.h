/* Where a trace can be looked at: a URL with {trace_id} in it, as `trace_link` in config has it. */
#ifndef ENGINE_BASE_TRACE_LINK_H
#define ENGINE_BASE_TRACE_LINK_H

#include "engine/base/buffer.h"

enum { TRACE_LINK_BYTES_MAX = 1000, TRACE_ID_BYTES = 16 };

/*
 * Whether a template is one: http:// or https://, then characters that a URL may hold as they are,
 * with {trace_id} in it and no other braces. What it renders to needs no quoting in JSON, HTML or a
 * terminal.
 *
 * template  empty: no links are wanted
 * why       set where it is not: what is wrong, as the end of a sentence that begins with its name
 */
bool trace_link_is_good(const char *template, const char **why);

/* Append the link to a trace; nothing where the template is empty. It must be a good one. */
void trace_link_append(
    const char *template, const uint8_t trace_id[TRACE_ID_BYTES], struct buffer *out);

/* Append a trace id as 32 hexadecimal digits. */
void trace_id_append(const uint8_t trace_id[TRACE_ID_BYTES], struct buffer *out);

#endif
