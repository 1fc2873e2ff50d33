# SPDX-License-Identifier: Apache-2.0
"""peer_worlds.py: what is measured: a model, data, clients and their training; the same for all.

`turn` is how many rounds fed does in a turn, others do as many as fit into the same time.
`flops` says what one example costs to train: 2 * (3 * the layers' multiplications - those of the
first layer, whose inputs need no gradient)."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class World:
    name: str
    title: str
    model: str
    data: str
    clients: int
    cohort: int
    partition: str
    batch: int
    learning_rate: float
    macs: tuple  # multiplications of an example's forward pass, layer by layer
    epochs: int = 1
    weights: str = "examples"
    turn: int = 4
    rounds: int = 40  # that the schedule has; then it begins again

    def flops(self, examples):
        return 2 * (3 * sum(self.macs) - self.macs[0]) * examples * self.epochs


def dense(*widths):
    return tuple(a * b for a, b in zip(widths, widths[1:]))


WORLDS = {world.name: world for world in (
    World("cifar", "pfl's CIFAR-10 benchmark: 50 clients x 50 images, batch 10",
          "pfl cnn", "cifar", 1000, 50, "iid", 10, 0.1,
          (30 * 30 * 3 * 32 * 9, 28 * 28 * 32 * 64 * 9, *dense(12544, 128, 10)),
          weights="uniform", turn=2),
    World("2nn", "McMahan's 2NN: 10 clients x 600 images, batch 10",
          "2nn", "images", 100, 10, "iid", 10, 0.1, dense(784, 200, 200, 10),
          turn=20),
    World("cnn", "McMahan's CNN: 10 clients x 600 images, batch 10",
          "cnn", "images", 100, 10, "iid", 10, 0.05,
          (28 * 28 * 32 * 25, 14 * 14 * 32 * 64 * 25, *dense(3136, 512, 10)), turn=1),
    World("lr", "logistic regression: 10 of 1,000 clients, sizes log-normal, 60 images on average, "
          "batch 10", "logreg", "images", 1000, 10, "log_normal:1", 10, 0.03, dense(784, 10),
          turn=400, rounds=400),
    World("lstm", "Shakespeare's LSTM: 10 clients x 24 sequences of 80 characters, batch 4",
          "lstm", "characters", 100, 10, "iid", 4, 0.3,
          (80 * 4 * 256 * 8, 80 * 4 * 256 * (256 + 512), 256 * 80), turn=1),
    World("emnist", "EMNIST's CNN: 10 clients x 200 images, batch 20, 62 classes",
          "emnist cnn", "letters", 300, 10, "iid", 20, 0.03,
          (26 * 26 * 32 * 9, 24 * 24 * 32 * 64 * 9, *dense(9216, 128, 62)), turn=2),
    World("visits", "no training: 1,000 of 1,000 clients, 1,000 parameters",
          "small", "small", 1000, 1000, "iid", 10, 0.1, (0,), epochs=0, turn=400, rounds=4),
    World("clients-1000", "no training: 1,000 of 1,000 clients, 10,000 parameters",
          "wide", "wide", 1000, 1000, "iid", 10, 0.1, (0,), epochs=0, turn=100, rounds=4),
    World("clients-3000", "no training: 3,000 of 3,000 clients, 10,000 parameters",
          "wide", "wide", 3000, 3000, "iid", 10, 0.1, (0,), epochs=0, turn=40, rounds=4),
)}
