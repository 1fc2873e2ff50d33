#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Make the certificates of this folder anew with the openssl command line (OpenSSL 3.0 or later):
#   cd tests/vectors/crypto && sh make.sh
# Keys are thrown away. See README.md for what each file is for.
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
subject='/O=Test federation'

key() { openssl genpkey -algorithm ed25519 -out "$work/$1.key"; }

# authority NAME SUBJECT
authority() {
  key "$1"
  openssl req -x509 -new -key "$work/$1.key" -subj "$2" -out "$1.pem" -set_serial 1 -days 36500 \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
    -addext keyUsage=critical,keyCertSign,cRLSign
}

# leaf NAME AUTHORITY SUBJECT START END EXTENSIONS…
leaf() {
  name=$1 issuer=$2 leaf_subject=$3 start=$4 end=$5
  shift 5
  printf '%s\n' "[v3]" "$@" > "$work/v3"
  : > "$work/index"
  key "$name"
  openssl req -new -key "$work/$name.key" -subj "$leaf_subject" -out "$work/$name.csr"
  cat > "$work/ca.conf" <<CONF
[ca]
default_ca = d
[d]
database = $work/index
new_certs_dir = $work
rand_serial = yes
default_md = default
policy = p
unique_subject = no
[p]
O = optional
OU = optional
CN = optional
CONF
  openssl ca -batch -notext -config "$work/ca.conf" -cert "$issuer.pem" \
    -keyfile "$work/$issuer.key" -in "$work/$name.csr" -out "$work/$name.pem" -preserveDN \
    -startdate "$start" -enddate "$end" -extfile "$work/v3" -extensions v3 2> "$work/log" ||
    { cat "$work/log" >&2; exit 1; }
  openssl x509 -in "$work/$name.pem" -outform DER -out "$name.der"
}

from=20260101000000Z until=20360101000000Z
leaf_is=basicConstraints=critical,CA:FALSE
signs=keyUsage=critical,digitalSignature
client=extendedKeyUsage=clientAuth
agent="$subject/OU=agent/CN=site-a"

authority ca "$subject/CN=Test federation"
authority other-ca "$subject/CN=Test federation" # same name, another key

leaf client ca "$agent" $from $until $leaf_is $signs $client
leaf operator ca "$subject/OU=operator/CN=Maria.L" $from $until $leaf_is $signs $client
leaf client-of-other-ca other-ca "$agent" $from $until $leaf_is $signs $client
leaf expired ca "$agent" 20200101000000Z 20210101000000Z $leaf_is $signs $client
leaf server ca "$subject/OU=agent/CN=site-a" $from $until $leaf_is $signs \
  extendedKeyUsage=serverAuth
leaf authority-leaf ca "$agent" $from $until basicConstraints=critical,CA:TRUE \
  keyUsage=critical,digitalSignature,keyCertSign $client
leaf no-constraints ca "$agent" $from $until $signs $client
leaf no-extended-usage ca "$agent" $from $until $leaf_is $signs
leaf may-not-sign ca "$agent" $from $until $leaf_is keyUsage=critical,keyAgreement $client
leaf no-role ca "$subject/CN=site-a" $from $until $leaf_is $signs $client
leaf unknown-role ca "$subject/OU=admin/CN=site-a" $from $until $leaf_is $signs $client
leaf two-names ca "$agent/CN=site-b" $from $until $leaf_is $signs $client
leaf bad-name ca "$subject/OU=agent/CN=site a" $from $until $leaf_is $signs $client
leaf ends-with-2049 ca "$agent" $from 20491231235959Z $leaf_is $signs $client
leaf ends-in-2050 ca "$agent" $from 20500101000000Z $leaf_is $signs $client

# A good client but for its key: P-256 (ECDSA).
authority p256-ca "$subject/CN=Test federation"
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key"; }
leaf p256 p256-ca "$agent" $from $until $leaf_is $signs $client
key() { openssl genpkey -algorithm ed25519 -out "$work/$1.key"; }

# The authority's own key and name, in a certificate that ended with 2028.
printf '%s\n' "[v3]" basicConstraints=critical,CA:TRUE,pathlen:0 \
  keyUsage=critical,keyCertSign,cRLSign > "$work/v3"
openssl req -new -key "$work/ca.key" -subj "$subject/CN=Test federation" -out "$work/old.csr"
openssl ca -batch -notext -selfsign -config "$work/ca.conf" -keyfile "$work/ca.key" \
  -in "$work/old.csr" -out expired-ca.pem -preserveDN -startdate 20200101000000Z \
  -enddate 20281231235959Z -extfile "$work/v3" -extensions v3 2> /dev/null

# One bit flipped in the common name: site-a becomes sit%-a.
python3 - <<'PYTHON'
der = bytearray(open("client.der", "rb").read())
der[der.index(b"site-a") + 3] ^= 0x40
open("tampered.der", "wb").write(der)
PYTHON

# Requests
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/rsa.key" 2> /dev/null
openssl req -new -key "$work/rsa.key" -subj /CN=site-a -out rsa-request.pem
openssl req -new -key "$work/client.key" -subj "/O=Anything/OU=operator/CN=root" -outform DER \
  -out request.der
python3 - <<'PYTHON'
der = bytearray(open("request.der", "rb").read())
der[der.index(b"root")] ^= 0x01
open("tampered-request.der", "wb").write(der)
PYTHON

# Keys that are not ours to read: encrypted, and of another kind
openssl genpkey -algorithm ed25519 -aes256 -pass pass:secret -out encrypted-key.pem
openssl genpkey -algorithm X25519 -out x25519-key.pem
