#!/bin/bash
# What goes wrong around a running worker, on a broker of its own: the broker is away, a topic is missing,
# grows, vanishes and comes back smaller, somebody leaves a transaction open. Each is one line in the log,
# a metric, a state on /readyz, and is over when it is over.
. "$(dirname "$0")/common.sh"
unset WEIR_TEST_BROKERS
[ -z "${WEIR_TEST_NO_KAFKA:-}" ] || servers_unavailable "no Kafka: $WEIR_TEST_NO_KAFKA"
start_kafka "$SERVERS_DIR/kafka" >"$SERVERS_DIR/why" || servers_unavailable "no Kafka: $(servers_why)"
broker=${SERVERS_PIDS[-1]}
need_redis
MEDDLE=("$BUILD/tests/weir_meddle" "$WEIR_TEST_BROKERS")
name=$RUN-failures
topic=$RUN-spans
port=$(servers_free_port)

readyz() { curl -s -m 5 "http://127.0.0.1:$port/readyz"; }
shows() { readyz | grep -q "^$1"; }
is_over() { ! readyz | grep -q "^$1"; }
is_ready() { [ "$(curl -s -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz")" = 200 ]; }
trouble() { curl -s -m 5 "http://127.0.0.1:$port/metrics" | grep -q "^weir_troubles{part=\"$1\",state=\"$2\"} $3\$"; }
# appears PART STATE TEXT: on /readyz, in the metrics, and once in the log
appears() {
    servers_wait 60 "$pid" shows "$1: $2: $3" || fail "/readyz does not say $1: $2: $3, but: $(readyz)"
    trouble "$1" "$2" '[1-9]' || fail "weir_troubles does not count $1: $2"
    is_ready && fail "/readyz is 200 with $1: $2"
    grep -q "part=$1 msg=\"$2: " "$WORK/$name.log" || fail "the log does not say $1: $2"
    echo "$1: $2: seen"
}
passes() {
    servers_wait 60 "$pid" is_over "$1: $2" || fail "$1: $2 does not end: $(readyz)"
    servers_wait 60 "$pid" trouble "$1" "$2" 0 || fail "weir_troubles still counts $1: $2"
    grep -q "part=$1 msg=\"$2: over\"" "$WORK/$name.log" || fail "the log does not say that $1: $2 is over"
}

start() { # [options]
    WEIR_FAILPOINT=watch.impatient:0:fail "$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" \
        --redis "$WEIR_TEST_REDIS" --name "$name" --set redis.prefix="$name" \
        --set http.listen=127.0.0.1:"$port" --set partitions=2 --set start=latest --set lateness=1s \
        --set epoch=100ms "$@" >>"$WORK/$name.log" 2>&1 &
    pid=$!
    SERVERS_PIDS+=("$pid")
}

# The broker does not answer at the start; then the topic is missing.
kill -STOP "$broker"
start
appears kafka 'broker unreachable' "$WEIR_TEST_BROKERS"
kill -CONT "$broker"
appears kafka 'topic missing' "$topic: there is no such topic"
passes kafka 'broker unreachable'
oracle create --topic "$topic" --partitions 2 || fail "the topic cannot be made"
servers_wait 60 "$pid" is_ready || fail "not ready although all is there: $(readyz)"
passes kafka 'topic missing'

send() {
    "$WEIR" generate --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --no-live --since 20s \
        >"$WORK/generate.log" 2>&1 || fail "weir generate"
    oracle spans --topic "$topic" >"$WORK/spans.out"
    read -r all _ <"$WORK/spans.out"
}
counted() { [ "$(curl -s "http://127.0.0.1:$port/metrics" | awk '/^weir_spans_total/ { sum += $2 } END { print sum + 0 }')" -ge "$all" ]; }
assigned() { grep -q 'part=combine msg="partitions assigned" partitions=2' "$WORK/$name.log"; }
servers_wait 60 "$pid" assigned || fail "combine got no partitions"
send
servers_wait 60 "$pid" counted || fail "not all $all spans were read"

# Partitions that are added are read from their beginning, although the config says `start: latest`.
"${MEDDLE[@]}" grow "$topic" 4 || fail "the topic does not grow"
send
added() { [ "$(grep -c 'msg="a partition was added' "$WORK/$name.log")" = 2 ]; }
servers_wait 60 "$pid" added || fail "the new partitions were not noticed"
grep 'msg="a partition was added' "$WORK/$name.log" | grep -qv 'offset=0' && fail "a new partition was not read from its beginning"
servers_wait 60 "$pid" counted || fail "not all $all spans of the grown topic were read"
watermark() { curl -s "http://127.0.0.1:$port/metrics" | awk '/^weir_watermark_seconds/ { print int($2) }' | sort -n | head -1; }
closes() { local w && w=$(watermark) && [ -n "$w" ] && [ "$w" -ge "$(($(date +%s) - 60))" ]; }
servers_wait 60 "$pid" closes || fail "the watermark does not move with the new partitions"
echo "two partitions added: $all spans read from their beginning"

# A producer dies with its transaction open.
"${MEDDLE[@]}" hang "$topic" 1 >"$WORK/hang.out" 2>&1 &
hanging=$!
SERVERS_PIDS+=("$hanging")
appears kafka 'transaction left open' "$topic/1: readers stand at offset"
kill -TERM "$hanging"
wait "$hanging" || fail "the transaction was not aborted: $(cat "$WORK/hang.out")"
passes kafka 'transaction left open'

# The broker goes away in mid-run.
kill -STOP "$broker"
appears kafka 'broker unreachable' "$WEIR_TEST_BROKERS"
kill -CONT "$broker"
passes kafka 'broker unreachable'
servers_wait 60 "$pid" is_ready || fail "not ready although the broker is back: $(readyz)"

# The topic vanishes, comes back smaller, and whole.
"${MEDDLE[@]}" drop "$topic" || fail "the topic cannot be deleted"
appears kafka 'topic missing' "$topic: there is no such topic any more; it had 4 partitions"
oracle create --topic "$topic" --partitions 2 || fail "the topic cannot be made again"
appears kafka 'partition missing' "$topic: it has 2 partitions and had 4"
passes kafka 'topic missing'
held=$(watermark)
"${MEDDLE[@]}" grow "$topic" 4 || fail "the topic does not grow again"
passes kafka 'partition missing'
moves() { local w && w=$(watermark) && [ -n "$w" ] && [ "$w" -gt "$held" ]; }
servers_wait 60 "$pid" moves || fail "the watermark still stands at $held"

# It vanishes again, and a new worker is told to go on without the half of it.
"${MEDDLE[@]}" drop "$topic" || fail "the topic cannot be deleted again"
appears kafka 'topic missing' "$topic: there is no such topic any more; it had 4 partitions"
kill -TERM "$pid"
wait "$pid" || fail "SIGTERM ended it with exit code $?"
held=$(date +%s)
oracle create --topic "$topic" --partitions 2 || fail "the topic cannot be made once more"
start --set without="[$topic/2, $topic/3]"
servers_wait 60 "$pid" moves || fail "the watermark waits for partitions that \`without\` names"
shows 'kafka: partition missing' && fail "partitions that \`without\` names are said to be missing"

# Nothing of all this floods the log, and it leaves in order.
lines=$(wc -l <"$WORK/$name.log")
echo "$lines lines in the log"
[ "$lines" -lt 150 ] || fail "$lines lines in the log"
kill -TERM "$pid"
wait "$pid" || fail "SIGTERM ended it with exit code $?"
