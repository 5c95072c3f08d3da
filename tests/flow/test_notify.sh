#!/bin/bash
# Alerts in a real Redis, two notifiers, a real Alertmanager, a real SMTP server, a webhook and a command: through
# kill -9 of notifiers in mid-delivery, Redis restarted empty and Alertmanager restarted, Alertmanager ends with
# exactly the alerts that fire, each receiver was told what it should, and a mail came.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/alertmanager.sh"
need_own_redis
redis_port=${WEIR_TEST_REDIS##*:}
SMTP_PORT=$(servers_free_port)
HOOK_PORT=$(servers_free_port)
SECRET=hush-$RANDOM-confidential
cli() { redis-cli -p "$redis_port" "$@"; }
cli $(sed -n "s/^redis-cli \(ACL SETUSER notifier .*\)/\1/p" "$ROOT/sinks/REDIS.md" | tr -d "'") >/dev/null ||
    fail "the notifier's user cannot be made"

# ---- servers of others ----

cat >"$WORK/others.py" <<'END'
"""A mail server, which keeps mails in a folder, and a webhook that notes key and state and checks signatures."""
import hashlib, hmac, http.server, json, sys, threading
from aiosmtpd.controller import Controller

mail, told, smtp_port, hook_port = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
secret = sys.argv[5].encode()

class Mails:
    count = 0
    async def handle_DATA(self, server, session, envelope):
        Mails.count += 1
        with open(f"{mail}/{Mails.count}.eml", "wb") as out:
            out.write(envelope.content)
        return "250 OK"

class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = self.headers["Weir-Timestamp"].encode() + b"." + body
        right = "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
        alert = json.loads(body)
        with open(told, "a") as out:
            out.write(f'{self.headers["Idempotency-Key"]} {alert["labels"]["alertname"]} '
                      f'{"signed" if self.headers["Weir-Signature"] == right else "FORGED"}\n')
        self.send_response(204)
        self.end_headers()
    def log_message(self, *unused):
        pass

Controller(Mails(), hostname="127.0.0.1", port=smtp_port).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", hook_port), Hook)
print("ready", flush=True)
server.serve_forever()
END
mkdir "$WORK/mail"
: >"$WORK/hook"
/usr/bin/python3 "$WORK/others.py" "$WORK/mail" "$WORK/hook" "$SMTP_PORT" "$HOOK_PORT" "$SECRET" \
    >"$WORK/others.log" 2>&1 &
SERVERS_PIDS+=($!)
servers_wait 20 $! grep -q ready "$WORK/others.log" || fail "the mail server does not start"

alertmanager_config "127.0.0.1:$SMTP_PORT" "http://127.0.0.1:1/nobody"
manager_fires() { alertmanager_fires alert | paste -s -d ' '; }
manager_has() { [ "$(manager_fires)" = "$1" ]; }
expect_manager() {
    servers_wait 40 "$MANAGER" manager_has "$1" || fail "$2: Alertmanager has '$(manager_fires)' instead of '$1'"
}

# ---- weir notify ----

cat >"$WORK/notify.yaml" <<END
redis: {url: "redis://notifier:tell@127.0.0.1:$redis_port", timeout: 1s}
log: {level: debug}
notify:
  listen: ""
  claim_after: 2s
  receivers:
    - {name: oncall, alertmanager: "http://127.0.0.1:$MANAGER_PORT", resend: 2s}
    - {name: hook, webhook: "http://127.0.0.1:$HOOK_PORT/", secret: $SECRET, match: {severity: page}}
    - {name: sms, command: [/bin/sh, -c, 'echo "\$WEIR_ALERT_STATE \$1" >>"\$2"', sh, "{{labels.alert}}", "$WORK/sms"]}
    - {name: dead, webhook: "http://127.0.0.1:1/", timeout: 200ms}
END
: >"$WORK/sms"
notifier() {
    local name=$1
    shift
    env "$@" "$WEIR" notify --set instance="$name" ${LISTEN:+--set notify.listen=$LISTEN} "$WORK/notify.yaml" \
        >>"$WORK/notify-$name.log" 2>&1 &
    NOTIFIER=$!
    SERVERS_PIDS+=($!)
}

# ---- alerts, as the sink writes them ----

now_ms() { date +%s%3N; }
active_json() {
    echo "{\"id\":\"$1\",\"rule\":\"slow\",\"severity\":\"$2\",\"at_ms\":$3,\"since_ms\":$3,\"labels\":{\"alertname\":\"slow\",\"severity\":\"$2\",\"service\":\"cart\",\"alert\":\"$1\"},\"annotations\":{\"summary\":\"cart is slow\"}}"
}
append() { # ID STATE SEVERITY AT_MS [refilled]
    cli xadd weir:alerts MAXLEN '~' 10000 '*' id "$1" rule slow series service=cart state "$2" severity "$3" value 750 \
        since_ms "$4" at_ms "$4" condition 'p99[5m] > 500ms' annotations '{"summary":"cart is slow"}' \
        labels "{\"alertname\":\"slow\",\"severity\":\"$3\",\"service\":\"cart\",\"alert\":\"$1\"}" \
        exemplars '[{"trace_id":"ab12","kind":"slow","duration_ms":812,"link":"http://jaeger.example/trace/ab12"}]' \
        ${5:+refilled 1} >/dev/null
}
fire() { # ID SEVERITY [refilled]
    local at
    at=$(now_ms)
    cli hset weir:alerts:active "$1" "$(active_json "$1" "$2" "$at")" >/dev/null
    append "$1" firing "$2" "$at" "${3:-}"
}
resolve() {
    cli hdel weir:alerts:active "$1" >/dev/null
    append "$1" resolved "$2" "$(now_ms)" "${3:-}"
}
place() { cli hset weir:applied plan abc 0 100 1 200 >/dev/null; }

told() { grep -c "^$1 " "$WORK/hook"; }
sms() { grep -c "^$1$" "$WORK/sms"; }
await_hook() { servers_wait 30 "$NOTIFIER" grep -q "^$1 " "$WORK/hook" || fail "the webhook was not told $1"; }
await_sms() { servers_wait 30 "$NOTIFIER" grep -q "^$1$" "$WORK/sms" || fail "the command was not told '$1'"; }
pending_is() { [ "$(cli xpending weir:alerts "$1" | head -1)" = "$2" ]; }

place
start_alertmanager
fire a page
fire b warning
metrics_port=$(servers_free_port)
LISTEN=127.0.0.1:$metrics_port notifier n1
await_hook a-firing
await_sms 'firing b'
expect_manager 'a b' "two alerts fire"
[ "$(told b-firing)" = 0 ] || fail "the webhook was told what it does not want"

# A mail, with the alert in it, through the example's Alertmanager.
has_mail() { grep -lq "$1" "$WORK"/mail/*.eml 2>/dev/null; }
servers_wait 30 "$NOTIFIER" has_mail 'cart is slow' || fail "no mail came"
grep -q '^Subject: \[firing\] slow on cart' "$WORK"/mail/*.eml || fail "the mail's subject: $(grep -h Subject "$WORK"/mail/*.eml)"
grep -q 'jaeger.example' "$WORK"/mail/*.eml || grep -q 'jaeger' "$WORK"/mail/*.eml || fail "the mail shows no trace"

# The receiver that is away is on /readyz and in the metrics, and holds up nobody.
curl -s "http://127.0.0.1:$metrics_port/readyz" >"$WORK/readyz.out"
grep -q '^receiver dead: not ready: ' "$WORK/readyz.out" || fail "/readyz: $(cat "$WORK/readyz.out")"
grep -q '^receiver hook: ready$' "$WORK/readyz.out" || fail "/readyz: $(cat "$WORK/readyz.out")"
curl -s "http://127.0.0.1:$metrics_port/metrics" >"$WORK/metrics.out"
grep -Eq '^weir_notify_failed_total\{receiver="dead",reason="unreachable"\} [1-9]' "$WORK/metrics.out" || fail "no failures in /metrics"
grep -q '^weir_notify_sent_total{receiver="hook",state="firing"} 1$' "$WORK/metrics.out" || fail "no deliveries in /metrics"

# SIGHUP: a wrong file changes nothing, a right one is taken up.
sed -i 's/resend: 2s/resend: never/' "$WORK/notify.yaml"
kill -HUP "$NOTIFIER"
servers_wait 20 "$NOTIFIER" grep -q 'nothing was changed' "$WORK/notify-n1.log" || fail "a wrong config is not refused"
sed -i 's/resend: never/resend: 2s/; s/severity: page}/severity: [page, critical]}/' "$WORK/notify.yaml"
kill -HUP "$NOTIFIER"
servers_wait 20 "$NOTIFIER" grep -q 'config read again' "$WORK/notify-n1.log" || fail "the config is not read again"
cp "$WORK/notify.yaml" "$WORK/notify.whole"
sed '/receivers:/,$d' "$WORK/notify.whole" >"$WORK/notify.yaml"
kill -HUP "$NOTIFIER"
servers_wait 20 "$NOTIFIER" grep -q 'has no notify.receivers any more' "$WORK/notify-n1.log" || fail "it goes on with nobody to tell"
cp "$WORK/notify.whole" "$WORK/notify.yaml"
fire c critical
await_hook c-firing
resolve c critical
await_hook c-resolved
kill -TERM "$NOTIFIER"
wait "$NOTIFIER" || fail "exit code $? of a notifier that was stopped"

# One that nobody named goes on under its own name, and so with what it has in hand.
readings() { [ "$(grep -c 'telling receivers of alerts' "$WORK/notify-.log")" = "$1" ]; }
notifier ''
servers_wait 20 "$NOTIFIER" readings 1 || fail "a notifier without a name does not start"
kill -HUP "$NOTIFIER"
servers_wait 20 "$NOTIFIER" readings 2 || fail "a notifier without a name does not read its config again"
[ "$(grep -o 'notifier=[0-9a-f]*' "$WORK/notify-.log" | sort | uniq -c | awk '{ print $1 }')" = 2 ] ||
    fail "a notifier has another name after it read its config again"
kill -TERM "$NOTIFIER"
wait "$NOTIFIER" || fail "exit code $? of a notifier that was stopped"

# kill -9 at each step of telling; another notifier takes over, and each is told once more at most.
for step in begun sent noted; do
    notifier "k-$step" WEIR_FAILPOINT="notify.$step:3:kill"
    for i in 1 2 3 4 5 6; do fire "$step$i" page; done
    wait "$NOTIFIER"
    [ $? = 137 ] || fail "$step: the notifier was not killed"
    for i in 2 4; do resolve "$step$i" page; done
    notifier n2
    for i in 1 3 5 6; do await_hook "$step$i-firing"; done
    for i in 1 3 5 6; do await_sms "firing $step$i"; done
    resolve "${step}6" page
    await_hook "${step}6-resolved"
    await_sms "resolved ${step}6"
    servers_wait 40 "$NOTIFIER" pending_is hook 0 || fail "$step: entries stay with a notifier that died"
    kill -TERM "$NOTIFIER"
    wait "$NOTIFIER" || fail "exit code $? of a notifier that was stopped"
done
expect_manager 'a b begun1 begun3 begun5 noted1 noted3 noted5 sent1 sent3 sent5' "after kill -9 of notifiers"

# Alertmanager restarted: it keeps no alerts, and is told them again. Whoever started this notifier ignores the end of
# children, which commands must not suffer from.
notifier n3 --ignore-signal=CHLD
servers_stop "$MANAGER"
resolve begun1 page
await_hook begun1-resolved
start_alertmanager
expect_manager 'a b begun3 begun5 noted1 noted3 noted5 sent1 sent3 sent5' "after a restart of Alertmanager"

# Redis restarted empty, with all notifiers alive; it is filled again as the sink does: partition by partition, and
# what fired long ago for a while seems to fire again.
lines_before=$(wc -l <"$WORK/hook")
servers_stop "$REDIS_PID" KILL
sleep 2
kill -HUP "$NOTIFIER"
servers_wait 20 "$NOTIFIER" grep -q 'nothing was changed.*Redis is away' "$WORK/notify-n3.log" ||
    fail "a notifier forgets what it alone knows"
redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$SERVERS_DIR/redis" \
    >>"$SERVERS_DIR/redis/redis.log" 2>&1 &
REDIS_PID=$!
SERVERS_PIDS+=($!)
servers_wait 20 $! redis_is_ready "$WEIR_TEST_REDIS" || fail "Redis does not start again"
cli $(sed -n "s/^redis-cli \(ACL SETUSER notifier .*\)/\1/p" "$ROOT/sinks/REDIS.md" | tr -d "'") >/dev/null
cli hset weir:applied plan abc 0 5 refill:0 1 >/dev/null
fire old1 page refilled
fire old2 page refilled
for id in a begun3 begun5 noted1; do fire "$id" page refilled; done
fire b warning refilled
sleep 3
resolve old1 page refilled
resolve old2 page refilled
cli hdel weir:applied refill:0 >/dev/null
cli hset weir:applied 1 20 refill:1 1 >/dev/null
for id in noted3 noted5 sent1 sent5; do fire "$id" page refilled; done
append sent3 firing page "$(now_ms)" refilled
append sent3 resolved page "$(now_ms)" refilled # it ended while Redis was away
fire new page refilled                           # and this began
sleep 1
cli hdel weir:applied refill:1 >/dev/null
place
await_hook new-firing
await_hook sent3-resolved
expect_manager 'a b begun3 begun5 new noted1 noted3 noted5 sent1 sent5' "after Redis was emptied"
[ "$(told old1-firing)" = 0 ] && [ "$(sms 'firing old1')" = 0 ] || fail "the past was told again"
[ "$(wc -l <"$WORK/hook")" = $((lines_before + 2)) ] ||
    fail "the webhook was told more than what changed: $(tail -n +$((lines_before + 1)) "$WORK/hook" | paste -s -d ' ')"

# The end of it all.
for id in a begun3 begun5 new noted1 noted3 noted5 sent1 sent5; do resolve "$id" page; done
resolve b warning
await_hook new-resolved
await_sms 'resolved b'
expect_manager '' "everything is resolved"
servers_wait 40 "$NOTIFIER" has_mail 'Subject: \[resolved\]' || fail "no mail says that it is over"

# Whoever was told that it fires was told its end; each key came once, or twice where a notifier died between
# telling and noting it.
sed -n 's/-firing .*//p' "$WORK/hook" | sort -u >"$WORK/hook.firing"
sed -n 's/-resolved .*//p' "$WORK/hook" | sort -u >"$WORK/hook.resolved"
unresolved=$(comm -23 "$WORK/hook.firing" "$WORK/hook.resolved" | paste -s -d ' ')
[ -z "$unresolved" ] || fail "the webhook was told that they fire and not their end: $unresolved"
unresolved=$(comm -23 <(sed -n 's/^firing //p' "$WORK/sms" | sort -u) <(sed -n 's/^resolved //p' "$WORK/sms" | sort -u) | paste -s -d ' ')
[ -z "$unresolved" ] || fail "the command was told that they fire and not their end: $unresolved"
repeats=$(sort "$WORK/hook" | uniq -d | wc -l)
[ "$repeats" -le 3 ] || fail "$repeats notices came more than once: $(sort "$WORK/hook" | uniq -d | paste -s -d ' ')"
[ "$(sort "$WORK/sms" | uniq -d | wc -l)" -le 3 ] || fail "the command ran too often"
! grep -q FORGED "$WORK/hook" || fail "a signature is wrong"
kill -TERM "$NOTIFIER"
wait "$NOTIFIER" || fail "exit code $? of a notifier that was stopped"
! grep -h 'level=error' "$WORK"/notify-n*.log | grep -vq 'nothing was changed' || fail "a notifier complains"
! grep -qF -e "$SECRET" -e notifier:tell "$WORK"/notify-*.log "$WORK/metrics.out" "$WORK/readyz.out" || fail "a secret is shown"
echo "$(sort -u "$WORK/hook" | wc -l) notices by webhook, $repeats of them twice, $(find "$WORK/mail" -name '*.eml' | wc -l) mails"
