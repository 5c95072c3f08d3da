#include "schemas/format.h"

#include "schemas/wire.h"

#ifdef WEIR_FAILPOINTS
#include <stdlib.h>
#include <string.h>

static bool is_asked(const char *wanted)
{
    const char *asked = getenv("WEIR_TEST_FORMAT");
    return asked != NULL && strcmp(asked, wanted) == 0;
}

uint64_t format_version(uint64_t present)
{
    return is_asked("2") ? present + 1 : present;
}

void format_add(struct buffer *out)
{
    if (!is_asked("2") && !is_asked("added")) return;
    wire_put_bytes(out, FORMAT_ADDED_FIELD, bytes_of("from a later version"));
    wire_put_uint(out, FORMAT_ADDED_FIELD + 1, UINT64_MAX);
}
#endif

enum status format_check(const char *what, uint64_t version, uint64_t present, struct error *err)
{
    if (version >= 1 && version <= format_version(present)) return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "%s of version %llu, this weir knows up to version %llu: run the weir that wrote it, or a "
        "newer one. Nothing is lost, it is read again then",
        what, (unsigned long long)version, (unsigned long long)format_version(present));
}
