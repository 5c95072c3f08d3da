/* Which librdkafka this process runs with. */
#ifndef ENGINE_KAFKA_VERSION_H
#define ENGINE_KAFKA_VERSION_H

const char *kafka_version(void); /* "2.0.2" */

#endif
