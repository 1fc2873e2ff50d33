# SPDX-License-Identifier: Apache-2.0
"""torch_images.py: images and labels in MNIST's files as PyTorch's tensors, and how many a network gets right."""

import os
import sys

import torch

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import idx_file  # noqa: E402


def load(folder, name):
    images = idx_file.read(os.path.join(folder, f"{name}-images-idx3-ubyte.gz"))
    labels = idx_file.read(os.path.join(folder, f"{name}-labels-idx1-ubyte.gz"))
    return (torch.tensor(images, dtype=torch.float32)[:, None] / 255,
            torch.tensor(labels, dtype=torch.int64))


def accuracy(network, images, labels):
    with torch.no_grad():
        return (network(images).argmax(1) == labels).double().mean().item()
