/*
 * Rows and alerts as JSON, as people and dashboards read them. sinks/REDIS.md lists the members.
 */
#ifndef SINKS_ROW_JSON_H
#define SINKS_ROW_JSON_H

#include "engine/base/json.h"
#include "schemas/row.h"

/*
 * Append the row in `output`.
 *
 * now_ms  wall clock, for analysis_ms
 */
void row_json(const struct output *output, int64_t now_ms, struct buffer *out);

/* Append an alert as it stands among the active ones. */
void row_json_alert(const struct alert *alert, struct buffer *out);

/* The same as those of engine/base/json.h. */
static inline void row_json_number(double number, struct buffer *out)
{
    json_put_number(number, out);
}
static inline void row_json_text(struct bytes text, struct buffer *out)
{
    json_put_text(text, out);
}

#endif
