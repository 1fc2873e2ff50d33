#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# pytorch_agrees.py: many PyTorch models through fed-export, by each of PyTorch's exporters, and
# trained by fed beside PyTorch (fed model verify). Prints the table of docs/export.md; fails if a
# model that can be exported does not train as it does in PyTorch.
#   pytorch_agrees.py FED FOLDER [MODEL …]
import contextlib
import io
import pathlib
import re
import subprocess
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
import fed_export
from pytorch_models import MODELS

BATCH = 6
STEPS = 30


def batches(case, module):
    generator = torch.Generator().manual_seed(1)
    made = []
    for _ in range(STEPS):
        inputs = []
        for shape in case.inputs:
            if isinstance(shape[0], tuple):
                inputs.append(torch.randint(shape[1], (BATCH, *shape[0]), generator=generator))
            else:
                inputs.append(torch.randn((BATCH, *shape), generator=generator))
        with torch.no_grad():
            output = module(*inputs)
        made.append((tuple(inputs), fed_export.random_target(output, case.loss, None, generator)))
    return made


def export(case, exporter, opset, folder):
    """What is wrong, or None."""
    torch.manual_seed(3)
    module = case.make()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            fed_export.export(module, batches(case, module), case.loss, folder, exporter=exporter,
                              opset=opset, steps=STEPS)
    except fed_export.ExportError as error:
        return str(error)
    return None


def fed(program, *words):
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    return done.returncode == 0, (done.stderr or done.stdout).strip()


def outcome(program, case, exporter, opset, folder):
    """(does it train as in PyTorch, is that a failure of fed's, why not)."""
    reason = export(case, exporter, opset, folder)
    if reason:
        return "not exported", False, reason
    good, text = fed(program, "model", "show", str(folder / "model.onnx"))
    if not good:
        text = text.partition("model.onnx: ")[2].partition("; supported are")[0]
        return "refused", True, text
    good, text = fed(program, "model", "verify", str(folder))
    return ("alike", False, "") if good else ("differs", True, text)


COLUMNS = (("dynamo", 18), ("dynamo", None), ("torchscript", 17))  # None: the case's newer opset


def cell(program, case, name, folder, exporter, opset):
    """What stands in the table, why not, is it a failure."""
    newer = [other for other in case.opsets if other and other > 18]
    if opset is None and not newer:
        return "", "", False
    opset = opset or newer[0]
    place = pathlib.Path(folder) / re.sub(r"\W+", "_", f"{name} {exporter} {opset}")
    result, failed, why = outcome(program, case, exporter, opset, place)
    return (f"{result}, opset {opset}" if opset > 18 else result), why, failed


def main(program, folder, wanted):
    failures, notes = 0, []
    print("| model | dynamo, opset 18 | dynamo, newer | torchscript, opset 17 |\n"
          "|---|---|---|---|")
    for name, case in MODELS.items():
        if wanted and name not in wanted:
            continue
        cells = []
        for exporter, opset in COLUMNS:
            text, why, failed = cell(program, case, name, folder, exporter, opset)
            failures += failed
            cells.append(text)
            if why:
                notes.append(f"- {name}: {why}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print("\n" + "\n".join(notes))
    if failures:
        sys.exit(f"{failures} models do not train here as they do in PyTorch")


main(sys.argv[1], sys.argv[2], sys.argv[3:])
