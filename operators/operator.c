#include "operators/operator.h"

#include "engine/base/text.h"

#include <stdio.h>
#include <string.h>

enum { HINTS = 3 };

/* The columns nearest to `wanted`, nearest first, -1 where there are no more. */
static void columns_near(const struct columns *columns, const char *wanted, int near[HINTS])
{
    size_t distance[HINTS];
    for (int i = 0; i < HINTS; i++) {
        near[i] = -1;
        distance[i] = SIZE_MAX;
    }
    for (int column = 0; column < COLUMN_COUNT; column++) {
        if (columns->name[column][0] == '\0') continue;
        size_t far = text_distance(wanted, columns->name[column]);
        int to = HINTS;
        for (; to > 0 && far < distance[to - 1]; to--) {
            if (to == HINTS) continue;
            near[to] = near[to - 1];
            distance[to] = distance[to - 1];
        }
        if (to == HINTS) continue;
        near[to] = column;
        distance[to] = far;
    }
}

enum status operator_column(const char *owner, const char *wanted, const struct columns *columns,
    int *column, struct error *err)
{
    int found = columns_find(columns, bytes_of(wanted));
    if (found >= 0 && wanted[0] != '\0') {
        *column = found;
        return ST_OK;
    }
    int near[HINTS];
    columns_near(columns, wanted, near);
    char hints[HINTS * (COLUMN_NAME_BYTES + 2)] = "";
    size_t size = 0;
    for (int i = 0; i < HINTS && near[i] >= 0; i++) {
        size += (size_t)snprintf(
            hints + size, sizeof(hints) - size, "%s%s", i > 0 ? ", " : "", columns->name[near[i]]);
    }
    return error_set(err, ST_FATAL, 0,
        "%s: no column is called \"%.64s\". The nearest are %s; an operator's column can be read "
        "by those after it.",
        owner, wanted, hints);
}

enum status operator_claim(
    const char *owner, const char *name, struct columns *columns, int *column, struct error *err)
{
    size_t size = strlen(name);
    if (size >= COLUMN_NAME_BYTES) {
        return error_set(err, ST_FATAL, 0, "%s: the name %s has %zu bytes, want at most %d", owner,
            name, size, COLUMN_NAME_BYTES - 1);
    }
    if (columns_find(columns, bytes_of(name)) >= 0) {
        return error_set(err, ST_FATAL, 0,
            "%s: there is a column %s already. Remove one of the two entries.", owner, name);
    }
    for (*column = COLUMN_SCORE; *column < COLUMN_COUNT; ++*column) {
        if (columns->name[*column][0] != '\0') continue;
        memcpy(columns->name[*column], name, size + 1);
        return ST_OK;
    }
    return error_set(err, ST_FATAL, 0,
        "%s: there is no room for column %s: operators may add %d columns. Remove an entry.", owner,
        name, SCORES_MAX);
}

enum status operator_claim_alert(
    const char *owner, const char *name, const struct operator_context *context, struct error *err)
{
    struct alert_names *alerts = context->alerts;
    if (alerts == NULL) return ST_OK;
    for (size_t i = 0; i < alerts->count; i++) {
        if (strcmp(alerts->taken[i].name, name) != 0) continue;
        return error_set(err, ST_FATAL, 0,
            "%s: an alert of %s is called \"%.128s\" already; give one of them another name", owner,
            alerts->taken[i].owner, name);
    }
    if (alerts->count == ALERT_NAMES_MAX)
        return error_set(
            err, ST_FATAL, 0, "%s: more than %d names of alerts", owner, ALERT_NAMES_MAX);
    alerts->taken[alerts->count].name = name;
    alerts->taken[alerts->count++].owner = owner;
    return ST_OK;
}
