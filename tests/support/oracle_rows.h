/* The rows as read back, for what looks at them one by one. */
#ifndef TESTS_SUPPORT_ORACLE_ROWS_H
#define TESTS_SUPPORT_ORACLE_ROWS_H

#include "row.pb-c.h"

struct rows *rows_open(const char *brokers, const char *topic);
void rows_close(struct rows *rows);
/* Hand on every closed row that counts: of equal series, window, end and status the last one. */
void rows_each(const struct rows *rows, void (*take)(void *self, const Weir__Row *row), void *self);
/* Its traces and error kinds, as traces_print has those of an expected row. */
struct traces_text;
void row_traces_print(const Weir__Row *row, struct traces_text *text);
/* A column of a row by its name, or NULL. */
const Weir__RowColumn *row_column(const Weir__Row *row, const char *name);

#endif
