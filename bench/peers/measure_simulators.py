#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""measure_simulators.py: rounds of `fed simulate` beside those of other simulators, in turns.

The target `bench-simulators` installs the peers (run_simulators.py) and runs this; what is measured
is in peer_worlds.py, what each number means in docs/benchmarks.md. For each world every peer's
modes are tried with one round after the first; the fastest stays and takes turns with the others.
All start from the same parameters, with the same cohorts and orders of examples, and their models
are compared with fed's."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import measure  # noqa: E402
import peer_process  # noqa: E402
import peer_report  # noqa: E402
import peer_sweep  # noqa: E402
import peer_worlds  # noqa: E402
import side_fed  # noqa: E402

THREADS = 2
SMOOTH = ("logreg", "lstm")  # no ReLU: models stay the same for many rounds, but for rounding
DENSE = ("2nn", "logreg", "small", "wide")
IMAGES = ("pfl cnn", "cnn", "emnist cnn")
NVFLARE_MOST = 10  # clients that have a process of their own at the same time


def modes_of(peer, world, flags):
    """`flags`: what made plain PyTorch fastest here, beside processes and threads."""
    split = ["2 processes", "2 threads"]
    if not world.epochs and peer in ("torch", "numpy", "pfl"):
        return split
    if peer == "torch":
        tried = [*split, "2 processes, compiled"]
        return tried + (["2 processes, channels-last"] if world.model in IMAGES else [])
    if peer == "numpy":
        return split
    if peer == "pfl":
        return [mode + flags for mode in split]
    if peer == "fedjax":
        return ["jit"]
    trainer = "NumPy" if world.model in DENSE else "PyTorch" + flags
    return [f"{NVFLARE_MOST} at once, {trainer}" if peer == "nvflare" else f"2 actors, {trainer}"]


def why_not(peer, world, installed):
    if "reason" in installed.get(peer, {}):
        return installed[peer]["reason"]
    if peer == "numpy" and world.model not in DENSE:
        return "the bare loop has dense layers only"
    if peer == "nvflare" and world.cohort > NVFLARE_MOST:
        return (f"each client is a process; {world.cohort} do not fit, and fewer than clients "
                "begin anew for each client: minutes a round")
    return None


def flags_in(mode):
    return "".join(f", {flag}" for flag in ("channels-last", "compiled") if flag in mode)


class Measurement:
    def __init__(self, options, world, installed, limits):
        self.options, self.world, self.installed, self.limits = options, world, installed, limits
        self.rows, self.notes, self.sides, self.flags = [], {}, {}, ""
        self.place = os.path.join(options.folder, "worlds", world.name)
        self.fed = {mode: side_fed.Fed(os.path.join(options.bin, "fed"), options.folder, world,
                                       THREADS, mode) for mode in self.precisions()}

    def precisions(self):
        return ("f32", "bf16") if self.world.model in IMAGES and self.options.bf16 else ("f32",)

    # ---- the schedule -----------------------------------------------------------------------

    def write_schedule(self):
        job = self.fed["f32"].write_job(self.world.rounds)
        data = self.fed["f32"].data
        with open(os.path.join(self.place, "schedule.txt"), "w") as file:
            subprocess.run([os.path.join(self.options.bin, "bench_schedule"), job,
                            os.path.join(self.place, "model.onnx"), data, str(self.world.rounds)],
                           check=True, stdout=file)
        with open(os.path.join(self.place, "schedule.txt")) as file:
            return sum(len(line.split()) - 2 for line in file) / self.world.rounds

    # ---- choosing modes ---------------------------------------------------------------------

    def start(self, peer, mode):
        side = peer_process.Peer(self.installed[peer]["python"], self.options.folder, peer,
                                 self.world, mode, self.options.deadline)
        try:
            side.difference = self.compare(side, 1)
            side.tried, _ = side.turn(1)
        except peer_process.Failed:
            side.close()
            raise
        print(f"  {peer}, {mode}: {side.tried[0]:.3g} s", file=sys.stderr, flush=True)
        return side

    def start_patiently(self, peer, mode, attempts):
        """A simulator of many processes may fail to begin on a busy machine."""
        for attempt in range(attempts):
            try:
                return self.start(peer, mode)
            except peer_process.Failed as error:
                self.notes[f"{peer}, {mode}"] = str(error) + (", twice" if attempt else "")
        return None

    def fastest(self, peer, modes):
        best = None
        for mode in modes[:1] if self.options.quick else modes:
            side = self.start_patiently(peer, mode, 1 if len(modes) > 1 else 2)
            if not side:
                continue
            if best and side.tried[0] >= best.tried[0]:
                side.close()
                continue
            if best:
                best.close()
            best = side
        return best

    def start_all(self):
        for peer in self.options.peers:
            reason = why_not(peer, self.world, self.installed)
            if reason:
                self.notes[peer] = reason
                continue
            side = self.fastest(peer, modes_of(peer, self.world, self.flags))
            if not side:
                continue
            self.sides[peer] = side
            if peer == "torch":
                self.flags = flags_in(side.mode)
            if peer in ("torch", "pfl") and "bf16" in self.precisions():
                half = self.fastest(peer, [side.mode + ", bf16"])
                if half:
                    self.sides[peer + " bf16"] = half

    # ---- is it the same? --------------------------------------------------------------------

    def compare(self, side, rounds):
        """The largest difference of a parameter from fed's after so many rounds; None where the
        model draws random numbers, or nothing is trained."""
        if self.world.model in ("pfl cnn", "emnist cnn") or not self.world.epochs:
            return None
        path = os.path.join(self.place, "compared.npz")
        side.ask(f"save {path}")
        self.fed["f32"].run(rounds)
        ours = read_safetensors(os.path.join(self.fed["f32"].out, "model.safetensors"))
        with np.load(path) as theirs:
            return max(float(abs(theirs[name] - value).max()) for name, value in ours.items())

    def compare_end(self, side):
        """The same after all rounds that were measured."""
        return self.compare(side, side.rounds) if self.world.model in SMOOTH else None

    # ---- turns ------------------------------------------------------------------------------

    def rounds_of_turn(self, side):
        most = (self.world.rounds - 2) // self.options.turns if self.world.epochs else 1000
        return max(1, min(most, int(self.options.seconds / side.tried[-1])))

    def take_turns(self):
        """A side whose rounds are long has fewer turns, but at least two."""
        seconds, cpu = {}, {}
        for turn in range(self.options.turns):
            for mode, side in self.fed.items():
                rounds = max(2, self.world.turn // (4 if self.options.quick else 1))
                self.note_turn("fed" + ("" if mode == "f32" else " bf16"), side.turn(rounds),
                               seconds, cpu)
            for name, side in list(self.sides.items()):
                if turn >= 2 and sum(seconds[name]) > 2 * self.options.turns * self.options.seconds:
                    continue
                try:
                    self.note_turn(name, side.turn(self.rounds_of_turn(side)), seconds, cpu)
                except peer_process.Failed as error:
                    self.notes[name] = str(error)
                    self.sides.pop(name).close()
        return seconds, cpu

    @staticmethod
    def note_turn(name, turn, seconds, cpu):
        seconds.setdefault(name, []).extend(turn[0])
        cpu.setdefault(name, []).append(turn[1])

    def row(self, name, seconds, cpu):
        side = self.sides.get(name) or self.fed["bf16" if name.endswith("bf16") else "f32"]
        is_fed = name in peer_report.FED
        return {"side": name, "mode": f"{THREADS} threads" if is_fed else side.mode,
                "version": None if is_fed else self.installed[name.split()[0]]["version"],
                "seconds": statistics.median(seconds), "least": min(seconds),
                "rounds": len(seconds), "cpu": sum(cpu) / len(seconds), "memory": side.memory,
                "first_s": self.first_s if is_fed else side.first_s,
                "difference": None if is_fed else side.difference,
                "difference_at_end": None if is_fed else self.compare_end(side)}

    def limit(self, examples):
        """Seconds that the arithmetic, or the memory, of a round takes at least: each client's
        model is read and written once, each example is read."""
        parameters = os.path.getsize(os.path.join(self.place, "parameters.npz"))
        example_bytes = os.path.getsize(os.path.join(self.fed["f32"].data, "x.idx"))
        with open(os.path.join(self.fed["f32"].data, "x.idx"), "rb") as file:
            example_bytes /= int.from_bytes(file.read(8)[4:], "big")
        bytes_ = 2 * self.world.cohort * parameters + examples * example_bytes
        return max(self.world.flops(examples) / self.limits["flops"],
                   bytes_ / self.limits["bandwidth"])

    def run(self):
        print(f"{self.world.title}", file=sys.stderr, flush=True)
        examples = self.write_schedule()
        self.first_s = statistics.median(self.fed["f32"].run(1)[0] for _ in range(5))
        try:
            self.start_all()
            seconds, cpu = self.take_turns()
            rows = [self.row(name, seconds[name], cpu[name])
                    for name in seconds if name in self.sides or name in peer_report.FED]
        finally:
            for side in self.sides.values():
                side.close()
        return {"world": self.world.name, "title": self.world.title, "rows": rows,
                "examples": examples, "visits": self.world.cohort, "notes": self.notes,
                "flops": self.world.flops(examples),
                "limit_s": self.limit(examples) if self.world.epochs else None}


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = file.read()
    return {name: np.frombuffer(body[slice(*entry["data_offsets"])], np.float32)
            .reshape(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


def measure_limits(program):
    """Of both cores together, while both work."""
    both = [subprocess.Popen([program, "peak"], stdout=subprocess.PIPE, text=True)
            for _ in range(THREADS)]
    found = [[float(word) for word in one.communicate()[0].split()] for one in both]
    flops, bandwidth = (sum(values) for values in zip(*found))
    return {"flops": flops, "bandwidth": bandwidth}


def measure_sweep(options):
    rows = peer_sweep.measure(os.path.join(options.bin, "fed"), options.folder, THREADS,
                              options.quick)
    peer_sweep.print_rows(rows)
    peer_sweep.plot(rows, os.path.join(options.folder, "sweep.svg"))
    return rows


def parse_options():
    names = [*peer_worlds.WORLDS, "sweep"]
    peers = ["torch", "numpy", "pfl", "flower", "nvflare", "fedjax"]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="where peers, data and models are")
    parser.add_argument("--bin", required=True, help="the folder of the built programs")
    parser.add_argument("--compiler", default="?", help="what they were built with")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="WORLD",
                        help=", ".join(names))
    parser.add_argument("--peers", nargs="*", choices=peers, default=peers, metavar="PEER",
                        help=", ".join(peers))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="about, of a peer's turn")
    parser.add_argument("--deadline", type=float, default=100,
                        help="seconds for a peer's first round")
    parser.add_argument("--quick", action="store_true", help="two short turns, no trial of modes")
    parser.add_argument("--no-bf16", dest="bf16", action="store_false",
                        help="leave out training in bfloat16")
    parser.add_argument("--json", metavar="FILE", help="write everything there, too")
    options = parser.parse_args()
    options.peers = [peer for peer in peers if peer in options.peers]  # PyTorch chooses for others
    if options.quick:
        options.turns, options.seconds, options.bf16, options.deadline = 2, 0.5, False, 60
    return options


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that peers are ended, too
    with open(os.path.join(options.folder, "peers.json")) as file:
        installed = json.load(file)
    names = [name for name in options.only if name != "sweep"]
    described, began = measure.machine(options.compiler), time.monotonic()
    subprocess.run([sys.executable, "-W", "ignore", os.path.join(HERE, "export_worlds.py"),
                    options.folder, *names, *(["visits"] if "sweep" in options.only else [])],
                   check=True)
    limits = measure_limits(os.path.join(options.bin, "bench_train"))
    peer_report.print_head(described, limits)
    worlds = []
    for name in names:
        worlds.append(Measurement(options, peer_worlds.WORLDS[name], installed, limits).run())
        peer_report.print_world(worlds[-1])
    sweep = measure_sweep(options) if "sweep" in options.only else []
    goals = peer_report.goals(worlds)
    if goals:
        peer_report.print_goals(goals)
    print(f"\nin all {(time.monotonic() - began) / 60:.0f} minutes")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": described, "limits": limits, "peers": installed,
                       "worlds": worlds, "sweep": sweep, "goals": goals}, file, indent=1)


if __name__ == "__main__":
    main()
