#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mcmahan_in_pytorch.py: FedAvg of McMahan's CNN on MNIST, IID with E = 1 and B = 10, without fed.

99 % take fed about twice as many rounds as McMahan et al. 2017 published. This is the same loop in
PyTorch: its start values, orders and cohorts, not fed's. Prints the accuracy on the test set after each
round until it has reached 99 %; some five seconds a round.
"""

import argparse

import torch
from torch.nn import functional

import torch_images

CLIENTS, COHORT, BATCH, TARGET = 100, 10, 10, 0.99


def new_network():
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 10))


def run_round(network, images, labels, cohort, rate):
    """One epoch of each client, and the mean of what they end with."""
    weights = list(network.parameters())
    start = [weight.detach().clone() for weight in weights]
    sums = [torch.zeros_like(weight) for weight in start]
    optimiser = torch.optim.SGD(weights, rate)
    for rows in cohort:
        with torch.no_grad():
            torch._foreach_copy_(weights, start)
        for batch in rows[torch.randperm(len(rows))].split(BATCH):
            optimiser.zero_grad()
            functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimiser.step()
        torch._foreach_add_(sums, [weight.detach() for weight in weights], alpha=1 / COHORT)
    with torch.no_grad():
        torch._foreach_copy_(weights, sums)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mnist", default="", help="folder with MNIST's four .gz files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    if not options.mnist:
        parser.error("--mnist FOLDER (of the target: cmake --preset release -DFED_MNIST=FOLDER) says where MNIST's "
                     "four .gz files are (they are not in Debian)")
    torch.manual_seed(options.seed)
    images, labels = torch_images.load(options.mnist, "train")
    test_images, test_labels = torch_images.load(options.mnist, "t10k")
    clients = torch.randperm(len(images)).chunk(CLIENTS)
    network = new_network()
    for turn in range(1, options.rounds + 1):
        cohort = [clients[i] for i in torch.randperm(CLIENTS)[:COHORT]]
        run_round(network, images, labels, cohort, options.rate)
        right = torch_images.accuracy(network, test_images, test_labels)
        print(f"round {turn}: {100 * right:.2f} %", flush=True)
        if right >= TARGET:
            break


if __name__ == "__main__":
    main()
