#!/bin/bash
# Twenty seconds of the demo show what weir does: final rows, the fault as one page that names the right series and real traces, and
# its end; and nothing is left running or behind.
. "$(dirname "$0")/common.sh"
command -v redis-server >/dev/null || servers_unavailable "redis-server is not installed"

# Everything that the demo makes is under this folder.
export TMPDIR=$WORK/tmp HOME=$WORK/home
mkdir -p "$TMPDIR" "$HOME"

children_of() {
    ps -o pid= --ppid "$1"
}

cd "$WORK" || fail "no work folder"
seconds=${WEIR_TEST_DEMO_SECONDS:-20} # more where the program is slowed down by a sanitizer
DEMO_SECONDS=$seconds "$WEIR" demo >"$WORK/demo.log" 2>&1 </dev/null &
demo=$!
SERVERS_PIDS+=("$demo")
sleep 5
helpers=$(children_of "$demo")
socket=$(echo "$TMPDIR"/weir-demo.*/redis.sock)
query() { "$WEIR" query --redis "unix://$socket" --json "$@"; }
is_over() { query transitions --from -1m 2>/dev/null | grep -q '"state": *"resolved"'; }
servers_wait "$seconds" "$demo" is_over || fail "the fault is not resolved while one watches"
query transitions --from -1m >"$WORK/transitions.json" || fail "the alerts cannot be read"
wait "$demo" || fail "weir demo ended with exit code $?"

shows() {
    grep -Eq "$1" "$WORK/demo.log" || fail "the demo did not show $2"
}
shows '^SERVICE .* Z ' 'a table with a score'
shows '^catalog +[0-9.]+ ' "the fault's service with the rate of its final rows"
shows ' firing +unusual +page +service=catalog;operation=GetProduct;kind=SERVER ' 'the page, the right series first'
shows ' resolved +unusual +page ' "the alert's resolution"

# One page with its members, and traces that are really slow or failed: a product takes some 4 ms.
/usr/bin/python3 - "$WORK/transitions.json" <<'END' || fail "the page is not what it should be: $(cat "$WORK/transitions.json")"
import json, sys
def listed(value):
    return json.loads(value) if isinstance(value, str) else value
transitions = json.load(open(sys.argv[1]))
firing = [t for t in transitions if t["state"] == "firing"]
assert len(firing) == 1, f"{len(firing)} pages"
members = [m["series"] for m in listed(firing[0]["members"])]
assert members[0] == "service=catalog;operation=GetProduct;kind=SERVER", members
assert "service=catalog" in members, members
traces = [e for e in listed(firing[0]["exemplars"]) if e["kind"] != "typical"]
assert traces and all(e["kind"] == "error" or e["duration_ms"] > 20 for e in traces), traces
assert listed(firing[0]["errors"])[0]["count"] > 0
END

for pid in $helpers; do
    ! kill -0 "$pid" 2>/dev/null || fail "process $pid of the demo is still there"
done
left=$(find "$TMPDIR" "$HOME" -mindepth 1)
[ -z "$left" ] || fail "the demo left behind: $left"
