#!/bin/bash
# Each call of a worker's that can fail is made to fail: the run heals, or ends with a word on why and
# the next one goes on. Rows and Redis are then as if nothing had been, and no row was told twice.
#
#     FAILING_CASES=all   every case of tests/support/failing/cases (usual: a few, drawn by FAILING_SEED),
#                         or a pattern of grep that says which
. "$(dirname "$0")/common.sh"
FAILING=$BUILD/tests/libfailing.so
CASES=$ROOT/tests/support/failing/cases
[ -r "$FAILING" ] || servers_unavailable "this build has no libfailing.so"
need_kafka
need_redis

AT_ONCE=${FAILING_AT_ONCE:-6}
PATIENCE_S=${FAILING_PATIENCE_S:-120}
SEED=${FAILING_SEED:-1}

topic=$RUN-spans
generate "$topic" --since 6m --seed 7 --late 5% --out-of-order 5%

# One worker until the topic's end: run NAME LOG [VARIABLE=VALUE]; its exit code is what comes back.
run() {
    local name=$1 log=$2
    shift 2
    timeout -k 5 "$PATIENCE_S" env "$@" "$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" \
        --redis "$WEIR_TEST_REDIS" --name "$name" --set redis.prefix="$name" --set http.listen= \
        --until-end "${PLAN_FOR_WEIR[@]}" --set partitions=2 --set epoch=100ms --set snapshot=200ms \
        --set max_ahead=1m >"$WORK/$log" 2>&1
}

# How a case went wrong: said by its process, then again at the end.
wrong() {
    echo "FAILED: WEIR_FAIL_CALL=$CALL: $*"
    tail -n 6 "$WORK/$NAME.first" "$WORK/$NAME.second" 2>/dev/null
    exit 1
}

# A run that did not end well: not by a signal, except where memory is out, and with a message.
check_end() {
    local code=$1 outcome=$2 words=$3
    [ "$code" != 124 ] && [ "$code" != 137 ] || wrong "it was still there after $PATIENCE_S s"
    case "$CALL" in
    malloc* | calloc* | reallocarray* | mmap*)
        [ "$code" = 134 ] || wrong "it ended with code $code instead of abort()"
        words="out of memory"
        ;;
    *) [ "$code" = 1 ] || wrong "it ended with code $code" ;;
    esac
    [ "$outcome" != heals ] || wrong "it did not heal"
    grep -v '^failing: ' "$WORK/$NAME.first" | tail -n 1 | grep -q "^weir.*: .*$words" ||
        wrong "its last words are not about '$words'"
    run "$NAME" "$NAME.second" || wrong "a second run ended with code $?"
}

# One case, in a process of its own: number, call, outcome, words.
try() {
    CALL=$2
    NAME=$RUN-$1
    local begin=$SECONDS outcome=$3 code result=healed
    shift 3
    run "$NAME" "$NAME.first" "WEIR_FAIL_CALL=$CALL" "LD_PRELOAD=$FAILING"
    code=$?
    if [ "$(grep -c '^failing: ' "$WORK/$NAME.first")" != "$(echo "$CALL" | tr ',' '\n' | wc -l)" ]; then
        [ "$code" = 0 ] || wrong "it ended with code $code before the call was made"
        result="not made"
    elif [ "$code" != 0 ]; then
        check_end "$code" "$outcome" "$*"
        result=ended
    elif [ "$outcome" = ends ]; then
        wrong "it ended well"
    fi
    oracle rows --topic "$topic" --rows-topic "$NAME.rows" "${PLAN_FOR_ORACLE[@]}" >"$WORK/$NAME.oracle" ||
        wrong "rows and oracle differ: $(tail -n 5 "$WORK/$NAME.oracle")"
    grep -q ' 0 repeated$' "$WORK/$NAME.oracle" || wrong "a final row was told more than once"
    shown_lines "$NAME" | oracle shown --rows-topic "$NAME.rows" >"$WORK/$NAME.shown" ||
        wrong "Redis does not show what the rows topic says: $(tail -n 5 "$WORK/$NAME.shown")"
    echo "$CALL: $result ($((SECONDS - begin)) s)"
    rm -f "$WORK/$NAME".*
}

case "${FAILING_CASES:-some}" in
all) grep '^[a-zA-Z]' "$CASES" ;;
some)
    echo "a few cases: FAILING_SEED=$SEED" >&2
    grep '^[a-zA-Z]' "$CASES" | awk -v seed="$SEED" 'BEGIN { srand(seed) } { print rand() "\t" $0 }' |
        sort -n | cut -f 2- | head -n 12
    ;;
*) grep '^[a-zA-Z]' "$CASES" | grep -E -- "$FAILING_CASES" ;;
esac >"$WORK/cases"
[ -s "$WORK/cases" ] || fail "no case is chosen"

count=0
failed=0
pids=()
results=()
# The oldest case that is still running ends.
reap() {
    wait "${pids[0]}" || failed=$((failed + 1))
    cat "${results[0]}"
    pids=("${pids[@]:1}")
    results=("${results[@]:1}")
}
while read -r call outcome words; do
    count=$((count + 1))
    [ "${#pids[@]}" -lt "$AT_ONCE" ] || reap
    try "$count" "$call" "$outcome" "$words" </dev/null >"$WORK/result.$count" 2>&1 &
    pids+=($!)
    results+=("$WORK/result.$count")
done <"$WORK/cases"
while [ "${#pids[@]}" != 0 ]; do reap; done
# How often a call is made depends on the machine; but a case in which it is not shows nothing.
not_made=$(cat "$WORK"/result.* | grep -c ': not made (')
[ $((not_made * 5)) -le "$count" ] || fail "$not_made of $count calls were not made"
[ "$failed" = 0 ] || { echo "FAILED: $failed of $count cases" && exit 1; }
echo "$((count - not_made)) calls failed, one at a time: every row is right"
