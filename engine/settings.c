#include "engine/settings.h"

#include "engine/base/duration.h"
#include "engine/base/memory.h"
#include "engine/base/zone.h"
#include "schemas/partial.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * And every operator there is. The first never change while a worker runs, but `time` decides whether
 * provisional rows are said, and rules tell by `lateness` whether event time is behind; `max_ahead` goes
 * with it, as neither is right without the other.
 */
enum { KEYS_FIXED = 3, ZONE_BYTES = 80 };
static const char *const keys[] = {"time", "lateness", "max_ahead", "quantiles", "provisional",
    "score_every", "time_zone", "limits.series", "limits.series_per_service", "limits.series_idle",
    "limits.provisional_rows"};

static bool has_operator(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->operator_count; i++) {
        if (strcmp(config->operators[i].operator_->name, name) == 0) return true;
    }
    return false;
}

static bool is_operator(const char *key)
{
    for (const struct window_operator *const *op = window_operators; *op != NULL; op++) {
        if (strcmp((*op)->name, key) == 0) return true;
    }
    return false;
}

bool settings_have(const char *key)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i], key) == 0) return true;
    }
    return is_operator(key);
}

bool settings_fixed(const char *key)
{
    for (size_t i = 0; i < KEYS_FIXED; i++) {
        if (strcmp(keys[i], key) == 0) return true;
    }
    return false;
}

void settings_write_one(const struct config *config, const char *key, struct buffer *out)
{
    buffer_print(out, "%s: ", key);
    if (strcmp(key, "score_every") == 0)
        buffer_print(out, "%s", duration_print(config->score_ns).text);
    else if (is_operator(key) && !has_operator(config, key))
        buffer_print(out, "[]");
    else
        config_write_value(config, key, out);
    buffer_print(out, "\n");
}

void settings_write(const struct config *config, struct buffer *out)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        settings_write_one(config, keys[i], out);
    for (const struct window_operator *const *op = window_operators; *op != NULL; op++)
        settings_write_one(config, (*op)->name, out);
}

/* Whether the time zone of these settings is not on this machine, whatever version of weir runs on it. */
static bool zone_is_missing(struct bytes text)
{
    static const char key[] = "\ntime_zone: ";
    char name[ZONE_BYTES] = "";
    struct zone *zone = NULL;
    struct error ignored;
    const char *at = memmem(text.data, text.size, key, strlen(key));
    if (at == NULL) return false;
    at += strlen(key);
    size_t left = (size_t)((const char *)text.data + text.size - at);
    for (size_t i = 0; i < left && i < sizeof(name) - 1 && at[i] != '\n'; i++)
        name[i] = at[i];
    if (!zone_is_name(name)) return false;
    bool missing = zone_load(name, &zone, &ignored) != ST_OK;
    zone_free(zone);
    return missing;
}

enum status settings_read(
    struct settings **settings, const struct plan *base, struct bytes text, struct error *err)
{
    struct error why;
    struct settings *s = memory_zeroed(1, sizeof(*s));
    buffer_append(&s->text, text.data, text.size);
    enum status status = config_load_over(&s->config, base->config, "settings", text, &why);
    if (status == ST_OK) status = plan_init(&s->plan, &s->config, &why);
    if (status != ST_OK) {
        settings_free(s);
        if (zone_is_missing(text))
            return error_set(err, ST_FATAL, 0,
                "the settings in the log need what this machine lacks: %s All workers need the "
                "same tzdata",
                why.text);
        return error_set(err, ST_FATAL, 0,
            "the settings in the log are not what this weir knows: %s. A newer weir wrote them: "
            "run that version here too",
            why.text);
    }
    assert(s->plan.fingerprint == base->fingerprint);
    *settings = s;
    return ST_OK;
}

void settings_free(struct settings *s)
{
    if (s == NULL) return;
    config_release(&s->config);
    buffer_release(&s->text);
    free(s);
}

void settings_record(
    const struct plan *plan, struct bytes text, int64_t sent_ms, struct buffer *out)
{
    struct partial_header header = {.plan = plan->fingerprint, .sent_ms = sent_ms};
    partial_put_header(out, &header);
    partial_put_settings(out, text);
}
