#include "sinks/signature.h"

#include "engine/base/buffer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

void signature_of(
    struct bytes secret, const char *timestamp, struct bytes body, char hex[SIGNATURE_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct buffer text = {0};
    buffer_print(&text, "%s.", timestamp);
    buffer_append(&text, body.data, body.size);
    const unsigned char *made =
        HMAC(EVP_sha256(), secret.data, (int)secret.size, text.data, text.size, digest, &size);
    buffer_release(&text);
    if (made == NULL || 2 * size + 1 != SIGNATURE_BYTES) abort(); /* only without memory */
    for (unsigned i = 0; i < size; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SIGNATURE_BYTES - 1] = '\0';
}
