#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""side_nvflare.py: NVIDIA FLARE's simulator; the mode begins with the number of clients that have a
process at the same time."""

import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.update(PEER_FOLDER=sys.argv[1], PEER_WORLD=sys.argv[2], PEER_MODE=sys.argv[3],
                  PEER_PROCESS=str(os.getpid()), PEER_ANSWERS=str(os.dup(1)), PYTHONPATH=HERE)
os.dup2(2, 1)  # whatever it prints goes elsewhere

import nvflare_parts  # noqa: E402
import peer_worlds  # noqa: E402
from nvflare.job_config.api import FedJob  # noqa: E402

FOREVER = 10**7


def main():
    count = peer_worlds.WORLDS[sys.argv[2]].cohort
    job = FedJob(name="bench", min_clients=count)
    job.to_server(nvflare_parts.Rounds(num_clients=count, num_rounds=FOREVER, persistor_id="",
                                       save_filename=""))
    job.to_clients(nvflare_parts.Trainer(), tasks=["train"])
    with tempfile.TemporaryDirectory(prefix="fed-bench-", dir="/var/tmp") as folder:
        job.simulator_run(folder, n_clients=count, threads=int(os.environ["PEER_MODE"].split()[0]))


if __name__ == "__main__":
    main()
