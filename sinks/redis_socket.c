#include "sinks/redis_socket.h"

#include "engine/base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TLS_READ_BYTES = 17 << 10 }; /* a TLS record */

void redis_socket_close(struct redis_socket *socket)
{
    if (socket->fd >= 0) close(socket->fd);
    socket->fd = -1;
    redis_tls_free(socket->tls);
    socket->tls = NULL;
}

/*
 * A server that closes before it has said anything: without TLS it may want TLS, and with TLS 1.3 the
 * handshake is over for us before it looks at our certificate, and its reason may be lost with the rest.
 */
static const char *advice(const struct redis_socket *socket, bool was_tls)
{
    if (socket->heard) return "";
    if (was_tls)
        return ". It may want a certificate of ours, or another one: redis.certificate_file and "
               "redis.key_file (--certificate-file, --key-file)";
    return ". Does this port speak TLS? Then write rediss:// or sentinels://";
}

/* The socket is of no use any more: close it and say why. */
static enum status lost(struct redis_socket *socket, int code, const char *what, struct error *err)
{
    char text[96];
    bool was_tls = socket->tls != NULL, is_late = code == ETIMEDOUT;
    redis_socket_close(socket);
    socket->trouble = is_late ? STORE_SLOW : STORE_AWAY;
    const char *why = strerror_r(code, text, sizeof(text));
    return error_set(err, ST_RETRY, code, "redis: the connection to %s was lost: %s: %s%s",
        socket->shown, what, why, is_late ? "" : advice(socket, was_tls));
}

/* Wait until the socket is ready for `events`; ETIMEDOUT at the deadline, else 0 or an errno. */
static int wait_for(int fd, short events, int64_t deadline_ns)
{
    for (;;) {
        int64_t rest_ns = deadline_ns - clock_ns();
        if (rest_ns <= 0) return ETIMEDOUT;
        struct pollfd polled = {.fd = fd, .events = events};
        int64_t rest_ms = (rest_ns + NS_PER_MS - 1) / NS_PER_MS;
        int ready = poll(&polled, 1, rest_ms > 60000 ? 60000 : (int)rest_ms);
        if (ready > 0) return 0;
        if (ready < 0 && errno != EINTR) return errno;
    }
}

/* Connect a new socket; gives its fd, or -1 and `*code`. */
static int connect_to(
    int family, const struct sockaddr *to, socklen_t bytes, int64_t deadline_ns, int *code)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *code = errno;
        return -1;
    }
    *code = connect(fd, to, bytes) == 0 ? 0 : errno;
    if (*code == EINPROGRESS || *code == EINTR) {
        socklen_t size = sizeof(*code);
        int waited = wait_for(fd, POLLOUT, deadline_ns);
        if (waited != 0)
            *code = waited;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, code, &size) != 0)
            *code = errno;
    }
    if (*code == 0) return fd;
    close(fd);
    return -1;
}

static int connect_unix(const struct redis_peer *peer, int64_t deadline_ns, int *code)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, peer->path, strlen(peer->path) + 1);
    return connect_to(AF_UNIX, (const struct sockaddr *)&to, sizeof(to), deadline_ns, code);
}

/* Try each address that the host's name has. `*unknown` says why the name has none. */
static int connect_tcp(
    const struct redis_peer *peer, int64_t deadline_ns, int *code, const char **unknown)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(peer->host, peer->port, &hints, &found);
    if (failure != 0) {
        *unknown = gai_strerror(failure);
        return -1;
    }
    int fd = -1, on = 1;
    for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next)
        fd = connect_to(a->ai_family, a->ai_addr, a->ai_addrlen, deadline_ns, code);
    freeaddrinfo(found);
    if (fd < 0) return fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    return fd;
}

static enum status plain_open(struct redis_socket *socket, const struct redis_peer *peer,
    int64_t deadline_ns, struct error *err)
{
    int code = 0;
    const char *unknown = NULL;
    socket->fd = peer->is_unix ? connect_unix(peer, deadline_ns, &code)
                               : connect_tcp(peer, deadline_ns, &code, &unknown);
    if (socket->fd >= 0) return ST_OK;

    char text[96];
    const char *why = unknown != NULL ? unknown : strerror_r(code, text, sizeof(text));
    socket->trouble = STORE_AWAY;
    return error_set(err, ST_RETRY, code,
        "redis: cannot connect to %s: %s; is Redis running, and is the URL right?", peer->shown,
        why);
}

static enum status plain_write(
    struct redis_socket *socket, struct bytes bytes, int64_t deadline_ns, struct error *err)
{
    while (bytes.size > 0) {
        ssize_t sent = send(socket->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes = (struct bytes){bytes.data + sent, bytes.size - (size_t)sent};
            continue;
        }
        if (errno == EINTR) continue;
        int code = errno == EAGAIN || errno == EWOULDBLOCK
                       ? wait_for(socket->fd, POLLOUT, deadline_ns)
                       : errno;
        if (code != 0) return lost(socket, code, "sending", err);
    }
    return ST_OK;
}

static enum status plain_read(struct redis_socket *socket, void *into, size_t room, size_t *got,
    int64_t deadline_ns, struct error *err)
{
    for (;;) {
        ssize_t received = recv(socket->fd, into, room, 0);
        if (received > 0) {
            *got = (size_t)received;
            return ST_OK;
        }
        if (received == 0) return lost(socket, ECONNRESET, "the server closed it", err);
        if (errno == EINTR) continue;
        int code = errno == EAGAIN || errno == EWOULDBLOCK
                       ? wait_for(socket->fd, POLLIN, deadline_ns)
                       : errno;
        if (code != 0) return lost(socket, code, "waiting for an answer", err);
    }
}

static enum status tls_lost(struct redis_socket *socket, struct error *err)
{
    socket->trouble = STORE_TLS;
    enum status status = redis_tls_failure(socket->tls, socket->shown, err);
    redis_socket_close(socket);
    return status;
}

static enum status tls_flush(struct redis_socket *socket, int64_t deadline_ns, struct error *err)
{
    enum status status = plain_write(socket, redis_tls_outgoing(socket->tls), deadline_ns, err);
    if (status == ST_OK) redis_tls_sent(socket->tls);
    return status;
}

static enum status tls_fetch(struct redis_socket *socket, int64_t deadline_ns, struct error *err)
{
    char bytes[TLS_READ_BYTES];
    size_t size;
    enum status status = plain_read(socket, bytes, sizeof(bytes), &size, deadline_ns, err);
    if (status == ST_OK) redis_tls_received(socket->tls, bytes, size);
    return status;
}

static enum status tls_open(struct redis_socket *socket, const struct redis_peer *peer,
    const struct tls_files *files, int64_t deadline_ns, struct error *err)
{
    enum tls_step step = TLS_WANTS_MORE;
    enum status status = redis_tls_new(&socket->tls, files, peer->host, err);
    if (status != ST_OK) {
        redis_socket_close(socket);
        socket->trouble = STORE_TLS;
    }
    while (status == ST_OK && step != TLS_DONE) {
        step = redis_tls_greet(socket->tls);
        if (step == TLS_FAILED || step == TLS_CLOSED) return tls_lost(socket, err);
        status = tls_flush(socket, deadline_ns, err);
        if (status == ST_OK && step == TLS_WANTS_MORE) status = tls_fetch(socket, deadline_ns, err);
    }
    if (status == ST_OK || socket->trouble == STORE_TLS) return status;
    socket->trouble = STORE_TLS;
    return error_set(err, ST_RETRY, err->code,
        "redis: %s did not finish the TLS handshake: does this port speak TLS? Give its tls-port, "
        "or write redis:// (sentinel://) to go without",
        peer->shown);
}

enum status redis_socket_open(struct redis_socket *socket, const struct redis_peer *peer,
    const struct tls_files *tls, int64_t deadline_ns, struct error *err)
{
    snprintf(socket->shown, sizeof(socket->shown), "%s", peer->shown);
    socket->trouble = STORE_AWAY;
    socket->heard = false;
    enum status status = plain_open(socket, peer, deadline_ns, err);
    if (status != ST_OK || !peer->is_tls) return status;
    return tls_open(socket, peer, tls, deadline_ns, err);
}

enum status redis_socket_write(
    struct redis_socket *socket, struct bytes bytes, int64_t deadline_ns, struct error *err)
{
    if (socket->tls == NULL) return plain_write(socket, bytes, deadline_ns, err);
    if (redis_tls_encrypt(socket->tls, bytes) != TLS_DONE) return tls_lost(socket, err);
    return tls_flush(socket, deadline_ns, err);
}

enum status redis_socket_read(struct redis_socket *socket, void *into, size_t room, size_t *got,
    int64_t deadline_ns, struct error *err)
{
    if (socket->tls == NULL) {
        enum status status = plain_read(socket, into, room, got, deadline_ns, err);
        if (status == ST_OK) socket->heard = true;
        return status;
    }
    for (;;) {
        enum tls_step step = redis_tls_decrypt(socket->tls, into, room, got);
        if (step == TLS_DONE) {
            socket->heard = true;
            return ST_OK;
        }
        if (step == TLS_FAILED) return tls_lost(socket, err);
        if (step == TLS_CLOSED) return lost(socket, ECONNRESET, "the server closed it", err);
        enum status status = tls_flush(socket, deadline_ns, err);
        if (status == ST_OK) status = tls_fetch(socket, deadline_ns, err);
        if (status != ST_OK) return status;
    }
}
