#include "engine/metrics.h"
#include "engine/trouble.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct part {
    const char *name;
    bool ready;
    char why[640]; /* one line */
};

static struct {
    pthread_mutex_t lock;
    struct part part[READY_PARTS_MAX];
    size_t count;
} readiness = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct part *part_find_or_make(const char *name)
{
    for (size_t i = 0; i < readiness.count; i++) {
        if (strcmp(readiness.part[i].name, name) == 0) return &readiness.part[i];
    }
    assert(readiness.count < READY_PARTS_MAX);
    struct part *part = &readiness.part[readiness.count++];
    part->name = name;
    return part;
}

void ready_set(const char *part, const char *why)
{
    pthread_mutex_lock(&readiness.lock);
    struct part *p = part_find_or_make(part);
    p->ready = why == NULL;
    snprintf(p->why, sizeof(p->why), "%s", why == NULL ? "" : why);
    for (char *c = p->why; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ') *c = ' ';
    }
    pthread_mutex_unlock(&readiness.lock);
}

void ready_drop(const char *part)
{
    pthread_mutex_lock(&readiness.lock);
    for (size_t i = 0; i < readiness.count; i++) {
        if (strcmp(readiness.part[i].name, part) != 0) continue;
        memmove(&readiness.part[i], &readiness.part[i + 1],
            (readiness.count - i - 1) * sizeof(readiness.part[0]));
        readiness.count--;
        break;
    }
    pthread_mutex_unlock(&readiness.lock);
}

bool ready_print(struct buffer *out)
{
    pthread_mutex_lock(&readiness.lock);
    bool ready = readiness.count > 0;
    if (!ready) buffer_print(out, "weir: not ready: it is starting\n");
    for (size_t i = 0; i < readiness.count; i++) {
        const struct part *part = &readiness.part[i];
        size_t troubles = trouble_print(part->name, out);
        if (!part->ready && troubles == 0)
            buffer_print(out, "%s: not ready: %s\n", part->name, part->why);
        if (part->ready && troubles == 0) buffer_print(out, "%s: ready\n", part->name);
        ready = ready && part->ready && troubles == 0;
    }
    pthread_mutex_unlock(&readiness.lock);
    return ready;
}
