/*
 * JSON being written. Reading it is jansson's, above this layer.
 *
 * A double is written with as few digits as give the same double back; what JSON has no number for
 * (NaN, infinity) is null.
 */
#ifndef ENGINE_BASE_JSON_H
#define ENGINE_BASE_JSON_H

#include "engine/base/buffer.h"

void json_put_number(double number, struct buffer *out);
/*
 * Append `text` as a JSON string; bytes that are not UTF-8 become U+FFFD, characters that would
 * steer a terminal are escaped.
 */
void json_put_text(struct bytes text, struct buffer *out);
/* Append a member's name and colon, with the comma that it needs unless an object was just opened. */
void json_put_name(struct bytes name, struct buffer *out);

#endif
