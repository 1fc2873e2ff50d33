#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_selection.sh: rules of selection in a deployment: in round robin every agent has as many turns
# as the others, though the server is killed; where clients do not share their losses, nobody is
# left out.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

federation
start_server
agents a b c d e f
train="epochs: 2000, batch_size: 16, learning_rate: 0.05"

# selection RULE: write the job so; a draw waits for all six.
selection() {
  failures_max="10
  selection: {rule: $1, pool: 6}"
  gather="30 s"
  write_job
}

has_reached() {
  version=$("$FED" job list --dir "$work/federation" --json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[-1]["version"])')
  [ "$version" -ge "$1" ]
}

# turns JOB: of each agent, how many rounds it trained in.
turns() {
  events "$1" | python3 -c 'import collections, json, sys
found = collections.defaultdict(set)
for event in map(json.loads, sys.stdin):
    body = event["body"]
    if event["type"] == "client.reported" and "duration_s" in body:
        found[body["client"]].add(body["round"])
print(*(f"{name}:{len(rounds)}" for name, rounds in sorted(found.items())))'
}

rounds=12 cohort=2 minimum=2
selection round_robin
submit >/dev/null
within 60 has_reached 2
kill_hard server
start_server
has_reached $rounds && fail "the run was over before the kill"
"$FED" job watch test-1 --dir "$work/federation" --quiet >/dev/null
[ "$(turns test-1)" = "a:4 b:4 c:4 d:4 e:4 f:4" ] || fail "in round robin: $(turns test-1)"

# Three share no losses: over 20 rounds, nobody is left out.
for name in a b c; do
  stop "$name"
  sed -i 's/metrics: true/metrics: false/' "$work/$name/policy.yaml"
  start_agent "$name"
done
rounds=20 train="epochs: 5, batch_size: 16, learning_rate: 0.05"
selection "power_of_choice, candidates: 3"
submit --watch --quiet >/dev/null
turns test-2 >"$work/turns"
for name in a b c d e f; do contains "$work/turns" "$name:"; done
