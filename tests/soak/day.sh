#!/bin/bash
# A day over ten thousand series, compressed in time, with restarts: memory, snapshots and Redis stay flat.
#
#     tests/soak/day.sh BUILD_FOLDER
#
#     DAY_SERIES=10000 DAY_HOURS=24 DAY_PANE=1m DAY_RATE=20 (spans a second) DAY_SPEED=300 (times)
#
# `weir generate --speed` writes the day in minutes while two workers read it in `time: records`; one of them
# is killed with -9 and started again each few hours of event time. Each simulated hour prints a line. It
# fails if the last quarter of the day is more than 10 % above the middle half: memory of the workers, snapshots,
# Redis. The state is shown only: its pool keeps the most that was ever open at once, which depends on how far
# combine ran ahead while the machine was busy, and is part of the workers' memory. There is no history in Redis: what is kept there for a time is kept for a time of the wall clock, which a compressed
# day cannot show.
. "$(dirname "$0")/../flow/common.sh"
need_kafka
need_own_redis
SERIES=${DAY_SERIES:-10000}
HOURS=${DAY_HOURS:-24}
PANE=${DAY_PANE:-1m}
RATE=${DAY_RATE:-20}
SPEED=${DAY_SPEED:-300}
RESTART_HOURS=${DAY_RESTART_HOURS:-4}
STUCK_S=300 # an hour of event time that takes longer than this

topic=$RUN-day
cat >"$WORK/day.yaml" <<YAML
batch: 30s
services: {one: {operations: {any: {latency: 20ms, spread: 0.8, errors: 1%}}}}
entries: [{to: one any, rate: $RATE}]
YAML
"$WEIR" generate --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --partitions 4 --no-live --speed "$SPEED" \
    --config "$WORK/day.yaml" --since "${HOURS}h" --names "$SERIES" --seed 3 >"$WORK/generate.log" 2>&1 &
SERVERS_PIDS+=($!)
began=$(date +%s)
first=$((began - HOURS * 3600))

declare -A PID PORT
start() {
    PORT[$1]=$(servers_free_port)
    "$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" \
        --name "$RUN" --set redis.prefix="$RUN" --set instance="$1" --set time=records --set start=earliest \
        --set http.listen=127.0.0.1:"${PORT[$1]}" --set partitions=2 --set pane="$PANE" --set windows='[1h]' \
        --set views='[[service, operation]]' --set history='[]' --set lateness=1m --set max_ahead=30m \
        --set epoch=200ms --set snapshot=2s --set limits.series=100000 --set limits.series_per_service=100000 \
        >>"$WORK/$1.log" 2>&1 &
    PID[$1]=$!
    SERVERS_PIDS+=($!)
}

# Metrics of both workers, one after the other.
metrics() {
    local w
    for w in a b; do curl -s --max-time 5 "http://127.0.0.1:${PORT[$w]}/metrics"; done
}

# The largest, or least, or sum of a metric's values: of_metric NAME FUNCTION <metrics
of_metric() {
    awk -v name="$1" -v how="$2" '$1 ~ "^" name "({|$)" {
        v = $2; if (!n++) { max = min = v } sum += v; if (v > max) max = v; if (v < min) min = v
    } END { if (n) printf "%.0f", how == "sum" ? sum : how == "max" ? max : min }'
}

rss_kb() {
    local w
    for w in a b; do awk '/^VmRSS/ { print $2 }' "/proc/${PID[$w]}/status" 2>/dev/null; done |
        awk '{ sum += $1 } END { print sum + 0 }'
}

alive() {
    kill -0 "${PID[a]}" 2>/dev/null && kill -0 "${PID[b]}" 2>/dev/null
}

# sample HOUR: a line of the table, when the state of both partitions is known.
sample() {
    local snapshot state series rss
    metrics >"$WORK/metrics"
    snapshot=$(of_metric weir_snapshot_bytes sum <"$WORK/metrics")
    state=$(of_metric weir_aggregate_bytes sum <"$WORK/metrics")
    series=$(of_metric weir_series sum <"$WORK/metrics")
    [ "$(grep -c '^weir_snapshot_bytes{' "$WORK/metrics")" = 2 ] || return 1
    rss=$(rss_kb)
    local used
    used=$(redis-cli -u "$WEIR_TEST_REDIS" info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p')
    echo "$1 $(($(date +%s) - began)) $series $rss $state $snapshot $used $RESTARTS" |
        awk '{ printf "%4d %7d %7d %10.1f %10.1f %12.2f %9.1f %9d\n", $1, $2, $3, $4 / 1024, $5 / 1048576,
               $6 / 1048576, $7 / 1048576, $8 }' | tee -a "$WORK/table"
}

echo "$SERIES series, $HOURS h in $((HOURS * 3600 / SPEED)) s, $RATE spans a second, panes of $PANE, window 1h, two workers"
printf '%4s %7s %7s %10s %10s %12s %9s %9s\n' hour wall_s series rss_MiB state_MiB snapshot_MiB redis_MiB restarts
RESTARTS=0
: >"$WORK/table"
start a
start b
hour=0 next=a restart_at=$RESTART_HOURS since=$(date +%s)
while [ "$hour" -lt $((HOURS - 1)) ]; do
    alive || fail "a worker ended by itself"
    sleep 0.5
    watermark=$(metrics | of_metric weir_watermark_seconds min)
    [ -n "$watermark" ] || watermark=0
    at=$(((watermark - first) / 3600))
    [ $(($(date +%s) - since)) -lt $STUCK_S ] || fail "stuck at hour $at for $STUCK_S s"
    [ "$at" -gt "$hour" ] && [ "$at" -le "$HOURS" ] && sample "$at" || continue
    hour=$at since=$(date +%s)
    [ "$at" -ge "$restart_at" ] && [ "$at" -lt "$HOURS" ] || continue
    kill -9 "${PID[$next]}"
    wait "${PID[$next]}" 2>/dev/null
    start $next
    [ $next = a ] && next=b || next=a
    RESTARTS=$((RESTARTS + 1)) restart_at=$((at + RESTART_HOURS))
done
for w in a b; do kill "${PID[$w]}"; done
for w in a b; do wait "${PID[$w]}" || fail "worker $w ended with exit code $?"; done
[ $RESTARTS -gt 0 ] || fail "no worker was restarted"
! grep -h 'audit:' "$WORK"/[ab].log || fail "the audit speaks up"

awk -v hours="$HOURS" '
    $1 > hours / 4 && $1 <= hours * 3 / 4 { for (i = 4; i <= 7; i++) middle[i] += $i; middles++ }
    $1 > hours * 3 / 4 { for (i = 4; i <= 7; i++) last[i] += $i; lasts++ }
    END {
        if (middles < 3 || lasts < 2) { print "too few samples"; exit 1 }
        split("rss state snapshot redis", name)
        for (i = 4; i <= 7; i++) {
            ratio = last[i] / lasts / (middle[i] / middles)
            printf "%s: the last quarter is %+.1f %% of the middle half\n", name[i - 3], (ratio - 1) * 100
            bad = bad || (i != 5 && ratio > 1.10) # the state, 5, is shown only
        }
        exit bad
    }' "$WORK/table" || fail "something grows"
