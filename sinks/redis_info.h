/* What INFO says: lines of `name:value`. */
#ifndef SINKS_REDIS_INFO_H
#define SINKS_REDIS_INFO_H

#include "engine/base/bytes.h"

/* The value of `name`, borrowed from `info`; data NULL where it is not there. */
struct bytes redis_info_value(const char *info, const char *name);
/* The same for a number; 0 where it is not there, or none. */
uint64_t redis_info_number(const char *info, const char *name);

#endif
