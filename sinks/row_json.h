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
void row_json_alert(const struct alert *alert, const char *trace_link, struct buffer *out);
/* Append the series that fire together as an array of {"series","signal","z","p","value","expected"}. */
void row_json_members(const struct alert *alert, struct buffer *out);
/* `json` where it is an object, else an empty one: an alert's labels come from a topic. */
struct bytes row_json_object(struct bytes json);

/*
 * Append traces as an array of {"trace_id","kind","duration_ms"}, and "link" where there is one.
 *
 * trace_link  the template, as of engine/base/trace_link.h; empty: without links
 */
void row_json_exemplars(const struct exemplar *exemplar, uint32_t exemplars, const char *trace_link,
    struct buffer *out);
/* Append error kinds as an array of {"type","message","count","trace_id"}. */
void row_json_error_kinds(const struct error_kind *kind, uint32_t kinds, struct buffer *out);

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
