#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_mpi.sh: fed simulate under mpirun: any number of processes and threads gives the bits of one;
# an interrupted run goes on with another number of them; a failure of one process ends all, told
# once.
# shellcheck source=tests/e2e/harness.sh disable=SC2119,SC2086
. "$(dirname "$0")/harness.sh"

# On a machine with fewer processors than processes, and in containers, which run as root.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_hwloc_base_binding_policy=none

python3 "$here/make_data.py" "$work/data" 1 600
python3 "$here/make_data.py" "$work/other" 3 600
python3 "$here/make_data.py" "$work/test" 2 1000
rounds=60 cohort=7 minimum=3
deadline="20 s" failures_max=1000
further="aggregate: {algorithm: scaffold} # whose clients and server keep something
evaluate: {every: 5}
simulate:
  clients: 20
  partition: {kind: dirichlet, alpha: 0.3}
  device: {speed: 10, speed_spread: 0.5, latency: 1 s, bandwidth_up: 1 KiB, drop_out: 0.2}
  faults: {lost: 0.05, duplicated: 0.1, reordered: 0.1, client_crash: 0.02, server_crash: 0.02, server_crash_waiting: 0.1}"
write_job
run="$FED simulate $work/job/job.yaml --data $work/data --test $work/test --quiet"

# same OUT REFERENCE
same() {
  for file in model.safetensors clients.csv confusion.csv; do
    cmp "$work/$1/$file" "$work/$2/$file" || fail "$file of $1 and $2 differ"
  done
  python3 - "$work/$1/metrics.jsonl" "$work/$2/metrics.jsonl" <<'CHECK'
import json, sys
runs = [[json.loads(line) for line in open(path)] for path in sys.argv[1:]]
for line in runs[0] + runs[1]:
    del line["seconds"]
assert runs[0] == runs[1]
CHECK
}

# ---- the bits of one process ----------------------------------------------------------------------
expect 0 $run --out "$work/alone" --threads 2
for processes in 1 2 3; do
  for threads in 1 2; do
    out=$processes-$threads
    expect 0 mpirun -n $processes $run --out "$work/$out" --threads $threads
    [ "$(grep -c 'all rounds done after 60 rounds' "$work/said")" = 1 ] || fail "not told once"
    same $out alone
  done
done
# One process tells.
expect 0 mpirun -n 3 "$FED" simulate "$work/job/job.yaml" --data "$work/data" --out "$work/told"
[ "$(grep -c '^  round' "$work/said")" = 1 ] || fail "not one table of rounds"

# ---- killed with two processes, resumed with three ------------------------------------------------
sed -i 's/count: 60/count: 3000/' "$work/job/job.yaml"
expect 0 $run --out "$work/long" --threads 2
start two mpirun -n 2 $run --out "$work/killed" --checkpoint-every 0.02
within 60 test -e "$work/killed/checkpoint.safetensors"
within 60 sh -c "[ \$(wc -l <$work/killed/metrics.jsonl) -ge 300 ]"
kill -KILL "$(pgrep -P "$(pid two)" | head -n 1)"
finish two
[ $status != 0 ] || fail "one process was killed, and mpirun says that all is well"
expect 0 mpirun -n 3 $run --out "$work/killed" --resume
same killed long

# ---- stopped --------------------------------------------------------------------------------------
start two mpirun -n 2 $run --out "$work/stopped" --checkpoint-every 0.02
within 60 test -e "$work/stopped/checkpoint.safetensors"
for process in $(pgrep -P "$(pid two)"); do kill -INT "$process"; done
finish two
[ $status = 7 ] || fail "status $status after SIGINT"
contains "$work/log/two" "--resume goes on"
contains "$work/stopped/summary.json" '"end": "stopped"'
expect 0 $run --out "$work/stopped" --resume
same stopped long

# ---- a sweep --------------------------------------------------------------------------------------
sweep="--set rounds.count=10 --sweep train.learning_rate=0.05,0.1 --sweep seed=1..2"
expect 0 $run --out "$work/sweep" $sweep
expect 0 mpirun -n 2 $run --out "$work/sweep-2" --sweep train.learning_rate=0.05 --sweep seed=1..2 \
  --set rounds.count=10
expect 0 mpirun -n 3 $run --out "$work/sweep-2" $sweep # two of them are finished
[ "$(grep -c "best accuracy" "$work/said")" = 1 ] || fail "not told once: $(cat "$work/said")"
for name in train.learning_rate=0.05,seed=1 train.learning_rate=0.1,seed=2; do
  same "sweep-2/$name" "sweep/$name"
done

# ---- a failure of one process ends all ------------------------------------------------------------
sed -i 's/count: 3000/count: 60/' "$work/job/job.yaml"
cat >"$work/somewhere" <<'END'
#!/bin/sh
# fed on a machine with other data
data=$1 place=$2
shift 2
[ "$OMPI_COMM_WORLD_RANK" != "$place" ] || exec "$@" --data "$data"
exec "$@"
END
chmod +x "$work/somewhere"
for place in 0 1 2; do
  expect 6 mpirun -n 3 "$work/somewhere" "$work/nowhere" $place $run --out "$work/failed"
  [ "$(grep -c "nowhere" "$work/said")" = 1 ] || fail "not told once: $(cat "$work/said")"
done
said "(process 3 of 3, on"
expect 3 mpirun -n 3 "$work/somewhere" "$work/other" 1 $run --out "$work/failed"
said "other files than where the first process runs" "(process 2 of 3, on"
expect 3 mpirun -n 2 $run --out "$work/failed" --clients 2
[ "$(grep -c "rounds.minimum is 3" "$work/said")" = 1 ] || fail "not told once: $(cat "$work/said")"

# ---- what is wrong before they meet is told once, too ---------------------------------------------
expect 2 mpirun -n 3 "$FED" simulate --bad-option
[ "$(grep -c "unknown option '--bad-option'" "$work/said")" = 1 ] || fail "$(cat "$work/said")"
expect 2 mpirun -n 3 "$FED" simulate
[ "$(grep -c "found 0 arguments" "$work/said")" = 1 ] || fail "not told once: $(cat "$work/said")"
expect 2 mpirun -n 3 $run --threads 0
[ "$(grep -c -- "--threads: expected" "$work/said")" = 1 ] || fail "$(cat "$work/said")"
expect 6 mpirun -n 3 "$FED" simulate "$work/nowhere.yaml" --data "$work"
[ "$(grep -c "cannot open '$work/nowhere.yaml'" "$work/said")" = 1 ] || fail "$(cat "$work/said")"
expect 0 mpirun -n 3 "$FED" simulate --help
[ "$(grep -c "^Usage:" "$work/said")" = 1 ] || fail "not told once: $(cat "$work/said")"

# ---- statistics that stay with their clients go where they are visited next -----------------------
cp "$here/../vectors/onnx/mobilenet_block/model.onnx" \
  "$here/../vectors/onnx/mobilenet_block/data.safetensors" "$work/job"
cat >"$work/job/statistics.yaml" <<'JOB'
version: 1
name: statistics
model: {file: model.onnx, statistics: local}
data:
  name: points
  format: safetensors
  inputs: {file: data.safetensors, array: x}
  target: {array: y, classes: 10}
  holdout: 0.3
train: {batch_size: 10, learning_rate: 0.02}
rounds: {count: 4, cohort: 5, minimum: 5}
simulate: {clients: 8, partition: {kind: dirichlet, alpha: 0.5}}
JOB
run="$FED simulate $work/job/statistics.yaml --data $work/job --quiet"
expect 0 $run --out "$work/statistics"
for processes in 2 3; do
  expect 0 mpirun -n $processes $run --out "$work/statistics-$processes"
  same statistics-$processes statistics
done
