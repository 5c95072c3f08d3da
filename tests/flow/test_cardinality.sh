#!/bin/bash
# A million random span names: weir and Redis stay under their limits, the overflow series hold what
# found no room, and no span is lost.
. "$(dirname "$0")/common.sh"
need_kafka
need_own_redis --maxmemory 256mb --maxmemory-policy noeviction

# What the settings below allow: `memory` 64 MiB, 2000 series of 37 KiB, and what Kafka's client reads ahead.
MEMORY_MB=512
spans=1000000
topic=$RUN-spans
generate "$topic" --since 10m --names 1M --spans "$spans" --seed 3 --rate 20

worker "$RUN" "$topic" "$RUN" --set limits.series=2000 --set limits.series_per_service=500 \
    --set memory=64MiB
most_kb=0
while kill -0 "$WORKER" 2>/dev/null; do
    kb=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$WORKER/status" 2>/dev/null)
    [ "${kb:-0}" -le "$most_kb" ] || most_kb=$kb
    sleep 0.2
done
wait "$WORKER" || fail "the worker ended with exit code $?"
echo "weir took $((most_kb / 1024)) MB, limit $MEMORY_MB MB"
[ "$most_kb" -gt 0 ] || fail "the worker was over before its memory could be read"
[ "$((most_kb / 1024))" -le "$MEMORY_MB" ] || fail "weir took more memory than its limits say"

info() {
    redis-cli -u "$WEIR_TEST_REDIS" info "$1" | tr -d '\r' | sed -n "s/^$2://p"
}
used=$(info memory used_memory_peak)
echo "Redis took $((used / 1048576)) MB, limit 256 MB, evicted $(info stats evicted_keys)"
[ "$used" -le $((256 * 1048576)) ] || fail "Redis took more than its limit"

oracle total --rows-topic "$RUN.rows" >"$WORK/total.out" || fail "reading $RUN.rows"
cat "$WORK/total.out"
oracle spans --topic "$topic" >"$WORK/spans.out" || fail "reading $topic"
cat "$WORK/spans.out"
read -r good _ <"$WORK/spans.out"
counted=$(awk '/^operation/ { sum += $2 + $4 } END { print sum }' "$WORK/total.out")
overflow=$(awk '/^operation-overflow/ { print $2 }' "$WORK/total.out")
[ "$counted" = "$good" ] || fail "$counted spans in operations and their overflow, $good were sent"
[ "$overflow" -gt $((good / 2)) ] || fail "only $overflow spans in overflow series of $good"
series=$(redis-cli -u "$WEIR_TEST_REDIS" --scan --pattern "$RUN:now:*" | wc -l)
echo "$series series in Redis"
[ "$series" -le 2100 ] || fail "$series series in Redis, limit 2000 and the overflow series"
