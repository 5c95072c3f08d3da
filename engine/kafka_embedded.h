/*
 * The embedded broker: librdkafka's mock cluster on loopback, for demos.
 *
 * It keeps 5 MiB a partition, isolates no transaction and keeps no offset sent in one: use it with
 * `delivery: at_least_once`.
 */
#ifndef ENGINE_KAFKA_EMBEDDED_H
#define ENGINE_KAFKA_EMBEDDED_H

#include "engine/base/error.h"

#include <stdint.h>

struct kafka_embedded;

enum status kafka_embedded_open(struct kafka_embedded **broker, struct error *err) MUST_USE;
const char *kafka_embedded_address(const struct kafka_embedded *broker); /* host:port */
enum status kafka_embedded_topic(struct kafka_embedded *broker, const char *topic,
    uint32_t partitions, struct error *err) MUST_USE;
void kafka_embedded_close(struct kafka_embedded *broker); /* NULL is fine */

#endif
