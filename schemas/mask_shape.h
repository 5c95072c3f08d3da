/* What literals look like: addresses, times, numbers. The rules are those of schemas/mask.h. */
#ifndef SCHEMAS_MASK_SHAPE_H
#define SCHEMAS_MASK_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A place in a text; nothing is read at or behind `end`. */
struct place {
    const uint8_t *at, *end;
};

/* The byte `ahead` of a place; 0 behind the end, which no shape holds. */
static inline uint8_t place_peek(struct place place, size_t ahead)
{
    return (size_t)(place.end - place.at) > ahead ? place.at[ahead] : 0;
}

/* So many bytes on, at most at the end. */
static inline struct place place_after(struct place place, size_t bytes)
{
    size_t left = (size_t)(place.end - place.at);
    return (struct place){place.at + (bytes < left ? bytes : left), place.end};
}

/* ASCII alone, whatever the locale. */
static inline bool shape_is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

/* One of the first `letters`, capital or not. */
static inline bool shape_is_letter(uint8_t c, uint8_t letters)
{
    return (uint8_t)((c | ('a' - 'A')) - 'a') < letters;
}

static inline bool shape_is_hex(uint8_t c)
{
    return shape_is_digit(c) || shape_is_letter(c, 6);
}

static inline bool shape_is_alnum(uint8_t c)
{
    return shape_is_letter(c, 26) || shape_is_digit(c);
}

/*
 * The placeholder for what begins here over several words or beside a sign: a uuid, an e-mail
 * address, a time, an IP address. NULL: none of them; else *bytes is its length.
 */
const char *shape_at(struct place place, size_t *bytes);

/* A run of letters and digits. */
struct word {
    size_t bytes, digits;
    size_t turns; /* from letters to digits, or back; a digit at the start is one */
    bool hex;     /* all of it */
};

struct word shape_word(struct place place);

/* The placeholder for a word as a whole, or NULL. *bytes: a number may go on behind its first word. */
const char *shape_of_word(struct place place, const struct word *word, size_t *bytes);

/* The decimal digits that begin here. */
size_t shape_digits(struct place place);

#endif
