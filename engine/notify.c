#include "engine/notify.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/notify_line.h"
#include "engine/reload.h"
#include "engine/stop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum {
    WATCH_MS = 20,
    LEAVE_S = 4, /* from being asked to stop */
    NAME_BYTES = 13,
};

static atomic_bool stopping; /* a line waits in a library that asks a function */

static bool is_stopping(void)
{
    return atomic_load(&stopping) || stop_asked();
}

/* Once for a process: what it has in hand is its own after a reload too. */
static enum status draw_name(char name[NAME_BYTES], struct error *err)
{
    unsigned char random[NAME_BYTES / 2];
    if (name[0] != '\0') return ST_OK;
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return error_set(err, ST_FATAL, errno,
            "the system gives no random numbers, which name this notifier: set `instance` to a "
            "name "
            "of its own, or allow getrandom()");
    }
    snprintf(name, NAME_BYTES, "%02x%02x%02x%02x%02x%02x", random[0], random[1], random[2],
        random[3], random[4], random[5]);
    return ST_OK;
}

/* Two notifiers of one name would take each other's entries for their own. */
static enum status name_notifier(struct notify *notify, struct error *err)
{
    static char drawn[NAME_BYTES];
    const char *name = notify->config->instance;
    if (name[0] == '\0') {
        enum status status = draw_name(drawn, err);
        if (status != ST_OK) return status;
        name = drawn;
    }
    snprintf(notify->notifier, sizeof(notify->notifier), "%.60s", name);
    return ST_OK;
}

struct lines {
    struct notify_line *line[NOTIFY_PLACES_MAX];
    pthread_t thread[NOTIFY_PLACES_MAX];
    size_t count, running;
};

static enum status lines_open(struct lines *lines, struct notify *notify, struct error *err)
{
    const struct config *config = notify->config;
    enum status status = ST_OK;
    for (size_t r = 0; r < config->receivers && status == ST_OK; r++) {
        const struct receiver *receiver = &config->receiver[r];
        size_t places = receiver->kind->places(receiver->self);
        for (size_t p = 0; p < places && status == ST_OK; p++) {
            struct notify_line *line = memory_zeroed(1, sizeof(*line));
            lines->line[lines->count++] = line;
            status = notify_line_open(line, notify, receiver, p, err);
        }
    }
    return status;
}

static enum status lines_start(struct lines *lines, struct error *err)
{
    for (; lines->running < lines->count; lines->running++) {
        int code = pthread_create(
            &lines->thread[lines->running], NULL, notify_line_main, lines->line[lines->running]);
        if (code != 0)
            return error_set(err, ST_FATAL, code, "cannot start a thread: %s", strerror(code));
    }
    return ST_OK;
}

/*
 * Not for ever: what a receiver does not answer now is told again by whoever is there next, as after a
 * crash. One that is to go on with another config is started again by who watches over it.
 */
static void lines_join(struct lines *lines, bool failed)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LEAVE_S;
    for (size_t i = 0; i < lines->running; i++) {
        if (pthread_timedjoin_np(lines->thread[i], NULL, &until) == 0) continue;
        log_warn("notify", "leaving without an answer; what is not known to be told is told again",
            "receiver=%s", lines->line[i]->place);
        _Exit(failed || !stop_asked() ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    lines->running = 0;
}

static void lines_release(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        notify_line_release(lines->line[i]);
        free(lines->line[i]);
    }
}

/* While Redis is away only this process knows what was told, and a reload forgets it. */
static bool may_reload(struct notify *notify)
{
    if (atomic_load(&notify->away) == 0) return true;
    log_error("reload", "nothing was changed", "error=%s",
        "Redis is away, and what was told this process alone knows: send SIGHUP when it is back, "
        "or restart");
    return false;
}

static void watch(struct notify *notify, bool *reload)
{
    while (!stop_asked() && !atomic_load(&notify->stopping)) {
        clock_sleep(WATCH_MS * NS_PER_MS);
        if (reload != NULL && reload_asked() && may_reload(notify)) {
            *reload = true;
            return;
        }
    }
}

enum status notify_run(const struct config *config, bool *reload, struct error *err)
{
    struct notify notify = {.config = config, .is_stopping = is_stopping};
    struct lines lines = {.count = 0};
    if (reload != NULL) *reload = false;
    atomic_store(&stopping, false);
    ready_set("redis", NULL);
    enum status status = name_notifier(&notify, err);
    if (status == ST_OK) status = lines_open(&lines, &notify, err);
    if (status == ST_OK) status = lines_start(&lines, err);
    if (status == ST_OK) {
        log_info("notify", "telling receivers of alerts", "notifier=%s receivers=%zu places=%zu",
            notify.notifier, config->receivers, lines.count);
        watch(&notify, reload);
    }
    atomic_store(&notify.stopping, true);
    atomic_store(&stopping, true);
    lines_join(&lines, status != ST_OK || atomic_load(&notify.failed));
    lines_release(&lines);
    if (!atomic_load(&notify.failed)) return status;
    *err = notify.failure;
    return ST_FATAL;
}

/* An alert that nobody mistakes for one. */
static enum status made_up(struct notice *notice, enum notice_state state, struct error *err)
{
    struct buffer json = {0};
    int64_t now_ms = clock_wall_ns() / NS_PER_MS;
    buffer_print(&json,
        "{\"id\":\"weir-notify-try-%lld\",\"rule\":\"weir-notify-try\",\"severity\":\"none\","
        "\"series\":\"service=nobody;operation=none\",\"condition\":\"weir notify "
        "--try\",\"value\":1,"
        "\"since_ms\":%lld,\"at_ms\":%lld,\"annotations\":{\"summary\":\"A test of this receiver, "
        "nothing is wrong\"}}",
        (long long)(now_ms / 60000), (long long)now_ms, (long long)now_ms);
    enum status status = notice_of_json(notice, buffer_bytes(&json), state, err);
    notice->state = state;
    buffer_release(&json);
    return status;
}

static enum status try_state(const struct receiver *receiver, void *sender, const char *place,
    enum notice_state state, struct error *err)
{
    struct notice notice;
    struct notify_failure failure;
    enum status status = made_up(&notice, state, err);
    if (status != ST_OK) return status;
    const struct notice *const notices[] = {&notice};
    status = receiver->kind->send(sender, notices, 1, &failure, err);
    printf("%s %s: %s\n", place, notice_state_name[state], status == ST_OK ? "taken" : err->text);
    notice_release(&notice);
    return status == ST_OK ? ST_OK : ST_RETRY;
}

static enum status try_place(const struct receiver *receiver, size_t i, struct error *err)
{
    char place[RECEIVER_PLACE_BYTES];
    void *sender = NULL;
    receiver_place(receiver, i, place);
    enum status status = receiver->kind->open(&sender, receiver->self, i, NULL, err);
    if (status != ST_OK) return status;
    status = try_state(receiver, sender, place, NOTICE_FIRING, err);
    if (status == ST_OK) status = try_state(receiver, sender, place, NOTICE_RESOLVED, err);
    receiver->kind->close(sender);
    return status;
}

enum status notify_try(const struct config *config, const char *name, struct error *err)
{
    for (size_t r = 0; r < config->receivers; r++) {
        const struct receiver *receiver = &config->receiver[r];
        const struct notifier_keys *keys = receiver->self;
        if (strcmp(keys->name, name) != 0) continue;
        enum status worst = ST_OK;
        for (size_t p = 0; p < receiver->kind->places(receiver->self); p++) {
            enum status status = try_place(receiver, p, err);
            if (status > worst) worst = status;
        }
        return worst;
    }
    return error_set(
        err, ST_FATAL, 0, "there is no receiver called %.60s in notify.receivers", name);
}
