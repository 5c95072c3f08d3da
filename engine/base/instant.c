#include "engine/base/instant.h"

#include "engine/base/clock.h"
#include "engine/base/duration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { YEAR_MIN = 1970, YEAR_MAX = 2261, DIGITS_MAX = 15 };
#define MS_FROM INT64_C(100000000000) /* seconds until the year 5138; as milliseconds 1973 */

/* So many digits at `*at`, as a number from `least` to `most`. */
static bool digits(const char **at, int count, int least, int most, int *number)
{
    *number = 0;
    for (int i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9') return false;
        *number = 10 * *number + (c - '0');
    }
    *at += count;
    return *number >= least && *number <= most;
}

static bool mark(const char **at, char wanted)
{
    if (**at != wanted) return false;
    (*at)++;
    return true;
}

/* `.5` and the like, to nanoseconds; digits beyond those are passed over. */
static bool fraction(const char **at, int64_t *ns)
{
    int64_t unit = NS_PER_S;
    *ns = 0;
    if (!mark(at, '.')) return true;
    const char *begin = *at;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        unit /= 10;
        *ns += unit * (**at - '0');
    }
    return *at > begin;
}

/* `Z`, `+02:00` or nothing, in seconds. */
static bool offset(const char **at, int64_t *seconds)
{
    int hours, minutes;
    *seconds = 0;
    if (**at == '\0' || mark(at, 'Z') || mark(at, 'z')) return true;
    int sign = mark(at, '-') ? -1 : mark(at, '+') ? 1 : 0;
    if (sign == 0 || !digits(at, 2, 0, 23, &hours) || !mark(at, ':')) return false;
    if (!digits(at, 2, 0, 59, &minutes)) return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool time_of_day(const char **at, struct tm *tm, int64_t *rest_ns)
{
    if (!digits(at, 2, 0, 23, &tm->tm_hour) || !mark(at, ':')) return false;
    if (!digits(at, 2, 0, 59, &tm->tm_min)) return false;
    if (!mark(at, ':')) return true;
    return digits(at, 2, 0, 60, &tm->tm_sec) && fraction(at, rest_ns);
}

/* source  RFC 3339, section 5.6 */
static bool calendar(const char *text, int64_t *ns)
{
    struct tm tm = {0};
    int64_t rest_ns = 0, ahead_s = 0;
    const char *at = text;
    if (!digits(&at, 4, YEAR_MIN, YEAR_MAX, &tm.tm_year) || !mark(&at, '-')) return false;
    if (!digits(&at, 2, 1, 12, &tm.tm_mon) || !mark(&at, '-')) return false;
    if (!digits(&at, 2, 1, 31, &tm.tm_mday)) return false;
    if (*at != '\0') {
        if (!mark(&at, 'T') && !mark(&at, 't') && !mark(&at, ' ')) return false;
        if (!time_of_day(&at, &tm, &rest_ns) || !offset(&at, &ahead_s)) return false;
    }
    if (*at != '\0') return false;

    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    struct tm date = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday};
    timegm(&date);
    if (date.tm_mday != tm.tm_mday) return false; /* the 31st of a shorter month */
    int64_t seconds = timegm(&tm) - ahead_s;
    if (seconds < 0) return false;
    *ns = seconds * NS_PER_S + rest_ns;
    return true;
}

static bool number(const char *text, int64_t *ns)
{
    size_t size = strspn(text, "0123456789");
    if (size == 0 || size > DIGITS_MAX || text[size] != '\0') return false;
    int64_t value = strtoll(text, NULL, 10);
    int64_t unit = value >= MS_FROM ? NS_PER_MS : NS_PER_S;
    if (value > INT64_MAX / unit) return false;
    *ns = value * unit;
    return true;
}

static bool relative(const char *text, int64_t now_ns, int64_t *ns)
{
    int64_t ago_ns = 0;
    if (strncmp(text, "now", 3) == 0) text += 3;
    if (*text != '\0' && (*text != '-' || !duration_parse(text + 1, &ago_ns))) return false;
    if (ago_ns > now_ns) return false;
    *ns = now_ns - ago_ns;
    return true;
}

bool instant_parse(const char *text, int64_t now_ns, int64_t *ns)
{
    if (text[0] == '-' || strncmp(text, "now", 3) == 0) return relative(text, now_ns, ns);
    return number(text, ns) || calendar(text, ns);
}

struct instant_text instant_print(int64_t ns)
{
    struct instant_text out;
    time_t seconds = (time_t)(ns / NS_PER_S);
    int ms = (int)(ns % NS_PER_S / NS_PER_MS);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) {
        snprintf(out.text, sizeof(out.text), "%lld", (long long)ns);
        return out;
    }
    size_t size = strftime(out.text, sizeof(out.text), "%Y-%m-%dT%H:%M:%S", &tm);
    if (ms != 0)
        snprintf(out.text + size, sizeof(out.text) - size, ".%03dZ", ms);
    else
        snprintf(out.text + size, sizeof(out.text) - size, "Z");
    return out;
}
