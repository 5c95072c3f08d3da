/*
 * A real redis-server for one test: a free loopback port and a unix socket in a temporary folder.
 *
 * It ends with the test, also when the test crashes.
 */
#ifndef TESTS_SUPPORT_REDIS_SERVER_H
#define TESTS_SUPPORT_REDIS_SERVER_H

#include <sys/types.h>

#include <hiredis/hiredis.h>

enum { REDIS_SERVER_OPTIONS_MAX = 24 };

struct redis_server {
    pid_t pid; /* 0: not running */
    int port;
    char folder[64];
    char socket[96];
    char unix_url[128];
    char tcp_url[64];
    char config[96]; /* of a Sentinel; "": none */
    const char *options[REDIS_SERVER_OPTIONS_MAX + 1];
    redisContext *client; /* of the default user without a password, for looking and meddling */
};

/* Leave the test unless redis-server is installed: in one line, 77, or 1 when CI=true. */
void redis_server_require(void);

int redis_server_free_port(void); /* on loopback, another one each time */

/*
 * Start one and wait until it answers; a test cannot go on without.
 *
 * options  more words for its command line, NULL-terminated, or NULL
 */
void redis_server_start(struct redis_server *server, const char *const *options);
/*
 * Start a Sentinel that alone decides about `master`, a server on loopback at `port`.
 *
 * more  lines for its config, or NULL
 */
void redis_server_start_sentinel(
    struct redis_server *server, const char *master, int port, const char *more);
/* Kill it as a power cut would, and start it again, empty, at the same place. */
void redis_server_kill(struct redis_server *server);
void redis_server_restart(struct redis_server *server);
/* Connect to it anew: a fail-over closes the connections of a server whose part changes. */
void redis_server_meet(struct redis_server *server);
void redis_server_stop(struct redis_server *server);

/* Run one command, whose words have no spaces; the reply is the caller's. */
redisReply *redis_server_do(struct redis_server *server, const char *line);
/* The same for a reply that is text or nothing: into one of a few static buffers, "" for nothing. */
const char *redis_server_text(struct redis_server *server, const char *line);
/* The same for a number: -1 for nothing, -1000 for what is none. */
long long redis_server_number(struct redis_server *server, const char *line);

#endif
