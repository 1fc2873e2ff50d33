# SPDX-License-Identifier: Apache-2.0
"""autoencoder.py: the autoencoder of Reddi et al. 2021 as an ONNX file, with Glorot's normal start
values, and MNIST's pixels as two files of floats, which are its inputs and its targets."""

import gzip
import os

import numpy
from onnx import TensorProto, helper, numpy_helper, save

WIDTHS = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
CODE = 3  # this layer has no sigmoid


def layer(index, draw):
    """Its start values and nodes."""
    ins, outs = WIDTHS[index], WIDTHS[index + 1]
    weight = draw.normal(0, numpy.sqrt(2 / (ins + outs)), (outs, ins)).astype(numpy.float32)
    values = [numpy_helper.from_array(weight, f"fc{index}.weight"),
              numpy_helper.from_array(numpy.zeros(outs, numpy.float32), f"fc{index}.bias")]
    sums = f"h{index + 1}" if index == CODE else f"sums{index}"
    nodes = [helper.make_node("Gemm", [f"h{index}", f"fc{index}.weight", f"fc{index}.bias"], [sums],
                              transB=1)]
    if index != CODE:
        nodes.append(helper.make_node("Sigmoid", [sums], [f"h{index + 1}"]))
    return values, nodes


def write(path, seed):
    draw = numpy.random.default_rng(seed)
    layers = [layer(index, draw) for index in range(len(WIDTHS) - 1)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 784])
            for name in ("h0", f"h{len(layers)}")]
    graph = helper.make_graph([node for _, nodes in layers for node in nodes], "autoencoder",
                              ends[:1], ends[1:], [value for values, _ in layers for value in values])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def prepare_data(mnist, out):
    """The folder with train.npy and test.npy."""
    folder = os.path.join(out, "data")
    os.makedirs(folder, exist_ok=True)
    for name, source in (("train", "train-images-idx3-ubyte.gz"), ("test", "t10k-images-idx3-ubyte.gz")):
        path = os.path.join(folder, f"{name}.npy")
        if os.path.exists(path):
            continue
        with gzip.open(os.path.join(mnist, source)) as file:
            pixels = numpy.frombuffer(file.read(), numpy.uint8, offset=16).reshape(-1, 784)
        numpy.save(path, (pixels / 255).astype(numpy.float32))
    return folder
