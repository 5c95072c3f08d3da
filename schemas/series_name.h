/*
 * The spelling of a series: `service=checkout;operation=POST%20%2Fcart;kind=SERVER`.
 *
 * Names and values come from spans. Letters, digits and `-._~` stand for themselves and every other
 * byte is %XX, so a spelled series holds no space, no control character and no character that is
 * syntax anywhere; equal series are equal bytes.
 *
 * source  RFC 3986, section 2.3 (unreserved characters)
 */
#ifndef SCHEMAS_SERIES_NAME_H
#define SCHEMAS_SERIES_NAME_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"

enum {
    SERIES_BYTES_MAX = 64 << 10, /* of one spelled series; what is longer was not spelled here */
};

/* Append `bytes` percent-encoded. */
void series_name_encode(struct buffer *out, struct bytes bytes);

/* Append one dimension, with the `;` that it needs unless it is the first. */
void series_name_append(
    struct buffer *out, struct bytes dimension, struct bytes value, bool is_first);

/* The next dimension of a spelled series and its value, both encoded; `rest` moves on. false: the end. */
bool series_name_next(struct bytes *rest, struct bytes *dimension, struct bytes *value);

/* Whether `encoded` stands for `plain`. */
bool series_name_is(struct bytes encoded, struct bytes plain);

/* The encoded value of `dimension`, given as it is, not as spelled; data NULL: it has none. */
struct bytes series_name_of(struct bytes series, struct bytes dimension);

/* The encoded value of `dimension`, given as spelled: borrowed from `series`; data NULL: it has none. */
struct bytes series_name_value(struct bytes series, struct bytes dimension);

/* The encoded value of the dimension `service`, empty where the series has none. */
struct bytes series_name_service(struct bytes series);

/* Append `encoded` as the bytes it stands for; a `%` that is not followed by two hex digits stays. */
void series_name_decode(struct bytes encoded, struct buffer *out);

#endif
