/*
 * Exemplars and error kinds as rows carry them, for every message that has some.
 *
 * source  schemas/row.proto
 */
#ifndef SCHEMAS_EXEMPLAR_H
#define SCHEMAS_EXEMPLAR_H

#include "schemas/row.h"
#include "schemas/wire.h"

enum { ERROR_KIND_TEXT_MAX = 1024 }; /* bytes of a type or a message, as read */

/* Append one as the field of that number. */
void exemplar_encode(const struct exemplar *exemplar, uint32_t field, struct buffer *out);
void error_kind_encode(const struct error_kind *kind, uint32_t field, struct buffer *out);

/* Read what such a field holds; texts borrow from it. returns  false: malformed */
bool exemplar_decode(struct wire wire, struct exemplar *exemplar);
bool error_kind_decode(struct wire wire, struct error_kind *kind);

#endif
