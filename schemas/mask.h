/*
 * What a failure says, with what differs from one time to the next taken out, so that failures of one
 * kind read alike.
 *
 * From left to right, what stands at a place is the first of these that it can be. Words are letters
 * and digits; nothing but a quoted text begins or ends inside a word.
 *
 *   <str>    text in ' " or `; four words or more are prose, and masked like all else
 *   <uuid>   8-4-4-4-12 hexadecimal digits
 *   <email>  x@y.z
 *   <time>   2024-05-01, 2024/05/01, with or without a time after T or a blank; 12:00:00, 12:00:00.5Z
 *   <ip>     1.2.3.4, with or without a port; ::1 and other IPv6
 *   <hex>    0x7fff
 *   <num>    a word of digits, with . or , between groups of them; in other words digits at the
 *            start, and three or more elsewhere: 250ms is <num>ms, utf8 is itself
 *   <id>     a word of hexadecimal digits, 6 or more with a decimal one among them, or 16 or more; a
 *            word of letters and digits in turns, or 20 or more of both
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
