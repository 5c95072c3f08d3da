/* What rules with `together` say in a backtest, until it is decided what of it is one alert. */
#ifndef ENGINE_BACKTEST_TELLINGS_H
#define ENGINE_BACKTEST_TELLINGS_H

#include "engine/base/buffer.h"
#include "engine/episodes.h"

struct telling {
    int64_t at_ns;
    size_t at, bytes; /* in `text`, as fleet_tell writes it */
};

/* A zeroed list is empty. */
struct tellings {
    struct telling *telling;
    size_t count, capacity;
    struct buffer text;
};

void tellings_add(struct tellings *t, const struct alert *alert, uint64_t plan);

/* Decide in order of event time, as the fleet does (engine/fleet.h), into `episodes`; then it is empty. */
void tellings_decide(struct tellings *t, uint64_t plan, struct episodes *episodes);
void tellings_release(struct tellings *t);

#endif
