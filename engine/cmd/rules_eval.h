/* What the parts of `weir rules eval` share: a series as of a moment, and lines that all of them print. */
#ifndef ENGINE_CMD_RULES_EVAL_H
#define ENGINE_CMD_RULES_EVAL_H

#include "engine/cmd/past.h"
#include "engine/cmd/rules.h"

struct evaluation {
    const struct rules_command *options;
    struct config config;
    struct plan plan;
    struct redis_read *read;
    struct past past;
    struct read_list transitions;
    struct buffer series; /* spelled, where a service was given */
    int64_t at_ms;
};

/* Say of every objective that was asked for why its alerts fire or do not. `*told` grows by their number. */
enum status rules_eval_slos(const struct evaluation *e, size_t *told, struct error *err) MUST_USE;

/* What weir itself had said last of an alert by then; NULL: nothing. */
const struct read_item *evaluation_said(const struct evaluation *e, const char *alert);
/* The same as a line, if there is one. */
void evaluation_print_said(const struct evaluation *e, const char *alert);
/* A line for each dimension of `match`, and whether the series has it. */
void evaluation_print_match(const struct evaluation *e, const struct pairs *match);

#endif
