#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_policy.sh: the data owner says no: what a policy forbids does not happen, the reason stands
# in the agent's log and in the server's events, and the owner's numbers stay at home.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

federation
start_server
for name in a b c; do agent "$name"; done
rounds=1 minimum=2 failures_max=1 gather="200 ms"
write_job

# refused POLICY REASON: c does not take part under this policy; the others go on without it.
refused() {
  echo "$1" >"$work/c/policy.yaml"
  for name in a b c; do start_agent "$name"; done
  expect 0 submit --watch --json
  contains "$work/said" '"type":"client.refused"' '"client":"c","code":"DENIED"' "$2" \
    '"state":"done"'
  contains "$work/log/c" "job.refused" "$2"
  lacks "$work/said" '"type":"client.reported","body":{"round":1,"exchange":0,"client":"c"'
  for name in a b c; do stop "$name"; done
}

data='data: {name: points, folder: data}'
refused "{allow: {jobs: [heart-*]}, $data}" "is not among the jobs that this site's policy allows"
refused "{allow: {jobs: [test], plans: [$(printf '%064d' 0)]}, $data}" "is not among the plans that this site's policy allows"
refused "{allow: {jobs: [test]}, $data, demand: {cohort_min: 3}}" "minimum cohort of 2; this site's policy demands at least 3"
refused "{allow: {jobs: [test]}, $data, demand: {clip_norm_max: 1}}" "does not clip updates"
hour=$(date +%H | sed 's/^0//')
refused "{allow: {jobs: [test]}, $data, schedule: {hours: $(((hour + 2) % 24))-$(((hour + 4) % 24))}}" \
  "this site's policy trains only from"

# Whose signatures count, by name and by key: the first operator's do not, a second one's do.
"$FED" enroll token maria --role operator --dir "$work/federation" --out "$work/maria.token"
expect 0 "$FED" operator enroll --dir "$work/maria" --token "$work/maria.token"
key=$("$FED" operator show --dir "$work/maria" | sed -n 's/^key *//p')
refused "{allow: {jobs: [test], signers: [ma*]}, $data}" \
  "job 'test' is signed by 'operator', who is not among the signers that this site's policy allows"
contains "$work/said" '"type":"job.created"' '"signer":"operator"'
refused "{allow: {jobs: [test], signer_keys: [$key]}, $data}" "which is not among the keys that this site's policy allows"
echo "{allow: {jobs: [test], signers: [ma*], signer_keys: [$key]}, $data}" >"$work/c/policy.yaml"
for name in a b c; do start_agent "$name"; done
all_wait() { [ "$("$FED" agents --dir "$work/maria" | grep -c waiting)" = 3 ]; }
within 20 all_wait
expect 0 "$FED" job submit "$work/job/job.yaml" --dir "$work/maria" --watch --json
contains "$work/said" '"signer":"maria"' '"client":"c","examples"'
lacks "$work/said" '"type":"client.refused"'
for name in a b c; do stop "$name"; done
expect 0 "$FED" job list --dir "$work/maria"
said operator maria

# A job that wants a program that this site does not name. Those of the others take their time to
# fail: the round is over when they have, whether c has said no or not.
sed -i 's/^train: {/train: {trainer: numpy, /' "$work/job/job.yaml"
for name in a b; do
  printf 'trainers: {name: numpy, command: [sh, -c, "sleep 2; exit 7", sh]}\n' >>"$work/$name/policy.yaml"
done
echo "{allow: {jobs: [test]}, $data}" >"$work/c/policy.yaml"
for name in a b c; do start_agent "$name"; done
expect 3 submit --watch --json # a's and b's fails, and says so in a's log
contains "$work/said" '"client":"c","code":"DENIED"' "numpy" '"type":"client.failed"'
contains "$work/log/a" "the external trainer 'sh' ended with status 7"
for name in a b c; do stop "$name"; done

# limited LIMIT CODE: nothing larger than this comes in or goes out.
minimum=3
write_job
limited() {
  echo "{allow: {jobs: [test]}, $data, limits: {$1}}" >"$work/c/policy.yaml"
  for name in a b c; do start_agent "$name"; done
  expect 3 submit --watch --json
  contains "$work/said" "\"client\":\"c\",\"code\":\"$2\""
  for name in a b c; do stop "$name"; done
}
limited "download: 300 B" TOO_LARGE
limited "upload: 64 B" DENIED

# Without share.metrics nothing leaves but the update; with examples_counted_max no more than that.
echo "{allow: {jobs: [test]}, $data, share: {examples_counted_max: 100}}" >"$work/c/policy.yaml"
for name in a b c; do start_agent "$name"; done
expect 0 submit --watch --json
python3 - "$work/said" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])][1:]
reports = [e["body"] for e in lines if e["type"] == "client.reported"]
mine = [r for r in reports if r["client"] == "c"]
assert mine and all(r["train"] is None and r["evaluate"] is None and not r["norm"] for r in mine), mine
assert mine[0]["examples"] == 100, mine
assert all(r["train"] for r in reports if r["client"] == "a" and r["examples"]), reports
committed = [e["body"] for e in lines if e["type"] == "round.committed"][0]
assert committed["evaluate"]["examples"] == 100, "two agents' 50 held-out rows"
END

# What the policy file gets wrong is told like a job file's.
echo "{allow: {jobs: [test]}, $data, demands: {}}" >"$work/c/policy.yaml"
expect 3 "$FED_AGENT" run --dir "$work/c/identity" --policy "$work/c/policy.yaml"
said "policy.yaml:1:" "unknown key 'demands' in the file; did you mean 'demand'?"
for name in a b c; do stop "$name"; done
stop server
