# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# harness.sh: what the end-to-end tests share: a scratch folder, a federation on a free port, its
# server and agents as processes, and a clean end. A test sources it and runs from top to bottom;
# the first command that fails ends it. FED and FED_AGENT are the programs.
#
#   $work/federation   the server's folder       $work/job       job.yaml, model.onnx
#   $work/NAME         an agent's: identity, policy.yaml, data    $work/log       what they wrote
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/fed-e2e-XXXXXX")
mkdir "$work/log" "$work/pid" "$work/job"
unset https_proxy http_proxy HTTPS_PROXY ALL_PROXY all_proxy NO_PROXY no_proxy

end() {
  status=$?
  trap - EXIT INT TERM
  for file in "$work"/pid/*; do
    [ ! -e "$file" ] || kill -KILL "$(cat "$file")" 2>/dev/null || true
  done
  wait
  [ $status = 0 ] || tail -n 25 "$work"/log/* >&2
  [ "${KEEP-}" ] || rm -rf "$work"
  exit $status
}
trap end EXIT
trap 'exit 130' INT TERM

# ---- expecting -----------------------------------------------------------------------------------

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# expect STATUS COMMAND…: its exit status; what it said is in $work/said.
expect() {
  wanted=$1 status=0
  shift
  "$@" >"$work/said" 2>&1 || status=$?
  [ $status = "$wanted" ] || fail "status $status, not $wanted, of: $*: $(cat "$work/said")"
}

# contains FILE TEXT…: every text is in the file.
contains() {
  file=$1
  shift
  for text in "$@"; do
    grep -qF -- "$text" "$file" || fail "'$text' is not in $file: $(tail -n 5 "$file")"
  done
}

lacks() {
  ! grep -qF -- "$2" "$1" || fail "'$2' is in $1"
}

said() {
  contains "$work/said" "$@"
}

# within SECONDS COMMAND…: try until it succeeds.
within() {
  tries=$(($1 * 20))
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "it never came true: $*"
    sleep 0.05
  done
}

# ---- processes -----------------------------------------------------------------------------------

# start NAME COMMAND…: in the background; its output goes to $work/log/NAME.
start() {
  name=$1
  shift
  "$@" >>"$work/log/$name" 2>&1 &
  echo $! >"$work/pid/$name"
}

pid() {
  cat "$work/pid/$1"
}

# finish NAME: wait for its end; the exit status becomes $status.
finish() {
  status=0
  wait "$(pid "$1")" 2>/dev/null || status=$?
  rm "$work/pid/$1"
}

kill_hard() {
  kill -KILL "$(pid "$1")"
  finish "$1"
}

stop() {
  kill -TERM "$(pid "$1")"
  finish "$1"
  [ $status = 0 ] || fail "$1 ended with status $status when asked to stop"
}

# ---- a federation --------------------------------------------------------------------------------

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

federation() {
  port=$(free_port)
  "$FED" server create --dir "$work/federation" --host 127.0.0.1 --port "$port" --quiet
}

answers() {
  "$FED" job list --dir "$work/federation"
}

start_server() {
  start server "$FED" server --dir "$work/federation" --log-level info
  within 20 answers
}

# agent NAME: enrol it, with data of its own and a policy that allows the test's jobs.
agent() {
  mkdir "$work/$1"
  "$FED" enroll token "$1" --dir "$work/federation" --out "$work/$1/token"
  "$FED_AGENT" enroll --dir "$work/$1/identity" --token "$work/$1/token" --quiet
  python3 "$here/make_data.py" "$work/$1/data" "$1" "${2:-200}"
  cat >"$work/$1/policy.yaml" <<END
allow: {jobs: [test]}
data: {name: points, folder: data}
share: {metrics: true}
END
}

start_agent() {
  start "$1" "$FED_AGENT" run --dir "$work/$1/identity" --policy "$work/$1/policy.yaml" \
    --log-level info
}

# agents NAME…: enrol and start them; the server must be running.
agents() {
  for name in "$@"; do agent "$name"; done
  for name in "$@"; do start_agent "$name"; done
}

stop_all() {
  for file in "$work"/pid/*; do [ ! -e "$file" ] || stop "$(basename "$file")"; done
}

# ---- a job ---------------------------------------------------------------------------------------

# write_job: a small model on the agents' points; the variables below change it.
write_job() {
  # shellcheck disable=SC2086 # several words
  "$FED" model new ${recipe:-mlp --hidden 8} --input 4 --classes 2 --out "$work/job/model.onnx" --quiet
  cat >"$work/job/job.yaml" <<END
version: 1
name: test
seed: 7
model: {file: model.onnx}
data:
  name: points
  format: csv
  inputs: {file: points.csv}
  target: {classes: 2}
  csv:
    columns:
      - {name: a, kind: number}
      - {name: b, kind: number}
      - {name: c, kind: number}
      - {name: d, kind: number}
      - {name: label, kind: target, categories: ["0", "1"]}
  holdout: ${holdout:-0.25}
train: {${train:-epochs: 2, batch_size: 16, learning_rate: 0.1}}
rounds:
  count: ${rounds:-3}
  cohort: ${cohort:-3}
  minimum: ${minimum:-3}
  deadline: ${deadline:-60 s}
  gather: ${gather:-10 s}
  back_off: ${back_off:-100 ms}
  failures_max: ${failures_max:-10}
${further-}
END
}

submit() {
  "$FED" job submit "$work/job/job.yaml" --dir "$work/federation" "$@"
}

# events JOB: every event so far, as JSON lines, when the job is over.
events() {
  "$FED" job watch "$1" --dir "$work/federation" --json
}

export_model() {
  "$FED" model export "$1" --dir "$work/federation" --out "$2" --quiet
}
