#include "engine/base/trace_link.h"

#include <string.h>

static const char mark[] = "{trace_id}";
enum { MARK_BYTES = sizeof(mark) - 1 };

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* The bytes of a host, or of what else is there, behind https://. */
static const char *behind_scheme(const char *template)
{
    if (starts_with(template, "http://")) return template + strlen("http://");
    if (starts_with(template, "https://")) return template + strlen("https://");
    return NULL;
}

/* source  RFC 3986, section 2: what is neither reserved nor unreserved is percent-encoded */
static bool is_of_url(char c)
{
    return c > ' ' && c < 0x7f && strchr("\"<>\\^`{|}", c) == NULL;
}

bool trace_link_is_good(const char *template, const char **why)
{
    bool marked = false;
    const char *at = behind_scheme(template);
    if (*template == '\0') return true;
    *why = "does not begin with http:// or https:// and a host";
    if (at == NULL || !is_of_url(*at) || *at == '/') return false;
    *why = "is longer than 1000 bytes";
    if (strlen(template) > TRACE_LINK_BYTES_MAX) return false;
    *why = "holds a character that no URL may hold as it is: percent-encode it";
    while (*at != '\0') {
        bool is_mark = starts_with(at, mark);
        if (!is_mark && !is_of_url(*at)) return false;
        marked = marked || is_mark;
        at += is_mark ? MARK_BYTES : 1;
    }
    *why = "does not say where the trace id goes: write {trace_id} there";
    return marked;
}

void trace_id_append(const uint8_t trace_id[TRACE_ID_BYTES], struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *to = buffer_room(out, 2 * TRACE_ID_BYTES);
    for (size_t i = 0; i < TRACE_ID_BYTES; i++) {
        to[2 * i] = (uint8_t)digits[trace_id[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[trace_id[i] & 15];
    }
    out->size += 2 * TRACE_ID_BYTES;
}

void trace_link_append(
    const char *template, const uint8_t trace_id[TRACE_ID_BYTES], struct buffer *out)
{
    for (const char *next; (next = strstr(template, mark)) != NULL; template = next + MARK_BYTES) {
        buffer_append(out, template, (size_t)(next - template));
        trace_id_append(trace_id, out);
    }
    buffer_append(out, template, strlen(template));
}
