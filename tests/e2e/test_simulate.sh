#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_simulate.sh: fed simulate on small synthetic data: it gives the bits of a deployment with the
# same clients, data and seed; any number of threads gives the same; partitions can be saved and
# used again; devices that are slow or drop out do what the settings say; and what it refuses.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

simulate() { # OUT, more…
  out=$1
  shift
  "$FED" simulate "$work/job/job.yaml" --out "$work/$out" "$@"
}
same() {
  cmp "$work/$1/model.safetensors" "$work/$2/model.safetensors" || fail "models of $1 and $2 differ"
}

# ---- what was simulated is what is deployed -------------------------------------------------------
federation
start_server
agents a b c
number=0 train="epochs: 1, batch_size: 16, learning_rate: 0.1"
while read -r algorithm; do
  further="aggregate: {algorithm: $algorithm}"
  write_job
  number=$((number + 1))
  expect 0 submit --watch --quiet
  export_model "test-$number" "$work/deployed-$number.safetensors"
  cp "$work/job/job.yaml" "$work/job-$number.yaml"
done <<'ALGORITHMS'
fedavgm, server_momentum: 0.5
fedsgd
fedprox, proximal: 0.1
scaffold
fednova
feddyn, regularizer: 0.1
fedadam, server_learning_rate: 0.01
ALGORITHMS
stop_all
for name in a b c; do
  mkdir -p "$work/sites/$name"
  cp -r "$work/$name/data" "$work/sites/$name/data"
done
while [ "$number" -gt 0 ]; do
  cp "$work/job-$number.yaml" "$work/job/job.yaml"
  expect 0 simulate sites --data "$work/sites" --partition folders --threads 2
  said "all rounds done after 3 rounds; 3 clients, 3 of them with enough examples" "held-out rows of 3"
  cmp "$work/deployed-$number.safetensors" "$work/sites/model.safetensors" ||
    fail "the simulated model of job $number is not the deployed one"
  number=$((number - 1))
done
# What simulations leave beside the sites is no site; a site may have a metrics.jsonl of its own.
: >"$work/sites/a/metrics.jsonl"
expect 0 simulate sites/shown --data "$work/sites" --partition folders --show-partition
expect 0 simulate sites/run --data "$work/sites" --partition folders
expect 0 simulate sites/swept --data "$work/sites" --partition folders --sweep seed=1,2
expect 0 simulate sites --data "$work/sites" --partition folders
said "3 clients, 3 of them with enough examples"

# ---- one data set, divided ------------------------------------------------------------------------
python3 "$here/make_data.py" "$work/data" 1 600
python3 "$here/make_data.py" "$work/test" 2 200
rounds=6 cohort=5 minimum=3 train=
further="simulate: {clients: 20, partition: {kind: dirichlet, alpha: 0.3}}"
write_job
expect 0 simulate one --data "$work/data" --test "$work/test" --threads 1 --json
cp "$work/said" "$work/one.json"
expect 0 simulate two --data "$work/data" --test "$work/test" --threads 4 --quiet \
  --save-partition "$work/partition.safetensors"
same one two
expect 0 simulate three --data "$work/data" --partition "file:$work/partition.safetensors" --quiet
same one three
python3 - "$work/one.json" "$work/one/metrics.jsonl" "$work/two/metrics.jsonl" <<'CHECK'
import json, sys
summary = json.load(open(sys.argv[1]))
assert summary["clients"] == 20 and summary["rounds"] == 6, summary
assert summary["tested"]["examples"] == 200 and summary["tested"]["accuracy"] > 0.8, summary
assert 0 < summary["client_accuracy"]["jain"] <= 1, summary
assert summary["client_accuracy"]["lowest_tenth"] <= summary["client_accuracy"]["mean"], summary
classes = summary["test_classes"]
assert classes["examples"] == 200 and classes["accuracy"] == summary["tested"]["accuracy"], classes
assert 0.8 < classes["classes"][1]["auc"] <= 1 and classes["mean"]["recall"] > 0.7, classes
last = [json.loads(line) for line in open(sys.argv[2])][5]["tested"] # the seventh evaluates
assert last["accuracy"] == classes["accuracy"], last
for figure in "recall", "precision", "auc", "average_precision":
    assert last[figure] == classes["classes"][1][figure], (figure, last, classes)
assert summary["settings"]["train.batch_size"] == 16 and summary["data"].endswith("data"), summary
runs = [[json.loads(line) for line in open(path)] for path in sys.argv[2:]]
assert [line["round"] for line in runs[0]] == [1, 2, 3, 4, 5, 6, 7]
assert [line["clients"]["version"] for line in runs[0]] == [0, 1, 2, 3, 4, 5, 6]
assert all(0 < line["drift"]["agreement"] <= 1.001 for line in runs[0][:6])
assert runs[0][-1]["kind"] == "evaluate" and runs[0][-1]["reported"] == 5
for line in runs[0] + runs[1]:
    del line["seconds"]
assert runs[0] == runs[1]
CHECK
python3 - "$work/one" <<'CHECK'
import csv, json, os, sys
read = lambda name: list(csv.DictReader(open(os.path.join(sys.argv[1], name), newline="")))
lines = [json.loads(line) for line in open(os.path.join(sys.argv[1], "metrics.jsonl"))]
rows = read("metrics.csv")
assert len(rows) == len(lines) == 7
for row, line in zip(rows, lines):
    assert int(row["round"]) == line["round"] and int(row["up_bytes"]) == line["up_bytes"]
    for path in "clients.accuracy.p25", "drift.mean", "tested.loss", "tested.auc":
        value = line
        for key in path.split("."):
            value = value and value[key]
        assert row[path] == "" if value is None else abs(float(row[path]) - value) < 1e-6, (row, path)
clients = read("clients.csv")
summary = json.load(open(os.path.join(sys.argv[1], "summary.json")))
assert len(clients) == 20
assert sum(int(c["train_examples"]) + int(c["held_out_examples"]) for c in clients) == 600
assert sum(int(c["rounds"]) for c in clients) == sum(l["reported"] for l in lines[:6])
found = [float(c["accuracy"]) for c in clients if c["accuracy"]]
assert abs(sum(found) / len(found) - summary["client_accuracy"]["mean"]) < 1e-6
matrix = [row for row in read("confusion.csv") if row["rows"] == "test"]
assert sum(int(row[k]) for row in matrix for k in "01") == 200
right = sum(int(row[row["class"]]) for row in matrix)
assert abs(right / 200 - summary["tested"]["accuracy"]) < 1e-9
CHECK
contains "$work/one/report.html" "after 6 rounds; 20 clients, data divided by dirichlet" \
  "is found least often" "Clients range from"
expect 0 simulate other --data "$work/data" --test "$work/test" --seed 8 --quiet
said "all rounds done after 6 rounds; 20 clients" "test set     accuracy"
grep -q '^ *[1-6]  ' "$work/said" && fail "--quiet shows progress: $(cat "$work/said")"
cmp -s "$work/one/model.safetensors" "$work/other/model.safetensors" && fail "the seed does nothing"
expect 0 "$FED" report --compare "$work/one" "$work/other/" --out "$work/compared.html"
said "wrote $work/compared.html"
contains "$work/compared.html" "2 simulations in 1 group" "(2 seeds)" "Test accuracy over rounds"
expect 2 "$FED" report --compare "$work/one"
expect 6 "$FED" report --compare "$work/one" "$work/data"
said "no run of fed simulate"
for kind in iid feature:0.2 shards:1 labels:1 power_law:1.2 log_normal:0.7 drawn:30; do
  expect 0 simulate kind --data "$work/data" --partition "$kind" --clients 30 --quiet
done

# ---- clients by a column, and how a partition looks -----------------------------------------------
mkdir "$work/cards"
printf 'bank,amount,fraud\n' >"$work/cards/cards.csv"
for i in 1 2 3 4 5 6; do
  printf 'A,%s,0\nB,%s,1\nA,%s,1\n"C & D",%s,0\n' $i $i $i $i >>"$work/cards/cards.csv"
done
cat >"$work/cards/job.yaml" <<'END'
version: 1
name: cards
model: {file: none.onnx}
data:
  name: cards
  format: csv
  inputs: {file: cards.csv}
  target: {classes: 2}
  csv: {columns: [{name: amount, kind: number}, {name: fraud, kind: target}]}
train: {learning_rate: 0.1}
rounds: {count: 2, cohort: 3, minimum: 3}
simulate: {partition: {kind: column, columns: [bank]}}
END
cards() { # STATUS, more…
  wanted_status=$1
  shift
  expect "$wanted_status" "$FED" simulate "$work/cards/job.yaml" --data "$work/cards" \
    --out "$work/shown" "$@"
}
cards 0 --show-partition
said "3 clients by column:bank; 24 of 24 examples, 2 classes" "C_D" "0.500" "100   ." "partition.html"
contains "$work/shown/partition.html" "<svg" "class 1: 6" "Divided by column:bank"
[ ! -e "$work/shown/model.onnx" ] || fail "--show-partition trained something"
cards 0 --show-partition --json --save-partition "$work/cards.safetensors"
python3 - "$work/said" <<'CHECK'
import json, sys
shown = json.load(open(sys.argv[1]))
assert [client["name"] for client in shown["listed"]] == ["A", "B", "C_D"], shown
assert [client["classes"] for client in shown["listed"]] == [[6, 6], [0, 6], [6, 0]], shown
assert abs(shown["client_distance"]["mean"] - 1 / 3) < 1e-8 and shown["classes"] == [12, 12], shown
CHECK
cards 0 --show-partition --partition "file:$work/cards.safetensors" --quiet
cards 3 --show-partition --partition column:bnak
said "'cards.csv' has no column 'bnak'; did you mean 'bank'?"
cards 0 --show-partition --partition sorted:amount --clients 6
said "6 clients by sorted:amount; 24 of 24" "client-0005                      4"
cards 3 --show-partition --partition sorted:bank --clients 6
said "expected numbers to sort by, found 'A'"
cards 2 --show-partition --partition column:bank --clients 4
cards 3 --show-partition --partition drawn:5 --clients 4 --set simulate.partition.noise=0.3
said "so that these cannot have one client's noise"
cards 0 --show-partition --partition feature:0.3 --clients 4 --quiet
said "client-0003                      6       0.3" "client-0001                      6       0.1"
contains "$work/shown/partition.html" "noise with deviations up to 0.3"
cards 6 --quiet
"$FED" model new logreg --input 1 --classes 2 --out "$work/cards/none.onnx" --quiet
cards 2 --baselines everything
said "expected centralised, local or best"
cards 0 --baselines centralised,local,best --threads 1 --json
cp "$work/said" "$work/cards/one.json"
contains "$work/shown/report.html" "best single client"
cards 0 --baselines best,local,centralised --threads 3 --json
python3 - "$work/cards/one.json" "$work/said" <<'CHECK'
import json, sys
runs = [json.load(open(path)) for path in sys.argv[1:]]
assert runs[0]["baselines"] == runs[1]["baselines"]
names = [line["name"] for line in runs[0]["baselines"]]
assert names[:3] == ["federated", "centralised", "local, mean of 3 clients"], names
assert runs[0]["baselines"][3]["client"] in ("A", "B", "C_D"), runs[0]["baselines"]
assert runs[0]["baseline_passes"] == 2, runs[0]
CHECK
cards 0 --threads 2
said "2 rounds; 3 clients"
printf 'X,1,0\n' >"$work/cards/cards.csv"
sed -i '1i bank,amount,fraud' "$work/cards/cards.csv"
cards 3
said "all 1 examples have the same value: X"

# ---- devices --------------------------------------------------------------------------------------
further="simulate:
  clients: 20
  device: {speed: 10, speed_spread: 0.5, latency: 1 s, bandwidth_up: 1 KiB, drop_out: 0.3}"
deadline="20 s"
write_job
expect 0 simulate devices --data "$work/data" --threads 1 --quiet
expect 0 simulate again --data "$work/data" --threads 3 --quiet
same devices again
python3 - "$work/devices/metrics.jsonl" "$work/again/metrics.jsonl" <<'CHECK'
import json, sys
runs = [[json.loads(line) for line in open(path)] for path in sys.argv[1:]]
for line in runs[0] + runs[1]:
    del line["seconds"]
assert runs[0] == runs[1]
times = [line["virtual_s"] for line in runs[0]]
assert times == sorted(times) and times[0] > 2, times
assert any(line["reported"] < line["cohort"] for line in runs[0]), "nobody dropped out"
assert all(line["reported"] >= 3 or "failure" in line for line in runs[0])
CHECK

# ---- without a common pace ------------------------------------------------------------------------
rounds=12 minimum=1
for algorithm in "fedbuff, buffer: 3, staleness_max: 4" fedasync; do
  further="aggregate: {algorithm: $algorithm}
simulate:
  clients: 20
  device: {speed: 10, speed_spread: 1, latency: 1 s, drop_out: 0.1}"
  write_job
  expect 0 simulate alone --data "$work/data" --test "$work/test" --threads 1 --quiet
  expect 0 simulate alone3 --data "$work/data" --threads 3 --quiet
  same alone alone3
  python3 - "$work/alone/metrics.jsonl" "$work/alone/summary.json" <<'CHECK'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
summary = json.load(open(sys.argv[2]))
wanted = {"fedbuff": 3, "fedasync": 1}[summary["settings"]["aggregate.algorithm"]]
assert len(lines) == 13 and all(line["reported"] == wanted for line in lines[:12]), lines
assert summary["tested"]["accuracy"] > 0.8, summary["tested"]
CHECK
done
rounds=6 minimum=3 further="simulate: {clients: 20}"
write_job

# ---- what is refused ------------------------------------------------------------------------------
expect 2 simulate bad
said "--data is missing"
expect 2 simulate bad --data "$work/data" --partition dirichlet:0
said "alpha" "above 0"
expect 2 simulate bad --data "$work/data" --partition sliced
said "dirichlet"
expect 2 simulate bad --data "$work/data" --partition iid:3
said "no setting of its own"
expect 2 simulate bad --data "$work/data" --partition file
said "file:PATH"
expect 2 simulate bad --data "$work/sites" --partition folders --clients 5
expect 2 simulate bad --data "$work/data" --threads 0
expect 3 simulate bad --data "$work/data" --clients 601
said "600 examples are not enough for 601 clients"
expect 3 simulate bad --data "$work/data" --clients 2
said "rounds.minimum is 3"
expect 3 simulate bad --data "$work/job" --partition folders
said "has no folders"
expect 3 simulate bad --data "$work/test" --partition "file:$work/partition.safetensors"
said "partition.safetensors"
expect 6 simulate bad --data "$work/nowhere"
train="trainer: numpy"
write_job
expect 3 simulate bad --data "$work/data"
said "only 'native' can be simulated"

# ---- runs that end before their last round --------------------------------------------------------
train="epochs: 60, batch_size: 16, learning_rate: 1000000, weight_decay: 10" failures_max=2
further="simulate: {clients: 20}"
write_job
expect 3 simulate wild --data "$work/data"
said "too many failed rounds in a row after round 0"
contains "$work/wild/metrics.jsonl" '"attempt":2' '"failure":"the training of clients diverged'
train="epochs: 1, batch_size: 16" rounds=1000000
write_job
start long "$FED" simulate "$work/job/job.yaml" --data "$work/data" --out "$work/long" --quiet
within 20 test -s "$work/long/metrics.jsonl"
kill -INT "$(pid long)"
finish long
[ $status = 7 ] || fail "status $status after SIGINT"
contains "$work/log/long" "stopped after round"
contains "$work/long/summary.json" '"end": "stopped"'
test -s "$work/long/model.onnx" || fail "no model after SIGINT"
