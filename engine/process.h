/* What the system knows of this process: memory, processor time, open files. */
#ifndef ENGINE_PROCESS_H
#define ENGINE_PROCESS_H

#include "engine/base/buffer.h"

/*
 * Append the process_* metrics that Prometheus' own client libraries have, in text format.
 * What the system does not tell is left out.
 *
 * threads  any
 */
void process_print(struct buffer *out);

#endif
