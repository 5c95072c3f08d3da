#!/bin/bash
# From spans to a mail: a real Kafka, two workers, a Redis, two notifiers, a real Alertmanager and a real SMTP
# server. A service fails for a while; meanwhile a worker and a notifier are killed, Redis is emptied, then killed
# to come back empty, and Alertmanager is restarted. What Alertmanager passes on is exactly what the rows topic says: each alert
# fires, each is resolved, and nothing else comes.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/alertmanager.sh"
need_kafka
need_own_redis
redis_port=${WEIR_TEST_REDIS##*:}
SMTP_PORT=$(servers_free_port)
HOOK_PORT=$(servers_free_port)
topic=$RUN-spans
name=$RUN-oncall

# ---- servers of others ----

cat >"$WORK/others.py" <<'END'
"""A mail server that keeps mails in a folder; a webhook that notes what Alertmanager says of each alert."""
import http.server, json, sys
from aiosmtpd.controller import Controller

mail, told, smtp_port, hook_port = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

class Mails:
    count = 0
    async def handle_DATA(self, server, session, envelope):
        Mails.count += 1
        with open(f"{mail}/{Mails.count}.eml", "wb") as out:
            out.write(envelope.content)
        return "250 OK"

class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(told, "a") as out:
            for a in body["alerts"]:
                labels = a["labels"]
                out.write(f'{a["status"]} {labels["alertname"]} {labels["service"]} {labels.get("operation", "-")} '
                          f'{labels.get("kind", "-")}\n')
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
: >"$WORK/told"
/usr/bin/python3 "$WORK/others.py" "$WORK/mail" "$WORK/told" "$SMTP_PORT" "$HOOK_PORT" >"$WORK/others.log" 2>&1 &
SERVERS_PIDS+=($!)
servers_wait 20 $! grep -q ready "$WORK/others.log" || fail "the mail server does not start"

alertmanager_config "127.0.0.1:$SMTP_PORT" "http://127.0.0.1:$HOOK_PORT/alert"
manager_fires() { alertmanager_fires alertname service operation kind; }
manager_has_some() { [ -n "$(manager_fires)" ]; }
manager_has_none() { [ -z "$(manager_fires)" ]; }

# ---- ours ----

# Payments fail from the 10th to the 30th second; who calls them fails with them.
sed -e 's/every: 40m, from: 10m, to: 13m, latency: 8, errors: 25%/every: 1h, from: 10s, to: 30s, latency: 8, errors: 80%/' \
    "$ROOT/config/shop.yaml" >"$WORK/shop.yaml"
grep -q 'every: 1h' "$WORK/shop.yaml" || fail "config/shop.yaml has no fault to replace"
cat >"$WORK/weir.yaml" <<END
name: $name
topics: [$topic]
brokers: $WEIR_TEST_BROKERS
redis: {url: "redis://127.0.0.1:$redis_port", timeout: 1s}
http: {listen: ""}
start: earliest
pane: 1s
lateness: 2s
allowed_lateness: 10s
windows: [5s]
history: [{resolution: pane, retain: 1h}]
epoch: 100ms
snapshot: 2s
partitions: 4
anomaly: []
rules:
  - name: failing
    match: {service: payment}
    when: error_ratio[5s] > 20% and spans[5s] >= 5
    for: 2s
    keep_firing_for: 3s
    severity: page
    annotations: {summary: '{{ service }} fails: {{ error_ratio[5s] }}'}
  - name: shop-failing
    when: error_ratio[5s] > 20% and spans[5s] >= 5
    together: true
    severity: page
notify:
  listen: ""
  claim_after: 2s
  receivers:
    - {name: oncall, alertmanager: "http://127.0.0.1:$MANAGER_PORT", resend: 3s}
END
worker_live() {
    "$WEIR" run --set instance="$1" "$WORK/weir.yaml" >>"$WORK/worker-$1.log" 2>&1 &
    WORKER=$!
    SERVERS_PIDS+=($!)
}
notifier() {
    "$WEIR" notify --set instance="$1" "$WORK/weir.yaml" >>"$WORK/notify-$1.log" 2>&1 &
    NOTIFIER=$!
    SERVERS_PIDS+=($!)
}

start_alertmanager
"$WEIR" generate --brokers "$WEIR_TEST_BROKERS" --topic "$topic" --partitions 6 --config "$WORK/shop.yaml" \
    --seed 5 --rate 3 --duration 70s >"$WORK/generate.log" 2>&1 &
SOURCE=$!
SERVERS_PIDS+=($!)
worker_live w1 && first=$WORKER
worker_live w2
notifier n1 && first_notifier=$NOTIFIER
notifier n2

servers_wait 60 "$MANAGER" manager_has_some || fail "nothing fires"
servers_stop "$first_notifier" KILL
servers_stop "$first" KILL
worker_live w1
notifier n1
sleep 1
redis-cli -u "$WEIR_TEST_REDIS" flushall >"$WORK/flush.log" # under two notifiers that wait at its stream
sleep 2
servers_stop "$REDIS_PID" KILL
sleep 1
redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$SERVERS_DIR/redis" \
    >>"$SERVERS_DIR/redis/redis.log" 2>&1 &
REDIS_PID=$!
SERVERS_PIDS+=($!)
servers_wait 20 $! redis_is_ready "$WEIR_TEST_REDIS" || fail "Redis does not start again"
sleep 2
servers_stop "$MANAGER"
start_alertmanager
servers_wait 30 "$MANAGER" manager_has_some || fail "nothing fires after a restart of Alertmanager"

wait "$SOURCE" || fail "weir generate ended with exit code $?"
servers_wait 90 "$MANAGER" manager_has_none || fail "still firing: $(manager_fires | paste -s -d ';')"

# What the rows topic says: each id fires once and is resolved once.
oracle dump --rows-topic "$name.rows" | sed -n 's/^alert //p' >"$WORK/alerts"
[ -s "$WORK/alerts" ] || fail "the rows topic has no alert"
awk '{ n[$5 " " $4]++ } END { for (k in n) if (n[k] != 1) { print k, n[k]; bad = 1 } exit bad }' "$WORK/alerts" >"$WORK/odd" ||
    fail "not said once: $(cat "$WORK/odd")"
awk '{ print $5 }' "$WORK/alerts" | sort | uniq -c | awk '$1 != 2 { print $2; bad = 1 } END { exit bad }' >"$WORK/odd" ||
    fail "without a beginning or an end: $(cat "$WORK/odd")"

# And what Alertmanager passed on: of each alert of the rows its beginning and its end, and of no other.
said() { # firing, resolved
    sed -n "s/^$1 //p" "$WORK/told" | sort -u
}
awk '{ print $3, $2 }' "$WORK/alerts" | /usr/bin/python3 -c 'import sys, urllib.parse
lines = set()
for line in sys.stdin:
    rule, series = line.split()
    d = dict(p.split("=", 1) for p in urllib.parse.unquote(series).split(";"))
    lines.add(" ".join([rule, d["service"], d.get("operation", "-"), d.get("kind", "-")]))
print("\n".join(sorted(lines)))' | sort >"$WORK/expected"
all_said() { cmp -s "$WORK/expected" <(said firing) && cmp -s "$WORK/expected" <(said resolved); }
servers_wait 30 "$MANAGER" all_said ||
    fail "expected $(paste -s -d ';' "$WORK/expected"), fired $(said firing | paste -s -d ';'), resolved $(said resolved | paste -s -d ';')"

# In their order too: an alert that the rows say fired once has fired and been resolved, once and in that order; a
# resolution in the middle would be one that is not so.
/usr/bin/python3 - "$WORK/alerts" "$WORK/told" >"$WORK/odd" <<'END' || fail "not in order: $(paste -s -d ';' "$WORK/odd")"
import collections, sys, urllib.parse
ids, told, odd = collections.defaultdict(set), collections.defaultdict(list), False
for line in open(sys.argv[1]):
    at, series, rule, state, id = line.split()[:5]
    d = dict(p.split("=", 1) for p in urllib.parse.unquote(series).split(";"))
    ids[" ".join([rule, d["service"], d.get("operation", "-"), d.get("kind", "-")])].add(id)
for line in open(sys.argv[2]):
    state, alert = line.rstrip("\n").split(" ", 1)
    if told[alert][-1:] != [state]: # Alertmanager repeats what has not changed
        told[alert].append(state)
for alert, states in sorted(told.items()):
    times = len(states) // 2
    if states != ["firing", "resolved"] * times or not 1 <= times <= len(ids[alert]):
        print(f"{alert}, which fired {len(ids[alert])} times: {' '.join(states)}")
        odd = True
sys.exit(odd)
END
grep -q '^failing payment ' "$WORK/expected" || fail "payments do not fail"
[ "$(grep -c '^shop-failing ' "$WORK/expected")" = 1 ] || fail "what fails together is not one alert"

servers_wait 30 "$MANAGER" grep -lq 'payment fails' -r "$WORK/mail" || fail "no mail came"
grep -q '^Subject: \[resolved\]' -r "$WORK/mail" || fail "no mail says that it is over"
sed 's/^/  /' "$WORK/expected"
echo "$(sort -u "$WORK/expected" | wc -l) alerts began and ended, $(find "$WORK/mail" -name '*.eml' | wc -l) mails"
