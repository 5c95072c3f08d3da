/*
 * What of HTTP is ours, and the server around it: the first byte says which of them gets the rest.
 *
 * Whatever a client sends, without the token it learns nothing but that the process runs.
 */
#include "engine/http_address.h"
#include "engine/metrics.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOKEN "0123456789abcdef"

enum { ANSWER_BYTES_MAX = 1 << 16, CONNECT_TRIES = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void token(const char *text)
{
    bool shown = http_token_shown(TOKEN, text);
    size_t bytes = strlen(text);
    bool ends = bytes > sizeof(TOKEN) && strcmp(text + bytes - strlen(TOKEN), TOKEN) == 0;
    assert(!shown || ends);
    assert(!http_token_shown("", text));
}

static void address(const char *text)
{
    struct http_address to;
    struct error err = {.text = ""};
    enum status status = http_address_parse(text, "", &to, &err);
    assert(status == ST_OK || (status == ST_FATAL && err.text[0] != '\0'));
    if (status != ST_OK) return;
    assert(to.any.sa_family == AF_INET ? ntohl(to.v4.sin_addr.s_addr) >> 24 == 127
                                       : IN6_IS_ADDR_LOOPBACK(&to.v6.sin6_addr));
}

/* Each from another address of this machine: the ports of one are used up within seconds. */
static int client_connect(uint16_t port)
{
    static uint32_t clients;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int tries = 0; tries < CONNECT_TRIES; tries++) {
        struct sockaddr_in from = {.sin_family = AF_INET,
            .sin_addr.s_addr = htonl(UINT32_C(0x7f010000) + clients++ % 0xfe0000)};
        int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
            connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
            return fd;
        close(fd);
    }
    perror("no connection");
    abort();
}

static void served(const uint8_t *data, size_t size)
{
    static uint16_t port;
    static char answer[ANSWER_BYTES_MAX + 1];
    struct error err;
    if (port == 0 && http_open("127.0.0.1:0", TOKEN, &port, &err) != ST_OK) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    int fd = client_connect(port);
    for (size_t sent = 0; sent < size;) {
        ssize_t now = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
        if (now <= 0) break; /* the server has heard enough */
        sent += (size_t)now;
    }
    shutdown(fd, SHUT_WR);
    size_t got = 0;
    ssize_t now;
    while (got < ANSWER_BYTES_MAX && (now = recv(fd, answer + got, ANSWER_BYTES_MAX - got, 0)) > 0)
        got += (size_t)now;
    answer[got] = '\0';
    close(fd);
    bool knows = memmem(data, size, TOKEN, strlen(TOKEN)) != NULL;
    assert(knows || (strstr(answer, "process_") == NULL && strstr(answer, "ready") == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    if (data[0] != 't' && data[0] != 'a') {
        served(data, size);
        return 0;
    }
    char *text = calloc(1, size);
    memcpy(text, data + 1, size - 1);
    if (data[0] == 't')
        token(text);
    else
        address(text);
    free(text);
    return 0;
}
