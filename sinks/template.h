/*
 * Texts with places for what an alert says: `{{rule}} on {{labels.service}} is {{state}}`.
 *
 *   {{id}} {{state}} {{rule}} {{series}} {{severity}} {{condition}} {{value}}
 *   {{since}} {{at}}              RFC 3339; {{since_ms}} {{at_ms}}: Unix milliseconds
 *   {{labels.NAME}} {{annotations.NAME}}   NAME may hold dots
 *   {{exemplars.0.link}}          members of lists by number, from 0
 *   {{json labels}}               whatever stands there as JSON, `null` where nothing does
 *
 * What is not there is empty. A literal {{ is written {{"{{"}}.
 */
#ifndef SINKS_TEMPLATE_H
#define SINKS_TEMPLATE_H

#include "engine/base/buffer.h"
#include "sinks/notice.h"

enum template_into {
    TEMPLATE_TEXT, /* as it is */
    TEMPLATE_JSON, /* into a JSON string, whose quotes are the template's: escaped */
    TEMPLATE_URL,  /* into a URL: percent-encoded */
};

/* returns  ST_OK; ST_FATAL, naming the place that cannot be read or what no alert has */
enum status template_check(const char *template, struct error *err) MUST_USE;

/* What templates see of a notice: its alert's members and `state`, `since`, `at`. The caller's. */
json_t *template_view(const struct notice *notice);

/* Append a template that was checked, filled in from a view. */
void template_render(
    const char *template, const json_t *view, enum template_into into, struct buffer *out);

#endif
