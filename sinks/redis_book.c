#include "sinks/redis_book.h"

#include <stdlib.h>
#include <string.h>

const char *const book_state_name[BOOK_STATES] = {
    [BOOK_SENDING] = "sending",
    [BOOK_FIRING] = "firing",
    [BOOK_REFUSED] = "refused",
    [BOOK_RESOLVING] = "resolving",
    [BOOK_RESOLVED] = "resolved",
    [BOOK_GONE] = "gone",
};

/* Redis does not say which command of a script its user may not run, so the scripts do. */
#define SCRIPT_BEGIN                                                                               \
    "local refused\n"                                                                              \
    "local function run(name, ...)\n"                                                              \
    "  local reply = redis.pcall(name, ...)\n"                                                     \
    "  if type(reply) == 'table' and reply.err then\n"                                             \
    "    refused = string.match(reply.err, '^%-?([^\\r\\n]*)') .. ' (' .. name .. ')'\n"           \
    "    return false\n"                                                                           \
    "  end\n"                                                                                      \
    "  return reply\n"                                                                             \
    "end\n"                                                                                        \
    "local rank = {sending = 0, firing = 1, refused = 2, resolving = 3, resolved = 4, gone = 5}\n" \
    "local book, active = KEYS[1], KEYS[2]\n"                                                      \
    "local id, at, state, me = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]\n"                     \
    "local time = run('TIME')\n"                                                                   \
    "local now = time and time[1] * 1000 + math.floor(time[2] / 1000)\n"                           \
    "local old = not refused and run('HGET', book, id)\n"                                          \
    "local old_at, old_state, old_told, old_by\n"                                                  \
    "if old then\n"                                                                                \
    "  old_at, old_state, old_told, old_by = string.match(old, '^(%d+):(%a+):(%d+):([^:]*):')\n"   \
    "  old_at, old_told = tonumber(old_at), tonumber(old_told)\n"                                  \
    "  if not rank[old_state or ''] then old = false end\n"                                        \
    "end\n"                                                                                        \
    "local function note(what, json)\n"                                                            \
    "  run('HSET', book, id, string.format('%d:%s:%.0f:%s:%s', at, what, now, me, json))\n"        \
    "end\n"

const char redis_book_begin[] = SCRIPT_BEGIN
    "local stale, always, json = tonumber(ARGV[5]), ARGV[6] == '1', ARGV[7]\n"
    "local function judge()\n"
    "  local fresh = old and old_by ~= me and now - old_told < stale\n"
    "  if state == 'firing' then\n"
    "    if run('HEXISTS', active, id) ~= 1 then return 'over' end\n"
    "    if not old or old_at < at or old_state == 'gone' then return 'go', 'sending' end\n"
    "    if old_at > at or old_state == 'resolved' then return 'over' end\n"
    "    if old_state == 'resolving' then return fresh and 'busy' or 'go', 'sending' end\n"
    "    if old_state ~= 'sending' then return 'known' end\n"
    "    return fresh and 'busy' or 'go', 'sending'\n"
    "  end\n"
    "  if not old then return always and 'go' or 'never', 'resolving' end\n"
    "  if rank[old_state] >= rank.resolved then return 'known' end\n"
    "  if old_state == 'refused' then return 'never' end\n"
    "  if old_state == 'resolving' then return fresh and 'busy' or 'go', 'resolving' end\n"
    "  if old_at > at then return 'over' end\n"
    "  return 'go', 'resolving'\n"
    "end\n"
    "local verdict, what = 'over', nil\n"
    "if not refused then verdict, what = judge() end\n"
    "if verdict == 'go' and not refused then note(what, json) end\n"
    "if refused then return redis.error_reply(refused) end\n"
    "return verdict\n";

const char redis_book_done[] = SCRIPT_BEGIN
    "local newer = old and (old_at > at or (old_at == at and rank[old_state] > rank[state]))\n"
    "if not refused and not newer then note(state, ARGV[5]) end\n"
    "if refused then return redis.error_reply(refused) end\n"
    "return newer and old_state or 'ok'\n";

static bool take_number(struct bytes *rest, int64_t *number)
{
    char digits[24];
    const uint8_t *colon = rest->size == 0 ? NULL : memchr(rest->data, ':', rest->size);
    size_t size = colon == NULL ? 0 : (size_t)(colon - rest->data);
    if (size == 0 || size >= sizeof(digits)) return false;
    memcpy(digits, rest->data, size);
    digits[size] = '\0';
    if (strspn(digits, "0123456789") != size) return false;
    *number = strtoll(digits, NULL, 10);
    *rest = (struct bytes){colon + 1, rest->size - size - 1};
    return true;
}

static bool take_word(struct bytes *rest, struct bytes *word)
{
    const uint8_t *colon = rest->size == 0 ? NULL : memchr(rest->data, ':', rest->size);
    if (colon == NULL) return false;
    *word = (struct bytes){rest->data, (size_t)(colon - rest->data)};
    *rest = (struct bytes){colon + 1, rest->size - word->size - 1};
    return true;
}

bool book_entry_read(struct book_entry *entry, struct bytes value)
{
    struct bytes state;
    struct book_entry read = {.state = BOOK_STATES};
    if (!take_number(&value, &read.at_ms) || !take_word(&value, &state) ||
        !take_number(&value, &read.told_ms) || !take_word(&value, &read.notifier))
        return false;
    for (int s = 0; s < BOOK_STATES; s++) {
        if (bytes_are(state, book_state_name[s])) read.state = (enum book_state)s;
    }
    read.json = value;
    if (read.state == BOOK_STATES) return false;
    *entry = read;
    return true;
}
