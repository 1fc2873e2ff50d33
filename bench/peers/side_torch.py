#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""side_torch.py: a plain PyTorch loop."""

import sys

import torch

import peer_loop
import peer_turns
import torch_client


class Trainer:
    def __init__(self, place, mode):
        self.client = torch_client.Client(place, mode)
        self.flat = peer_loop.Flat(place.parameters)
        self.views = {}

    def parts(self, vector):
        """The vector's parts beside the module's parameters."""
        key = vector.ctypes.data
        if key not in self.views:
            self.views[key] = [torch.from_numpy(view) for view in self.flat.views(vector).values()]
        return zip(self.client.module.parameters(), self.views[key])

    def train(self, place, rows, model):
        with torch.no_grad():
            for own, given in self.parts(model):
                own.copy_(given)
        self.client.train(place, rows)

    def add_to(self, total, weight):
        with torch.no_grad():
            for own, sum_ in self.parts(total):
                sum_.add_(own, alpha=weight)


def main():
    folder, name, mode = sys.argv[1:4]
    turns = peer_turns.Turns()
    place = peer_turns.Place(folder, name)
    peer_loop.run(place, turns, lambda: Trainer(place, mode), 2 if "2 processes" in mode else 1)


if __name__ == "__main__":
    main()
