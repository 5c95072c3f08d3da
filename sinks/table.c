/* Every store there is. Adding one is its file and its line here. */
#include "sinks/store.h"

#include <stddef.h>

const struct store *const stores[] = {
    &store_redis,
    NULL,
};
