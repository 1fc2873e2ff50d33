#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""measure.py: run every measurement and print one table with the machine that it is true of.

The targets `bench` and `bench-peers` of the build call it; docs/benchmarks.md says what each
number means. Needs Python's standard library only; about two minutes without peers.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys

import measure_federation
import measure_programs

HERE = os.path.dirname(os.path.abspath(__file__))


def first_value(path, key, default="?"):
    try:
        with open(path) as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return default


def commit():
    def git(*words):
        done = subprocess.run(["git", "-C", HERE, *words], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        return done.stdout.strip() if done.returncode == 0 else ""
    name = git("rev-parse", "--short=12", "HEAD") or "not a checkout"
    return name + (", with changes" if git("status", "--porcelain", "--", "..") else "")


def machine(compiler):
    memory_kib = int(first_value("/proc/meminfo", "MemTotal", "0 kB").split()[0])
    return {
        "processor": first_value("/proc/cpuinfo", "model name", platform.processor()),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{memory_kib / 2**20:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "system": first_value_of_release(),
        "compiler": compiler,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "load": "%.1f in the last minute, before" % os.getloadavg()[0],
    }


def first_value_of_release():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "?")
    except (OSError, AttributeError):
        return "?"


def print_table(described, rows):
    for key, value in described.items():
        print(f"{key:<10} {value}")
    titles = ("what", "measured", "goal", "")
    lines = [(row["what"], show(row["value"], row["unit"]),
              f'{row["sign"]} {show(row["goal"], row["unit"])}' if row["goal"] is not None else "",
              "" if row["reached"] is None else "reached" if row["reached"] else "MISSED")
             for row in rows]
    widths = [max(len(line[i]) for line in [titles, *lines]) for i in range(4)]
    print()
    for line in [titles, tuple("-" * width for width in widths), *lines]:
        print(f"{line[0]:<{widths[0]}}  {line[1]:>{widths[1]}}  {line[2]:>{widths[2]}}  "
              f"{line[3]}".rstrip())


def show(value, unit):
    digits = 0 if value == int(value) or abs(value) >= 1000 else 2 if abs(value) < 100 else 1
    return f"{value:,.{digits}f} {unit}".strip()


class Rows(list):
    """The results. A goal is the most that is allowed, or with sign '>=' the least."""

    def note(self, what, value, unit, goal=None, sign="<="):
        reached = None if goal is None else value <= goal if sign == "<=" else value >= goal
        self.append({"what": what, "value": value, "unit": unit, "goal": goal,
                     "sign": sign if goal is not None else None, "reached": reached})
        print(f"  {what}: {show(value, unit)}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", required=True, help="the folder of the built programs")
    parser.add_argument("--compiler", default="?", help="what they were built with")
    parser.add_argument("--rounds", type=int, default=1000, help="of the federation (default 1000)")
    parser.add_argument("--peers", metavar="FOLDER",
                        help="measure peers instead, installed into this folder")
    parser.add_argument("--json", metavar="FILE", help="write everything there too; '-': only that")
    options = parser.parse_args()
    described, rows = machine(options.compiler), Rows()
    if options.peers:
        import measure_peers
        measure_federation.measure_rounds(options.bin, rows, options.rounds)
        measure_peers.measure(options.peers, rows)
    else:
        measure_programs.measure(options.bin, rows)
        measure_federation.measure(options.bin, rows, options.rounds)
    result = json.dumps({"machine": described, "results": rows}, indent=1)
    if options.json and options.json != "-":
        with open(options.json, "w") as file:
            file.write(result + "\n")
    if options.json == "-":
        print(result)
    else:
        print_table(described, rows)


if __name__ == "__main__":
    main()
