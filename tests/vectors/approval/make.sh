#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Make this folder's files anew with the openssl command line (OpenSSL 3.0 or later) and protoc:
#   cd tests/vectors/approval && sh make.sh
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

openssl genpkey -algorithm ed25519 -out "$work/ca.key"
openssl genpkey -algorithm ed25519 -out operator.key
openssl req -x509 -new -key "$work/ca.key" -subj "/O=Test federation/CN=Test federation" \
  -out ca.pem -set_serial 1 -days 36500 -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
  -addext keyUsage=critical,keyCertSign,cRLSign
printf '%s\n' "[v3]" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
  extendedKeyUsage=clientAuth >"$work/v3"
openssl req -new -key operator.key -subj "/O=Test federation/OU=operator/CN=Maria.L" \
  -out "$work/operator.csr"
openssl x509 -req -in "$work/operator.csr" -CA ca.pem -CAkey "$work/ca.key" -days 36500 \
  -extfile "$work/v3" -extensions v3 -out operator.pem 2>/dev/null

printf 'version: 1\nname: digits\n' >plan
printf '\010\007' >graph
sha256() { openssl dgst -sha256 -binary; }
{
  printf 'fed job approval v1\000'
  openssl x509 -in ca.pem -outform DER | sha256
  openssl x509 -in operator.pem -outform DER | sha256
  sha256 <plan
  sha256 <graph
} >"$work/signed"
openssl pkeyutl -sign -rawin -inkey operator.key -in "$work/signed" -out "$work/signature"

quoted() { od -An -v -to1 | tr -d '\n' | sed 's/ /\\/g'; }
{
  printf 'certificate: "%s"\n' "$(openssl x509 -in operator.pem -outform DER | quoted)"
  printf 'signature: "%s"\n' "$(quoted <"$work/signature")"
} | protoc --encode=fed.Approval -I../../../src/wire fed.proto >approval
