#include "sinks/http_echo.h"

#include <string.h>

enum { HEADER_BYTES_MIN = 8 }; /* of a header's value; what is shorter is no secret */

static bool holds(const char *said, struct bytes secret)
{
    return secret.size > 0 && memmem(said, strlen(said), secret.data, secret.size) != NULL;
}

static bool holds_path(const char *said, const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host == NULL ? NULL : strpbrk(host + 3, "/?");
    if (path == NULL) return false;
    size_t size = strcspn(path, "?#");
    const char *query = path + size + (path[size] == '?');
    return (size > 1 && holds(said, (struct bytes){(const uint8_t *)path, size})) ||
           holds(said, (struct bytes){(const uint8_t *)query, strcspn(query, "#")});
}

static bool holds_header(const char *said, const struct texts *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        const char *colon = strchr(headers->text[i], ':');
        struct bytes value = bytes_of(colon == NULL ? "" : colon + 1 + strspn(colon + 1, " "));
        if (value.size >= HEADER_BYTES_MIN && holds(said, value)) return true;
    }
    return false;
}

bool http_echoes(
    const char *said, const struct http_settings *settings, const char *url, const char *token)
{
    bool basic = *settings->user != '\0' && strstr(said, "Basic ") != NULL;
    return basic || holds(said, bytes_of(token)) || holds(said, bytes_of(settings->password)) ||
           holds_path(said, url) || holds_header(said, &settings->headers);
}
