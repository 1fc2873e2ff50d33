#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""export_worlds.py: each model, its first parameters and the data, once, for fed and all peers.

Runs with PyTorch. In FOLDER/data/NAME: x.idx and y.idx for fed, x.npy (float32 or int64) and y.npy
with the same numbers for the others. In FOLDER/worlds/NAME: model.onnx, parameters.npz (PyTorch's
names and shapes)."""

import argparse
import os
import sys

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "train"))

import idx_file  # noqa: E402
import peer_models  # noqa: E402
import peer_worlds  # noqa: E402

FASHION = "/usr/share/datasets/fashion-mnist"  # Debian's package dataset-fashion-mnist


def draw(seed, shape, below):
    return np.random.default_rng(seed).integers(0, below, shape, np.uint8)


def images():
    try:
        return (idx_file.read(f"{FASHION}/train-images-idx3-ubyte.gz"),
                idx_file.read(f"{FASHION}/train-labels-idx1-ubyte.gz"))
    except OSError:
        return draw(1, (60000, 28, 28), 256), draw(2, 60000, 10)


DATA = {
    "images": images,
    "letters": lambda: (images()[0], draw(3, 60000, 62)),
    "cifar": lambda: (draw(4, (50000, 3, 32, 32), 256), draw(5, 50000, 10)),
    "characters": lambda: (draw(6, (2400, 80), 80), draw(7, 2400, 80)),
    "small": lambda: (draw(8, (10000, 99), 256), draw(9, 10000, 10)),
    "wide": lambda: (draw(10, (9000, 999), 256), draw(11, 9000, 10)),
}


def write_data(folder, name):
    done = os.path.join(folder, "y.npy")
    if os.path.exists(done):
        return
    os.makedirs(folder, exist_ok=True)
    x, y = DATA[name]()
    idx_file.write(os.path.join(folder, "x.idx"), x)
    idx_file.write(os.path.join(folder, "y.idx"), y)
    pixels = x.astype(np.int64) if name == "characters" else \
        x.astype(np.float32) * np.float32(1 / 255)
    np.save(os.path.join(folder, "x.npy"), pixels)
    np.save(done, y.astype(np.int64))


def write_model(folder, world):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.onnx")
    if os.path.exists(path):
        return
    torch.manual_seed(1)
    module = peer_models.make(world.model).train()
    np.savez(os.path.join(folder, "parameters.npz"),
             **{name: value.detach().numpy() for name, value in module.named_parameters()})
    torch.onnx.export(module, (peer_models.example(world.model),), path + ".new", dynamo=False,
                      opset_version=17, training=torch.onnx.TrainingMode.TRAINING,
                      do_constant_folding=False, input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}})
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("worlds", nargs="+")
    options = parser.parse_args()
    for name in options.worlds:
        world = peer_worlds.WORLDS[name]
        write_data(os.path.join(options.folder, "data", world.data), world.data)
        write_model(os.path.join(options.folder, "worlds", name), world)


if __name__ == "__main__":
    main()
