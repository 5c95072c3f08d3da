#!/bin/bash
# Known secrets, given in every way there is, and then looked for in all that others can see: logs at every
# level with librdkafka's own, /metrics, /readyz, what commands print, errors, `ps`, and Redis.
. "$(dirname "$0")/common.sh"
. "$ROOT/tests/support/kafka_secure.sh"
SECURE_SUPERUSER=weir
need_secure_kafka
need_own_redis
REDIS_SECRET=redis-$RANDOM-confidential
TOKEN=token-$RANDOM-confidential
export KAFKA_SECRET=$SECURE_PASSWORD
redis-cli -u "$WEIR_TEST_REDIS" config set requirepass "$REDIS_SECRET" >/dev/null
port=$(servers_free_port)
URL=redis://:$REDIS_SECRET@${WEIR_TEST_REDIS#redis://}
export REDISCLI_AUTH=$REDIS_SECRET
topic=$RUN-spans

"$WEIR" generate --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --no-live --since 5m --rate 0.2 >"$WORK/made.log" 2>&1 ||
    fail "weir generate"
SASL=(security.protocol=sasl_ssl ssl.ca.location="$SECURE_DIR/ca.pem" sasl.mechanism=PLAIN sasl.username=weir
    sasl.password="$KAFKA_SECRET" debug=all)
SETTINGS=(--brokers "$BROKER_SASL" --topic "$topic" --redis "$URL" --name "$RUN" --set redis.prefix="$RUN"
    --set http.listen=127.0.0.1:"$port" --set http.token="$TOKEN" --set log.level=debug --set start=earliest
    "${SASL[@]/#/--set=kafka.}")

# A worker that does its work, and a generator that goes on.
"$WEIR" run "${SETTINGS[@]}" >"$WORK/worker.log" 2>&1 &
worker=$!
"$WEIR" generate --brokers "$BROKER_SASL" --topic "$topic" --rate 0.1 "${SASL[@]/#/--kafka=}" \
    >"$WORK/generator.log" 2>&1 &
generator=$!
SERVERS_PIDS+=("$worker" "$generator")
page() { curl -s -H "Authorization: Bearer $TOKEN" "http://127.0.0.1:$port/$1"; }
has_rows() { [ -n "$(redis-cli -u "$WEIR_TEST_REDIS" --scan --pattern "$RUN:now:*" | head -1)" ]; }
servers_wait 60 "$worker" has_rows || fail "the worker does not work"
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/metrics")" = 401 ] || fail "/metrics without a token"
[ "$(curl -s "http://127.0.0.1:$port/healthz")" = ok ] || fail "/healthz needs a token"
page metrics >"$WORK/metrics.out"
page readyz >"$WORK/readyz.out"
for pid in "$worker" "$generator"; do
    tr '\0' ' ' <"/proc/$pid/cmdline"
    ps -o args= -p "$pid" 2>/dev/null
done >"$WORK/ps.out"
grep -q 'kafka.sasl.password=\*\*\*' "$WORK/ps.out" || fail "the command line is not what was expected: $(cat "$WORK/ps.out")"

# Commands that print, right and wrong; a file that names the secrets by the environment.
cat >"$WORK/weir.yaml" <<'END'
redis: {url: 'redis://:${REDISCLI_AUTH}@127.0.0.1:1'}
kafka: {sasl.password: '${KAFKA_SECRET}'}
END
# A receiver of alerts has secrets in its URL, its headers and beside them.
cat >"$WORK/notify.yaml" <<END
redis: {url: "$URL"}
notify:
  listen: ""
  receivers:
    - {name: hook, webhook: "http://127.0.0.1:1/$TOKEN", secret: $TOKEN, headers: ["X-Key: $TOKEN"], token: $TOKEN}
END
{
    try() { timeout 60 "$WEIR" "$@" 2>&1; }
    SECRETS=(--set kafka.sasl.password="$KAFKA_SECRET" --set http.token="$TOKEN" --set redis.url="$URL")
    try run --help
    try check "${SECRETS[@]}" "$WORK/weir.yaml"
    try plan "${SECRETS[@]}" "$WORK/weir.yaml"
    try check --set 'kafka={sasl.password: [${KAFKA_SECRET}]}' "$WORK/weir.yaml"
    try check --set kafka.sasl.password="$KAFKA_SECRET" --set kafka.sasl.mechanism="$KAFKA_SECRET:password=$KAFKA_SECRET" "$WORK/weir.yaml" |
        sed "s/\"$KAFKA_SECRET/\"/" # what stands before is no secret
    try check --set redis.url="http://:$REDIS_SECRET@x" "$WORK/weir.yaml"
    try check --set brokers="a b://:$REDIS_SECRET@x" "$WORK/weir.yaml"
    try check --set http.token="$REDIS_SECRET ä" "$WORK/weir.yaml"
    try check "--kafka.sasl.password=$KAFKA_SECRET" "$WORK/weir.yaml"
    try "$URL"
    try run "$URL"
    try run --kafka.sasl.password="$KAFKA_SECRET"
    try generate "$URL"
    try generate --kafka sasl.password="$KAFKA_SECRET" --kafka sasl.mechanism=PLAIN --kafka security.protocol=sasl_ssl --brokers 127.0.0.1:1 \
        --no-live --since 1m
    try generate --kafka ssl.key.password="$KAFKA_SECRET" --kafka ssl.key.pem="$KAFKA_SECRET" --no-live --since 1m
    try run --set kafka.ssl.key.pem="$KAFKA_SECRET" --set kafka.security.protocol=ssl --set http.listen=
    try check "$WORK/notify.yaml"
    try notify --try hook "$WORK/notify.yaml"
    try notify --try hook --set redis.url="$URL" "$WORK/notify.yaml"
    timeout -s TERM 3 "$WEIR" notify --set log.level=debug "$WORK/notify.yaml" 2>&1
    for wrong in "webhook: 'http://u:$TOKEN@x'" "webhook: 'ftp://x/$TOKEN'" "webhook: 'http://x', secret: [$TOKEN]" \
        "webhook: 'http://x', headers: [$TOKEN]" "webhook: 'http://x', token: '$TOKEN', user: u, password: '$TOKEN'" \
        "webhook: 'http://x', timeout: '://$TOKEN@'"; do
        try check --set "notify.receivers=[{name: a, $wrong}]" "$WORK/weir.yaml"
    done
    try top --once --redis "$URL" --prefix "$RUN"
    try top --once --redis "redis://:$REDIS_SECRET-wrong@${WEIR_TEST_REDIS#redis://}"
    try query transitions --redis "$URL" --prefix "$RUN"
    try query transitions --redis "redis://:$REDIS_SECRET@127.0.0.1:1"
} >"$WORK/commands.out"
redis_dump "$RUN" >"$WORK/redis.out"
redis-cli -u "$WEIR_TEST_REDIS" hgetall "$RUN:about" >>"$WORK/redis.out"

kill -TERM "$worker" "$generator"
wait "$worker" || fail "exit code $? after SIGTERM"
wait "$generator" || fail "exit code $? of weir generate"

looked=0
for seen in worker.log generator.log metrics.out readyz.out ps.out commands.out redis.out; do
    [ -s "$WORK/$seen" ] || fail "$seen is empty"
    for secret in "$REDIS_SECRET" "$KAFKA_SECRET" "$TOKEN"; do
        ! grep -qF -- "$secret" "$WORK/$seen" || fail "$seen shows a secret: $(grep -F -m1 -- "$secret" "$WORK/$seen")"
        looked=$((looked + 1))
    done
done
[ "$(grep -c 'level=debug part=kafka' "$WORK/worker.log")" -ge 100 ] || fail "librdkafka's own log is not there"
echo "3 secrets were looked for in 7 places, $(cat "$WORK"/*.log "$WORK"/*.out | wc -l) lines: none is there"
