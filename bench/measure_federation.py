# SPDX-License-Identifier: Apache-2.0
"""measure_federation.py: what a federation of real processes costs: rounds without training,
memory, requests. docs/benchmarks.md says what each number means.
"""

import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from federation_process import Federation, children, cpu_seconds, memory
from measure_programs import number

AGENTS = 10
LOGREG = ["logreg", "--input", "999", "--classes", "10"]  # 999 * 10 + 10 = 10,000 parameters
ROUND_JOB = """version: 1
name: bench-rounds
model: {{file: model.onnx}}
data: {{name: bench, format: npy, holdout: 0, inputs: {{file: values.npy, shape: [999]}},
        target: {{file: labels.npy, classes: 10}}}}
train: {{steps_max: 1, batch_size: 1, learning_rate: 0.1}}
rounds: {{count: {rounds}, cohort: 10, minimum: 10, deadline: 30 s}}
evaluate: {{every: 0, federated: false}}
"""
CNN_EXAMPLES = 6000  # as many as a client of the demo has on average
CNN_JOB = """version: 1
name: bench-cnn
model: {file: model.onnx}
data: {name: bench, format: idx, holdout: 0.1, inputs: {file: images.idx, shape: [1, 28, 28]},
       target: {file: labels.idx, classes: 10}}
train: {batch_size: 32, learning_rate: 0.01, momentum: 0.9}
rounds: {count: 3, cohort: 1, minimum: 1, deadline: 10 min}
"""


# ---- data: random, always the same ----------------------------------------------------------


def write_npy(path, descr, shape, data):
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


def write_rows(folder):
    values = [random.Random(1).random() for _ in range(2 * 999)]
    write_npy(os.path.join(folder, "values.npy"), "<f4", "(2, 999)", struct.pack("<1998f", *values))
    write_npy(os.path.join(folder, "labels.npy"), "<i8", "(2,)", struct.pack("<2q", 3, 7))


def write_images(folder):
    source = random.Random(1)
    with open(os.path.join(folder, "images.idx"), "wb") as file:
        file.write(struct.pack(">BBBBIII", 0, 0, 8, 3, CNN_EXAMPLES, 28, 28))
        file.write(source.randbytes(CNN_EXAMPLES * 28 * 28))
    with open(os.path.join(folder, "labels.idx"), "wb") as file:
        file.write(struct.pack(">BBBBI", 0, 0, 8, 1, CNN_EXAMPLES))
        file.write(bytes(source.randrange(10) for _ in range(CNN_EXAMPLES)))


def write_model(federation, *words):
    program = os.path.join(federation.bin, "fed")
    path = os.path.join(federation.folder, "model.onnx")
    subprocess.run([program, "model", "new", *words, "--out", path], check=True,
                   stdout=subprocess.DEVNULL)


# ---- rounds ---------------------------------------------------------------------------------


def percentile(values, part):
    return sorted(values)[int(len(values) * part)]


def wait_for_end(federation, job):
    while federation.job_state(job) == "running":
        time.sleep(1)


def note_rounds(rows, events):
    closed = [event for event in events if event["type"] == "round.committed"]
    times = [event["time_ms"] for event in closed]
    gaps = [after - before for before, after in zip(times, times[1:])]
    open_ms = [event["body"]["seconds"] * 1000 for event in closed]
    rows.note("round, commit to commit, median", statistics.median(gaps), "ms", 10)
    rows.note("round, commit to commit, 99 %", percentile(gaps, 0.99), "ms")
    rows.note("round, commit to commit, mean", (times[-1] - times[0]) / len(gaps), "ms", 10)
    rows.note("of it: from tasks to the new version, median", statistics.median(open_ms), "ms")
    rows.note("of it: from tasks to the new version, 99 %", percentile(open_ms, 0.99), "ms")
    rows.note("rounds that failed", sum(event["type"] == "round.failed" for event in events), "")


def note_traffic(rows, before, after, round_count):
    for what, name in (("down to", "fed_sent_bytes_total"), ("up from", "fed_received_bytes_total")):
        rows.note(f"bodies in a round, {what} ten agents",
                  (after[name] - before[name]) / round_count / 1000, "kB")
    rows.note("requests in a round",
              (after["fed_requests_total"] - before["fed_requests_total"]) / round_count, "")
    rows.note("new TLS connections in all rounds together",
              after["fed_connections_total"] - before["fed_connections_total"], "")


def measure_rounds(bin_folder, rows, round_count):
    with tempfile.TemporaryDirectory() as data, Federation(bin_folder, AGENTS, data) as federation:
        write_rows(data)
        write_model(federation, *LOGREG)
        federation.start_agents()
        time.sleep(2)
        rows.note("server idle: RSS", memory(federation.server)["rss"] / 2**20, "MiB")
        before = [cpu_seconds(pid) for pid in [federation.server, *federation.agents]]
        counted = federation.counters()
        job = federation.submit(ROUND_JOB.format(rounds=round_count))
        wait_for_end(federation, job)
        workers = [pid for agent in federation.agents for pid in children(agent)]
        after = [cpu_seconds(pid) for pid in [federation.server, *federation.agents]]
        spent = [b - a for a, b in zip(before, after)]
        busy = [memory(pid) for pid in [federation.server, *federation.agents, *workers]]
        note_rounds(rows, federation.watch(job))
        note_traffic(rows, counted, federation.counters(), round_count)
        rows.note("CPU in a round: server", spent[0] * 1000 / round_count, "ms")
        rows.note("CPU in a round: ten agents and their workers",
                  (sum(spent[1:]) + sum(map(cpu_seconds, workers))) * 1000 / round_count, "ms")
        rows.note("server: RSS, highest", busy[0]["peak"] / 2**20, "MiB")
        rows.note("server, ten agents and ten workers: PSS in all",
                  sum(process["pss"] for process in busy) / 2**20, "MiB")


# ---- requests -------------------------------------------------------------------------------


def measure_requests(bin_folder, rows):
    with Federation(bin_folder, 0) as federation:
        text = subprocess.run([os.path.join(bin_folder, "bench_requests"), federation.url,
                               federation.server_folder], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    rows.note("first request of a connection, median",
              number(r"first.*median ([\d.]+) ms", text), "ms")
    rows.note("first request of a connection, 99 %", number(r"first.* 99 % ([\d.]+) ms", text), "ms")
    rows.note("next requests on it, median", number(r"on one.*median ([\d.]+) ms", text), "ms")
    rows.note("next requests on it, one after another",
              number(r"on one.* ([\d.]+) per second", text), "/s")


# ---- the agent's memory ---------------------------------------------------------------------


def note_idle(rows, when, pid):
    used = memory(pid)
    rows.note(f"agent idle, {when}: RSS", used["rss"] / 2**20, "MiB", 12)
    rows.note(f"agent idle, {when}: PSS", used["pss"] / 2**20, "MiB")
    rows.note(f"agent idle, {when}: of no other process", used["own"] / 2**20, "MiB")


def highest_while_training(federation, job):
    """The highest sums over agent and worker, looked at twenty times a second."""
    agent, highest, rounds_over = federation.agents[0], {}, 0
    while rounds_over < 40:  # two seconds without a job
        both = [memory(pid) for pid in [agent, *children(agent)]]
        for kind in ("rss", "pss"):
            total = sum(process[kind] for process in both)
            if total > highest.get(kind, (0, []))[0]:
                highest[kind] = (total, both)
        time.sleep(0.05)
        working = cpu_seconds(agent) + sum(map(cpu_seconds, children(agent)))
        rounds_over = 0 if working != highest.get("cpu") else rounds_over + 1
        highest["cpu"] = working
    if federation.job_state(job) == "running":
        raise RuntimeError("the job did not end: " + federation.log("a1"))
    return highest


def wait_without_worker(federation):
    """The agent lets its worker go when it has been without work for 15 s."""
    for _ in range(60):
        if not children(federation.agents[0]):
            time.sleep(1)
            return
        time.sleep(1)
    raise RuntimeError("the agent still has its worker")


def measure_agent_memory(bin_folder, rows):
    with tempfile.TemporaryDirectory() as data, Federation(bin_folder, 1, data) as federation:
        write_images(data)
        write_model(federation, "cnn", "--input", "1,28,28", "--classes", "10")
        federation.start_agents()
        time.sleep(2)
        note_idle(rows, "after start", federation.agents[0])
        job = federation.submit(CNN_JOB)
        highest = highest_while_training(federation, job)
        total, (agent, *workers) = highest["rss"]
        rows.note("agent while training the CNN: RSS", agent["rss"] / 2**20, "MiB")
        rows.note("its worker: RSS", sum(worker["rss"] for worker in workers) / 2**20, "MiB")
        rows.note("agent and worker together: RSS", total / 2**20, "MiB", 60)
        rows.note("agent and worker together: PSS", highest["pss"][0] / 2**20, "MiB", 60)
        print("  (waiting for the agent to let its worker go)", file=sys.stderr)
        wait_without_worker(federation)
        note_idle(rows, "after work", federation.agents[0])


def measure(bin_folder, rows, round_count):
    measure_requests(bin_folder, rows)
    measure_rounds(bin_folder, rows, round_count)
    measure_agent_memory(bin_folder, rows)
