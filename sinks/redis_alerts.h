/*
 * Alerts out of Redis, for one place of a receiver: a consumer group on `<prefix>:alerts`, and what the
 * place has been told (sinks/redis_book.h). Several notifiers share the group; it remembers which entry
 * was read by whom and is not yet acknowledged.
 *
 * Every call  returns  ST_OK; ST_RETRY, the server is away; ST_LOST, the group is not there: join again;
 *                      ST_FATAL, no permission, wrong password, Cluster
 *             threads  one per `struct redis_alerts`
 */
#ifndef SINKS_REDIS_ALERTS_H
#define SINKS_REDIS_ALERTS_H

#include "sinks/alerts_entries.h"
#include "sinks/redis_book.h"
#include "sinks/redis_read.h"
#include "sinks/store_trouble.h"
#include "sinks/tls_files.h"

enum {
    ALERTS_LOOK_MAX = 20000, /* alerts in one look */
};

struct redis_alerts;

struct redis_alerts_config {
    const char *url;
    struct tls_files tls; /* borrowed */
    const char *prefix;
    int64_t timeout_ns;
    const char *place;    /* names group and book */
    const char *notifier; /* names the consumer: A-Z a-z 0-9 . _ - */
    int64_t stale_ns;     /* what another notifier began is taken over after so long */
};

/* The URL is read here; connecting waits until there is something to do. Everything is copied but tls. */
enum status redis_alerts_open(struct redis_alerts **alerts,
    const struct redis_alerts_config *config, struct error *err) MUST_USE;
void redis_alerts_close(struct redis_alerts *alerts); /* NULL is fine */
/* Why the newest call gave ST_RETRY or ST_FATAL. */
enum store_trouble redis_alerts_trouble(const struct redis_alerts *alerts);
const char *redis_alerts_address(const struct redis_alerts *alerts); /* without the password */

/*
 * Be connected, and a member of the group, which is made at the stream's beginning where it is not there.
 *
 * anew  out: the connection is a new one: what was read over the old one may have got lost on its way
 */
enum status redis_alerts_join(struct redis_alerts *alerts, bool *anew, struct error *err) MUST_USE;

/*
 * Entries that nobody has read, `most` at most. Waits for the first for `block_ms`, which Redis takes in steps
 * of a tenth of a second; 0: not at all.
 */
enum status redis_alerts_read(struct redis_alerts *alerts, size_t most, int64_t block_ms,
    struct alerts_entries *entries, struct error *err) MUST_USE;
/* Entries that this notifier has read and not acknowledged, those after `after`; "0": from the first. */
enum status redis_alerts_own(struct redis_alerts *alerts, const char *after, size_t most,
    struct alerts_entries *entries, struct error *err) MUST_USE;
/*
 * Take over entries that another notifier has held for stale_ns without a word: each call goes on where the
 * one before ended, as Redis looks at some at a time, and may find none among them.
 *
 * more  out: there are some that it has not looked at
 */
enum status redis_alerts_claim(struct redis_alerts *alerts, size_t most,
    struct alerts_entries *entries, bool *more, struct error *err) MUST_USE;
/* Hold on to these, so that nobody takes them over. */
enum status redis_alerts_hold(
    struct redis_alerts *alerts, const char *const *ids, size_t count, struct error *err) MUST_USE;
enum status redis_alerts_acknowledge(
    struct redis_alerts *alerts, const char *const *ids, size_t count, struct error *err) MUST_USE;

enum alerts_verdict { ALERTS_GO, ALERTS_KNOWN, ALERTS_OVER, ALERTS_NEVER, ALERTS_BUSY };

/* What is told, and of what: see sinks/redis_book.h. */
struct alerts_telling {
    const char *id;
    int64_t at_ms;
    enum book_state state;
    bool always;
    bool again; /* as of struct notice; Redis has it in `json` */
    struct bytes json;
};

enum status redis_alerts_begin(struct redis_alerts *alerts, const struct alerts_telling *telling,
    enum alerts_verdict *verdict, struct error *err) MUST_USE;
/* newer  out: something newer is known, as sinks/redis_book.h says */
enum status redis_alerts_done(struct redis_alerts *alerts, const struct alerts_telling *telling,
    bool *newer, struct error *err) MUST_USE;

/* What Redis holds. A zeroed one is empty and ready. */
struct alerts_look {
    struct read_list active;  /* what fires: id and JSON */
    struct read_list book;    /* what was told: id and a book_entry */
    struct read_list applied; /* the sink's places: field and value */
    bool cut;                 /* there is more than ALERTS_LOOK_MAX of one */
};
void alerts_look_release(struct alerts_look *look);
enum status redis_alerts_look(
    struct redis_alerts *alerts, struct alerts_look *look, struct error *err) MUST_USE;

/* Note in the book what is not in it, as it was before Redis was lost; drop from it what is long over. */
enum status redis_alerts_restore(
    struct redis_alerts *alerts, const char *id, struct bytes value, struct error *err) MUST_USE;
enum status redis_alerts_forget(
    struct redis_alerts *alerts, const char *id, struct error *err) MUST_USE;

/* Whether it is this notifier's turn to say what fires again: nobody else's for `for_ms`. */
enum status redis_alerts_turn(
    struct redis_alerts *alerts, int64_t for_ms, bool *ours, struct error *err) MUST_USE;

/*
 * Take out of the group who holds nothing and has been away for long; `leaving`: this one too.
 *
 * pending  out: entries of the group that somebody has read and nobody acknowledged
 */
enum status redis_alerts_tidy(
    struct redis_alerts *alerts, bool leaving, uint64_t *pending, struct error *err) MUST_USE;

#endif
