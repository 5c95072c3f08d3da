/* States that are nothing but numbers, as a protobuf message with field 1 for the first of them. */
#ifndef OPERATORS_FIELDS_H
#define OPERATORS_FIELDS_H

#include "schemas/wire.h"

enum { FIELDS_MAX = 8 };

/* Append the numbers that are not 0. */
void fields_encode(const uint64_t *value, uint32_t values, struct buffer *out);

/*
 * Read up to FIELDS_MAX numbers; what is absent is 0.
 *
 * measure  whose they are, for the error
 * returns  ST_OK; ST_SKIP, malformed, another field, or more than MEASURE_COUNT_MAX
 */
enum status fields_decode(
    struct bytes encoded, const char *measure, uint64_t *value, uint32_t values, struct error *err);

#endif
