# SPDX-License-Identifier: Apache-2.0
"""measure_programs.py: what needs no federation: the size of the agent, folding against the
memory's bandwidth, a training step, the store's disk. Each is a program of this folder; here they
are run, and their numbers picked out of what they print.
"""

import os
import re
import shutil
import subprocess
import tempfile


def output(folder, program, *words):
    done = subprocess.run([os.path.join(folder, program), *words], text=True, check=True,
                          stdout=subprocess.PIPE)
    return done.stdout


def number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise RuntimeError(f"no '{pattern}' in:\n{text}")
    return float(found.group(1))


def measure_size(bin_folder, rows):
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "fed-agent")
        subprocess.run(["strip", "-o", stripped, os.path.join(bin_folder, "fed-agent")], check=True)
        rows.note("fed-agent, stripped file", os.path.getsize(stripped) / 1e6, "MB", 2)


def measure_fold(bin_folder, rows):
    text = output(bin_folder, "bench_fold")
    rates = [float(rate) for rate in re.findall(r"a = .* ([\d.]+) GB/s", text)]
    rows.note("memory bandwidth, one thread", max(rates), "GB/s")
    for bits in (8, 16, 32):
        share = number(rf"fold {bits} bits .* ([\d.]+) % of memory", text)
        rows.note(f"folding {bits}-bit updates, of that bandwidth", share, "%", 60, ">=")


def measure_step(bin_folder, rows):
    text = output(bin_folder, "bench_step")
    rows.note("CNN training step, batch 32, median", number(r"median ([\d.]+) ms", text), "ms")
    rows.note("CNN training step, arithmetic", number(r"([\d.]+) GFLOP/s", text), "GFLOP/s")


def measure_store(bin_folder, rows):
    folder = tempfile.mkdtemp(prefix="fed-bench-", dir=os.environ.get("TMPDIR", "/var/tmp"))
    try:
        text = output(bin_folder, "bench_store", os.path.join(folder, "store"))
    finally:
        shutil.rmtree(folder)
    rows.note("this disk: durable commit, median", number(r"durable +median +([\d.]+)", text), "ms")
    rows.note("this disk: 40 kB object stored, median",
              number(r"object_put, 40 kB +median +([\d.]+)", text), "ms")


def measure(bin_folder, rows):
    measure_size(bin_folder, rows)
    measure_fold(bin_folder, rows)
    measure_step(bin_folder, rows)
    measure_store(bin_folder, rows)
