#!/bin/bash
# Workers killed in mid-run, and a Redis emptied in mid-run: the same rows at the end, in the topic and
# in Redis, as of a run that nobody disturbed.
. "$(dirname "$0")/common.sh"
need_kafka
need_own_redis

topic=$RUN-spans
generate "$topic" --since 30m --seed 5 --late 3% --out-of-order 5%

# Short leashes keep a run from being over before it can be disturbed.
SLOW=(--set max_ahead=1m --set epoch=100ms --set snapshot=2s --set partitions=4)

applied() {
    redis-cli -u "$WEIR_TEST_REDIS" hlen "$1:applied" 2>/dev/null
}

# Wait until rows of $1 are in Redis while worker $2 is still at work.
wait_for_rows() {
    servers_wait 60 "$2" has_rows "$1" || fail "$1: the run was over, or stuck, before it had rows"
}

has_rows() {
    [ "$(applied "$1")" != 0 ]
}

# The rows topic and Redis of $1 are those of the undisturbed run.
same_as_undisturbed() {
    check_rows "$1" "$topic"
    oracle dump --rows-topic "$1.rows" >"$WORK/$1.rows"
    redis_dump "$1" >"$WORK/$1.redis"
    cmp -s "$WORK/$RUN-calm.rows" "$WORK/$1.rows" || fail "$1: rows differ from an undisturbed run's"
    if ! cmp -s "$WORK/$RUN-calm.redis" "$WORK/$1.redis"; then
        diff "$WORK/$RUN-calm.redis" "$WORK/$1.redis" | cut -c 1-300 | head -6
        fail "$1: Redis differs from an undisturbed run's"
    fi
    echo "$1: $(wc -l <"$WORK/$1.rows") rows and $(wc -l <"$WORK/$1.redis") Redis fields, the same"
}

run_workers "$RUN-calm" "$topic" 2 "${SLOW[@]}"
oracle dump --rows-topic "$RUN-calm.rows" >"$WORK/$RUN-calm.rows"
redis_dump "$RUN-calm" >"$WORK/$RUN-calm.redis"
[ -s "$WORK/$RUN-calm.redis" ] || fail "an undisturbed run left nothing in Redis"

# Both workers are killed, one after the other, and others take over.
name=$RUN-killed
worker "$name" "$topic" "$name-first" --set instance=w1 "${SLOW[@]}"
first=$WORKER
worker "$name" "$topic" "$name-second" --set instance=w2 "${SLOW[@]}"
second=$WORKER
wait_for_rows "$name" "$first"
servers_stop "$first" KILL
worker "$name" "$topic" "$name-third" --set instance=w3 "${SLOW[@]}"
third=$WORKER
sleep 2
servers_stop "$second" KILL
wait "$third" || fail "$name: the worker that took over ended with exit code $?"
same_as_undisturbed "$name"

name=$RUN-flushed
worker "$name" "$topic" "$name" "${SLOW[@]}"
wait_for_rows "$name" "$WORKER"
sleep 1 # by then it is committed that rows had been applied: what is filled again is known to be
redis-cli -u "$WEIR_TEST_REDIS" flushall >/dev/null
kill -0 "$WORKER" || fail "$name: the run was over before Redis was emptied"
wait "$WORKER" || fail "$name: the worker ended with exit code $?"
same_as_undisturbed "$name"

# Who reads what fires was told while Redis was filled again, and is told that it is over.
grep -q "refilling the store" "$WORK/$name.log" || fail "$name: nothing was refilled"
left=$(redis-cli -u "$WEIR_TEST_REDIS" hkeys "$name:applied" | grep '^refill:' | paste -s -d ' ')
[ -z "$left" ] || fail "$name: the store still says that it is refilled: $left"
