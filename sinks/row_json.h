/*
 * Rows and alerts as JSON, as people and dashboards read them. sinks/REDIS.md lists the members.
 *
 * A double is written with as few digits as give the same double back; what JSON has no number for
 * (NaN, infinity) is null.
 */
#ifndef SINKS_ROW_JSON_H
#define SINKS_ROW_JSON_H

#include "engine/base/buffer.h"
#include "schemas/row.h"

/*
 * Append the row in `output`.
 *
 * now_ms  wall clock, for analysis_ms
 */
void row_json(const struct output *output, int64_t now_ms, struct buffer *out);

/* Append an alert as it stands among the active ones. */
void row_json_alert(const struct alert *alert, struct buffer *out);

void row_json_number(double number, struct buffer *out);
/* Append `text` as a JSON string; bytes that are not UTF-8 become U+FFFD. */
void row_json_text(struct bytes text, struct buffer *out);

#endif
