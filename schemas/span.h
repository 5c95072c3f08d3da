/*
 * One span as the operators see it, whatever format it arrived in.
 */
#ifndef SCHEMAS_SPAN_H
#define SCHEMAS_SPAN_H

#include "engine/base/bytes.h"
#include "engine/base/pool.h"

enum {
    SPANS_MAX = 1 << 18,  /* spans in one message; a fuller message is set aside */
    ATTRIBUTES_MAX = 8,   /* attribute keys that a plan may group by, over all views */
    SPAN_TEXT_MAX = 1024, /* bytes of one name or attribute value; longer ones are cut there */
};

/* Longer spans are counted at this length. */
#define SPAN_DURATION_NS_MAX (24 * 3600 * INT64_C(1000000000))

enum span_kind { /* numbers as in OTLP */
    KIND_UNSPECIFIED = 0,
    KIND_INTERNAL,
    KIND_SERVER,
    KIND_CLIENT,
    KIND_PRODUCER,
    KIND_CONSUMER,
    KIND_COUNT,
};

extern const char *const span_kind_name[KIND_COUNT]; /* "UNSPECIFIED", "INTERNAL", ... */

enum span_drop {   /* why a single span was not taken, though its message was */
    DROP_TRACE_ID, /* not 16 bytes, or all zero */
    DROP_SPAN_ID,  /* not 8 bytes, or all zero */
    DROP_TIME,     /* start or end is missing, or past the year 2262 */
    DROP_COUNT,
};

enum refusal { /* why a message was not taken */
    REFUSED_MALFORMED,
    REFUSED_SPANS, /* over SPANS_MAX */
    REFUSED_BYTES, /* over limits.message_bytes */
    REFUSED_COUNT,
};

extern const char *const refusal_name[REFUSED_COUNT]; /* "malformed", "too_many_spans", ... */

enum span_verdict { /* combine's, against the partition's clock as it was before the record */
    SPAN_ON_TIME = 0,
    SPAN_LATE,     /* its pane was closed, within allowed_lateness: revises it */
    SPAN_TOO_LATE, /* counted in the arrival pane's completeness, never folded */
};

/* Why a span failed, so that failures of one kind are equal. Both texts are MASK_BYTES_MAX at most. */
struct span_error {
    uint64_t hash;        /* of both, stable: see span_error_hash */
    struct bytes type;    /* exception type, or a code; empty where it says neither */
    struct bytes message; /* with its literals masked */
};

struct span {
    struct bytes service; /* service.name, "unknown_service" when absent; points into the message */
    struct bytes operation;  /* span name; points into the message */
    const uint8_t *trace_id; /* 16 bytes in the message */
    const uint8_t *span_id;  /* 8 bytes in the message */
    int64_t start_ns;        /* since the Unix epoch */
    int64_t end_ns;          /* since the Unix epoch; decides the pane */
    uint64_t duration_ns;    /* 0 (also where end < start) .. SPAN_DURATION_NS_MAX */
    uint32_t attributes;     /* index of this span's first value in spans->attribute */
    uint8_t kind;            /* enum span_kind */
    bool failed;             /* status code ERROR */
    uint8_t verdict;         /* enum span_verdict; set by combine, 0 from a decoder */
    bool skewed;             /* ended after its record's timestamp + skew; set by combine */
    int64_t pane;            /* the pane it is counted in; set by combine */
    uint64_t late_by;        /* SPAN_LATE: arrival pane - pane; set by combine */
    /* In spans->text; NULL where it did not fail, or says nothing of it. */
    const struct span_error *error;
};

/* The attribute keys a decoder looks for: span first, then scope, then resource; the first found wins. */
struct projection {
    struct bytes key[ATTRIBUTES_MAX];
    uint32_t count;
};

/* The decoded spans of one message, and the room for them. */
struct spans {
    struct span *span; /* [capacity] */
    uint32_t count;
    uint32_t capacity;               /* grown by the decoder, never past SPANS_MAX */
    const struct projection *wanted; /* the caller's; NULL: no attributes */
    struct bytes *attribute;         /* [capacity * wanted->count]; data NULL: absent */
    struct pool text;                /* values written out as text (numbers, booleans), errors */
    uint32_t dropped[DROP_COUNT];    /* spans of this message not taken, by reason */
    enum refusal refusal;            /* of this message, where it was not taken */
    int64_t refused_at;              /* byte where reading it stopped; -1: none in particular */
};

void spans_reset(struct spans *spans); /* empty, room kept */
void spans_release(struct spans *spans);
/* Room for one more span and its attributes (set to absent), or NULL at SPANS_MAX. */
struct span *spans_append(struct spans *spans);

/*
 * What a failed span says of it, masked by schemas/mask.h.
 *
 * type, message  as they were sent, borrowed for the call
 * returns        good until spans_reset; NULL where both are empty
 */
const struct span_error *spans_error(struct spans *spans, struct bytes type, struct bytes message);

/* XXH3 over the type, a zero byte and the message. Kinds are ordered by it, so it never changes. */
uint64_t span_error_hash(struct bytes type, struct bytes message);

#endif
