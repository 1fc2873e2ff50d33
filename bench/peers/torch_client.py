# SPDX-License-Identifier: Apache-2.0
"""torch_client.py: what a client does, in PyTorch, in one of its modes: some of 'compiled',
'channels-last', 'bf16' in a text. The peers that leave training to their users train with it."""

import os
import sys

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "train"))

import peer_models  # noqa: E402


def loss_of(module, x, y, mode):
    if "bf16" in mode:
        with torch.autocast("cpu", torch.bfloat16):
            return F.cross_entropy(module(x).float(), y)
    return F.cross_entropy(module(x), y)


def make_module(place, mode):
    module = peer_models.make(place.world.model).train()
    for name, value in module.named_parameters():
        value.data.copy_(torch.from_numpy(place.parameters[name]))
    if "channels-last" in mode and len(place.shape) == 3:
        module = module.to(memory_format=torch.channels_last)
    return module


class Client:
    def __init__(self, place, mode):
        torch.set_num_threads(2 if "2 threads" in mode else 1)
        torch.manual_seed(1)
        self.mode = mode
        self.module = make_module(place, mode)
        self.callable = torch.compile(self.module) if "compiled" in mode else self.module
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=place.world.learning_rate)

    def train(self, place, rows):
        """From the module's parameters as they are."""
        x, y = (torch.from_numpy(values) for values in place.examples(rows))
        if "channels-last" in self.mode and x.dim() == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        for part in place.batches(rows):
            self.optimizer.zero_grad(set_to_none=True)
            loss_of(self.callable, x[part], y[part], self.mode).backward()
            self.optimizer.step()
