#!/bin/bash
# What is lost, damaged or not ours: records, rows and snapshots deleted, offsets that no partial or two
# cover, data of another plan or version, a second worker of the same instance. Each is an error in the log
# with what to do, a metric, a state on /readyz; what cannot be worked with ends the worker with exit code 1.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis
MEDDLE=("$BUILD/tests/weir_meddle" "$WEIR_TEST_BROKERS")
name=$RUN-losses
topic=$RUN-spans
port=$(servers_free_port)
partitions=1

readyz() { curl -s -m 5 "http://127.0.0.1:$port/readyz"; }
metric() { curl -s -m 5 "http://127.0.0.1:$port/metrics" | sed -n "s/^$1 //p"; }
shows() { readyz | grep -q "^$1"; }
# start LOG [options]: a live worker, its pid in $pid
start() {
    log=$1
    shift
    "$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$name" \
        --set redis.prefix="$name" --set http.listen=127.0.0.1:"$port" --set partitions="$partitions" --set start=earliest \
        --set lateness=1s --set epoch=100ms --set snapshot=1s --set instance=one "$@" >"$WORK/$log.log" 2>&1 &
    pid=$!
    SERVERS_PIDS+=("$pid")
}
stop() {
    kill -TERM "$pid"
    wait "$pid" || fail "SIGTERM ended it with exit code $?"
}
# appears PART STATE TEXT: on /readyz, in the metrics, and in the log
appears() {
    servers_wait 60 "$pid" shows "$1: $2: $3" || fail "/readyz does not say $1: $2: $3, but: $(readyz)"
    [ "$(metric "weir_troubles{part=\"$1\",state=\"$2\"}")" -ge 1 ] || fail "weir_troubles does not count $1: $2"
    [ "$(curl -s -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz")" = 503 ] || fail "/readyz is not 503"
    grep -q "level=error part=$1 msg=\"$2: " "$WORK/$log.log" || fail "the log does not say $1: $2"
    echo "$1: $2: seen"
}
# ends: the worker has ended by itself, having failed
ends() {
    local code
    wait "$pid"
    code=$?
    [ "$code" = 1 ] || fail "$log ended with exit code $code instead of 1"
}
# Long enough to be looked at, it stays after it has failed.
export WEIR_FAILPOINT=worker.failed:1:sleep=5000

oracle create --topic "$topic" --partitions 1 || fail "the topic cannot be made"
generate "$topic" --since 10s
start first
has_snapshot() { [ "$("${MEDDLE[@]}" end "$name.state" 0 2>/dev/null || echo 0)" -gt 1 ]; }
servers_wait 60 "$pid" has_snapshot || fail "no snapshot was written"
plan=$(sed -n 's/.*msg="\?running"\? .* plan=//p' "$WORK/first.log")
[ -n "$plan" ] || fail "the log does not name the plan"

# A partial that covers offsets far ahead: what lies between is missing, what comes next comes twice.
"${MEDDLE[@]}" partial "$name.partials" 0 "$plan" 1000000 1000010 || fail "no partial was forged"
appears audit 'offsets missing' "$name.partials/0: "
generate "$topic" --since 10s
appears audit 'offsets counted twice' "$name.partials/0: "
[ "$(metric weir_audit_missing_offsets_total)" -gt 0 ] || fail "weir_audit_missing_offsets_total is 0"
[ "$(metric weir_audit_repeated_offsets_total)" -gt 0 ] || fail "weir_audit_repeated_offsets_total is 0"

# Redis goes back to a place that the rows topic does not have any more.
"${MEDDLE[@]}" trim "$name.rows" 0 >/dev/null || fail "the rows cannot be deleted"
redis-cli -u "$WEIR_TEST_REDIS" hset "$name:applied" 0 0 >/dev/null
appears rows 'deleted unread' "$name.rows/0: rows 1 to "
[ "$(metric weir_rows_lost_total)" -gt 0 ] || fail "weir_rows_lost_total is 0"
stop

# Retention takes spans while no worker runs.
generate "$topic" --since 10s
"${MEDDLE[@]}" trim "$topic" 0 >/dev/null || fail "the spans cannot be deleted"
start second
appears spans 'deleted unread' "$topic/0: records "
[ "$(metric weir_records_lost_total)" -gt 0 ] || fail "weir_records_lost_total is 0"

# A partial of another plan. That a worker with another one does not start is flow/test_plan's.
"${MEDDLE[@]}" partial "$name.partials" 0 1234 0 0 || fail "no partial was forged"
appears state 'another plan' "$name.partials/0: offset "
ends
grep -q "$name.partials/0, offset .* of plan 0000000000001234" "$WORK/second.log" || fail "the error does not say where"

# A snapshot that only a newer weir can read, and one that was deleted.
"${MEDDLE[@]}" manifest "$name" 0 2 || fail "no manifest was forged"
start newer
appears state 'another version' "$name.state/0: snapshot at offset .*version 2"
ends
"${MEDDLE[@]}" trim "$name.state" 0 >/dev/null || fail "the snapshots cannot be deleted"
start missing
appears state 'snapshot missing' "$name.state/0: snapshot at offset "
ends

# Two workers that say they are the same one.
unset WEIR_FAILPOINT
name=$RUN-twins
partitions=2 # one for each to commit
start twin
twin=$pid
port=$(servers_free_port)
start rival
rival=$pid
fenced() {
    kill -0 "$twin" 2>/dev/null && kill -0 "$rival" 2>/dev/null && return 1
    grep -q 'part=kafka msg="fenced: ' "$WORK/twin.log" "$WORK/rival.log"
}
servers_wait 60 $$ fenced || fail "two workers of one instance go on side by side"
grep -hq 'msg="cannot go on, leaving" .*instance \\"one\\"' "$WORK/twin.log" "$WORK/rival.log" ||
    fail "the log does not name the instance"
echo "kafka: fenced: seen"
