#!/bin/bash
# SIGHUP on running workers: a rule that is added fires, one that is taken out is resolved, on whichever
# worker the series is; an invalid file changes nothing and says where it is wrong.
. "$(dirname "$0")/common.sh"
need_kafka
need_redis

topic=$RUN-spans
name=$RUN-reload
generate "$topic" --since 10s --seed 7
"$WEIR" generate --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --seed 8 >"$WORK/live.log" 2>&1 &
SERVERS_PIDS+=($!)

config=$WORK/weir.yaml
write_config() {
    cat >"$config" <<-END
	brokers: $WEIR_TEST_BROKERS
	topics: [$topic]
	name: $name
	redis: {url: "$WEIR_TEST_REDIS", prefix: $name}
	http.listen: ""
	pane: 1s
	lateness: 1s
	windows: [10s]
	history: [{resolution: 1s, retain: 1h, sketches: false}]
	epoch: 100ms
	snapshot: 1s
	partitions: 4
	rules: $1
	threads.sink: ${2:-1}
	END
}
active() { redis-cli -u "$WEIR_TEST_REDIS" hvals "$name:alerts:active" | grep -c "\"rule\":\"$1\""; }
fires() { [ "$(active "$1")" -gt 0 ]; }
is_over() { [ "$(active "$1")" = 0 ]; }
says() { grep -q "$2" "$WORK/$1.log"; }

# Two workers; the second is told nothing, and its partitions go by the same settings all the same.
write_config "[{name: busy, when: spans > 0}]"
pids=()
for w in w1 w2; do
    "$WEIR" run --set instance=$w "$config" >"$WORK/$w.log" 2>&1 &
    pids+=($!)
    SERVERS_PIDS+=($!)
done
servers_wait 60 "${pids[0]}" fires busy || fail "the first rule does not fire"

# Whoever joins brings the settings that it was started with: wait until both have, in all partitions.
have_joined() {
    local told
    told=$(kcat -b "$WEIR_TEST_BROKERS" -t "$name.partials" -C -e -q 2>/dev/null | grep -ac busy)
    [ "$told" -ge 8 ]
}
servers_wait 60 "${pids[1]}" have_joined || fail "the second worker did not tell its settings"

write_config "[{name: busy, when: spans > none}]"
kill -HUP "${pids[0]}"
servers_wait 20 "${pids[0]}" says w1 'nothing was changed.*weir.yaml:[0-9]*:[0-9]*: ' ||
    fail "the invalid file is not refused with its place"
fires busy || fail "an invalid file ended the rule"

write_config "[{name: awake, when: spans > 0}]" 2
kill -HUP "${pids[0]}"
servers_wait 20 "${pids[0]}" says w1 'changed.*key=rules' || fail "it does not say what changed"
says w1 'restart this worker for it.*key=threads.sink' || fail "it does not say what needs a restart"
servers_wait 60 "${pids[0]}" fires awake || fail "the rule that was added does not fire"
servers_wait 60 "${pids[0]}" is_over busy || fail "the rule that was taken out fires for ever"

# A worker that dies after the change: the other runs its log again by the new rule.
servers_stop "${pids[0]}" KILL
write_config "[{name: busy, when: spans > 0}, {name: awake, when: spans > 0}]"
kill -HUP "${pids[1]}"
servers_wait 60 "${pids[1]}" fires busy || fail "the rule does not fire on the worker that is left"
fires awake || fail "the rule that stayed does not fire any more"
kill -TERM "${pids[1]}"
wait "${pids[1]}" || fail "the worker ended with exit code $?"
"$WEIR" run --until-end "$config" >"$WORK/end.log" 2>&1 || fail "the run to the end ended with exit code $?"
check_redis "$name"
