#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_reproduce.py: install what reproduce.py needs from PyPI into its own folder, and run it."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import peer_environment  # noqa: E402


def main():
    folder, words = sys.argv[1], sys.argv[2:]
    place = peer_environment.install(folder, "results", "numpy", "onnx")
    python = os.path.join(place, "bin", "python")
    os.execv(python, [python, os.path.join(HERE, "reproduce.py"), *words])


if __name__ == "__main__":
    main()
