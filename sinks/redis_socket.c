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

void redis_socket_close(struct redis_socket *socket)
{
    if (socket->fd >= 0) close(socket->fd);
    socket->fd = -1;
}

/* The socket is of no use any more: close it and say why. */
static enum status lost(struct redis_socket *socket, int code, const char *what, struct error *err)
{
    char text[96];
    redis_socket_close(socket);
    const char *why = strerror_r(code, text, sizeof(text));
    return error_set(err, ST_RETRY, code, "redis: the connection was lost: %s: %s", what, why);
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

enum status redis_socket_open(struct redis_socket *socket, const struct redis_peer *peer,
    int64_t deadline_ns, struct error *err)
{
    int code = 0;
    const char *unknown = NULL;
    socket->fd = peer->is_unix ? connect_unix(peer, deadline_ns, &code)
                               : connect_tcp(peer, deadline_ns, &code, &unknown);
    if (socket->fd >= 0) return ST_OK;

    char text[96];
    const char *why = unknown != NULL ? unknown : strerror_r(code, text, sizeof(text));
    return error_set(err, ST_RETRY, code,
        "redis: cannot connect to %s: %s; is Redis running, and is the URL right?", peer->shown,
        why);
}

enum status redis_socket_write(
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

enum status redis_socket_read(struct redis_socket *socket, void *into, size_t room, size_t *got,
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
