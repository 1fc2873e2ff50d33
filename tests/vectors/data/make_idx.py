# SPDX-License-Identifier: Apache-2.0
"""Write the IDX vectors with nothing but struct and gzip; see README.md."""
import gzip
import struct


def idx(code, kind, shape, values):
    header = struct.pack(">BBBB%dI" % len(shape), 0, 0, code, len(shape), *shape)
    return header + struct.pack(">%d%s" % (len(values), kind), *values)


FILES = {
    "images.idx": idx(0x08, "B", (3, 2, 2), [0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6]),
    "labels.idx": idx(0x08, "B", (3,), [2, 0, 1]),
    "i8.idx": idx(0x09, "b", (3,), [-128, 0, 127]),
    "i16.idx": idx(0x0B, "h", (3, 1), [-32768, 258, 32767]),
    "i32.idx": idx(0x0C, "i", (3,), [-2147483648, 16909060, 2147483647]),
    "f32.idx": idx(0x0D, "f", (3,), [-1.5, 0.15625, 3.0e38]),
    "f64.idx": idx(0x0E, "d", (3,), [-1.5, 0.1, 1.0e-3]),
}
for name, content in FILES.items():
    with open(name, "wb") as out:
        out.write(content)
with open("packed.idx.gz", "wb") as out:  # two gzip members, cut within the header
    content = FILES["images.idx"]
    out.write(gzip.compress(content[:9], mtime=0) + gzip.compress(content[9:], mtime=0))
