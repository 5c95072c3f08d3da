#!/bin/bash
# Spans from a real broker through to Redis: how many a second, for how much CPU, how late, and in how
# much memory. Broker, Redis and the worker share this machine.
#
#     bench/pipeline/run.sh BUILD_FOLDER [SPANS]
#
# Everything printed was measured in this run. With WEIR_TEST_DATA a real capture is measured too.
. "$(dirname "$0")/../../tests/flow/common.sh"
SPANS=${2:-20000000}
ROUNDS=3
LIVE_SECONDS=60
CAPTURE_TIMES=60
HISTORY_SPANS=10000000
need_kafka
need_own_redis

calculate() {
    awk "BEGIN { printf \"$1\", $2 }"
}

median() {
    sort -n | sed -n "$(((ROUNDS + 1) / 2))p"
}

redis() {
    redis-cli -u "$WEIR_TEST_REDIS" "$@"
}

# worker_of TOPIC NAME [options]: sets RUN_WORKER, the command of a worker under the default plan.
worker_of() {
    RUN_WORKER=("$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$1" --redis "$WEIR_TEST_REDIS"
        --name "$2" --set redis.prefix="$2" --set start=earliest --set http.listen= "${@:3}")
}

BATCH=(--until-end --set time=records)

# Go through TOPIC once, under a new name: prints seconds of wall clock and of CPU.
once() {
    local TIMEFORMAT='%R %U %S'
    redis flushall >"$WORK/flush.log"
    worker_of "$1" "$RUN-$RANDOM$RANDOM" "${BATCH[@]}"
    { time "${RUN_WORKER[@]}" >"$WORK/worker.log" 2>&1; } 2>"$WORK/time" || return 1
    awk '{ print $1, $2 + $3 }' "$WORK/time"
}

# Go through TOPIC some times: sets WALL and CPU, the medians in seconds.
measure() {
    local round
    : >"$WORK/rounds"
    for ((round = 1; round <= ROUNDS; round++)); do
        once "$1" >>"$WORK/rounds" || fail "weir run over $1"
    done
    WALL=$(cut -d' ' -f1 "$WORK/rounds" | median)
    CPU=$(cut -d' ' -f2 "$WORK/rounds" | median)
}

# speed WHAT TOPIC SPANS BYTES
speed() {
    local bytes
    measure "$2"
    bytes=$(calculate %.0f "$4 / $3")
    echo "$1: $3 spans of $bytes B, medians of $ROUNDS"
    echo "  start to exit: $WALL s, $(calculate %.2f "$3 / $WALL / 1e6") M spans/s"
    echo "  of that, to join groups, wait and close: up to $IDLE_WALL s, as a run over 1000 spans takes"
    echo "  CPU of the worker: $(calculate %.3f "$CPU / $3 * 1e6") s a million spans, $(calculate %.2f "$3 / $CPU / 1e6") M spans/s a core"
}

# The first line of `weir generate` and the last of `weir replay`: sets COUNT and BYTES.
read_sent() {
    COUNT=$(sed -n "s/\(^\|.* \)\([0-9]*\) spans.*/\2/p" "$1" | tail -1)
    BYTES=$(sed -n "s/.* \([0-9.]*\) MB.*/\1/p" "$1" | tail -1)
    BYTES=$(calculate %.0f "${BYTES:-0} * 1e6")
    [ -n "$COUNT" ] || fail "no count of spans in $1"
}

speed_of_generated() {
    generate "$RUN-few" --spans 1000 --since 10m --seed 1 >"$WORK/few.out"
    measure "$RUN-few"
    IDLE_WALL=$WALL
    generate "$RUN-many" --spans "$SPANS" --since 10m --rate 200 --seed 1 >"$WORK/many.out"
    read_sent "$WORK/generate.log"
    speed "generated" "$RUN-many" "$COUNT" "$BYTES"
}

speed_of_capture() {
    local capture=$DATA/otlp/astronomy-oteltraces.zst files=() i
    [ -r "$capture" ] || { echo "no capture: WEIR_TEST_DATA names the folder of it" && return; }
    for ((i = 0; i < CAPTURE_TIMES; i++)); do
        files+=("$capture")
    done
    "$WEIR" replay --brokers "$WEIR_TEST_BROKERS" --topic "$RUN-real" --now "${files[@]}" \
        >"$WORK/replay.log" 2>&1 || fail "weir replay"
    read_sent "$WORK/replay.log"
    speed "a capture of OpenTelemetry's astronomy shop, $CAPTURE_TIMES times" "$RUN-real" "$COUNT" "$BYTES"
}

# What the worker at $HTTP says of itself.
metrics() {
    (
        exec 3<>"/dev/tcp/${HTTP%:*}/${HTTP#*:}" || exit
        printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
        cat <&3
    ) 2>/dev/null
}

metric() {
    metrics | awk -v name="$1" '$1 == name { print $2 }'
}

# Spans as they happen: how long until they are in Redis, beside the lateness that the plan waits.
delays() {
    local topic=$RUN-live pid sender what
    HTTP=127.0.0.1:$(servers_free_port)
    generate "$topic" --spans 1000 --since 10s --seed 1 >"$WORK/live.out"
    worker_of "$topic" "$RUN-live" --set http.listen="$HTTP"
    "${RUN_WORKER[@]}" >"$WORK/worker.log" 2>&1 &
    pid=$!
    SERVERS_PIDS+=("$pid")
    "$WEIR" generate --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --duration "${LIVE_SECONDS}s" \
        --rate 200 --seed 2 >"$WORK/generate.log" 2>&1 &
    sender=$!
    SERVERS_PIDS+=("$sender")
    wait "$sender" || fail "weir generate, live"
    read_sent "$WORK/generate.log"
    echo "live: $(calculate %.0f "$COUNT / $LIVE_SECONDS") spans/s for $LIVE_SECONDS s, delays"
    for what in "transfer: record to delta" "analysis: delta to Redis" "redis: one batch of rows"; do
        echo "  ${what#*: }: p50 $(delay "${what%%:*}" 0.5) ms, p99 $(delay "${what%%:*}" 0.99) ms"
    done
    servers_stop "$pid"
}

delay() {
    calculate %.0f "1000 * $(metric "weir_$1_seconds{quantile=\"$2\"}")"
}

state_bytes() {
    metrics | awk '/^weir_aggregate_bytes/ { sum += $2 } END { print sum + 0 }'
}

# Watch process $1 until it ends: sets RSS_MB and STATE_MB to the most that was seen.
watch_memory() {
    local kb bytes most_kb=0 most_bytes=0
    while kill -0 "$1" 2>/dev/null; do
        kb=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status" 2>/dev/null)
        bytes=$(state_bytes)
        [ "${kb:-0}" -le "$most_kb" ] || most_kb=$kb
        [ "${bytes:-0}" -le "$most_bytes" ] || most_bytes=$bytes
        sleep 0.5
    done
    RSS_MB=$((most_kb / 1024))
    STATE_MB=$((most_bytes / 1048576))
}

# Go through TOPIC once: sets SERIES and REDIS_MB, in Redis at the end, and what watch_memory does.
# Source clocks keep together as they do live, so that few panes are open at a time.
weigh() {
    local name=$RUN-$RANDOM$RANDOM pid
    HTTP=127.0.0.1:$(servers_free_port)
    redis flushall >"$WORK/flush.log"
    worker_of "$1" "$name" "${BATCH[@]}" --set max_ahead=1m --set http.listen="$HTTP" \
        --set limits.series_per_service=100000
    "${RUN_WORKER[@]}" >"$WORK/worker.log" 2>&1 &
    pid=$!
    SERVERS_PIDS+=("$pid")
    watch_memory "$pid"
    wait "$pid" || fail "weir run over $1"
    REDIS_MB=$(($(redis info memory | tr -d '\r' | sed -n 's/^used_memory://p') / 1048576))
    SERIES=$(redis --scan --pattern "$name:now:*" | wc -l)
    echo "  $SERIES series: worker $RSS_MB MB at most, $STATE_MB MB of it state; Redis $REDIS_MB MB"
}

memory() {
    local history=(--spans "$HISTORY_SPANS" --since 30m --rate 34 --seed 1) few state used
    generate "$RUN-shop" "${history[@]}" >"$WORK/shop.out"
    generate "$RUN-names" "${history[@]}" --names 660 >"$WORK/names.out"
    echo "memory: half an hour of $HISTORY_SPANS spans, read as fast as possible, so that Kafka's queues are full"
    weigh "$RUN-shop"
    few=$SERIES state=$STATE_MB used=$REDIS_MB
    weigh "$RUN-names"
    echo "  10k series more: state $(calculate %.0f "($STATE_MB - $state) / ($SERIES - $few) * 1e4") MB, Redis $(calculate %.0f "($REDIS_MB - $used) / ($SERIES - $few) * 1e4") MB"
}

speed_of_generated
speed_of_capture
delays
memory
