#!/bin/bash
# One partition of six with a hundred times the records of each other: the others wait for it within
# max_ahead, it is said which one it is, rows keep coming meanwhile, memory stays bounded, and every
# row is the oracle's.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis
command -v curl >/dev/null || servers_unavailable "curl is not installed"
POISON=$BUILD/tests/weir_poison

"$WEIR" generate --brokers "$WEIR_TEST_BROKERS" --topic "$RUN-flat" --partitions 1 --no-live --since 40m --rate 0.1 \
    --seed 21 >"$WORK/generate.log" 2>&1 || fail "weir generate"
topic=$RUN-spans
"$POISON" create "$WEIR_TEST_BROKERS" "$topic" 6 retention.ms=-1 || fail "making a topic"
"$POISON" spread "$WEIR_TEST_BROKERS" "$RUN-flat" "$topic" || fail "spreading the records"

# Each record takes 2 ms, so that the hot partition takes seconds. The workers run on, as they do in
# production: to one that leaves at the end of its partitions, those that it has read hold back nobody.
export WEIR_FAILPOINT=combine.record:0:sleep=2
name=$RUN
HOT=(--set max_ahead=1m --set epoch=100ms --set partitions=4 --set 'kafka={fetch.message.max.bytes: 20000}')
port=$(servers_free_port)
port2=$(servers_free_port)
live_worker() {
    "$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$name" \
        --set redis.prefix="$name" --set instance="$1" --set http.listen=127.0.0.1:"$2" "${PLAN_FOR_WEIR[@]}" \
        "${HOT[@]}" >"$WORK/$name-$1.log" 2>&1 &
    SERVERS_PIDS+=("$!")
}
live_worker first "$port"
first=$!
live_worker second "$port2"
second=$!

# Rows of closed panes are there while the hot partition still has records.
has_rows() { redis-cli -u "$WEIR_TEST_REDIS" --scan --pattern "$name:history:*" | grep -q .; }
is_behind() {
    { curl -s "http://127.0.0.1:$port/metrics"; curl -s "http://127.0.0.1:$port2/metrics"; } |
        grep -q "^weir_source_lag_records{topic=\"$topic\",partition=\"0\"} [1-9]"
}
rows_while_behind() { has_rows && is_behind; }
servers_wait 60 "$first" rows_while_behind || fail "no rows before the hot partition was read to its end"
said() {
    grep -h 'one partition holds the others back' "$WORK/$name-first.log" "$WORK/$name-second.log" |
        grep -Eq "topic=$topic partition=0 behind=[0-9a-z.]+ records=[1-9][0-9]* waiting=[0-9]+ max_ahead=1m"
}
servers_wait 30 "$first" said || fail "no line names partition 0"
is_read() { ! is_behind; }
servers_wait 60 "$first" is_read || fail "the hot partition is not read to its end"
for pid in "$first" "$second"; do
    awk '/VmHWM/ {print $2}' "/proc/$pid/status" >>"$WORK/peaks"
    kill -TERM "$pid"
done
wait "$first" || fail "the first worker ended with exit code $?"
wait "$second" || fail "the second worker ended with exit code $?"
unset WEIR_FAILPOINT
run_workers "$name" "$topic" 1 "${HOT[@]}"
peak=$(sort -n "$WORK/peaks" | tail -1)
[ "${peak:-0}" -gt 0 ] || fail "the workers' memory was not seen"
[ "$peak" -lt 400000 ] || fail "a worker took $peak kB of memory"
echo "at most $peak kB a worker"
check_rows "$name" "$topic"
check_redis "$name"
