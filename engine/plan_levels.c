/*
 * The levels of slices that rolling windows and history stand on.
 *
 * A window is the newest slices of one level, as many as 12, so that moving it on costs one addition
 * and one subtraction however wide it is. The finer the slices, the more often it moves. With a pane
 * of 10 s: 1m = 6 x 10s, 5m = 10 x 30s, 1h = 12 x 5m.
 */
#include "engine/base/duration.h"
#include "engine/plan.h"

enum {
    SLICES_MANY = 6,  /* fewer move too seldom, if there is a choice */
    LOOK_AROUND = 64, /* panes up and down, for a window that can be made */
};

struct levels {
    int64_t width_ns[WINDOWS_MAX + HISTORIES_MAX + 1]; /* ascending; the first is the pane */
    uint32_t count;
};

static bool levels_have(const struct levels *levels, int64_t width_ns)
{
    for (uint32_t i = 0; i < levels->count; i++) {
        if (levels->width_ns[i] == width_ns) return true;
    }
    return false;
}

static void levels_add(struct levels *levels, int64_t width_ns)
{
    if (levels_have(levels, width_ns)) return;
    uint32_t at = levels->count++;
    for (; at > 0 && levels->width_ns[at - 1] > width_ns; at--)
        levels->width_ns[at] = levels->width_ns[at - 1];
    levels->width_ns[at] = width_ns;
}

/* Whether slices of `width_ns` are whole numbers of all finer slices: one more step, not a side way. */
static bool levels_fit(const struct levels *levels, int64_t width_ns)
{
    for (uint32_t i = 0; i < levels->count && levels->width_ns[i] < width_ns; i++) {
        if (width_ns % levels->width_ns[i] != 0) return false;
    }
    return true;
}

/* The most slices, `least` to 12, that a window can have; 0 when it cannot. */
static uint32_t slices_of(
    const struct levels *levels, int64_t window_ns, uint32_t least, bool fitting)
{
    int64_t pane_ns = levels->width_ns[0];
    for (uint32_t slices = WINDOW_SLICES_MAX; slices >= least; slices--) {
        if (window_ns % (slices * pane_ns) != 0) continue;
        if (!fitting || levels_fit(levels, window_ns / slices)) return slices;
    }
    return 0;
}

/* A window of one slice does not roll, unless it is the pane. */
static uint32_t slices_choose(const struct levels *levels, int64_t window_ns)
{
    if (window_ns == levels->width_ns[0]) return 1;
    uint32_t slices = slices_of(levels, window_ns, SLICES_MANY, true);
    return slices != 0 ? slices : slices_of(levels, window_ns, 2, false);
}

/* The nearest window that can be made, in steps of a pane. */
static int64_t window_near(const struct levels *levels, int64_t window_ns, int64_t step_ns)
{
    for (int i = 1; i <= LOOK_AROUND && window_ns + i * step_ns > 0; i++) {
        if (slices_choose(levels, window_ns + i * step_ns) != 0) return window_ns + i * step_ns;
    }
    return levels->width_ns[0];
}

static enum status refuse_window(
    const struct config *config, const struct levels *levels, int64_t window_ns, struct error *err)
{
    int64_t pane_ns = levels->width_ns[0];
    return config_error(config, "windows", err,
        "%s cannot be cut into 2 to %d slices of whole panes (pane: %s); %s or %s can",
        duration_print(window_ns).text, WINDOW_SLICES_MAX, duration_print(pane_ns).text,
        duration_print(window_near(levels, window_ns, -pane_ns)).text,
        duration_print(window_near(levels, window_ns, pane_ns)).text);
}

/* Windows come ascending, so that finer levels are there before coarser ones fit themselves to them. */
static enum status choose_windows(
    struct plan *plan, const struct config *config, struct levels *levels, struct error *err)
{
    plan->windows = 0;
    for (size_t i = 0; i < config->windows.count; i++) {
        int64_t window_ns = config->windows.ns[i];
        uint32_t slices = slices_choose(levels, window_ns);
        if (slices == 0) return refuse_window(config, levels, window_ns, err);
        levels_add(levels, window_ns / slices);
        plan->window[plan->windows++] =
            (struct plan_window){.width_ns = window_ns, .slices = slices};
    }
    return ST_OK;
}

static enum status refuse_levels(
    const struct config *config, const struct levels *levels, struct error *err)
{
    char widths[160] = "";
    size_t size = 0;
    for (uint32_t i = 0; i < levels->count && size < sizeof(widths); i++)
        size += (size_t)snprintf(widths + size, sizeof(widths) - size, "%s%s", i == 0 ? "" : ", ",
            duration_print(levels->width_ns[i]).text);
    return config_error(config, "windows", err,
        "with history they need %u levels of slices (%s), at most %d are taken; leave one out",
        levels->count, widths, LEVELS_MAX);
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static void keep_at_least(struct plan_level *level, int64_t slices)
{
    if (level->keep < slices) level->keep = slices;
}

/* Merging from the coarsest level that divides it is the least work. */
static void link_level(struct plan *plan, uint32_t at)
{
    struct plan_level *level = &plan->level[at];
    level->from = 0;
    level->fan_in = 1;
    for (uint32_t finer = 0; finer < at; finer++) {
        if (level->width_ns % plan->level[finer].width_ns != 0) continue;
        level->from = finer;
        level->fan_in = (uint32_t)(level->width_ns / plan->level[finer].width_ns);
    }
    if (at > 0) keep_at_least(&plan->level[level->from], (int64_t)level->fan_in + 1);
    keep_at_least(level, divide_up(plan->allowed_lateness_ns, level->width_ns) + 2);
}

static void link_window(struct plan *plan, struct plan_window *window)
{
    uint32_t at = 0;
    while (plan->level[at].width_ns != window->width_ns / window->slices)
        at++;
    window->level = at;
    keep_at_least(&plan->level[at], (int64_t)window->slices + 1);
}

static void link_history(struct plan *plan, const struct history *history)
{
    uint32_t at = 0;
    while (plan->level[at].width_ns != history->resolution_ns)
        at++;
    plan->level[at].history = true;
    plan->level[at].sketches = history->sketches;
}

enum status plan_levels_init(struct plan *plan, const struct config *config, struct error *err)
{
    struct levels levels = {.width_ns = {plan->pane_ns}, .count = 1};
    for (size_t i = 0; i < config->histories; i++)
        levels_add(&levels, config->history[i].resolution_ns);
    enum status status = choose_windows(plan, config, &levels, err);
    if (status != ST_OK) return status;
    if (levels.count > LEVELS_MAX) return refuse_levels(config, &levels, err);

    plan->levels = levels.count;
    for (uint32_t i = 0; i < levels.count; i++)
        plan->level[i] = (struct plan_level){.width_ns = levels.width_ns[i]};
    for (uint32_t i = 0; i < plan->levels; i++)
        link_level(plan, i);
    for (uint32_t i = 0; i < plan->windows; i++)
        link_window(plan, &plan->window[i]);
    for (size_t i = 0; i < config->histories; i++)
        link_history(plan, &config->history[i]);
    return ST_OK;
}
