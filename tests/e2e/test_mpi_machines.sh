#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_mpi_machines.sh: fed simulate on two machines, as mpirun sees them: names in a host file, a
# daemon on each, started through what stands for ssh, and messages over TCP instead of shared
# memory. Both are this machine, on the loopback interface. The bits are those of one process.
# shellcheck source=tests/e2e/harness.sh disable=SC2119,SC2086
. "$(dirname "$0")/harness.sh"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_hwloc_base_binding_policy=none

# Nothing of this shell's environment goes with it, as over ssh; and each has a /tmp of its own.
cat >"$work/remote" <<END
#!/bin/sh
# HOST COMMAND…
echo "\$1" >>"$work/reached"
mkdir -p "$work/tmp-\$1"
export TMPDIR="$work/tmp-\$1"
shift
cd /
exec env -i PATH="\$PATH" HOME="\$HOME" TMPDIR="\$TMPDIR" sh -c "\$*"
END
chmod +x "$work/remote"
printf 'one slots=1\ntwo slots=2\n' >"$work/machines"
# -x: what a sanitizer is not to tell of
spread="mpirun --hostfile $work/machines --mca plm rsh --mca plm_rsh_agent $work/remote
  --mca oob_tcp_if_include lo --mca btl tcp,self --mca btl_tcp_if_include lo ${TSAN_OPTIONS+-x TSAN_OPTIONS}"

python3 "$here/make_data.py" "$work/data" 1 600
python3 "$here/make_data.py" "$work/test" 2 1000
rounds=40 cohort=7 minimum=3
further="aggregate: {algorithm: scaffold}
simulate:
  clients: 20
  partition: {kind: dirichlet, alpha: 0.3}
  device: {speed: 10, speed_spread: 0.5}"
write_job

# Paths are relative to the folder that mpirun is started in; the processes run there, too.
cd "$work"
run="$FED simulate job/job.yaml --data data --test test --quiet"
expect 0 $run --out alone
expect 0 $spread -n 3 $run --out spread
[ "$(sort -u "$work/reached" | tr '\n' ' ')" = "one two " ] || fail "reached $(cat "$work/reached")"
for file in model.safetensors clients.csv confusion.csv; do
  cmp "spread/$file" "alone/$file" || fail "$file of one and of two machines differ"
done

# A failure is told once, and ends the processes on both.
expect 6 $spread -n 3 $FED simulate job/nowhere.yaml --data data
[ "$(grep -c "nowhere.yaml" "$work/said")" = 1 ] || fail "not told once: $(cat "$work/said")"
expect 2 $spread -n 3 $FED simulate --bad-option
[ "$(grep -c "bad-option" "$work/said")" = 1 ] || fail "not told once: $(cat "$work/said")"
