/*
 * Rows and alerts as read back from the log, made up for tests of what shows them.
 */
#ifndef TESTS_SUPPORT_SAMPLE_OUTPUT_H
#define TESTS_SUPPORT_SAMPLE_OUTPUT_H

#include "schemas/row.h"

/*
 * A row of `spans` spans, one in ten failed, at 12.5 ms each.
 *
 * series  borrowed by the row
 * sent_ms  0: unknown, so as fresh as can be
 */
struct output sample_row(const char *series, int64_t start_ms, int64_t width_ms, uint64_t spans);
void sample_number(struct output *output, const char *column, double number);
void sample_integer(struct output *output, const char *column, uint64_t integer);

struct output sample_alert(const char *id, const char *series, enum alert_state state);

#endif
