#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_identity.sh: who gets in and who does not: tokens, certificates, roles, revocation; asked
# with curl, which shares no code with fed's own client.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

federation
start_server
agents a b
identity=$work/a/identity

# ---- tokens

expect 5 "$FED_AGENT" enroll --dir "$work/again" --token "$work/a/token"
said "token" "used"
[ ! -e "$work/again/agent.json" ] || fail "a refused enrolment left an identity"
expect 6 "$FED_AGENT" enroll --dir "$identity" --token "$work/b/token"
said "holds an identity already"
sed 's/^fedtoken1\./&AAAA/' "$work/a/token" >"$work/wrong"
expect 5 "$FED_AGENT" enroll --dir "$work/again" --token "$work/wrong"
said "token"
expect 6 "$FED_AGENT" run --dir "$work/again" --policy "$work/a/policy.yaml"
said "holds no identity; enrol first: fed-agent enroll --dir"

# ---- certificates, with another program as client

url=https://127.0.0.1:$port
# ask STATUS TEXT ARGUMENTS…: the HTTP status and a text of the answer.
ask() {
  wanted=$1 text=$2
  shift 2
  got=$(curl --silent --noproxy '*' --cacert "$identity/ca.pem" --output "$work/answer" \
    --write-out '%{http_code}' "$@") || fail "curl: status $? for $*"
  [ "$got" = "$wanted" ] || fail "$got, not $wanted: curl $*"
  grep -aqF -- "$text" "$work/answer" || fail "'$text' is not in: $(cat "$work/answer")"
}
as_agent="--cert $identity/agent.pem --key $identity/agent.key"
as_operator="--cert $work/federation/operator.pem --key $work/federation/operator.key"

# shellcheck disable=SC2086 # several words
{
  ask 200 '"status":"ok"' "$url/healthz"
  ask 403 "certificate is needed" "$url/v1/jobs"
  ask 403 "certificate is needed" --data x "$url/v1/check-in"
  ask 403 "this is for operators; 'a' is an agent" $as_agent "$url/v1/jobs"
  ask 403 "this is for agents; 'operator' is an operator" $as_operator --data x "$url/v1/check-in"
  ask 200 "[]" $as_operator "$url/v1/jobs"
  ask 404 "there is no GET /v1/nothing" $as_operator "$url/v1/nothing"
}
status=0
curl --silent --noproxy '*' "$url/healthz" || status=$?
[ $status = 60 ] || fail "a server of an unknown authority was trusted" # 60: cannot verify
status=0
curl --silent --noproxy '*' --insecure --tls-max 1.2 "$url/healthz" || status=$?
[ $status = 35 ] || fail "TLS 1.2 was spoken" # 35: the handshake failed

# ---- another federation, that has an agent and an operator of the same names

other=$work/other
other_port=$(free_port)
"$FED" server create --dir "$other" --host 127.0.0.1 --port "$other_port" --quiet
start other "$FED" server --dir "$other"
within 20 "$FED" job list --dir "$other"
"$FED" enroll token a --dir "$other" --out "$work/other.token"
"$FED_AGENT" enroll --dir "$work/other-a" --token "$work/other.token" --quiet
ask 403 "certificate" --cert "$work/other-a/agent.pem" --key "$work/other-a/agent.key" \
  --data x "$url/v1/check-in"
ask 403 "certificate" --cert "$other/operator.pem" --key "$other/operator.key" "$url/v1/jobs"

# An agent led to the other server does not talk to it; it waits for its own.
cp -r "$identity" "$work/led"
sed -i "s/:$port/:$other_port/" "$work/led/agent.json"
start led "$FED_AGENT" run --dir "$work/led" --policy "$work/a/policy.yaml"
within 20 grep -q "server.unreachable code=CERTIFICATE" "$work/log/led"
stop led
stop other

# A port that is taken is named.
expect 6 "$FED" server --dir "$work/federation"
said "in use"
sed "s/$other_port/$port/" "$other/federation.json" >"$work/said"
cp "$work/said" "$other/federation.json"
expect 6 "$FED" server --dir "$other"
said "127.0.0.1" "$port" "in use"

# ---- enrolled again: the older certificate is void

"$FED" enroll token b --dir "$work/federation" --out "$work/b/token2"
"$FED_AGENT" enroll --dir "$work/b/identity2" --token "$work/b/token2" --quiet
ask 403 "has enrolled again since" --cert "$work/b/identity/agent.pem" \
  --key "$work/b/identity/agent.key" "$url/metrics"
ask 200 "fed_" --cert "$work/b/identity2/agent.pem" --key "$work/b/identity2/agent.key" \
  "$url/metrics"

# ---- revoked: refused on the very next request, and the agent ends by itself

"$FED" enroll revoke a --dir "$work/federation" --quiet
# shellcheck disable=SC2086 # several words
ask 403 "was revoked" $as_agent "$url/metrics"
rounds=1 cohort=2 minimum=1 gather="100 ms" write_job
submit >/dev/null # a's waiting request is answered with a task; what it asks next is refused
finish a
[ "$status" = 5 ] || fail "the revoked agent ended with status $status"
contains "$work/log/a" "code=REVOKED" "the certificate of 'a' was revoked"
"$FED" enroll list --dir "$work/federation" >"$work/said"
grep -q "^a .*revoked" "$work/said" || fail "the list does not say that a is revoked"
expect 6 "$FED" enroll revoke nobody --dir "$work/federation"
said "nobody"

# ---- a second operator: a folder from a token, renewed with another, put out

# operator_token NAME ROLE: into $work/operator.token
operator_token() {
  "$FED" enroll token "$1" --role "$2" --dir "$work/federation" --out "$work/operator.token"
}
operator() {
  "$FED" operator "$1" --dir "$work/$2" --token "$work/operator.token"
}
operator_token maria operator
expect 0 operator enroll maria
key=$(sed -n 's/^key *//p' "$work/said")
[ "$(openssl pkey -in "$work/maria/operator.key" -pubout -outform DER | tail -c 32 | od -An -v -tx1 | tr -d ' \n')" = "$key" ] ||
  fail "the key shown is not the folder's"
[ "$(stat -c %a "$work/maria/operator.key")" = 600 ] || fail "others may read operator.key"
expect 0 "$FED" job list --dir "$work/maria"
expect 6 operator enroll maria
said "holds a federation or an operator already"
expect 5 operator renew maria
said "was used before"

cp -r "$work/maria" "$work/maria-before"
operator_token maria operator
expect 0 operator renew maria
said "maria" "$key" # it stays
expect 0 "$FED" agents --dir "$work/maria"
expect 5 "$FED" agents --dir "$work/maria-before"
said "has enrolled again since"

operator_token x agent
expect 9 operator renew maria
said "the token was for the agent 'x', not for an operator"
expect 5 "$FED" operator renew --dir "$work/maria" --token "$work/other.token"
said "another federation"
expect 0 "$FED" operator show --dir "$work/maria" --json
said '"name":"maria","role":"operator"' "$key"
"$FED" enroll revoke maria --dir "$work/federation" --quiet
expect 5 "$FED" job list --dir "$work/maria"
said "was revoked"
