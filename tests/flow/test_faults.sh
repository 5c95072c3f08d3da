#!/bin/bash
# A short, seeded selection of faults: three brokers, Redis, workers, each disturbed in its way, and every
# final row compared with the oracle. `make soak` goes on with all kinds of faults and new seeds.
. "$(dirname "$0")/../support/servers.sh"
build=${1:?usage: $0 BUILD_FOLDER}
servers_open
command -v redis-server >/dev/null || servers_unavailable "redis-server is not installed"
kafka_jars >"$SERVERS_DIR/why" || servers_unavailable "no Kafka: $(servers_why)"
grep -q 'WEIR_FAILPOINTS:BOOL=ON' "$build/CMakeCache.txt" ||
    servers_unavailable "this build has no failpoints (-DWEIR_FAILPOINTS=ON)"

# Not from the environment: brokers of its own, which it kills.
TMPDIR=$SERVERS_DIR /usr/bin/python3 "$(dirname "$0")/../soak/soak.py" "$build" --short --seed "${WEIR_SOAK_SEED:-1}" \
    --jars "$SERVERS_KAFKA_JARS" &
soak=$!
SERVERS_PIDS+=($soak)
trap 'kill -TERM $soak 2>/dev/null; wait $soak; exit 143' TERM INT
wait $soak
