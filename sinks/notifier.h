/*
 * A notifier tells a receiver of alerts: one kind of receiver each, one file each, one line each in
 * sinks/table.c.
 *
 * It sends what it is given, once, and says what came of that. What to send, when, how often again and
 * what was taken is for engine/notify_line.h.
 */
#ifndef SINKS_NOTIFIER_H
#define SINKS_NOTIFIER_H

#include "engine/base/error.h"
#include "engine/base/option.h"
#include "sinks/notice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    NOTIFIER_NAME_BYTES = 49,   /* of a receiver, with its NUL */
    NOTIFIER_PLACE_BYTES = 272, /* of one of its places */
    NOTIFIER_PLACES_MAX = 8,
};

/* Why a receiver did not take something: a metric's label. */
enum notify_reason {
    NOTIFY_UNREACHABLE, /* no such name, nobody listens there */
    NOTIFY_TIMEOUT,     /* no answer in time, or a command that did not end */
    NOTIFY_TLS,         /* a certificate */
    NOTIFY_CUT,         /* the answer broke off, or is none of HTTP */
    NOTIFY_REDIRECT,    /* it points elsewhere, which is not followed */
    NOTIFY_DENIED,      /* 401, 403, 404 and what else is wrong with how we ask */
    NOTIFY_THROTTLED,   /* 429 */
    NOTIFY_SERVER,      /* 5xx */
    NOTIFY_REFUSED,     /* 400, 413, 422: this alert, also when it is sent again */
    NOTIFY_SECRET,      /* a file that holds one of ours cannot be read */
    NOTIFY_START,       /* a command that cannot be started */
    NOTIFY_EXIT,        /* a command that ended with another code than 0 */
    NOTIFY_REASONS
};
const char *notify_reason_name(enum notify_reason reason);

struct notify_failure {
    enum notify_reason reason;
    int64_t wait_ns; /* it asked not to be asked before; 0: it did not say */
};

/* What every receiver has, whatever its kind; the first member of `self`. */
struct notifier_keys {
    const char *name;
    int64_t give_up_ns; /* a resolved alert is tried for so long */
};

/* Their options, the first of a kind's table; its struct has a member `keys`. */
#define NOTIFIER_OPTIONS(owner)                                                                 \
    {.key = "name",                                                                             \
        .type = OPTION_TEXT,                                                                    \
        .offset = offsetof(struct owner, keys.name),                                            \
        .help = "name of the receiver, unique: metrics, logs and its place in Redis go by it"}, \
        {.key = "match",                                                                        \
            .type = OPTION_NODE,                                                                \
            .fallback = "{}",                                                                   \
            .help = "labels and patterns for their values: alerts without are not told it"},    \
    {                                                                                           \
        .key = "give_up", .type = OPTION_DURATION,                                              \
        .offset = offsetof(struct owner, keys.give_up_ns), .fallback = "1d",                    \
        .help = "how long a resolved alert is tried; a firing one is while it fires"            \
    }

struct notifier {
    const char *name; /* the key in a receiver's config that makes it this kind */
    const char *help;
    const struct option *options; /* that key and NOTIFIER_OPTIONS among them */
    size_t self_bytes;            /* of the struct they fill, which begins with notifier_keys */
    size_t batch_max;             /* notices in one send */

    /* returns  ST_OK; ST_FATAL, `*key` being the option that is wrong; never a secret in `err` */
    enum status (*check)(const void *self, const char **key, struct error *err);

    /* How many places a notice goes to, each on its own: one, or each Alertmanager. */
    size_t (*places)(const void *self);
    /* A place's name for logs, metrics and Redis: unique in the receiver, no secret; "" if it is the only one. */
    void (*place)(const void *self, size_t i, char name[NOTIFIER_PLACE_BYTES]);

    /* The longest that a send takes. */
    int64_t (*patience_ns)(const void *self);
    /*
     * How often a firing alert must be said again; resolved ones are for NOTIFIER_RESOLVED_NS. NULL: a
     * notice that was taken is not said again. A kind that has it knows alerts by their labels.
     */
    int64_t (*resend_ns)(const void *self);

    /*
     * Make ready to send to one place; connects to nothing.
     *
     * line      out: the caller's, to be closed; borrows `self`
     * stopping  asked while waiting: true ends a send early. NULL: never
     * returns   ST_OK; ST_FATAL, out of resources
     */
    enum status (*open)(
        void **line, const void *self, size_t place, bool (*stopping)(void), struct error *err);
    /*
     * Send them in one go, in order.
     *
     * returns  ST_OK     taken, all of them
     *          ST_RETRY  not taken, or not known to be: send the same again later
     *          ST_SKIP   refused for what it is: the same again would be refused again
     * failure  out, unless ST_OK
     * threads  one per `line`
     */
    enum status (*send)(void *line, const struct notice *const *notices, size_t count,
        struct notify_failure *failure, struct error *err);
    void (*close)(void *line); /* NULL is fine */
};

/* As Alertmanager's clients must. */
#define NOTIFIER_RESOLVED_NS (5 * 60 * INT64_C(1000000000))

extern const struct notifier *const notifiers[]; /* ends with NULL */
extern const struct notifier notifier_alertmanager, notifier_webhook, notifier_command;

#endif
