#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""measure_train.py: one training step of fed beside PyTorch's, in turns, on one thread.

The target `bench-train` installs PyTorch from PyPI into a folder of its own and runs this there.
For each model and batch both sides train the same exported model with SGD; they take turns of a
few steps, and the medians are compared. PyTorch runs eagerly, channels-last where there are
convolutions, compiled (--compile; a C++ compiler is needed and minutes pass), and in bf16 where
asked; the fastest of these counts. "of peak" is the arithmetic of matrix products and
convolutions, forward and backward, against the FLOP/s measured in the same run."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

import train_models

TURNS, TURN_S = 7, 0.15


def count_flops(module, inputs):
    """Of one step: twice the multiplications, forward, for the weights, and for the data unless
    these are the model's inputs."""
    total = [0]

    def count(layer, given, result):
        passes = 3 if given[0].requires_grad else 2
        if isinstance(layer, nn.Linear):
            total[0] += passes * given[0].numel() * layer.out_features
        elif isinstance(layer, nn.Conv2d):
            total[0] += passes * result.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.LSTM):
            positions = given[0].shape[0] * given[0].shape[1]
            total[0] += passes * positions * sum(w.numel() for w in layer.parameters()
                                                 if w.dim() == 2)
    hooks = [layer.register_forward_hook(count) for layer in module.modules()]
    module(inputs)
    for hook in hooks:
        hook.remove()
    return 2 * total[0]


class Torch:
    """PyTorch's side in one of its modes."""

    def __init__(self, make, inputs, targets, mode):
        torch.manual_seed(1)
        module = make()
        self.inputs, self.targets, self.mode = inputs, targets, mode
        if "channels-last" in mode and inputs.dim() == 4:
            module = module.to(memory_format=torch.channels_last)
            self.inputs = inputs.contiguous(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
        self.module = torch.compile(module) if "compiled" in mode else module

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        if "bf16" in self.mode:
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(self.module(self.inputs).float(), self.targets)
        else:
            loss = F.cross_entropy(self.module(self.inputs), self.targets)
        loss.backward()
        self.optimizer.step()

    def turn(self, count):
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            self.step()
            seconds.append(time.perf_counter() - start)
        return seconds


class Fed:
    """The engine's side: a process that trains on request."""

    def __init__(self, program, model, batch, token_count, mode):
        words = [program, model, str(batch), str(token_count)] + (["bf16"] if "bf16" in mode else [])
        self.process = subprocess.Popen(words, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        ready = self.process.stdout.readline().split()
        if not ready:
            raise RuntimeError(f"{program} refused the model")
        self.kernels = ready[1]

    def turn(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return [float(word) for word in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(sides):
    """Median seconds a step of each side; they take turns."""
    counts, seconds = {}, {name: [] for name in sides}
    for name, side in sides.items():
        side.turn(3)
        one = statistics.median(side.turn(3))
        counts[name] = max(1, min(2000, int(TURN_S / one)))
    for _ in range(TURNS):
        for name, side in sides.items():
            seconds[name] += side.turn(counts[name])
    return {name: statistics.median(values) for name, values in seconds.items()}


def export(make, inputs, path):
    torch.manual_seed(1)
    module = make().train()
    torch.onnx.export(module, (inputs,), path, dynamo=False, opset_version=17,
                      training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
                      input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}})


def measure(options, name, batch, rows, peak):
    make, generate, classes = train_models.MODELS[name]
    torch.manual_seed(2)
    inputs, targets = generate(batch), torch.randint(0, classes, (batch,))
    path = os.path.join(options.folder, f"{name.replace(' ', '-')}.onnx")
    if not os.path.exists(path):
        export(make, generate(2), path)
    flops = count_flops(make(), inputs)
    modes = ["eager"] + (["eager channels-last"] if inputs.dim() == 4 else [])
    modes += ["compiled"] if options.compile else []
    for precision in ("fp32", "bf16") if options.bf16 else ("fp32",):
        suffix = "" if precision == "fp32" else " bf16"
        sides = {"fed" + suffix: Fed(options.program, path, batch, 80, precision)}
        for mode in modes:
            sides[f"{mode}{suffix}"] = Torch(make, inputs, targets, mode + suffix)
        medians = compare(sides)
        sides["fed" + suffix].close()
        ours = medians.pop("fed" + suffix)
        best = min(medians, key=medians.get)
        rows.append({"model": name, "batch": batch, "precision": precision, "fed_us": ours * 1e6,
                     "torch_us": medians[best] * 1e6, "torch_mode": best,
                     "ratio": medians[best] / ours, "gflops": flops / ours * 1e-9,
                     "of_peak": flops / ours / peak,
                     "all_us": {mode: value * 1e6 for mode, value in medians.items()}})
        print(line(rows[-1]), flush=True)


def line(row):
    return (f'{row["model"]:<18}{row["batch"]:>5} {row["precision"]:<5}{row["fed_us"]:>11,.1f}'
            f'{row["torch_us"]:>11,.1f}  {row["torch_mode"]:<24}{row["ratio"]:>6.2f}x'
            f'{row["gflops"]:>8.1f}{row["of_peak"]:>7.0%}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True, help="the built bench_train")
    parser.add_argument("--folder", required=True, help="where exported models go")
    parser.add_argument("--models", nargs="*", default=list(train_models.MODELS))
    parser.add_argument("--batches", nargs="*", type=int, default=[10, 32, 128])
    parser.add_argument("--compile", action="store_true", help="also torch.compile")
    parser.add_argument("--bf16", action="store_true", help="also bfloat16 on both sides")
    parser.add_argument("--json", metavar="FILE", help="write everything there, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.makedirs(options.folder, exist_ok=True)
    peak, bandwidth = (float(word) for word in
                       subprocess.check_output([options.program, "peak"], text=True).split())
    print(f"PyTorch {torch.__version__}, one thread; this core: {peak * 1e-9:.0f} GFLOP/s, "
          f"{bandwidth * 1e-9:.1f} GB/s read")
    print(f'{"model":<18}{"batch":>5} {"":<5}{"fed us":>11}{"torch us":>11}  {"torch mode":<24}'
          f'{"ratio":>7}{"GFLOP/s":>8}{"of peak":>7}')
    rows, failed = [], 0
    for name in options.models:
        for batch in options.batches:
            try:
                measure(options, name, batch, rows, peak)
            except RuntimeError as error:
                failed = 1
                print(f"{name:<18}{batch:>5} not measured: {error}", file=sys.stderr)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"torch": torch.__version__, "peak_flops": peak, "bandwidth": bandwidth,
                       "rows": rows}, file, indent=1)
    return failed


if __name__ == "__main__":
    sys.exit(main())
