#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_resume.sh: fed simulate is killed with SIGKILL at random rounds and resumed: model, metrics
# and summary are bit for bit those of an undisturbed run, but for real time. Another job, model,
# data or partition is refused; an interrupted run is not begun anew by accident.
# shellcheck source=tests/e2e/harness.sh disable=SC2119,SC2086
. "$(dirname "$0")/harness.sh"

kills=8
python3 "$here/make_data.py" "$work/data" 1 600
python3 "$here/make_data.py" "$work/other" 3 600
python3 "$here/make_data.py" "$work/test" 2 200

run="$FED simulate $work/job/job.yaml --data $work/data --test $work/test --quiet"
simulate() { # OUT, more…
  out=$1
  shift
  $run --out "$work/$out" "$@"
}

has_rounds() { # OUT COUNT
  [ "$(wc -l <"$work/$1/metrics.jsonl")" -ge "$2" ]
}

# same OUT REFERENCE
same() {
  cmp "$work/$1/model.safetensors" "$work/$2/model.safetensors" || fail "the models of $1 and $2 differ"
  for table in clients confusion; do
    cmp "$work/$1/$table.csv" "$work/$2/$table.csv" || fail "$table.csv of $1 and $2 differ"
  done
  python3 - "$work/$1" "$work/$2" <<'CHECK'
import json, sys
def read(folder):
    rounds = [json.loads(line) for line in open(folder + "/metrics.jsonl")]
    summary = json.load(open(folder + "/summary.json"))
    for real in rounds:
        del real["seconds"]
    for real in ("seconds", "threads", "peak_bytes"):
        del summary[real]
    return rounds, summary
found, wanted = map(read, sys.argv[1:])
assert found[0] == wanted[0], "metrics"
assert found[1] == wanted[1], (found[1], wanted[1])
CHECK
  [ ! -e "$work/$1/checkpoint.safetensors" ] || fail "the checkpoint of a finished run is still there"
}

# interrupt OUT ROUNDS…: kill and resume at each of these rounds, then go on to the end.
interrupt() {
  out=$1
  shift
  for round in "$@"; do
    start run $run --out "$work/$out" --resume --checkpoint-every 0.02 --threads $((round % 3 + 1))
    within 60 has_rounds "$out" "$round"
    kill_hard run
    [ $status = 137 ] || fail "the run was over before round $round: status $status"
  done
  expect 0 simulate "$out" --resume --threads 2
}

# ---- killed at any moment -------------------------------------------------------------------------
rounds=3000 cohort=5 minimum=3
deadline="20 s" failures_max=1000
further="aggregate: {algorithm: scaffold} # whose clients and server keep something
evaluate: {every: 10}
simulate:
  clients: 20
  partition: {kind: dirichlet, alpha: 0.3}
  device: {speed: 10, speed_spread: 0.5, latency: 1 s, bandwidth_up: 1 KiB, drop_out: 0.3}
  faults: {lost: 0.05, duplicated: 0.1, delayed: 0.1, reordered: 0.1, client_crash: 0.02, server_crash: 0.02, server_crash_waiting: 0.1}"
write_job
sed -i 's/^  deadline:/  selection: {rule: oort}\n  deadline:/' "$work/job/job.yaml" # which remembers
expect 0 simulate whole
points=$(python3 -c 'import random, sys; draw = random.Random(5)
print(*sorted(draw.sample(range(1, 2000), int(sys.argv[1]))))' "$kills")
interrupt killed $points
same killed whole

# The same where each client goes at its own pace.
cp "$work/job/job.yaml" "$work/job.kept"
sed -i 's/algorithm: scaffold/algorithm: fedbuff, buffer: 4/' "$work/job/job.yaml"
expect 0 simulate steps
interrupt paced 200 400 600
same paced steps
cp "$work/job.kept" "$work/job/job.yaml"

# ---- stopped by Ctrl-C, and resumed ---------------------------------------------------------------
start run $run --out "$work/stopped"
within 60 has_rounds stopped 100
kill -INT "$(pid run)"
finish run
[ $status = 7 ] || fail "status $status after SIGINT"
contains "$work/log/run" "--resume goes on"
lacks "$work/stopped/metrics.jsonl" "the job was stopped"
cp -r "$work/stopped" "$work/anew"

# ---- what is there stays until all that was asked for can be done, and has one writer ---------------
expect 0 simulate short --quiet --set rounds.count=5
cp "$work/short/summary.json" "$work/short/metrics.jsonl" "$work"
expect 6 simulate short --quiet --set rounds.count=5 --restart --test "$work/nowhere"
cmp "$work/summary.json" "$work/short/summary.json" || fail "a mistyped command damaged summary.json"
cmp "$work/metrics.jsonl" "$work/short/metrics.jsonl" || fail "a mistyped command damaged metrics.jsonl"
start run $run --out "$work/busy"
within 60 has_rounds busy 50
expect 7 simulate busy --restart
said "another process writes into"
kill -INT "$(pid run)"
finish run

# ---- what is refused ------------------------------------------------------------------------------
expect 2 simulate stopped --resume --restart
expect 2 simulate stopped
said "has a run that was interrupted: --resume goes on with it, --restart begins"
expect 3 simulate stopped --resume --seed 8
said "the interrupted run has another job, model, data, partition or options"
expect 3 simulate stopped --resume --clients 19
expect 3 simulate stopped --resume --partition iid
expect 3 simulate stopped --resume --data "$work/other"
expect 3 simulate stopped --resume --test "$work/other"
cp "$work/job/job.yaml" "$work/job.kept"
sed 's/learning_rate: 0.1/learning_rate: 0.2/' "$work/job.kept" >"$work/job/job.yaml"
expect 3 simulate stopped --resume
cp "$work/job.kept" "$work/job/job.yaml"
head -c 1000 "$work/stopped/checkpoint.safetensors" >"$work/anew/checkpoint.safetensors"
expect 3 simulate anew --resume
said "checkpoint.safetensors"

# What was refused has changed nothing.
expect 0 simulate stopped --resume
same stopped whole
expect 0 simulate anew --restart
same anew whole
expect 0 simulate anew
same anew whole

# ---- what is finished -----------------------------------------------------------------------------
touch -d 2001-01-01 "$work/anew/model.onnx"
expect 0 simulate anew --resume --json
{ cat "$work/anew/summary.json" && echo; } | cmp - "$work/said" || fail "not the summary"
[ "$(date -r "$work/anew/model.onnx" +%Y)" = 2001 ] || fail "a finished run was run again"
expect 0 simulate anew --resume --seed 8 --set rounds.count=2
[ "$(date -r "$work/anew/model.onnx" +%Y)" != 2001 ] || fail "another run was not run"
