#!/bin/bash
# The oracle against a little topic whose rows were worked out by hand: it must find them equal, and
# must notice every row that is left out, every column that is off, and each of its own rules broken.
. "$(dirname "$0")/common.sh"
need_kafka

LITTLE_PLAN=(
    --pane 10s --lateness 30s --skew 5s --allowed-lateness 20s --window 1m/10s --history 10s
    --history 1m --threshold 250ms --quantiles 50
)

feed() {
    oracle feed --rows-topic "$RUN-rows$1" --tamper "$@" >>"$WORK/feed.log" 2>&1 ||
        fail "feeding the little topic"
}

compare() {
    local tamper=$1
    shift
    oracle rows --topic "$RUN-in" --rows-topic "$RUN-rows$tamper" "${LITTLE_PLAN[@]}" "$@"
}

feed -1 --topic "$RUN-in"
compare -1 >"$WORK/compare.log" || fail "rows worked out by hand and the oracle's differ"
tail -1 "$WORK/compare.log"
grep -q '^oracle: 43 rows equal, 0 differ, 0 missing, 0 unexpected, 0 repeated$' "$WORK/compare.log" ||
    fail "expected 43 equal rows"

for rule in pane-boundary on-time too-late arrival mask; do
    compare -1 --break "$rule" >"$WORK/compare.log"
    [ $? = 1 ] || fail "the rule $rule was broken and the comparison did not notice"
    echo "broken rule $rule: $(grep -m 1 -E '^(differs|missing|unexpected)' "$WORK/compare.log")"
done

# Each column once, a row left out, and its traces and error kinds, over different rows.
for tamper in 0 17 34 51 68 85 102 7 24 41 58 75 15 12 13 14 60 30; do
    feed "$tamper"
    compare "$tamper" >"$WORK/compare.log"
    [ $? = 1 ] || fail "row $((tamper % 43)) was tampered with and the comparison did not notice"
    echo "tampered: $(grep -m 1 -E '^(differs|missing|unexpected)' "$WORK/compare.log")"
done

true_median=$(oracle quantile --topic "$RUN-in" "${LITTLE_PLAN[@]}" --quantile 0.5 \
    --series 'service=checkout;operation=GET%20%2F;kind=SERVER' --from 1700000040000 --to 1700000100000)
[ "$true_median" = 100 ] || fail "the median of 50, 100, 250, 400 ms is 100 ms, not $true_median"
