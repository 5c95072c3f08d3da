/*
 * What failures say with their literals masked, by regular expressions: a second reading of the rules
 * that schemas/mask.h states.
 */
#include "oracle.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define HEX  "[0-9a-fA-F]"
#define DATE "[0-9]{4}-[0-9]{2}-[0-9]{2}"
#define DAY  "[0-9]{4}/[0-9]{2}/[0-9]{2}"
#define TIME "[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?"
#define SECS "[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?"
#define ZONE "(Z|[+-][0-9]{2}:[0-9]{2}|[+-][0-9]{4})?"
#define IPV4 "[0-9]{1,3}(\\.[0-9]{1,3}){3}"

enum { IPV6_BYTES_MAX = 45 };

/* The first that matches where a word begins, and ends where a word ends. */
static struct shape {
    const char *placeholder, *pattern;
    regex_t regex;
} shapes[] = {
    {.placeholder = "<uuid>",
        .pattern = "^" HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}"},
    {.placeholder = "<email>",
        .pattern = "^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+"},
    {.placeholder = "<time>", .pattern = "^" SECS ZONE},
    {.placeholder = "<time>", .pattern = "^" DATE "[T ]" TIME ZONE},
    {.placeholder = "<time>", .pattern = "^" DAY "[T ]" TIME ZONE},
    {.placeholder = "<time>", .pattern = "^" DATE},
    {.placeholder = "<time>", .pattern = "^" DAY},
    {.placeholder = "<ip>", .pattern = "^" IPV4 ":[0-9]{1,5}"},
    {.placeholder = "<ip>", .pattern = "^" IPV4},
};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static void shapes_compile(void)
{
    static bool done;
    for (size_t i = 0; i < SHAPES && !done; i++) {
        if (regcomp(&shapes[i].regex, shapes[i].pattern, REG_EXTENDED) != 0)
            die("regular expression %s", shapes[i].pattern);
    }
    done = true;
}

/* ASCII, whatever the locale. */
static bool is_word(char c)
{
    return (unsigned char)c < 0x80 && isalnum((unsigned char)c);
}

static bool is_figure(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return (unsigned char)c < 0x80 && isxdigit((unsigned char)c);
}

/* Eight groups, or less with `::` once; a decimal digit somewhere; a trailing colon is not its own. */
static size_t ipv6_bytes(const char *at)
{
    size_t bytes = 0, group = 0, longest = 0, colons = 0, pairs = 0, figures = 0;
    for (; bytes < IPV6_BYTES_MAX && (is_hex(at[bytes]) || at[bytes] == ':'); bytes++) {
        bool colon = at[bytes] == ':';
        group = colon ? 0 : group + 1;
        if (group > longest) longest = group;
        colons += colon;
        pairs += colon && bytes > 0 && at[bytes - 1] == ':';
        figures += is_figure(at[bytes]);
    }
    if (bytes > 2 && at[bytes - 1] == ':' && at[bytes - 2] != ':') {
        bytes--;
        colons--;
    }
    bool good =
        figures > 0 && longest <= 4 && ((pairs == 0 && colons == 7) || (pairs == 1 && colons <= 7));
    if (!good) return 0;
    while (at[bytes] == '.' && is_figure(at[bytes + 1])) {
        bytes += 2;
        bytes += strspn(at + bytes, "0123456789");
    }
    return is_word(at[bytes]) ? 0 : bytes;
}

static const char *shape_at(const char *at, size_t *bytes)
{
    for (size_t i = 0; i < SHAPES && is_word(*at); i++) {
        regmatch_t match;
        if (regexec(&shapes[i].regex, at, 1, &match, 0) != 0) continue;
        *bytes = (size_t)match.rm_eo;
        const char *behind = at + *bytes;
        bool address = strcmp(shapes[i].placeholder, "<ip>") == 0;
        if (is_word(*behind) || (address && *behind == '.' && is_figure(behind[1]))) continue;
        return shapes[i].placeholder;
    }
    *bytes = ipv6_bytes(at);
    return *bytes == 0 ? NULL : "<ip>";
}

static size_t span_of(const char *at, bool (*is)(char c))
{
    size_t bytes = 0;
    while (is(at[bytes]))
        bytes++;
    return bytes;
}

/* 1.2,3.4: each further group is figures that no figure follows after letters. */
static size_t number_bytes(const char *at)
{
    size_t bytes = span_of(at, is_figure);
    while (at[bytes] == '.' || at[bytes] == ',') {
        size_t figures = span_of(at + bytes + 1, is_figure);
        const char *unit = at + bytes + 1 + figures;
        bool mixed = false;
        for (; is_word(*unit); unit++)
            mixed = mixed || is_figure(*unit);
        if (figures == 0 || mixed) break;
        bytes += 1 + figures;
    }
    return bytes;
}

static const char *word_placeholder(const char *at, size_t *bytes)
{
    size_t size = span_of(at, is_word), hex = span_of(at, is_hex), figures = 0, turns = 0;
    for (size_t i = 0; i < size; i++) {
        figures += is_figure(at[i]);
        turns += i > 0 && is_figure(at[i]) != is_figure(at[i - 1]);
    }
    *bytes = size;
    if (figures == size) {
        *bytes = number_bytes(at);
        return "<num>";
    }
    if (size > 2 && at[0] == '0' && at[1] == 'x' && span_of(at + 2, is_hex) == size - 2)
        return "<hex>";
    bool long_hex = hex == size && (size >= 16 || (size >= 6 && figures > 0));
    bool in_turns = size >= 4 && turns + is_figure(at[0]) >= 3;
    return long_hex || (figures > 0 && (size >= 20 || in_turns)) ? "<id>" : NULL;
}

/* --- writing --------------------------------------------------------------------------------- */

struct masked {
    char *out;
    size_t size;
    bool blank, full;
    const char *last; /* placeholder, which ends at last_end */
    size_t last_end;
};

static void put(struct masked *m, const char *text, size_t bytes)
{
    size_t blank = m->blank && m->size > 0;
    m->full = m->full || m->size + blank + bytes > MASKED_MAX;
    if (m->full) return;
    if (blank) m->out[m->size++] = ' ';
    memcpy(m->out + m->size, text, bytes);
    m->size += bytes;
    m->blank = false;
}

static void put_placeholder(struct masked *m, const char *placeholder)
{
    m->out[m->size] = '\0';
    bool list = m->last != NULL && strcmp(m->last, placeholder) == 0 &&
                strspn(m->out + m->last_end, " ,;") == m->size - m->last_end;
    if (list) {
        m->size = m->last_end;
        m->blank = false;
        return;
    }
    put(m, placeholder, strlen(placeholder));
    m->last = placeholder;
    m->last_end = m->size;
}

/* The code point that begins here and its size; 0 bytes: none does. */
static long code_point(const unsigned char *at, size_t *bytes)
{
    static const struct {
        unsigned char mask, value;
        long least;
    } leads[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    *bytes = 0;
    for (size_t n = 1; n <= 4; n++) {
        if ((at[0] & leads[n - 1].mask) != leads[n - 1].value) continue;
        long code = at[0] & ~leads[n - 1].mask;
        for (size_t i = 1; i < n; i++) {
            if ((at[i] & 0xc0) != 0x80) return 0;
            code = code << 6 | (at[i] & 0x3f);
        }
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        if (code < leads[n - 1].least || code > 0x10ffff || surrogate) return 0;
        *bytes = n;
        return code;
    }
    return 0;
}

static bool is_unseen(long c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

static const char *put_character(struct masked *m, const char *at)
{
    size_t bytes;
    long code = code_point((const unsigned char *)at, &bytes);
    if (bytes == 0)
        put(m, "\xef\xbf\xbd", 3);
    else if (strchr(" \t\r\n", *at) != NULL)
        m->blank = true;
    else if (!is_unseen(code))
        put(m, at, bytes);
    return at + (bytes == 0 ? 1 : bytes);
}

/* The same quote with no word right behind it, or NULL. */
static const char *closing(const char *at)
{
    for (const char *next = strchr(at + 1, *at); next != NULL; next = strchr(next + 1, *at)) {
        if (!is_word(next[1])) return next;
    }
    return NULL;
}

static bool is_prose(const char *from, const char *to)
{
    int blanks = 0;
    for (; from < to; from++)
        blanks += *from == ' ';
    return blanks >= 3;
}

static const char *put_word(struct masked *m, const char *at)
{
    size_t bytes;
    const char *placeholder = word_placeholder(at, &bytes), *end = at + bytes;
    if (placeholder != NULL) {
        put_placeholder(m, placeholder);
        return end;
    }
    for (const char *begin = at; at < end;) {
        size_t figures = span_of(at, is_figure);
        if (figures > 0 && (at == begin || figures >= 3))
            put_placeholder(m, "<num>");
        else
            put(m, at, figures > 0 ? figures : 1);
        at += figures > 0 ? figures : 1;
    }
    return end;
}

static const char *put_next(
    struct masked *m, const char *start, const char *at, const char *prose_end[])
{
    bool in_word = at > start && is_word(at[-1]);
    const char *quote = strchr("'\"`", *at);
    size_t bytes = 0;
    bool begins = !in_word && (is_word(*at) || (at[0] == ':' && at[1] == ':'));
    const char *placeholder = begins ? shape_at(at, &bytes) : NULL;
    if (placeholder != NULL) {
        put_placeholder(m, placeholder);
        return at + bytes;
    }
    if (begins && is_word(*at)) return put_word(m, at);
    if (quote == NULL) return put_character(m, at);

    const char **prose = &prose_end[*at == '\'' ? 0 : *at == '"' ? 1 : 2];
    const char *end = in_word || (*prose != NULL && at <= *prose) ? NULL : closing(at);
    if (end == NULL) return put_character(m, at);
    if (is_prose(at, end)) {
        *prose = end;
        return put_character(m, at);
    }
    put_placeholder(m, "<str>");
    return end + 1;
}

static void cut_copy(char *to, const char *text)
{
    size_t bytes = strlen(text) < TEXT_MAX ? strlen(text) : TEXT_MAX;
    memcpy(to, text, bytes);
    to[bytes] = '\0';
}

void mask_message(const char *text, char *out)
{
    char cut[TEXT_MAX + 4] = {0};
    struct masked m = {.out = out};
    const char *prose_end[3] = {NULL};
    shapes_compile();
    cut_copy(cut, text);
    for (const char *at = cut; *at != '\0' && !m.full;)
        at = put_next(&m, cut, at, prose_end);
    out[m.size] = '\0';
}

void mask_type(const char *text, char *out)
{
    char cut[TEXT_MAX + 4] = {0};
    struct masked m = {.out = out};
    cut_copy(cut, text);
    for (const char *at = cut; *at != '\0' && !m.full;)
        at = put_character(&m, at);
    out[m.size] = '\0';
}
