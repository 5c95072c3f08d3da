/*
 * A letter waits as one run of bytes: a struct kept, then the texts that its header slices name, one
 * after the other. The buffer may move while it grows, so nothing points into it until it is sent.
 */
#include "engine/dead_letter.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OURS_MAX = 12, NUMBER_BYTES = 24 };
static_assert(OURS_MAX + DEAD_LETTER_HEADERS_MAX <= KAFKA_HEADERS_MAX, "all headers have room");

#define REFUSED_NS (600 * NS_PER_S)

static const char sent_help[] = "Messages that went to the dead-letter topic.";
static const char lost_help[] = "Messages that should have gone to the dead-letter topic.";

/* What stands before a letter's texts: their sizes, in the order in which they follow. */
struct kept {
    size_t size; /* of the whole letter, this included */
    size_t key, value;
    bool has_key, has_value;
    uint32_t headers;               /* ours last */
    size_t name[KAFKA_HEADERS_MAX]; /* with the NUL */
    size_t text[KAFKA_HEADERS_MAX];
    bool null[KAFKA_HEADERS_MAX];
};

void dead_letters_open(struct dead_letters *l, const char *topic)
{
    *l = (struct dead_letters){.topic = topic};
}

void dead_letters_release(struct dead_letters *l)
{
    buffer_release(&l->bytes);
}

bool dead_letters_full(const struct dead_letters *l)
{
    return l->bytes.size >= DEAD_LETTERS_BYTES_MAX;
}

static void count_lost(uint64_t count)
{
    metric_add(metric_of(METRIC_COUNTER, "weir_dead_letters_lost_total", lost_help, NULL), count);
}

static struct bytes cut(struct bytes text, size_t most)
{
    if (text.size > most) text.size = most;
    return text;
}

static void put_header(struct buffer *out, struct kept *kept, const char *name, struct bytes value)
{
    uint32_t h = kept->headers++;
    kept->name[h] = strlen(name) + 1;
    kept->text[h] = value.size;
    kept->null[h] = value.data == NULL;
    buffer_append(out, name, kept->name[h]);
    buffer_append(out, value.data, value.size);
}

static void put_number(struct buffer *out, struct kept *kept, const char *name, int64_t number)
{
    char text[NUMBER_BYTES];
    snprintf(text, sizeof(text), "%" PRId64, number);
    put_header(out, kept, name, bytes_of(text));
}

/* The message's own headers, unless they are too many or too large. */
static bool put_theirs(struct buffer *out, struct kept *kept, const struct dead_letter *letter)
{
    size_t bytes = 0;
    if (letter->headers > DEAD_LETTER_HEADERS_MAX) return false;
    for (size_t h = 0; h < letter->headers; h++)
        bytes += strlen(letter->header[h].name) + letter->header[h].value.size;
    if (bytes > DEAD_LETTER_HEADER_BYTES_MAX) return false;
    for (size_t h = 0; h < letter->headers; h++)
        put_header(out, kept, letter->header[h].name, letter->header[h].value);
    return true;
}

/* Whoever looks a header up takes the last of its name, so ours come after the message's. */
static void put_ours(
    struct buffer *out, struct kept *kept, const struct dead_letter *letter, const char *without)
{
    const struct kafka_record *record = letter->record;
    put_header(out, kept, "weir.reason", bytes_of(refusal_name[letter->reason]));
    put_header(out, kept, "weir.error", bytes_of(letter->error));
    put_header(out, kept, "weir.topic", bytes_of(letter->topic));
    put_number(out, kept, "weir.partition", record->partition);
    put_number(out, kept, "weir.offset", record->offset);
    if (letter->byte >= 0) put_number(out, kept, "weir.byte", letter->byte);
    if (record->timestamp_ms >= 0) put_number(out, kept, "weir.timestamp_ms", record->timestamp_ms);
    put_number(out, kept, "weir.value_bytes", (int64_t)record->value.size);
    if (*without != '\0') put_header(out, kept, "weir.cut", bytes_of(without));
}

void dead_letters_add(struct dead_letters *l, const struct dead_letter *letter)
{
    const struct kafka_record *record = letter->record;
    if (*l->topic == '\0') return;
    int64_t now_ns = clock_ns();
    if (now_ns < l->closed_ns) {
        count_lost(1);
        return;
    }
    bool lean = now_ns < l->lean_ns;
    struct bytes key = cut(record->key, lean ? 0 : DEAD_LETTER_KEY_MAX);
    struct bytes value = cut(record->value, lean ? 0 : DEAD_LETTER_VALUE_MAX);
    struct kept kept = {.key = key.size, .value = value.size};
    kept.has_key = key.data != NULL && !lean;
    kept.has_value = value.data != NULL && !lean;

    size_t begin = l->bytes.size;
    buffer_append(&l->bytes, &kept, sizeof(kept));
    buffer_append(&l->bytes, key.data, key.size);
    buffer_append(&l->bytes, value.data, value.size);
    bool theirs = !lean && put_theirs(&l->bytes, &kept, letter);
    char without[32];
    snprintf(without, sizeof(without), "%s%s%s", key.size < record->key.size ? " key" : "",
        value.size < record->value.size ? " value" : "",
        letter->headers > 0 && !theirs ? " headers" : "");
    put_ours(&l->bytes, &kept, letter, *without == '\0' ? without : without + 1);
    kept.size = l->bytes.size - begin;
    memcpy(l->bytes.data + begin, &kept, sizeof(kept));
    l->count++;
}

/* The producer may take less than Kafka's default; then the letter goes without its contents. */
static bool letter_send(struct kafka *kafka, const struct kept *kept, const uint8_t *at)
{
    struct kafka_header header[KAFKA_HEADERS_MAX];
    struct bytes key = {kept->has_key ? at : NULL, kept->key};
    struct bytes value = {kept->has_value ? at + kept->key : NULL, kept->value};
    at += kept->key + kept->value;
    for (uint32_t h = 0; h < kept->headers; h++) {
        header[h].name = (const char *)at;
        at += kept->name[h];
        header[h].value = (struct bytes){kept->null[h] ? NULL : at, kept->text[h]};
        at += kept->text[h];
    }
    struct error err;
    uint32_t headers = kept->headers;
    enum status status = kafka_send_aside(kafka, key, value, header, headers, &err);
    if (status == ST_SKIP && headers < KAFKA_HEADERS_MAX) {
        header[headers++] = (struct kafka_header){"weir.cut", bytes_of("key value")};
        struct bytes none = {0};
        status = kafka_send_aside(kafka, none, none, header, headers, &err);
    }
    static struct log_gate gate;
    if (status != ST_OK && log_every(&gate, 60 * NS_PER_S))
        log_error("combine", "a dead letter is lost: it could not be sent", "error=%s", err.text);
    return status == ST_OK;
}

void dead_letters_send(struct dead_letters *l, struct kafka *kafka)
{
    struct kept kept;
    l->sent = l->spoilt = 0;
    for (size_t at = 0; at < l->bytes.size; at += kept.size) {
        memcpy(&kept, l->bytes.data + at, sizeof(kept));
        bool sent = letter_send(kafka, &kept, l->bytes.data + at + sizeof(kept));
        l->sent += sent;
        l->spoilt += !sent;
    }
}

static void letters_reset(struct dead_letters *l)
{
    buffer_reset(&l->bytes);
    l->count = 0;
    l->sent = l->spoilt = 0;
}

/* The topic is given another chance, so nobody need look at it until it fails again. */
static void reopen(struct dead_letters *l)
{
    if (l->closed_ns == 0 || clock_ns() < l->closed_ns) return;
    l->closed_ns = 0;
    ready_set("dead_letter", NULL);
}

void dead_letters_committed(struct dead_letters *l)
{
    reopen(l);
    if (l->count == 0) return;
    metric_add(metric_of(METRIC_COUNTER, "weir_dead_letters_total", sent_help, NULL), l->sent);
    count_lost(l->spoilt);
    if (l->sent > 0) l->failures = 0;
    letters_reset(l);
}

/* One refusal may be for size, two in a row are for the topic itself. */
static void topic_failed(struct dead_letters *l, const struct error *err)
{
    int64_t now_ns = clock_ns();
    if (l->failures++ == 0) {
        l->lean_ns = now_ns + REFUSED_NS;
        log_warn("combine",
            "the dead-letter topic refused letters; for some minutes they go without key, value "
            "and "
            "headers: does it take messages of 1 MB (max.message.bytes)?",
            "topic=%s error=%s", l->topic, err->text);
        return;
    }
    l->closed_ns = now_ns + REFUSED_NS;
    l->failures = 0;
    log_error("combine",
        "the dead-letter topic takes nothing; for some minutes messages set aside are only "
        "counted: "
        "is the topic there, and may weir write to it?",
        "topic=%s error=%s", l->topic, err->text);
    ready_set("dead_letter",
        "the topic takes nothing, messages set aside are only counted: is it there, and may weir "
        "write to it?");
}

bool dead_letters_dropped(struct dead_letters *l, struct kafka *kafka, const struct error *err)
{
    bool refused = l->sent > 0 && kafka != NULL && kafka_aside_failed(kafka, err);
    if (refused) topic_failed(l, err);
    letters_reset(l);
    return refused;
}
