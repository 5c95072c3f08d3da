#include "tests/support/redis_server.h"

#include "engine/base/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_TRIES = 500, TEXTS = 8, WORDS_MAX = 64, PORT_MIN = 20000, PORTS = 12000 };

static void give_up(const char *why)
{
    fprintf(stderr, "redis-server for a test: %s\n", why);
    exit(1);
}

void redis_server_require(void)
{
    if (system("command -v redis-server >/dev/null") == 0) return;
    const char *ci = getenv("CI");
    printf("redis-server is not installed: apt-get install redis-server\n");
    exit(ci != NULL && strcmp(ci, "true") == 0 ? 1 : 77);
}

static bool is_free(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) give_up("no socket");
    bool free = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return free;
}

/* Below the range that the system hands out to clients, and 10000 below 65536 for a cluster's bus. */
int redis_server_free_port(void)
{
    static unsigned next;
    for (int tries = 0; tries < PORTS; tries++) {
        int port = PORT_MIN + (int)(((unsigned)getpid() * 131 + next++) % PORTS);
        if (is_free(port)) return port;
    }
    give_up("no free port");
    return 0;
}

/* In the child: become redis-server, and end with the test. */
static void become(const struct redis_server *server, pid_t parent)
{
    char port[16], log[128];
    snprintf(port, sizeof(port), "%d", server->port);
    snprintf(log, sizeof(log), "%s/redis.log", server->folder);
    const char *words[REDIS_SERVER_OPTIONS_MAX + 20] = {"redis-server", "--port", port, "--bind",
        "127.0.0.1", "--unixsocket", server->socket, "--save", "", "--appendonly", "no", "--dir",
        server->folder, "--logfile", log};
    size_t count = 15;
    for (const char *const *o = server->options; *o != NULL; o++)
        words[count++] = *o;
    const char *sentinel[] = {"redis-server", server->config, "--sentinel", NULL};
    const char *const *run = server->config[0] == '\0' ? words : sentinel;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    execvp(run[0], (char *const *)run);
    _exit(127);
}

static void connect_client(struct redis_server *server)
{
    for (int tries = 0; tries < WAIT_TRIES; tries++) {
        redisContext *client = redisConnectUnix(server->socket);
        redisReply *reply = client->err == 0 ? redisCommand(client, "PING") : NULL;
        bool ready = reply != NULL && strncmp(reply->str, "LOADING", 7) != 0;
        if (reply != NULL) freeReplyObject(reply);
        if (ready) {
            server->client = client;
            return;
        }
        redisFree(client);
        clock_sleep(20 * NS_PER_MS);
    }
    give_up("it does not answer");
}

static void launch(struct redis_server *server)
{
    pid_t parent = getpid();
    fflush(NULL);
    server->pid = fork();
    if (server->pid < 0) give_up("no process for it");
    if (server->pid == 0) become(server, parent);
    connect_client(server);
}

static void settle(struct redis_server *server)
{
    *server = (struct redis_server){.port = redis_server_free_port()};
    snprintf(server->folder, sizeof(server->folder), "/tmp/weir-redis.XXXXXX");
    if (mkdtemp(server->folder) == NULL) give_up("no temporary folder");
    snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->folder);
    snprintf(server->unix_url, sizeof(server->unix_url), "unix://%s", server->socket);
    snprintf(server->tcp_url, sizeof(server->tcp_url), "redis://127.0.0.1:%d", server->port);
}

void redis_server_start(struct redis_server *server, const char *const *options)
{
    settle(server);
    for (size_t i = 0; options != NULL && options[i] != NULL && i < REDIS_SERVER_OPTIONS_MAX; i++)
        server->options[i] = options[i];
    launch(server);
}

void redis_server_start_sentinel(
    struct redis_server *server, const char *master, int port, const char *more)
{
    settle(server);
    snprintf(server->config, sizeof(server->config), "%s/sentinel.conf", server->folder);
    FILE *config = fopen(server->config, "w");
    if (config == NULL) give_up("no config for a Sentinel");
    fprintf(config,
        "port %d\nbind 127.0.0.1\nunixsocket %s\ndir %s\nlogfile %s/redis.log\n"
        "sentinel monitor %s 127.0.0.1 %d 1\nsentinel down-after-milliseconds %s 500\n"
        "sentinel failover-timeout %s 2000\n%s\n",
        server->port, server->socket, server->folder, server->folder, master, port, master, master,
        more == NULL ? "" : more);
    fclose(config);
    launch(server);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->client != NULL) redisFree(server->client);
    server->client = NULL;
    if (server->pid == 0) return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void redis_server_restart(struct redis_server *server)
{
    unlink(server->socket);
    launch(server);
}

void redis_server_meet(struct redis_server *server)
{
    redisFree(server->client);
    connect_client(server);
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    (void)stat;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void redis_server_stop(struct redis_server *server)
{
    redis_server_kill(server);
    nftw(server->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

redisReply *redis_server_do(struct redis_server *server, const char *line)
{
    char copy[4096];
    const char *words[WORDS_MAX];
    int count = 0;
    char *rest = NULL;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL && count < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    redisReply *reply = redisCommandArgv(server->client, count, words, NULL);
    if (reply == NULL) give_up("the connection of the test was lost");
    return reply;
}

const char *redis_server_text(struct redis_server *server, const char *line)
{
    static char texts[TEXTS][4096];
    static unsigned next;
    char *text = texts[next++ % TEXTS];
    redisReply *reply = redis_server_do(server, line);
    snprintf(text, sizeof(texts[0]), "%s", reply->str == NULL ? "" : reply->str);
    freeReplyObject(reply);
    return text;
}

long long redis_server_number(struct redis_server *server, const char *line)
{
    redisReply *reply = redis_server_do(server, line);
    long long number = -1000;
    if (reply->type == REDIS_REPLY_INTEGER) number = reply->integer;
    if (reply->type == REDIS_REPLY_NIL) number = -1;
    if (reply->type == REDIS_REPLY_STRING) number = strtoll(reply->str, NULL, 10);
    freeReplyObject(reply);
    return number;
}
