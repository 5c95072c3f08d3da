#!/bin/bash
# A cluster that denies everything: weir says what it lacks as a line of kafka-acls.sh, and when all the
# lines that it said have been run, and no others, it is ready.
. "$(dirname "$0")/common.sh"
. "$ROOT/tests/support/kafka_secure.sh"
need_redis
need_secure_kafka
export SCRAM_PASSWORD=${SECURE_PASSWORD}x
topic=$RUN-spans
dead=$topic.dead
generate "$topic" --since 5m --rate 0.2 --seed 4

port=$(servers_free_port)
"$WEIR" run --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$RUN" --brokers "$BROKER_SASL" \
    --set redis.prefix="$RUN" --set http.listen=127.0.0.1:"$port" --set start=earliest \
    --set dead_letter="$dead" \
    --set kafka.security.protocol=sasl_ssl --set kafka.ssl.ca.location="$SECURE_DIR/ca.pem" \
    --set kafka.sasl.mechanism=SCRAM-SHA-512 --set kafka.sasl.username=nobody \
    --set 'kafka.sasl.password=${SCRAM_PASSWORD}' >"$WORK/weir.log" 2>&1 &
pid=$!
SERVERS_PIDS+=("$pid")

# The newest line of /readyz that was not run yet.
touch "$WORK/done"
lacks() {
    curl -s "http://127.0.0.1:$port/readyz" | sed -n 's/^kafka_access: not ready: .*: kafka-acls.sh //p' |
        sed 's/--bootstrap-server [^ ]* //' >"$WORK/lacks"
    [ -s "$WORK/lacks" ] && ! grep -qxF -f "$WORK/lacks" "$WORK/done"
}
is_ready() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz")" = 200 ]; }
lacks_or_ready() { lacks || is_ready; }
for ((i = 0; i < 10; i++)); do
    servers_wait 60 "$pid" lacks_or_ready || fail "/readyz: $(curl -s "http://127.0.0.1:$port/readyz")"
    ! is_ready || break
    read -ra line <"$WORK/lacks"
    echo "kafka-acls ${line[*]}"
    kafka_acls "${line[@]}" || fail "kafka-acls ${line[*]}: $(cat "$SERVERS_DIR/acls.log")"
    cat "$WORK/lacks" >>"$WORK/done"
done
is_ready || fail "not ready after $i lines"

# They are those of SECURITY.md.
sed -e "s/User:nobody/User:weir/; s/$topic/otlp_spans/; s/ $RUN\\([.-]\\)/ weir\\1/" "$WORK/done" | sort >"$WORK/said"
sed -n 's/^kafka-acls.sh --bootstrap-server [^ ]* //p' "$ROOT/SECURITY.md" | sort >"$WORK/documented"
diff "$WORK/said" "$WORK/documented" || fail "what weir says and what SECURITY.md says differ"
curl -s "http://127.0.0.1:$port/metrics" | grep -q '^weir_kafka_refused_total{reason="authorization"} [1-9]' ||
    fail "not counted"
has_rows() { [ -n "$(redis-cli -u "$WEIR_TEST_REDIS" --scan --pattern "$RUN:now:*" | head -1)" ]; }
servers_wait 30 "$pid" has_rows || fail "no rows in Redis"
kill -TERM "$pid"
wait "$pid" || fail "exit code $? after SIGTERM"
echo "ready after the $i lines that were said, which are those of SECURITY.md"
