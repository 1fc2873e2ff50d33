#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""write_node_tests.py: the node tests that the PyPI package `onnx` carries as code, as files in the
layout of Debian's libonnx-testdata: FOLDER/test_NAME/{model.onnx, test_data_set_N/{input,output}_N.pb}.
Only tests whose inputs and outputs are all tensors (no sequences, maps or optionals)."""

import os
import sys

from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases


def write(path, message):
    with open(path, "wb") as file:
        file.write(message.SerializeToString())


def main():
    folder, written = sys.argv[1], 0
    for case in collect_testcases(None):
        graph = case.model.graph
        values = list(graph.input) + list(graph.output)
        if not case.data_sets or not all(v.type.HasField("tensor_type") for v in values):
            continue
        place = os.path.join(folder, case.name)
        for number, data in enumerate(case.data_sets):
            inside = os.path.join(place, f"test_data_set_{number}")
            os.makedirs(inside, exist_ok=True)
            for kind, arrays, names in zip(("input", "output"), data, (graph.input, graph.output)):
                for i, array in enumerate(arrays):
                    message = (array if isinstance(array, TensorProto)
                               else numpy_helper.from_array(array, names[i].name))
                    write(os.path.join(inside, f"{kind}_{i}.pb"), message)
        write(os.path.join(place, "model.onnx"), case.model)
        written += 1
    print(f"{written} node tests in {folder}")


if __name__ == "__main__":
    main()
