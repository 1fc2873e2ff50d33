# SPDX-License-Identifier: Apache-2.0
"""train_models.py: the models that `bench-train` compares, in PyTorch; each is exported once to
ONNX, so that both sides train the same numbers. Sizes are the literature's: McMahan et al. 2017
for 2NN, CNN and the character LSTM; ResNet-8 as in MLPerf Tiny with group norm; one MobileNetV2
block; one Transformer encoder block."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 64, 5, padding=2)
        self.full1 = nn.Linear(3136, 512)
        self.full2 = nn.Linear(512, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.full2(F.relu(self.full1(x.flatten(1))))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(80, 8)
        self.lstm = nn.LSTM(8, 256, 2, batch_first=True)
        self.out = nn.Linear(256, 80)

    def forward(self, tokens):
        hidden, _ = self.lstm(self.embed(tokens))
        return self.out(hidden[:, -1])


class Residual(nn.Module):
    def __init__(self, into, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.norm1 = nn.GroupNorm(8, out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = nn.GroupNorm(8, out)
        self.short = nn.Conv2d(into, out, 1, stride, bias=False) if into != out else nn.Identity()

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.short(x))


class Resnet8(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.norm = nn.GroupNorm(8, 16)
        self.blocks = nn.Sequential(Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2))
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.norm(self.conv(x))))
        return self.out(x.mean((2, 3)))


class MobilenetBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.expand = nn.Conv2d(24, 144, 1, bias=False)
        self.depth = nn.Conv2d(144, 144, 3, 1, 1, groups=144, bias=False)
        self.project = nn.Conv2d(144, 24, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(c) for c in (144, 144, 24)])
        self.out = nn.Linear(24, 10)

    def forward(self, x):
        y = F.relu6(self.norms[0](self.expand(x)))
        y = F.relu6(self.norms[1](self.depth(y)))
        y = x + self.norms[2](self.project(y))
        return self.out(y.mean((2, 3)))


class TransformerBlock(nn.Module):
    def __init__(self, width=128, heads=4, length=64, vocabulary=256):
        super().__init__()
        self.heads = heads
        self.embed = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(torch.randn(length, width) * 0.02)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.out = nn.Linear(width, 10)

    def forward(self, tokens):
        x = self.embed(tokens) + self.place
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).split(width, 2)
        q, k, v = (t.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)
                   for t in (q, k, v))
        weights = torch.softmax(q @ k.transpose(2, 3) * (width // self.heads) ** -0.5, -1)
        y = (weights @ v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.project(y)
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        return self.out(x.mean(1))


def pixels(*shape):
    return lambda batch: torch.randn(batch, *shape)


def tokens(count, length):
    return lambda batch: torch.randint(0, count, (batch, length))


# name: module, batch of inputs, classes
MODELS = {
    "logreg": (lambda: nn.Linear(784, 10), pixels(784), 10),
    "2nn": (lambda: nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(),
                                  nn.Linear(200, 10)), pixels(784), 10),
    "cnn": (Cnn, pixels(1, 28, 28), 10),
    "resnet8": (Resnet8, pixels(3, 32, 32), 10),
    "mobilenet block": (MobilenetBlock, pixels(24, 28, 28), 10),
    "lstm": (Lstm, tokens(80, 80), 80),
    "transformer block": (TransformerBlock, tokens(256, 64), 10),
}
