#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# onnxruntime_agrees.py: the model that the demo exported, run by another runtime (onnxruntime) on
# the demo's test set: its accuracy must be the one that fed measured, and its graph must have the
# names and operators of the start model.
#   onnxruntime_agrees.py DEMO_FOLDER
import json
import pathlib
import struct
import sys

import numpy
import onnx
import onnxruntime


def read_idx(path):
    data = path.read_bytes()
    rank = data[3]
    dims = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * rank).reshape(dims)


def outline(path):
    graph = onnx.load(path).graph
    return ([(node.name, node.op_type, list(node.input), list(node.output)) for node in graph.node],
            [(tensor.name, list(tensor.dims)) for tensor in graph.initializer])


def main(folder):
    onnx.checker.check_model(str(folder / "model.onnx"), full_check=True)
    if outline(folder / "model.onnx") != outline(folder / "job" / "cnn.onnx"):
        sys.exit("the exported graph differs from the start model's")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"),
                                           providers=["CPUExecutionProvider"])
    images = read_idx(folder / "federation" / "test" / "images.idx")
    labels = read_idx(folder / "federation" / "test" / "labels.idx")
    pixels = (images.astype(numpy.float32) / 255)[:, None]
    found = numpy.concatenate([session.run(None, {"x": pixels[i:i + 500]})[0].argmax(1)
                               for i in range(0, len(pixels), 500)])
    accuracy = float((found == labels).mean())
    summary = json.loads((folder / "summary.json").read_text())
    claimed = summary["baselines"][0]["accuracy"]
    print(f"onnxruntime {onnxruntime.__version__}: {accuracy:.4%}, fed: {claimed:.4%}, "
          f"{len(labels)} images")
    if abs(accuracy - claimed) > 1.5 / len(labels):  # one image may lie on the edge
        sys.exit("the two do not agree")


main(pathlib.Path(sys.argv[1]))
