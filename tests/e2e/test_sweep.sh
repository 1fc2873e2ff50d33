#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_sweep.sh: fed simulate with settings from the command line: --set is as if it stood in the job
# file; --sweep runs all combinations, each with the bits that it has alone, goes on where it was
# killed, and its tables are those that Python computes from the runs' metrics.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

python3 "$here/make_data.py" "$work/data" 1 600
python3 "$here/make_data.py" "$work/test" 2 200
run="$FED simulate $work/job/job.yaml --data $work/data --test $work/test"
simulate() { # OUT, more…
  out=$1
  shift
  $run --out "$work/$out" "$@"
}
same() {
  cmp "$work/$1/model.safetensors" "$work/$2/model.safetensors" || fail "models of $1 and $2 differ"
}

# ---- one run --------------------------------------------------------------------------------------
rounds=6 cohort=5 minimum=3
further="simulate: {clients: 20, partition: {kind: dirichlet, alpha: 0.3}, device: {latency: 1 s}}
stop: {metric: accuracy, at_least: 0.85}"
train="epochs: 1, batch_size: 16, learning_rate: 0.05"
write_job
expect 0 simulate written --quiet
train="epochs: 1, batch_size: 16, learning_rate: 0.5"
write_job
expect 0 simulate set --quiet --set train.learning_rate=0.05 --set simulate.partition.alpha=0.3
same set written
python3 - "$work/set/summary.json" <<'CHECK'
import json, sys
summary = json.load(open(sys.argv[1]))
assert summary["set"] == {"train.learning_rate": "0.05", "simulate.partition.alpha": "0.3"}, summary["set"]
CHECK
expect 0 simulate list --quiet --set 'rounds.selection={rule: stratified, groups: [client-000*]}'

# ---- all combinations -----------------------------------------------------------------------------
expect 0 simulate sweep --sweep train.learning_rate=0.05,0.3 --sweep seed=1..3 --set rounds.count=5
said "[6/6] train.learning_rate=0.3,seed=3: accuracy" "rounds to target" "±"
expect 0 simulate alone --quiet --set rounds.count=5 --set train.learning_rate=0.3 --set seed=2
same alone "sweep/train.learning_rate=0.3,seed=2"
contains "$work/sweep/report.html" "6 simulations in 2 groups" "train.learning_rate=0.3 (3 seeds)"
check_tables() { # OUT: against Python's own means and deviations
  python3 - "$work/$1" <<'CHECK'
import csv, json, statistics, sys
folder = sys.argv[1]
sweep = json.load(open(folder + "/sweep.json"))
runs = list(csv.DictReader(open(folder + "/runs.csv")))
table = list(csv.DictReader(open(folder + "/table.csv")))
assert sweep["sweep"] == {"train.learning_rate": ["0.05", "0.3"], "seed": ["1", "2", "3"]}, sweep["sweep"]
assert len(runs) == len(sweep["runs"]) == 6 and len(table) == len(sweep["table"]) == 2
def figures(run):
    lines = [json.loads(line) for line in open(f"{folder}/{run}/metrics.jsonl")]
    tested = [line for line in lines if line["kind"] == "train" and line["tested"]]
    accuracy = [line["tested"]["accuracy"] for line in tested]
    loss = [line["tested"]["loss"] for line in tested]
    reached = [line for line in tested if line["tested"]["accuracy"] >= 0.85]
    return {"final_accuracy": accuracy[-1], "best_accuracy": max(accuracy), "final_loss": loss[-1],
            "best_loss": min(loss), "rounds": len(tested), "virtual_s": lines[-1]["virtual_s"],
            "target_rounds": reached[0]["round"] if reached else None,
            "target_virtual_s": reached[0]["virtual_s"] if reached else None}
def close(found, wanted):
    assert (found in ("", None)) == (wanted is None), (found, wanted)
    assert wanted is None or abs(float(found) - wanted) < 1e-6 * max(1, abs(wanted)), (found, wanted)
for i, (run, row) in enumerate(zip(sweep["runs"], runs)):
    rate, seed = ["0.05", "0.3"][i // 3], "123"[i % 3]
    assert run["set"] == {"train.learning_rate": rate, "seed": seed}, run
    assert row["folder"] == run["folder"] == f"train.learning_rate={rate},seed={seed}", row
    assert row["end"] == run["end"] and row["seed"] == seed
    for name, value in figures(run["folder"]).items():
        close(run[name], value)
        close(row[name], value)
for rate, row, line in zip(("0.05", "0.3"), sweep["table"], table):
    assert row["set"] == {"train.learning_rate": rate} and row["runs"] == 3, row
    assert line["train.learning_rate"] == rate and line["runs"] == "3", line
    of_rate = [figures(f"train.learning_rate={rate},seed={seed}") for seed in "123"]
    for name in of_rate[0]:
        values = [run[name] for run in of_rate if run[name] is not None]
        wanted = {"mean": statistics.mean(values) if values else None, "count": len(values),
                  "deviation": statistics.stdev(values) if len(values) > 1 else None}
        for key, value in wanted.items():
            close(row[name][key], value)
            close(line[f"{name}_{key}"], value)
CHECK
}
check_tables sweep
expect 0 simulate sweep --json --sweep train.learning_rate=0.05,0.3 --sweep seed=1..3 --set rounds.count=5
cmp "$work/said" "$work/sweep/sweep.json" || fail "--json prints something else than sweep.json"

# ---- held-out rows instead of a test set: of the last version, and never mixed with one ------------
expect 0 "$FED" simulate "$work/job/job.yaml" --data "$work/data" --out "$work/held" --set stop={} \
  --set rounds.count=1 --sweep seed=1,2
expect 0 simulate sparse --set rounds.count=7 --set evaluate.every=2 --sweep seed=1,2
python3 - "$work/held" "$work/sparse" <<'CHECK'
import csv, json, sys
for folder, kind in zip(sys.argv[1:], ("evaluated", "tested")):
    for row in csv.DictReader(open(folder + "/runs.csv")):
        lines = [json.loads(line) for line in open(f"{folder}/{row['folder']}/metrics.jsonl")]
        found = [line[kind] for line in lines if line[kind]]
        assert float(row["final_accuracy"]) == found[-1]["accuracy"], (row, found)
        assert float(row["best_accuracy"]) == max(line["accuracy"] for line in found), (row, found)
        if kind == "tested" and row["target_rounds"]:
            assert float(row["target_rounds"]) % 2 == 0, row
CHECK

# ---- finished runs stay, others are run -----------------------------------------------------------
marked="$work/sweep/train.learning_rate=0.3,seed=1/model.onnx"
echo mark >"$marked"
rm -r "$work/sweep/train.learning_rate=0.05,seed=2"
sed -i 's/"end": "[a-z ]*"/"end": "stopped"/' "$work/sweep/train.learning_rate=0.05,seed=3/summary.json"
expect 0 simulate sweep --sweep train.learning_rate=0.05,0.3 --sweep seed=1..3 --set rounds.count=5
said "4 of 6 combinations are finished already" "[6/6] train.learning_rate=0.05,seed=3: "
grep -q mark "$marked" || fail "a finished run was run again"
check_tables sweep
expect 0 simulate sweep --sweep train.learning_rate=0.3 --sweep seed=1 --set rounds.count=4 --quiet
grep -q mark "$marked" && fail "a run of other settings was taken for finished"
echo mark >"$marked"
expect 0 simulate sweep --sweep train.learning_rate=0.3 --sweep seed=1 --set rounds.count=4 --restart
grep -q mark "$marked" && fail "--restart does not begin anew"

started() {
  [ "$(cat "$work"/killed/*/metrics.jsonl 2>/dev/null | wc -l)" -ge "$1" ]
}
sweep="--sweep train.learning_rate=0.05,0.3 --sweep seed=1..2 --set rounds.count=300 --set stop={}"
# shellcheck disable=SC2086 # several words
expect 0 simulate whole --quiet $sweep
for lines in 100 500 800; do
  # shellcheck disable=SC2086
  start sweep $run --out "$work/killed" --quiet --checkpoint-every 0.02 $sweep
  within 60 started $lines
  kill_hard sweep
done
# shellcheck disable=SC2086
expect 0 simulate killed --quiet $sweep
for name in "$work"/whole/*/; do
  name=$(basename "$name")
  same "whole/$name" "killed/$name"
done

# ---- a run that fails, an axis without seeds ------------------------------------------------------
expect 3 simulate failing --sweep rounds.deadline=1,9 --set failures=1
said "there is no setting 'failures'"
expect 3 simulate failing --sweep 'rounds.deadline=1 s,9 s' --set rounds.failures_max=2
said "1 of 2 combinations ended with too many failed rounds" "rounds.deadline"
grep -q '"1 s".*too many failed rounds\|^1 s,.*too many failed rounds' "$work/failing/runs.csv" ||
  fail "the failed run is not in the table: $(cat "$work/failing/runs.csv")"

expect 3 simulate hopeless --set rounds.count=1 --sweep simulate.device.available=1,0.00001,0.5
said "simulate.device.available=0.00001: round 1 cannot begin" "1 of 3 combinations could not run"
[ "$(grep -c "all rounds done\|target reached" "$work/hopeless/runs.csv")" = 2 ] ||
  fail "the other combinations did not run: $(cat "$work/hopeless/runs.csv")"

mkdir "$work/odd [1: #"
cp "$work"/test/* "$work/odd [1: #"
expect 0 "$FED" simulate "$work/job/job.yaml" --data "$work/data" --test "$work/odd [1: #" --out "$work/only" \
  --set evaluate.federated=false --set rounds.count=2 --json
lacks "$work/said" '"evaluate.test.folder": "."'
expect 0 simulate least --partition dirichlet:1 --set simulate.partition.minimum=5 --show-partition --json

# ---- what is refused ------------------------------------------------------------------------------
expect 3 simulate no --sweep learning_rate=0.1,0.2
said "there is no setting 'learning_rate'; did you mean 'train.learning_rate'?"
expect 3 simulate no --sweep train.learning_rate=0.1,fast
said "with train.learning_rate=fast: " "'train.learning_rate' must be a number above 0" "found 'fast'"
expect 3 simulate no --set rounds.minimum=9
said "'rounds.minimum' is 9, more than the cohort of 5 clients"
expect 2 simulate no --sweep seed=1..3 --seed 4
said "--seed and the setting 'seed': which one?"
expect 2 simulate no --set simulate.partition.alpha=1 --partition iid
expect 2 simulate no --sweep seed=1..3 --set seed=4
said "--set and --sweep both have 'seed'"
expect 2 simulate no --sweep seed=1,2 --sweep seed=3
said "--sweep: 'seed' is given twice"
expect 2 simulate no --sweep seed=1,2,1
said "'seed' has the value '1' twice"
expect 2 simulate no --sweep seed=5..1
said "a range goes from the smaller to the larger number"
expect 2 simulate no --sweep seed=1,,2
expect 2 simulate no --sweep seed=
expect 2 simulate no --sweep seed
said "expected KEY=VALUE,VALUE"
expect 2 simulate no --sweep seed=1..1000 --sweep train.batch_size=1..1000
said "more than 100000 combinations"
[ ! -e "$work/no" ] || fail "a refused sweep made its folder"
expect 0 simulate steps --quiet --set rounds.count=1 --sweep train.learning_rate=0.1..0.3:0.1,1
[ "$(wc -l <"$work/said")" = 5 ] || fail "--quiet prints more than the table: $(cat "$work/said")"
for rate in 0.1 0.2 0.3 1; do
  [ -d "$work/steps/train.learning_rate=$rate" ] || fail "no $rate among: $(ls "$work/steps")"
done
