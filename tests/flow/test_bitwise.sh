#!/bin/bash
# The same input gives the same final rows to the bit: run again, with other numbers of workers, and
# over other numbers of partitions of partials.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis

topic=$RUN-spans
generate "$topic" --since 10m --seed 11 --late 3% --out-of-order 5% --skewed 1%

# same WORKERS PARTITIONS: run once more; the first run is what the others are compared with.
same() {
    local name=$RUN-w$1-p$2-$RANDOM
    run_workers "$name" "$topic" "$1" --set partitions="$2"
    oracle dump --rows-topic "$name.rows" >"$WORK/$name.rows" || fail "reading $name.rows"
    [ -s "$WORK/$name.rows" ] || fail "$name wrote no rows"
    [ -n "${first:-}" ] || first=$name
    if ! cmp -s "$WORK/$first.rows" "$WORK/$name.rows"; then
        diff "$WORK/$first.rows" "$WORK/$name.rows" | cut -c 1-400 | head -6
        fail "$1 workers, $2 partitions: rows differ from those of $first"
    fi
    echo "$1 workers, $2 partitions of partials: $(wc -l <"$WORK/$name.rows") rows, identical"
}

same 1 4
same 1 4
same 3 4
same 2 1
same 2 2
grep -q '^alert' "$WORK/$first.rows" || fail "no alert was among what was compared"
check_rows "$first" "$topic"
