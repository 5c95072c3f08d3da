#!/bin/bash
# README.md does what it says: every block after a line `<!-- run -->` is run, in order, as a reader
# would run it, against the test servers.
#
#     <!-- run -->             the block succeeds
#     <!-- run: says TEXT -->  and TEXT is in what it prints
#     <!-- run: until TEXT --> it is run again, for a minute, until that is so
#     <!-- run: worker -->     it is started, stays, and ends well on SIGTERM at the end
. "$(dirname "$0")/common.sh"
need_kafka
need_own_redis

HTTP=127.0.0.1:$(servers_free_port)
BIN=$WORK/bin
mkdir -p "$BIN" "$WORK/home"
ln -s "$ROOT/config" "$WORK/home/config"

# The reader's `weir` finds its servers where the README says they are; here they are elsewhere.
cat >"$BIN/weir" <<END
#!/bin/bash
case "\$1" in
run)
    [[ "\$*" == *--name* ]] || set -- "\$@" --name "$RUN"
    [[ "\$*" == *http.listen* ]] || set -- "\$@" --set http.listen=$HTTP
    ;;
top | query) set -- "\$@" --redis "$WEIR_TEST_REDIS" ;;
esac
exec "$WEIR" "\$@"
END
cat >"$BIN/redis-cli" <<END
#!/bin/bash
exec $(command -v redis-cli) -u "$WEIR_TEST_REDIS" "\$@"
END
chmod +x "$BIN"/*
export PATH=$BIN:$PATH

# The blocks of the README, each to a file NNN.LANGUAGE, its directive to NNN.how.
mkdir "$WORK/blocks"
awk -v folder="$WORK/blocks" '
    /^<!-- run.*-->$/ { how = $0; sub(/^<!-- run:? ?/, "", how); sub(/ ?-->$/, "", how); armed = 1; next }
    /^```/ && armed {
        file = sprintf("%s/%03d", folder, ++blocks)
        print how >(file ".how")
        file = file "." substr($0, 4)
        armed = 0; inside = 1; next
    }
    /^```/ && inside { inside = 0; close(file); next }
    inside { print >file }
' "$ROOT/README.md"
sed -i -e "s|localhost:9092|$WEIR_TEST_BROKERS|g" -e "s|redis://127.0.0.1:6379|$WEIR_TEST_REDIS|g" \
    -e "s|127.0.0.1:9464|$HTTP|g" -e "s|otlp_spans|$RUN-spans|g" -e "s|--name again|--name $RUN-again|" \
    "$WORK"/blocks/*.sh "$WORK"/blocks/*.python

# Run one block; what it prints goes to $WORK/said.
run_block() {
    local runner=(bash -eu)
    [ "${1##*.}" = sh ] || runner=("$PYTHON")
    (cd "$WORK/home" && "${runner[@]}" "$1") >"$WORK/said" 2>&1 </dev/null
}

says() {
    run_block "$1" && grep -qF -- "$2" "$WORK/said"
}

fail_block() {
    sed 's/^/    /' "$1"
    head -20 "$WORK/said"
    fail "this block of README.md $2"
}

# The distribution's Python has the distribution's redis-py, whatever comes first in PATH.
PYTHON=
for python in python3 /usr/bin/python3; do
    if [ -z "$PYTHON" ] && "$python" -c 'import redis' 2>/dev/null; then PYTHON=$python; fi
done

worker_pid=
ran=0
for how_file in "$WORK"/blocks/*.how; do
    how=$(cat "$how_file")
    block=$(ls "${how_file%.how}".[!h]*)
    if [ "${block##*.}" = python ] && [ -z "$PYTHON" ]; then
        [ "${CI:-}" != true ] || fail "README.md: its Python block needs python3 and redis-py"
        echo "SKIPPED: README.md: its Python block needs python3 and redis-py"
        continue
    fi
    case "$how" in
    worker)
        (cd "$WORK/home" && exec bash -c "exec $(cat "$block")") >"$WORK/worker.log" 2>&1 &
        worker_pid=$!
        SERVERS_PIDS+=("$worker_pid")
        ;;
    until*) servers_wait 60 $$ says "$block" "${how#until }" || fail_block "$block" "never says: ${how#until }" ;;
    says*) says "$block" "${how#says }" || fail_block "$block" "does not say: ${how#says }" ;;
    *) run_block "$block" || fail_block "$block" "failed" ;;
    esac
    ran=$((ran + 1))
done
[ "$ran" -ge 10 ] || fail "only $ran blocks of README.md were run"
[ -n "$worker_pid" ] || fail "README.md starts no worker"

kill -TERM "$worker_pid"
wait "$worker_pid" || fail "the worker ended with exit code $?"
echo "$ran blocks of README.md were run"
