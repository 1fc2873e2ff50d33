#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""measure_simulate.py: what the simulator costs beside training, and where it stays small.

  measure_simulate.py --bin FOLDER [--svg FILE]

- a round of 10 to 1,000,000 clients, of which all take part, or 1,000; plotted into FILE
  (docs/images/simulate-scale.svg). The processor's time of all threads: others may be using the
  machine.
- a million clients with a partition that is kept, of data that stays in its file (320 MB): time and
  peak memory; at most 2 GB or it fails.
- start to end of a run of one round, of a small model.

The target `bench-simulate` of the build calls it. Needs Python's standard library only; a minute.
"""

import argparse
import csv
import math
import os
import struct
import subprocess
import sys
import tempfile
import time

ROWS, BYTES = 5_000_000, 64
PEAK_BYTES_MAX = 2e9

JOB = """version: 1
name: bench
model: {{file: model.onnx}}
data:
  name: points
  format: npy
  inputs: {{file: x.npy, shape: [{features}]}}
  target: {{file: y.npy, classes: 10}}
  holdout: 0.2
train: {{epochs: 1, batch_size: 10}}
rounds: {{count: {rounds}, cohort: {cohort}, minimum: {cohort}}}
evaluate: {{every: 1}}
"""


def write_npy(path, shape, chunk_rows):
    """Random bytes as an array of U8; labels (rank 1) modulo 10."""
    head = "{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }" % "".join(
        f"{extent}, " for extent in shape)
    head = head.ljust((len(head) + 11 + 63) // 64 * 64 - 11) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        for first in range(0, shape[0], chunk_rows):
            rows = min(chunk_rows, shape[0] - first)
            data = os.urandom(rows * (shape[1] if len(shape) > 1 else 1))
            file.write(data if len(shape) > 1 else bytes(byte % 10 for byte in data))


def simulate(fed, folder, rows, features, clients, cohort, rounds):
    """Seconds, and the peak of memory."""
    write_npy(f"{folder}/x.npy", (rows, features), 100_000)
    write_npy(f"{folder}/y.npy", (rows,), 1_000_000)
    with open(f"{folder}/job.yaml", "w") as file:
        file.write(JOB.format(features=features, cohort=cohort, rounds=rounds))
    subprocess.run([fed, "model", "new", "logreg", "--input", str(features), "--classes", "10",
                    "--out", f"{folder}/model.onnx", "--quiet"], check=True)
    best, peak = math.inf, 0
    for _ in range(3):
        began = time.monotonic()
        process = subprocess.Popen([fed, "simulate", f"{folder}/job.yaml", "--data", folder, "--out",
                                    f"{folder}/out", "--clients", str(clients), "--quiet"],
                                   stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"fed simulate failed with status {os.waitstatus_to_exitcode(status)}")
        best = min(best, time.monotonic() - began)
        peak = max(peak, usage.ru_maxrss * 1024)
    return best, peak


# ---- the plot -----------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 420, 70, 46, 20, 50
SERIES = (("all of them take part", "#1f5fa8", lambda row: row["clients"] == row["cohort"]),
          ("1,000 of them take part", "#c2571a", lambda row: row["cohort"] == 1000))


def text_of(value, names=((1e6, "M"), (1e3, "k"))):
    for unit, name in names:
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def seconds_text(value):
    return text_of(value * 1e6, ((1e6, " s"), (1e3, " ms"), (1, " µs")))


class Plot:
    """Logarithmic on both axes."""

    def __init__(self, rows):
        self.x0, self.x1 = 1, 6
        times = [row["processor_seconds"] for row in rows]
        self.y0, self.y1 = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
        self.parts = []

    def x(self, value):
        part = (math.log10(value) - self.x0) / (self.x1 - self.x0)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        part = (math.log10(value) - self.y0) / (self.y1 - self.y0)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def add(self, text):
        self.parts.append(text)

    def text(self, x, y, text, anchor="middle", fill="#333", size=12):
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
                 f'font-size="{size}">{text}</text>')

    def grid(self):
        for power in range(self.x0, self.x1 + 1):
            x = self.x(10 ** power)
            self.add(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
            self.text(x, HEIGHT - BOTTOM + 18, text_of(10 ** power))
        for power in range(self.y0, self.y1 + 1):
            y = self.y(10 ** power)
            self.add(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
            self.text(LEFT - 8, y + 4, seconds_text(10 ** power), "end")
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "registered clients")
        self.text(LEFT, 18, "A round without training: 1,000 parameters, processor's time of all "
                  "threads", "start", size=13)

    def series(self, rows, name, colour, place):
        points = [(self.x(row["clients"]), self.y(row["processor_seconds"])) for row in rows]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.add(f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y in points:
            self.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
        self.text(LEFT + 12, TOP + 18 + 18 * place, f"● {name}", "start", colour)

    def proportional(self, row):
        """A line of the slope 1 through a point: what linear cost looks like."""
        unit = row["processor_seconds"] / row["clients"]
        low, high = 10 ** self.x0, 10 ** self.x1
        self.add(f'<path d="M{self.x(low):.1f} {self.y(max(low * unit, 10 ** self.y0)):.1f}'
                 f'L{self.x(high):.1f} {self.y(high * unit):.1f}" stroke="#999" '
                 'stroke-dasharray="4 4"/>')
        self.text(LEFT + 12, TOP + 54, "┄ proportional", "start", "#777")

    def svg(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                f'font-family="sans-serif">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def plot(rows, path):
    drawing = Plot(rows)
    drawing.grid()
    for place, (name, colour, belongs) in enumerate(SERIES):
        drawing.series([row for row in rows if belongs(row)], name, colour, place)
    drawing.proportional(next(row for row in rows if row["clients"] == row["cohort"] == 10000))
    with open(path, "w", encoding="utf-8") as file:
        file.write(drawing.svg())


def scale(program):
    done = subprocess.run([program, "2", "1", "scale"], text=True, stdout=subprocess.PIPE, check=True)
    return [{key: float(value) for key, value in row.items()}
            for row in csv.DictReader(done.stdout.splitlines())]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", required=True, help="the folder of fed and bench_simulate")
    parser.add_argument("--svg", help="write the plot")
    arguments = parser.parse_args()
    fed = os.path.join(arguments.bin, "fed")
    rows = scale(os.path.join(arguments.bin, "bench_simulate"))
    print("| registered | cohort | a round | of a processor | begun in | peak memory |\n"
          "| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        print("| %d | %d | %.3g ms | %.3g ms | %.3g ms | %.0f MB |" % (
            row["clients"], row["cohort"], row["seconds"] * 1e3, row["processor_seconds"] * 1e3,
            row["begun_seconds"] * 1e3, row["peak_bytes"] / 1e6))
    if arguments.svg:
        plot(rows, arguments.svg)
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = simulate(fed, folder, 1000, 20, 10, 10, 1)
        print(f"\nstart to end of one round of 10 clients, 210 parameters: {seconds * 1e3:.0f} ms")
        seconds, peak = simulate(fed, folder, ROWS, BYTES, 1_000_000, 1000, 3)
        print(f"1,000,000 clients with {ROWS:,} examples of {BYTES} bytes in a file, 3 rounds of "
              f"1,000: {seconds:.1f} s, peak {peak / 1e6:.0f} MB (of at most "
              f"{PEAK_BYTES_MAX / 1e6:.0f})")
    if peak > PEAK_BYTES_MAX:
        sys.exit("too much memory")


if __name__ == "__main__":
    main()
