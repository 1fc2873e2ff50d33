#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_simulators.py: install the peers from PyPI, each into its own folder, then
measure_simulators.py. A peer that cannot be installed is told with the reason."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import peer_environment  # noqa: E402

# Each beside PyTorch, but FedJAX, which has arrays of its own.
PEERS = {
    "pfl": dict(packages=("pfl[pytorch]==0.6.0",), beside=True),
    "flower-simulation": dict(packages=("flwr[simulation]==1.42.0",), beside=True,
                              relaxed="certifi"),
    "nvflare": dict(packages=("nvflare==2.9.0",), beside=True),
    "fedjax": dict(packages=("fedjax==0.0.17", "jax==0.10.2", "jaxlib==0.10.2",
                             "dm-haiku==0.0.17", "optax==0.2.8", "numpy==2.4.6")),
}


def install_peer(folder, torch, name, packages, beside=False, relaxed=None):
    try:
        place = peer_environment.install(folder, name, *packages, beside=torch if beside else None,
                                         relaxed=relaxed)
        return {"python": peer_environment.python(place), "version": packages[0]}
    except (RuntimeError, subprocess.CalledProcessError) as error:
        return {"reason": f"cannot be installed: {error}", "version": packages[0]}


def main():
    folder, words = os.path.abspath(sys.argv[1]), sys.argv[2:]
    os.makedirs(folder, exist_ok=True)
    torch = peer_environment.install(folder, "torch", *peer_environment.TORCH)
    python = peer_environment.python(torch)
    found = {"torch": {"python": python, "version": peer_environment.TORCH[0]},
             "numpy": {"python": python, "version": peer_environment.TORCH[1]}}
    found.update({name.split("-")[0]: install_peer(folder, torch, name, **setting)
                  for name, setting in PEERS.items()})
    with open(os.path.join(folder, "peers.json"), "w") as file:
        json.dump(found, file, indent=1)
    os.execv(python, [python, "-W", "ignore", os.path.join(HERE, "measure_simulators.py"), folder,
                      *words])


if __name__ == "__main__":
    main()
