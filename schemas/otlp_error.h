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
 * Of one key the first that has a text wins, of events the last.
 *
 * error    set; NULL where the span says nothing, else good until spans_reset
 * returns  NULL; or the byte that is malformed, in an event, a status or an attribute
 */
const uint8_t *otlp_error(struct wire span, struct spans *out, const struct span_error **error);

#endif
