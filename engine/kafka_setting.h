/*
 * Settings of librdkafka as a user writes them, tried before any client is made, so that an error has
 * its place in the config.
 */
#ifndef ENGINE_KAFKA_SETTING_H
#define ENGINE_KAFKA_SETTING_H

#include <stdbool.h>
#include <stddef.h>

/* The largest record that weir's own topics take, and so what its producers must be able to send. */
#define KAFKA_OWN_MESSAGE_BYTES "4194304"

enum { KAFKA_SETTING_WHY_BYTES = 256, KAFKA_SETTING_KEY_BYTES = 64 };

struct kafka_trial;

enum kafka_verdict { KAFKA_SETTING_TAKEN, KAFKA_SETTING_UNKNOWN, KAFKA_SETTING_WRONG };

struct kafka_trial *kafka_trial_new(void);
void kafka_trial_free(struct kafka_trial *trial);

/*
 * Set one more of a client's settings, in the client's order: a plugin brings keys of its own.
 *
 * why      filled in unless the setting is taken: what is wrong, without the value of a secret
 * returns  KAFKA_SETTING_UNKNOWN, there is no such key; KAFKA_SETTING_WRONG, its value will not do
 */
enum kafka_verdict kafka_trial_set(struct kafka_trial *trial, const char *key, const char *value,
    char why[KAFKA_SETTING_WHY_BYTES]);

/* The key of librdkafka that `key` was probably meant to be; false: none is near. */
bool kafka_setting_nearest(const char *key, char nearest[KAFKA_SETTING_KEY_BYTES]);

#endif
