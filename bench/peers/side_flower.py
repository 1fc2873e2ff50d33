#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""side_flower.py: Flower's simulation engine (Ray), two clients at a time on one core each."""

import os
import sys

os.environ.update(PEER_FOLDER=sys.argv[1], PEER_WORLD=sys.argv[2], PEER_MODE=sys.argv[3],
                  FLWR_TELEMETRY_ENABLED="0", RAY_USAGE_STATS_ENABLED="0",
                  PYTHONPATH=os.path.dirname(os.path.abspath(__file__)))

import peer_turns  # noqa: E402

turns = peer_turns.Turns()

import flower_apps  # noqa: E402
from flwr.simulation import run_simulation  # noqa: E402


def main():
    place = flower_apps.loaded()
    run_simulation(server_app=flower_apps.make_server(turns, place),
                   client_app=flower_apps.client_app, num_supernodes=place.world.cohort,
                   backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}})


if __name__ == "__main__":
    main()
