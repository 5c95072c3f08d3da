#include "engine/notify_queue.h"

#include "engine/base/clock.h"
#include "engine/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void item_free(struct notify_item *item)
{
    notice_release(&item->notice);
    free(item);
}

void notify_queue_release(struct notify_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        item_free(queue->item[i]);
    queue->count = 0;
}

bool notify_queue_full(const struct notify_queue *queue)
{
    return queue->count == NOTIFY_QUEUE_MAX;
}

struct notify_item *notify_queue_find(const struct notify_queue *queue, const char *id)
{
    for (size_t i = 0; i < queue->count; i++) {
        struct notify_item *item = queue->item[i];
        if (!item->told && strcmp(item->notice.id, id) == 0) return item;
    }
    return NULL;
}

/* The oldest entry gives way: the item is held by those that stay. */
static void entry_add(struct notify_item *item, const char *entry, int64_t appended_ms)
{
    if (entry == NULL) return;
    for (size_t e = 0; e < item->entries; e++) {
        if (strcmp(item->entry[e], entry) == 0) return;
    }
    if (item->appended_ms == 0 || appended_ms < item->appended_ms) item->appended_ms = appended_ms;
    if (item->entries == NOTIFY_ENTRIES_MAX) {
        memmove(item->entry[0], item->entry[1], sizeof(item->entry) - sizeof(item->entry[0]));
        item->entries--;
    }
    snprintf(item->entry[item->entries++], ALERTS_ENTRY_BYTES, "%s", entry);
}

static bool is_newer(const struct notify_item *item, enum book_state wanted, int64_t at_ms)
{
    return at_ms > item->at_ms || (at_ms == item->at_ms && wanted > item->wanted);
}

static void item_set(
    struct notify_item *item, struct notice *notice, enum book_state wanted, int64_t at_ms)
{
    notice_release(&item->notice);
    item->notice = *notice;
    *notice = (struct notice){.alert = NULL};
    item->wanted = wanted;
    item->at_ms = at_ms;
    item->labels = notice_fingerprint(&item->notice);
    item->always = false;
    item->correct = false;
    item->attempts = 0;
    item->next_ns = 0;
}

struct notify_item *notify_queue_put(struct notify_queue *queue, struct notice *notice,
    enum book_state wanted, int64_t at_ms, const char *entry, int64_t appended_ms)
{
    struct notify_item *item = notify_queue_find(queue, notice->id);
    if (item == NULL) {
        if (notify_queue_full(queue)) return NULL;
        item = memory_zeroed(1, sizeof(*item));
        item->queued_ns = clock_ns();
        queue->item[queue->count++] = item;
        item_set(item, notice, wanted, at_ms);
    } else if (is_newer(item, wanted, at_ms)) {
        item->queued_ns = clock_ns();
        item->appended_ms = 0;
        item_set(item, notice, wanted, at_ms);
    } else {
        notice_release(notice);
    }
    entry_add(item, entry, appended_ms);
    return item;
}

void notify_queue_drop(struct notify_queue *queue, struct notify_item *item)
{
    for (size_t i = 0; i < queue->count; i++) {
        if (queue->item[i] != item) continue;
        memmove(
            &queue->item[i], &queue->item[i + 1], (queue->count - i - 1) * sizeof(*queue->item));
        queue->count--;
        item_free(item);
        return;
    }
}

struct notify_item *notify_queue_next(const struct notify_queue *queue)
{
    struct notify_item *next = NULL;
    for (size_t i = 0; i < queue->count; i++) {
        struct notify_item *item = queue->item[i];
        if (item->told) continue;
        if (next == NULL || item->next_ns < next->next_ns) next = item;
    }
    return next;
}
