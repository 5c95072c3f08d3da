/* How the parts of `weir query` print: tables, and JSON as it is stored. */
#include "engine/base/text.h"
#include "engine/cmd/query.h"

#include <stdio.h>

void query_print(struct buffer *out)
{
    fwrite(out->data, 1, out->size, stdout);
    buffer_release(out);
}

void query_print_sheet(const struct sheet *sheet)
{
    struct buffer out = {0};
    sheet_write(sheet, 0, sheet_rows(sheet), "\n", &out);
    query_print(&out);
}

/* Begin the next element of a JSON array that is written to `out`. */
void query_next_element(struct buffer *out)
{
    buffer_print(out, "%s", out->size == 0 ? "[" : ",\n ");
}

void query_print_array(struct buffer *out)
{
    buffer_print(out, "%s]\n", out->size == 0 ? "[" : "");
    query_print(out);
}

json_t *query_json(const struct read_item *item)
{
    json_t *value = json_loadb((const char *)item->value.data, item->value.size, 0, NULL);
    return value == NULL ? json_null() : value;
}

/* Valid JSON has these in its texts only, and as white space between them. */
static void append_shown(struct bytes json, struct buffer *out)
{
    while (json.size > 0) {
        size_t bytes = text_character(json);
        if (bytes == 0) bytes = 1;
        int steering = text_steering((struct bytes){json.data, bytes});
        if (steering < 0)
            buffer_append(out, json.data, bytes);
        else if (steering < ' ')
            buffer_append(out, " ", 1);
        else
            buffer_print(out, "\\u%04x", (unsigned)steering);
        json = (struct bytes){json.data + bytes, json.size - bytes};
    }
}

/*
 * Stored JSON as it is stored, so that no digit changes, but for what would steer a terminal; null
 * for what is no JSON.
 */
void query_append_stored(const struct read_item *item, struct buffer *out)
{
    json_t *value = query_json(item);
    if (json_is_null(value))
        buffer_print(out, "null");
    else
        append_shown(item->value, out);
    json_decref(value);
}
