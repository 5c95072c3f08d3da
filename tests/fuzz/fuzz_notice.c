/*
 * Alerts as Redis has them, whatever stands there, and templates that somebody wrote: what is taken can be told,
 * and written and read again it is the same.
 */
#include "sinks/notice.h"
#include "sinks/redis_book.h"
#include "sinks/template.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(const struct notice *notice, const char *template)
{
    struct buffer out = {0}, again = {0};
    struct error err;
    struct notice read;
    json_t *view = template_view(notice);
    if (template_check(template, &err) == ST_OK) {
        template_render(template, view, TEMPLATE_TEXT, &out);
        template_render(template, view, TEMPLATE_JSON, &out);
        template_render(template, view, TEMPLATE_URL, &out);
    }
    notice_write(notice, &again);
    assert(notice_of_json(&read, buffer_bytes(&again), notice->state, &err) == ST_OK);
    assert(read.again == notice->again);
    assert(json_equal(read.alert, notice->alert));
    assert(notice_fingerprint(&read) == notice_fingerprint(notice));
    notice_release(&read);
    json_decref(view);
    buffer_release(&out);
    buffer_release(&again);
}

/* The fields of an entry: names and values by turns, each ended by a line's end. */
static size_t cut(struct bytes text, struct notice_field *field, size_t most)
{
    size_t count = 0;
    struct bytes *word[2];
    for (size_t w = 0; text.size > 0 && count < most; w++) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t bytes = end == NULL ? text.size : (size_t)(end - text.data);
        word[0] = &field[count].name;
        word[1] = &field[count].value;
        *word[w % 2] = (struct bytes){text.data, bytes};
        count += w % 2;
        size_t skip = end == NULL ? bytes : bytes + 1;
        text = (struct bytes){text.data + skip, text.size - skip};
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notice notice;
    struct error err;
    struct book_entry entry;
    struct notice_field field[32];
    struct bytes bytes = {data, size};
    char *template = malloc(size + 1);
    if (template == NULL) return 0;
    if (size != 0) memcpy(template, data, size);
    template[size] = '\0';
    if (notice_of_json(&notice, bytes, NOTICE_FIRING, &err) == ST_OK) {
        tell(&notice, "{{rule}} {{json labels}} {{exemplars.0.link}}");
        notice_release(&notice);
    }
    if (notice_of_fields(&notice, field, cut(bytes, field, 32), &err) == ST_OK) {
        tell(&notice, template);
        notice_release(&notice);
    }
    if (book_entry_read(&entry, bytes)) assert(entry.json.size <= size);
    free(template);
    return 0;
}
