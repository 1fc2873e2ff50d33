#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_external_trainer.sh: the NumPy trainer of the examples in place of the native one: another
# implementation of the same training must give the same model, up to float32 rounding; and what a
# trainer can get wrong, as docs/external-trainer.md says.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

trainer=$here/../../examples/external-numpy/train.py
federation
start_server
for name in a b c; do
  agent "$name"
  echo "trainers: [{name: numpy, command: [/usr/bin/python3, \"$trainer\", points.csv]}]" \
    >>"$work/$name/policy.yaml"
done
agent d
for name in a b c; do start_agent "$name"; done

# One full batch an epoch: the order of examples does not matter. A fine grid, to see small errors.
recipe=logreg rounds=4 holdout=0
settings="epochs: 5, batch_size: 1000, learning_rate: 0.5, momentum: 0.9, weight_decay: 0.01"
further="update: {grid_bits: 32, grid_step: 2^-26}
evaluate: {every: 0}"
for train in "$settings" "trainer: numpy, $settings"; do
  write_job
  expect 0 submit --watch
done
export_model test-1 "$work/native.safetensors"
export_model test-2 "$work/numpy.safetensors"
events test-1 >"$work/events.native"
events test-2 >"$work/events.numpy"
/usr/bin/python3 - "$work" "$(dirname "$trainer")" <<'END'
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
sys.path.insert(0, sys.argv[2])
sys.dont_write_bytecode = True
import train
native = train.read_tensors(work / "native.safetensors")
numpy = train.read_tensors(work / "numpy.safetensors")
assert native.keys() == numpy.keys() == {"fc1.weight", "fc1.bias"}
for name in native:
    assert abs(native[name]).max() > 0.1, "nothing was learnt"
    error = abs(native[name] - numpy[name]).max()
    assert error < 2e-6, (name, error)  # measured: 2e-7

def losses(name):
    lines = map(json.loads, (work / name).read_text().splitlines())
    return [e["body"]["train"]["loss"] for e in lines if e["type"] == "round.committed"]
pairs = list(zip(losses("events.native"), losses("events.numpy")))
assert len(pairs) == 4 and all(abs(a - b) < 1e-5 for a, b in pairs), pairs
END

# With held-out rows, both kinds of tasks: evaluate only, and both.
unset holdout further
rounds=2 train="trainer: numpy, $settings"
write_job
expect 0 submit --watch
said "final model on the agents' held-out rows"

# breaks CODE TEXT PROGRAM: d's trainer is this shell program; its folder is $1.
rounds=1 cohort=1 minimum=1 failures_max=1
train="trainer: own, epochs: 1"
write_job
stop_all
start_server # that forgot a, b and c, and waits for none of them
cp "$work/d/policy.yaml" "$work/policy"
breaks() {
  printf '%s\n' "$3" >"$work/trainer.sh"
  cp "$work/policy" "$work/d/policy.yaml"
  cat >>"$work/d/policy.yaml" <<END
demand: {cohort_min: 1}
trainers: {name: own, command: [${4-sh}, $work/trainer.sh]}
limits: {${limits-train: 60 s}}
END
  start_agent d
  expect 3 submit --watch --json
  contains "$work/said" "\"client\":\"d\",\"code\":\"$1\""
  contains "$work/log/d" "$2"
  stop d
  if [ -e "$work/folder" ]; then
    [ ! -e "$(cat "$work/folder")" ] || fail "$(cat "$work/folder") was not removed"
  fi
}
# shellcheck disable=SC2016 # the trainer expands these
{
  metrics='echo $1 >'"$work"'/folder; echo "{\"example_count\": 1}" >$1/metrics.json; '
  breaks NOT_FOUND "could not be started" '' /nowhere/python
  breaks INPUT "ended with status 3" 'exit 3'
  breaks LIMIT "ended by signal 9" 'kill -KILL $$'
  limits="cpu: 1 s"
  breaks LIMIT "ended by signal 24" 'while :; do :; done' # SIGXCPU
  limits="train: 2 s"
  breaks TIMEOUT "the policy allows 2 s" 'sleep 4321; true' # not even its children stay
  ! pgrep -f '^sleep 4321' >/dev/null || fail "the trainer's own child is left"
  unset limits
  breaks MISSING "wrote no metrics.json" 'exit 0'
  breaks INPUT "example_count" 'echo "{}" >$1/metrics.json'
  breaks MISSING "wrote no update.safetensors" "$metrics"
  breaks TRUNCATED "safetensors" "$metrics"'echo >$1/update.safetensors'
  breaks SHAPE "tensor 'fc1.weight' is missing" "$metrics"'
    printf "\002\0\0\0\0\0\0\0{}" >$1/update.safetensors'
  # All bits set are no number.
  breaks NOT_FINITE "finite" "$metrics"'
    { head -c $(($(wc -c <$1/parameters.safetensors) - 40)) $1/parameters.safetensors
      head -c 40 /dev/zero | tr "\0" "\377"; } >$1/update.safetensors'
  # A loss may be below zero.
  echo 'cp $1/parameters.safetensors $1/update.safetensors
    echo "{\"example_count\": 5, \"train\": {\"examples\": 5, \"correct\": 0, \"loss_sum\": -10}}" \
      >$1/metrics.json' >"$work/trainer.sh"
}
start_agent d
expect 0 submit --watch --json
said '"loss":-2.0,'
stop d
stop server
