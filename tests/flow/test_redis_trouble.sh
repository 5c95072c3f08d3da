#!/bin/bash
# Redis full, read-only, slow, gone, and throwing rows away: each is said with what to do, stands on
# /readyz and in the metrics, and once it is over Redis shows all that the rows topic says.
. "$(dirname "$0")/common.sh"
need_kafka
need_own_redis

topic=$RUN-spans
generate "$topic" --since 20m --seed 7 --late 3%
port=$(servers_free_port)

redis() { redis-cli -u "$WEIR_TEST_REDIS" "$@" >/dev/null; }
readyz() { curl -s "http://127.0.0.1:$port/readyz"; }
metrics() { curl -s "http://127.0.0.1:$port/metrics"; }
says() { readyz | grep -q "^$1: not ready: .*$2"; }
is_ready() { readyz | grep -q "^$1: ready"; }
counts() { metrics | grep -q "^$1 [1-9]"; }
has_history() { [ -n "$(redis-cli -u "$WEIR_TEST_REDIS" --scan --pattern "$name:history:*" | head -1)" ]; }

# trouble REASON WORDS: that it is said in all three places.
trouble() {
    servers_wait 60 "$pid" says redis "$2" || fail "/readyz does not say \"$2\", but: $(readyz)"
    servers_wait 20 "$pid" counts "weir_redis_troubles_total{reason=\"$1\"}" || fail "no metric of $1"
    grep -q "does not take rows.* reason=$1 .*$2" "$WORK/$name.log" || fail "the log does not say $1: $2"
}
over() { servers_wait 60 "$pid" is_ready redis || fail "/readyz does not say that $1 is over"; }

# One trouble after the other, in the middle of a run that waits for the first to be over.
name=$RUN-trouble
redis CONFIG SET maxmemory 1
worker "$name" "$topic" "$name" --set max_ahead=1m --set epoch=100ms --set redis.timeout=300ms \
    --set http.listen=127.0.0.1:"$port"
pid=$WORKER
trouble full 'raise its maxmemory'
redis REPLICAOF 127.0.0.1 1
trouble read_only 'read-only replica'
kill -STOP "$REDIS_PID"
trouble slow 'SLOWLOG'
kill -CONT "$REDIS_PID"
redis CONFIG SET maxmemory 0
redis REPLICAOF NO ONE
over 'all of it'
servers_wait 60 "$pid" has_history || fail "no rows once it was over"
wait "$pid" || fail "$name ended with exit code $?"
check_rows "$name" "$topic"
check_redis "$name"
said=$(grep -c 'does not take rows' "$WORK/$name.log")
[ "$said" -le 15 ] || fail "it was said $said times"

# A worker with nothing to write notices that Redis is gone, and that it is back.
name=$RUN-idle
"$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$name" \
    --set redis.prefix="$name" --set http.listen=127.0.0.1:"$port" --set start=latest --set time=records \
    --set redis.timeout=300ms >"$WORK/$name.log" 2>&1 &
pid=$!
SERVERS_PIDS+=("$pid")
servers_wait 60 "$pid" is_ready redis || fail "an idle worker never became ready"
kill -STOP "$REDIS_PID"
trouble slow 'SLOWLOG'
kill -CONT "$REDIS_PID"
over 'a pause while nothing was written'
servers_stop "$pid"

# Too little memory and a policy that evicts: said, not fought; complete once there is room.
name=$RUN-evicts
used_memory() { redis-cli -u "$WEIR_TEST_REDIS" info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p'; }
full=$(used_memory)
redis FLUSHALL
empty=$(used_memory)
redis CONFIG SET maxmemory-policy allkeys-lru maxmemory $((empty + (full - empty) * 3 / 4))
worker "$name" "$topic" "$name" --set max_ahead=1m --set http.listen=127.0.0.1:"$port"
pid=$WORKER
servers_wait 60 "$pid" says evictions 'maxmemory-policy allkeys-lru' || fail "/readyz says nothing of evictions"
servers_wait 20 "$pid" counts weir_redis_evicted_keys_total || fail "no metric of evictions"
# Batch mode cannot end while rows are missing, so this sees it at its end, or near it.
sink_at_end() { grep -q 'does not keep what it is given' "$WORK/$name.log"; }
servers_wait 60 "$pid" sink_at_end || fail "the log says nothing of evictions"
sleep 3
kill -0 "$pid" || fail "the worker left though rows are missing"
fills=$(grep -c 'all rows are written again' "$WORK/$name.log")
[ "$fills" = 0 ] || fail "a Redis that is too small was filled again"
redis CONFIG SET maxmemory 0 maxmemory-policy noeviction
wait "$pid" || fail "$name ended with exit code $?"
check_rows "$name" "$topic"
check_redis "$name"

# Its place is thrown away too when all has been read, and no new row will come: a worker that finds that waits as well.
redis CONFIG SET maxmemory-policy allkeys-lru maxmemory $((empty + (full - empty) * 3 / 4))
redis DEL "$name:applied"
worker "$name" "$topic" "$name-again" --set max_ahead=1m --set http.listen=127.0.0.1:"$port"
pid=$WORKER
sink_at_end() { grep -q 'does not keep what it is given' "$WORK/$name-again.log"; }
servers_wait 60 "$pid" sink_at_end || fail "the log of a worker without new rows says nothing of evictions"
sleep 3
kill -0 "$pid" || fail "the worker left though Redis holds nothing"
redis CONFIG SET maxmemory 0 maxmemory-policy noeviction
wait "$pid" || fail "$name ended with exit code $?"
check_redis "$name"
