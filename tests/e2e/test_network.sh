#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_network.sh: proxies, a server that is away, an agent that hangs; and how little an agent
# holds while it waits.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"

federation
start_server
agents a b

# ---- an agent behind a proxy, from its enrolment on

proxy_port=$(free_port)
cat >"$work/tinyproxy.conf" <<END
Port $proxy_port
Listen 127.0.0.1
LogLevel Connect
LogFile "$work/log/tinyproxy"
ConnectPort $port
END
start proxy tinyproxy -d -c "$work/tinyproxy.conf"
within 10 curl --silent --output "$work/said" "http://127.0.0.1:$proxy_port"
proxy=http://127.0.0.1:$proxy_port
"$FED" enroll token c --dir "$work/federation" --out "$work/c.token"
expect 0 "$FED_AGENT" enroll --dir "$work/c/identity" --token "$work/c.token" --proxy "$proxy"
python3 "$here/make_data.py" "$work/c/data" c 200
cp "$work/a/policy.yaml" "$work/c/policy.yaml"
https_proxy=$proxy start_agent c # the environment counts, too
within 10 grep -q "agent.started" "$work/log/c"
write_job
expect 0 submit --watch --json
contains "$work/said" '"client":"c"' '"state":"done"'
contains "$work/log/tinyproxy" "CONNECT 127.0.0.1:$port"

# A proxy that is not there is named, and waited for.
stop c
kill_hard proxy
https_proxy=$proxy start_agent c
within 10 grep -q "server.unreachable code=NETWORK.*" "$work/log/c"
start proxy tinyproxy -d -c "$work/tinyproxy.conf"
expect 0 submit --watch --json
contains "$work/said" '"client":"c"' '"state":"done"'

# ---- what an agent holds: the training library is in the child process that trains, if anywhere

train="epochs: 1, kernels: onednn" rounds=2
write_job
expect 0 submit --watch
worker=$(pgrep -P "$(pid a)")
grep -q libdnnl "/proc/$worker/maps" || fail "the training process does not use oneDNN"
! grep -q libdnnl "/proc/$(pid a)/maps" || fail "the agent itself has mapped oneDNN"

# ---- the server goes away for a while in the middle of a job

train="epochs: 1000" rounds=10
write_job
submit >"$work/id"
within 20 grep -q 'round.committed job='"$(cat "$work/id")"'.*"round":2' "$work/log/server"
kill_hard server
sleep 2
start_server
events "$(cat "$work/id")" >"$work/said"
contains "$work/said" '"state":"done"' '"version":10'

# ---- an agent that hangs past the deadline is left behind, and is welcome again

train="epochs: 1" rounds=3 minimum=2 deadline="1 s"
write_job
kill -STOP "$(pid b)"
submit >"$work/id"
within 20 grep -q 'round.committed job='"$(cat "$work/id")"'.*"round":1,"attempt":1,"cohort":3,"reported":2' \
  "$work/log/server"
kill -CONT "$(pid b)"
events "$(cat "$work/id")" >"$work/said"
python3 - "$work/said" <<'END'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
reported = {}
for e in events:
    if e["type"] == "client.reported":
        reported.setdefault(e["body"]["round"], set()).add(e["body"]["client"])
assert events[-1]["body"]["state"] == "done", events[-1]
assert "b" not in reported[1], reported
assert any("b" in clients for clients in reported.values()), reported
END
stop_all
