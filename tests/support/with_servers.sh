#!/bin/bash
# Run a command with a real Kafka and a real Redis, started once, named by WEIR_TEST_BROKERS and
# WEIR_TEST_REDIS, and stopped at its end.
#
#     tests/support/with_servers.sh ctest --test-dir build/test/tests
#
# Without a Kafka (see servers.sh) the command runs all the same and its tests skip; with CI=true that
# is a failure.
set -u
. "$(dirname "$0")/servers.sh"
servers_open

if [ -z "${WEIR_TEST_BROKERS:-}" ] && ! start_kafka "$SERVERS_DIR/kafka" >"$SERVERS_DIR/why"; then
    echo "No Kafka: $(servers_why). Tests that need one are skipped; name one of yours by" \
        "WEIR_TEST_BROKERS=host:port."
    [ "${CI:-}" != true ] || exit 1
    WEIR_TEST_NO_KAFKA=$(servers_why)
    export WEIR_TEST_NO_KAFKA
fi
need_redis

"$@" &
command_pid=$!
trap 'kill -TERM $command_pid 2>/dev/null; exit 143' TERM
trap 'kill -INT $command_pid 2>/dev/null; exit 130' INT
wait $command_pid
