/* Every store and every notifier there is. Adding one is its file and its line here. */
#include "sinks/notifier.h"
#include "sinks/store.h"

#include <stddef.h>

const struct store *const stores[] = {
    &store_redis,
    NULL,
};

const struct notifier *const notifiers[] = {
    &notifier_alertmanager,
    &notifier_webhook,
    &notifier_command,
    NULL,
};
