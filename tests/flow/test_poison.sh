#!/bin/bash
# Messages and names made to do harm: nothing stops, every name is kept, and none of them reaches a
# terminal, a log or Redis' protocol as it was.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis
POISON=$BUILD/tests/weir_poison

topic=$RUN-spans
name=$RUN
"$POISON" create "$WEIR_TEST_BROKERS" "$topic" 1 max.message.bytes=100000000 || fail "making a topic"
"$POISON" send "$WEIR_TEST_BROKERS" "$topic" >"$WORK/bad" || fail "sending the messages"
run_workers "$name" "$topic" 1 --set dead_letter="$name.dead" --set log.format=json
log=$WORK/$name-worker1.log

# What was to be set aside was, and nothing else.
kcat -C -b "$WEIR_TEST_BROKERS" -t "$name.dead" -o beginning -e -q -f '%h\n' |
    sed -n 's/.*weir.reason=\([a-z_]*\),.*weir.offset=\([0-9]*\),.*/\2 \1/p' | sort >"$WORK/got"
sort "$WORK/bad" | cmp -s - "$WORK/got" || { diff "$WORK/bad" "$WORK/got"; fail "others were set aside"; }

# Each name is a series of its own, percent-encoded.
NAMES=("" 'nul%00nul' 'line%0Aline%0D%0Aline' 'x%0D%0A%2A1%0D%0A%248%0D%0AFLUSHALL%0D%0A'
    '%1B%5B2J%1B%5D0%3Btitle%07' 'c1%C2%9B31m' 'bidi%E2%80%AEibid' 'not%FF%FE%20utf%C0%80'
    'a%3Bb%3Dc%2Cd%3Ae%7Bf%7D%22g%22%5Ch%25i' odd after "$(printf 'n%.0s' {1..1024})")
REDIS=(redis-cli -u "$WEIR_TEST_REDIS")
for n in "${NAMES[@]}"; do
    service=${n:-unknown_service}
    series="service=$service;operation=$n;kind=SERVER"
    [[ $("${REDIS[@]}" hget "$name:now:$series" 1m) == *'"spans":1,'* ]] || fail "Redis has no row of $series"
    [ -n "$("${REDIS[@]}" zscore "$name:services" "$service")" ] || fail "Redis has no service $n"
    "$WEIR" query now "$series" --redis "$WEIR_TEST_REDIS" --prefix "$name" --json >"$WORK/query.json" ||
        fail "weir query now $series"
    grep -q '"spans":1,' "$WORK/query.json" || fail "weir query now does not know $series"
done
[ "$("${REDIS[@]}" zcard "$name:services")" = ${#NAMES[@]} ] || fail "Redis has other services too"

# Not a control byte, neither C1 nor a change of direction, in anything that people look at.
for what in services series "series odd" alerts; do
    # shellcheck disable=SC2086 # words
    "$WEIR" query $what --redis "$WEIR_TEST_REDIS" --prefix "$name" || fail "weir query $what"
    # shellcheck disable=SC2086
    "$WEIR" query $what --redis "$WEIR_TEST_REDIS" --prefix "$name" --json || fail "weir query $what --json"
done >"$WORK/shown"
"$WEIR" top --once --redis "$WEIR_TEST_REDIS" --prefix "$name" >>"$WORK/shown" || fail "weir top"
cat "$log" >>"$WORK/shown"
if LC_ALL=C grep -naP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]' "$WORK/shown"; then
    fail "a control character is shown"
fi
python3 -c 'import json, sys
for line in open(sys.argv[1]): json.loads(line)' "$log" || fail "the log is not JSON"
