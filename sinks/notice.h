/*
 * A notice is what a receiver is told: one alert, and that it fires or is resolved.
 *
 * It is read from an entry of `<prefix>:alerts` or a field of `<prefix>:alerts:active`, by the names that
 * sinks/REDIS.md lists. What is not there is left out, but for labels: without them they are made of
 * rule, severity and the dimensions of the series.
 */
#ifndef SINKS_NOTICE_H
#define SINKS_NOTICE_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

enum {
    NOTICE_ID_BYTES = 65,
    NOTICE_MEMBER_BYTES_MAX = 64 << 10, /* of one field; a longer one is left out */
    NOTICE_LABELS_MAX = 64,             /* those beyond are left out */
};

enum notice_state { NOTICE_FIRING, NOTICE_RESOLVED };
extern const char *const notice_state_name[]; /* "firing", "resolved" */

struct notice {
    char id[NOTICE_ID_BYTES]; /* the same for firing and resolved */
    enum notice_state state;
    int64_t since_ms, at_ms; /* event time; 0: not told */
    bool again;              /* the same was told before, and another since */
    json_t *alert;           /* owned: members as in sinks/REDIS.md, never `state`; labels always */
};

struct notice_field {
    struct bytes name, value;
};

/*
 * The fields of a stream's entry; bytes that are not UTF-8 become U+FFFD.
 *
 * notice   the caller's, to be released
 * returns  ST_OK; ST_SKIP, it has no id or state that can be used
 */
enum status notice_of_fields(struct notice *notice, const struct notice_field *fields, size_t count,
    struct error *err) MUST_USE;
/* The same for a JSON object; without `state` it is `usual`. */
enum status notice_of_json(
    struct notice *notice, struct bytes json, enum notice_state usual, struct error *err) MUST_USE;
void notice_release(struct notice *notice); /* a zeroed one is fine */

/* Append the alert as a JSON object in one line, from which notice_of_json makes the same notice. */
void notice_write(const struct notice *notice, struct buffer *out);

/* Let the transition have been at this time: here and in the alert. */
void notice_set_at(struct notice *notice, int64_t at_ms);

/* A member that is text, or ""; borrowed. */
const char *notice_text(const struct notice *notice, const char *member);
/* A label's value, or NULL; borrowed. */
const char *notice_label(const struct notice *notice, const char *name);
/* The same for equal labels, whatever their order. */
uint64_t notice_fingerprint(const struct notice *notice);

#endif
