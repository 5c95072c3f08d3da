#!/bin/bash
# `weir plan apply`: refused while a worker runs and while spans are under way; after a drained stop the
# name goes over to another plan, also when the switch is killed halfway; every span counts once.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis

topic=$RUN-spans
name=$RUN-plan
BASE=(--set brokers="$WEIR_TEST_BROKERS" --set topics="$topic" --set redis.url="$WEIR_TEST_REDIS" --set name="$name"
    --set redis.prefix="$name" --set http.listen= --set start=earliest --set time=records --set epoch=100ms --set provisional=0s)
OLD=("${BASE[@]}" --set pane=10s --set windows='[1m]' --set partitions=4 --set views='[[service], [service, operation, kind]]'
    --set history='[{resolution: 10s, retain: 1h, sketches: false}]')
NEW=("${BASE[@]}" --set pane=5s --set windows='[30s, 1m]' --set partitions=6 --set views='[[service, operation, kind]]'
    --set history='[{resolution: 5s, retain: 1h, sketches: false}]' --set thresholds='[20ms]')
config=$WORK/empty.yaml
echo '{}' >"$config"

# Every span is in one final row of its operation: the newest of each pane.
counted() {
    oracle total --rows-topic "$1" >"$WORK/total.out" || fail "reading $1"
    awk '/^operation/ { sum += $2 + $4 } END { print sum + 0 }' "$WORK/total.out"
}
spans_of_topic() {
    oracle spans --topic "$topic" >"$WORK/spans.out" || fail "counting spans"
    read -r all _ <"$WORK/spans.out"
    echo "$all"
}
apply() { "$WEIR" plan apply "${NEW[@]}" "$@" "$config" >"$WORK/apply.log" 2>&1; }
refuses() { # for the reason $1
    apply --yes && fail "apply was not refused: it should say $1"
    grep -q "$1" "$WORK/apply.log" || fail "the refusal does not say $1"
}
has_rows() { [ "$(redis-cli -u "$WEIR_TEST_REDIS" hlen "$name:applied")" != 0 ]; }

refuses "nothing has run under the name"

generate "$topic" --since 10m --seed 3 --late 3%
"$WEIR" run "${OLD[@]}" >"$WORK/old.log" 2>&1 &
pid=$!
SERVERS_PIDS+=("$pid")
servers_wait 60 "$pid" has_rows || fail "no rows under the old plan"
"$WEIR" run "${NEW[@]}" >"$WORK/other.log" 2>&1 && fail "another plan was not refused"
grep -q '^- pane: 10s' "$WORK/other.log" || fail "the refusal does not say what differs"
grep -q 'part=state msg="another plan: .* where='"$name.plan " "$WORK/other.log" || fail "the log has no trouble of another plan"
grep -q 'part=worker msg="cannot go on, leaving" error="'"$name runs under plan" "$WORK/other.log" ||
    fail "the log does not say why the worker leaves"
refuses "a worker of $name is running"
grep -q '^+ pane: 5s' "$WORK/apply.log" || fail "apply does not say what differs"
kill -TERM "$pid"
wait "$pid" || fail "the worker ended with exit code $?"
refuses "weir run --until-end"

# The drained stop, then a switch that dies halfway: the old plan stands, and a second try finishes.
"$WEIR" run --until-end "${OLD[@]}" >"$WORK/drain.log" 2>&1 || fail "draining ended with exit code $?"
first=$(spans_of_topic)
[ "$(counted "$name.rows")" = "$first" ] || fail "$(counted "$name.rows") of $first spans under the old plan"
apply || fail "a look at the switch failed"
grep -q 'Nothing was changed' "$WORK/apply.log" || fail "it does not say that nothing was changed"
apply_killed_at() {
    WEIR_FAILPOINT=plan.$1:1:kill apply --yes
    [ $? = 137 ] || fail "apply was not killed at $1; tests need a build with -DWEIR_FAILPOINTS=ON"
}
apply_killed_at sent
"$WEIR" run --until-end "${OLD[@]}" >"$WORK/still.log" 2>&1 || fail "after a kill halfway the old plan does not stand"
apply_killed_at moved
apply_killed_at committed
apply --yes || fail "what was switched is not known to be"
grep -q 'runs under this plan' "$WORK/apply.log" || fail "it does not say that it is done"
"$WEIR" run --until-end "${OLD[@]}" >"$WORK/late.log" 2>&1 && fail "the old plan was not refused"

# The second part is counted under the new plan, by two workers, and nothing twice.
generate "$topic" --since 3m --seed 4 --late 3%
for w in 1 2; do
    "$WEIR" run --until-end "${NEW[@]}" >"$WORK/new$w.log" 2>&1 &
    pids[w]=$!
    SERVERS_PIDS+=($!)
done
for w in 1 2; do wait "${pids[w]}" || fail "worker $w under the new plan ended with exit code $?"; done
both=$(spans_of_topic)
[ "$(counted "$name.rows")" = "$first" ] || fail "the rows of the old plan have changed"
second=$(counted "$name.rows-2")
[ $((first + second)) = "$both" ] || fail "$first + $second spans are in rows, there are $both"
[ "$second" -gt 0 ] || fail "no spans under the new plan"
shown_lines "$name" | grep -E $'^now\t[^\t]*operation=[^\t]*\t(5s|30s|1m)\t|^history\t[^\t]*\t5s ' >"$WORK/shown"
oracle shown --rows-topic "$name.rows-2" <"$WORK/shown" >"$WORK/shown.out" || { cat "$WORK/shown.out"; fail "Redis does not show the new rows"; }
echo "$first spans under the old plan, $second under the new one, $both in all"
