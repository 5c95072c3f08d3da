/* Numbers of conditions, with the units that people write: 100, 1k, 2%, 500ms, page. */
#ifndef OPERATORS_LITERAL_H
#define OPERATORS_LITERAL_H

#include "operators/cursor.h"
#include "operators/term.h"

enum literal_kind { LITERAL_NUMBER, LITERAL_SHARE, LITERAL_TIME, LITERAL_LEVEL };

struct literal {
    enum literal_kind kind;
    double number; /* a share: 0.02 for 2%; a time: ns; a level: enum score_level */
};

/* false: it is none, and `literal` is untouched. */
bool literal_parse(struct bytes text, struct literal *literal);
/* Take `none`, `notice` or `page`; false: the next thing is none of them. */
bool literal_take_level(struct cursor *c, struct literal *literal);

/*
 * The literal as a number of the column that it is compared with.
 *
 * short_form  the column was named by a form that does not say its unit
 * column      as written, for the error
 * returns     ST_OK; ST_FATAL, saying what to write instead
 */
enum status literal_in_unit(const struct literal *literal, enum unit unit, bool short_form,
    struct bytes column, double *number, struct error *err);

#endif
