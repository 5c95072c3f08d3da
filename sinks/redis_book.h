/*
 * What a place of a receiver has been told, in Redis: the hash `<prefix>:notify:<place>`, a field for each
 * alert. Several notifiers write it, so each change is one script that looks first.
 *
 *     <at_ms>:<state>:<told_ms>:<notifier>:<alert as JSON>
 *
 * at_ms is the event time of the transition and orders what was told of one alert; told_ms is the time of
 * Redis' own clock.
 */
#ifndef SINKS_REDIS_BOOK_H
#define SINKS_REDIS_BOOK_H

#include "engine/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* In the order in which they come for one alert. */
enum book_state {
    BOOK_SENDING = 0, /* it may have been told that it fires */
    BOOK_FIRING,
    BOOK_REFUSED,   /* it does not take this alert */
    BOOK_RESOLVING, /* it may have been told that it is resolved */
    BOOK_RESOLVED,
    BOOK_GONE, /* told that it is resolved, because it is not among those that fire any more */
    BOOK_STATES
};
extern const char *const book_state_name[BOOK_STATES];

struct book_entry {
    int64_t at_ms;
    enum book_state state;
    int64_t told_ms;
    struct bytes notifier;
    struct bytes json; /* borrowed from the value, both */
};

/* false: it is none. */
bool book_entry_read(struct book_entry *entry, struct bytes value);

enum { REDIS_BOOK_KEYS = 2 };

/*
 * EVAL redis_book_begin 2 BOOK ACTIVE ID AT_MS STATE NOTIFIER STALE_MS ALWAYS JSON
 *
 * Whether this notifier is to tell STATE (`firing`, `resolved`, `gone`) now; if so it is noted as under way.
 *
 * STALE_MS  what another notifier began is taken over after so long
 * ALWAYS    1: a resolved alert is told even where it was never told that it fires
 * gives     "go"     tell it
 *           "known"  it was told already, or refused
 *           "over"   it does not fire any more, or something newer is known of it
 *           "never"  it was never told that it fires, so nothing is resolved
 *           "busy"   another notifier is telling it
 */
extern const char redis_book_begin[];

/*
 * EVAL redis_book_done 2 BOOK ACTIVE ID AT_MS STATE NOTIFIER JSON
 *
 * It was told (`firing`, `resolved`, `gone`) or refused it (`refused`).
 *
 * gives  "ok"; or what is known and newer: then `firing` was told too late, and `resolved` is to be told
 *        again
 */
extern const char redis_book_done[];

#endif
