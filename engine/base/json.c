#include "engine/base/json.h"

#include "engine/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_put_number(double number, struct buffer *out)
{
    if (!isfinite(number)) {
        buffer_append(out, "null", 4);
        return;
    }
    char text[32];
    int size = 0;
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    buffer_append(out, text, (size_t)size);
}

static void escape(struct bytes character, struct buffer *out)
{
    int steering = text_steering(character);
    if (steering >= 0)
        buffer_print(out, "\\u%04x", (unsigned)steering);
    else if (bytes_are(character, "\"") || bytes_are(character, "\\"))
        buffer_print(out, "\\%c", character.data[0]);
    else
        buffer_append(out, character.data, character.size);
}

void json_put_text(struct bytes text, struct buffer *out)
{
    buffer_append(out, "\"", 1);
    while (text.size > 0) {
        size_t bytes = text_character(text);
        if (bytes == 0)
            buffer_append(out, "\xef\xbf\xbd", 3);
        else
            escape((struct bytes){text.data, bytes}, out);
        if (bytes == 0) bytes = 1;
        text = (struct bytes){text.data + bytes, text.size - bytes};
    }
    buffer_append(out, "\"", 1);
}

void json_put_name(struct bytes name, struct buffer *out)
{
    if (out->size > 0 && out->data[out->size - 1] != '{') buffer_append(out, ",", 1);
    json_put_text(name, out);
    buffer_append(out, ":", 1);
}
