/*
 * Whether an answer repeats what only its server and we should know, as pages that show the request do: then
 * it is not for logs.
 */
#ifndef SINKS_HTTP_ECHO_H
#define SINKS_HTTP_ECHO_H

#include "sinks/http_post.h"

/*
 * said   the answer
 * url    that was posted to; its path and query count, "/" alone does not
 * token  that was shown, or ""
 */
bool http_echoes(
    const char *said, const struct http_settings *settings, const char *url, const char *token);

#endif
