#include "schemas/series_name.h"

static bool stands_for_itself(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') return true;
    if (byte >= 'a' && byte <= 'z') return true;
    if (byte >= '0' && byte <= '9') return true;
    return byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void series_name_encode(struct buffer *out, struct bytes bytes)
{
    static const char hex[] = "0123456789ABCDEF";
    uint8_t *to = buffer_room(out, 3 * bytes.size);
    size_t size = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        if (stands_for_itself(byte)) {
            to[size++] = byte;
            continue;
        }
        to[size++] = '%';
        to[size++] = (uint8_t)hex[byte >> 4];
        to[size++] = (uint8_t)hex[byte & 15];
    }
    out->size += size;
}

void series_name_append(
    struct buffer *out, struct bytes dimension, struct bytes value, bool is_first)
{
    if (!is_first) buffer_append(out, ";", 1);
    series_name_encode(out, dimension);
    buffer_append(out, "=", 1);
    series_name_encode(out, value);
}

/* Cut `rest` at the first `at`: what stood before it is returned, what stood after it is left. */
static struct bytes cut(struct bytes *rest, char at)
{
    const uint8_t *found = rest->size == 0 ? NULL : memchr(rest->data, at, rest->size);
    struct bytes before = *rest;
    if (found == NULL) {
        *rest = (struct bytes){0};
        return before;
    }
    before.size = (size_t)(found - rest->data);
    *rest = (struct bytes){found + 1, rest->size - before.size - 1};
    return before;
}

bool series_name_next(struct bytes *rest, struct bytes *dimension, struct bytes *value)
{
    while (rest->size > 0) {
        *value = cut(rest, ';');
        *dimension = cut(value, '=');
        if (value->data != NULL) return true;
    }
    return false;
}

struct bytes series_name_value(struct bytes series, struct bytes dimension)
{
    struct bytes name, value;
    while (series_name_next(&series, &name, &value)) {
        if (bytes_equal(name, dimension)) return value;
    }
    return (struct bytes){0};
}

struct bytes series_name_service(struct bytes series)
{
    return series_name_value(series, bytes_of("service"));
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    return -1;
}

/* The byte that stands at `*at`, which moves on to the next. */
static uint8_t take_byte(struct bytes encoded, size_t *at)
{
    size_t i = *at;
    bool whole = encoded.data[i] == '%' && encoded.size - i > 2;
    int high = whole ? hex_digit(encoded.data[i + 1]) : -1;
    int low = whole ? hex_digit(encoded.data[i + 2]) : -1;
    if (high < 0 || low < 0) {
        *at += 1;
        return encoded.data[i];
    }
    *at += 3;
    return (uint8_t)(high << 4 | low);
}

void series_name_decode(struct bytes encoded, struct buffer *out)
{
    uint8_t *to = buffer_room(out, encoded.size);
    size_t size = 0;
    for (size_t at = 0; at < encoded.size;)
        to[size++] = take_byte(encoded, &at);
    out->size += size;
}

bool series_name_is(struct bytes encoded, struct bytes plain)
{
    size_t at = 0, i = 0;
    while (at < encoded.size && i < plain.size) {
        if (take_byte(encoded, &at) != plain.data[i++]) return false;
    }
    return at == encoded.size && i == plain.size;
}

struct bytes series_name_of(struct bytes series, struct bytes dimension)
{
    struct bytes name, value;
    while (series_name_next(&series, &name, &value)) {
        if (series_name_is(name, dimension)) return value;
    }
    return (struct bytes){0};
}
