# SPDX-License-Identifier: Apache-2.0
"""peer_environment.py: Python environments for peers from PyPI, one folder each, made once."""

import os
import subprocess
import sys


def install(folder, name, *packages):
    """The environment's folder; installs the packages unless that was done before."""
    place = os.path.join(folder, name)
    done = os.path.join(place, "installed")
    if not os.path.exists(done):
        print(f"installing {' '.join(packages)} into {place}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([os.path.join(place, "bin", "pip"), "install", "--quiet", *packages],
                       check=True)
        with open(done, "w") as file:
            file.write("\n".join(packages) + "\n")
    return place
