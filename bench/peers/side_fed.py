# SPDX-License-Identifier: Apache-2.0
"""side_fed.py: `fed simulate` as a peer among peers: each turn is a run of the program.

Updates travel as 32-bit whole numbers of 2^-24, so that they are as precise as the float32 of the
others."""

import json
import os
import resource
import subprocess
import time

JOB = """version: 1
name: bench
model: {{file: model.onnx}}
data:
  name: bench
  format: idx
  inputs: {{file: x.idx, {input}}}
  target: {{file: y.idx, classes: {classes}}}
  holdout: 0
train:
  epochs: {epochs}
  batch_size: {batch}
  learning_rate: {learning_rate}
  precision: {precision}
rounds: {{count: {rounds}, cohort: {cohort}, minimum: {cohort}}}
update: {{grid_bits: 32, grid_step: 2^-24}}
aggregate: {{weights: {weights}, weight_max: 4000}}
evaluate: {{every: 0, federated: false}}
simulate: {{clients: {clients}, partition: {partition}}}
"""


def partition_text(kind):
    name, _, value = kind.partition(":")
    more = {"log_normal": f", sigma: {value}", "drawn": f", examples: {value}"}.get(name, "")
    return f"{{kind: {name}{more}}}"


def job_text(world, rounds, precision="f32"):
    shape = {"cifar": "[3, 32, 32]", "cnn": "[1, 28, 28]", "emnist": "[1, 28, 28]"}
    if world.data == "characters":
        input = "kind: indices, limit: 80"
    else:
        size = {"small": 99, "wide": 999}.get(world.data, 784)
        input = f"shape: {shape.get(world.name, f'[{size}]')}"
    classes = {"characters": 80, "letters": 62}.get(world.data, 10)
    return JOB.format(input=input, classes=classes, epochs=world.epochs, batch=world.batch,
                      learning_rate=world.learning_rate, precision=precision, rounds=rounds,
                      cohort=world.cohort, weights=world.weights, clients=world.clients,
                      partition=partition_text(world.partition))


class Fed:
    def __init__(self, program, folder, world, threads, mode):
        self.program, self.world, self.threads, self.mode = program, world, threads, mode
        self.place = os.path.join(folder, "worlds", world.name)
        self.data = os.path.join(folder, "data", world.data)
        self.out = os.path.join(self.place, "out-" + mode)
        self.memory = 0

    def write_job(self, rounds):
        path = os.path.join(self.place, f"job-{self.mode}-{rounds}.yaml")
        with open(path, "w") as file:
            file.write(job_text(self.world, rounds, "bf16" if self.mode == "bf16" else "f32"))
        return path

    def run(self, rounds):
        """Wall and processor seconds of the whole program."""
        job = self.write_job(rounds)
        words = [self.program, "simulate", job, "--data", self.data, "--threads",
                 str(self.threads), "--out", self.out, "--quiet"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def turn(self, rounds):
        """Seconds of each round, processor seconds of them all (the program's whole run)."""
        wall, cpu = self.run(rounds)
        with open(os.path.join(self.out, "metrics.jsonl")) as file:
            seconds = [json.loads(line)["seconds"] for line in file]
        with open(os.path.join(self.out, "summary.json")) as file:
            summary = json.load(file)
        self.memory = max(self.memory, summary["peak_bytes"])
        if not self.world.epochs:  # what happens between two rounds counts, too
            seconds = [summary["seconds"] / rounds] * rounds
        return seconds, cpu
