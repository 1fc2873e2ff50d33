#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""side_numpy.py: a bare NumPy loop; models of dense layers with ReLU between them only."""

import sys

import numpy as np

import peer_loop
import peer_turns


class Trainer:
    def __init__(self, place):
        self.flat = peer_loop.Flat(place.parameters)
        self.vector = np.empty(self.flat.size, np.float32)
        values = list(self.flat.views(self.vector).values())
        self.layers = list(zip(values[::2], values[1::2]))  # weight (out, in), bias
        self.rate = np.float32(place.world.learning_rate)

    def step(self, x, y):
        inputs = [x]
        for weight, bias in self.layers[:-1]:
            hidden = inputs[-1] @ weight.T
            hidden += bias
            inputs.append(np.maximum(hidden, 0, out=hidden))
        weight, bias = self.layers[-1]
        scores = inputs[-1] @ weight.T + bias
        slope = np.exp(scores - scores.max(1, keepdims=True))
        slope /= slope.sum(1, keepdims=True)
        slope[np.arange(len(y)), y] -= 1
        slope *= self.rate / np.float32(len(y))
        for (weight, bias), given in zip(reversed(self.layers), reversed(inputs)):
            change = slope.T @ given
            bias_change = slope.sum(0)
            if given is not x:
                slope = slope @ weight
                slope *= given > 0
            weight -= change
            bias -= bias_change

    def train(self, place, rows, model):
        self.vector[:] = model
        x, y = place.examples(rows)
        for part in place.batches(rows):
            self.step(x[part], y[part])

    def add_to(self, total, weight):
        total += self.vector * np.float32(weight)


def main():
    folder, name, mode = sys.argv[1:4]
    turns = peer_turns.Turns()
    place = peer_turns.Place(folder, name)
    peer_loop.run(place, turns, lambda: Trainer(place), 2 if "2 processes" in mode else 1)


if __name__ == "__main__":
    main()
