/*
 * Versions of what weir writes for itself: partials, rows, snapshots, plan entries, metadata.
 *
 * A record carries the least version whose readers understand it. A field that older readers may pass
 * over is added without a new version; where they would go wrong without it, the version is raised.
 *   1. Who knows version n reads all versions from 1 to n.
 *   2. Unknown fields are passed over.
 *   3. A version that is not known is refused, aloud, and the record stays where it is.
 *
 * A build with -DWEIR_FAILPOINTS=ON can be its own successor, for tests of rolling upgrades:
 * WEIR_TEST_FORMAT=added writes fields that nobody knows; WEIR_TEST_FORMAT=2 knows and writes the
 * version after the present one.
 * threads  any
 */
#ifndef SCHEMAS_FORMAT_H
#define SCHEMAS_FORMAT_H

#include "engine/base/buffer.h"
#include "engine/base/error.h"

enum { FORMAT_ADDED_FIELD = 1000 }; /* a number that no message will use */

#ifdef WEIR_FAILPOINTS
uint64_t format_version(uint64_t present); /* what is written, and the newest that is known */
void format_add(struct buffer *out);       /* in an open message, between its fields */
#else
static inline uint64_t format_version(uint64_t present)
{
    return present;
}
static inline void format_add(struct buffer *out)
{
    (void)out;
}
#endif

/*
 * what     "partial": begins the error
 * present  the version of this build
 * returns  ST_OK; ST_FATAL, not known: both versions, and what to do
 */
enum status format_check(
    const char *what, uint64_t version, uint64_t present, struct error *err) MUST_USE;

#endif
