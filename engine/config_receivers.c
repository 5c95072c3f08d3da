#include "engine/config_receivers.h"

#include "engine/base/duration.h"
#include "operators/glob.h"
#include "schemas/series_name.h"

#include <stdio.h>
#include <string.h>

static const char key_of_all[] = "notify.receivers";

#define DAY_NS (86400 * INT64_C(1000000000))

static const struct node *entry_of(const struct node *map, const char *key)
{
    for (const struct node *entry = map->first; entry != NULL; entry = entry->next) {
        if (strcmp(entry->key, key) == 0) return entry;
    }
    return NULL;
}

static enum status find_kind(
    const struct node *map, const struct notifier **kind, struct error *err)
{
    char known[128] = "";
    *kind = NULL;
    for (const struct notifier *const *n = notifiers; *n != NULL; n++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof(known) - used, "%s%s", used == 0 ? "" : ", ", (*n)->name);
        const struct node *entry = entry_of(map, (*n)->name);
        if (entry == NULL) continue;
        if (*kind != NULL)
            return node_error_at_key(entry, err,
                "%s: this receiver is a %s already; write two receivers", (*n)->name,
                (*kind)->name);
        *kind = *n;
    }
    if (*kind != NULL) return ST_OK;
    return node_error(map, key_of_all, err, "a receiver is one of: %s; this one is none", known);
}

/* Where an option was written, or else the receiver. */
static enum status refuse(
    const struct node *map, const char *key, const char *why, struct error *err)
{
    const struct node *entry = entry_of(map, key);
    return node_error(entry == NULL ? map : entry, key, err, "%s", why);
}

static enum status check_keys(
    const struct config *config, const struct receiver *receiver, struct error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const struct notifier_keys *keys = receiver->self;
    size_t size = strlen(keys->name);
    if (size == 0 || size >= NOTIFIER_NAME_BYTES || strspn(keys->name, allowed) != size)
        return refuse(receiver->written, "name", "want 1 to 48 of A-Z a-z 0-9 . _ -", err);
    for (size_t i = 0; i < config->receivers; i++) {
        const struct notifier_keys *other = config->receiver[i].self;
        if (strcmp(other->name, keys->name) == 0)
            return refuse(receiver->written, "name",
                "another receiver has that name; give each its own", err);
    }
    if (keys->give_up_ns >= 60 * (DAY_NS / 86400) && keys->give_up_ns <= 30 * DAY_NS) return ST_OK;
    return refuse(receiver->written, "give_up", "it is out of range; want 1m to 30d", err);
}

static enum status read_match(
    struct receiver *receiver, const struct node *map, struct pool *pool, struct error *err)
{
    const struct node *match = entry_of(map, "match");
    if (match == NULL) return ST_OK;
    if (match->kind != NODE_MAP)
        return node_error(match, "match", err,
            "want labels with patterns, as in {severity: page, service: [cart, check*]}");
    if (match->count > MATCHES_MAX)
        return node_error(
            match, "match", err, "%zu labels, at most %d are taken", match->count, MATCHES_MAX);
    for (const struct node *entry = match->first; entry != NULL; entry = entry->next) {
        struct label_match *m = &receiver->match[receiver->matches++];
        m->label = entry->key;
        enum status status = option_read_texts("match", entry, &m->patterns, pool, err);
        if (status != ST_OK) return status;
        if (m->patterns.count == 0)
            return node_error(entry, "match", err, "%s: want a pattern; * is any value",
                node_show(entry->key).text);
    }
    return ST_OK;
}

static enum status read_receiver(
    struct config *config, const struct node *map, struct pool *pool, struct error *err)
{
    struct receiver *receiver = &config->receiver[config->receivers];
    struct error why = {.text = ""};
    const char *key = key_of_all;
    if (map->kind != NODE_MAP)
        return node_error(map, key_of_all, err,
            "want keys with values, as in {name: pager, webhook: "
            "\"https://pager.example/alerts\"}");
    *receiver = (struct receiver){.written = map};
    enum status status = find_kind(map, &receiver->kind, err);
    if (status != ST_OK) return status;
    receiver->self = pool_take(pool, receiver->kind->self_bytes);
    memset(receiver->self, 0, receiver->kind->self_bytes);
    status = options_read(receiver->kind->options, receiver->self, map, pool, err);
    if (status == ST_OK) status = check_keys(config, receiver, err);
    if (status == ST_OK) status = read_match(receiver, map, pool, err);
    if (status != ST_OK) return status;
    if (receiver->kind->check(receiver->self, &key, &why) != ST_OK)
        return refuse(map, key, why.text, err);
    config->receivers++;
    return ST_OK;
}

/* Each place has its own thread and connection. */
static enum status check_places(
    const struct config *config, const struct node *node, struct error *err)
{
    size_t places = 0;
    for (size_t i = 0; i < config->receivers; i++)
        places += config->receiver[i].kind->places(config->receiver[i].self);
    if (places <= NOTIFY_PLACES_MAX) return ST_OK;
    return node_error(node, key_of_all, err,
        "%zu receivers, each Alertmanager counted; at most %d are taken", places,
        NOTIFY_PLACES_MAX);
}

enum status config_read_receivers(
    struct config *config, const struct node *node, struct pool *pool, struct error *err)
{
    config->receivers = 0;
    if (node->kind != NODE_LIST)
        return node_error(node, key_of_all, err,
            "want a list, as in [{name: pager, webhook: \"https://pager.example/alerts\"}]");
    if (node->count > RECEIVERS_MAX)
        return node_error(node, key_of_all, err, "%zu receivers, at most %d are taken", node->count,
            RECEIVERS_MAX);
    enum status status = ST_OK;
    for (const struct node *r = node->first; r != NULL && status == ST_OK; r = r->next)
        status = read_receiver(config, r, pool, err);
    return status == ST_OK ? check_places(config, node, err) : status;
}

/* Patterns are matched against what is percent-encoded, as values of a series are. */
static bool fits(const struct label_match *match, const char *value)
{
    struct buffer encoded = {0};
    bool found = false;
    series_name_encode(&encoded, bytes_of(value));
    for (size_t i = 0; i < match->patterns.count && !found; i++)
        found = glob_matches(bytes_of(match->patterns.text[i]), buffer_bytes(&encoded));
    buffer_release(&encoded);
    return found;
}

bool receiver_wants(const struct receiver *receiver, const struct notice *notice)
{
    for (size_t i = 0; i < receiver->matches; i++) {
        const char *value = notice_label(notice, receiver->match[i].label);
        if (!fits(&receiver->match[i], value == NULL ? "" : value)) return false;
    }
    return true;
}

void receiver_place(const struct receiver *receiver, size_t i, char name[RECEIVER_PLACE_BYTES])
{
    const struct notifier_keys *keys = receiver->self;
    char place[NOTIFIER_PLACE_BYTES];
    receiver->kind->place(receiver->self, i, place);
    snprintf(name, RECEIVER_PLACE_BYTES, "%s%s%s", keys->name, place[0] == '\0' ? "" : "@", place);
}
