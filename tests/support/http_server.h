/*
 * A small HTTP server for tests, in a thread of its own on a free loopback port: it keeps what it was sent
 * and answers as it is told, also wrongly.
 */
#ifndef TESTS_SUPPORT_HTTP_SERVER_H
#define TESTS_SUPPORT_HTTP_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { HTTP_REQUESTS_MAX = 512 };

struct http_request {
    char path[256];
    char *head; /* request line and headers */
    char *body;
};

struct http_server {
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock;
    bool stopping;
    void *tls; /* SSL_CTX; NULL: plain */

    /* How it answers; to be changed by http_server_answer alone. */
    int code;
    int delay_ms;        /* before the answer */
    bool cut;            /* the answer breaks off in its middle */
    bool hang_up;        /* no answer at all */
    const char *headers; /* further lines, each with its line end; or NULL */
    const char *body;

    struct http_request request[HTTP_REQUESTS_MAX];
    size_t requests;
};

/* Start it, answering 200. certificate, key: PEM files for TLS, or NULL. */
void http_server_start(struct http_server *server, const char *certificate, const char *key);
void http_server_stop(struct http_server *server);

/* From the next request on. */
void http_server_answer(
    struct http_server *server, int code, const char *headers, const char *body);
void http_server_misbehave(struct http_server *server, int delay_ms, bool cut, bool hang_up);
void http_server_forget(struct http_server *server); /* what it was sent so far */

size_t http_server_requests(struct http_server *server);
/* The i-th request, good until http_server_forget. */
const struct http_request *http_server_request(struct http_server *server, size_t i);
/* Wait until there are `count` requests, at most so long; whether there are. */
bool http_server_wait(struct http_server *server, size_t count, int most_ms);
/* The value of a header of a request into `value`; "" where there is none. */
const char *http_request_header(
    const struct http_request *request, const char *name, char *value, size_t room);

#endif
