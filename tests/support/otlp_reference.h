/*
 * The rules of schemas/otlp.c written a second time, on what protobuf-c unpacked: what the
 * differential test and the fuzzer hold our reader against.
 */
#ifndef TESTS_SUPPORT_OTLP_REFERENCE_H
#define TESTS_SUPPORT_OTLP_REFERENCE_H

#include "schemas/decoder.h"

struct reference {
    struct spans spans;
    void *unpacked; /* what the spans point into */
};

/* Decode by protobuf-c; false: it refuses the message, and `out` holds nothing. */
bool reference_decode(struct bytes message, const struct projection *wanted, struct reference *out);
void reference_release(struct reference *reference);

/* The first difference between two decodings, in words for a person, or NULL. */
const char *reference_difference(const struct spans *ours, const struct spans *theirs);

/*
 * Whether the field at `offset` breaks the wire format in a way that only our reader minds:
 * field number 0, a tag over 32 bits, a varint over 64 bits.
 */
bool reference_minds_not(struct bytes message, size_t offset);

/*
 * Decode a message both ways. What both take must be equal; what we refuse protobuf-c must refuse,
 * unless it does not mind. It may refuse more: groups, known fields of another wire type, and
 * malformed attributes that are not wanted.
 *
 * returns  NULL, or what differs
 */
const char *reference_disagreement(struct bytes message, const struct projection *wanted);

#endif
