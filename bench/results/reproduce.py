#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""reproduce.py: published results of federated learning, run again with fed simulate.

Each experiment is a job with its partition, some seeds, and the figure that was published. Runs are
kept in --out and not repeated: what is missing is run, what was interrupted goes on. At the end a
table: our figure (mean and standard deviation over seeds), the published one, its source. With
--write the table goes into docs/results.md, between its marks, with the machine and the date.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

import experiments

EXAMPLES = experiments.EXAMPLES
DIVERGED = "diverged"  # instead of figures: no model could be made any more
MARKS = "<!-- results: begin -->", "<!-- results: end -->"


def folder_of(options, experiment, variant, seed):
    """Variants that differ in what is read off a run share it."""
    return os.path.join(options.out, experiment.name, variant.run, f"seed-{seed}")


def run(options, experiment, variant, seed):
    """One simulation. The job file is written there, as a user would have it."""
    folder = folder_of(options, experiment, variant, seed)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "job.yaml"), "w", encoding="utf-8") as file:
        file.write(experiment.job(variant))
    model = os.path.join(folder, "model-start.onnx")
    if not os.path.exists(model):
        experiment.write_model(options, variant, seed, model)
    words = [options.fed, "simulate", os.path.join(folder, "job.yaml"), "--resume", "--quiet",
             "--data", experiment.data(options), *variant.words, "--seed", str(seed), "--out", os.path.join(folder, "run")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if not summary_of(options, experiment, variant, seed):
        sys.exit(f"{' '.join(words)}\nended with status {done.returncode}: {done.stderr}")


def summary_of(options, experiment, variant, seed):
    """That of a run that came to its end; None before."""
    path = os.path.join(folder_of(options, experiment, variant, seed), "run", "summary.json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        summary = json.load(file)
    return None if summary["end"] == "stopped" else summary


def figures_of(options, experiment, variant, seed):
    """The figures that the experiment reads off a finished run; None if they were not reached."""
    summary = summary_of(options, experiment, variant, seed)
    if summary["end"] == "too many failed rounds":
        return DIVERGED
    path = os.path.join(folder_of(options, experiment, variant, seed), "run", "metrics.jsonl")
    with open(path, encoding="utf-8") as file:
        return experiment.figures(variant, summary, [json.loads(line) for line in file])


def spread_text(experiment, found):
    """Mean ± deviation of those that got there, and how many did not; of each of the figures."""
    reached = [values for values in found if values not in (None, DIVERGED)]
    if not found:
        return "not run"
    parts = []
    for values in zip(*reached):
        text = experiment.format(statistics.mean(values))
        if len(values) > 1:
            text += f" ± {experiment.format(statistics.stdev(values))}"
        parts.append(text)
    text = ", ".join(parts)
    missed, diverged = found.count(None), found.count(DIVERGED)
    others = [f"{count} {what}" for count, what in ((missed, "not reached"), (diverged, "diverged"))
              if count]
    return "; ".join([text] * bool(text) + others)


def is_wanted(options, *name):
    """Whether --only names an experiment, or a line of it as EXPERIMENT/LINE; without it all are."""
    return not options.only or any(only.split("/")[:len(name)] == list(name)[:only.count("/") + 1]
                                   for only in options.only)


def rows_of(options, experiment):
    rows = []
    for variant in experiment.variants:
        if not is_wanted(options, experiment.name, variant.name):
            continue
        found = []
        for seed in options.seeds:
            if not summary_of(options, experiment, variant, seed):
                if options.only_print:
                    continue
                print(f"{experiment.name}, {variant.name}, seed {seed}", file=sys.stderr, flush=True)
                run(options, experiment, variant, seed)
            found.append(figures_of(options, experiment, variant, seed))
        rows.append((variant.title, spread_text(experiment, found), str(len(found)),
                     variant.published))
    return rows


def table_of(experiment, rows):
    lines = [f"### {experiment.title}", "", experiment.note, "",
             f"| setting | fed: {experiment.unit} | seeds | published |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines + ["", f"Source: {experiment.source}", ""])


def machine_line(options):
    version = subprocess.run([options.fed, "--version"], capture_output=True, text=True, check=True)
    names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
             if line.startswith("model name")]
    return f"{version.stdout.strip()}; {len(names)} × {names[0] if names else 'processor'}."


def write_page(page, text):
    with open(page, encoding="utf-8") as file:
        before, rest = file.read().split(MARKS[0])
    with open(page, "w", encoding="utf-8") as file:
        file.write(before + MARKS[0] + "\n" + text + MARKS[1] + rest.split(MARKS[1])[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fed", required=True, help="the built fed")
    parser.add_argument("--out", required=True, help="where runs are kept")
    parser.add_argument("--only", nargs="*", metavar="EXPERIMENT[/LINE]",
                        help=f"of {', '.join(experiments.BY_NAME)}")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--mnist", help="folder with MNIST's four files, as .gz")
    parser.add_argument("--heart", default=os.path.join(EXAMPLES, "heart"))
    parser.add_argument("--machines", help="folder as examples/machines/README.md says")
    parser.add_argument("--fraud", help="folder as examples/fraud/README.md says")
    parser.add_argument("--shakespeare", help="folder as examples/shakespeare/README.md says")
    parser.add_argument("--fashion", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--only-print", action="store_true", help="run nothing, print what is there")
    parser.add_argument("--write", metavar="PAGE", help="put the tables into this page, too")
    options = parser.parse_args()
    tables = [machine_line(options), ""]
    for experiment in experiments.ALL:
        if not is_wanted(options, experiment.name):
            continue
        if not experiment.data(options):
            print(f"{experiment.name}: not run, {experiment.missing}", file=sys.stderr)
            continue
        tables.append(table_of(experiment, rows_of(options, experiment)))
    print("\n".join(tables))
    if options.write:
        write_page(options.write, "\n".join(tables))


if __name__ == "__main__":
    main()
