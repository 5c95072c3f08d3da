#!/bin/bash
# Kafka over TLS and SASL: whole pipelines with SCRAM-SHA-512 and with PLAIN, a client's certificate, and
# what is said of a certificate, a password or a mechanism that will not do.
. "$(dirname "$0")/common.sh"
. "$ROOT/tests/support/kafka_secure.sh"
need_redis
need_secure_kafka
export PLAIN_PASSWORD=$SECURE_PASSWORD SCRAM_PASSWORD=${SECURE_PASSWORD}x
topic=$RUN-spans

# The rights that SECURITY.md names, for both names that this test runs under, in one go.
grep '^kafka-acls.sh ' "$ROOT/SECURITY.md" | sed -e 's/^kafka-acls.sh --bootstrap-server [^ ]*//' \
    -e "s/otlp_spans/$topic/; s/--topic weir\\./--topic $RUN-a. --topic $RUN-b./" \
    -e "s/--group weir-/--group $RUN-a- --group $RUN-b-/" \
    -e "s/--transactional-id weir-/--transactional-id $RUN-a- --transactional-id $RUN-b-/" >"$WORK/acls"
[ "$(wc -l <"$WORK/acls")" = 5 ] || fail "SECURITY.md does not have five lines of kafka-acls.sh"
while read -r line; do
    # shellcheck disable=SC2086 # a line of options
    kafka_acls $line || fail "kafka-acls $line: $(cat "$SERVERS_DIR/acls.log")"
done <"$WORK/acls"
kafka_acls --add --allow-principal User:shop --operation Write --operation Create --topic "$topic" ||
    fail "kafka-acls for the shop"

# Spans come in over SASL, the newest with a client's certificate.
SASL=(--kafka security.protocol=sasl_ssl --kafka ssl.ca.location="$SECURE_DIR/ca.pem" --kafka sasl.username=shop)
send() {
    timeout 60 "$WEIR" generate --topic "$topic" --no-live --since 10m --rate 0.2 "$@" >"$WORK/send.log" 2>&1 ||
        fail "weir generate $*"
}
send --brokers "$BROKER_SASL" "${SASL[@]}" --kafka sasl.mechanism=SCRAM-SHA-512 \
    --kafka 'sasl.password=${SCRAM_PASSWORD}' --seed 1
send --brokers "$BROKER_SASL" "${SASL[@]}" --kafka sasl.mechanism=PLAIN \
    --kafka 'sasl.password=${PLAIN_PASSWORD}' --seed 2
send --brokers "$BROKER_TLS" --kafka security.protocol=ssl --kafka ssl.ca.location="$SECURE_DIR/ca.pem" \
    --kafka ssl.certificate.location="$SECURE_DIR/shop.pem" --kafka ssl.key.location="$SECURE_DIR/shop.key" --seed 3

# A config as SECURITY.md shows it: config MECHANISM PASSWORD_VARIABLE.
config() {
    cat <<END
brokers: $BROKER_SASL
kafka:
  security.protocol: sasl_ssl
  ssl.ca.location: $SECURE_DIR/ca.pem
  sasl.mechanism: $1
  sasl.username: weir
  sasl.password: \${$2}
END
}
config SCRAM-SHA-512 SCRAM_PASSWORD >"$WORK/scram.yaml"
config PLAIN PLAIN_PASSWORD >"$WORK/plain.yaml"
pipeline() {
    local name=$1 config=$2
    timeout 120 "$WEIR" run --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$name" --set redis.prefix="$name" \
        --set http.listen= --until-end "${PLAN_FOR_WEIR[@]}" "$config" >"$WORK/$name.log" 2>&1 ||
        fail "$config: weir run ended with exit code $?"
    check_rows "$name" "$topic"
    ! grep -q 'reason=' "$WORK/$name.log" || fail "$config: something was refused"
}
pipeline "$RUN-a" "$WORK/scram.yaml"
pipeline "$RUN-b" "$WORK/plain.yaml"

# refused CASE REASON WHAT [options]: start a worker that is to be refused; all of them run at once.
CASES=()
refused() {
    local case=$1 port
    port=$(servers_free_port)
    "$WEIR" run --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$RUN-a" --set http.listen=127.0.0.1:"$port" \
        "${@:4}" "$WORK/scram.yaml" >"$WORK/$case.log" 2>&1 &
    SERVERS_PIDS+=("$!")
    CASES+=("$case|$2|$3|$port|$!")
}
refused wrong-ca certificate 'is of a CA that is not trusted' --set kafka.ssl.ca.location="$SECURE_DIR/other-ca.pem"
refused expired certificate 'has expired' --brokers "$BROKER_EXPIRED"
refused wrong-host certificate 'is made for another host' --brokers "${BROKER_SASL/localhost/127.0.0.1}"
refused scram-password authentication 'does not take user name and password' --set kafka.sasl.password=wrong
refused plain-password authentication 'does not take user name and password' --set kafka.sasl.mechanism=PLAIN
refused no-mechanism authentication 'does not have this SASL mechanism' --set kafka.sasl.mechanism=SCRAM-SHA-256

# Each is on /readyz and counted; the worker waits and leaves when asked; it was said in one line.
for entry in "${CASES[@]}"; do
    IFS='|' read -r case reason what port pid <<<"$entry"
    shown() { curl -s "http://127.0.0.1:$port/readyz" | grep -q "^kafka_access: not ready: .*$what.*: ..*"; }
    servers_wait 30 "$pid" shown || fail "$case: /readyz does not say: $what"
    curl -s "http://127.0.0.1:$port/metrics" | grep -q "^weir_kafka_refused_total{reason=\"$reason\"} [1-9]" ||
        fail "$case: not counted"
    kill -TERM "$pid"
done
for entry in "${CASES[@]}"; do
    IFS='|' read -r case reason what port pid <<<"$entry"
    wait "$pid" || fail "$case: exit code $? after SIGTERM"
    grep -q "level=error part=kafka msg=\".*$what.*\" reason=$reason todo=" "$WORK/$case.log" || fail "$case: not said"
    ! grep -q 'librdkafka says' "$WORK/$case.log" || fail "$case: said twice"
    ! grep -q "$SECURE_PASSWORD" "$WORK/$case.log" || fail "$case: the password is in the log"
done
grep -q 'todo=.*one that it has: .*SCRAM-SHA-512' "$WORK/no-mechanism.log" || fail "the mechanisms there are, are not named"

# A password in clear is warned of, once.
"$WEIR" run --topic "$topic" --redis "$WEIR_TEST_REDIS" --name "$RUN-a" --set http.listen= \
    --brokers "$WEIR_TEST_BROKERS" --set kafka.security.protocol=sasl_plaintext "$WORK/scram.yaml" >"$WORK/clear.log" 2>&1 &
pid=$!
SERVERS_PIDS+=("$pid")
warned() { grep -q 'level=warn part=kafka msg="security.protocol is sasl_plaintext' "$WORK/clear.log"; }
servers_wait 30 "$pid" warned || fail "sasl_plaintext is not warned of"
kill -TERM "$pid"
wait "$pid" || fail "sasl_plaintext: exit code $? after SIGTERM"
[ "$(grep -c 'is sasl_plaintext' "$WORK/clear.log")" = 1 ] || fail "sasl_plaintext is warned of more than once"

# What would let anyone in between is not taken at all.
for setting in enable.ssl.certificate.verification=false ssl.endpoint.identification.algorithm=none sasl.mechanism=FOO; do
    "$WEIR" check --set kafka."$setting" "$WORK/scram.yaml" >"$WORK/check.out" 2>&1 && fail "$setting is taken"
    grep -q "kafka: ${setting%=*}: " "$WORK/check.out" || fail "$setting: $(cat "$WORK/check.out")"
done
echo "SCRAM-SHA-512, PLAIN and certificates: rows as the oracle's; six refusals said"
