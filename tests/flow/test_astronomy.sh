#!/bin/bash
# Real captured spans, unkeyed over six partitions, read by two workers: every row is the oracle's,
# and any range has the right quantile from stored sketches.
. "$(dirname "$0")/common.sh"
need_data otlp/astronomy-oteltraces.zst
need_kafka
need_redis

topic=$RUN-spans
"$WEIR" replay --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --partitions 6 --now \
    "$DATA/otlp/astronomy-oteltraces.zst" >"$WORK/replay.log" 2>&1 || fail "weir replay"
tail -1 "$WORK/replay.log"

run_workers "$RUN" "$topic" 2
check_rows "$RUN" "$topic"
check_redis "$RUN"
check_ranges "$RUN" "$topic" 20
