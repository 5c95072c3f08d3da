/*
 * The line to one place of a receiver: a thread that reads alerts, tells them, and remembers in Redis what
 * was told. A place that does not answer holds up its own line only.
 *
 *   1. An entry of the stream is acknowledged once the place took the notice, refused it for what it is,
 *      or it is not to be told it.
 *   2. Before a place is told, the book in Redis says that it is about to be; after, that it was. So
 *      another notifier that takes over knows what the place may know.
 *   3. A firing alert is told only while it fires; a resolved one only where the place may know that it
 *      fired. What fired and was over before the place could be told is not told.
 *   4. What fires and was not told, and what was told and fires no more, is found by looking, at least
 *      twice, while Redis is not being filled: entries may get lost with Redis.
 */
#ifndef ENGINE_NOTIFY_LINE_H
#define ENGINE_NOTIFY_LINE_H

#include "engine/config.h"
#include "engine/config_receivers.h"
#include "engine/notify_book.h"
#include "engine/notify_meter.h"
#include "engine/notify_queue.h"
#include "engine/notify_settled.h"

#include <stdatomic.h>

/* A resolved alert that was appended again after a loss of Redis is told if it is no older than this. */
#define NOTIFY_REFILLED_MS (3600 * INT64_C(1000))

/* What all lines of a process share. */
struct notify {
    const struct config *config;
    char notifier[64];         /* this process's name among the notifiers */
    bool (*is_stopping)(void); /* asked by who waits for a receiver; NULL: never */
    atomic_bool stopping;
    atomic_bool failed;
    atomic_uint away;     /* lines that Redis does not answer */
    struct error failure; /* of the first line that failed */
};

struct notify_line {
    struct notify *notify;
    const struct receiver *receiver;
    const struct notifier *kind;
    char place[RECEIVER_PLACE_BYTES];
    void *sender; /* the notifier's line */
    struct redis_alerts *alerts;
    struct alerts_entries entries; /* read last */
    struct alerts_look look;       /* the newest */
    struct notify_queue queue;
    struct notify_book book;
    struct notify_settled settled;
    struct notify_meter meter;
    struct buffer json; /* scratch */

    int64_t look_every_ns;
    int64_t stale_ns;      /* what another notifier began is taken over after so long */
    int64_t look_ns;       /* when to look next, by clock_ns */
    int64_t looked_ns;     /* when the newest look began; 0: none yet */
    bool is_settled;       /* as of the newest look */
    int64_t not_before_ns; /* the place is not tried before */
    unsigned failures;     /* of the place, in a row */
    bool says_failing;     /* that it fails is said */
    int64_t resend_ns;     /* when what fires is said again, by clock_ns */
    bool resending;        /* it is our turn, and not all of it is said */
    bool redis_away;
    int64_t redis_retry_ns;
    int64_t redis_backoff_ms;
};

/*
 * A line to the `place`-th place of a receiver; connects to nothing yet.
 *
 * line     zeroed; to be released whatever is returned
 * notify   outlives it, and its config
 * returns  ST_OK; ST_FATAL, redis.url or a file for TLS cannot be used, or out of memory
 */
enum status notify_line_open(struct notify_line *line, struct notify *notify,
    const struct receiver *receiver, size_t place, struct error *err) MUST_USE;
void notify_line_release(struct notify_line *line);

/* The thread, until notify->stopping; a line that cannot go on sets `failed`. */
void *notify_line_main(void *line);

/* For the files of the line alone: each gives what sinks/redis_alerts.h gives. */

/* Put what was read in hand, and acknowledge what needs nothing done: engine/notify_line.c. */
enum status notify_take(struct notify_line *line, struct error *err) MUST_USE;
/* Acknowledge what an item stands for, and drop it: engine/notify_deliver.c. */
enum status notify_finish(
    struct notify_line *line, struct notify_item *item, struct error *err) MUST_USE;
/* Note what was told, then finish it: engine/notify_deliver.c. */
enum status notify_settle(struct notify_line *line, struct error *err) MUST_USE;
/* Tell what is due: engine/notify_deliver.c. */
enum status notify_deliver(struct notify_line *line, struct error *err) MUST_USE;
/* Look at Redis and mend what disagrees, where it is time: engine/notify_look.c. */
enum status notify_look(struct notify_line *line, struct error *err) MUST_USE;
/* Say again what fires, where it is time and our turn: engine/notify_resend.c. */
enum status notify_resend(struct notify_line *line, struct error *err) MUST_USE;

/* Send a batch; what came of it goes to metrics, log and /readyz: engine/notify_deliver.c. */
enum status notify_send(struct notify_line *line, const struct notice *const *notices, size_t count,
    struct error *err) MUST_USE;

#endif
