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
servers_say_and_go_on() {
    echo "No Kafka: $1 Tests that need one are skipped; WEIR_TEST_BROKERS=host:port names one of yours."
    [ "${CI:-}" != true ] || exit 1
    export WEIR_TEST_NO_KAFKA=$1
}

if [ -z "${WEIR_TEST_BROKERS:-}" ] && ! start_kafka "$SERVERS_DIR/kafka" >"$SERVERS_DIR/why"; then
    servers_say_and_go_on "$(tr '\n' ' ' <"$SERVERS_DIR/why")"
fi
need_redis

"$@" &
command_pid=$!
trap 'kill -TERM $command_pid 2>/dev/null; exit 143' TERM
trap 'kill -INT $command_pid 2>/dev/null; exit 130' INT
wait $command_pid
