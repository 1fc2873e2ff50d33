#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_measure_train.py: install PyTorch from PyPI into its own folder, then measure_train.py."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import peer_environment  # noqa: E402


def main():
    folder, words = sys.argv[1], sys.argv[2:]
    place = peer_environment.install(folder, "torch", *peer_environment.TORCH)
    python = os.path.join(place, "bin", "python")
    os.execv(python, [python, "-W", "ignore", os.path.join(HERE, "measure_train.py"), *words])


if __name__ == "__main__":
    main()
