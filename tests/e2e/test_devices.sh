#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_devices.sh: fed simulate with devices from files and with faults: who has too little memory is
# told and left out, time and bytes follow the trace, any number of threads and an interruption give
# the same, what went wrong is counted; and traces that are refused, with line and column.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

simulate() { # OUT, more…
  out=$1
  shift
  "$FED" simulate "$work/job/job.yaml" --data "$work/data" --out "$work/$out" "$@"
}
python3 "$here/make_data.py" "$work/data" 1 600

# ---- a trace --------------------------------------------------------------------------------------
# Of four devices one has too little memory. A task is 4 bytes down, and 2 up, for each parameter.
cat >"$work/devices.csv" <<'CSV'
client,memory,speed,latency,bandwidth_down,bandwidth_up
client-0000,1e9,10,0,,
client-0001,1e9,,2,,
client-0002,1,,,,
client-0003,1e9,,,8,4
CSV
rounds=2 cohort=3 minimum=3 deadline="1 h"
further="evaluate: {every: 0, federated: false}
simulate:
  clients: 4
  device: {trace: $work/devices.csv}"
write_job
expect 0 simulate traced --json --threads 1
cp "$work/said" "$work/traced.json"
python3 - "$work/traced.json" "$work/traced/metrics.jsonl" <<'CHECK'
import json, sys
summary = json.load(open(sys.argv[1]))
assert summary["clients"] == 4 and summary["eligible"] == 3 and summary["small_memory"] == 1, summary
rounds = [json.loads(line) for line in open(sys.argv[2])]
assert "trouble" not in summary and not any("trouble" in line for line in rounds)
parameters = rounds[0]["down_bytes"] // (3 * 4)
assert rounds[0]["up_bytes"] == 3 * 2 * parameters, rounds[0]
longest = max(4 * parameters / 8 + 2 * parameters / 4, 4, rounds[0]["trained"]["examples"] / 3 / 10)
assert abs(rounds[0]["virtual_s"] - longest) < 0.01, (rounds[0], longest)
assert abs(rounds[1]["virtual_s"] - 2 * longest) < 0.02, rounds[1]
CHECK
expect 0 simulate plain
said "1 more have enough examples, but not the" "MB of memory that training takes"

# ---- clients that come and go, and everything that can go wrong -----------------------------------
for client in 0 1 2 3 4 5 6 7; do
  echo "client-000$client,$((client * 20)),$((client * 20 + 150))"
  echo "client-000$client,$((200 + client)),$((300 - client))"
done >"$work/rows"
{ echo client,from,to && cat "$work/rows"; } >"$work/there.csv"
rounds=1000 cohort=4 minimum=2 deadline="2 min"
further="evaluate: {every: 5}
simulate:
  clients: 8
  device: {speed: 5, latency: 1 s, availability: $work/there.csv, availability_repeats: 5 min}
  faults: {lost: 0.1, resend: 3 s, duplicated: 0.2, delayed: 0.2, reordered: 0.2, delay: 5 s,
           client_crash: 0.1, client_restart: 20 s, server_crash: 0.2, server_restart: 30 s}"
write_job
expect 0 simulate one --threads 1
said "Trouble" "server_crashes"
expect 0 simulate three --threads 3 --quiet
cmp "$work/one/model.safetensors" "$work/three/model.safetensors" || fail "threads matter"
start run "$FED" simulate "$work/job/job.yaml" --data "$work/data" --out "$work/again" --quiet \
  --checkpoint-every 0
within 20 test -s "$work/again/checkpoint.safetensors"
kill_hard run
expect 0 simulate again --quiet --resume
cmp "$work/one/model.safetensors" "$work/again/model.safetensors" || fail "an interruption matters"
python3 - "$work/one" "$work/three" "$work/again" <<'CHECK'
import collections, csv, json, sys
def read(folder):
    rounds = [json.loads(line) for line in open(folder + "/metrics.jsonl")]
    for line in rounds:
        del line["seconds"]
    return rounds, json.load(open(folder + "/summary.json"))
runs = [read(folder) for folder in sys.argv[1:]]
assert runs[0][0] == runs[1][0] == runs[2][0]
assert runs[0][1]["trouble"] == runs[1][1]["trouble"] == runs[2][1]["trouble"]
rounds, summary = runs[0]
sums = collections.Counter()
for line in rounds:
    sums.update(line.get("trouble", {}))
for kind in ("late", "lost", "delayed", "went_away", "client_crashes", "server_crashes"):
    assert 0 < sums[kind] <= summary["trouble"][kind], (kind, sums, summary["trouble"])
void = [line for line in rounds if "server crashed" in line.get("failure", "")]
assert 0 < len(void) <= sums["server_crashes"], void
for line in void:
    following = rounds[rounds.index(line) + 1]
    assert following["round"] == line["round"] and following["attempt"] == line["attempt"] + 1
    assert following["cohort"] == line["cohort"]
table = list(csv.DictReader(open(sys.argv[1] + "/metrics.csv")))
assert sum(int(row["trouble.lost"] or 0) for row in table) == sums["lost"]
CHECK

# ---- what is refused ------------------------------------------------------------------------------
refuse() { # STATUS TEXT: what `trace` and `there` in the job are refused with
  write_job
  expect "$1" simulate bad --quiet
  said "$2"
}
further="simulate: {clients: 4, device: {trace: $work/nowhere.csv}}"
refuse 6 "nowhere.csv"
further="simulate: {clients: 4, device: {trace: $work/bad.csv}}"
echo speed,latancy >"$work/bad.csv"
refuse 3 "bad.csv line 1, column 2: 'latancy' is not known: did you mean 'latency'?"
printf 'speed,latency\n1,2\nfast,1\n' >"$work/bad.csv"
refuse 3 "bad.csv line 3, column 'speed': expected a number from 0 to 1000000000000, found 'fast'"
printf 'client,speed\nclient-0000,1\n' >"$work/bad.csv"
refuse 3 "no row for client 'client-0001'"
further="simulate: {clients: 4, device: {availability: $work/bad.csv}}"
printf 'client,from,to\nclient-0000,7,7\n' >"$work/bad.csv"
refuse 3 "bad.csv line 2, column 'to': expected more than 7"
printf 'client,from,to\nclient-0000,0,600\n' >"$work/bad.csv"
refuse 3 "of the 4 clients, 2 (rounds.minimum) are never there at the same time"
further="simulate: {clients: 4, device: {memory: 1 KiB}}"
refuse 3 "4 others have less than the"
further="simulate: {clients: 4, faults: {server_crash: 1}}"
refuse 3 "server_crash"
