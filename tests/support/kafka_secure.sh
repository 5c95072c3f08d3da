# A broker that knows who is there and what each may do; to be sourced after servers.sh.
#
#     start_secure_kafka DIR
#
# sets   WEIR_TEST_BROKERS  without TLS, a superuser: for the oracle and for kafka-acls
#        BROKER_SASL        TLS and SASL, PLAIN or SCRAM-SHA-512: users weir, shop and nobody
#        BROKER_TLS         TLS with a client's certificate: user shop
#        BROKER_EXPIRED     as BROKER_SASL, but its certificate has expired
#        DIR/ca.pem, DIR/other-ca.pem; DIR/shop.pem and DIR/shop.key
#
# Users have no rights but SECURE_SUPERUSER, where that is set. They have SECURE_PASSWORD, those of SCRAM with a further `x`. Certificates name localhost.

SECURE_PASSWORD=hunter2-$RANDOM-secret

# A CA in $1.pem and $1.key.
make_ca() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.pem" -subj "/CN=$(basename "$1")" \
        -days 30 2>/dev/null
}

# make_certificate CA PATH CN DAYS: PATH.pem, PATH.key and, for a broker, both in PATH.both.
make_certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout "$2.key" -out "$2.csr" -subj "/CN=$3" 2>/dev/null &&
        openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days "$4" \
            -extfile <(echo "subjectAltName=DNS:localhost") -out "$2.pem" 2>/dev/null &&
        cat "$2.key" "$2.pem" >"$2.both"
}

secure_properties() {
    local dir=$1 plain=$2 controller=$3
    local login="org.apache.kafka.common.security" user
    cat <<END
listeners=PLAINTEXT://127.0.0.1:$plain,CONTROLLER://127.0.0.1:$controller,TLS://127.0.0.1:$((plain + 1)),SASL://127.0.0.1:$((plain + 2)),EXPIRED://127.0.0.1:$((plain + 3))
advertised.listeners=PLAINTEXT://127.0.0.1:$plain,TLS://localhost:$((plain + 1)),SASL://localhost:$((plain + 2)),EXPIRED://localhost:$((plain + 3))
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,SASL:SASL_SSL,EXPIRED:SASL_SSL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS${SECURE_SUPERUSER:+;User:$SECURE_SUPERUSER}
ssl.keystore.type=PEM
ssl.keystore.location=$dir/broker.both
ssl.truststore.type=PEM
ssl.truststore.location=$dir/ca.pem
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location=$dir/expired.both
listener.name.tls.ssl.client.auth=required
listener.name.tls.ssl.principal.mapping.rules=RULE:^CN=(.*)\$/\$1/
END
    local users=
    for user in weir shop nobody; do users="$users user_$user=\"$SECURE_PASSWORD\""; done
    for listener in sasl expired; do
        echo "listener.name.$listener.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512"
        echo "listener.name.$listener.plain.sasl.jaas.config=$login.plain.PlainLoginModule required$users;"
        echo "listener.name.$listener.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required;"
    done
}

# The first of five ports in a row on which nobody listens.
secure_free_ports() {
    local first i taken=yes
    while [ -n "$taken" ]; do
        first=$(servers_free_port)
        taken=
        for i in 1 2 3 4; do
            if (exec 3<>"/dev/tcp/127.0.0.1/$((first + i))") 2>/dev/null; then taken=yes; fi
        done
    done
    echo "$first"
}

start_secure_kafka() {
    local dir=$1 port user scram=()
    command -v openssl >/dev/null || { echo "openssl is not installed" && return 1; }
    kafka_jars || return 1
    mkdir -p "$dir"
    make_ca "$dir/ca" && make_ca "$dir/other-ca" && make_certificate "$dir/ca" "$dir/broker" localhost 30 &&
        make_certificate "$dir/ca" "$dir/expired" localhost -1 &&
        make_certificate "$dir/ca" "$dir/shop" shop 30 || { echo "openssl failed" && return 1; }
    for user in weir shop nobody; do
        scram+=(--add-scram "SCRAM-SHA-512=[name=$user,password=${SECURE_PASSWORD}x]")
    done
    port=$(secure_free_ports)
    secure_properties "$dir" "$port" $((port + 4)) >"$dir/more.properties"
    kafka_configure "$port" $((port + 4)) "$dir" "${scram[@]}" || { tail -3 "$dir/format.log" && return 1; }
    kafka_run "$dir" || return 1
    export WEIR_TEST_BROKERS=127.0.0.1:$port
    BROKER_TLS=localhost:$((port + 1))
    BROKER_SASL=localhost:$((port + 2))
    BROKER_EXPIRED=localhost:$((port + 3))
}

need_secure_kafka() {
    [ -z "${WEIR_TEST_NO_KAFKA:-}" ] || servers_unavailable "no Kafka: $WEIR_TEST_NO_KAFKA"
    SECURE_DIR=$SERVERS_DIR/secure
    start_secure_kafka "$SECURE_DIR" >"$SERVERS_DIR/why" || servers_unavailable "no Kafka: $(servers_why)"
}

# One line of kafka-acls.sh, as it stands in a document or in weir's log.
kafka_acls() {
    (kafka_java kafka.admin.AclCommand "$@" --bootstrap-server "$WEIR_TEST_BROKERS") >"$SERVERS_DIR/acls.log" 2>&1
}
