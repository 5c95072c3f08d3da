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

grep -Eq 'checkout|frontend' "$WORK/demo.log" || fail "the table names no service of the shop"
grep -q 'final' "$WORK/demo.log" || fail "the demo showed no final rows"
grep -Eqi 'firing' "$WORK/demo.log" || fail "the demo showed no alert"
grep -Eqi 'resolved' "$WORK/demo.log" || fail "the demo showed no alert's resolution"
grep -Eqi '(^|[^a-z])z([^a-z]|$)' "$WORK/demo.log" || fail "the demo showed no z-score"

for pid in $helpers; do
    ! kill -0 "$pid" 2>/dev/null || fail "process $pid of the demo is still there"
done
left=$(find "$TMPDIR" "$HOME" -mindepth 1)
[ -z "$left" ] || fail "the demo left behind: $left"
