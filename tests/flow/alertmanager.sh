# A real Alertmanager for flow tests, sourced after common.sh:
#
#     . "$(dirname "$0")/alertmanager.sh"
#
# MANAGER_PORT is where it listens, MANAGER its pid; its config is $WORK/alertmanager.yml.

command -v prometheus-alertmanager >/dev/null || servers_unavailable "prometheus-alertmanager is not installed"
/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || servers_unavailable "python3-aiosmtpd is not installed"
MANAGER_PORT=$(servers_free_port)

# config/alertmanager.yml as it is, but for where its mail server ($1) and its pager ($2) are, and for not waiting.
alertmanager_config() {
    sed -e "s/127.0.0.1:25/$1/" -e "s|http://127.0.0.1:8099/alert|$2|" -e 's/group_wait: 90s/group_wait: 1s/' \
        -e 's/group_interval: 5m/group_interval: 2s/' "$ROOT/config/alertmanager.yml" >"$WORK/alertmanager.yml"
    grep -q "$1" "$WORK/alertmanager.yml" || fail "config/alertmanager.yml has no smarthost to replace"
}

alertmanager_ready() { curl -s -o "$WORK/manager.ready" "http://127.0.0.1:$MANAGER_PORT/-/ready"; }
start_alertmanager() {
    prometheus-alertmanager --config.file="$WORK/alertmanager.yml" --storage.path="$WORK/manager" \
        --web.listen-address="127.0.0.1:$MANAGER_PORT" --cluster.listen-address= >>"$WORK/manager.log" 2>&1 &
    MANAGER=$!
    SERVERS_PIDS+=($!)
    servers_wait 30 $! alertmanager_ready || fail "Alertmanager does not start"
}

# The labels $@ of what fires according to Alertmanager, a line an alert, sorted; `-` for one that it does not have.
alertmanager_fires() {
    curl -s "http://127.0.0.1:$MANAGER_PORT/api/v2/alerts?active=true" | /usr/bin/python3 -c 'import json, sys
for line in sorted(" ".join(a["labels"].get(name, "-") for name in sys.argv[1:]) for a in json.load(sys.stdin)):
    print(line)' "$@"
}
