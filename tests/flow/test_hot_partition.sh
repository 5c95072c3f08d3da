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

# Each record takes 2 ms, so that the hot partition takes seconds, and small answers keep the others
# from being read to their ends before anybody looks.
export WEIR_FAILPOINT=combine.record:0:sleep=2
name=$RUN
HOT=(--set max_ahead=1m --set epoch=100ms --set partitions=4 --set 'kafka={fetch.message.max.bytes: 20000}')
port=$(servers_free_port)
port2=$(servers_free_port)
worker "$name" "$topic" "$name-first" --set instance=w1 --set http.listen=127.0.0.1:"$port" "${HOT[@]}"
first=$WORKER
worker "$name" "$topic" "$name-second" --set instance=w2 --set http.listen=127.0.0.1:"$port2" "${HOT[@]}"
second=$WORKER

# Rows of closed panes are there while the hot partition still has records.
has_rows() { redis-cli -u "$WEIR_TEST_REDIS" --scan --pattern "$name:history:*" | grep -q .; }
is_behind() {
    { curl -s "http://127.0.0.1:$port/metrics"; curl -s "http://127.0.0.1:$port2/metrics"; } |
        grep -q "^weir_source_lag_records{topic=\"$topic\",partition=\"0\"} [1-9]"
}
rows_while_behind() { has_rows && is_behind; }
servers_wait 60 "$first" rows_while_behind || fail "no rows before the hot partition was read to its end"
while kill -0 "$first" 2>/dev/null || kill -0 "$second" 2>/dev/null; do
    for pid in "$first" "$second"; do
        awk '/VmHWM/ {print $2}' "/proc/$pid/status" 2>/dev/null >>"$WORK/peaks"
    done
    sleep 0.1
done
wait "$first" || fail "the first worker ended with exit code $?"
wait "$second" || fail "the second worker ended with exit code $?"
peak=$(sort -n "$WORK/peaks" | tail -1)
[ "${peak:-0}" -gt 0 ] || fail "the workers' memory was not seen"
[ "$peak" -lt 400000 ] || fail "a worker took $peak kB of memory"
echo "at most $peak kB a worker"
check_rows "$name" "$topic"
check_redis "$name"
grep -h 'one partition holds the others back' "$WORK/$name-first.log" "$WORK/$name-second.log" |
    grep -Eq "topic=$topic partition=0 behind=[0-9a-z.]+ records=[1-9][0-9]* waiting=[0-9]+ max_ahead=1m" ||
    fail "no line names partition 0"
