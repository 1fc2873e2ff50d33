#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the vectors of this folder with NumPy: raw little-endian arrays of 203 elements."""
import numpy as np

rng = np.random.default_rng(20240607)
N, STEP, CLIP = 203, 2.0**-9, 3.0

received = rng.normal(0, 1, N).astype("<f4")
trained = (received + rng.normal(0, 0.35, N)).astype("<f4")
difference = trained - received
norm = np.linalg.norm(difference.astype("<f8"))
assert norm > CLIP
clipped = (difference.astype("<f8") * (CLIP / norm)).astype("<f4")

received.tofile("received.f32")
trained.tofile("trained.f32")
difference.tofile("difference.f32")
clipped.tofile("clipped.f32")
np.array([norm], "<f8").tofile("norm.f64")
clamped = []
for bits in (8, 16, 32):
    rounded = np.rint(difference.astype("<f8") / STEP)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    clamped.append(np.count_nonzero((rounded < low) | (rounded > high)))
    np.clip(rounded, low, high).astype(f"<i{bits // 8}").tofile(f"grid.i{bits}")
np.array(clamped, "<u4").tofile("clamped.u32")

sums = rng.integers(-(2**62), 2**62, N, dtype="<i8")
sums[:3] = [2**63 - 1, -(2**63), 2**53 + 1]
WEIGHT = 123457
sums.tofile("sum.i64")
(sums.astype("<f8") * STEP / WEIGHT).astype("<f4").tofile("mean.f32")
print("norm", norm, "clamped", clamped)
