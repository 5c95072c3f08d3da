/*
 * What a failure says, with what differs from one time to the next taken out, so that failures of one
 * kind read alike.
 *
 * From left to right, what stands at a place is the first of these that it can be. A word is a run of
 * ASCII letters and digits; all but a quoted text begin where a word does, and end where one ends.
 *
 *   <uuid>   8-4-4-4-12 hexadecimal digits
 *   <email>  x@y.z
 *   <time>   2024-05-01, 2024/05/01, with or without a time after T or a blank; 12:00:00, 12:00:00.5Z
 *   <ip>     1.2.3.4, with or without a port; ::1 and other IPv6 with a decimal digit in it
 *   <str>    text in ' " or `, not in the middle of a word; four words or more are prose, and are
 *            masked like all else
 *   <num>    a word of digits, with . or , between groups of them
 *   <hex>    0x7fff
 *   <id>     a word of hexadecimal digits: 6 or more with a decimal one among them, or 16 or more; any
 *            word with digits of 20 bytes or more, or where letters and digits change three times, a
 *            digit at the start being the first change, in 4 bytes or more
 *
 * In other words only digits at the start become <num>, and three or more elsewhere: 250ms is <num>ms,
 * utf8 is itself.
 *
 * Placeholders of one kind that follow each other, with nothing but blanks, commas and semicolons
 * between, are one: lists of any length read alike.
 *
 * Blanks and line ends become one blank, other characters that steer terminals go, bytes that are not
 * UTF-8 become U+FFFD. What is over MASK_BYTES_MAX is left out, never half of a character or of a
 * placeholder.
 *
 * threads  any
 */
#ifndef SCHEMAS_MASK_H
#define SCHEMAS_MASK_H

#include "engine/base/bytes.h"

enum { MASK_BYTES_MAX = 120 };

/*
 * Time is in proportion to the size of `text`.
 *
 * out      [MASK_BYTES_MAX]
 * returns  how many bytes of it were written
 */
size_t mask_literals(struct bytes text, uint8_t *out);

/* The same without placeholders: for types and codes, which differ because failures do. */
size_t mask_nothing(struct bytes text, uint8_t *out);

#endif
