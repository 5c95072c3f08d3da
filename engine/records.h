/* What an epoch of aggregate says: records for the rows topic, kept until their transaction is done. */
#ifndef ENGINE_RECORDS_H
#define ENGINE_RECORDS_H

#include "engine/base/buffer.h"
#include "schemas/row.h"

struct record_place {
    size_t at, key_bytes, value_bytes; /* key, then value */
};

struct records {
    bool silent; /* a re-run: everything is worked out, nothing is said */
    struct buffer bytes;
    struct record_place *place;
    size_t count, capacity;
    uint64_t rows, alerts;
    struct buffer told; /* of rules that look at all series: see engine/fleet.h */
};

void records_row(
    struct records *records, const struct row *row, const struct columns *columns, uint64_t plan);
void records_alert(struct records *records, const struct alert *alert, uint64_t plan);
void records_tell(struct records *records, const struct alert *alert, uint64_t plan);
void records_reset(struct records *records);
void records_release(struct records *records);

/* Borrowed until the next write. */
static inline void records_get(
    const struct records *records, size_t i, struct bytes *key, struct bytes *value)
{
    const struct record_place *place = &records->place[i];
    *key = (struct bytes){records->bytes.data + place->at, place->key_bytes};
    *value = (struct bytes){key->data + place->key_bytes, place->value_bytes};
}

#endif
