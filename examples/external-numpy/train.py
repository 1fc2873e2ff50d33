#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An external trainer: logistic regression in NumPy, in place of fed's own training.

train.py FILE TASK-FOLDER

FILE is a CSV file in the data folder of the policy: a header, numbers, the label in the last
column. The contract of the task folder is docs/external-trainer.md. The policy names this program:

    trainers:
      - name: numpy
        command: [/usr/bin/python3, /usr/local/lib/fed/train.py, points.csv]
"""

import json
import pathlib
import struct
import sys

import numpy

# ---- safetensors: 8 bytes of size, a JSON header, the values ------------------------------------


def read_tensors(path):
    """The float32 tensors of a safetensors file, by name."""
    content = path.read_bytes()
    (size,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(content[8 + size + begin : 8 + size + end], "<f4")
        tensors[name] = values.reshape(entry["shape"]).astype(numpy.float64)
    return tensors


def write_tensors(path, tensors):
    header, values = {}, b""
    for name, tensor in tensors.items():
        data = tensor.astype("<f4").tobytes()
        offsets = [len(values), len(values) + len(data)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        values += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + values)


# ---- logistic regression -------------------------------------------------------------------------


def forward(model, inputs, labels):
    """The metrics of a batch, and the gradient of its mean loss by the logits."""
    weight, bias = model
    logits = inputs @ weight.T + bias
    logits -= logits.max(axis=1, keepdims=True)
    logarithms = logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))
    rows = numpy.arange(len(labels))
    metrics = {
        "examples": len(labels),
        "correct": int((logits.argmax(axis=1) == labels).sum()),
        "loss_sum": float(-logarithms[rows, labels].sum()),
    }
    slope = numpy.exp(logarithms)
    slope[rows, labels] -= 1
    return metrics, slope / len(labels)


def train(model, inputs, labels, task):
    """SGD as fed's own: momentum and weight decay as in the job file. Changes the model."""
    total = {"examples": 0, "correct": 0, "loss_sum": 0.0}
    buffers = [numpy.zeros_like(part) for part in model]
    draw = numpy.random.default_rng(task["seed"])
    for _ in range(task["epochs"]):
        order = draw.permutation(len(labels))
        for start in range(0, len(order), task["batch_size"]):
            batch = order[start : start + task["batch_size"]]
            metrics, slope = forward(model, inputs[batch], labels[batch])
            total = {name: total[name] + metrics[name] for name in total}
            gradients = slope.T @ inputs[batch], slope.sum(axis=0)
            for part, buffer, gradient in zip(model, buffers, gradients):
                buffer *= task["momentum"]
                buffer += gradient + task["weight_decay"] * part
                part -= task["learning_rate"] * buffer
    return total


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    task = json.loads((folder / "task.json").read_text())
    table = numpy.loadtxt(pathlib.Path(task["data"]) / name, delimiter=",", skiprows=1, ndmin=2)
    inputs, labels = table[:, :-1], table[:, -1].astype(int)
    kept = len(labels) - int(len(labels) * task["holdout"])  # the last rows are held out

    tensors = read_tensors(folder / "parameters.safetensors")
    model = tensors["fc1.weight"], tensors["fc1.bias"]
    result = {"example_count": kept}
    if task["evaluate"] and kept < len(labels):
        result["evaluate"], _ = forward(model, inputs[kept:], labels[kept:])
    if task["train"]:
        result["train"] = train(model, inputs[:kept], labels[:kept], task)
        write_tensors(folder / "update.safetensors", tensors)
    (folder / "metrics.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
