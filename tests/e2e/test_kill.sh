#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_kill.sh: agents and server are killed with SIGKILL at 20 random points of a run and started
# again: every model version is bit for bit that of the same run without a kill.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

kills=20
federation
start_server
agents a b c
further="aggregate: {algorithm: scaffold}" # the server keeps a vector, and so does every agent

# train_for EPOCHS: write the job so.
train_for() {
  train="epochs: $1, batch_size: 16, learning_rate: 0.05, momentum: 0.5"
  write_job
}

# Long enough rounds, on any machine, for kills to hit them: about 0.3 s.
rounds=3
train_for 1000
submit --watch --quiet >/dev/null
epochs=$(events test-1 | python3 -c 'import json, sys
bodies = [e["body"] for e in map(json.loads, sys.stdin) if e["type"] == "client.reported"]
print(min(int(1000 * 0.3 / min(body["train_s"] for body in bodies if body["train"])), 100000))')

# Three for each kill: on a busy machine some pass while it is asked how many there were.
rounds=60
train_for "$epochs"
submit --watch --quiet >/dev/null

version() {
  "$FED" job list --dir "$work/federation" --json |
    python3 -c 'import json, sys; job = json.load(sys.stdin)[-1]
print(job["version"], job["state"])'
}

has_reached() {
  version >"$work/version" && read -r reached state <"$work/version" && [ "$reached" -ge "$1" ]
}

# The k-th kill comes at some moment after version k - 1 was made.
submit >/dev/null
python3 -c 'import random, sys; draw = random.Random(20)
for k in range(int(sys.argv[1])): print(k, draw.choice("abcss"), draw.random() * 0.3)
' "$kills" >"$work/points"
while read -r number victim delay; do
  within 60 has_reached "$number"
  [ "$state" = running ] || fail "the run was over before kill $number"
  sleep "$delay"
  if [ "$victim" = s ]; then
    kill_hard server
    start_server
  else
    kill_hard "$victim"
    start_agent "$victim"
  fi
done <"$work/points"

# hashes JOB: of every version in turn.
hashes() {
  events "$1" | python3 -c 'import json, sys
for e in map(json.loads, sys.stdin):
    if e["type"] == "round.committed": print(e["body"]["round"], e["body"]["parameters"])'
}
hashes test-2 >"$work/undisturbed"
hashes test-3 >"$work/killed"
[ "$(wc -l <"$work/undisturbed")" = "$rounds" ] || fail "expected $rounds versions"
cmp "$work/undisturbed" "$work/killed"

events test-3 >"$work/events"
contains "$work/events" '"type":"round.void"' '"state":"done"' # kills did hit rounds
lacks "$work/events" '"type":"round.failed"'
export_model test-2 "$work/undisturbed.safetensors"
export_model test-3 "$work/killed.safetensors"
cmp "$work/undisturbed.safetensors" "$work/killed.safetensors"
sha256sum "$work/killed.safetensors" | cut -d' ' -f1 >"$work/digest"
contains "$work/killed" "$(cat "$work/digest")"

# Killed agents leave no training process behind.
stop_all
sleep 0.2
! pgrep -f "$work/" >"$work/said" || fail "still there: $(cat "$work/said")"
