#include "engine/base/secret.h"

#include "engine/base/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The last ones are librdkafka's, for keys in place and what a login module takes. */
static const char *const words[] = {
    "password", "passphrase", "secret", "token", "key.pem", "jaas", "oauthbearer.config"};

static const char *word_find(const char *text)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *found = strcasestr(text, words[i]);
        if (found != NULL) return found;
    }
    return NULL;
}

bool secret_is_key(const char *key)
{
    return word_find(key) != NULL;
}

static bool mask(char *from, const char *end)
{
    bool masked = from < end;
    for (; from < end; from++)
        *from = '*';
    return masked;
}

bool secret_mask(char *text)
{
    bool masked = false;
    char *url = strstr(text, "://"), *at = strrchr(text, '@');
    if (url != NULL && at != NULL) masked = mask(url + strlen("://"), at);

    const char *word = word_find(text);
    if (word == NULL) return masked;
    char *value = text + (word - text) + strcspn(word, "=:");
    if (*value == '\0') return masked;
    return mask(value + 1, value + strlen(value)) || masked;
}

void secret_hide_arguments(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        char *copy = memory_text(argv[i], strlen(argv[i]));
        if (secret_mask(argv[i]))
            argv[i] = copy;
        else
            free(copy);
    }
}
