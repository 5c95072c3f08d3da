# Real servers for tests: an Apache Kafka and a Redis on free loopback ports. To be sourced by bash.
#
#     . tests/support/servers.sh
#     servers_open            # a folder for everything, removed with the servers when the shell exits
#     need_kafka              # sets WEIR_TEST_BROKERS, or leaves the script: 77, with CI=true 1
#     need_redis              # sets WEIR_TEST_REDIS, likewise
#
# Where WEIR_TEST_BROKERS or WEIR_TEST_REDIS is set already, that server is used and left as it is.

SERVERS_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SERVERS_KAFKA_JARS=${WEIR_KAFKA_JARS:-$SERVERS_SOURCE/../../build/kafka}
SERVERS_DIR=
SERVERS_PIDS=()

servers_open() {
    SERVERS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/weir-test.XXXXXX")
    trap servers_close EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# End a process that this script started, and wait until it is gone.
servers_stop() {
    kill -CONT "$1" 2>/dev/null
    kill -"${2:-TERM}" "$1" 2>/dev/null
    wait "$1" 2>/dev/null
    return 0
}

servers_close() {
    local pid
    for pid in "${SERVERS_PIDS[@]}"; do
        servers_stop "$pid" KILL
    done
    SERVERS_PIDS=()
    [ -z "$SERVERS_DIR" ] || rm -rf "$SERVERS_DIR"
}

# A test that cannot have its server is skipped, in one line that `make test` shows; CI must have it.
servers_unavailable() {
    if [ "${CI:-}" = true ]; then echo "$(basename "$0"): $1" && exit 1; fi
    echo "SKIPPED: $(basename "$0"): $1"
    exit 77
}

# A port below the range that the system hands out to clients, on which nobody listens.
servers_free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# Wait until `$2...` succeeds, for at most $1 seconds and while process $3 of the caller's lives.
servers_wait() {
    local seconds=$1 pid=$2 tries
    shift 2
    for ((tries = 0; tries < seconds * 10; tries++)); do
        if "$@"; then return 0; fi
        if ! kill -0 "$pid" 2>/dev/null; then return 1; fi
        sleep 0.1
    done
    return 1
}

# The jars of the broker, fetched once. Prints why not, where it fails.
kafka_jars() {
    [ ! -e "$SERVERS_KAFKA_JARS/complete" ] || return 0
    command -v java >/dev/null || { echo "java is not installed" && return 1; }
    command -v mvn >/dev/null || { echo "maven is not installed" && return 1; }
    local fetched=$SERVERS_KAFKA_JARS.$$
    if ! timeout 300 mvn -B -q -f "$SERVERS_SOURCE/kafka/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$fetched" >"$SERVERS_DIR/maven.log" 2>&1; then
        rm -rf "$fetched"
        echo "the broker's jars could not be fetched from Maven Central"
        return 1
    fi
    touch "$fetched/complete"
    rm -rf "$SERVERS_KAFKA_JARS"
    mv "$fetched" "$SERVERS_KAFKA_JARS"
}

# Replaces the shell it runs in, so that a background pid is the broker's own. What it unpacks goes
# where we clean up: killed, it cannot.
kafka_java() {
    exec java -Xms128m -Xmx512m -XX:+UseSerialGC -XX:-UsePerfData -Djava.io.tmpdir="$SERVERS_DIR" \
        -Dlog4j.configuration="file:$SERVERS_SOURCE/kafka/log4j.properties" \
        -cp "$SERVERS_KAFKA_JARS/*" "$@"
}

# kafka_configure PORT CONTROLLER_PORT DIR [options of format]; DIR/more.properties goes last.
kafka_configure() {
    local port=$1 controller=$2 dir=$3
    shift 3
    mkdir -p "$dir"
    cp "$SERVERS_SOURCE/kafka/server.properties" "$dir/server.properties"
    cat >>"$dir/server.properties" <<END
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
log.dirs=$dir/log
END
    [ ! -e "$dir/more.properties" ] || cat "$dir/more.properties" >>"$dir/server.properties"
    local id
    id=$(kafka_java kafka.tools.StorageTool random-uuid 2>/dev/null)
    (kafka_java kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" \
        --ignore-formatted "$@") >"$dir/format.log" 2>&1
}

kafka_is_ready() {
    grep -qs 'Kafka Server started' "$1/server.log"
}

# Start a broker of our own; sets WEIR_TEST_BROKERS. Prints why not, where it fails.
start_kafka() {
    local dir=$1 port controller
    kafka_jars || return 1
    port=$(servers_free_port)
    controller=$(servers_free_port)
    kafka_configure "$port" "$controller" "$dir" || { tail -3 "$dir/format.log" && return 1; }
    kafka_run "$dir" || return 1
    export WEIR_TEST_BROKERS=127.0.0.1:$port
}

# Start the broker that was configured in $1. Prints why not, where it fails.
kafka_run() {
    local dir=$1
    kafka_java kafka.Kafka "$dir/server.properties" >"$dir/server.log" 2>&1 &
    SERVERS_PIDS+=($!)
    if ! servers_wait 60 $! kafka_is_ready "$dir"; then
        echo "the broker did not start:" && tail -5 "$dir/server.log"
        return 1
    fi
}

redis_is_ready() {
    [ "$(redis-cli -u "$1" ping 2>/dev/null)" = PONG ]
}

# Start a Redis of our own, on TCP and on the unix socket $1/redis.sock, with options $2...;
# sets WEIR_TEST_REDIS.
start_redis() {
    local dir=$1 port
    shift
    command -v redis-server >/dev/null || { echo "redis-server is not installed" && return 1; }
    mkdir -p "$dir"
    port=$(servers_free_port)
    redis-server --port "$port" --bind 127.0.0.1 --unixsocket "$dir/redis.sock" --save '' \
        --appendonly no --dir "$dir" "$@" >"$dir/redis.log" 2>&1 &
    REDIS_PID=$!
    SERVERS_PIDS+=($!)
    if ! servers_wait 20 $! redis_is_ready "redis://127.0.0.1:$port"; then
        echo "redis-server did not start:" && tail -5 "$dir/redis.log"
        return 1
    fi
    export WEIR_TEST_REDIS=redis://127.0.0.1:$port
}

# What went wrong, in one line.
servers_why() {
    paste -s -d ' ' "$SERVERS_DIR/why"
}

need_kafka() {
    [ -z "${WEIR_TEST_BROKERS:-}" ] || return 0
    [ -z "${WEIR_TEST_NO_KAFKA:-}" ] || servers_unavailable "no Kafka: $WEIR_TEST_NO_KAFKA"
    start_kafka "$SERVERS_DIR/kafka" >"$SERVERS_DIR/why" ||
        servers_unavailable "no Kafka: $(servers_why)"
}

need_redis() {
    [ -z "${WEIR_TEST_REDIS:-}" ] || return 0
    need_own_redis
}

# A Redis that a test may empty, kill or fill without harm to another.
need_own_redis() {
    start_redis "$SERVERS_DIR/redis" "$@" >"$SERVERS_DIR/why" ||
        servers_unavailable "no Redis: $(servers_why)"
}
