#include "tests/support/http_server.h"

#include "engine/base/clock.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 1 << 20, POLL_MS = 20, READ_MS = 5000 };

struct talk {
    int fd;
    SSL *tls;
};

static void give_up(const char *why)
{
    fprintf(stderr, "http server for a test: %s\n", why);
    exit(1);
}

static ssize_t talk_read(struct talk *talk, char *into, size_t room)
{
    if (talk->tls != NULL) return SSL_read(talk->tls, into, (int)room);
    struct pollfd polled = {.fd = talk->fd, .events = POLLIN};
    if (poll(&polled, 1, READ_MS) <= 0) return -1;
    return recv(talk->fd, into, room, 0);
}

static void talk_write(struct talk *talk, const char *text, size_t bytes)
{
    if (talk->tls != NULL)
        SSL_write(talk->tls, text, (int)bytes);
    else if (send(talk->fd, text, bytes, MSG_NOSIGNAL) < 0)
        return; /* who asked has gone */
}

/* Everything of one request; NULL: it did not come whole. */
static char *read_request(struct talk *talk)
{
    char *text = calloc(1, REQUEST_BYTES_MAX);
    size_t size = 0;
    while (text != NULL) {
        ssize_t got = talk_read(talk, text + size, REQUEST_BYTES_MAX - 1 - size);
        if (got <= 0) break;
        size += (size_t)got;
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        size_t body = length == NULL ? 0 : strtoul(length + strlen("content-length:"), NULL, 10);
        if (end != NULL && size >= (size_t)(end - text) + 4 + body) return text;
    }
    free(text);
    return NULL;
}

static void keep(struct http_server *server, char *text)
{
    char *end = strstr(text, "\r\n\r\n");
    pthread_mutex_lock(&server->lock);
    if (server->requests < HTTP_REQUESTS_MAX) {
        struct http_request *request = &server->request[server->requests++];
        sscanf(text, "%*s %255s", request->path);
        request->body = strdup(end + 4);
        end[2] = '\0';
        request->head = strdup(text);
    }
    pthread_mutex_unlock(&server->lock);
    free(text);
}

static void answer(struct http_server *server, struct talk *talk)
{
    char text[4096];
    pthread_mutex_lock(&server->lock);
    int delay_ms = server->delay_ms;
    bool cut = server->cut, hang_up = server->hang_up;
    int size = snprintf(text, sizeof(text),
        "HTTP/1.1 %d Whatever\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        server->code, server->headers == NULL ? "" : server->headers, strlen(server->body),
        server->body);
    pthread_mutex_unlock(&server->lock);
    for (int waited = 0; waited < delay_ms; waited += POLL_MS) {
        pthread_mutex_lock(&server->lock);
        bool stopping = server->stopping;
        pthread_mutex_unlock(&server->lock);
        if (stopping) return;
        clock_sleep(POLL_MS * NS_PER_MS);
    }
    if (hang_up) return;
    talk_write(talk, text, cut ? (size_t)size - 2 : (size_t)size);
}

static void serve(struct http_server *server, int fd)
{
    struct talk talk = {.fd = fd};
    if (server->tls != NULL) {
        talk.tls = SSL_new(server->tls);
        SSL_set_fd(talk.tls, fd);
    }
    if (talk.tls == NULL || SSL_accept(talk.tls) == 1) {
        char *request = read_request(&talk);
        if (request != NULL) {
            keep(server, request);
            answer(server, &talk);
        }
        if (talk.tls != NULL) SSL_shutdown(talk.tls);
    }
    if (talk.tls != NULL) SSL_free(talk.tls);
    close(fd);
}

static void *server_main(void *self)
{
    struct http_server *server = self;
    for (;;) {
        struct pollfd polled = {.fd = server->fd, .events = POLLIN};
        int ready = poll(&polled, 1, POLL_MS);
        pthread_mutex_lock(&server->lock);
        bool stopping = server->stopping;
        pthread_mutex_unlock(&server->lock);
        if (stopping) return NULL;
        if (ready <= 0) continue;
        int fd = accept(server->fd, NULL, NULL);
        if (fd >= 0) serve(server, fd);
    }
}

static void *tls_new(const char *certificate, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        give_up("its certificate cannot be used");
    return tls;
}

void http_server_start(struct http_server *server, const char *certificate, const char *key)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(at);
    signal(SIGPIPE, SIG_IGN); /* TLS writes to who has gone, as weir's own main knows */
    *server = (struct http_server){.code = 200, .body = "ok"};
    pthread_mutex_init(&server->lock, NULL);
    if (certificate != NULL) server->tls = tls_new(certificate, key);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(server->fd, 64) != 0 || getsockname(server->fd, (struct sockaddr *)&at, &bytes) != 0)
        give_up("no port for it");
    server->port = ntohs(at.sin_port);
    if (pthread_create(&server->thread, NULL, server_main, server) != 0) give_up("no thread");
}

void http_server_forget(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->requests; i++) {
        free(server->request[i].head);
        free(server->request[i].body);
    }
    server->requests = 0;
    pthread_mutex_unlock(&server->lock);
}

void http_server_stop(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->thread, NULL);
    close(server->fd);
    http_server_forget(server);
    if (server->tls != NULL) SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->lock);
}

void http_server_answer(struct http_server *server, int code, const char *headers, const char *body)
{
    pthread_mutex_lock(&server->lock);
    server->code = code;
    server->headers = headers;
    server->body = body;
    server->delay_ms = 0;
    server->cut = server->hang_up = false;
    pthread_mutex_unlock(&server->lock);
}

void http_server_misbehave(struct http_server *server, int delay_ms, bool cut, bool hang_up)
{
    pthread_mutex_lock(&server->lock);
    server->delay_ms = delay_ms;
    server->cut = cut;
    server->hang_up = hang_up;
    pthread_mutex_unlock(&server->lock);
}

size_t http_server_requests(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->requests;
    pthread_mutex_unlock(&server->lock);
    return count;
}

const struct http_request *http_server_request(struct http_server *server, size_t i)
{
    return &server->request[i];
}

bool http_server_wait(struct http_server *server, size_t count, int most_ms)
{
    for (int waited = 0; http_server_requests(server) < count; waited += POLL_MS) {
        if (waited >= most_ms) return false;
        clock_sleep(POLL_MS * NS_PER_MS);
    }
    return true;
}

const char *http_request_header(
    const struct http_request *request, const char *name, char *value, size_t room)
{
    size_t size = strlen(name);
    value[0] = '\0';
    for (const char *line = request->head; line != NULL; line = strstr(line, "\r\n")) {
        if (line != request->head) line += 2;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':') continue;
        const char *from = line + size + 1;
        from += strspn(from, " ");
        snprintf(value, room, "%.*s", (int)strcspn(from, "\r\n"), from);
        return value;
    }
    return value;
}
