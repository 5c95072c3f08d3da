#include "schemas/mask_shape.h"

enum {
    EMAIL_LOCAL_MAX = 64,
    IPV6_BYTES_MAX = 45,
    ID_TURNS = 3,
    ID_BYTES = 4, /* least of a word of turns */
    ID_BYTES_LONG = 20,
    HEX_BYTES = 6, /* least of a word of hexadecimal digits with a decimal one */
    HEX_BYTES_LONG = 16,
};

/* Bytes that are as in `pattern`, where h is a hexadecimal digit and d a decimal one; 0: not all are. */
static size_t match(struct place place, const char *pattern)
{
    for (size_t i = 0;; i++) {
        if (pattern[i] == '\0') return i;
        uint8_t c = place_peek(place, i);
        bool same = pattern[i] == 'h'   ? shape_is_hex(c)
                    : pattern[i] == 'd' ? shape_is_digit(c)
                                        : c == (uint8_t)pattern[i];
        if (!same) return 0;
    }
}

size_t shape_digits(struct place place)
{
    size_t bytes = 0;
    while (shape_is_digit(place_peek(place, bytes)))
        bytes++;
    return bytes;
}

/* `bytes` where a word ends with them, else 0. */
static size_t whole(struct place place, size_t bytes)
{
    return shape_is_alnum(place_peek(place, bytes)) ? 0 : bytes;
}

static size_t uuid_at(struct place place)
{
    return whole(place, match(place, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"));
}

static bool is_local(uint8_t c)
{
    return shape_is_alnum(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-';
}

static size_t label_at(struct place place)
{
    size_t bytes = 0;
    while (shape_is_alnum(place_peek(place, bytes)) || place_peek(place, bytes) == '-')
        bytes++;
    return bytes;
}

/* A name, and a host of two labels or more. */
static size_t email_at(struct place place)
{
    size_t at = 0, end = 0;
    while (is_local(place_peek(place, at)) && at < EMAIL_LOCAL_MAX)
        at++;
    if (place_peek(place, at) != '@') return 0;
    for (int labels = 1;; labels++) {
        size_t label = label_at(place_after(place, at + 1));
        if (label == 0) return end;
        at += 1 + label;
        if (labels > 1) end = at;
        if (place_peek(place, at) != '.') return end;
    }
}

static size_t clock_at(struct place place, bool seconds_needed)
{
    size_t seconds = match(place, "dd:dd:dd");
    if (seconds == 0) return seconds_needed ? 0 : match(place, "dd:dd");
    uint8_t point = place_peek(place, seconds);
    size_t fraction = shape_digits(place_after(place, seconds + 1));
    return (point == '.' || point == ',') && fraction > 0 ? seconds + 1 + fraction : seconds;
}

static size_t zone_at(struct place place)
{
    uint8_t sign = place_peek(place, 0);
    if (sign == 'Z') return 1;
    if (sign != '+' && sign != '-') return 0;
    size_t hours = match(place_after(place, 1), "dd:dd");
    if (hours == 0) hours = match(place_after(place, 1), "dddd");
    return hours == 0 ? 0 : 1 + hours;
}

static size_t time_of_day_at(struct place place, bool seconds_needed)
{
    size_t clock = clock_at(place, seconds_needed);
    if (clock == 0) return 0;
    return whole(place, clock + zone_at(place_after(place, clock)));
}

static size_t time_at(struct place place)
{
    size_t date = match(place, "dddd-dd-dd");
    if (date == 0) date = match(place, "dddd/dd/dd");
    if (date == 0) return time_of_day_at(place, true);
    uint8_t between = place_peek(place, date);
    size_t rest =
        between == 'T' || between == ' ' ? time_of_day_at(place_after(place, date + 1), false) : 0;
    return rest == 0 ? whole(place, date) : date + 1 + rest;
}

static size_t ipv4_at(struct place place)
{
    size_t at = 0;
    for (int group = 0; group < 4; group++) {
        if (group > 0 && place_peek(place, at++) != '.') return 0;
        size_t digits = shape_digits(place_after(place, at));
        if (digits == 0 || digits > 3) return 0;
        at += digits;
    }
    if (whole(place, at) == 0) return 0;
    if (place_peek(place, at) == '.' && shape_is_digit(place_peek(place, at + 1))) return 0;
    size_t port = shape_digits(place_after(place, at + 1));
    bool has_port = place_peek(place, at) == ':' && port > 0 && port <= 5;
    return has_port && whole(place, at + 1 + port) != 0 ? at + 1 + port : at;
}

/* Groups of up to four hexadecimal digits with colons between, as they come. */
struct groups {
    size_t bytes;
    int colons, pairs; /* pairs of colons, `::` */
    bool decimal, too_long;
};

static struct groups groups_at(struct place place)
{
    struct groups g = {0};
    int digits = 0;
    for (; g.bytes < IPV6_BYTES_MAX; g.bytes++) {
        uint8_t c = place_peek(place, g.bytes);
        if (c == ':') {
            g.colons++;
            g.pairs += g.bytes > 0 && place.at[g.bytes - 1] == ':';
            digits = 0;
        } else if (shape_is_hex(c)) {
            g.decimal = g.decimal || shape_is_digit(c);
            g.too_long = ++digits > 4;
            if (g.too_long) break;
        } else {
            break;
        }
    }
    return g;
}

/* Eight groups, or fewer around one `::`; a decimal digit tells an address from a name in C++. */
static size_t ipv6_at(struct place place)
{
    struct groups g = groups_at(place);
    if (g.bytes > 2 && place.at[g.bytes - 1] == ':' && place.at[g.bytes - 2] != ':') {
        g.bytes--; /* of the sentence, not of the address */
        g.colons--;
    }
    if (!g.decimal || g.too_long || g.pairs > 1) return 0;
    if (g.pairs == 0 ? g.colons != 7 : g.colons > 7) return 0;
    while (place_peek(place, g.bytes) == '.' && shape_is_digit(place_peek(place, g.bytes + 1)))
        g.bytes += 1 + shape_digits(place_after(place, g.bytes + 1)); /* ::ffff:10.0.0.1 */
    return whole(place, g.bytes);
}

const char *shape_at(struct place place, size_t *bytes)
{
    static const struct {
        const char *placeholder;
        size_t (*at)(struct place place);
    } shapes[] = {{"<uuid>", uuid_at}, {"<email>", email_at}, {"<time>", time_at},
        {"<ip>", ipv4_at}, {"<ip>", ipv6_at}};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        *bytes = shapes[i].at(place);
        if (*bytes != 0) return shapes[i].placeholder;
    }
    return NULL;
}

struct word shape_word(struct place place)
{
    struct word w = {.hex = true};
    bool before = false; /* was a digit */
    const uint8_t *at = place.at;
    for (; at < place.end && shape_is_alnum(*at); at++) {
        bool digit = shape_is_digit(*at);
        w.digits += digit;
        w.turns += digit != before;
        w.hex = w.hex && shape_is_hex(*at);
        before = digit;
    }
    w.bytes = (size_t)(at - place.at);
    return w;
}

/* Whether digits begin here and nothing but letters follows them, as in 5 and 5ms. */
static bool is_amount(struct place place)
{
    size_t digits = shape_digits(place);
    struct word unit = shape_word(place_after(place, digits));
    return digits > 0 && unit.digits == 0;
}

/* Groups of digits with . or , between; after the last may come a unit, as in 1.5ms. */
static size_t number_at(struct place place)
{
    size_t bytes = shape_digits(place);
    for (;;) {
        uint8_t point = place_peek(place, bytes);
        struct place next = place_after(place, bytes + (point != 0));
        if ((point != '.' && point != ',') || !is_amount(next)) return bytes;
        bytes += 1 + shape_digits(next);
    }
}

/* As 0x7fff. */
static bool is_pointer(struct place place, const struct word *word)
{
    if (word->bytes < 3 || place.at[0] != '0' || place.at[1] != 'x') return false;
    struct word rest = shape_word(place_after(place, 2));
    return rest.hex;
}

static bool is_id(const struct word *word)
{
    if (word->hex && word->bytes >= (word->digits > 0 ? HEX_BYTES : HEX_BYTES_LONG)) return true;
    if (word->digits == 0) return false;
    if (word->bytes >= ID_BYTES_LONG) return true;
    return word->bytes >= ID_BYTES && word->turns >= ID_TURNS;
}

const char *shape_of_word(struct place place, const struct word *word, size_t *bytes)
{
    *bytes = word->bytes;
    if (word->digits == word->bytes) {
        *bytes = number_at(place);
        return "<num>";
    }
    if (is_pointer(place, word)) return "<hex>";
    return is_id(word) ? "<id>" : NULL;
}
