#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the files of this folder with the safetensors package and NumPy."""
import json

import numpy as np
from safetensors.numpy import save_file

i = np.arange(24)
save_file({"w": (i[:6] * 0.5 - 1).astype("<f4").reshape(2, 3), "b": np.array([-0.0, 1e-45, 3.4e38], "<f4")},
          "plain.safetensors")
save_file({"w": np.float32([1, 2])}, "notes.safetensors", metadata={"author": "fed", "text": "a\"b\né"})
save_file({name: np.array([0, 1, 100], dtype) for name, dtype in
           {"f64": "<f8", "f32": "<f4", "f16": "<f2", "i8": "i1", "u8": "u1", "i16": "<i2", "u16": "<u2",
            "i32": "<i4", "u32": "<u4", "i64": "<i8", "u64": "<u8", "bool": "?"}.items()},
          "types.safetensors")
save_file({"scalar": np.array(7, "<i4"), "empty": np.zeros((0, 5), "<f4"), "cube": i.astype("<i2").reshape(2, 3, 4),
           "é/name.with\"quote": np.float32([4])}, "shapes.safetensors")
save_file({}, "nothing.safetensors")
