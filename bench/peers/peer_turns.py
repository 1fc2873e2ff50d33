# SPDX-License-Identifier: Apache-2.0
"""peer_turns.py: the peers' end of the measurement: the world as it was exported, and turns.

A peer is a process that is told on its standard input how many rounds to do, does them, and answers
with the seconds that each took; in between it waits while others have their turn. `save PATH` makes
it write the model as it is. At the end of the input it ends."""

import json
import os
import sys
import time

import numpy as np

import peer_worlds


class Place:
    """The world's data, first parameters and schedule. A round of the schedule is a list of visits:
    the rows that the client trains on, in this order."""

    def __init__(self, folder, name):
        self.folder = folder
        self.world = peer_worlds.WORLDS[name]
        place = os.path.join(folder, "worlds", name)
        data = os.path.join(folder, "data", self.world.data)
        self.x = np.load(os.path.join(data, "x.npy"), mmap_mode="r")
        self.y = np.load(os.path.join(data, "y.npy"))
        with np.load(os.path.join(place, "parameters.npz")) as file:
            self.parameters = {name: file[name] for name in file.files}
        self.shape = {"pfl cnn": (3, 32, 32), "cnn": (1, 28, 28),
                      "emnist cnn": (1, 28, 28)}.get(self.world.model, (int(self.x[0].size),))
        self.rounds = self._read_schedule(os.path.join(place, "schedule.txt"))

    def _read_schedule(self, path):
        rounds = []
        with open(path) as file:
            for line in file:
                number, _, *rows = map(int, line.split())
                if number > len(rounds):
                    rounds.append([])
                per_epoch = rows if self.world.epochs else [0] * 10  # nobody looks at these
                rounds[-1].append(np.array(per_epoch, np.int64))
        return rounds

    def cohort(self, number):
        """The visits of the round, from 0."""
        return self.rounds[number % len(self.rounds)]

    def examples(self, rows):
        """In the order given; the shape is the model's."""
        return np.ascontiguousarray(self.x[rows]).reshape(len(rows), *self.shape), self.y[rows]

    def weight(self, rows):
        return len(rows) if self.world.weights == "examples" else 1

    def batches(self, rows):
        """Slices of the rows, one a step."""
        steps = range(0, len(rows), self.world.batch) if self.world.epochs else ()
        return [slice(at, at + self.world.batch) for at in steps]


class Turns:
    """`begin` before each round and `end` after it."""

    def __init__(self, requests=None, answers=None):
        """Of the standard input and output, unless files take their place."""
        self.requests = requests or sys.stdin
        self.answers = answers or os.fdopen(os.dup(1), "w")
        if not answers:
            os.dup2(2, 1)  # whatever the framework prints goes elsewhere
        self.left, self.seconds, self.number = 0, [], -1

    def _answer(self, value):
        self.answers.write(json.dumps(value) + "\n")
        self.answers.flush()

    def begin(self, parameters):
        """Waits for the turn; 0 at the end. `parameters()`: the model by PyTorch's names."""
        while not self.left:
            if self.seconds:
                self._answer(self.seconds)
            elif self.number < 0:
                self._answer("ready")
                self.number = 0
            self.seconds = []
            words = self.requests.readline().split(maxsplit=1)
            if not words:
                return 0
            if words[0] == "save":
                np.savez(words[1].strip(), **parameters())
                self._answer("saved")
            else:
                self.left = int(words[0])
        self.started = time.perf_counter()
        return 1

    def end(self):
        self.seconds.append(time.perf_counter() - self.started)
        self.left -= 1
        self.number += 1


def deal(visits, count):
    """The visits among so many processes, the largest first, each to whom has least."""
    shares, sizes = [[] for _ in range(count)], [0] * count
    for rows in sorted(visits, key=len, reverse=True):
        least = sizes.index(min(sizes))
        shares[least].append(rows)
        sizes[least] += len(rows) + 1
    return shares
