/* Receivers for tests, made from the YAML that a config has of them. */
#ifndef TESTS_SUPPORT_RECEIVER_H
#define TESTS_SUPPORT_RECEIVER_H

#include "engine/config.h"
#include "sinks/notice.h"

/* Load a config whose `notify.receivers` is this list; a test cannot go on without. */
void receiver_config(struct config *config, const char *format, ...) PRINTF_LIKE(2, 3);

/* A notice with this id, of rule slow on service cart; the caller's. */
struct notice receiver_notice(const char *id, enum notice_state state, int64_t at_ms);

/* Send one notice to the first receiver's first place, over a line of its own. */
enum status receiver_tell(const struct config *config, const struct notice *notice,
    struct notify_failure *failure, struct error *err);

#endif
