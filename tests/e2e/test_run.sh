#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_run.sh: a whole run: three agents, three rounds; every result as people and as programs get
# it; nothing is left running, and no secret can be read by others.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

federation
start_server
agents a b c
write_job

expect 0 "$FED" job check "$work/job/job.yaml"
said "fine; 3 rounds, cohort 3"
expect 0 submit --watch --quiet
said "test-1"
events test-1 >"$work/events"
export_model test-1 "$work/final.onnx"
export_model test-1 "$work/final.safetensors"

# Every answer with --json is JSON.
for command in "job list" "model list" "agents" "enroll list"; do
  # shellcheck disable=SC2086 # several words
  "$FED" $command --dir "$work/federation" --json >"$work/said"
  python3 -m json.tool "$work/said" /dev/null || fail "'$command --json' is not JSON"
done
"$FED" job check --explain --json "$work/job/job.yaml" | python3 -m json.tool >/dev/null
"$FED_AGENT" policy "$work/a/policy.yaml" --json | python3 -m json.tool >/dev/null
expect 6 "$FED" job watch test-9 --dir "$work/federation" --json
python3 -c 'import json, sys; e = json.load(open(sys.argv[1]))["error"]
assert e["code"] == "NOT_FOUND" and e["status"] == 6 and "test-9" in e["message"], e' "$work/said"

# The events tell the run; the model that came out is the one that the last round made, and better
# than guessing.
python3 - "$work/events" "$work/final.safetensors" <<'END'
import hashlib, json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
assert [e["number"] for e in events] == sorted({e["number"] for e in events})
by = {}
for e in events:
    assert e["job"] == "test-1", e
    by.setdefault(e["type"], []).append(e["body"])
assert events[0]["type"] == "job.created" and events[-1]["type"] == "job.finished", events
assert by["job.finished"][0] == {"state": "done", "reason": "all rounds done", "version": 3}
assert [r["round"] for r in by["round.committed"]] == [1, 2, 3]
assert all(r["reported"] == r["cohort"] == 3 for r in by["round.committed"])
assert len(by["client.reported"]) == 3 * 3 + 3, "three rounds and the final evaluation"
assert {r["client"] for r in by["client.reported"]} == {"a", "b", "c"}
assert by["model.evaluated_by_clients"][0]["evaluate"]["accuracy"] > 0.75, by
assert "client.failed" not in by and "round.failed" not in by and "round.void" not in by
digest = hashlib.sha256(open(sys.argv[2], "rb").read()).hexdigest()
assert by["round.committed"][-1]["parameters"] == digest
END

# The exported ONNX has the names and shapes of the one that was submitted, and other values.
"$FED" model show "$work/job/model.onnx" --json >"$work/names.before"
"$FED" model show "$work/final.onnx" --json >"$work/names.after"
cmp "$work/names.before" "$work/names.after"
! cmp -s "$work/job/model.onnx" "$work/final.onnx" || fail "training changed nothing"

# Asked to stop, everything ends, with status 0; no process of the test is left.
for name in server a b c; do pid "$name"; done >"$work/pids"
stop_all
while read -r number; do
  ! kill -0 "$number" 2>/dev/null || fail "process $number is still there"
done <"$work/pids"

# Keys, tokens and the store are their owner's; only what is public may be read by others.
find "$work/federation" "$work"/[abc]/identity "$work"/[abc]/token -type f \
  \( -perm /044 -o -perm /022 \) ! -name '*.pem' ! -name agent.json ! -name federation.json \
  >"$work/readable"
[ ! -s "$work/readable" ] || fail "others may read: $(cat "$work/readable")"
