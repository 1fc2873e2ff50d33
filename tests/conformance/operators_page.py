#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""operators_page.py: docs/operators.md from the engine's table and from ONNX's own node tests.

  operators_page.py PROGRAM PAGE SECTION FOLDER            run the tests, check the page's section
  operators_page.py --write PROGRAM PAGE SECTION FOLDER    … or write it

PROGRAM is onnx_node_tests (after a cross build it runs under the program that FED_EMULATOR names);
SECTION is `debian` (the tests of libonnx-testdata) or `newest` (those of the PyPI package onnx).
Fails if a test fails, or if the page says something else."""

import collections
import os
import re
import subprocess
import sys

TITLES = {"debian": "Node tests of Debian's libonnx-testdata",
          "newest": "Node tests of the newest onnx on PyPI"}


def run(program, *words):
    emulator = os.environ.get("FED_EMULATOR", "").split()
    done = subprocess.run([*emulator, program, *words], text=True, stdout=subprocess.PIPE)
    return [line.split("\t") for line in done.stdout.splitlines()]


def operator_table(program):
    rows = sorted(run(program, "--operators"), key=lambda row: row[0].lower())
    lines = [f"{len(rows)} operators.", "", "| operator | opsets | gradient |", "| --- | --- | --- |"]
    return lines + [f"| {name} | {low}–{high} | {gradient} |" for name, low, high, gradient in rows]


def reason(message):
    """What is refused, without the names and numbers of one test."""
    message = re.sub(r"^(node '[^']*'( \([^)]*\))?: )+", "", message)
    message = re.sub(r"'[^']*'", "…", message)
    return re.sub(r"-?\d+(\.\d+)?", "N", message).split(";")[0].replace("|", "\\|")


def test_tables(rows):
    known = [row for row in rows if row[2] != "foreign"]
    count = collections.Counter(row[2] for row in known)
    lines = [f"{count['passed']} passed, {count['refused']} refused, {count['failed']} failed; "
             f"{len(rows) - len(known)} more are of operators that are not among these.", "",
             "| operator | passed | refused |", "| --- | ---: | ---: |"]
    single = collections.defaultdict(collections.Counter)
    for name, operators, outcome, _ in known:
        label = operators if "," not in operators else "functions written out as graphs"
        single[label][outcome] += 1
    for label in sorted(single, key=str.lower):
        lines.append(f"| {label} | {single[label]['passed']} | {single[label]['refused'] or ''} |")
    lines += ["", "| refused because | tests |", "| --- | --- |"]
    reasons = collections.defaultdict(list)
    for name, _, outcome, message in known:
        if outcome == "refused":
            reasons[reason(message)].append(name.removeprefix("test_"))
    for text in sorted(reasons, key=lambda text: (-len(reasons[text]), text)):
        names = reasons[text]
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        lines.append(f"| {text} | {shown} |")
    return lines


def replace(page, marker, lines):
    begin, end = f"<!-- {marker} -->\n", f"<!-- end of {marker} -->\n"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return before + begin + "\n".join(lines) + "\n" + end + after


def main():
    words = [word for word in sys.argv[1:] if word != "--write"]
    if len(words) != 4 or words[2] not in TITLES:
        sys.exit(__doc__)
    program, path, section, folder = words
    rows = run(program, folder)
    failed = [row for row in rows if row[2] == "failed"]
    for name, operators, _, message in failed:
        print(f"{name} ({operators}): {message}")
    with open(path, encoding="utf-8") as file:
        page = file.read()
    made = replace(page, "operators", operator_table(program))
    made = replace(made, section, test_tables(rows))
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as file:
            file.write(made)
    elif made != page:
        print(f"{path} is not what the engine and the node tests say; to write it anew: "
              "cmake --build BUILD --target operators-page")
        failed.append(None)
    print(f"{sum(row[2] == 'passed' for row in rows)} node tests passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
