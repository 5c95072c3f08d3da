/*
 * The messages that could not be read, kept for a person: each goes to the dead-letter topic with
 * why and whence in its headers.
 *
 *   1. Letters wait until the epoch's end and are sent in its transaction: there exactly once.
 *   2. They never stop the counting. What the topic refuses is sent again without key, value and
 *      foreign headers; what it refuses then is left out for ten minutes, counted, and said.
 *   3. What waits is bounded: a full epoch of them ends early.
 */
#ifndef ENGINE_DEAD_LETTER_H
#define ENGINE_DEAD_LETTER_H

#include "engine/base/buffer.h"
#include "engine/kafka.h"
#include "schemas/span.h"

enum {
    /* Of one letter. Together they stay below message.max.bytes as Kafka has it, 1 MB. */
    DEAD_LETTER_VALUE_MAX = 900000, /* longer values are cut there */
    DEAD_LETTER_KEY_MAX = 16 << 10, /* longer keys are cut there */
    DEAD_LETTER_HEADERS_MAX = 48,   /* of the message; with more, or with more bytes, none */
    DEAD_LETTER_HEADER_BYTES_MAX = 32 << 10,

    DEAD_LETTERS_BYTES_MAX = 16 << 20, /* waiting; full, the epoch ends */
};

/* One message that was not taken; all borrowed for the call. */
struct dead_letter {
    enum refusal reason;
    const char *error; /* for a person */
    const char *topic;
    int64_t byte; /* where reading stopped; below 0: nowhere in particular */
    const struct kafka_record *record;
    const struct kafka_header *header; /* the message's own */
    size_t headers;                    /* that it has, even where they are too many to be here */
};

/* What one combine thread keeps. Zeroed and opened, it is empty; without a topic it keeps nothing. */
struct dead_letters {
    const char *topic;   /* "": none */
    struct buffer bytes; /* the letters, as dead_letter.c writes them */
    size_t count;        /* of them */
    int failures;        /* epochs in a row that failed by them alone */
    int64_t lean_ns;   /* until then, by clock_ns, they go without key, value and foreign headers */
    int64_t closed_ns; /* until then none are kept */
    uint64_t sent, spoilt; /* of this epoch: sent, and could not be */
};

void dead_letters_open(struct dead_letters *letters, const char *topic);
void dead_letters_release(struct dead_letters *letters);
void dead_letters_add(struct dead_letters *letters, const struct dead_letter *letter);
bool dead_letters_full(const struct dead_letters *letters);

/* Between kafka_begin and kafka_commit. It cannot fail the epoch by itself. */
void dead_letters_send(struct dead_letters *letters, struct kafka *kafka);
void dead_letters_committed(struct dead_letters *letters);
/*
 * The epoch is dropped; before kafka_abort. `kafka` NULL: nothing was sent.
 *
 * returns  true: the letters alone are why. `kafka` must be closed, as librdkafka has lost count of
 *          the sequence numbers of what was refused
 */
bool dead_letters_dropped(
    struct dead_letters *letters, struct kafka *kafka, const struct error *err);

#endif
