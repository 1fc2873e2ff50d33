#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_bad_input.sh: wrong files and wrong values, each with the exit status and the message that
# says what to mend. What is wrong with an owner's data stays in the agent's log: the server learns
# the error's code and no more.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

job=$work/job/job.yaml model=$work/job/model.onnx
federation
start_server
agents a b

# ---- before anything is sent

# edit SED-COMMAND…: the good job, changed.
edit() {
  rounds=1 cohort=2 minimum=2 failures_max=1 write_job
  sed -i "$@" "$job"
}

# refused STATUS TEXT…: the job file, with a message that has these texts.
refused() {
  wanted=$1
  shift
  expect "$wanted" "$FED" job check "$job"
  said "$@"
}

edit 's/^train: {epochs/train: {epoch/'
refused 3 "job.yaml:18:9:" "unknown key 'epoch' in 'train'; did you mean 'epochs'?"
edit 's/^name: test/name: [test/'
refused 3 "job.yaml:4:6: not well-formed YAML: missing comma"
edit 's/  cohort: 2/  cohort: two/'
refused 3 "job.yaml:21:11: 'rounds.cohort' must be a whole number from 1 to 1000000" "'two'"
edit 's/  minimum: 2/  minimum: 3/'
refused 3 "job.yaml:22:" "rounds.minimum" "3"
edit 's/^version: 1/version: 2/'
refused 3 "job.yaml:1:10:" "'version'"
edit '/^version/d'
refused 3 "version"
: >"$job"
refused 3 "job.yaml"
expect 6 "$FED" job check "$work/none.yaml"
said "none.yaml"

edit 's/^train/update: {grid_bits: 32}\naggregate: {weight_max: 1000000000000}\ntrain/'
refused 3 "can overflow a 64-bit sum" "lower weight_max"
edit 's/model.onnx/other.onnx/'
refused 6 "other.onnx', which is not there" "fed model new"
edit ''
head -c 100 "$model" >"$model.part"
mv "$model.part" "$model"
refused 3 "ONNX"
echo "not a model" >"$model"
refused 3 "ONNX"
: >"$model"
refused 3 "ONNX"

# The data is not what the model takes; the server refuses it as well.
edit 's/inputs: {file: points.csv}/inputs: {file: points.csv, shape: [5]}/'
refused 3 "the model takes [4], the job's data has [5]"
edit '/name: d, kind/d'
refused 3 "the model takes [4], the job's data has [3]"
expect 3 submit
said "the model takes [4], the job's data has [3]"
edit 's/classes: 2/classes: 3/; s/\["0", "1"\]/["0", "1", "2"]/'
refused 3 "data.target.classes is 3, but the model's output tells fewer classes apart"
expect 0 "$FED" job list --dir "$work/federation"
[ ! -s "$work/said" ] || fail "a refused job is in the list: $(cat "$work/said")"

# ---- what only the agents see

# agents_fail CODE TEXT: the job ends failed; the code is in the events, the text in a's log only.
agents_fail() {
  expect 3 submit --watch
  said "failed: too many failed rounds"
  id=$(sed -n 1p "$work/said")
  events "$id" >"$work/events" 2>/dev/null || true
  contains "$work/events" '"type":"client.failed"' "\"client\":\"a\",\"code\":\"$1\"" \
    '"type":"round.failed"' '"state":"failed"'
  contains "$work/log/a" "task.failed code=$1" "$2"
  lacks "$work/events" "$2"
  lacks "$work/log/server" "$2"
}

points=$work/a/data/points.csv
cp "$points" "$work/good.csv"

edit ''
sed -i '3s/,[01]$/,7/' "$points"
agents_fail RANGE "points.csv line 3, column 'label': expected one of '0', '1', found '7'"
cp "$work/good.csv" "$points"

sed -i '5s/,/,x/' "$points"
agents_fail TYPE "points.csv line 5, column 'b': expected a number, found 'x"
cp "$work/good.csv" "$points"

sed -i '9s/,[^,]*$//' "$points"
agents_fail SHAPE "points.csv line 9: expected 5 fields as in the header, found 4"
cp "$work/good.csv" "$points"

head -n 1 "$work/good.csv" >"$points"
agents_fail EMPTY "points.csv"
rm "$points"
agents_fail NOT_FOUND "cannot find 'points.csv' in the data folder"
gzip -c "$work/good.csv" >"$points.gz" # is found, too
printf XXXXXXXX | dd of="$points.gz" bs=1 seek=500 conv=notrunc 2>/dev/null
agents_fail CORRUPT "'points.csv.gz'"
rm "$points.gz"
cp "$work/good.csv" "$points"

# IDX: cut off, and a label that is out of range.
cat >"$work/idx.py" <<'END'
import pathlib, struct, sys
folder, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
values = bytes(range(40))
labels = bytes([0, 1] * 4 + [1, 2 if kind == "label" else 0])
(folder / "x.idx").write_bytes(struct.pack(">BBBBII", 0, 0, 8, 2, 10, 4) + values[:40 - 3 * (kind == "cut")])
(folder / "y.idx").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 10) + labels)
END
edit -e '/^  csv:/,/label/d' -e 's/format: csv/format: idx/' \
  -e 's/inputs: .*/inputs: {file: x.idx, shape: [4]}/' \
  -e 's/target: .*/target: {file: y.idx, classes: 2}/'
python3 "$work/idx.py" "$work/b/data" good
python3 "$work/idx.py" "$work/a/data" cut
agents_fail TRUNCATED "'x.idx' declares [10, 4] of U8, 40 elements of 1 bytes, but only 37"
python3 "$work/idx.py" "$work/a/data" label
agents_fail RANGE "'y.idx'"
python3 "$work/idx.py" "$work/a/data" good
expect 0 submit --watch

# ---- training that diverges: the rounds fail, the job ends, the start model stays

edit 's/learning_rate: 0.1/learning_rate: 1000000/; s/failures_max: 1/failures_max: 2/; s/epochs: 2/epochs: 200/'
sed -i 's/  - {name: a, kind: number}/  - {name: a, kind: number, mean: 0, std: 1.0e-30}/' "$job"
expect 3 submit --watch
said "failed: too many failed rounds"
id=$(sed -n 1p "$work/said")
events "$id" >"$work/events" 2>/dev/null || true
contains "$work/events" '"code":"NOT_FINITE"' '"attempt":2' '"version":0}'
contains "$work/log/a" "task.failed code=NOT_FINITE"
export_model "$id" "$work/start.onnx"
cmp "$model" "$work/start.onnx"

# None of this has hurt anybody.
edit ''
expect 0 submit --watch
stop_all
