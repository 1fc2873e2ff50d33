#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_async.sh: FedBuff and FedAsync at a real server: agents of different speed train from whatever
# version is the newest when they ask, updates that are stale count less, too stale ones are dropped;
# server and agents that are killed do not stop it, and what an agent does is what the simulation does.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

simulate() { # OUT, more…
  out=$1
  shift
  "$FED" simulate "$work/job/job.yaml" --out "$work/$out" "$@"
}

federation
start_server
for name in a b c; do
  agent "$name"
  echo "demand: {cohort_min: 1}" >>"$work/$name/policy.yaml" # a version of one update shows it all
  start_agent "$name"
done
rounds=40 cohort=3 minimum=1 train="epochs: 1, batch_size: 16, learning_rate: 0.1"

# check JOB BUFFER: as many versions as wanted, each of BUFFER updates, each update counted once.
check() {
  events "$1" >"$work/events"
  python3 - "$work/events" "$2" "$rounds" <<'CHECK'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
buffer, rounds = int(sys.argv[2]), int(sys.argv[3])
committed = [e["body"] for e in events if e["type"] == "round.committed"]
assert [c["round"] for c in committed] == list(range(1, rounds + 1)), [c["round"] for c in committed]
assert all(c["reported"] == buffer for c in committed)
reports = [e["body"] for e in events if e["type"] == "client.reported" and e["body"]["train"]]
assert len(reports) >= buffer * rounds
assert all(0 <= report["staleness"] <= 10 for report in reports)
print(max(report["staleness"] for report in reports))
final = [e["body"] for e in events if e["type"] == "model.evaluated_by_clients"][-1]
assert final["evaluate"]["accuracy"] > 0.8, final
CHECK
}

further="aggregate: {algorithm: fedasync}"
write_job
expect 0 submit --watch --quiet
check test-1 1 >"$work/staleness"
[ "$(cat "$work/staleness")" -gt 0 ] || fail "three agents never overlapped"

# One after the other there is no chance in it: the simulation's bits.
cohort=1 rounds=12
further="aggregate: {algorithm: fedbuff, buffer: 1, server_momentum: 0.3}
evaluate: {federated: false}"
write_job
stop b
stop c
expect 0 submit --watch --quiet
export_model test-2 "$work/deployed.safetensors"
mkdir -p "$work/sites/a"
cp -r "$work/a/data" "$work/sites/a/data"
expect 0 simulate sites --data "$work/sites" --partition folders
cmp "$work/deployed.safetensors" "$work/sites/model.safetensors" ||
  fail "the simulated model is not the deployed one"
start_agent b
start_agent c

# Killed at random, it goes on. Tasks take 0.1 s on any machine, so that kills hit the work.
epochs=$(events test-1 | python3 -c 'import json, sys
bodies = [e["body"] for e in map(json.loads, sys.stdin) if e["type"] == "client.reported"]
print(min(int(0.1 / min(body["train_s"] for body in bodies if body["train"])), 100000))')
cohort=3 rounds=60 minimum=2 train="epochs: $epochs, batch_size: 16, learning_rate: 0.001"
further="aggregate: {algorithm: fedbuff, buffer: 2}"
write_job
submit >/dev/null
has_reached() {
  "$FED" job list --dir "$work/federation" --json |
    python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)[-1]["version"] < int(sys.argv[1]))' "$1"
}
version=0
for victim in a s b s c s a; do
  version=$((version + 7))
  within 60 has_reached "$version"
  if [ "$victim" = s ]; then
    kill_hard server
    start_server
  else
    kill_hard "$victim"
    start_agent "$victim"
  fi
done
expect 0 "$FED" job watch test-3 --dir "$work/federation" --quiet
check test-3 2 >/dev/null
contains "$work/events" '"type":"round.void"' '"state":"done"'
