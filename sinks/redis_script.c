#include "sinks/redis_script.h"

/*
 * Offsets are compared as the text they came as. A first batch (PREV -1) under another plan takes
 * the store over; what the old plan left behind expires.
 *
 * A full server refuses what may grow it, but lets a script that has written before go on. So the
 * first write must be one that it refuses, which DEL is not.
 *
 * Redis does not say which command of a script its user may not run, so the script does.
 */
const char redis_script[] =
    "local refused\n"
    "local function run(name, key, ...)\n"
    "  local reply = redis.pcall(name, key, ...)\n"
    "  if type(reply) == 'table' and reply.err then\n"
    "    refused = string.match(reply.err, '^%-?([^\\r\\n]*)') ..\n"
    "      ' (' .. name .. ' ' .. string.sub(key, 1, 40) .. ')'\n"
    "  end\n"
    "  return reply\n"
    "end\n"
    "\n"
    "local plan, partition, prev, last, mark = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]\n"
    "local held = run('HMGET', KEYS[1], 'plan', partition)\n"
    "if refused then return redis.error_reply(refused) end\n"
    "local switch = held[1] ~= plan\n"
    "local applied = not switch and held[2] or '-1'\n"
    "if applied ~= prev then return applied end\n"
    "\n"
    "local own = {}\n"
    "function own.NEWER(i)\n"
    "  local key, field, stop, json = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]\n"
    "  local old = run('HGET', key, field)\n"
    "  if refused then return end\n"
    "  local old_stop = old and tonumber(string.match(old, '\"end_ms\":(%d+)'))\n"
    "  if old_stop and old_stop > tonumber(stop) then return end\n"
    "  run('HSET', key, field, json)\n"
    "end\n"
    "function own.KEEP(i)\n"
    "  local key, ms = ARGV[i + 1], ARGV[i + 2]\n"
    "  local left = run('PTTL', key)\n"
    "  if not refused and left < tonumber(ms) then run('PEXPIRE', key, ms) end\n"
    "end\n"
    "\n"
    "if switch then\n"
    "  run('HSET', KEYS[1], 'plan', plan)\n"
    "  if not refused then run('DEL', KEYS[1], KEYS[2]) end\n"
    "  if not refused then run('HSET', KEYS[1], 'plan', plan) end\n"
    "end\n"
    "local i = 6\n"
    "while ARGV[i] and not refused do\n"
    "  local words = tonumber(ARGV[i])\n"
    "  local special = own[ARGV[i + 1]]\n"
    "  if special then special(i + 1) else run(unpack(ARGV, i + 1, i + words)) end\n"
    "  i = i + words + 1\n"
    "end\n"
    "if prev == '-1' and not refused then\n"
    "  run('HSET', KEYS[1], 'evicted:' .. partition, mark)\n"
    "end\n"
    "if not refused then run('HSET', KEYS[1], partition, last) end\n"
    "if refused then return redis.error_reply(refused) end\n"
    "return last\n";
