#include "engine/reload.h"

#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/settings.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const own_keys[] = {"log.level", "limits.message_bytes", "limits.alerts"};

static atomic_bool asked;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&asked, true);
}

void reload_on_signal(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGHUP, &action, NULL);
}

bool reload_asked(void)
{
    return atomic_exchange(&asked, false);
}

struct live *live_new(const struct plan *plan)
{
    struct live *live = memory_zeroed(1, sizeof(*live));
    live->plan = plan;
    settings_write(plan->config, &live->settings);
    return live;
}

void live_free(struct live *live)
{
    while (live != NULL) {
        struct live *older = live->older;
        buffer_release(&live->settings);
        config_release(&live->config);
        config_release(&live->fresh);
        free(live);
        live = older;
    }
}

static bool may_change(const char *key)
{
    for (size_t i = 0; i < sizeof(own_keys) / sizeof(own_keys[0]); i++) {
        if (strcmp(own_keys[i], key) == 0) return true;
    }
    return settings_have(key) && !settings_fixed(key);
}

/* Every key's before and after. */
struct comparing {
    const struct config *started, *now, *fresh;
    const struct plan *plan, *plan_fresh;
    struct buffer text; /* what may change, as the file has it */
    bool changed;
};

/* A key that stands in the plan's description differs there too. */
static bool is_planned(const struct comparing *c, const char *key)
{
    static const char *const planned[] = {"name", "topics", "encoding", "partitions", "pane",
        "allowed_lateness", "views", "windows", "history", "sketch_scale", "thresholds", "apdex"};
    if (c->plan->fingerprint == c->plan_fresh->fingerprint) return false;
    for (size_t i = 0; i < sizeof(planned) / sizeof(planned[0]); i++) {
        if (strcmp(planned[i], key) == 0) return true;
    }
    return false;
}

static void gather(const struct option *option, void *opaque)
{
    struct comparing *c = opaque;
    if (!may_change(option->key)) return;
    settings_write_one(c->fresh, option->key, &c->text);
    c->changed = c->changed || !config_same(c->now, c->fresh, option);
}

/* Values stay unsaid: they may be secrets. */
static void say(const struct option *option, void *opaque)
{
    const struct comparing *c = opaque;
    const char *key = option->key;
    bool may = may_change(key);
    if (strncmp(key, "notify.", strlen("notify.")) == 0) return; /* of `weir notify` */
    if (config_same(may ? c->now : c->started, c->fresh, option)) return;
    if (may)
        log_info("reload", "changed", "key=%s", key);
    else if (is_planned(c, key))
        log_warn("reload",
            "not changed, it belongs to the plan: stop all workers and use `weir plan apply`",
            "key=%s", key);
    else
        log_warn("reload", "not changed: restart this worker for it", "key=%s", key);
}

/* The config with what may change, and its plan. */
static enum status live_plan(
    struct live *live, const struct plan *started, struct bytes text, struct error *err)
{
    enum status status =
        config_load_over(&live->config, started->config, live->fresh.path, text, err);
    if (status == ST_OK) status = plan_init(&live->own, &live->config, err);
    live->plan = &live->own;
    if (status == ST_OK) settings_write(&live->config, &live->settings);
    return status;
}

enum status live_reload(
    struct live **made, const struct plan *started, struct live *live, struct error *err)
{
    const struct config *config = started->config;
    assert(config->path != NULL);
    struct live *next = memory_zeroed(1, sizeof(*next));
    struct plan *fresh = memory_zeroed(1, sizeof(*fresh));
    struct comparing c = {.started = config,
        .now = live->plan->config,
        .fresh = &next->fresh,
        .plan = started,
        .plan_fresh = fresh};
    enum status status = config_load(&next->fresh, config->path, config->settings, err);
    if (status == ST_OK) status = plan_init(fresh, &next->fresh, err);
    if (status == ST_OK) config_keys(config, gather, &c);
    if (status == ST_OK && c.changed) status = live_plan(next, started, buffer_bytes(&c.text), err);
    if (status == ST_OK) config_keys(config, say, &c);
    if (status == ST_OK && c.changed) {
        next->older = live;
        *made = next;
    } else {
        live_free(next);
        if (status == ST_OK) *made = live;
    }
    buffer_release(&c.text);
    free(fresh);
    return status;
}
