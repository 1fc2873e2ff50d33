# SPDX-License-Identifier: Apache-2.0
"""Write the NPY, NPZ and safetensors vectors with numpy and safetensors; see README.md."""
import numpy as np
from safetensors.numpy import save_file

x = np.array([[0.5, -1.25, 3.0e38], [1e-3, 7.0, -0.1]])
images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2) * 20
labels = np.array([2, 0, 1])
for kind in ["<f4", "<f8", ">f4"]:
    np.save("x_%s%s.npy" % ("big_" if kind[0] == ">" else "", kind[1:]), x.astype(kind))
integers = np.array([[-2, 100], [0, 1], [127, -128]])
for kind in ["|i1", "<i2", "<i4", "<i8", ">i2"]:
    np.save("n_%s%s.npy" % ("big_" if kind[0] == ">" else "", kind[1:]), integers.astype(kind))
np.save("n_u1.npy", images)
np.save("n_b1.npy", np.array([True, False, True]))
np.save("labels_i8.npy", labels)
np.save("fortran.npy", np.asfortranarray(x))
np.save("complex.npy", x.astype(complex))
np.save("scalar.npy", np.float32(1))
with open("version2.npy", "wb") as out:
    np.lib.format.write_array(out, x.astype("<f4"), version=(2, 0))
np.savez("stored.npz", x=images, y=labels)
np.savez_compressed("deflated.npz", x=images, y=labels, z=np.zeros(1000))

save_file({"x": x.astype("<f4"), "y": labels[:2]}, "arrays.safetensors")

for name in ["x_f4", "n_i2"]:
    print(name, np.load(name + ".npy").tolist())
print("deflated x", np.load("deflated.npz")["x"].tolist(), "y", np.load("deflated.npz")["y"].tolist())
