/*
 * What is out of the ordinary, as alerts carry it: of one series, and of those that fire with it.
 *
 * source  schemas/row.proto
 */
#ifndef SCHEMAS_STANDOUT_H
#define SCHEMAS_STANDOUT_H

#include "schemas/row.h"
#include "schemas/wire.h"

/* Append one as the field of that number; what is no number is left out. */
void standout_encode(const struct standout *signal, uint32_t field, struct buffer *out);
void member_encode(const struct member *member, uint32_t field, struct buffer *out);

/* Read what such a field holds; texts borrow from it. returns  false: malformed */
bool standout_decode(struct wire wire, struct standout *signal);
bool member_decode(struct wire wire, struct member *member);

/* One of which nothing is known. */
static inline struct standout standout_none(void)
{
    const double none = __builtin_nan("");
    return (struct standout){
        .z = none, .p = none, .value = none, .expected = none, .shift = none, .mean_ms = none};
}

#endif
