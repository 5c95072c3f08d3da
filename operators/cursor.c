#include "operators/cursor.h"

#include "engine/base/node.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool begins_name(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static bool is_in_name(uint8_t byte)
{
    return begins_name(byte) || (byte >= '0' && byte <= '9') || byte == '.' || byte == '-';
}

void cursor_skip(struct cursor *c)
{
    while (c->at < c->text.size && is_space(c->text.data[c->at]))
        c->at++;
}

bool cursor_ended(struct cursor *c)
{
    cursor_skip(c);
    return c->at == c->text.size;
}

bool cursor_is(struct cursor *c, const char *sign)
{
    cursor_skip(c);
    size_t size = strlen(sign);
    return c->text.size - c->at >= size && memcmp(c->text.data + c->at, sign, size) == 0;
}

bool cursor_take(struct cursor *c, const char *sign)
{
    bool there = cursor_is(c, sign);
    if (there) c->at += strlen(sign);
    return there;
}

static struct bytes taken_since(const struct cursor *c, size_t from)
{
    return (struct bytes){c->text.data + from, c->at - from};
}

struct bytes cursor_take_name(struct cursor *c)
{
    cursor_skip(c);
    size_t from = c->at;
    if (c->at < c->text.size && begins_name(c->text.data[c->at])) {
        while (c->at < c->text.size && is_in_name(c->text.data[c->at]))
            c->at++;
    }
    return taken_since(c, from);
}

bool cursor_take_word(struct cursor *c, const char *word)
{
    struct cursor ahead = *c;
    if (!bytes_are(cursor_take_name(&ahead), word)) return false;
    *c = ahead;
    return true;
}

bool cursor_take_quoted(struct cursor *c, struct bytes *inside)
{
    cursor_skip(c);
    if (c->at == c->text.size) return false;
    uint8_t quote = c->text.data[c->at];
    if (quote != '\'' && quote != '"') return false;
    size_t from = c->at + 1;
    const uint8_t *end = memchr(c->text.data + from, quote, c->text.size - from);
    if (end == NULL) return false;
    *inside = (struct bytes){c->text.data + from, (size_t)(end - c->text.data) - from};
    c->at = from + inside->size + 1;
    return true;
}

struct bytes cursor_take_until(struct cursor *c, const char *ends)
{
    cursor_skip(c);
    size_t from = c->at, count = strlen(ends);
    while (c->at < c->text.size && !is_space(c->text.data[c->at]) &&
           memchr(ends, c->text.data[c->at], count) == NULL)
        c->at++;
    return taken_since(c, from);
}

struct cursor_shown cursor_show_bytes(struct bytes text)
{
    char copy[sizeof(((struct node_shown *)0)->text) + 1];
    size_t size = text.size < sizeof(copy) ? text.size : sizeof(copy) - 1;
    if (size != 0) memcpy(copy, text.data, size);
    copy[size] = '\0';
    struct cursor_shown shown;
    snprintf(shown.text, sizeof(shown.text), "\"%s\"", node_show(copy).text);
    return shown;
}

struct cursor_shown cursor_show(struct cursor *c)
{
    struct cursor ahead = *c;
    if (cursor_ended(&ahead)) return (struct cursor_shown){"the end"};
    struct bytes next = cursor_take_name(&ahead);
    if (next.size == 0) next = cursor_take_until(&ahead, "()[]{}");
    if (next.size == 0) next = (struct bytes){c->text.data + ahead.at, 1};
    return cursor_show_bytes(next);
}

/* Characters, not bytes; continuation bytes are not counted. */
static size_t column_of(const struct cursor *c, size_t at)
{
    size_t column = 1;
    for (size_t i = 0; i < at && i < c->text.size; i++)
        column += (c->text.data[i] & 0xc0) != 0x80;
    return column;
}

enum status cursor_error(
    const struct cursor *c, size_t at, struct error *err, const char *format, ...)
{
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return error_set(err, ST_FATAL, 0, "column %zu: %.360s", column_of(c, at), text);
}
