#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_statistics.sh: running statistics that stay with the agents (model.statistics local): kept
# from round to round as if training had gone on in one place, never sent, each agent's its own; and
# a simulation of the same two has the same model and finds the same with it, to the bit.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

vectors=$here/../vectors/onnx/mobilenet_block # 14 statistics of seven normalisations
rounds=2 epochs=3

# write_job STATISTICS COHORT [HOLDOUT]
# One batch of all examples: their order does not matter. A fine grid, to see small errors.
write_job() {
  cp "$vectors/model.onnx" "$work/job/model.onnx"
  cat >"$work/job/job.yaml" <<END
version: 1
name: test
model: {file: model.onnx, statistics: $1}
data:
  name: points
  format: safetensors
  inputs: {file: data.safetensors, array: x}
  target: {array: y, classes: 10}
  holdout: ${3:-0}
train: {epochs: $epochs, batch_size: 1000, learning_rate: 0.02}
rounds: {count: $rounds, cohort: $2, minimum: $2, deadline: 60 s, gather: 10 s}
update: {grid_bits: 32, grid_step: 2^-26}
evaluate: {every: $([ "${3:-0}" = 0 ] && echo 0 || echo 1)}
END
}

# data NAME HALF: 400 of the 800 examples, or all.
data() {
  python3 - "$vectors/data.safetensors" "$work/$1/data" "$2" <<'END'
import json, pathlib, struct, sys
whole = pathlib.Path(sys.argv[1]).read_bytes()
size = struct.unpack("<Q", whole[:8])[0]
head, body = json.loads(whole[8:8 + size]), whole[8 + size:]
part = {"all": slice(0, 800), "first": slice(0, 400), "second": slice(400, 800)}[sys.argv[3]]
arrays, made = b"", {}
for name, entry in head.items():
    begin, end = entry["data_offsets"]
    row = (end - begin) // 800
    rows = body[begin + part.start * row:begin + part.stop * row]
    made[name] = {"dtype": entry["dtype"], "shape": [part.stop - part.start, *entry["shape"][1:]],
                  "data_offsets": [len(arrays), len(arrays) + len(rows)]}
    arrays += rows
folder = pathlib.Path(sys.argv[2])
folder.mkdir(exist_ok=True)
text = json.dumps(made).encode()
(folder / "data.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + arrays)
END
}

federation
start_server
agent a
data a all
echo "demand: {cohort_min: 1}" >>"$work/a/policy.yaml"
start_agent a

# Alone in the federation, the agent does what one place would do in two rounds' epochs.
write_job local 1
expect 0 submit --watch
export_model test-1 "$work/alone.safetensors"
"$FED" train "$work/job/job.yaml" --data "$work/a/data" --out "$work/one-place" --quiet

# Two agents with other examples each: the parameters are common, the statistics are not.
agent b
echo "demand: {cohort_min: 1}" >>"$work/b/policy.yaml"
data a first
data b second
start_agent b
write_job local 2
expect 0 submit --watch
export_model test-2 "$work/both.safetensors"
write_job average 2
expect 0 submit --watch
export_model test-3 "$work/averaged.safetensors"

write_job local 2 0.25
expect 0 submit --watch
export_model test-4 "$work/deployed.safetensors"
events test-4 >"$work/events"
for name in a b; do
  mkdir -p "$work/clients/$name"
  cp "$work/$name/data/data.safetensors" "$work/clients/$name"
done
expect 0 "$FED" simulate "$work/job/job.yaml" --data "$work/clients" --partition folders \
  --out "$work/simulated" --quiet
cmp "$work/deployed.safetensors" "$work/simulated/model.safetensors" ||
  fail "simulation and deployment made different models"
python3 - "$work/events" "$work/simulated/metrics.jsonl" "$work/simulated/clients.csv" <<'END'
import csv, json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
deployed = [e["body"]["evaluate"] for e in events
            if e["type"] in ("round.committed", "model.evaluated_by_clients")]
simulated = [json.loads(line)["evaluated"] for line in open(sys.argv[2])]
assert len(deployed) == len(simulated) == 3, (deployed, simulated) # two rounds, and at the end
for there, here in zip(deployed, simulated):
    assert here["examples"] == 200 and there["accuracy"] == here["accuracy"], (there, here)
    assert abs(there["loss"] - here["loss"]) < 1e-6, (there, here)
right = sum(float(row["accuracy"]) * 100 for row in csv.DictReader(open(sys.argv[3])))
assert round(right) == round(simulated[-1]["accuracy"] * 200), (right, simulated[-1])
END

for name in a b; do
  [ ! -e "$work/$name/identity/kept/test-3" ] || fail "averages were kept"
  for file in "$work/$name"/identity/kept/*/*; do
    [ "$(stat -c %a "$file")" = 600 ] || fail "others may read $file"
  done
done
python3 - "$work" <<'END'
import json, pathlib, struct, sys
work = pathlib.Path(sys.argv[1])

def read(name):
    whole = (work / name).read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    head, body = json.loads(whole[8:8 + size]), whole[8 + size:]
    return {key: struct.unpack(f"<{(e['data_offsets'][1] - e['data_offsets'][0]) // 4}f",
                               body[slice(*e["data_offsets"])])
            for key, e in head.items() if key != "__metadata__"}

def difference(a, b):
    assert a.keys() == b.keys(), (a.keys(), b.keys())
    return max(abs(x - y) for key in a for x, y in zip(a[key], b[key]))

kept, whole = read("a/identity/kept/test-1/2.safetensors"), read("one-place/model.safetensors")
sent = read("alone.safetensors")
assert len(kept) == 14 and all("running" in name for name in kept), kept.keys()
assert not any("running" in name for name in sent), sent.keys()
assert difference(sent, {name: whole[name] for name in sent}) < 1e-4
assert difference(kept, {name: whole[name] for name in kept}) < 1e-4
first = read("a/identity/kept/test-1/1.safetensors") # forgetting would be seen
assert difference(first, kept) > 1e-2, difference(first, kept)
a, b = [read(f"{name}/identity/kept/test-2/2.safetensors") for name in "ab"]
assert difference(a, b) > 1e-3, "two agents with other examples have the same statistics"
assert read("both.safetensors").keys() == sent.keys()
assert len(read("averaged.safetensors")) == len(sent) + 14
END
stop_all
