#include "sinks/redis_script.h"

/*
 * Offsets are compared as the text they came as. A first batch (PREV -1) under another plan takes
 * the store over; what the old plan left behind expires.
 *
 * A full server refuses what may grow it, but lets a script that has written before go on. So the
 * first write must be one that it refuses, which DEL is not.
 */
const char redis_script[] =
    "local plan, partition, prev, last = ARGV[1], ARGV[2], ARGV[3], ARGV[4]\n"
    "local held = redis.call('HMGET', KEYS[1], 'plan', partition)\n"
    "local switch = held[1] ~= plan\n"
    "local applied = not switch and held[2] or '-1'\n"
    "if applied ~= prev then return applied end\n"
    "\n"
    "local own = {}\n"
    "function own.NEWER(i)\n"
    "  local key, field, stop, json = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]\n"
    "  local old = redis.call('HGET', key, field)\n"
    "  local old_stop = old and tonumber(string.match(old, '\"end_ms\":(%d+)'))\n"
    "  if old_stop and old_stop > tonumber(stop) then return end\n"
    "  redis.call('HSET', key, field, json)\n"
    "end\n"
    "function own.KEEP(i)\n"
    "  local key, ms = ARGV[i + 1], ARGV[i + 2]\n"
    "  if redis.call('PTTL', key) < tonumber(ms) then redis.call('PEXPIRE', key, ms) end\n"
    "end\n"
    "\n"
    "if switch then\n"
    "  redis.call('HSET', KEYS[1], 'plan', plan)\n"
    "  redis.call('DEL', KEYS[1], KEYS[2])\n"
    "  redis.call('HSET', KEYS[1], 'plan', plan)\n"
    "end\n"
    "local i = 5\n"
    "while ARGV[i] do\n"
    "  local words = tonumber(ARGV[i])\n"
    "  local run = own[ARGV[i + 1]]\n"
    "  if run then run(i + 1) else redis.call(unpack(ARGV, i + 1, i + words)) end\n"
    "  i = i + words + 1\n"
    "end\n"
    "redis.call('HSET', KEYS[1], partition, last)\n"
    "return last\n";
