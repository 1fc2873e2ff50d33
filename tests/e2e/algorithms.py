#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""algorithms.py FED FOLDER: fed simulate's models against the papers' equations, written anew here,
for all algorithms of rounds in step.

Four clients, each with one example many times over, so that the order of examples does not matter and
clients of different sizes take different numbers of steps; logistic regression. Where not all take
part, who does is seen from runs of 1, 2, 3 … rounds.
"""

import csv
import json
import math
import os
import struct
import subprocess
import sys

FED, FOLDER = sys.argv[1:]
ROUNDS, BATCH, ETA = 12, 4, 0.2
CLIENTS = [("a", 8, (1.0, 0.5, -0.3), 0), ("b", 22, (-0.4, 1.2, 0.1), 1),
           ("c", 4, (0.2, -0.8, 0.9), 0), ("d", 37, (0.7, 0.3, 0.6), 1)]
SIZES = [rows for _, rows, _, _ in CLIENTS]
FINE = "grid_bits: 32, grid_step: 2^-24"


def write_data():
    for name, rows, x, label in CLIENTS:
        os.makedirs(f"{FOLDER}/data/{name}", exist_ok=True)
        with open(f"{FOLDER}/data/{name}/points.csv", "w", encoding="utf-8") as file:
            file.write("x,y,z,label\n" + f"{x[0]},{x[1]},{x[2]},{label}\n" * rows)


def simulate(out, train="", rounds="cohort: 4, minimum: 4", aggregate="", update=FINE, count=ROUNDS):
    """The parameters at the end, and in how many rounds each client took part."""
    with open(f"{FOLDER}/job.yaml", "w", encoding="utf-8") as file:
        file.write(f"""version: 1
name: algorithms
model: {{file: model.onnx}}
data:
  name: points
  format: csv
  inputs: {{file: points.csv}}
  target: {{classes: 2}}
  csv:
    columns: [{{name: x, kind: number}}, {{name: y, kind: number}}, {{name: z, kind: number}},
              {{name: label, kind: target}}]
  holdout: 0
evaluate: {{every: 0}}
train: {{learning_rate: {ETA}, batch_size: {BATCH}, epochs: 2{train}}}
rounds: {{count: {count}, {rounds}}}
update: {{{update}}}
aggregate: {{{aggregate}}}
""")
    subprocess.run([FED, "simulate", f"{FOLDER}/job.yaml", "--data", f"{FOLDER}/data", "--partition", "folders",
                    "--out", f"{FOLDER}/{out}", "--quiet", "--restart", "--threads", "1"], check=True)
    with open(f"{FOLDER}/{out}/clients.csv", encoding="utf-8") as file:
        taken = {row["client"]: int(row["rounds"]) for row in csv.DictReader(file)}
    return parameters(f"{FOLDER}/{out}/model.safetensors"), [taken[name] for name, *_ in CLIENTS]


def parameters(path):
    """The two rows of weights, then the two biases."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        body = file.read()
    found = []
    for name in ("fc1.weight", "fc1.bias"):
        begin, end = header[name]["data_offsets"]
        found += struct.unpack(f"<{(end - begin) // 4}f", body[begin:end])
    return found


# ---- vectors, gradients, training ---------------------------------------------------------------------

def plus(x, y, factor=1.0):
    return [a + factor * b for a, b in zip(x, y)]


def mean(vectors, weights):
    return [sum(w * v[i] for w, v in zip(weights, vectors)) / sum(weights) for i in range(len(vectors[0]))]


def gradient(client, w):
    _, _, x, label = CLIENTS[client]
    scores = [sum(w[3 * k + j] * x[j] for j in range(3)) + w[6 + k] for k in range(2)]
    top = max(scores)
    parts = [math.exp(score - top) for score in scores]
    off = [part / sum(parts) - (k == label) for k, part in enumerate(parts)]
    return [off[k] * x[j] for k in range(2) for j in range(3)] + off


def steps(client):
    return 2 * -(-SIZES[client] // BATCH)


def train(client, x, momentum=0.0, bend=lambda y: [0.0] * 8):
    y, v = x, [0.0] * 8
    for _ in range(steps(client)):
        v = plus(plus(gradient(client, y), bend(y)), v, momentum)
        y = plus(y, v, -ETA)
    return y


def reach(client, momentum):
    """How far its steps carry a constant gradient: Wang et al. 2020, |a|_1."""
    return sum((1 - momentum ** (steps(client) - s)) / (1 - momentum) for s in range(steps(client)))


# ---- the papers' rounds --------------------------------------------------------------------------------

def averaging(x, cohorts, weights, rate=1.0, server_momentum=0.0, mu=0.0, momentum=0.0):
    """McMahan et al. 2017; Hsu et al. 2019 (server momentum); Li et al. 2020 (FedProx)."""
    v = [0.0] * 8
    for cohort in cohorts:
        ends = [train(i, x, momentum, lambda y: [mu * d for d in plus(y, x, -1)]) for i in cohort]
        move = plus(mean(ends, [weights[i] for i in cohort]), x, -1)
        v = plus([server_momentum * a for a in v], move, rate)
        x = plus(x, v)
    return x


def scaffold(x, cohorts, weights, momentum=0.0):
    """Karimireddy et al. 2020, option II; c is the weighted mean of all c_i."""
    own = [[0.0] * 8 for _ in CLIENTS]
    for cohort in cohorts:
        c, ends = mean(own, weights), []
        for i in cohort:
            y = train(i, x, momentum, lambda _: plus(c, own[i], -1))
            own[i] = plus(plus(own[i], c, -1), plus(x, y, -1), 1 / (ETA * reach(i, momentum)))
            ends.append(y)
        x = mean(ends, [weights[i] for i in cohort])
    return x


def feddyn(x, cohorts, weights, alpha):
    """Acar et al. 2021; h is the weighted mean of all g_i."""
    own = [[0.0] * 8 for _ in CLIENTS]
    for cohort in cohorts:
        ends = []
        for i in cohort:
            y = train(i, x, 0.0, lambda y: plus([alpha * d for d in plus(y, x, -1)], own[i], -1))
            own[i] = plus(own[i], plus(y, x, -1), -alpha)
            ends.append(y)
        x = plus(mean(ends, [weights[i] for i in cohort]), mean(own, weights), -1 / alpha)
    return x


def fednova(x, cohorts, weights, momentum=0.0):
    """Wang et al. 2020, equation 7."""
    for cohort in cohorts:
        share = [weights[i] for i in cohort]
        moves = [[d / reach(i, momentum) for d in plus(train(i, x, momentum), x, -1)] for i in cohort]
        far = sum(w * reach(i, momentum) for w, i in zip(share, cohort)) / sum(share)
        x = plus(x, mean(moves, share), far)
    return x


def adaptive(x, cohorts, weights, kind, rate=0.05, beta1=0.8, beta2=0.95, tau=0.01):
    """Reddi et al. 2021, algorithm 2."""
    d, v = [0.0] * 8, [tau * tau] * 8
    for cohort in cohorts:
        move = plus(mean([train(i, x) for i in cohort], [weights[i] for i in cohort]), x, -1)
        d = plus([beta1 * a for a in d], move, 1 - beta1)
        for k in range(8):
            square = d[k] * d[k]
            if kind == "fedadagrad":
                v[k] += square
            elif kind == "fedadam":
                v[k] = beta2 * v[k] + (1 - beta2) * square
            else:
                v[k] -= (1 - beta2) * square * ((v[k] > square) - (v[k] < square))
        x = [a + rate * b / (math.sqrt(c) + tau) for a, b, c in zip(x, d, v)]
    return x


# ---- beside each other ---------------------------------------------------------------------------------

ADAPTIVE = "server_learning_rate: 0.05, beta1: 0.8, adaptivity: 0.01"
CASES = [("fedavg", "", "", averaging, {}),
         ("fedavgm", "", "server_momentum: 0.5, server_learning_rate: 0.7", averaging,
          {"server_momentum": 0.5, "rate": 0.7}),
         ("fedprox", ", momentum: 0.6", "proximal: 0.8", averaging, {"mu": 0.8, "momentum": 0.6}),
         ("scaffold", "", "", scaffold, {}),
         ("scaffold", ", momentum: 0.6", "", scaffold, {"momentum": 0.6}),
         ("feddyn", "", "regularizer: 0.3", feddyn, {"alpha": 0.3}),
         ("fednova", "", "", fednova, {}),
         ("fednova", ", momentum: 0.6", "", fednova, {"momentum": 0.6}),
         ("fedadagrad", "", ADAPTIVE, adaptive, {"kind": "fedadagrad"}),
         ("fedadam", "", f"{ADAPTIVE}, beta2: 0.95", adaptive, {"kind": "fedadam"}),
         ("fedyogi", "", f"{ADAPTIVE}, beta2: 0.95", adaptive, {"kind": "fedyogi"})]
COHORTS = {"all": "cohort: 4, minimum: 4", "two": "cohort: 2, minimum: 2"}


def see_cohorts(rounds):
    """Who takes part does not depend on the algorithm."""
    cohorts, before = [], [0] * 4
    for count in range(1, ROUNDS + 1):
        _, taken = simulate("cohorts", rounds=rounds, aggregate="algorithm: fedavg", count=count)
        cohorts.append([i for i in range(4) if taken[i] > before[i]])
        before = taken
    return cohorts


def check(what, found, expected, allowed):
    worst = max(abs(a - b) for a, b in zip(found, expected))
    print(f"{what}: largest difference {worst:.2g}")
    if not worst <= allowed:
        sys.exit(f"{what}: expected {expected}, found {found}: {worst:.3g} is more than {allowed:.3g}")


def main():
    write_data()
    start, _ = simulate("start", train=", steps_max: 1", aggregate="server_learning_rate: 1e-30", count=1)
    for name, rounds in COHORTS.items():
        cohorts = see_cohorts(rounds)
        for algorithm, training, settings, rule, arguments in CASES:
            for weights, numbers in (("examples", SIZES), ("uniform", [1] * 4)):
                aggregate = f"algorithm: {algorithm}, weights: {weights}" + (f", {settings}" if settings else "")
                found, _ = simulate("run", training, rounds, aggregate)
                expected = rule(start, cohorts, numbers, **arguments)
                check(f"{algorithm}{training}, {name}, {weights}", found, expected, 1e-5)
    for algorithm, training, settings, rule, arguments in CASES:
        if training:
            continue
        usual, _ = simulate("run", "", COHORTS["all"], f"algorithm: {algorithm}" + (f", {settings}" if settings else ""),
                            "grid_bits: 16, grid_step: 2^-13")
        check(f"{algorithm} on the usual grid", usual, rule(start, [range(4)] * ROUNDS, SIZES, **arguments), 1e-3)


if __name__ == "__main__":
    main()
