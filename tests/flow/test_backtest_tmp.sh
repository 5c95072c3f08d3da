#!/bin/bash
# weir rules backtest over what a real run left in the rows topic: the same rules and objectives say the same,
# to the pane; stricter and other ones say what they would have, and nothing is written.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis

topic=$RUN-spans
name=$RUN-back
generate "$topic" --since 2h --seed 11 --out-of-order 5% --late 5%

ODD=(--set 'anomaly=[{of: latency}, {of: errors}, {of: spans}]' --set 'rules=[{name: slow, when: p95 > 30ms, for: 20s}, {name: odd, when: anomaly(any) >= page, together: true, severity: page}]')
slos='[{name: pay, match: {service: payment}, objective: 99.9%, page_1h: 5},
       {name: every, match: {}, objective: 99%, latency: 250ms, window: 28d}]'
run_workers "$name" "$topic" 2 --set "slos=$slos" "${ODD[@]}"

# Print what a backtest says whose config has these objectives.
backtest() {
    "$WEIR" rules backtest --from -3h --set brokers="$WEIR_TEST_BROKERS" --set topics="[$topic]" \
        --set name="$name" "${PLAN_FOR_WEIR[@]}" --set "slos=$1" "${ODD[@]}" --config "$WORK/empty.yaml" ||
        fail "weir rules backtest ended with exit code $?"
}
: >"$WORK/empty.yaml"
counts() { sed -n 's/^\([0-9]*\) alerts by these rules, \([0-9]*\) by those that ran: \([0-9]*\) the same, \([0-9]*\) changed, \([0-9]*\) new, \([0-9]*\) gone$/\1 \2 \3 \4 \5 \6/p'; }

before=$(oracle rows --topic "$topic" --rows-topic "$name.rows" "${PLAN_FOR_ORACLE[@]}" | tail -1)
backtest "$slos" >"$WORK/same.out"
cat "$WORK/same.out"
read -r these ran same changed new gone <<<"$(counts <"$WORK/same.out")"
[ "${these:-0}" -ge 4 ] || fail "only ${these:-no} alerts; the faults of the shop should make more"
[ "$these $ran $same $changed $new $gone" = "$ran $ran $ran 0 0 0" ] ||
    fail "the same objectives do not say the same"
grep -q '^pay_page *page *service=payment ' "$WORK/same.out" || fail "no page of payment"

backtest '[{name: pay, match: {service: payment}, objective: 99%, page_1h: 10},
    {name: other, match: {service: checkout}, objective: 99%}]' >"$WORK/other.out"
cat "$WORK/other.out"
read -r these ran same changed new gone <<<"$(counts <"$WORK/other.out")"
[ "$gone" -gt 0 ] || fail "an objective that is not there any more has no alert that is gone"
[ "$((new + changed))" -gt 0 ] || fail "other objectives say nothing else"
[ "$ran" = "$((same + changed + gone))" ] || fail "the counts do not add up"

# Nothing was written, and a config of another plan is refused before anything is read.
[ "$before" = "$(oracle rows --topic "$topic" --rows-topic "$name.rows" "${PLAN_FOR_ORACLE[@]}" | tail -1)" ] ||
    fail "the rows topic is another one"
"$WEIR" rules backtest --set brokers="$WEIR_TEST_BROKERS" --set topics="[$topic]" --set name="$name" \
    --set start=earliest --config "$WORK/empty.yaml" >"$WORK/plan.out" 2>&1 && fail "another plan is not refused"
grep -q 'made under plan' "$WORK/plan.out" || { cat "$WORK/plan.out" && fail "it does not say why"; }
