#!/bin/sh
# Certificates for tests, into a folder that is there: one CA and what it signs, another CA, all good for
# a day but the one that has expired.
#
#     tests/support/certificates.sh FOLDER
#
#     ca.pem other-ca.pem           authorities
#     server.pem server.key         for localhost and 127.0.0.1
#     elsewhere.pem elsewhere.key   for redis.example alone
#     expired.pem expired.key       for localhost and 127.0.0.1, until yesterday
#     client.pem client.key         for whoever connects
set -eu
cd "${1:?usage: $0 FOLDER}"
exec 2>openssl.log

key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
}

authority() {
    key "$1"
    openssl req -x509 -new -key "$1.key" -days 1 -subj "/CN=$2" -out "$1.pem"
}

# certificate FILE DAYS NAMES: signed by ca.
certificate() {
    key "$1"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
    echo "subjectAltName=$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$2" \
        -extfile "$1.ext" -out "$1.pem" >>openssl.log
}

authority ca "Tests' CA"
authority other-ca "Somebody's CA"
certificate server 1 DNS:localhost,IP:127.0.0.1
certificate elsewhere 1 DNS:redis.example
certificate expired -1 DNS:localhost,IP:127.0.0.1
certificate client 1 DNS:worker.example
