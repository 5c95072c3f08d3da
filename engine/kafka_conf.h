/* librdkafka's configuration and errors in our terms: shared by the engine/kafka*.c files only. */
#ifndef ENGINE_KAFKA_CONF_H
#define ENGINE_KAFKA_CONF_H

#include "engine/base/error.h"
#include "engine/config.h"

#include <librdkafka/rdkafka.h>

/*
 * A configuration with brokers, logging, client.id and the user's `kafka:` settings in it.
 *
 * usual    what this client has unless the user says otherwise, ended by a NULL key; set before the
 *          user's settings, since librdkafka has several names for some
 * returns  owned by the caller until a handle takes it; NULL: `err` names the setting that is wrong
 */
rd_kafka_conf_t *kafka_conf(const struct config *config, const char *client_id,
    const struct kafka_setting *usual, struct error *err);

/* Set one of our own properties; they are right, or it is a bug. */
void kafka_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value);

/* Whether this error says that a newer producer has taken our transactional id. */
bool kafka_is_fenced(int code);

/*
 * Turn what librdkafka returned into a status, and free it.
 *
 * failure  owned from here on; NULL means success
 * doing    what was being done, for the text: "commit transaction"
 */
enum status kafka_status(rd_kafka_error_t *failure, const char *doing, struct error *err);

#endif
