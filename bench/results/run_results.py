#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_results.py: run a script of this folder with what it needs from PyPI, installed into a folder.

run_results.py FOLDER SCRIPT [OPTION...]
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import peer_environment  # noqa: E402

NEEDS = {"reproduce.py": ("results", "numpy", "onnx", "safetensors"),
         "mcmahan_in_pytorch.py": ("torch", *peer_environment.TORCH),
         "scaffold_in_pytorch.py": ("torch", *peer_environment.TORCH)}


def main():
    folder, script, *words = sys.argv[1:]
    python = peer_environment.python(peer_environment.install(folder, *NEEDS[script]))
    os.execv(python, [python, os.path.join(HERE, script), *words])


if __name__ == "__main__":
    main()
