#include "engine/http_address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LISTEN_BYTES_MAX = 64 };

static enum status refuse(const char *listen, const char *why, struct error *err)
{
    return error_set(err, ST_FATAL, 0, "cannot listen on `%.80s`: %s", listen, why);
}

/* Split "host:port" or "[host]:port". */
static bool listen_split(
    const char *listen, char host[LISTEN_BYTES_MAX], uint16_t *port, bool *bracketed)
{
    const char *colon = strrchr(listen, ':');
    if (colon == NULL || strlen(listen) >= LISTEN_BYTES_MAX) return false;
    *bracketed = listen[0] == '[';
    size_t bytes = (size_t)(colon - listen);
    if (*bracketed) {
        if (bytes < 2 || colon[-1] != ']') return false;
        listen++;
        bytes -= 2;
    }
    memcpy(host, listen, bytes);
    host[bytes] = '\0';

    size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0') return false;
    long number = strtol(colon + 1, NULL, 10);
    if (number > UINT16_MAX) return false;
    *port = (uint16_t)number;
    return true;
}

static bool is_loopback(const struct http_address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static enum status token_check(const char *token, struct error *err)
{
    size_t bytes = strlen(token);
    bool visible = true;
    for (const char *c = token; *c != '\0'; c++)
        visible = visible && *c > ' ' && *c <= '~';
    if (bytes == 0 || (visible && bytes >= HTTP_TOKEN_BYTES_LEAST && bytes <= HTTP_TOKEN_BYTES_MAX))
        return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "http.token has %zu bytes%s; want %d to %d visible ASCII characters, as `openssl rand -hex "
        "32` makes them",
        bytes, visible ? "" : ", some of them not visible ASCII", HTTP_TOKEN_BYTES_LEAST,
        HTTP_TOKEN_BYTES_MAX);
}

static enum status parse(const char *listen, struct http_address *address, struct error *err)
{
    char host[LISTEN_BYTES_MAX];
    uint16_t port;
    bool bracketed;
    if (!listen_split(listen, host, &port, &bracketed))
        return refuse(listen,
            "want an address and a port (0 to 65535), as in 127.0.0.1:9464 or [::1]:9464.", err);

    struct http_address parsed = {0};
    const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (!bracketed && inet_pton(AF_INET, numeric, &parsed.v4.sin_addr) == 1) {
        parsed.v4.sin_family = AF_INET;
        parsed.v4.sin_port = htons(port);
        parsed.bytes = sizeof(parsed.v4);
    } else if (bracketed && inet_pton(AF_INET6, host, &parsed.v6.sin6_addr) == 1) {
        parsed.v6.sin6_family = AF_INET6;
        parsed.v6.sin6_port = htons(port);
        parsed.bytes = sizeof(parsed.v6);
    } else {
        return refuse(listen,
            "that is not the number of an address. Write 127.0.0.1:PORT, or [::1]:PORT for IPv6.",
            err);
    }
    *address = parsed;
    return ST_OK;
}

enum status http_address_parse(
    const char *listen, const char *token, struct http_address *address, struct error *err)
{
    struct http_address parsed;
    enum status status = token_check(token, err);
    if (status == ST_OK) status = parse(listen, &parsed, err);
    if (status != ST_OK) return status;
    if (token[0] == '\0' && !is_loopback(&parsed))
        return refuse(listen,
            "other machines can reach it, and that needs http.token. Set it, best from the "
            "environment: `token: ${WEIR_HTTP_TOKEN}`, or listen on 127.0.0.1.",
            err);
    *address = parsed;
    return ST_OK;
}

bool http_token_shown(const char *token, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, strlen(scheme)) != 0)
        return false;
    const char *shown = authorization + strlen(scheme);
    shown += strspn(shown, " ");

    /* As many steps as there may be bytes, whatever is shown: both are padded by zeros. */
    unsigned char want[HTTP_TOKEN_BYTES_MAX] = {0}, got[HTTP_TOKEN_BYTES_MAX] = {0};
    size_t want_bytes = strlen(token), got_bytes = strlen(shown);
    if (want_bytes == 0 || got_bytes > sizeof(got)) return false;
    memcpy(want, token, want_bytes);
    memcpy(got, shown, got_bytes);
    volatile unsigned char differs = 0;
    for (size_t i = 0; i < sizeof(want); i++)
        differs = (unsigned char)(differs | (want[i] ^ got[i]));
    return differs == 0;
}
