#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# recipes_agree.py: the built-in models (fed model new) checked by others: onnx finds the files
# valid, onnxruntime runs them at two batch sizes and gives what PyTorch gives, and fed trains them
# as PyTorch does (fed model verify). PyTorch reads the graph node by node here.
#   recipes_agree.py FED FOLDER
import pathlib
import subprocess
import sys

import numpy
import onnx
import onnxruntime
import torch
from torch.nn import functional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
import fed_answers
import fed_export

BATCH, STEPS = 4, 30
LABELS = "softmax_cross_entropy"
RECIPES = {  # options for `fed model new`, and the loss
    "logreg": ("--input 7 --classes 3", LABELS),
    "mlp": ("--input 7 --classes 3 --hidden 9", LABELS),
    "2nn": ("--input 1,6,6 --classes 3 --hidden 9,8", LABELS),
    "cnn": ("--input 2,9,8 --classes 3 --hidden 4,6,8", LABELS),
    "lenet": ("--input 1,16,14 --classes 3", LABELS),
    "resnet8": ("--input 3,9,8 --classes 3 --hidden 4,2", LABELS),
    "resnet18": ("--input 3,16,16 --classes 3 --hidden 4,2", LABELS),
    "mobilenet-small": ("--input 3,32,32 --classes 3 --hidden 30,4", LABELS),
    "autoencoder": ("--input 1,8,12 --hidden 4,3,5", "mse"),
    "tabular": ("--input 4 --categories 5,3 --classes 3", LABELS),
    "gru-sensor": ("--input 7,3 --classes 3 --hidden 8,2", LABELS),
    "lstm-char": ("--input 6 --classes 11 --hidden 4,8,2", LABELS),
    "lstm-word": ("--input 6 --classes 11 --hidden 4,8,4", LABELS),
    "transformer-small": ("--input 6 --classes 11 --hidden 16,2,2,24", LABELS),
}
INTEGERS_BELOW = {"categories": 3, "x": 11}


def pads_of(a):
    """Of both sides alike, as the recipes have them."""
    pads = a.get("pads", [0, 0, 0, 0])
    assert pads[:2] == pads[2:]
    return pads[:2]


def reordered(matrix, gates):
    """Rows by gate in PyTorch's order."""
    width = matrix.shape[0] // len(gates)
    return torch.cat([matrix[g * width:(g + 1) * width] for g in gates])


def recurrent(a, x, weight_ih, weight_hh, bias, kind, gates):
    half = bias.shape[1] // 2
    weights = [reordered(w, gates) for w in (weight_ih[0], weight_hh[0], bias[0, :half],
                                             bias[0, half:])]
    start = x.new_zeros(1, x.shape[1], a["hidden_size"])
    if kind == "LSTM":
        y, last, _ = torch.lstm(x, (start, start), weights, True, 1, 0.0, False, False, False)
    else:
        assert a["linear_before_reset"] == 1  # as PyTorch's
        y, last = torch.gru(x, start, weights, True, 1, 0.0, False, False, False)
    return y.unsqueeze(1), last


def gather(a, data, index):
    return functional.embedding(index, data) if a.get("axis", 0) == 0 else data[:, int(index)]


NODES = {
    "Gemm": lambda a, x, w, b: functional.linear(x, w, b),
    "MatMul": lambda a, x, y: x @ y,
    "Add": lambda a, x, y: x + y,
    "Mul": lambda a, x, y: x * y,
    "Relu": lambda a, x: x.relu(),
    "Tanh": lambda a, x: x.tanh(),
    "Gelu": lambda a, x: functional.gelu(x),
    "HardSwish": lambda a, x: functional.hardswish(x),
    "HardSigmoid": lambda a, x: (a["alpha"] * x + 0.5).clamp(0, 1),
    "Softmax": lambda a, x: x.softmax(a["axis"]),
    "Flatten": lambda a, x: x.flatten(a["axis"]),
    "Reshape": lambda a, x, s: x.reshape([x.shape[0], *s.tolist()[1:]]),
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Squeeze": lambda a, x, axes: x.squeeze(int(axes)),
    "Concat": lambda a, *x: torch.cat(x, a["axis"]),
    "Gather": gather,
    "Conv": lambda a, x, w, b=None: functional.conv2d(
        x, w, b, a.get("strides", 1), pads_of(a), 1, a.get("group", 1)),
    "ConvTranspose": lambda a, x, w, b: functional.conv_transpose2d(
        x, w, b, a["strides"], pads_of(a)),
    "MaxPool": lambda a, x: functional.max_pool2d(x, a["kernel_shape"], a["strides"]),
    "AveragePool": lambda a, x: functional.avg_pool2d(x, a["kernel_shape"], a["strides"]),
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "GroupNormalization": lambda a, x, s, b: functional.group_norm(x, a["num_groups"], s, b),
    "LayerNormalization": lambda a, x, s, b: functional.layer_norm(x, x.shape[-1:], s, b),
    "LSTM": lambda a, *x: recurrent(a, *x, "LSTM", (0, 2, 3, 1)),  # i o f c -> i f c o
    "GRU": lambda a, *x: recurrent(a, *x, "GRU", (1, 0, 2)),  # z r h -> r z n
}


class Graph(torch.nn.Module):
    """The file's graph as a module; a parameter's name has "/" in place of "."."""

    def __init__(self, model):
        super().__init__()
        self.graph = model.graph
        self.trainable = model.metadata_props[0].value.split(",")
        self.constants = {}
        for tensor in model.graph.initializer:
            values = torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
            if tensor.name in self.trainable:
                name = tensor.name.replace(".", "/")
                self.register_parameter(name, torch.nn.Parameter(values))
            else:
                self.constants[tensor.name] = values

    def forward(self, *inputs):
        values = {name.replace("/", "."): p for name, p in self.named_parameters()}
        real = next(self.parameters()).dtype
        for name, tensor in self.constants.items():
            values[name] = tensor.to(real) if tensor.is_floating_point() else tensor
        values.update(zip([port.name for port in self.graph.input], inputs))
        for node in self.graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            outputs = NODES[node.op_type](attributes, *[values[name] for name in node.input])
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            values.update(zip(node.output, outputs))
        return values[self.graph.output[0].name]


def make_inputs(model, batch, generator):
    inputs = []
    for port in model.graph.input:
        dims = port.type.tensor_type.shape.dim
        assert dims[0].dim_param == "batch"
        shape = [batch, *(d.dim_value for d in dims[1:])]
        if port.type.tensor_type.elem_type == onnx.TensorProto.INT64:
            inputs.append(torch.randint(INTEGERS_BELOW[port.name], shape, generator=generator))
        else:
            inputs.append(torch.randn(shape, generator=generator))
    return tuple(inputs)


def compare_forward(path, model, graph, generator):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [port.name for port in model.graph.input]
    for batch in (1, 5):
        inputs = make_inputs(model, batch, generator)
        found = session.run(None, dict(zip(names, [x.numpy() for x in inputs])))[0]
        with torch.no_grad():
            expected = graph(*inputs).numpy()
        assert found.shape == expected.shape
        worst = numpy.abs(found - expected).max()
        assert worst < 1e-4 * max(1, numpy.abs(expected).max()), f"onnxruntime: {worst}"


def write_answers(folder, model, graph, loss, generator):
    loss = fed_export.loss_settings(loss)
    batches = []
    for _ in range(STEPS):
        inputs = make_inputs(model, BATCH, generator)
        with torch.no_grad():
            target = fed_export.random_target(graph(*inputs), loss, None, generator)
        batches.append((inputs, target))
    names = [name.replace(".", "/") for name in graph.trainable]
    row = fed_export.Row(graph, names)
    found = {name.replace("/", "."): fed_export.flat_range(row.span(name)).reshape(row.shapes[name])
             for name in names}
    training = fed_answers.Training(row, batches, loss, STEPS, None, None)
    inputs = [port.name for port in model.graph.input]
    spec = fed_export.describe(model, training, inputs, found, "fed model new")
    answers, table = fed_answers.measure(graph, training, found)
    spec["tolerance"] = {"per_tensor": table}
    fed_export.write_folder(folder, model, training, inputs, answers, spec)


def check(program, folder, recipe, options, loss):
    path = folder / "recipe.onnx"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([program, "model", "new", recipe, *options.split(), "--out", path, "--quiet"],
                   check=True)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    graph = Graph(model)
    generator = torch.Generator().manual_seed(1)
    compare_forward(path, model, graph, generator)
    write_answers(folder, model, graph, loss, generator)
    subprocess.run([program, "model", "verify", folder, "--quiet"], check=True)
    subprocess.run([program, "model", "verify", folder, "--quiet", "--precision", "f64",
                    "--factor", "1e-3"], check=True)
    print(f"{recipe}: {sum(p.numel() for p in graph.parameters())} parameters, agrees")


def main(program, folder):
    for recipe, (options, loss) in RECIPES.items():
        check(program, pathlib.Path(folder) / recipe, recipe, options, loss)


main(sys.argv[1], sys.argv[2])
