/*
 * When Kafka will not have us, or we will not have a broker: its certificate, our password, our rights.
 *
 * Each is said in one line with what to do, counted, and shown on /readyz as `kafka_access` until
 * answers come again. Shared by the engine/kafka*.c files only.
 */
#ifndef ENGINE_KAFKA_REFUSAL_H
#define ENGINE_KAFKA_REFUSAL_H

#include "engine/config.h"

#include <librdkafka/rdkafka.h>

struct kafka_refusal {
    const char *reason; /* "certificate", "authentication" or "authorization"; NULL: no refusal */
    char what[128];     /* what is refused, without a full stop */
    char todo[512];     /* what would help */
};

/*
 * Whom the hints are about; copied. Called before a client of `config` is made.
 *
 * needs  a literal: what is done to topics that are neither weir's own nor its dead_letter, as
 *        "--operation Read"
 */
void kafka_refusal_about(const struct config *config, const char *needs);

/* What an error of a client is, by librdkafka's code and words. */
struct kafka_refusal kafka_refusal_of_error(int code, const char *words);
/* What an answer is that speaks of `topic`; groups and transactions are named after the config. */
struct kafka_refusal kafka_refusal_of_answer(int code, const char *topic);
/* Why a certificate is not taken; `x509` is OpenSSL's number. */
struct kafka_refusal kafka_refusal_of_certificate(int x509, const char *broker);

/* Log, count and show it. Does nothing if it is none; false then. */
bool kafka_refusal_say(const struct kafka_refusal *refusal);
/* Both at once, for an answer. */
bool kafka_refusal_answer(int code, const char *topic);
/* A broker has answered: if nothing was refused for a while, /readyz says so. */
void kafka_refusal_over(void);

/* rd_kafka_conf_set_ssl_cert_verify_cb: OpenSSL judges, this says what it found. */
int kafka_refusal_verify(rd_kafka_t *handle, const char *broker, int32_t broker_id, int *x509,
    int depth, const char *certificate, size_t bytes, char *why, size_t why_bytes, void *opaque);

#endif
