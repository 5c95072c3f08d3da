/*
 * Settings: the keys of the config that decide what aggregate holds and says, and that may change
 * while a name runs.
 *
 * They travel in the log. combine writes its worker's settings into every partition of partials as
 * it starts and as they change; aggregate goes by the newest it has read, never by what its own
 * worker's config says. So they take effect at one offset, the same on whoever reads it, and are a
 * part of the state.
 */
#ifndef ENGINE_SETTINGS_H
#define ENGINE_SETTINGS_H

#include "engine/plan.h"

struct settings {
    struct buffer text; /* as it came */
    struct config config;
    struct plan plan; /* the base's, but for quantiles, operators and limits */
};

/* Whether `key` of the config is one of them. */
bool settings_have(const char *key);
/* Whether it is told with them, but cannot change while a worker runs. */
bool settings_fixed(const char *key);

/*
 * Append `key` as YAML, a line. What follows from other keys unless it is given is written as it is in
 * force: who reads the line takes it for given.
 */
void settings_write_one(const struct config *config, const char *key, struct buffer *out);
/* Append all of them, one key a line. */
void settings_write(const struct config *config, struct buffer *out);

/*
 * What a text of settings makes of a plan.
 *
 * base     outlives the settings
 * text     copied
 * returns  ST_OK; ST_FATAL: a key or value that this build does not know
 */
enum status settings_read(struct settings **settings, const struct plan *base, struct bytes text,
    struct error *err) MUST_USE;
void settings_free(struct settings *settings); /* NULL is fine */

/* Append the record of partials that brings them. */
void settings_record(
    const struct plan *plan, struct bytes text, int64_t sent_ms, struct buffer *out);

#endif
