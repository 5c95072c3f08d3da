#!/bin/bash
# Messages that cannot be read, among good ones: every row is the oracle's, and the dead-letter topic
# holds exactly the bad ones with where they were and why, also when workers are killed on the way; and
# a topic that refuses them stops nothing.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis
POISON=$BUILD/tests/weir_poison

topic=$RUN-spans
generate "$topic" --since 10m --seed 11
: >"$WORK/bad"
# Bad ones in every partition, with a key and a header; the last one is as long as a letter is not.
bad() {
    local partition=$1 file=$2
    kcat -P -b "$WEIR_TEST_BROKERS" -t "$topic" -p "$partition" -k "key $partition" -H theirs=kept \
        -X message.max.bytes=8000000 "$file" || fail "kcat"
}
printf '\n\005' >"$WORK/cut"
printf 'plain text' >"$WORK/text"
head -c 2000000 /dev/urandom | sed '1s/^/\xff/' >"$WORK/long"
for p in 0 1 2 3 4 5; do bad $p "$WORK/cut"; done
bad 3 "$WORK/text"
bad 3 "$WORK/long"
generate "$topic" --since 5m --seed 12
bad 4 "$WORK/text"

# The bad ones as the topic has them: partition, offset and size.
kcat -C -b "$WEIR_TEST_BROKERS" -t "$topic" -o beginning -e -q -f '%p %o %S %k\n' |
    grep ' key [0-9]$' | sort >"$WORK/bad"
[ "$(wc -l <"$WORK/bad")" = 9 ] || fail "the input holds $(wc -l <"$WORK/bad") bad messages, not 9"

# The letters of topic $1, one a line: partition, offset and size of the original and its key.
letters() {
    kcat -C -b "$WEIR_TEST_BROKERS" -t "$1" -o beginning -e -q -X isolation.level=read_committed \
        -f '%S,%k,%h\n' >"$WORK/letters" || fail "reading $1"
    sed -E 's/^([-0-9]+),([^,]*),.*weir\.partition=([0-9]+),weir\.offset=([0-9]+),.*weir\.value_bytes=([0-9]+).*$/\3 \4 \5 \2/' \
        "$WORK/letters" | sort
}
same_letters() {
    letters "$1" >"$WORK/got"
    cmp -s "$WORK/bad" "$WORK/got" || { diff "$WORK/bad" "$WORK/got"; fail "$1 does not hold the bad messages once"; }
}

SLOW=(--set max_ahead=1m --set epoch=100ms --set partitions=4)
name=$RUN-calm
run_workers "$name" "$topic" 2 --set dead_letter="$name.dead" "${SLOW[@]}"
check_rows "$name" "$topic"
same_letters "$name.dead"
grep -q "^2,key 0,theirs=kept,weir.reason=malformed,weir.error=otlp_proto: malformed field at byte 0 of 2;.*,weir.topic=$topic,weir.partition=0,.*,weir.byte=0,weir.timestamp_ms=[0-9]*,weir.value_bytes=2$" \
    "$WORK/letters" || { cut -c 1-300 "$WORK/letters"; fail "the headers are not as written"; }
grep -q '^900000,key 3,.*,weir.value_bytes=2[0-9]*,weir.cut=value$' "$WORK/letters" ||
    fail "the long message was not cut, or nothing says so"

# Killed when all is sent, and when the offsets are too. One long epoch holds all letters.
killed=()
for step in sent offsets; do
    name=$RUN-$step
    WEIR_FAILPOINT=combine.$step:1:kill worker "$name" "$topic" "$name-first" --set instance=w1 \
        --set dead_letter="$name.dead" --set partitions=4 --set max_ahead=1h --set epoch=3s
    killed+=("$WORKER")
done
for pid in "${killed[@]}"; do
    wait "$pid" && fail "a worker was not killed at its failpoint"
done
# Others take over, which takes as long as a session.
others=()
for step in sent offsets; do
    name=$RUN-$step
    worker "$name" "$topic" "$name-other" --set instance=w2 --set dead_letter="$name.dead" --set partitions=4
    others+=("$WORKER")
done

# A topic for small messages only: the letters come without their contents.
name=$RUN-small
"$POISON" create "$WEIR_TEST_BROKERS" "$name.dead" 1 max.message.bytes=10000 || fail "making a topic"
run_workers "$name" "$topic" 1 --set dead_letter="$name.dead" "${SLOW[@]}"
check_rows "$name" "$topic"
letters "$name.dead" | cut -d ' ' -f 1-3 >"$WORK/got"
cut -d ' ' -f 1-3 "$WORK/bad" | cmp -s - "$WORK/got" || fail "$name.dead does not name the bad messages once"
grep -q 'the dead-letter topic refused letters' "$WORK/$name-worker1.log" || fail "$name: the log does not say so"

# A topic that takes nothing at all: counting goes on, aloud.
name=$RUN-none
"$POISON" create "$WEIR_TEST_BROKERS" "$name.dead" 1 max.message.bytes=100 || fail "making a topic"
run_workers "$name" "$topic" 1 --set dead_letter="$name.dead" "${SLOW[@]}"
check_rows "$name" "$topic"
grep -q 'the dead-letter topic takes nothing' "$WORK/$name-worker1.log" || fail "$name: the log does not say so"

for pid in "${others[@]}"; do
    wait "$pid" || fail "a worker that took over ended with exit code $?"
done
for step in sent offsets; do
    name=$RUN-$step
    check_rows "$name" "$topic"
    same_letters "$name.dead"
    grep -q 'message set aside' "$WORK/$name-first.log" ||
        fail "$name: the epoch that was cut off held no letters, so nothing was tried"
done
