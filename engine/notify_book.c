#include "engine/notify_book.h"

#include "engine/base/hash.h"
#include "engine/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAST_MS (3600 * INT64_C(1000)) /* a transition may be told again for no longer */

void notify_book_release(struct notify_book *book)
{
    free(book->told);
    free(book->slot);
    pool_release(&book->text);
    *book = (struct notify_book){.since_ms = 0};
}

/* Where the id is, or the free slot where it belongs. At most half are taken. */
static uint32_t *slot_of(const struct notify_book *book, const char *id)
{
    size_t i = hash_stable(bytes_of(id)) % book->slots;
    while (book->slot[i] != 0 && strcmp(book->told[book->slot[i] - 1].id, id) != 0)
        i = (i + 1) % book->slots;
    return &book->slot[i];
}

struct told *notify_book_find(const struct notify_book *book, const char *id)
{
    if (book->slots == 0) return NULL;
    uint32_t at = *slot_of(book, id);
    return at == 0 ? NULL : &book->told[at - 1];
}

static void grow(struct notify_book *book)
{
    book->capacity = book->capacity == 0 ? 64 : 2 * book->capacity;
    book->told = memory_resize(book->told, book->capacity, sizeof(*book->told));
    book->slots = 2 * book->capacity;
    free(book->slot);
    book->slot = memory_zeroed(book->slots, sizeof(*book->slot));
    for (size_t i = 0; i < book->count; i++)
        *slot_of(book, book->told[i].id) = (uint32_t)i + 1;
}

static struct told *find_or_make(struct notify_book *book, const char *id)
{
    struct told *found = notify_book_find(book, id);
    if (found != NULL) return found;
    if (book->count == book->capacity) grow(book);
    struct told *made = &book->told[book->count++];
    *made = (struct told){.state = BOOK_UNTOLD};
    snprintf(made->id, sizeof(made->id), "%s", id);
    *slot_of(book, id) = (uint32_t)book->count;
    return made;
}

static struct bytes copy(struct notify_book *book, struct bytes text)
{
    if (text.size == 0 || text.size > POOL_BYTES_MAX) return (struct bytes){0};
    void *to = pool_take(&book->text, text.size);
    memcpy(to, text.data, text.size);
    return (struct bytes){to, text.size};
}

/* What is asked of the JSON, which is read once. */
static void take_json(struct told *told)
{
    struct notice notice;
    struct error unused;
    if (told->json.size == 0) return;
    if (notice_of_json(&notice, told->json, NOTICE_FIRING, &unused) != ST_OK) return;
    told->labels = notice_fingerprint(&notice);
    told->again = notice.again;
    notice_release(&notice);
}

void notify_book_note(
    struct notify_book *book, const struct alerts_telling *telling, uint64_t labels, int64_t now_ms)
{
    struct told *told = find_or_make(book, telling->id);
    told->state = (int)telling->state;
    told->at_ms = telling->at_ms;
    told->told_ms = now_ms;
    told->labels = labels;
    told->again = telling->again;
    told->is_kept = true;
    told->odd_ns = 0;
    told->json = copy(book, telling->json);
}

bool told_is_past(const struct told *told, int64_t now_ms)
{
    bool over = told->state == BOOK_RESOLVED || told->state == BOOK_GONE ||
                (told->state == BOOK_REFUSED && !told->fires);
    return over && now_ms - told->told_ms > PAST_MS;
}

bool notify_book_labels_fire(const struct notify_book *book, const char *id, uint64_t labels)
{
    for (size_t i = 0; i < book->count; i++) {
        const struct told *told = &book->told[i];
        bool fires = told->state == BOOK_FIRING || told->state == BOOK_SENDING;
        if (fires && told->labels == labels && strcmp(told->id, id) != 0) return true;
    }
    return false;
}

/* An id as a NUL-terminated text; false: it is none of an alert. */
static bool id_of(struct bytes name, char id[NOTICE_ID_BYTES])
{
    if (name.size == 0 || name.size >= NOTICE_ID_BYTES) return false;
    memcpy(id, name.data, name.size);
    id[name.size] = '\0';
    return true;
}

static void take_told(
    struct notify_book *next, const struct notify_book *old, const struct read_item *item)
{
    char id[NOTICE_ID_BYTES];
    struct book_entry entry;
    if (!id_of(item->name, id) || !book_entry_read(&entry, item->value)) return;
    const struct told *before = notify_book_find(old, id);
    struct told *told = find_or_make(next, id);
    told->state = (int)entry.state;
    told->at_ms = entry.at_ms;
    told->told_ms = entry.told_ms;
    told->is_kept = true;
    told->json = copy(next, entry.json);
    bool same = before != NULL && before->labels != 0 && before->state != BOOK_UNTOLD &&
                before->told_ms == told->told_ms;
    if (!same) {
        take_json(told);
        return;
    }
    told->labels = before->labels;
    told->again = before->again;
}

/* What this notifier knows and Redis does not. */
static void keep_told(struct notify_book *next, const struct told *old, int64_t now_ms)
{
    if (old->state == BOOK_UNTOLD || told_is_past(old, now_ms)) return;
    if (notify_book_find(next, old->id) != NULL) return;
    struct told *told = find_or_make(next, old->id);
    *told = *old;
    told->fires = false;
    told->is_kept = false;
    told->json = copy(next, old->json);
}

static void take_active(struct notify_book *next, const struct read_item *item)
{
    char id[NOTICE_ID_BYTES];
    if (!id_of(item->name, id)) return;
    struct told *told = find_or_make(next, id);
    told->fires = true;
    if (told->state == BOOK_UNTOLD) told->json = copy(next, item->value);
}

/* Under way is odd too: it is for whoever does it, unless that one is no more. */
static bool is_odd(const struct told *told)
{
    switch (told->state) {
    case BOOK_FIRING:
        return !told->fires;
    case BOOK_GONE:
        return told->fires;
    case BOOK_REFUSED:
    case BOOK_RESOLVED:
        return false;
    default:
        return !told->passed_over;
    }
}

static void compare(struct notify_book *next, const struct notify_book *old, int64_t now_ns)
{
    for (size_t i = 0; i < next->count; i++) {
        struct told *told = &next->told[i];
        const struct told *before = notify_book_find(old, told->id);
        bool same = before != NULL && before->state == told->state;
        told->passed_over = same && before->passed_over;
        if (!is_odd(told))
            told->odd_ns = 0;
        else
            told->odd_ns = same && before->odd_ns != 0 ? before->odd_ns : now_ns;
    }
}

void notify_book_look(
    struct notify_book *book, const struct alerts_look *look, int64_t now_ms, int64_t now_ns)
{
    struct notify_book next = {.since_ms = book->since_ms};
    for (size_t i = 0; i < look->book.count; i++)
        take_told(&next, book, &look->book.item[i]);
    for (size_t i = 0; i < book->count; i++)
        keep_told(&next, &book->told[i], now_ms);
    for (size_t i = 0; i < look->active.count; i++)
        take_active(&next, &look->active.item[i]);
    compare(&next, book, now_ns);
    notify_book_release(book);
    *book = next;
}
