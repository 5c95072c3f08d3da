/* Who is in a consumer group: shared by the engine/kafka*.c files only. */
#ifndef ENGINE_KAFKA_MEMBERS_H
#define ENGINE_KAFKA_MEMBERS_H

#include "engine/base/error.h"

#include <librdkafka/rdkafka.h>

/* handle  any client; a group that is not there has no members */
enum status kafka_members_of(
    rd_kafka_t *handle, const char *group, uint32_t *members, struct error *err) MUST_USE;

#endif
