#include "operators/glob.h"

static unsigned hex_value(uint8_t digit)
{
    return digit <= '9' ? (unsigned)digit - '0' : (digit | 0x20U) - 'a' + 10;
}

static bool is_hex(uint8_t byte)
{
    uint8_t small = byte | 0x20;
    return (byte >= '0' && byte <= '9') || (small >= 'a' && small <= 'f');
}

/* The byte that stands at `at`, and how far the next one is. */
static uint8_t byte_at(struct bytes encoded, size_t at, size_t *step)
{
    const uint8_t *from = encoded.data + at;
    bool written_out = *from == '%' && encoded.size - at > 2 && is_hex(from[1]) && is_hex(from[2]);
    *step = written_out ? 3 : 1;
    return written_out ? (uint8_t)(hex_value(from[1]) << 4 | hex_value(from[2])) : *from;
}

/*
 * On a mismatch the last `*` takes one byte more and the rest is tried again; earlier ones need not
 * change, for they have matched as little as they could. So the time is at most both lengths'
 * product.
 */
bool glob_matches(struct bytes pattern, struct bytes encoded)
{
    size_t next = 0;        /* in the pattern */
    size_t star = SIZE_MAX; /* what follows the last `*` */
    size_t taken = 0;       /* where what it takes ends */
    size_t at = 0, step;
    while (at < encoded.size) {
        bool more = next < pattern.size;
        if (more && pattern.data[next] == '*') {
            star = ++next;
            taken = at;
            continue;
        }
        uint8_t byte = byte_at(encoded, at, &step);
        if (more && (pattern.data[next] == '?' || pattern.data[next] == byte)) {
            next++;
            at += step;
            continue;
        }
        if (star == SIZE_MAX) return false;
        byte_at(encoded, taken, &step);
        taken += step;
        at = taken;
        next = star;
    }
    while (next < pattern.size && pattern.data[next] == '*')
        next++;
    return next == pattern.size;
}
