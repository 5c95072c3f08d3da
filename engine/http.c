/*
 * Three small pages for whoever watches weir: a scraper, a load balancer, a person with curl.
 *
 * One thread serves all, as no page takes long to make. The listening socket is ours, so that a
 * port in use is said as such.
 */
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/http_address.h"
#include "engine/metrics.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

enum {
    CONNECTIONS_MAX = 32,         /* one more, and the oldest gives way */
    CONNECTIONS_ENDING_MAX = 32,  /* given way, not closed yet */
    CONNECTION_BYTES_MAX = 16384, /* of a request, headers included */
    IDLE_SECONDS_MAX = 10,
    BACKLOG = 16,
};

struct page {
    const char *path;
    const char *help;
    const char *content_type;
    unsigned (*print)(struct buffer *out); /* returns the HTTP status */
    bool open;                             /* for everybody, token or not */
};

static struct MHD_Daemon *daemon_;
static char token_[HTTP_TOKEN_BYTES_MAX + 1]; /* "": none is asked for */

/* Only the server's thread touches these. */
struct client {
    int fd; /* -1: none, or told to end */
    uint64_t number;
};
static struct client clients[CONNECTIONS_MAX + CONNECTIONS_ENDING_MAX];
static uint64_t clients_seen;

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
        "text/plain; version=0.0.4; charset=utf-8", metrics_page, false},
    {"/healthz", "200 while the process runs", plain_text, health_page, true},
    {"/readyz", "200 when every part can do its work, else 503; one line a part", plain_text,
        ready_page, false},
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

static unsigned strange_page(struct buffer *out)
{
    buffer_print(out, "This needs a header: Authorization: Bearer, and weir's http.token.\n");
    return MHD_HTTP_UNAUTHORIZED;
}

static const struct page missing = {"", "", plain_text, missing_page, false};
static const struct page refused = {"", "", plain_text, refused_page, false};
static const struct page strange = {"", "", plain_text, strange_page, false};

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
    if (code == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(
            response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"weir\"");
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

/* Without the token nobody learns even which pages there are. */
static bool is_let_in(const struct page *page, struct MHD_Connection *connection)
{
    if (token_[0] == '\0' || page->open) return true;
    const char *shown =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    if (http_token_shown(token_, shown)) return true;
    static struct log_gate gate;
    metric_add(metric_of(METRIC_COUNTER, "weir_http_refused_total",
                   "Requests without the right http.token.", NULL),
        1);
    if (log_every(&gate, 10 * NS_PER_S))
        log_warn("http", "a request without the right token was refused",
            "todo=send the header `Authorization: Bearer` with what http.token is set to");
    return false;
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
    const struct page *page = page_find(path);
    return page_send(is_let_in(page, connection) ? page : &strange, connection);
}

/*
 * A client that is slow on purpose would hold its connection for ever, byte by byte. So a newcomer is
 * always let in, and when there are too many the oldest is hung up on.
 */
static void oldest_gives_way(void)
{
    struct client *oldest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        if (clients[i].fd < 0) continue;
        count++;
        if (oldest == NULL || clients[i].number < oldest->number) oldest = &clients[i];
    }
    if (count <= CONNECTIONS_MAX) return;
    shutdown(oldest->fd, SHUT_RDWR); /* the library closes it when it notices */
    oldest->fd = -1;
}

static void on_connection(void *unused, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode what)
{
    (void)unused;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct client *gone = *context;
        if (gone != NULL) *gone = (struct client){.fd = -1};
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        if (clients[i].number != 0) continue;
        clients[i] = (struct client){info->connect_fd, ++clients_seen};
        *context = &clients[i];
        break;
    }
    oldest_gives_way();
}

enum status http_check(const char *listen, const char *token, struct error *err)
{
    struct http_address address;
    return http_address_parse(listen, token, &address, err);
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
static enum status socket_open(const char *listen_on, const struct http_address *address,
    int *socket_, uint16_t *port, struct error *err)
{
    int fd =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) return socket_fail(fd, listen_on, err);

    int on = 1; /* a restart need not wait for old connections to be forgotten */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &address->any, address->bytes) != 0) return socket_fail(fd, listen_on, err);
    if (listen(fd, BACKLOG) != 0) return socket_fail(fd, listen_on, err);

    struct http_address bound = {.bytes = sizeof(bound.v6)};
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

enum status http_open(const char *listen, const char *token, uint16_t *port, struct error *err)
{
    struct http_address address;
    enum status status = http_address_parse(listen, token, &address, err);
    if (status != ST_OK) return status;
    int fd = -1;
    status = socket_open(listen, &address, &fd, port, err);
    if (status != ST_OK) return status;

    snprintf(token_, sizeof(token_), "%s", token);
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
        clients[i] = (struct client){.fd = -1};
    daemon_ = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        http_answer, NULL, MHD_OPTION_EXTERNAL_LOGGER, http_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX + CONNECTIONS_ENDING_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS_MAX, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, NULL, MHD_OPTION_END);
    if (daemon_ != NULL) return ST_OK;
    close(fd);
    return error_set(err, ST_FATAL, 0,
        "http: cannot listen on `%.80s`: the HTTP server did not start. Is the process at its "
        "limit "
        "of threads or open files?",
        listen);
}

void http_close(void)
{
    if (daemon_ != NULL) MHD_stop_daemon(daemon_);
    daemon_ = NULL;
}
