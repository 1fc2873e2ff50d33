# SPDX-License-Identifier: Apache-2.0
"""niid_model.py: NIID-Bench's network for images of 28 × 28 as an ONNX file, with the start values
that PyTorch gives its layers: uniform within 1 / sqrt(inputs of a unit)."""

import numpy
from onnx import TensorProto, helper, numpy_helper, save

LAYERS = [("conv1", (6, 1, 5, 5)), ("conv2", (16, 6, 5, 5)), ("fc1", (120, 256)), ("fc2", (84, 120)),
          ("fc3", (10, 84))]


def start_values(seed):
    draw = numpy.random.default_rng(seed)
    values = []
    for name, shape in LAYERS:
        bound = 1 / numpy.sqrt(numpy.prod(shape[1:]))
        for part, size in (("weight", shape), ("bias", shape[:1])):
            array = draw.uniform(-bound, bound, size).astype(numpy.float32)
            values.append(numpy_helper.from_array(array, f"{name}.{part}"))
    return values


def convolution(name, source, target):
    return [helper.make_node("Conv", [source, f"{name}.weight", f"{name}.bias"], [f"{name}_out"]),
            helper.make_node("Relu", [f"{name}_out"], [f"{name}_relu"]),
            helper.make_node("MaxPool", [f"{name}_relu"], [target], kernel_shape=[2, 2],
                             strides=[2, 2])]


def dense(name, source, target):
    return helper.make_node("Gemm", [source, f"{name}.weight", f"{name}.bias"], [target], transB=1)


def write(path, seed):
    nodes = convolution("conv1", "x", "p1") + convolution("conv2", "p1", "p2")
    nodes += [helper.make_node("Flatten", ["p2"], ["flat"]), dense("fc1", "flat", "h1"),
              helper.make_node("Relu", ["h1"], ["r1"]), dense("fc2", "r1", "h2"),
              helper.make_node("Relu", ["h2"], ["r2"]), dense("fc3", "r2", "logits")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 28, 28])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])]
    graph = helper.make_graph(nodes, "niid", inputs, outputs, start_values(seed))
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
