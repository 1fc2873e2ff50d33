# SPDX-License-Identifier: Apache-2.0
"""idx_file.py: MNIST's format for arrays of bytes, as NumPy arrays."""

import gzip
import struct

import numpy


def read(path):
    """Of a .gz file."""
    with gzip.open(path) as file:
        _, _, rank = struct.unpack(">HBB", file.read(4))
        shape = struct.unpack(f">{rank}I", file.read(4 * rank))
        return numpy.frombuffer(file.read(), numpy.uint8).reshape(shape)


def write(path, array):
    with open(path, "wb") as file:
        file.write(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape))
        file.write(numpy.ascontiguousarray(array, numpy.uint8).tobytes())
