#include "engine/records.h"

#include "engine/base/memory.h"
#include "engine/fleet.h"

#include <stdlib.h>

static struct record_place *records_begin(struct records *records, struct bytes key)
{
    if (records->count == records->capacity) {
        records->capacity = records->capacity == 0 ? 1024 : records->capacity * 2;
        records->place = memory_resize(records->place, records->capacity, sizeof(*records->place));
    }
    struct record_place *place = &records->place[records->count++];
    *place = (struct record_place){.at = records->bytes.size, .key_bytes = key.size};
    buffer_append(&records->bytes, key.data, key.size);
    return place;
}

static void records_end(struct records *records, struct record_place *place)
{
    place->value_bytes = records->bytes.size - place->at - place->key_bytes;
}

void records_row(
    struct records *records, const struct row *row, const struct columns *columns, uint64_t plan)
{
    if (records->silent) return;
    struct record_place *place = records_begin(records, row->series);
    row_encode(row, columns, plan, &records->bytes);
    records_end(records, place);
    records->rows++;
}

void records_alert(struct records *records, const struct alert *alert, uint64_t plan)
{
    if (records->silent) return;
    struct record_place *place = records_begin(records, alert->series);
    alert_encode(alert, plan, &records->bytes);
    records_end(records, place);
    records->alerts++;
}

void records_tell(struct records *records, const struct alert *alert, uint64_t plan)
{
    if (!records->silent) fleet_tell(alert, plan, &records->told);
}

void records_reset(struct records *records)
{
    buffer_reset(&records->told);
    buffer_reset(&records->bytes);
    records->count = 0;
}

void records_release(struct records *records)
{
    buffer_release(&records->told);
    buffer_release(&records->bytes);
    free(records->place);
    *records = (struct records){0};
}
