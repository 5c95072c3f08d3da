#include "engine/kafka_setting.h"

#include "engine/base/memory.h"
#include "engine/base/secret.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

struct kafka_trial {
    rd_kafka_conf_t *conf;
};

static const char message_bytes_key[] = "message.max.bytes";

struct kafka_trial *kafka_trial_new(void)
{
    struct kafka_trial *trial = memory_zeroed(1, sizeof(*trial));
    trial->conf = rd_kafka_conf_new();
    return trial;
}

void kafka_trial_free(struct kafka_trial *trial)
{
    if (trial == NULL) return;
    rd_kafka_conf_destroy(trial->conf);
    free(trial);
}

/* Whether producers could still send the largest record of weir's own topics. */
static bool sends_our_records(const struct kafka_trial *trial)
{
    char text[32];
    size_t bytes = sizeof(text);
    if (rd_kafka_conf_get(trial->conf, message_bytes_key, text, &bytes) != RD_KAFKA_CONF_OK)
        return true;
    return strtoll(text, NULL, 10) >= strtoll(KAFKA_OWN_MESSAGE_BYTES, NULL, 10);
}

enum kafka_verdict kafka_trial_set(struct kafka_trial *trial, const char *key, const char *value,
    char why[KAFKA_SETTING_WHY_BYTES])
{
    rd_kafka_conf_res_t result =
        rd_kafka_conf_set(trial->conf, key, value, why, KAFKA_SETTING_WHY_BYTES);
    if (result == RD_KAFKA_CONF_UNKNOWN) return KAFKA_SETTING_UNKNOWN;
    if (result != RD_KAFKA_CONF_OK) {
        if (secret_is_key(key))
            snprintf(why, KAFKA_SETTING_WHY_BYTES,
                "its value will not do, or librdkafka was built without it");
        return KAFKA_SETTING_WRONG;
    }
    if (strcmp(key, message_bytes_key) == 0 && !sends_our_records(trial)) {
        snprintf(why, KAFKA_SETTING_WHY_BYTES,
            "want at least %s: weir writes records of that size into its own topics",
            KAFKA_OWN_MESSAGE_BYTES);
        return KAFKA_SETTING_WRONG;
    }
    return KAFKA_SETTING_TAKEN;
}

/* librdkafka's list of its settings, as it prints it: `key | who | range | ...` a line. To be freed. */
static char *settings_print(void)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) return NULL;
    rd_kafka_conf_properties_show(out);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}

/* The key that a line begins with; false: it is a heading or a rule. */
static bool line_key(const char *line, char key[KAFKA_SETTING_KEY_BYTES])
{
    size_t bytes = strcspn(line, " |");
    if (bytes == 0 || bytes >= KAFKA_SETTING_KEY_BYTES) return false;
    if (line[bytes + strspn(line + bytes, " ")] != '|') return false;
    memcpy(key, line, bytes);
    key[bytes] = '\0';
    return true;
}

bool kafka_setting_nearest(const char *key, char nearest[KAFKA_SETTING_KEY_BYTES])
{
    char known[KAFKA_SETTING_KEY_BYTES];
    size_t limit = text_distance_max(key) + 1, best = limit;
    char *settings = settings_print(), *rest = settings;
    for (const char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (!line_key(line, known)) continue;
        size_t distance = text_distance(key, known);
        if (distance >= best) continue;
        best = distance;
        memcpy(nearest, known, sizeof(known));
    }
    free(settings);
    return best < limit;
}
