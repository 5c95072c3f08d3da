#!/bin/bash
# A rolling upgrade: a worker and its successor side by side. What the successor only adds, the old one
# passes over; where it raises the version, the old one ends and says where and why, and nothing is lost.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis

topic=$RUN-spans
generate "$topic" --since 15m --seed 9 --late 3%
SLOW=(--set max_ahead=1m --set epoch=100ms --set snapshot=1s --set partitions=4)
has_rows() { [ "$(redis-cli -u "$WEIR_TEST_REDIS" hlen "$1:applied")" != 0 ]; }

# Fields that the old worker does not know.
name=$RUN-added
worker "$name" "$topic" "$name-old" --set instance=old "${SLOW[@]}"
old=$WORKER
WEIR_TEST_FORMAT=added worker "$name" "$topic" "$name-new" --set instance=new "${SLOW[@]}"
new=$WORKER
wait "$old" || fail "the old worker ended with exit code $?"
wait "$new" || fail "the new worker ended with exit code $?"
check_rows "$name" "$topic"

# A version that the old worker must not read: the new one takes over what the old one left.
name=$RUN-raised
follow "$name" "$topic" "$name-old" --set instance=old "${SLOW[@]}"
old=$WORKER
servers_wait 60 "$old" has_rows "$name" || fail "$name: no rows"
WEIR_TEST_FORMAT=2 follow "$name" "$topic" "$name-new" --set instance=new "${SLOW[@]}"
new=$WORKER
shares() {
    for stage in combine aggregate; do
        grep -q "part=$stage msg=\"partitions assigned\"" "$WORK/$1.log" || return 1
    done
}
servers_wait 60 "$new" shares "$name-new" || fail "the new worker has no partitions"
"$WEIR" generate --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --seed 10 --duration 3s >"$WORK/live.log" 2>&1 ||
    fail "weir generate"
refused() {
    grep -E "$RUN[^ ]*(/|, partition )[0-9]+, offset [0-9]+: .*(version 2|weir2)" "$WORK/$1.log" | cut -c 1-250 | head -1
}
wait "$old"
[ $? = 1 ] || fail "the old worker read what it does not know"
[ -n "$(refused "$name-old")" ] || fail "the old worker does not say which record it refused and why"
refused "$name-old"
is_trouble() { grep -q 'part=state msg="another version: ' "$WORK/$1.log"; }
is_trouble "$name-old" || fail "what the old worker met is no trouble of another version"
kill "$new"
wait "$new" || fail "the new worker ended with exit code $?"
WEIR_TEST_FORMAT=2 worker "$name" "$topic" "$name-rest" --set instance=rest "${SLOW[@]}"
wait "$WORKER" || fail "what the new worker had left to do ended with exit code $?"
check_rows "$name" "$topic"

# Going back is refused too, and changes nothing.
worker "$name" "$topic" "$name-back" --set instance=back "${SLOW[@]}"
wait "$WORKER"
[ $? = 1 ] || fail "an old worker went on where a new one had been"
[ -n "$(refused "$name-back")" ] || fail "going back: it does not say which record it refused and why"
is_trouble "$name-back" || fail "going back is no trouble of another version"
WEIR_TEST_FORMAT=2 worker "$name" "$topic" "$name-again" --set instance=again "${SLOW[@]}"
wait "$WORKER" || fail "the right version ended with exit code $?"
check_rows "$name" "$topic"
check_redis "$name"
