# What the flow tests share; sourced with the build folder as $1, after which servers are open.
#
#     . tests/flow/common.sh
#
# A test fails by `fail TEXT`, which says what was wrong, where, and shows the newest logs.

set -u
BUILD=$(cd "${1:?usage: $0 BUILD_FOLDER}" && pwd)
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WEIR=$BUILD/weir
ORACLE=$BUILD/tests/weir_oracle
DATA=${WEIR_TEST_DATA:-$ROOT/../shared/data}

. "$ROOT/tests/support/servers.sh"
servers_open
WORK=$SERVERS_DIR/work
mkdir -p "$WORK"

# Names that no other run on the same servers has.
RUN=t$$x$RANDOM

fail() {
    echo "FAILED: $*"
    local log
    for log in "$WORK"/*.log; do
        [ -s "$log" ] || continue
        echo "--- end of $(basename "$log")"
        tail -15 "$log"
    done
    exit 1
}

# Test data that is not part of the source: absent is a skip, in CI a failure.
need_data() {
    [ -r "$DATA/$1" ] || servers_unavailable "no $1 in the test data; WEIR_TEST_DATA names its folder"
}

oracle() {
    local command=$1
    shift
    "$ORACLE" "$command" --brokers "$WEIR_TEST_BROKERS" "$@"
}

# The plan that most tests run under, once for weir and once for the oracle.
PLAN_FOR_WEIR=(
    --set time=records --set start=earliest --set pane=10s --set lateness=30s --set skew=5s --set allowed_lateness=5m
    --set windows='[1m, 5m, 1h]' --set quantiles='[0.5, 0.95, 0.99]' --set thresholds='[50ms, 250ms, 1s]'
    --set 'rules=[{name: slow, when: p95 > 30ms, for: 20s}]'
)
PLAN_FOR_ORACLE=(
    --pane 10s --lateness 30s --skew 5s --allowed-lateness 5m
    --window 1m/10s --window 5m/30s --window 1h/5m --history 10s --history 1m
    --quantiles 50 --quantiles 95 --quantiles 99 --threshold 50ms --threshold 250ms --threshold 1s
)

# Start one worker that goes on until it is stopped: follow NAME TOPIC LOG [options]; its pid is in WORKER.
follow() {
    local name=$1 topic=$2 log=$3
    shift 3
    "$WEIR" run --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --redis "$WEIR_TEST_REDIS" \
        --name "$name" --set redis.prefix="$name" --set http.listen= \
        "${PLAN_FOR_WEIR[@]}" "$@" >"$WORK/$log.log" 2>&1 &
    WORKER=$!
    SERVERS_PIDS+=($!)
}

# The same in batch mode.
worker() {
    follow "$@" --until-end
}

# run_workers NAME TOPIC COUNT [options]: that many processes until the topic's end, all must succeed.
run_workers() {
    local name=$1 topic=$2 count=$3 pids=() i
    shift 3
    for ((i = 1; i <= count; i++)); do
        worker "$name" "$topic" "$name-worker$i" --set instance="w$i" "$@"
        pids+=("$WORKER")
    done
    for i in "${pids[@]}"; do
        wait "$i" || fail "a worker of $name ended with exit code $?"
    done
}

# The rows of $1 are what the oracle makes of topic $2.
check_rows() {
    local name=$1 topic=$2
    shift 2
    oracle rows --topic "$topic" --rows-topic "$name.rows" "${PLAN_FOR_ORACLE[@]}" "$@" \
        >"$WORK/oracle.out" || { cat "$WORK/oracle.out" && fail "$name: rows and oracle differ"; }
    cat "$WORK/oracle.out"
    grep -q ' 0 repeated$' "$WORK/oracle.out" || fail "$name: a final row was told more than once"
}

# Everything that Redis shows of prefix $1, sorted, less what wall clocks decide.
redis_dump() {
    local key
    redis-cli -u "$WEIR_TEST_REDIS" --scan --pattern "$1:*" | LC_ALL=C sort | while read -r key; do
        case "$key" in "$1:applied" | "$1:about" | "$1:alerts") continue ;; esac
        case "$(redis-cli -u "$WEIR_TEST_REDIS" type "$key")" in
        hash) redis-cli -u "$WEIR_TEST_REDIS" hgetall "$key" | paste - - ;;
        zset) redis-cli -u "$WEIR_TEST_REDIS" zrange "$key" 0 -1 withscores | paste - - ;;
        esac | LC_ALL=C sort | sed -e "s|^|${key#"$1":} |" \
            -e 's/"transfer_ms":[0-9.-]*//; s/"analysis_ms":[0-9.-]*//'
    done
}

# Do the two numbers differ by at most $3 of the second?
is_near() {
    awk -v got="$1" -v want="$2" -v error="$3" 'BEGIN {
        off = got - want; if (off < 0) off = -off
        exit !(got != "" && off <= error * want + 1e-9)
    }'
}

# Write spans of the past to a new topic of six partitions: generate TOPIC [options].
generate() {
    local topic=$1
    shift
    "$WEIR" generate --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --partitions 6 --no-live "$@" \
        >"$WORK/generate.log" 2>&1 || fail "weir generate"
    head -1 "$WORK/generate.log"
}

# check_ranges NAME TOPIC COUNT: that many random ranges of whole minutes, each with a quantile that
# `weir query` works out of stored sketches; the count is exact, the quantile right within 0.55 %.
check_ranges() {
    local name=$1 topic=$2 count=$3 checked=0 series from to quantile truth spans json got
    oracle ranges --topic "$topic" --count "$count" --seed 1 "${PLAN_FOR_ORACLE[@]}" >"$WORK/ranges.out" ||
        fail "drawing random ranges"
    while read -r series from to quantile truth spans; do
        json=$("$WEIR" query range "$series" --redis "$WEIR_TEST_REDIS" --prefix "$name" \
            --from "$from" --to "$to" --quantile "$quantile" --json) ||
            fail "weir query range of $series from $from to $to"
        got=$(echo "$json" | sed -n 's/.*"ms":\([^}]*\)}\]}$/\1/p')
        is_near "$got" "$truth" 0.0055 ||
            fail "$series from $from to $to: quantile $quantile is $truth ms, weir says $json"
        [[ $json == *"\"spans\":$spans,"* ]] ||
            fail "$series from $from to $to: there are $spans spans, weir says $json"
        checked=$((checked + 1))
    done <"$WORK/ranges.out"
    [ "$checked" = "$count" ] || fail "only $checked of $count ranges were checked"
    echo "$checked random ranges: quantiles within 0.55 %"
}

# What Redis shows under prefix $1, as `weir_oracle shown` reads it. One redis-cli asks for all keys.
shown_lines() {
    redis-cli -u "$WEIR_TEST_REDIS" --scan --pattern "$1:*" |
        awk -v skip=$((${#1} + 2)) '{ # now:SERIES, or history:RESOLUTION:SERIES:BUCKET
            series = substr($0, skip)
            kind = series; sub(/:.*/, "", kind); sub(/[^:]*:/, "", series)
            at = kind "\\t"
            if (kind == "history") {
                resolution = series; sub(/:.*/, "", resolution)
                sub(/[^:]*:/, "", series); sub(/:[^:]*$/, "", series)
                at = at series "\\t" resolution " "
            } else if (kind == "now") at = at series "\\t"
            else next
            printf "echo \"=%s\"\nhgetall \"%s\"\n", at, $0
        }' | redis-cli -u "$WEIR_TEST_REDIS" |
        awk '/^=/ { at = substr($0, 2); odd = 0; next }
            (odd = !odd) { field = $0; next }
            { printf "%s%s\t%s\n", at, field, $0 }'
}

# Redis shows what the rows topic of $1 says: the newest rolling rows, and all history.
check_redis() {
    shown_lines "$1" >"$WORK/$1.shown"
    oracle shown --rows-topic "$1.rows" <"$WORK/$1.shown" >"$WORK/shown.out" ||
        { cat "$WORK/shown.out" && fail "$1: Redis does not show what the rows topic says"; }
    tail -1 "$WORK/shown.out"
}
