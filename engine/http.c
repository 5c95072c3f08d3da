/*
 * Three small pages for whoever watches weir: a scraper, a load balancer, a person with curl.
 *
 * One thread serves all, as no page takes long to make. The listening socket is ours, so that a
 * port in use is said as such.
 */
#include "engine/base/log.h"
#include "engine/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

enum {
    LISTEN_BYTES_MAX = 64,
    CONNECTIONS_MAX = 32,
    CONNECTION_BYTES_MAX = 16384, /* of a request, headers included */
    IDLE_SECONDS_MAX = 10,
    BACKLOG = 16,
};

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t bytes;
};

struct page {
    const char *path;
    const char *help;
    const char *content_type;
    unsigned (*print)(struct buffer *out); /* returns the HTTP status */
};

static struct MHD_Daemon *daemon_;

static unsigned metrics_page(struct buffer *out)
{
    metrics_print(out);
    return MHD_HTTP_OK;
}

static unsigned health_page(struct buffer *out)
{
    buffer_print(out, "ok\n");
    return MHD_HTTP_OK;
}

static unsigned ready_page(struct buffer *out)
{
    return ready_print(out) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static const char plain_text[] = "text/plain; charset=utf-8";

static const struct page pages[] = {
    {"/metrics", "numbers about this worker, in Prometheus text format",
        "text/plain; version=0.0.4; charset=utf-8", metrics_page},
    {"/healthz", "200 while the process runs", plain_text, health_page},
    {"/readyz", "200 when every part can do its work, else 503; one line a part", plain_text,
        ready_page},
};
enum { PAGES = sizeof(pages) / sizeof(pages[0]) };

static unsigned missing_page(struct buffer *out)
{
    buffer_print(out, "There is no such page. weir has:\n");
    for (size_t i = 0; i < PAGES; i++)
        buffer_print(out, "  %-9s %s\n", pages[i].path, pages[i].help);
    return MHD_HTTP_NOT_FOUND;
}

static unsigned refused_page(struct buffer *out)
{
    buffer_print(out, "Only GET and HEAD are answered here.\n");
    return MHD_HTTP_METHOD_NOT_ALLOWED;
}

static const struct page missing = {"", "", plain_text, missing_page};
static const struct page refused = {"", "", plain_text, refused_page};

static const struct page *page_find(const char *path)
{
    for (size_t i = 0; i < PAGES; i++) {
        if (strcmp(path, pages[i].path) == 0) return &pages[i];
    }
    return &missing;
}

static enum MHD_Result page_send(const struct page *page, struct MHD_Connection *connection)
{
    struct buffer text = {0};
    unsigned code = page->print(&text);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text.size, text.data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        buffer_release(&text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

/* Called when the headers are there, then again when the request is whole, or for its body. */
static enum MHD_Result http_answer(void *unused, struct MHD_Connection *connection,
    const char *path, const char *method, const char *version, const char *body, size_t *body_bytes,
    void **seen)
{
    static char headers_seen;
    (void)unused, (void)version, (void)body;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return page_send(&refused, connection);
    if (*seen == NULL) {
        *seen = &headers_seen;
        return MHD_YES;
    }
    if (*body_bytes != 0) return MHD_NO; /* nothing here takes a body: hang up */
    return page_send(page_find(path), connection);
}

static enum status listen_refuse(const char *listen, const char *why, struct error *err)
{
    return error_set(err, ST_FATAL, 0, "http: cannot listen on `%.80s`: %s", listen, why);
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

static bool is_loopback(const struct address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static enum status address_parse(const char *listen, struct address *address, struct error *err)
{
    char host[LISTEN_BYTES_MAX];
    uint16_t port;
    bool bracketed;
    if (!listen_split(listen, host, &port, &bracketed))
        return listen_refuse(listen,
            "want an address and a port (0 to 65535), as in 127.0.0.1:9464 or [::1]:9464.", err);

    struct address parsed = {0};
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
        return listen_refuse(listen,
            "that is not the number of an address. Write 127.0.0.1:PORT, or [::1]:PORT for IPv6.",
            err);
    }
    if (!is_loopback(&parsed))
        return listen_refuse(listen,
            "it can be reached from other machines. That needs a token, which this version does "
            "not have: listen on 127.0.0.1 and put a reverse proxy in front.",
            err);
    *address = parsed;
    return ST_OK;
}

enum status http_check(const char *listen, struct error *err)
{
    struct address address;
    return address_parse(listen, &address, err);
}

static enum status socket_fail(int fd, const char *listen, struct error *err)
{
    int code = errno;
    if (fd >= 0) close(fd);
    if (code == EADDRINUSE)
        return error_set(err, ST_FATAL, code,
            "http: cannot listen on `%s`: another process has that port. End it, or set "
            "http.listen to another port (0 picks a free one).",
            listen);
    return error_set(err, ST_FATAL, code,
        "http: cannot listen on `%s`: %s. Set http.listen to another address, or to \"\" for none.",
        listen, strerror(code));
}

/* Open a listening socket; `port` is the one bound. */
static enum status socket_open(const char *listen_on, const struct address *address, int *socket_,
    uint16_t *port, struct error *err)
{
    int fd =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) return socket_fail(fd, listen_on, err);

    int on = 1; /* a restart need not wait for old connections to be forgotten */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &address->any, address->bytes) != 0) return socket_fail(fd, listen_on, err);
    if (listen(fd, BACKLOG) != 0) return socket_fail(fd, listen_on, err);

    struct address bound = {.bytes = sizeof(bound.v6)};
    if (getsockname(fd, &bound.any, &bound.bytes) != 0) return socket_fail(fd, listen_on, err);
    *port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
    *socket_ = fd;
    return ST_OK;
}

/* What the library has to say is of clients that hang up or send nonsense. */
static void http_log(void *unused, const char *format, va_list args)
{
    (void)unused;
    char text[256];
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http", "a request failed", "reason=%s", text);
}

enum status http_open(const char *listen, uint16_t *port, struct error *err)
{
    struct address address;
    enum status status = address_parse(listen, &address, err);
    if (status != ST_OK) return status;
    int fd = -1;
    status = socket_open(listen, &address, &fd, port, err);
    if (status != ST_OK) return status;

    daemon_ = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        http_answer, NULL, MHD_OPTION_EXTERNAL_LOGGER, http_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS_MAX,
        MHD_OPTION_END);
    if (daemon_ != NULL) return ST_OK;
    close(fd);
    return listen_refuse(listen,
        "the HTTP server did not start. Is the process at its limit of threads or open files?",
        err);
}

void http_close(void)
{
    if (daemon_ != NULL) MHD_stop_daemon(daemon_);
    daemon_ = NULL;
}
