#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write FOLDER/points.csv: COUNT points of two classes, drawn from the seed given as text.

make_data.py FOLDER SEED COUNT
"""

import pathlib
import random
import sys

folder, seed, count = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
draw = random.Random(seed)
folder.mkdir(parents=True)
with (folder / "points.csv").open("w") as file:
    file.write("a,b,c,d,label\n")
    for _ in range(count):
        label = draw.randrange(2)
        values = (draw.gauss(side if label else -side, 1) for side in (1.0, 0.5, -0.5, 0.0))
        file.write(",".join(f"{value:.4f}" for value in values) + f",{label}\n")
