/*
 * A decoder turns one Kafka message into spans without copying their text.
 *
 * Adding a format is one file in schemas/ and one line in schemas/table.c.
 */
#ifndef SCHEMAS_DECODER_H
#define SCHEMAS_DECODER_H

#include "engine/base/error.h"
#include "schemas/span.h"

struct decoder {
    const char *name; /* as written in config, `encoding: otlp_proto` */

    /*
     * Append every span of `message` to `out`: all of them, or none. A span with a bad id or time is
     * left out and counted in out->dropped.
     *
     * message  one record value, borrowed; spans point into it, so it must outlive their use
     * out      the caller's; on any status but ST_OK, `out->count` is what it was
     * returns  ST_OK; or ST_SKIP, malformed or over a limit, `err` naming the byte, and out->refusal
     *          and out->refused_at saying the same to machines
     * threads  pure: any thread, no clock
     */
    enum status (*decode)(struct bytes message, struct spans *out, struct error *err);
};

extern const struct decoder *const decoders[]; /* ends with NULL */

/* The decoder called `name`, or NULL. */
const struct decoder *decoder_find(const char *name);

#endif
