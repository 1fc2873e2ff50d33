# SPDX-License-Identifier: Apache-2.0
#
# pytorch_models.py: the kinds of models that people train in PyTorch, in small sizes, with an
# example of their inputs and their loss. `MODELS` names them.
import torch
from torch import nn
from torch.nn import functional

CLASSES = 5
TOKENS = 30


class Case:
    """make() gives the module; inputs: shapes, or (shape, below) for integers."""

    def __init__(self, make, *inputs, loss="softmax_cross_entropy", opsets=None, class_axis=1):
        self.make, self.inputs, self.opsets = make, inputs, opsets or (None,)
        self.loss = {"name": loss}
        if loss == "softmax_cross_entropy":
            self.loss["class_axis"] = class_axis


def mlp():
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(),
                         nn.Linear(16, CLASSES))


def cnn_batch_norm():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8),
                         nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))


def cnn_group_norm():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.GroupNorm(4, 8), nn.ReLU(),
                         nn.AvgPool2d(2), nn.Conv2d(8, 12, 3, stride=2), nn.GroupNorm(1, 12),
                         nn.ELU(), nn.Flatten(), nn.Linear(12 * 9, CLASSES))


def cnn_1d():
    return nn.Sequential(nn.Conv1d(4, 8, 5, padding=2), nn.LeakyReLU(), nn.MaxPool1d(2),
                         nn.Conv1d(8, 8, 3, groups=8, dilation=2), nn.PReLU(8),
                         nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, CLASSES))


class ResidualBlock(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.conv1, self.norm1 = nn.Conv2d(8, 16, 3, 2, 1, bias=False), norm(16)
        self.conv2, self.norm2 = nn.Conv2d(16, 16, 3, 1, 1, bias=False), norm(16)
        self.short = nn.Sequential(nn.Conv2d(8, 16, 1, 2, bias=False), norm(16))
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = functional.relu(self.stem(x))
        inner = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        x = functional.relu(inner + self.short(x))
        return self.head(x.mean((2, 3)))


class SqueezeBlock(nn.Module):
    """As in MobileNetV3."""

    def __init__(self):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(3, 16, 1, bias=False), nn.BatchNorm2d(16),
                                    nn.Hardswish())
        self.depth = nn.Sequential(nn.Conv2d(16, 16, 5, 1, 2, groups=16, bias=False),
                                   nn.BatchNorm2d(16), nn.Hardswish())
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 8, 1), nn.ReLU(),
                                     nn.Conv2d(8, 16, 1), nn.Hardsigmoid())
        self.project = nn.Sequential(nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 16),
                                  nn.ReLU6(), nn.Linear(16, CLASSES))

    def forward(self, x):
        x = self.depth(self.expand(x))
        return self.head(self.project(x * self.squeeze(x)))


class Recurrent(nn.Module):
    def __init__(self, kind, text, **options):
        super().__init__()
        width = 8 * (2 if options.get("bidirectional") else 1)
        self.table = nn.Embedding(TOKENS, 6) if text else None
        self.layers = kind(6, 8, batch_first=True, **options)
        self.head = nn.Linear(width, TOKENS if text else CLASSES)

    def forward(self, x):
        states, _ = self.layers(self.table(x) if self.table else x)
        return self.head(states) if self.table else self.head(states[:, -1])


def transformer_layer():
    return nn.Sequential(
        nn.TransformerEncoderLayer(16, 2, 24, dropout=0.1, activation="gelu", batch_first=True,
                                   norm_first=True),
        nn.Flatten(), nn.Linear(16 * 6, CLASSES))


class Attention(nn.Module):
    """scaled_dot_product_attention, causal, behind a table of tokens and one of places."""

    def __init__(self, norm=nn.LayerNorm):
        super().__init__()
        self.table, self.places = nn.Embedding(TOKENS, 16), nn.Parameter(torch.randn(7, 16) / 8)
        self.norm, self.project = norm(16), nn.Linear(16, 48, bias=False)
        self.out, self.head = nn.Linear(16, 16), nn.Linear(16, TOKENS)

    def forward(self, x):
        x = self.table(x) + self.places
        parts = self.project(self.norm(x)).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts.unbind(0), is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return self.head(x)


class MeanOfTable(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(TOKENS, 8), nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.head(self.table(x).mean(1))


class TiedTable(nn.Module):
    """The table is also the last layer."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(TOKENS, 8)

    def forward(self, x):
        return functional.linear(torch.tanh(self.table(x)), self.table.weight)


class Tabular(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(6, 3), nn.Embedding(6, 2)])
        self.layers = nn.Sequential(nn.Linear(4 + 5, 12), nn.SiLU(), nn.Linear(12, 1))

    def forward(self, x, categories):
        parts = [table(categories[:, i]) for i, table in enumerate(self.tables)]
        return self.layers(torch.cat([x, *parts], 1))


def autoencoder():
    return nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 6),
                         nn.Linear(6, 8 * 16), nn.ReLU(), nn.Unflatten(1, (8, 4, 4)),
                         nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.Mish(),
                         nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(4, 1, 3, 2, 1))


class SmallUNet(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.mode = mode
        self.down1, self.down2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
        self.up, self.head = nn.Conv2d(12 + 8, 8, 3, padding=1), nn.Conv2d(8, CLASSES, 1)

    def forward(self, x):
        high = functional.relu(self.down1(x))
        low = functional.relu(self.down2(functional.max_pool2d(high, 2)))
        low = functional.interpolate(low, scale_factor=2, mode=self.mode)
        return self.head(functional.relu(self.up(torch.cat([low, high], 1))))


def dropout_mlp():
    return nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, CLASSES))


def activations():
    return nn.Sequential(nn.Linear(12, 12), nn.GELU(), nn.Linear(12, 12), nn.GELU("tanh"),
                         nn.Linear(12, 12), nn.Softplus(), nn.Linear(12, 12), nn.SELU(),
                         nn.Linear(12, 12), nn.Hardtanh(), nn.Linear(12, 12), nn.Softsign(),
                         nn.Linear(12, 12), nn.GLU(), nn.LayerNorm(6), nn.Linear(6, CLASSES))


TEXT = ((7,), TOKENS)
MODELS = {
    "MLP": Case(mlp, (12,)),
    "activations, LayerNorm": Case(activations, (12,)),
    "CNN, BatchNorm": Case(cnn_batch_norm, (3, 8, 8)),
    "CNN, GroupNorm": Case(cnn_group_norm, (3, 16, 16), opsets=(18, 21)),
    "CNN over time": Case(cnn_1d, (4, 20)),
    "residual block, BatchNorm": Case(lambda: ResidualBlock(nn.BatchNorm2d), (3, 8, 8)),
    "residual block, GroupNorm": Case(lambda: ResidualBlock(lambda c: nn.GroupNorm(4, c)),
                                      (3, 8, 8)),
    "MobileNetV3 block": Case(SqueezeBlock, (3, 8, 8)),
    "LSTM, text": Case(lambda: Recurrent(nn.LSTM, True, num_layers=2), TEXT, class_axis=2),
    "LSTM, both directions": Case(lambda: Recurrent(nn.LSTM, False, bidirectional=True), (9, 6)),
    "GRU, series": Case(lambda: Recurrent(nn.GRU, False, num_layers=2), (9, 6)),
    "RNN, series": Case(lambda: Recurrent(nn.RNN, False), (9, 6)),
    "TransformerEncoderLayer": Case(transformer_layer, (6, 16)),
    "scaled_dot_product_attention": Case(Attention, TEXT, class_axis=2, opsets=(18, 23)),
    "attention, RMSNorm": Case(lambda: Attention(nn.RMSNorm), TEXT, class_axis=2,
                               opsets=(18, 23)),
    "table, mean": Case(MeanOfTable, TEXT),
    "tied table": Case(TiedTable, TEXT, class_axis=2),
    "tables and numbers": Case(Tabular, (4,), ((2,), 6), loss="bce_with_logits"),
    "Dropout": Case(dropout_mlp, (12,)),
    "autoencoder": Case(autoencoder, (1, 8, 8), loss="mse"),
    "U-Net, nearest": Case(lambda: SmallUNet("nearest"), (3, 8, 8)),
    "U-Net, bilinear": Case(lambda: SmallUNet("bilinear"), (3, 8, 8)),
}
