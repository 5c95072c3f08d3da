#!/bin/bash
# What an operator does and meets: Redis gone and back, SIGTERM, health and metrics, a range of time, a
# second run that goes on, wrong passwords, another plan.
. "$(dirname "$0")/common.sh"
need_kafka
dir=$SERVERS_DIR/operations
mkdir -p "$dir"
redis_port=$(servers_free_port)
command -v redis-server >/dev/null || servers_unavailable "redis-server is not installed"

redis_answers() { redis-cli -p "$redis_port" ping >/dev/null 2>&1; }
redis_up() {
    redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir" "$@" \
        >"$dir/redis.log" 2>&1 &
    REDIS_PID=$!
    SERVERS_PIDS+=($!)
    servers_wait 20 $! redis_answers || fail "redis-server did not start"
}
export WEIR_TEST_REDIS=redis://127.0.0.1:$redis_port

topic=$RUN-spans
generate "$topic" --since 30m --seed 6 --late 3%
SLOW=(--set max_ahead=1m --set epoch=100ms)

# The worker starts before Redis does, Redis dies in mid-run and comes back empty.
name=$RUN-away
port=$(servers_free_port)
worker "$name" "$topic" "$name" "${SLOW[@]}" --set http.listen=127.0.0.1:"$port" --set log.format=json
pid=$WORKER
not_ready() { curl -s "http://127.0.0.1:$port/readyz" | grep -q '^redis: .*cannot connect'; }
is_ready() { curl -s "http://127.0.0.1:$port/readyz" | grep -q '^redis: ready'; }
servers_wait 30 "$pid" not_ready || fail "/readyz does not say that Redis is away"
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz")" = 503 ] || fail "/readyz is not 503"
[ "$(curl -s "http://127.0.0.1:$port/healthz")" = ok ] || fail "/healthz is not ok"
redis_up
servers_wait 30 "$pid" is_ready || fail "/readyz does not say that Redis is back"
has_history() { [ -n "$(redis-cli -p "$redis_port" --scan --pattern "$name:history:*" | head -1)" ]; }
servers_wait 30 "$pid" has_history || fail "no rows in Redis before it was to die"
servers_stop "$REDIS_PID" KILL
sleep 1
redis_up
wait "$pid" || fail "$name ended with exit code $?"
check_rows "$name" "$topic"
check_redis "$name"
grep -c 'the store does not take rows' "$WORK/$name.log" >"$WORK/said"
[ "$(cat "$WORK/said")" -le 4 ] || fail "that Redis is away was said $(cat "$WORK/said") times"
grep -q '^{"ts":"' "$WORK/$name.log" || fail "the log is not JSON"

# A second run of the same name has nothing left to do.
"$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$name" \
    --set redis.prefix="$name" --set http.listen= --until-end "${PLAN_FOR_WEIR[@]}" >"$WORK/again.log" 2>&1 ||
    fail "a second run ended with exit code $?"
check_rows "$name" "$topic"

# Live until SIGTERM: metrics are there, and it leaves within 5 s with exit code 0.
name=$RUN-live
"$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$name" \
    --set redis.prefix="$name" --set http.listen=127.0.0.1:"$port" --set start=earliest >"$WORK/live.log" 2>&1 &
pid=$!
SERVERS_PIDS+=("$pid")
rows_final() { curl -s "http://127.0.0.1:$port/metrics" | grep -q '^weir_rows_final_total [1-9]'; }
servers_wait 60 "$pid" rows_final || fail "no final rows in /metrics"
curl -s "http://127.0.0.1:$port/metrics" >"$WORK/metrics"
for metric in weir_source_lag_records weir_source_lag_seconds weir_source_watermark_seconds weir_messages_total \
    weir_bytes_total weir_spans_dropped_total weir_epoch_commit_seconds weir_partials_total \
    weir_audit_missing_offsets_total weir_audit_repeated_offsets_total process_resident_memory_bytes; do
    grep -q "^$metric" "$WORK/metrics" || fail "/metrics lacks $metric"
done
begin=$(date +%s%N)
kill -TERM "$pid"
wait "$pid" || fail "SIGTERM ended it with exit code $?"
took=$((($(date +%s%N) - begin) / 1000000))
echo "SIGTERM: left after $took ms"
[ "$took" -lt 5000 ] || fail "SIGTERM took $took ms"

# A range of record timestamps: what lies outside it is not counted.
name=$RUN-range
"$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$name" \
    --set redis.prefix="$name" --set http.listen= --until-end --from -20m --to -10m "${PLAN_FOR_WEIR[@]}" \
    >"$WORK/range.log" 2>&1 || fail "--from --to ended with exit code $?"
oracle total --rows-topic "$name.rows" >"$WORK/total.out"
counted=$(awk '/^operation/ { sum += $2 + $4 } END { print sum }' "$WORK/total.out")
oracle spans --topic "$topic" >"$WORK/spans.out"
read -r all _ <"$WORK/spans.out"
echo "10 of 30 minutes: $counted of $all spans"
is_near "$((counted * 3))" "$all" 0.15 || fail "$counted of $all spans in a third of the time"

# Workers of one name share one plan.
"$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$name" \
    --set redis.prefix="$name" --set http.listen= --until-end "${PLAN_FOR_WEIR[@]}" --set pane=5s \
    --set windows='[1m, 5m]' >"$WORK/plan.log" 2>&1
[ $? = 1 ] || fail "another plan was not refused"
grep -q 'plan' "$WORK/plan.log" || fail "the refusal does not name the plan"

# A password, right and wrong.
servers_stop "$REDIS_PID" KILL
redis_up --requirepass secret
name=$RUN-password
"$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$name" \
    --set http.listen= --until-end "${PLAN_FOR_WEIR[@]}" >"$WORK/password.log" 2>&1
[ $? = 1 ] || fail "a missing password was not fatal"
grep -qi 'password' "$WORK/password.log" || fail "the message does not speak of a password"
"$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "redis://:secret@127.0.0.1:$redis_port" --name "$name" \
    --set redis.prefix="$name" --set http.listen= --until-end "${PLAN_FOR_WEIR[@]}" >"$WORK/password.log" 2>&1 ||
    fail "the right password was refused: exit code $?"
! grep -q secret "$WORK/password.log" || fail "the password is in the log"
echo "password: refused without, taken with"
