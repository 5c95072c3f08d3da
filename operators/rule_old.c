/* Rules of one column and one limit, as conditions. */
#include "engine/base/duration.h"
#include "operators/rule.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

struct writing {
    char *text;
    size_t size, room;
};

static void put(struct writing *w, const char *format, ...) PRINTF_LIKE(2, 3);

static void put(struct writing *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (w->size < w->room)
        w->size += (size_t)vsnprintf(w->text + w->size, w->room - w->size, format, args);
    va_end(args);
}

enum status rule_old_read(struct rule *r, struct error *err)
{
    struct rule_old *old = &r->old;
    struct writing w = {old->condition, 0, sizeof(old->condition)};
    char window[32] = "";
    if (r->when[0] != '\0' || isnan(old->above) == isnan(old->below))
        return error_set(err, ST_FATAL, 0,
            "rules: %s: a column and a limit are one of above and below; better write `when:`, as "
            "in "
            "when: %s[5m] > 0.5",
            r->name, old->column);
    if (old->window_ns != 0)
        snprintf(window, sizeof(window), "[%s]", duration_print(old->window_ns).text);
    put(&w, "%s%s %c %.17g", old->column, window, isnan(old->above) ? '<' : '>',
        isnan(old->above) ? old->below : old->above);
    if (old->min_spans > 0)
        put(&w, " and spans%s >= %llu", window, (unsigned long long)old->min_spans);
    if (strcmp(old->service, "*") != 0) {
        char quote = strchr(old->service, '"') == NULL ? '"' : '\'';
        put(&w, " and service = %c%s%c", quote, old->service, quote);
    }
    if (w.size < w.room) return ST_OK;
    return error_set(err, ST_FATAL, 0, "rules: %s: its texts are too long", r->name);
}
