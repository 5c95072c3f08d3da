#include "sinks/redis_refusal.h"

#include <string.h>

static const char is_cluster[] =
    "It is a Redis Cluster: weir needs a single server or one with Sentinels.";
static const char sentinel_password[] =
    "A Sentinel's own password is written behind the master's name, ?sentinel_password=... (and "
    "sentinel_user=...); what stands before @ is for the servers that hold the data.";
static const char see_acl[] = "Give the user that permission: sinks/REDIS.md has the ACL line.";

/* What an error reply asks for, by how it begins. */
static const struct error_kind {
    const char *code;
    enum status status;
    enum store_trouble trouble;
    const char *advice;
    const char *sentinel_advice; /* NULL: the same */
} error_kinds[] = {
    {"READONLY", ST_RETRY, STORE_READ_ONLY,
        "It is a read-only replica: give the URL of the primary, or of its Sentinels.", NULL},
    {"OOM", ST_RETRY, STORE_FULL,
        "It is full: raise its maxmemory, or keep less (history, limits.series). Keep "
        "maxmemory-policy noeviction.",
        NULL},
    {"LOADING", ST_RETRY, STORE_BUSY, "It is loading its data and will be ready soon.", NULL},
    {"BUSY", ST_RETRY, STORE_BUSY,
        "Someone's script blocks it: see SLOWLOG, or end that with SCRIPT KILL.", NULL},
    {"MASTERDOWN", ST_RETRY, STORE_READ_ONLY,
        "It is a replica without its primary: give the primary's URL.", NULL},
    {"NOREPLICAS", ST_RETRY, STORE_BUSY,
        "It wants more replicas than are connected: min-replicas-to-write.", NULL},
    {"MISCONF", ST_RETRY, STORE_BUSY, "It cannot save to disk: look at its log and its disk.",
        NULL},
    {"NOGROUP", ST_LOST, STORE_BUSY, "It was emptied, or the group was destroyed.", NULL},
    {"UNBLOCKED", ST_LOST, STORE_BUSY, "It was emptied, or is no primary any more.", NULL},
    {"BUSYGROUP", ST_SKIP, STORE_BUSY, "It is there already.", NULL},
    {"ERR no such key", ST_LOST, STORE_BUSY, "It was emptied.", NULL},
    {"TRYAGAIN", ST_RETRY, STORE_BUSY, "Trying again will do.", NULL},
    {"NOAUTH", ST_FATAL, STORE_REFUSED,
        "It wants a password: write redis://:password@host or user:password@.", sentinel_password},
    {"WRONGPASS", ST_FATAL, STORE_REFUSED, "User or password is wrong, or the user is disabled.",
        sentinel_password},
    {"NOPERM", ST_FATAL, STORE_REFUSED, see_acl, NULL},
    {"ERR The user executing the script", ST_FATAL, STORE_REFUSED, see_acl, NULL},
    {"WRONGTYPE", ST_FATAL, STORE_REFUSED,
        "Something else uses keys of this prefix: choose another prefix.", NULL},
    {"MOVED", ST_FATAL, STORE_REFUSED, is_cluster, NULL},
    {"CROSSSLOT", ST_FATAL, STORE_REFUSED, is_cluster, NULL},
    {"CLUSTERDOWN", ST_FATAL, STORE_REFUSED, is_cluster, NULL},
    {"DENIED", ST_FATAL, STORE_REFUSED,
        "It is in protected mode: set a password, or bind it to loopback.", NULL},
    {"ERR max number of clients", ST_RETRY, STORE_BUSY, "Raise its maxclients.", NULL},
    {"ERR AUTH", ST_FATAL, STORE_REFUSED,
        "It has no password set: leave the password out of the URL.", sentinel_password},
    {"ERR Client sent AUTH", ST_FATAL, STORE_REFUSED,
        "It has no password set: leave the password out.", sentinel_password},
    {"ERR DB index", ST_FATAL, STORE_REFUSED,
        "It has fewer databases than that: see its `databases` setting.", NULL},
    {"ERR unknown command", ST_FATAL, STORE_REFUSED,
        "weir needs Redis 6.2 or newer with none of its commands renamed.",
        "It is not a Sentinel: sentinel:// names Sentinels, a single server is redis://."},
};

/* A script's error before Redis 7 is wrapped: `ERR Error running script ...: -OOM ...`. */
static const char *unwrapped(const char *text)
{
    static const char wrapper[] = "ERR Error running script";
    if (strncmp(text, wrapper, strlen(wrapper)) != 0) return text;
    const char *inner = strstr(text, ": -");
    return inner == NULL ? text : inner + 3;
}

static bool is_code(const char *text, const char *code)
{
    size_t size = strlen(code);
    return strncmp(text, code, size) == 0 && (text[size] == ' ' || text[size] == '\0');
}

enum status redis_refusal(
    struct redis_link *link, const char *doing, const char *reply, struct error *err)
{
    const char *text = unwrapped(reply);
    link->trouble = STORE_REFUSED;
    for (size_t i = 0; i < sizeof(error_kinds) / sizeof(error_kinds[0]); i++) {
        const struct error_kind *kind = &error_kinds[i];
        bool at_sentinel = link->is_sentinel && kind->sentinel_advice != NULL;
        if (!is_code(text, kind->code)) continue;
        link->trouble = kind->trouble;
        return error_set(err, kind->status, 0, "redis: %s (user %s) will not %s: %.120s. %s",
            link->peer.shown, link->user, doing, text,
            at_sentinel ? kind->sentinel_advice : kind->advice);
    }
    return error_set(err, ST_FATAL, 0, "redis: %s (user %s) will not %s: %.200s", link->peer.shown,
        link->user, doing, text);
}
