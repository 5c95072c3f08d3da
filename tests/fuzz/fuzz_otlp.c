/*
 * Any bytes at all: our OTLP reader neither crashes nor disagrees with protobuf-c.
 *
 * The first byte says how many attribute keys are wanted; the rest is the message.
 */
#include "tests/support/otlp_reference.h"

#include <stdio.h>
#include <stdlib.h>

/* Fuzzers link no test support. */
#include "tests/support/otlp_reference.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const key[] = {"a", "b", "", "service.name", "http.method", "ab", "k", "ba"};
    if (size == 0) return 0;

    struct projection wanted = {.count = data[0] % (ATTRIBUTES_MAX + 1)};
    for (uint32_t k = 0; k < wanted.count; k++)
        wanted.key[k] = bytes_of(key[k]);
    const char *difference = reference_disagreement((struct bytes){data + 1, size - 1}, &wanted);
    if (difference == NULL) return 0;
    fprintf(stderr, "our reader and protobuf-c differ: %s\n", difference);
    abort();
}
