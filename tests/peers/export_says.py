#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# export_says.py: fed-export's own promises: equal parameters stay apart, layouts are told, what
# cannot be the same in ONNX is refused with what to change.
#   export_says.py FOLDER
import contextlib
import io
import pathlib
import subprocess
import sys

import onnx
import torch
from torch import nn

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "python" / "fed_export.py"
sys.path.insert(0, str(SCRIPT.parent))
import fed_export

LABELS = "softmax_cross_entropy"


def batch(*shape, classes=3):
    return [(torch.randn(4, *shape), torch.randint(classes, (4,)))]


def export(folder, module, batches, loss=LABELS, **options):
    """(spec, what was said)."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        spec = fed_export.export(module, batches, loss, folder, steps=3, **options)
    return spec, said.getvalue()


def refusal(folder, module, batches, loss=LABELS, **options):
    try:
        export(folder, module, batches, loss, **options)
    except fed_export.ExportError as error:
        return str(error)
    raise AssertionError("expected a refusal")


def equal_parameters_stay_apart(folder):
    module = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 6), nn.LayerNorm(6),
                           nn.Linear(6, 3))
    spec, _ = export(folder, module, batch(6), exporter="dynamo")
    torch_names = [name for entry in spec["trainable"] for name in entry["torch"]]
    assert sorted(torch_names) == sorted(name for name, _ in module.named_parameters())
    listed = onnx.load(folder / "model.onnx").metadata_props[0]
    assert listed.key == "fed.trainable" and len(listed.value.split(",")) == 10


def values_are_the_modules_own(folder):
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(32, 3))
    module[1].running_mean.fill_(0.25)
    spec, _ = export(folder, module, batch(1, 6, 6))
    assert spec["exporter"] == "torchscript"
    found = {t.name: onnx.numpy_helper.to_array(t)
             for t in onnx.load(folder / "model.onnx").graph.initializer}
    for name, values in [*module.named_parameters(), ("1.running_mean", module[1].running_mean)]:
        assert (found[name] == values.detach().numpy()).all(), name


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.layers(x)[0]).mean(1)


def layouts_are_told(folder):
    spec, _ = export(folder, Rows(), batch(6, 4), exporter="dynamo")
    layouts = {" ".join(entry["torch"]): entry["layout"] for entry in spec["trainable"]}
    assert layouts["head.weight"] == "transposed", layouts
    assert layouts["layers.weight_ih_l0"] == "reordered", layouts
    assert layouts["layers.bias_ih_l0 layers.bias_hh_l0"] == "joined, reordered", layouts


def random_modules_have_no_answers_if_kept(folder):
    module = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5), nn.Linear(6, 3))
    _, said = export(folder / "off", module, batch(6))
    assert "Dropout in 1 is set to 0" in said and (folder / "off/expect.safetensors").exists()
    assert module[1].p == 0.5
    export(folder / "on", module, batch(6), keep_dropout=True)
    assert not (folder / "on/expect.safetensors").exists()
    nodes = [node.op_type for node in onnx.load(folder / "on/model.onnx").graph.node]
    assert "Dropout" in nodes


def what_is_frozen_or_unused_is_not_listed(folder):
    module = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 3))
    module[0].requires_grad_(False)
    module.register_parameter("idle", nn.Parameter(torch.ones(2)))
    spec, said = export(folder, module, batch(6))
    assert [entry["torch"] for entry in spec["trainable"]] == [["1.weight"], ["1.bias"]]
    assert "does not depend on idle" in said


def refusals_say_what_to_change(folder):
    tokens = [(torch.randint(9, (4, 6)), torch.randint(3, (4,)))]
    table = nn.Sequential(nn.Embedding(9, 3, padding_idx=0), nn.Flatten(), nn.Linear(18, 3))
    assert "padding_idx" in refusal(folder, table, tokens)
    norm = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6, momentum=None), nn.Linear(6, 3))
    assert "give it a number" in refusal(folder, norm, batch(6))
    image = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(32, 3))
    assert "--exporter torchscript" in refusal(folder, image, batch(1, 6, 6), exporter="dynamo")
    weighted = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 3)))
    assert "remove_parametrizations" in refusal(folder, weighted, batch(6))
    plain = nn.Linear(6, 3)
    assert "one of the losses" in refusal(folder, plain, batch(6), "hinge")
    assert "at least 2" in refusal(folder, plain, [(torch.randn(1, 6), torch.zeros(1).long())])
    plain.requires_grad_(False)
    assert "found none" in refusal(folder, plain, batch(6))


def the_command_line_explains_itself(folder):
    (folder / "net.py").write_text("from torch import nn\n\n\ndef make():\n"
                                   "    return nn.Sequential(nn.Flatten(), nn.Linear(12, 3))\n")
    words = [sys.executable, SCRIPT, f"{folder}/net.py:make", "--out", folder / "made"]
    for more, text in [((), "expected --input"), (("--input", "3xy"), "a shape like 3x32x32"),
                       (("--input", "3x4", "--classes", "4"), "expected 3")]:
        done = subprocess.run([*words, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and text in done.stderr, done.stderr
    subprocess.run([*words, "--input", "3x4", "--classes", "3"], check=True, capture_output=True)
    bare = subprocess.run([sys.executable, "-I", "-S", SCRIPT], capture_output=True, text=True,
                          check=False)
    assert bare.returncode == 1 and "pip install torch" in bare.stderr, bare.stderr


def main(folder):
    for test in (equal_parameters_stay_apart, values_are_the_modules_own, layouts_are_told,
                 random_modules_have_no_answers_if_kept, what_is_frozen_or_unused_is_not_listed,
                 refusals_say_what_to_change, the_command_line_explains_itself):
        torch.manual_seed(1)
        place = pathlib.Path(folder) / test.__name__
        place.mkdir(parents=True, exist_ok=True)
        test(place)
        print(f"{test.__name__}: ok", flush=True)


main(sys.argv[1])
