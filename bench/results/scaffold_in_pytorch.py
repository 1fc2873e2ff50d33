#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scaffold_in_pytorch.py: SCAFFOLD on Fashion-MNIST with two labels a client, without fed.

NIID-Bench and Flower's baseline published failures there; some of fed's runs diverge, too. This is
the rule of Flower's clients (without their weight decay of 0.00001), which differs from fed's with
momentum: momentum for the gradients alone, the variates' difference added to each step beside it, and
K η for what K steps of rate η carry. Model and variates are averaged by examples. The labels are dealt
out as there (flower_labels.py). Prints the accuracy on the test set after each round; about half a
minute a round.
"""

import argparse

import torch
from torch.nn import functional

import flower_labels
import torch_images

EPOCHS, BATCH, RATE, MOMENTUM = 10, 64, 0.01, 0.9


def new_network():
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84),
                         nn.ReLU(), nn.Linear(84, flower_labels.CLASSES))


def train(network, images, labels, rows, correction):
    """A client's epochs; the number of its steps."""
    weights = list(network.parameters())
    optimiser = torch.optim.SGD(weights, RATE, MOMENTUM)
    steps = 0
    for _ in range(EPOCHS):
        for batch in rows[torch.randperm(len(rows))].split(BATCH):
            optimiser.zero_grad()
            functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimiser.step()
            with torch.no_grad():
                torch._foreach_add_(weights, correction, alpha=-RATE)
            steps += 1
    return steps


def run_round(network, images, labels, clients, server_variate, variates):
    start = [weight.detach().clone() for weight in network.parameters()]
    sums = [torch.zeros_like(weight) for weight in start]
    variate_sums = [torch.zeros_like(weight) for weight in start]
    for rows, variate in zip(clients, variates):
        share = len(rows) / sum(map(len, clients))
        with torch.no_grad():
            torch._foreach_copy_(list(network.parameters()), start)
        correction = [all_ - own for all_, own in zip(server_variate, variate)]
        steps = train(network, images, labels, rows, correction)
        for i, weight in enumerate(network.parameters()):
            moved = weight.detach() - start[i]
            sums[i] += share * moved
            change = -server_variate[i] - moved / (steps * RATE)
            variate_sums[i] += share * change
            variate[i] = variate[i] + change
    with torch.no_grad():
        torch._foreach_copy_(list(network.parameters()), [old + new for old, new in zip(start, sums)])
    return [old + new for old, new in zip(server_variate, variate_sums)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--fashion", default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    images, labels = torch_images.load(options.fashion, "train")
    test_images, test_labels = torch_images.load(options.fashion, "t10k")
    clients = list(map(torch.tensor, flower_labels.deal_out(labels.numpy(), options.seed)))
    network = new_network()
    server_variate = [torch.zeros_like(weight) for weight in network.parameters()]
    variates = [[torch.zeros_like(weight) for weight in server_variate] for _ in clients]
    for turn in range(1, options.rounds + 1):
        server_variate = run_round(network, images, labels, clients, server_variate, variates)
        right = torch_images.accuracy(network, test_images, test_labels)
        print(f"round {turn}: {100 * right:.2f} %", flush=True)


if __name__ == "__main__":
    main()
