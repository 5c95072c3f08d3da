/*
 * What one place of a receiver was told, as a notifier remembers it between its looks at Redis: the newest
 * page of sinks/redis_book.h, set beside what fires.
 *
 * It lets a notifier put back what was told when Redis is lost, say again what fires while Redis is away,
 * and see where the two disagree: an alert that fires and was not told, or was told and fires no more.
 *
 * threads  one per `struct notify_book`
 */
#ifndef ENGINE_NOTIFY_BOOK_H
#define ENGINE_NOTIFY_BOOK_H

#include "engine/base/pool.h"
#include "sinks/redis_alerts.h"

enum {
    BOOK_UNTOLD = BOOK_STATES, /* it fires, and nothing was told of it */
    BOOK_OF_OLD = 1,           /* since_ms of a book that outlived a loss of Redis */
};

/* One alert. */
struct told {
    char id[NOTICE_ID_BYTES];
    int state;         /* enum book_state, or BOOK_UNTOLD */
    int64_t at_ms;     /* event time of the transition that was told; untold: 0 */
    int64_t told_ms;   /* wall clock */
    bool fires;        /* as of the newest look */
    bool passed_over;  /* untold, because the receiver does not want it */
    bool is_kept;      /* in Redis, as of the newest look */
    int64_t odd_ns;    /* since when book and what fires disagree, by clock_ns; 0: they agree */
    uint64_t labels;   /* fingerprint; 0: not known */
    bool again;        /* as of struct notice */
    struct bytes json; /* the alert, of what was told; of an untold one, of what fires */
};

struct notify_book {
    struct told *told;
    size_t count, capacity;
    uint32_t *slot; /* index in `told` + 1, by hash of the id; 0: none */
    size_t slots;
    struct pool text;
    int64_t since_ms; /* when the book in Redis was begun; 0: not known */
};

void notify_book_release(struct notify_book *book); /* leaves an empty one */

struct told *notify_book_find(const struct notify_book *book, const char *id); /* or NULL */

/* Note that this was told now, before the next look says so. */
void notify_book_note(struct notify_book *book, const struct alerts_telling *telling,
    uint64_t labels, int64_t now_ms);

/*
 * Take a look at Redis: it is right about what it holds. What it lacks is kept for as long as it would be
 * there (`is_kept` false), so that it can be put back.
 */
void notify_book_look(
    struct notify_book *book, const struct alerts_look *look, int64_t now_ms, int64_t now_ns);

/* Whether what was told of it is over and so old that nobody asks for it. */
bool told_is_past(const struct told *told, int64_t now_ms);

/* Whether another alert that was told to fire has the same labels. */
bool notify_book_labels_fire(const struct notify_book *book, const char *id, uint64_t labels);

#endif
