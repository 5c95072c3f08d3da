#include "sinks/redis_info.h"

#include <stdlib.h>

struct bytes redis_info_value(const char *info, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = strstr(info, name); at != NULL; at = strstr(at + 1, name)) {
        bool begins = at == info || at[-1] == '\n';
        if (!begins || at[size] != ':') continue;
        const char *value = at + size + 1;
        return (struct bytes){(const uint8_t *)value, strcspn(value, "\r\n")};
    }
    return (struct bytes){0};
}

uint64_t redis_info_number(const char *info, const char *name)
{
    struct bytes value = redis_info_value(info, name);
    return value.data == NULL ? 0 : strtoull((const char *)value.data, NULL, 10);
}
