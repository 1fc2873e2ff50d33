#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# onnx_seeds.py: writes the small models of corpus/onnx, field by field as onnx.proto numbers them:
# between them they hold every operator and attribute that the engine knows.
#
#   fuzz/onnx_seeds.py        from the root of the tree; needs nothing but Python
import os
import struct

FLOAT, INT64 = 1, 7


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def part(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def value_info(name, dims=None):
    if dims is None:
        return part(1, name)
    shape = b"".join(part(1, part(2, d) if isinstance(d, str) else number(1, d)) for d in dims)
    return part(1, name) + part(2, part(1, number(1, FLOAT) + part(2, shape)))


def tensor(name, kind, dims, values):
    raw = struct.pack(f"<{len(values)}{'f' if kind == FLOAT else 'q'}", *values)
    return (b"".join(number(1, d) for d in dims) + number(2, kind) + part(8, name) + part(9, raw))


def weights(name, *dims):
    count = 1
    for dim in dims:
        count *= dim
    return tensor(name, FLOAT, dims, [((i * 7 + 3) % 11 - 5) / 8 for i in range(count)])


def ints(name, *values):
    return tensor(name, INT64, [len(values)], values)


def attribute(name, value):
    if isinstance(value, bytes):  # a tensor
        body = part(5, value) + number(20, 4)
    elif isinstance(value, str):
        body = part(4, value) + number(20, 3)
    elif isinstance(value, float):
        body = varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    elif isinstance(value, list):
        body = b"".join(number(8, v) for v in value) + number(20, 7)
    else:
        body = number(3, value) + number(20, 2)
    return part(1, name) + body


def node(operator, inputs, output, domain=None, references=(), **attributes):
    return (b"".join(part(1, name) for name in inputs.split()) + part(2, output) +
            part(3, "n_" + output) + part(4, operator) +
            (part(7, domain) if domain else b"") +
            b"".join(part(5, part(1, own) + part(21, of) + number(20, kind))
                     for own, of, kind in references) +
            b"".join(part(5, attribute(*pair)) for pair in attributes.items()))


def function(name, inputs, output, nodes, opset=17, **defaults):
    return (part(1, name) + b"".join(part(4, i) for i in inputs.split()) + part(5, output) +
            b"".join(part(7, n) for n in nodes) + part(9, number(2, opset)) + part(10, "local") +
            b"".join(part(11, attribute(*pair)) for pair in defaults.items()))


def model(name, dims, nodes, tensors, opset=17, trainable=None, functions=()):
    graph = b"".join(part(1, n) for n in nodes) + part(2, name)
    graph += b"".join(part(5, t) for t in tensors)
    graph += part(11, value_info("x", ["batch", *dims])) + part(12, value_info("out"))
    notes = part(14, part(1, "fed.trainable") + part(2, trainable)) if trainable else b""
    file = number(1, 8) + part(8, number(2, opset)) + notes + part(7, graph)
    file += b"".join(part(25, f) for f in functions)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus/onnx", name + ".onnx")
    with open(path, "wb") as stream:
        stream.write(file)


model("gemm", [4], [node("Gemm", "x w b", "out", transB=1, alpha=0.5, beta=2.0)],
      [weights("w", 3, 4), weights("b", 3)])
model("matmul-add", [4],
      [node("MatMul", "x w", "h"), node("Add", "h b", "a"), node("Relu", "a", "r"),
       node("MatMul", "r v", "out")],
      [weights("w", 4, 5), weights("b", 5), weights("v", 5, 3)])
model("conv", [1, 6, 6],
      [node("Conv", "x k kb", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1],
            dilations=[1, 1], group=1),
       node("Relu", "c", "r"),
       node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0],
            ceil_mode=0, storage_order=0),
       node("Flatten", "p", "f", axis=1), node("Gemm", "f w b", "out")],
      [weights("k", 2, 1, 3, 3), weights("kb", 2), weights("w", 18, 3), weights("b", 3)])
model("conv-groups", [2, 5, 5],
      [node("Conv", "x k", "c", group=2, auto_pad="SAME_UPPER", strides=[2, 2]),
       node("MaxPool", "c", "p", kernel_shape=[2, 2], auto_pad="VALID"),
       node("Reshape", "p to", "f", allowzero=0), node("Gemm", "f w b", "out")],
      [weights("k", 4, 1, 3, 3), ints("to", 0, -1), weights("w", 16, 2), weights("b", 2)])
model("elementwise", [3],
      [node("Mul", "x s", "m"), node("Sub", "m t", "d"), node("Div", "d s", "q"),
       node("Tanh", "q", "h"), node("Sigmoid", "h", "g"), node("Identity", "g", "i"),
       node("Gemm", "i w b", "out")],
      [weights("s", 3), weights("t", 1, 3), weights("w", 3, 2), weights("b", 2)],
      trainable="w,b,s")
model("constants", [2, 3],
      [node("Constant", "", "to", value=ints("", -1, 6)),
       node("Constant", "", "one", value_float=1.5), node("Constant", "", "at", value_ints=[1]),
       node("Reshape", "x to", "f"), node("Add", "f one", "a"), node("Unsqueeze", "a at", "u"),
       node("Squeeze", "u at", "z"), node("Gemm", "z w b", "out")],
      [weights("w", 6, 2), weights("b", 2)])
model("positions", [2, 3],
      [node("Conv", "x k kb", "out", kernel_shape=[1])],
      [weights("k", 4, 2, 1), weights("kb", 4)])
model("opset-13", [2],
      [node("Gemm", "x w b", "h"), node("Relu", "h", "r"), node("Gemm", "r v c", "out")],
      [weights("w", 2, 2), weights("b", 2), weights("v", 2, 2), weights("c", 2)], opset=13)
model("functions", [4],
      [node("layer", "x w b", "h", domain="local", slope=0.5),
       node("layer", "h v b", "out", domain="local")],
      [weights("w", 4, 4), weights("b", 4), weights("v", 4, 4)],
      functions=[function("bend", "x", "y", [node("LeakyRelu", "x", "y",
                                                  references=[("alpha", "slope", 1)])], slope=0.25),
                 function("layer", "x w b", "y",
                          [node("MatMul", "x w", "p"), node("Add", "p b", "s"),
                           node("bend", "s", "y", domain="local",
                                references=[("slope", "slope", 1)])])])
model("sequence", ["sequence", 2],
      [node("MatMul", "x w", "h"), node("ReduceMean", "h", "out", axes=[1], keepdims=0)],
      [weights("w", 2, 3)])
model("attention", [2, 8],
      [node("Reshape", "x heads", "p"),
       node("Attention", "x x x m p p", "a", q_num_heads=2, kv_num_heads=2, is_causal=1,
            softcap=4.0, left_window_size=3),
       node("Flatten", "a", "f"), node("Gemm", "f w b", "out")],
      [ints("heads", 0, 2, 2, 4), weights("m", 2, 4), weights("w", 16, 2), weights("b", 2)],
      opset=24)
model("narrow-types", [4],
      [node("Cast", "w8", "w", to=1), node("MatMul", "x w", "h"),
       node("Cast", "h", "n", to=17, saturate=0), node("Cast", "n", "s", to=1),
       node("Add", "s b", "out"), node("Lookup", "out", "label", domain="ai.onnx.ml")],
      [number(1, 4) + number(1, 3) + number(2, 17) + part(8, "w8") + part(9, bytes(range(40, 52))),
       weights("b", 3)])
