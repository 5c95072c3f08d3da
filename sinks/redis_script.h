/*
 * The one script that writes to Redis: a batch and the place in the log, together or not at all.
 *
 * Redis runs a script to its end before it does anything else, so what is checked at its beginning
 * holds while it writes. A full or read-only server refuses the first write, and so all of them.
 */
#ifndef SINKS_REDIS_SCRIPT_H
#define SINKS_REDIS_SCRIPT_H

/*
 * EVAL redis_script 2 <prefix>:applied <prefix>:alerts:active PLAN PARTITION PREV LAST MARK {COUNT WORD...}...
 *
 * gives the offset that the partition holds afterwards, -1 for none: LAST or beyond when the batch
 * is applied, now or before; anything else: nothing was written.
 *
 * MARK is kept with a first batch (PREV -1): up to which evictions of the server it makes good.
 *
 * Each command is preceded by how many words it has. Two are the script's own:
 *   NEWER key field end_ms json  HSET, unless the row that is there ends later
 *   KEEP key ms                  PEXPIRE, unless the key lives longer already
 */
extern const char redis_script[];

enum { REDIS_SCRIPT_KEYS = 2 };

#endif
