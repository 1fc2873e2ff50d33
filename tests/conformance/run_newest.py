#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_newest.py FOLDER PROGRAM PAGE: install the newest onnx from PyPI into FOLDER, write its node
tests there, and bring the page's section `newest` up to date."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench"))

import peer_environment  # noqa: E402


def main():
    folder, program, page = sys.argv[1:]
    place = peer_environment.install(folder, "onnx", "onnx", "numpy", "ml_dtypes")
    python = os.path.join(place, "bin", "python")
    tests = os.path.join(folder, "onnx-node-tests")
    subprocess.run([python, "-W", "ignore", os.path.join(HERE, "write_node_tests.py"), tests],
                   check=True)
    return subprocess.run([sys.executable, os.path.join(HERE, "operators_page.py"), "--write",
                           program, page, "newest", tests]).returncode


if __name__ == "__main__":
    sys.exit(main())
