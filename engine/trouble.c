#include "engine/trouble.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/metrics.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SAY_AGAIN_NS (10 * NS_PER_S)

enum {
    WHERE_BYTES = 300,
    WHAT_BYTES = 400,
    SAID_MAX = 8, /* places of a kind within SAY_AGAIN_NS; the others are on /readyz */
};

const struct trouble_kind trouble_kinds[TROUBLES] = {
    [TROUBLE_BROKER] = {"kafka", "broker unreachable", false,
        "check `brokers`, the network and the brokers' own logs; work goes on by itself"},
    [TROUBLE_TOPIC] = {"kafka", "topic missing", false,
        "make it, or correct `topics`; no pane closes without it"},
    [TROUBLE_PARTITION] = {"kafka", "partition missing", false,
        "give the topic its partitions back, or name them in `without`; no pane closes until then"},
    [TROUBLE_TRANSACTION] = {"kafka", "transaction left open", false,
        "find the producer, or end it by kafka-transactions.sh find-hanging and abort; nothing "
        "behind it is read until then"},
    [TROUBLE_FENCED] = {"kafka", "fenced", false,
        "see that no two workers have the same `instance`; once, after a pause of the process, is "
        "no fault"},
    [TROUBLE_SPANS_DELETED] = {"spans", "deleted unread", true,
        "raise the topic's retention or add workers; the spans are lost"},
    [TROUBLE_PARTIALS_DELETED] = {"partials", "deleted unread", true,
        "restore the topic, or start anew under another `name`; it must have no retention by "
        "time"},
    [TROUBLE_ROWS_DELETED] = {"rows", "deleted unread", true,
        "Redis lacks these rows; to keep more, raise the rows topic's retention.ms by "
        "kafka-configs.sh"},
    [TROUBLE_PLAN] = {"state", "another plan", true,
        "give all workers of this `name` the same config (`weir plan --diff` says where two "
        "differ), or this one another `name`"},
    [TROUBLE_SNAPSHOT_MISSING] = {"state", "snapshot missing", true,
        "restore the topic, or start anew under another `name`"},
    [TROUBLE_SNAPSHOT_DAMAGED] = {"state", "snapshot damaged", true,
        "restore the topic, or start anew under another `name`"},
    [TROUBLE_VERSION] = {"state", "another version", true,
        "run the weir that wrote it, or a newer one"},
    [TROUBLE_AUDIT_MISSING] = {"audit", "offsets missing", true,
        "rows lack these spans: compare with a run under another `name` and report it"},
    [TROUBLE_AUDIT_TWICE] = {"audit", "offsets counted twice", true,
        "rows count these spans twice: compare with a run under another `name` and report it"},
};

/* A place that has or had a trouble; one that is over is kept while it may be said again. */
struct place {
    enum trouble trouble;
    char where[WHERE_BYTES], what[WHAT_BYTES];
    bool active, said;
    int64_t begun_ns, said_ns;
    int64_t until_ns; /* INT64_MAX: until trouble_end */
};

static struct {
    pthread_mutex_t lock;
    struct place place[TROUBLE_PLACES_MAX];
    size_t places;
    size_t active[TROUBLES];
    struct {
        int64_t since_ns;
        unsigned count;
    } said[TROUBLES];
} troubles = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void show(enum trouble trouble, uint64_t begun)
{
    const struct trouble_kind *kind = &trouble_kinds[trouble];
    metric_set(metric_of(METRIC_GAUGE, "weir_troubles", "Places where this trouble is now.",
                   "part=\"%s\",state=\"%s\"", kind->part, kind->state),
        (double)troubles.active[trouble]);
    metric_add(metric_of(METRIC_COUNTER, "weir_troubles_total", "How often this trouble began.",
                   "part=\"%s\",state=\"%s\"", kind->part, kind->state),
        begun);
}

void trouble_open(void)
{
    pthread_mutex_lock(&troubles.lock);
    for (int trouble = 0; trouble < TROUBLES; trouble++)
        show((enum trouble)trouble, 0);
    pthread_mutex_unlock(&troubles.lock);
    for (int trouble = 0; trouble < TROUBLES; trouble++) {
        if (strcmp(trouble_kinds[trouble].part, "kafka") != 0)
            ready_set(trouble_kinds[trouble].part, NULL);
    }
}

static struct place *place_find(enum trouble trouble, const char *where)
{
    for (size_t i = 0; i < troubles.places; i++) {
        struct place *place = &troubles.place[i];
        if (place->trouble == trouble && strcmp(place->where, where) == 0) return place;
    }
    return NULL;
}

/* A free place: one never used, else one that is over. NULL: every one has its trouble now. */
static struct place *place_new(enum trouble trouble, const char *where)
{
    struct place *place = NULL;
    if (troubles.places < TROUBLE_PLACES_MAX) place = &troubles.place[troubles.places++];
    for (size_t i = 0; i < troubles.places && place == NULL; i++) {
        if (!troubles.place[i].active) place = &troubles.place[i];
    }
    if (place == NULL) return NULL;
    *place = (struct place){.trouble = trouble};
    snprintf(place->where, sizeof(place->where), "%s", where);
    return place;
}

/* Whether a place is to be said: not again so soon, and not one of very many. */
static bool is_due(const struct place *place, int64_t now_ns)
{
    if (place->said_ns != 0 && now_ns - place->said_ns < SAY_AGAIN_NS) return false;
    if (now_ns - troubles.said[place->trouble].since_ns >= SAY_AGAIN_NS) {
        troubles.said[place->trouble].since_ns = now_ns;
        troubles.said[place->trouble].count = 0;
    }
    return troubles.said[place->trouble].count++ < SAID_MAX;
}

static void say_begin(struct place *place, int64_t now_ns)
{
    const struct trouble_kind *kind = &trouble_kinds[place->trouble];
    char message[400];
    place->said = is_due(place, now_ns);
    if (!place->said) return;
    place->said_ns = now_ns;
    snprintf(message, sizeof(message), "%s: %s", kind->state, kind->todo);
    log_line(kind->fatal ? LOG_ERROR : LOG_WARN, kind->part, message, "where=%s what=%s",
        place->where, place->what);
}

static void place_begin(struct place *place, int64_t until_ns, int64_t now_ns)
{
    place->until_ns = until_ns;
    if (place->active) return;
    place->active = true;
    place->begun_ns = now_ns;
    troubles.active[place->trouble]++;
    show(place->trouble, 1);
    say_begin(place, now_ns);
}

static void begin(
    enum trouble trouble, const char *where, int64_t lasts_ns, const char *what, va_list args)
{
    int64_t now_ns = clock_ns();
    pthread_mutex_lock(&troubles.lock);
    char name[WHERE_BYTES];
    snprintf(name, sizeof(name), "%s", where);
    struct place *place = place_find(trouble, name);
    if (place == NULL) place = place_new(trouble, name);
    if (place == NULL) {
        show(trouble, 1);
    } else {
        vsnprintf(place->what, sizeof(place->what), what, args);
        for (char *c = place->what; *c != '\0'; c++) {
            if ((unsigned char)*c < ' ') *c = ' ';
        }
        place_begin(place, lasts_ns == INT64_MAX ? INT64_MAX : now_ns + lasts_ns, now_ns);
    }
    pthread_mutex_unlock(&troubles.lock);
}

void trouble_begin(enum trouble trouble, const char *where, const char *what, ...)
{
    va_list args;
    va_start(args, what);
    begin(trouble, where, INT64_MAX, what, args);
    va_end(args);
}

void trouble_happened(enum trouble trouble, const char *where, const char *what, ...)
{
    va_list args;
    va_start(args, what);
    begin(trouble, where, TROUBLE_HAPPENED_S * NS_PER_S, what, args);
    va_end(args);
}

static void place_end(struct place *place, int64_t now_ns)
{
    if (!place->active) return;
    place->active = false;
    troubles.active[place->trouble]--;
    show(place->trouble, 0);
    if (!place->said || place->until_ns != INT64_MAX) return;
    char message[128];
    snprintf(message, sizeof(message), "%s: over", trouble_kinds[place->trouble].state);
    log_info(trouble_kinds[place->trouble].part, message, "where=%s after_s=%.1f", place->where,
        (double)(now_ns - place->begun_ns) / (double)NS_PER_S);
}

void trouble_end(enum trouble trouble, const char *where)
{
    pthread_mutex_lock(&troubles.lock);
    struct place *place = troubles.active[trouble] == 0 ? NULL : place_find(trouble, where);
    if (place != NULL) place_end(place, clock_ns());
    pthread_mutex_unlock(&troubles.lock);
}

bool trouble_is(enum trouble trouble)
{
    pthread_mutex_lock(&troubles.lock);
    bool is = troubles.active[trouble] != 0;
    pthread_mutex_unlock(&troubles.lock);
    return is;
}

void trouble_tick(int64_t now_ns)
{
    pthread_mutex_lock(&troubles.lock);
    for (size_t i = 0; i < troubles.places; i++) {
        if (now_ns >= troubles.place[i].until_ns) place_end(&troubles.place[i], now_ns);
    }
    pthread_mutex_unlock(&troubles.lock);
}

size_t trouble_print(const char *part, struct buffer *out)
{
    size_t count = 0;
    pthread_mutex_lock(&troubles.lock);
    for (size_t i = 0; i < troubles.places; i++) {
        const struct place *place = &troubles.place[i];
        const struct trouble_kind *kind = &trouble_kinds[place->trouble];
        if (!place->active || strcmp(kind->part, part) != 0) continue;
        buffer_print(out, "%s: %s: %s: %s\n", part, kind->state, place->where, place->what);
        count++;
    }
    pthread_mutex_unlock(&troubles.lock);
    return count;
}
