#include "engine/base/expand.h"

#include <stdlib.h>

enum { NAME_BYTES_MAX = 128 };

static bool starts(struct bytes text, size_t at, const char *with)
{
    size_t size = strlen(with);
    return text.size - at >= size && memcmp(text.data + at, with, size) == 0;
}

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return name.size > 0 && name.size <= NAME_BYTES_MAX;
}

/* `inside` is what stands between the braces. */
static enum status put_variable(struct bytes inside, struct buffer *out, struct error *err)
{
    size_t name_size = 0;
    while (name_size < inside.size && !starts(inside, name_size, ":-"))
        name_size++;
    bool has_default = name_size < inside.size;
    struct bytes name = {inside.data, name_size};
    if (!is_name(name))
        return error_set(err, ST_FATAL, 0,
            "${...} wants the name of an environment variable, as in ${NAME} or ${NAME:-default}; "
            "a literal ${ is written $${");

    char text[NAME_BYTES_MAX + 1] = "";
    memcpy(text, name.data, name.size);
    const char *value = getenv(text);
    if (has_default && (value == NULL || *value == '\0')) {
        size_t skip = name_size + strlen(":-");
        buffer_append(out, inside.data + skip, inside.size - skip);
    } else if (value != NULL) {
        buffer_append(out, value, strlen(value));
    } else {
        return error_set(err, ST_FATAL, 0,
            "the environment variable %s is not set; set it, or write a default: ${%s:-default}",
            text, text);
    }
    return ST_OK;
}

static enum status put_next(struct bytes text, size_t *at, struct buffer *out, struct error *err)
{
    if (starts(text, *at, "$${")) {
        buffer_append(out, "${", 2);
        *at += 3;
        return ST_OK;
    }
    if (!starts(text, *at, "${")) {
        buffer_append(out, text.data + *at, 1);
        (*at)++;
        return ST_OK;
    }
    const uint8_t *inside = text.data + *at + 2;
    const uint8_t *end = memchr(inside, '}', text.size - *at - 2);
    if (end == NULL)
        return error_set(err, ST_FATAL, 0, "${ without a closing }; a literal ${ is written $${");
    *at = (size_t)(end + 1 - text.data);
    return put_variable((struct bytes){inside, (size_t)(end - inside)}, out, err);
}

enum status expand(struct bytes text, struct buffer *out, struct error *err)
{
    size_t start = out->size;
    for (size_t at = 0; at < text.size;) {
        enum status status = put_next(text, &at, out, err);
        if (status != ST_OK) return status;
        if (out->size - start > EXPAND_BYTES_MAX)
            return error_set(err, ST_FATAL, 0, "the value is longer than %d bytes; shorten it",
                EXPAND_BYTES_MAX);
    }
    return ST_OK;
}
