/* By what a receiver knows that a request is from who shares its secret, and is not an old one. */
#ifndef SINKS_SIGNATURE_H
#define SINKS_SIGNATURE_H

#include "engine/base/bytes.h"

enum { SIGNATURE_BYTES = 65 }; /* of the text, with its NUL */

/*
 * HMAC-SHA256 of `<timestamp>.<body>`, in hex.
 *
 * timestamp  as it is sent beside, decimal
 * source     RFC 2104, FIPS 180-4
 */
void signature_of(
    struct bytes secret, const char *timestamp, struct bytes body, char hex[SIGNATURE_BYTES]);

#endif
