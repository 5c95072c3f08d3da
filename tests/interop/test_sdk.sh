#!/bin/bash
# Spans that OpenTelemetry's own SDK for Java makes and encodes, through a real Kafka: every row is the oracle's,
# and each service has as many entry spans and failed ones as the SDK says it made.
#
#     tests/interop/test_sdk.sh BUILD_FOLDER
. "$(dirname "$0")/../flow/common.sh"
need_kafka
need_redis
SPANS=30000
JARS=$ROOT/build/interop-jars
topic=$RUN-sdk

command -v javac >/dev/null || servers_unavailable "no javac; a JDK runs tests/interop/Spans.java"
if [ ! -e "$JARS/complete" ]; then
    rm -rf "$JARS"
    timeout 300 mvn -B -q -f "$ROOT/tests/interop/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$JARS" >"$WORK/maven.log" 2>&1 ||
        servers_unavailable "OpenTelemetry's SDK could not be fetched from Maven Central"
    touch "$JARS/complete"
fi

timeout 120 java -cp "$JARS/*" "$ROOT/tests/interop/Spans.java" "$WEIR_TEST_BROKERS" "$topic" "$SPANS" \
    >"$WORK/made" 2>"$WORK/sdk.log" || fail "the SDK's program"

run_workers "$RUN" "$topic" 2 --set 'views=[[service], [service, operation, kind]]'
check_rows "$RUN" "$topic"
grep -q "$SPANS spans" "$WORK/oracle.out" || fail "the oracle has read other than $SPANS spans"

# What the store says of each service, as `SERVICE SPANS FAILED`.
counted() {
    local service
    while read -r service _; do
        "$WEIR" query --redis "$WEIR_TEST_REDIS" --prefix "$RUN" history "$service" --from -1h --json |
            /usr/bin/python3 -c 'import json, sys
rows = json.load(sys.stdin)
print(sys.argv[1], sum(r["spans"] for r in rows), sum(r["errors"] for r in rows))' "$service"
    done <"$WORK/made"
}
counted >"$WORK/counted" 2>"$WORK/query.log"
diff "$WORK/made" "$WORK/counted" || fail "the SDK made the first, weir counted the second"
cat "$WORK/made"
