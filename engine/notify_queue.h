/*
 * What a notifier has in hand for one place: notices that are not told yet, at most one for each alert, and
 * the entries of the stream that they stand for. What there is no room for stays in Redis.
 *
 * threads  one per `struct notify_queue`
 */
#ifndef ENGINE_NOTIFY_QUEUE_H
#define ENGINE_NOTIFY_QUEUE_H

#include "sinks/redis_alerts.h"

enum {
    NOTIFY_QUEUE_MAX = 256,
    NOTIFY_ENTRIES_MAX = 8, /* of one alert that are not acknowledged */
};

struct notify_item {
    struct notice notice; /* owned */
    enum book_state
        wanted;    /* BOOK_FIRING, BOOK_RESOLVED or BOOK_GONE; once it is told: also BOOK_REFUSED */
    int64_t at_ms; /* by which the book orders it */
    uint64_t labels; /* fingerprint */
    bool always;     /* resolved: told even if nothing is known of it */
    bool correct;    /* what was told was out of date by then: tell this without asking the book */
    bool told;       /* it was taken or refused: to be noted and acknowledged */
    bool alone;      /* in a batch it would be refused with others */
    unsigned attempts;   /* that failed */
    int64_t next_ns;     /* no attempt before, by clock_ns */
    int64_t queued_ns;   /* by clock_ns */
    int64_t appended_ms; /* to the stream, the first of its entries; 0: it stands for none */
    char entry[NOTIFY_ENTRIES_MAX][ALERTS_ENTRY_BYTES];
    size_t entries;
};

struct notify_queue {
    struct notify_item *item[NOTIFY_QUEUE_MAX];
    size_t count;
};

void notify_queue_release(struct notify_queue *queue);
bool notify_queue_full(const struct notify_queue *queue);
/* One that is not told yet, or NULL. */
struct notify_item *notify_queue_find(const struct notify_queue *queue, const char *id);

/*
 * Put in what was read: with what is there of the same alert, of which the newer stays.
 *
 * notice  taken over: the caller's is empty then
 * entry   its id in the stream, appended at `appended_ms`; NULL: none
 * returns the item; NULL: there is no room, and the notice is still the caller's
 */
struct notify_item *notify_queue_put(struct notify_queue *queue, struct notice *notice,
    enum book_state wanted, int64_t at_ms, const char *entry, int64_t appended_ms);

void notify_queue_drop(struct notify_queue *queue, struct notify_item *item);

/* The next to be tried: that with the earliest next_ns; NULL: none is left to tell. */
struct notify_item *notify_queue_next(const struct notify_queue *queue);

#endif
