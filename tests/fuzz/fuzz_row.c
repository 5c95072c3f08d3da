/*
 * Fuzz the rows topic's reader: what it accepts lies within the record and the limits.
 */
#include "schemas/row.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds) abort();
}

static bool within(struct bytes part, struct bytes whole)
{
    if (part.size == 0) return true;
    return part.data >= whole.data && part.data + part.size <= whole.data + whole.size;
}

static void check_row(const struct output *output, struct bytes record)
{
    expect(within(output->row.series, record) && output->row.series.size > 0);
    expect(within(output->row.sketch, record));
    expect(output->row.start_ns >= 0 && output->row.end_ns > output->row.start_ns);
    expect(output->row.status <= ROW_REVISED && output->columns <= COLUMN_COUNT);
    for (uint32_t c = 0; c < output->columns; c++) {
        expect(within(output->column[c].name, record));
        expect(output->column[c].name.size < COLUMN_NAME_BYTES);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes record = {data, size};
    struct output output;
    struct error err;
    enum status status = output_decode(record, &output, &err);
    expect(status == ST_OK || status == ST_SKIP || status == ST_FATAL);
    if (status != ST_OK) return 0;
    if (!output.is_alert) check_row(&output, record);
    return 0;
}
