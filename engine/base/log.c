/*
 * The fields arrive as one text that printf made. The format tells where each begins: a field ends
 * where ` key=` of the next one in the format is found, and the last runs to the end.
 */
#include "engine/base/log.h"

#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FIELDS_BYTES_MAX = LOG_LINE_BYTES_MAX, /* a longer text is more than a line has room for */
    KEY_BYTES_MAX = 64,
    TAIL_BYTES = 8, /* kept free for `..."}` and the newline */
};

/* One key of a format and the part of the format that gives its value. */
struct field {
    struct bytes key;
    struct bytes format;
};

struct line {
    char data[LOG_LINE_BYTES_MAX];
    size_t size;
};

static const struct field field_without_key = {
    .key = {(const uint8_t *)"detail", sizeof("detail") - 1},
};

static _Atomic(enum log_level) log_least = LOG_INFO; /* may change while threads write */
static enum log_format log_format = LOG_LOGFMT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_open(enum log_level least, enum log_format format)
{
    log_level_set(least);
    log_format = format;
}

void log_level_set(enum log_level least)
{
    atomic_store_explicit(&log_least, least, memory_order_relaxed);
}

/* Put all of `text` or nothing. */
static bool line_put(struct line *line, struct bytes text)
{
    if (line->size + text.size > sizeof(line->data) - TAIL_BYTES) return false;
    memcpy(line->data + line->size, text.data, text.size);
    line->size += text.size;
    return true;
}

static void line_end(struct line *line, const char *tail)
{
    size_t bytes = strlen(tail);
    memcpy(line->data + line->size, tail, bytes);
    line->size += bytes;
}

/* The character at the start of `text` as it stands between quotes; `used` of its bytes. */
static struct bytes escape(struct bytes text, char room[8], size_t *used)
{
    size_t bytes = text_character(text);
    *used = bytes == 0 ? 1 : bytes;
    if (bytes == 0) return bytes_of("\xef\xbf\xbd"); /* not UTF-8: the replacement character */

    struct bytes character = {text.data, bytes};
    if (bytes_are(character, "\"")) return bytes_of("\\\"");
    if (bytes_are(character, "\\")) return bytes_of("\\\\");
    if (bytes_are(character, "\n")) return bytes_of("\\n");
    if (bytes_are(character, "\t")) return bytes_of("\\t");
    int steering = text_steering(character);
    if (steering < 0) return character;
    snprintf(room, 8, "\\u%04x", (unsigned)steering & 0xffffU);
    return bytes_of(room);
}

static void line_quoted(struct line *line, struct bytes text)
{
    if (!line_put(line, bytes_of("\""))) return;
    bool fits = true;
    while (fits && text.size > 0) {
        char room[8];
        size_t used;
        fits = line_put(line, escape(text, room, &used));
        text = (struct bytes){text.data + used, text.size - used};
    }
    line_end(line, fits ? "\"" : "...\"");
}

/* logfmt leaves a value bare when nothing in it could be taken for something else. */
static bool is_bare(struct bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte <= ' ' || byte >= 0x7f || strchr("\"=\\", byte) != NULL) return false;
    }
    return value.size > 0;
}

static size_t digits(struct bytes text, size_t at)
{
    size_t from = at;
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at - from;
}

static bool is_at(struct bytes text, size_t at, const char *any)
{
    return at < text.size && strchr(any, text.data[at]) != NULL && text.data[at] != '\0';
}

/* source  RFC 8259, section 6 */
static bool is_json_number(struct bytes text)
{
    size_t at = is_at(text, 0, "-") ? 1 : 0;
    size_t whole = digits(text, at);
    if (whole == 0 || (whole > 1 && text.data[at] == '0')) return false;
    at += whole;
    if (is_at(text, at, ".")) {
        if (digits(text, at + 1) == 0) return false;
        at += 1 + digits(text, at + 1);
    }
    if (is_at(text, at, "eE")) {
        at += is_at(text, at + 1, "+-") ? 2 : 1;
        if (digits(text, at) == 0) return false;
        at += digits(text, at);
    }
    return at == text.size;
}

/* By its format, so that a key has one type whatever its value looks like. */
static bool is_number(struct bytes format, struct bytes value)
{
    if (format.size < 2 || format.data[0] != '%') return false;
    if (memchr(format.data + 1, '%', format.size - 1) != NULL) return false;
    return is_at(format, format.size - 1, "diufg") && is_json_number(value);
}

static void line_field(struct line *line, const struct field *field, struct bytes value)
{
    bool json = log_format == LOG_JSON;
    size_t before = line->size;
    bool fits = line_put(line, bytes_of(json ? ",\"" : " ")) && line_put(line, field->key) &&
                line_put(line, bytes_of(json ? "\":" : "="));
    bool plain = json ? is_number(field->format, value) : is_bare(value);
    if (fits && plain && line_put(line, value)) return;

    if (fits && line->size + 2 * TAIL_BYTES < sizeof(line->data)) {
        line_quoted(line, value);
    } else {
        line->size = before;
    }
}

/* Does a key begin here: a name and `=`? */
static size_t key_bytes(const char *at)
{
    size_t bytes = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    return at[bytes] == '=' && bytes < KEY_BYTES_MAX ? bytes : 0;
}

/* The keys of `format`, in order; 0 when it does not begin with one. */
static size_t fields_of(const char *format, struct field fields[LOG_FIELDS_MAX])
{
    size_t count = 0;
    const char *at = key_bytes(format) == 0 ? NULL : format;
    while (at != NULL && count < LOG_FIELDS_MAX) {
        size_t bytes = key_bytes(at);
        if (bytes != 0) {
            fields[count].key = (struct bytes){(const uint8_t *)at, bytes};
            fields[count].format = bytes_of(at + bytes + 1);
            if (count > 0) fields[count - 1].format.size -= strlen(at) + 1;
            count++;
        }
        at = strchr(at, ' ');
        if (at != NULL) at++;
    }
    return count;
}

/* Where the value that begins at `at` ends: before ` key=` of the next field. */
static const char *value_end(const char *at, const struct field *next)
{
    if (next == NULL) return at + strlen(at);
    char mark[KEY_BYTES_MAX + 2];
    snprintf(mark, sizeof(mark), " %.*s=", (int)next->key.size, (const char *)next->key.data);
    const char *end = strstr(at, mark);
    return end == NULL ? at + strlen(at) : end;
}

/* Write every field; `text` is what printf made of `format`. */
static void line_fields(struct line *line, const char *format, const char *text)
{
    struct field fields[LOG_FIELDS_MAX];
    size_t count = fields_of(format, fields);
    const char *end = text + strlen(text);
    if (count == 0) line_field(line, &field_without_key, bytes_of(text));
    for (size_t i = 0; i < count && text < end; i++) {
        text += fields[i].key.size + 1;
        if (text > end) return; /* cut in the middle of a key */
        const char *until = value_end(text, i + 1 < count ? &fields[i + 1] : NULL);
        line_field(line, &fields[i], (struct bytes){(const uint8_t *)text, (size_t)(until - text)});
        text = until + 1;
    }
}

/* Time, level, part and message: they always fit. */
static void line_begin(
    struct line *line, enum log_level level, const char *part, const char *message)
{
    int64_t now_ns = clock_wall_ns();
    time_t seconds = (time_t)(now_ns / NS_PER_S);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char when[32];
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);

    int ms = (int)(now_ns / NS_PER_MS % 1000);
    const char *name = level_names[level];
    char head[192];
    if (log_format == LOG_JSON) {
        snprintf(head, sizeof(head),
            "{\"ts\":\"%s.%03dZ\",\"level\":\"%s\",\"part\":\"%.64s\",\"msg\":", when, ms, name,
            part);
    } else {
        snprintf(head, sizeof(head), "ts=%s.%03dZ level=%s part=%.64s msg=", when, ms, name, part);
    }
    line_put(line, bytes_of(head));
    line_quoted(line, bytes_of(message));
}

static void line_write(const struct line *line)
{
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line->data, line->size);
    } while (written < 0 && errno == EINTR);
}

void log_line(enum log_level level, const char *part, const char *message, const char *fields, ...)
{
    if (level < atomic_load_explicit(&log_least, memory_order_relaxed)) return;
    int errno_before = errno;
    struct line line;
    line.size = 0;
    line_begin(&line, level, part, message);

    if (fields != NULL) {
        char text[FIELDS_BYTES_MAX];
        va_list args;
        va_start(args, fields);
        vsnprintf(text, sizeof(text), fields, args);
        va_end(args);
        line_fields(&line, fields, text);
    }
    line_end(&line, log_format == LOG_JSON ? "}\n" : "\n");
    line_write(&line);
    errno = errno_before;
}

bool log_every(struct log_gate *gate, int64_t interval_ns)
{
    int64_t now_ns = clock_ns();
    int64_t next_ns = atomic_load_explicit(&gate->next_ns, memory_order_relaxed);
    if (now_ns < next_ns) return false;
    int64_t after_ns = interval_ns < INT64_MAX - now_ns ? now_ns + interval_ns : INT64_MAX;
    return atomic_compare_exchange_strong(&gate->next_ns, &next_ns, after_ns);
}
