/* Why a span failed, by its events, status and attributes. */
#ifndef SCHEMAS_OTLP_ERROR_H
#define SCHEMAS_OTLP_ERROR_H

#include "schemas/span.h"
#include "schemas/wire.h"

/*
 * Read a Span message once more, for what only failed spans are asked.
 *
 *   type     exception.type of the last event called `exception`; else the first of the attributes
 *            error.type, http.response.status_code, http.status_code, rpc.grpc.status_code
 *   message  exception.message of that event, else the status message
 *
 * What is malformed inside of an event, a status or an attribute is as good as absent: the span was
 * taken without it.
 *
 * span     well formed at its own level; borrowed for the call
 * returns  good until spans_reset; NULL where the span says nothing
 */
const struct span_error *otlp_error(struct wire span, struct spans *out);

#endif
