#!/bin/bash
# No call of the program's is forgotten by those who make calls fail, and every other command says what it
# could not do: a broker or a Redis that is not there, a file that cannot be read, a full disk, a closed pipe.
. "$(dirname "$0")/common.sh"
FAILING=$BUILD/tests/libfailing.so
[ -r "$FAILING" ] || servers_unavailable "this build has no libfailing.so"

# Every function that the program takes from elsewhere is one that the library fails, or has its reason not to be.
nm -D --undefined-only "$WEIR" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' | sort -u >"$WORK/called"
nm -D --defined-only "$FAILING" | awk '$2 == "T" { print $3 }' >"$WORK/known"
grep '^    ' "$ROOT/tests/support/failing/not_failed" | tr -s ' ' '\n' | grep . >>"$WORK/known"
sort -u "$WORK/known" >"$WORK/known.sorted"
grep -q '^rd_kafka_commit_transaction$' "$WORK/called" || fail "the program's calls cannot be listed"
forgotten=$(comm -23 "$WORK/called" "$WORK/known.sorted" | paste -s -d ' ')
[ -z "$forgotten" ] || fail "the program calls what nobody fails: $forgotten.
Let tests/support/failing fail it, and add cases; or give a reason in tests/support/failing/not_failed"
echo "$(wc -l <"$WORK/called") functions are called, each is failed or has its reason"

# expect CODE WORDS COMMAND...: it ends with that code, and its last words are about WORDS (none: it is silent).
expect() {
    local want=$1 words=$2 code
    shift 2
    { timeout -k 5 100 "$@" >"$WORK/out" 2>"$WORK/said.log" </dev/null; } 2>/dev/null
    code=$?
    [ "$code" = "$want" ] || fail "$*: exit code $code instead of $want"
    [ -z "$words" ] || grep -v '^Try ' "$WORK/said.log" | tail -n 1 | grep -Eq "^weir.*($words)" ||
        fail "$*: its last words are not about '$words'"
}

# The same with a call that fails: strike CALL CODE WORDS ARGUMENTS...
strike() {
    local call=$1 code=$2 words=$3
    shift 3
    expect "$code" "$words" env WEIR_FAIL_CALL="$call" LD_PRELOAD="$FAILING" "$WEIR" "$@"
    [ "${call#execvp}" != "$call" ] || grep -q '^failing: ' "$WORK/said.log" || fail "weir $*: $call was not made"
}

nobody=127.0.0.1:$(servers_free_port)
config=$ROOT/config/weir.yaml
capture=$WORK/capture
printf '\0\0\0\1x' >"$capture"
zstd=$WORK/capture.zst
printf '\050\265\057\375nonsense' >"$zstd"

# Nobody listens there.
expect 1 'no broker answers' "$WEIR" generate --brokers "$nobody" --no-live --since 1m
expect 1 'no broker answers' "$WEIR" replay --brokers "$nobody" "$capture"
expect 1 'Connection refused; is Redis running' "$WEIR" top --once --redis "redis://$nobody"
expect 1 'Connection refused; is Redis running' "$WEIR" query services --redis "redis://$nobody"

# Files that are not there, or are no files.
for command in "check" "plan" "plan --diff $config" "run"; do
    expect 2 'No such file' "$WEIR" $command "$WORK/none"
    expect 2 'Is a directory' "$WEIR" $command "$WORK"
done
expect 2 'No such file' "$WEIR" generate --brokers "$nobody" --config "$WORK/none"
expect 2 'No such file' "$WEIR" replay --brokers "$nobody" "$WORK/none"
expect 2 'Is a directory' "$WEIR" replay --brokers "$nobody" "$WORK"

# Output to a full disk is said; to a pipe that nobody reads it is not, but the code says it.
for command in "check $config" "plan" "--help" "--version" "help run"; do
    "$WEIR" $command >/dev/full 2>"$WORK/said.log"
    [ $? = 1 ] || fail "weir $command to a full disk ended well"
    grep -q 'No space left' "$WORK/said.log" || fail "weir $command does not say that the disk is full"
done
"$WEIR" plan 2>"$WORK/said.log" >&-
[ $? = 1 ] || fail "weir plan without an output ended well"

# Reading a config.
for call in fopen64:1 fread:1 yaml_parser_initialize:1 yaml_parser_parse:1 yaml_parser_parse:5; do
    strike "$call" 2 'cannot be read|no memory|unreadable' check "$config"
done
strike calloc:1 134 'out of memory' check "$config"
strike open_memstream:1 2 "CONFIGURATION.md lists" check --set kafka.securty.protocol=ssl "$config"

# Reading a recording.
strike fstat64:1 2 'cannot be opened' replay --brokers "$nobody" "$capture"
strike fread:1 2 'cannot be read' replay --brokers "$nobody" "$capture"
strike ZSTD_createDStream:1 2 'no memory' replay --brokers "$nobody" "$zstd"

# What is beside the stages: pages, the demo before it begins.
for call in socket:1 bind:1 listen:1 getsockname:1 MHD_start_daemon:1; do
    strike "$call" 1 'cannot listen on' run --brokers "$nobody" --set http.listen=127.0.0.1:0
done
export TMPDIR=$WORK/tmp
mkdir -p "$TMPDIR"
for call in mkdtemp:1 fopen64:1 rd_kafka_new:1 rd_kafka_mock_cluster_new:1 rd_kafka_mock_topic_create:1 fork:1 execvp:1; do
    strike "$call" 1 'cannot|made to fail|does not start' demo
    [ -z "$(ls -A "$TMPDIR")" ] || fail "weir demo, $call: it left something behind"
done

# Receivers of alerts, one try each; and the names of notifiers.
cat >"$WORK/notify.yaml" <<END
notify:
  listen: ""
  receivers:
    - {name: hook, webhook: "http://$nobody/"}
    - {name: sms, command: ["true"]}
END
expect 1 '' "$WEIR" notify --try hook "$WORK/notify.yaml"
grep -q 'hook firing: .*connect' "$WORK/out" || fail "weir notify --try does not say what came of it"
expect 0 '' "$WEIR" notify --try sms "$WORK/notify.yaml"
expect 2 'no receiver called none' "$WEIR" notify --try none "$WORK/notify.yaml"
expect 2 'nobody to tell' "$WEIR" notify --set notify.receivers='[]' "$WORK/notify.yaml"
for call in curl_easy_perform:1 curl_slist_append:1 curl_url:2 pipe2:1 pipe2:3 fork:1; do
    receiver=hook
    case "$call" in pipe2* | fork*) receiver=sms ;; esac
    strike "$call" 1 '' notify --try "$receiver" "$WORK/notify.yaml"
    grep -q "^$receiver firing: " "$WORK/out" || fail "weir notify, $call: it does not say what came of it"
done
strike curl_url:1 2 'no memory' notify --try hook "$WORK/notify.yaml"
strike curl_easy_init:1 1 'libcurl' notify "$WORK/notify.yaml"
strike getrandom:1 1 'no random numbers' notify "$WORK/notify.yaml"
strike pthread_create:1 1 'cannot start a thread' notify "$WORK/notify.yaml"

need_kafka
need_redis
to() { echo "generate --brokers $WEIR_TEST_BROKERS --no-live --since 1m --seed 1 --topic $RUN-$1"; }
strike rd_kafka_new:1 2 'cannot make a producer' $(to a)
strike rd_kafka_metadata:1 1 'no broker answers' $(to a)
strike rd_kafka_NewTopic_new:1 1 'made to fail' $(to a)
strike rd_kafka_NewTopic_set_config:1 1 'cannot be created: .' $(to a)
strike rd_kafka_queue_poll:1 1 'cannot be created: no answer' $(to a)
strike rd_kafka_topic_result_error:1:denied 1 'authorization failed' $(to b)
strike rd_kafka_topic_new:1 1 'cannot be used' $(to c)
strike rd_kafka_produceva:3:full 0 '' $(to d)
strike rd_kafka_produceva:3:large 1 'Message size too large' $(to d)
strike rd_kafka_flush:1 0 '' $(to e)

strike ZSTD_decompressStream:1 1 'bad zstd' replay --brokers "$WEIR_TEST_BROKERS" --topic "$RUN-f" "$zstd"

look=(top --once --redis "$WEIR_TEST_REDIS" --prefix "$RUN")
for call in socket:1 connect:1 getaddrinfo:1 getsockopt:1 poll:1:ENOMEM send:1 recv:1:end recv:1:ECONNRESET recv:1:middle \
    redisReaderCreate:1 redisReaderFeed:1 redisReaderGetReply:1; do
    strike "$call" 1 'redis: ' "${look[@]}"
done
for call in setsockopt:1 poll:1:EINTR send:1:short send:1:EINTR recv:1:EINTR recv:1:EAGAIN recv:1:short; do
    strike "$call" 0 '' "${look[@]}"
done

# With rows to look at.
generate "$RUN-rows" --since 3m --seed 7
worker "$RUN" "$RUN-rows" run
wait "$WORKER" || fail "weir run ended with exit code $?"
for call in json_loadb:1 json_loadb:3; do
    strike "$call" 0 '' "${look[@]}"
    strike "$call" 0 '' query now service=checkout --json --redis "$WEIR_TEST_REDIS" --prefix "$RUN"
done
strike json_object:1 0 '' query now service=checkout --redis "$WEIR_TEST_REDIS" --prefix "$RUN"
echo "every command says what it could not do"
