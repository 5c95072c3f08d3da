/*
 * Whether brokers answer: the trouble "broker unreachable" stands while a question to them has no
 * answer. Shared by the engine/kafka*.c files only.
 */
#ifndef ENGINE_KAFKA_ANSWERS_H
#define ENGINE_KAFKA_ANSWERS_H

#include "engine/config.h"

#include <librdkafka/rdkafka.h>

/*
 * A question had this outcome; `doing` and `what` name it: "list offsets of topic", "spans". An error
 * that says something else than that nobody answered is an answer.
 *
 * config   its brokers are named
 * threads  any
 */
void kafka_outcome(
    const struct config *config, rd_kafka_resp_err_t code, const char *doing, const char *what);

#endif
