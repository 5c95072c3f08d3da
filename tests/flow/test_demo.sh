#!/bin/bash
# Twenty seconds of the demo show what weir does: final rows, the fault's z-score, its alert and the
# alert's end; and nothing is left running or behind.
. "$(dirname "$0")/common.sh"
command -v redis-server >/dev/null || servers_unavailable "redis-server is not installed"

# Everything that the demo makes is under this folder.
export TMPDIR=$WORK/tmp HOME=$WORK/home
mkdir -p "$TMPDIR" "$HOME"

children_of() {
    ps -o pid= --ppid "$1"
}

cd "$WORK" || fail "no work folder"
DEMO_SECONDS=20 "$WEIR" demo >"$WORK/demo.log" 2>&1 </dev/null &
demo=$!
SERVERS_PIDS+=("$demo")
sleep 5
helpers=$(children_of "$demo")
wait "$demo" || fail "weir demo ended with exit code $?"

shows() {
    grep -Eq "$1" "$WORK/demo.log" || fail "the demo did not show $2"
}
shows '^SERVICE .* Z ' 'a table with a z-score'
shows '^catalog +[0-9.]+ ' "the fault's service with the rate of its final rows"
shows 'latency-unusual.*firing|firing.*latency-unusual' "the alert on the fault's z-score"
shows 'latency-unusual.*resolved|resolved.*latency-unusual' "the alert's resolution"

for pid in $helpers; do
    ! kill -0 "$pid" 2>/dev/null || fail "process $pid of the demo is still there"
done
left=$(find "$TMPDIR" "$HOME" -mindepth 1)
[ -z "$left" ] || fail "the demo left behind: $left"
