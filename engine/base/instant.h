/*
 * Moments as a person writes them: RFC 3339, seconds or milliseconds, or so long ago.
 */
#ifndef ENGINE_BASE_INSTANT_H
#define ENGINE_BASE_INSTANT_H

#include <stdbool.h>
#include <stdint.h>

struct instant_text {
    char text[40];
};

/*
 * text    "2024-05-01T12:00:00Z", "2024-05-01 14:00:00.5+02:00", "2024-05-01" (UTC where no offset
 *         stands); digits alone are Unix seconds, or milliseconds from 10^11 on; "now", "-1h",
 *         "now-1h30m"
 * now_ns  what "now" is, since the Unix epoch
 * returns false, and `ns` untouched, for anything else, and before 1970 or after 2261
 */
bool instant_parse(const char *text, int64_t now_ns, int64_t *ns);

/* RFC 3339 in UTC; with milliseconds where there are any. */
struct instant_text instant_print(int64_t ns);

#endif
