#!/bin/bash
# Generated spans that are late, too late, skewed, out of order or without an id: every row is the
# oracle's, under two plans, and any range has the right quantile from stored sketches.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis

topic=$RUN-spans
generate "$topic" --since 20m --seed 7 --late 5% --out-of-order 5% --skewed 2% --bad-ids 1%

run_workers "$RUN" "$topic" 2
check_rows "$RUN" "$topic"
check_redis "$RUN"
check_ranges "$RUN" "$topic" 20

# Less patience: the same spans are now often too late.
run_workers "$RUN-strict" "$topic" 2 \
    --set lateness=10s --set skew=1s --set allowed_lateness=30s
check_rows "$RUN-strict" "$topic" --lateness 10s --skew 1s --allowed-lateness 30s
grep -Eq ' [1-9][0-9]* dropped, [1-9][0-9]* late, [1-9][0-9]* too late, [1-9][0-9]* skewed,' \
    "$WORK/oracle.out" || fail "the generated spans did not hold every kind of trouble"
