# SPDX-License-Identifier: Apache-2.0
"""peer_models.py: the worlds' models in PyTorch. Those that `bench-train` has are taken from there;
the convolutional networks here are pfl-research's `simple_cnn` and the one that TensorFlow
Federated, FedJAX and FLUTE use for EMNIST, with their dropout."""

import torch
import torch.nn as nn

import train_models


def convolutions(channels, size, classes):
    """Two 3x3 convolutions without padding, one pooling, two dense layers."""
    return nn.Sequential(nn.Conv2d(channels, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
                         nn.Linear(64 * ((size - 4) // 2) ** 2, 128), nn.ReLU(), nn.Dropout(0.5),
                         nn.Linear(128, classes))


def pfl_cnn():
    module = convolutions(3, 32, 10)
    for layer in module:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
    return module


# name: module, shape of an example
MODELS = {
    "pfl cnn": (pfl_cnn, (3, 32, 32)),
    "emnist cnn": (lambda: convolutions(1, 28, 62), (1, 28, 28)),
    "2nn": (train_models.MODELS["2nn"][0], (784,)),
    "cnn": (train_models.Cnn, (1, 28, 28)),
    "logreg": (lambda: nn.Linear(784, 10), (784,)),
    "lstm": (train_models.Lstm, (80,)),
    "small": (lambda: nn.Linear(99, 10), (99,)),
    "wide": (lambda: nn.Linear(999, 10), (999,)),
}


def make(name):
    return MODELS[name][0]()


def shape(name):
    return MODELS[name][1]


def example(name):
    """Two of them, to trace the model with."""
    values = torch.zeros(2, *shape(name))
    return values.long() if name == "lstm" else values
