#!/bin/bash
# A real Sentinel makes a replica that is behind the primary, in the middle of applying: what the sink
# had applied and the replica never had is filled again, and Redis shows what the rows topic says.
. "$(dirname "$0")/common.sh"
need_kafka

begin() {
    start_redis "$SERVERS_DIR/$1" "${@:2}" >"$SERVERS_DIR/why" || servers_unavailable "no Redis: $(servers_why)"
}
begin first --repl-diskless-sync-delay 0
first=$WEIR_TEST_REDIS first_pid=$REDIS_PID
begin second --replicaof 127.0.0.1 "${first##*:}"
second=$WEIR_TEST_REDIS second_pid=$REDIS_PID

sentinel=$(servers_free_port)
mkdir -p "$SERVERS_DIR/sentinel"
cat >"$SERVERS_DIR/sentinel.conf" <<CONF
port $sentinel
bind 127.0.0.1
dir $SERVERS_DIR/sentinel
logfile $SERVERS_DIR/sentinel/redis.log
sentinel monitor shop 127.0.0.1 ${first##*:} 1
sentinel down-after-milliseconds shop 1000
sentinel failover-timeout shop 5000
CONF
redis-server "$SERVERS_DIR/sentinel.conf" --sentinel >/dev/null 2>&1 &
sentinel_pid=$!
SERVERS_PIDS+=($!)
knows_replica() { redis-cli -p "$sentinel" sentinel replicas shop 2>/dev/null | grep -q "^${second##*:}$"; }
servers_wait 30 "$sentinel_pid" knows_replica || fail "the Sentinel does not know the replica"

topic=$RUN-spans
generate "$topic" --since 20m --seed 8 --late 3%

name=$RUN-failover
applied() { redis-cli -u "$1" hvals "$name:applied" 2>/dev/null | awk '/^[0-9]+$/ { sum += $1 } END { print sum + 0 }'; }
replica_has_rows() { [ "$(applied "$second")" -gt 0 ]; }
primary_is_ahead() { [ "$(applied "$first")" -gt $(($(applied_when_cut) + 500)) ]; }
applied_when_cut() { cat "$WORK/cut"; }

# Short leashes keep the run from being over before it can be disturbed.
WEIR_TEST_REDIS=sentinel://127.0.0.1:1,127.0.0.1:$sentinel/shop
worker "$name" "$topic" "$name" --set max_ahead=1m --set epoch=100ms
pid=$WORKER
servers_wait 60 "$pid" replica_has_rows || fail "the replica never had rows"
kill -STOP "$second_pid"
redis-cli -u "$first" client kill type replica >/dev/null
applied "$first" >"$WORK/cut"
servers_wait 60 "$pid" primary_is_ahead || fail "the run was over, or stuck, before the fail-over"
servers_stop "$first_pid" KILL
kill -CONT "$second_pid"
wait "$pid" || fail "$name ended with exit code $?"

WEIR_TEST_REDIS=$second
[ "$(redis-cli -u "$second" role | head -1)" = master ] || fail "the replica was never promoted"
grep -q 'going back to it\|the store holds partition\|refilling the store' "$WORK/$name.log" ||
    fail "the replica was not behind: the log does not speak of a lost place"
check_rows "$name" "$topic"
check_redis "$name"
"$WEIR" query services --redis "sentinel://127.0.0.1:$sentinel/shop" --prefix "$name" >"$WORK/services.out" ||
    fail "weir query does not find the new primary"
grep -q checkout "$WORK/services.out" || fail "weir query shows no services"
